//! What somebody may do. (Moves to the account room, which owns the table, as soon as it is there.)

use letterkeep_model::{Actor, Ctx, Role};

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal;)*) => {
        /// What somebody may or may not do. Every page and command declares one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $action,)* }

        impl Action {
            /// Every action, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$action),*];

            /// Its name in logs and on pages.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$action => $name),* }
            }
        }
    };
}

actions! {
    /// See the dashboard.
    ViewDashboard = "dashboard.view";
    /// See and change one's own password, factor, language and sessions.
    ManageOwnLogIn = "own_log_in.manage";
    /// See contacts and search them.
    ViewContacts = "contacts.view";
    /// Add, change and erase contacts, their permissions and tags.
    EditContacts = "contacts.edit";
    /// Import contacts and undo imports.
    ImportContacts = "contacts.import";
    /// Take contacts out in a file.
    ExportContacts = "contacts.export";
    /// See the names of lists and tags and how many contacts they hold.
    ViewLists = "lists.view";
    /// Make, change and delete lists and tags.
    ManageLists = "lists.manage";
    /// Make, change and delete custom fields.
    ManageFields = "fields.manage";
    /// See and change whom nothing is ever sent to.
    ManageSuppressions = "suppressions.manage";
    /// See campaigns and their content.
    ViewCampaigns = "campaigns.view";
    /// Draft and change campaigns.
    EditCampaigns = "campaigns.edit";
    /// See a campaign with the data of a real contact; without it, sample data is shown.
    PreviewWithContact = "campaigns.preview_with_contact";
    /// Send a draft to oneself.
    TestSend = "campaigns.test_send";
    /// Send, schedule, pause, resume and cancel campaigns.
    SendCampaigns = "campaigns.send";
    /// See figures of campaigns.
    ViewReports = "reports.view";
    /// See who received, opened and clicked.
    ViewReportRecipients = "reports.view_recipients";
    /// Add and remove sending domains and their keys.
    ManageSendingDomains = "sending_domains.manage";
    /// Set the server that accepts mail.
    ManageRelay = "relay.manage";
    /// See, invite and disable people, give them roles.
    ManageUsers = "users.manage";
    /// Read the audit log.
    ViewAudit = "audit.view";
    /// Change the organisation's name, address, language and time zone.
    ManageAccount = "account.manage";
    /// Replace the account's keys.
    RotateKeys = "keys.rotate";
}

/// The action is not allowed to whoever acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not allowed: {}; an owner of the account can give a role that allows it", .action.name())]
pub struct Denied {
    /// What was asked for.
    pub action: Action,
}

/// Whether a role allows an action. The whole policy stands here.
pub const fn allows(role: Role, action: Action) -> bool {
    use Action as A;
    use Role::{CampaignCreator, Manager, Owner, Viewer};
    match action {
        A::ViewDashboard | A::ManageOwnLogIn | A::ViewReports => match role {
            Owner | Manager | CampaignCreator | Viewer => true,
        },
        A::ViewCampaigns | A::EditCampaigns | A::TestSend | A::ViewLists => match role {
            Owner | Manager | CampaignCreator => true,
            Viewer => false,
        },
        A::ViewContacts
        | A::EditContacts
        | A::ImportContacts
        | A::ExportContacts
        | A::ManageLists
        | A::ManageFields
        | A::ManageSuppressions
        | A::PreviewWithContact
        | A::SendCampaigns
        | A::ViewReportRecipients
        | A::ManageSendingDomains
        | A::ManageRelay
        | A::ViewAudit => match role {
            Owner | Manager => true,
            CampaignCreator | Viewer => false,
        },
        A::ManageUsers | A::ManageAccount | A::RotateKeys => match role {
            Owner => true,
            Manager | CampaignCreator | Viewer => false,
        },
    }
}

/// Refuses unless whoever acts may do this. The public may do nothing; the service itself may do everything.
pub fn authorize(ctx: &Ctx, action: Action) -> Result<(), Denied> {
    match ctx.actor {
        Actor::System => Ok(()),
        Actor::User { role, .. } if allows(role, action) => Ok(()),
        Actor::User { .. } | Actor::Public => Err(Denied { action }),
    }
}

/// One line of the policy, for a page or a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionRow {
    /// What.
    pub action: Action,
    /// Who may, from most to least powerful.
    pub roles: Vec<Role>,
}

/// The whole policy.
pub fn table() -> Vec<PermissionRow> {
    let roles = |action| Role::ALL.into_iter().filter(|role| allows(*role, action)).collect();
    Action::ALL.iter().map(|action| PermissionRow { action: *action, roles: roles(*action) }).collect()
}
