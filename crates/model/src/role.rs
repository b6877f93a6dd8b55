use std::fmt;
use std::str::FromStr;

/// What a person does in an account. What each role may do is decided in one table, in the account room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks, changes nothing, sees no contact data.
    Viewer,
    /// Drafts and tests campaigns; neither sends them nor sees contacts.
    CampaignCreator,
    /// Everything but users, keys and the account itself.
    Manager,
    /// Everything.
    Owner,
}

impl Role {
    /// Every role, from most to least powerful.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Manager, Self::CampaignCreator, Self::Viewer];

    /// The stored and spoken name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::CampaignCreator => "campaign_creator",
            Self::Viewer => "viewer",
        }
    }
}

/// The text names no role.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown role; known are owner, manager, campaign_creator and viewer")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or(UnknownRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
