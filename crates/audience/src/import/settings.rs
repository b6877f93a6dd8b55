//! What the user decides before an import runs.

use jiff::tz::TimeZone;
use letterkeep_model::{Id, Locale, kind};

use super::mapping::{self, MappingError, Target};
use crate::{Foreign, Notation, Permission};

/// Characters in a source or evidence text, at most.
pub const EVIDENCE_CHARS: usize = 2_000;
/// Lists and tags that a whole file may be added to, at most each.
pub const MEMBERSHIPS: usize = 20;

/// What happens to a contact that the account has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Existing {
    /// Cells that are not empty replace what is known; empty cells never erase anything.
    #[default]
    Update,
    /// It stays as it is; only lists and tags of the import are added.
    Keep,
}

/// What the user decides before an import runs. Sealed where it is stored: evidence may name people.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Settings {
    /// The first row of the file.
    pub headings: Vec<String>,
    /// Where each column goes.
    pub mapping: Vec<Target>,
    /// Lists that every contact of the file joins.
    #[serde(default)]
    pub lists: Vec<Id<kind::List>>,
    /// Tags that every contact of the file gets.
    #[serde(default)]
    pub tags: Vec<Id<kind::Tag>>,
    /// What the user asserts about everybody in the file: explicit, implicit or not set.
    pub permission: Permission,
    /// How the permission came about, in the user's words: required unless it is not set.
    #[serde(default)]
    pub evidence: String,
    /// Whether the user asserts that everybody consents to having opens and clicks recorded.
    #[serde(default)]
    pub tracking: bool,
    /// How that consent came about: required if it is asserted.
    #[serde(default)]
    pub tracking_evidence: String,
    /// What happens to contacts that exist.
    #[serde(default)]
    pub existing: Existing,
    /// How numbers are written in the file.
    #[serde(default)]
    pub notation: Notation,
    /// The IANA name of the time zone of times that name none.
    #[serde(default)]
    pub time_zone: String,
    /// The language of the reasons in the file of refused rows.
    #[serde(default)]
    pub locale: Locale,
}

/// Why the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The mapping.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A permission that a file cannot assert.
    #[error(
        "a file can assert an explicit or an implicit permission or none; single contacts are unsubscribed by a column"
    )]
    Permission,
    /// An assertion without evidence.
    #[error("say how the permission came about, for example \"sign-up form on our website, since 2019\"")]
    NoEvidence,
    /// An assertion without evidence.
    #[error("say how the consent to recording opens and clicks came about")]
    NoTrackingEvidence,
    /// A text that is too long.
    #[error("the evidence is longer than 2,000 characters; shorten it and keep the document elsewhere")]
    EvidenceTooLong,
    /// Too many lists or tags.
    #[error("a file can be added to at most 20 lists and 20 tags at once")]
    TooManyMemberships,
    /// No such time zone.
    #[error("unknown time zone; write for example Europe/Berlin")]
    TimeZone,
}

impl Settings {
    /// Settings that assert nothing and update what exists.
    pub fn new(headings: Vec<String>, mapping: Vec<Target>, locale: Locale) -> Self {
        Self {
            headings,
            mapping,
            lists: Vec::new(),
            tags: Vec::new(),
            permission: Permission::NotSet,
            evidence: String::new(),
            tracking: false,
            tracking_evidence: String::new(),
            existing: Existing::Update,
            notation: match locale {
                Locale::De => Notation::German,
                Locale::En => Notation::Any,
            },
            time_zone: "UTC".into(),
            locale,
        }
    }

    /// Checks everything that can be checked without the database.
    pub fn check(&self) -> Result<(), SettingsError> {
        mapping::check(&self.mapping, self.headings.len())?;
        if !matches!(self.permission, Permission::Explicit | Permission::Implicit | Permission::NotSet) {
            return Err(SettingsError::Permission);
        }
        let asserts = self.permission != Permission::NotSet || self.mapping.contains(&Target::Permission);
        if asserts && self.evidence.trim().is_empty() {
            return Err(SettingsError::NoEvidence);
        }
        let tracks = self.tracking || self.mapping.contains(&Target::Tracking);
        if tracks && self.tracking_evidence.trim().is_empty() {
            return Err(SettingsError::NoTrackingEvidence);
        }
        if [&self.evidence, &self.tracking_evidence].iter().any(|text| text.chars().count() > EVIDENCE_CHARS) {
            return Err(SettingsError::EvidenceTooLong);
        }
        if self.lists.len() > MEMBERSHIPS || self.tags.len() > MEMBERSHIPS {
            return Err(SettingsError::TooManyMemberships);
        }
        self.foreign()?;
        Ok(())
    }

    /// How the cells are read.
    pub(super) fn foreign(&self) -> Result<Foreign, SettingsError> {
        let name = if self.time_zone.is_empty() { "UTC" } else { &self.time_zone };
        let time_zone = TimeZone::get(name).map_err(|_| SettingsError::TimeZone)?;
        Ok(Foreign { notation: self.notation, time_zone })
    }
}
