use std::collections::HashMap;

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::Tx;
use letterkeep_store::contact::{self as rows, ContactRow, Direction, PageFilter};
use letterkeep_vault::Keyring;
use uuid::Uuid;

use super::{Contact, ReadError, open_row};
use crate::Permission;

/// Contacts on a page.
pub const PAGE: usize = 50;

/// Which contacts are shown. All conditions must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// On this list.
    pub list: Option<Id<kind::List>>,
    /// Bearing this tag.
    pub tag: Option<Id<kind::Tag>>,
    /// With this permission.
    pub permission: Option<Permission>,
}

impl Filter {
    pub(crate) fn rows(&self) -> PageFilter<'static> {
        PageFilter {
            list: self.list.map(Id::uuid),
            tag: self.tag.map(Id::uuid),
            permission: self.permission.map(Permission::name),
        }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cursor {
    /// With the newest contact.
    #[default]
    Newest,
    /// After this contact: the next older ones.
    After(Id<kind::Contact>),
    /// Before this contact: the next newer ones.
    Before(Id<kind::Contact>),
}

/// A page of contacts, newest first.
#[derive(Debug, Clone, Default)]
pub struct ContactPage {
    /// At most [`PAGE`].
    pub contacts: Vec<Contact>,
    /// What [`Cursor::Before`] takes to go back; `None` on the first page.
    pub before: Option<Id<kind::Contact>>,
    /// What [`Cursor::After`] takes to go on; `None` on the last page.
    pub after: Option<Id<kind::Contact>>,
}

/// A page of contacts, newest first. Pages follow each other by key: a contact that is inserted or deleted in between
/// makes no other one appear twice or not at all.
pub async fn page(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    filter: &Filter,
    cursor: Cursor,
) -> Result<ContactPage, ReadError> {
    let direction = match cursor {
        Cursor::Newest => Direction::Older(Uuid::max()),
        Cursor::After(contact) => Direction::Older(contact.uuid()),
        Cursor::Before(contact) => Direction::Newer(contact.uuid()),
    };
    // One more than shown, to know whether there is another page.
    let mut found = rows::page(tx, ctx.account, filter.rows(), direction, PAGE as i64 + 1).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let (newer, older) = match cursor {
        Cursor::Newest => (false, more),
        Cursor::After(_) => (true, more),
        Cursor::Before(_) => {
            found.reverse();
            (more, true)
        }
    };
    let contacts = open_rows(ctx, tx, keyring, found).await?;
    let before = contacts.first().filter(|_| newer).map(|contact| contact.id);
    let after = contacts.last().filter(|_| older).map(|contact| contact.id);
    Ok(ContactPage { contacts, before, after })
}

/// Opens rows and adds their lists and tags: three queries, however many rows.
pub(crate) async fn open_rows(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    found: Vec<ContactRow>,
) -> Result<Vec<Contact>, ReadError> {
    let ids = found.iter().map(|row| row.contact_id).collect::<Vec<_>>();
    let mut lists = gather(rows::lists_of(tx, ctx.account, &ids).await?);
    let mut tags = gather(rows::tags_of(tx, ctx.account, &ids).await?);
    let mut contacts = Vec::with_capacity(found.len());
    for row in &found {
        let mut contact = open_row(keyring, row)?;
        contact.lists = sorted(lists.remove(&row.contact_id));
        contact.tags = sorted(tags.remove(&row.contact_id));
        contacts.push(contact);
    }
    Ok(contacts)
}

fn gather(pairs: Vec<(Uuid, Uuid)>) -> HashMap<Uuid, Vec<Uuid>> {
    let mut gathered = HashMap::<_, Vec<_>>::new();
    for (contact, of) in pairs {
        gathered.entry(contact).or_default().push(of);
    }
    gathered
}

fn sorted<K: letterkeep_model::Kind>(ids: Option<Vec<Uuid>>) -> Vec<Id<K>> {
    let mut ids = ids.unwrap_or_default();
    ids.sort_unstable();
    ids.into_iter().map(Id::from_uuid).collect()
}
