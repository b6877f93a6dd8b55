//! Lists: named sets of contacts.

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::list::{self as rows, ListRow};
use letterkeep_store::{Error, Tx, audit};

use crate::ValueError;
use crate::usage::{UsedBy, campaigns_naming};
use crate::value::single_line;

/// Lists of an account, at most: what a contact is on is found by asking each list.
pub const LISTS: usize = 1_000;
/// Characters in a name, at most.
pub const NAME_CHARS: usize = 100;
/// Characters in a description, at most.
pub const DESCRIPTION_CHARS: usize = 500;

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The list.
    pub id: Id<kind::List>,
    /// Unique in the account.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many contacts are on it.
    pub members: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its name or members changed last.
    pub updated_at: Timestamp,
}

/// A list is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// No such list.
    #[error("there is no list with this id; it was deleted in the meantime")]
    Missing,
    /// No name.
    #[error("the list needs a name")]
    NoName,
    /// The name or description is not a text of that length.
    #[error("the name or description is {0}")]
    Text(ValueError),
    /// Another list has the name.
    #[error("another list has this name")]
    Taken,
    /// Too many.
    #[error("an account has at most 1,000 lists; delete one that is not needed, or use tags")]
    TooMany,
    /// Campaigns that have not ended yet need it: whoever it keeps out would get them, whoever it brings would not.
    #[error("{} campaigns that have not ended yet name this list; cancel them or wait for their end", .0.len())]
    InUse(Vec<UsedBy>),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

fn texts(name: &str, description: &str) -> Result<(String, String), ListError> {
    let name = single_line(name, NAME_CHARS).map_err(ListError::Text)?;
    let description = single_line(description, DESCRIPTION_CHARS).map_err(ListError::Text)?;
    if name.is_empty() { Err(ListError::NoName) } else { Ok((name, description)) }
}

/// Makes an empty list.
pub async fn create(ctx: &Ctx, tx: &mut Tx, name: &str, description: &str) -> Result<Id<kind::List>, ListError> {
    let (name, description) = texts(name, description)?;
    if rows::count(tx, ctx.account).await? >= LISTS as i64 {
        return Err(ListError::TooMany);
    }
    let id = ctx.new_id();
    if !rows::insert(tx, ctx.account, id, &name, &description, ctx.now().micros()).await? {
        return Err(ListError::Taken);
    }
    note(ctx, tx, "list.create", id, "{}").await?;
    Ok(id)
}

/// Changes name and description.
pub async fn rename(
    ctx: &Ctx,
    tx: &mut Tx,
    list: Id<kind::List>,
    name: &str,
    description: &str,
) -> Result<(), ListError> {
    let (name, description) = texts(name, description)?;
    if rows::find_by_name(tx, ctx.account, &name).await?.is_some_and(|other| other.list_id != list.uuid()) {
        return Err(ListError::Taken);
    }
    match rows::update(tx, ctx.account, list, &name, &description, ctx.now().micros()).await {
        Ok(true) => {}
        Ok(false) => return Err(ListError::Missing),
        Err(error) if error.is_conflict() => return Err(ListError::Taken),
        Err(error) => return Err(error.into()),
    }
    Ok(note(ctx, tx, "list.rename", list, "{}").await?)
}

/// The campaigns that have not ended yet and name the list: while there are any, it cannot be deleted.
pub async fn used_by(ctx: &Ctx, tx: &mut Tx, list: Id<kind::List>) -> Result<Vec<UsedBy>, Error> {
    campaigns_naming(ctx, tx, &list.to_string()).await
}

/// Deletes a list. The contacts stay.
pub async fn delete(ctx: &Ctx, tx: &mut Tx, list: Id<kind::List>) -> Result<(), ListError> {
    let members = rows::find(tx, ctx.account, list).await?.ok_or(ListError::Missing)?.members;
    let campaigns = used_by(ctx, tx, list).await?;
    if !campaigns.is_empty() {
        return Err(ListError::InUse(campaigns));
    }
    rows::delete(tx, ctx.account, list).await?;
    Ok(note(ctx, tx, "list.delete", list, &format!(r#"{{"members":{members}}}"#)).await?)
}

/// The account's lists by name.
pub async fn all(ctx: &Ctx, tx: &mut Tx) -> Result<Vec<List>, Error> {
    Ok(rows::all(tx, ctx.account, LISTS as i64).await?.into_iter().map(List::from).collect())
}

/// Finds a list.
pub async fn find(ctx: &Ctx, tx: &mut Tx, list: Id<kind::List>) -> Result<Option<List>, Error> {
    Ok(rows::find(tx, ctx.account, list).await?.map(List::from))
}

/// Finds a list by its exact name.
pub async fn find_by_name(ctx: &Ctx, tx: &mut Tx, name: &str) -> Result<Option<List>, Error> {
    Ok(rows::find_by_name(tx, ctx.account, name.trim()).await?.map(List::from))
}

/// Puts contacts on a list; yields how many were not on it before. Ids of no contact are left out.
pub async fn add(
    ctx: &Ctx,
    tx: &mut Tx,
    list: Id<kind::List>,
    contacts: &[Id<kind::Contact>],
) -> Result<u64, ListError> {
    rows::find(tx, ctx.account, list).await?.ok_or(ListError::Missing)?;
    let ids = contacts.iter().map(|id| id.uuid()).collect::<Vec<_>>();
    let added = rows::add(tx, ctx.account, list, &ids, ctx.now().micros()).await?;
    if added > 0 {
        note(ctx, tx, "list.add", list, &format!(r#"{{"contacts":{added}}}"#)).await?;
    }
    Ok(added)
}

/// Takes contacts off a list; yields how many were on it.
pub async fn remove(
    ctx: &Ctx,
    tx: &mut Tx,
    list: Id<kind::List>,
    contacts: &[Id<kind::Contact>],
) -> Result<u64, ListError> {
    let ids = contacts.iter().map(|id| id.uuid()).collect::<Vec<_>>();
    let removed = rows::remove(tx, ctx.account, list, &ids, ctx.now().micros()).await?;
    if removed > 0 {
        note(ctx, tx, "list.remove", list, &format!(r#"{{"contacts":{removed}}}"#)).await?;
    }
    Ok(removed)
}

impl From<ListRow> for List {
    fn from(row: ListRow) -> Self {
        Self {
            id: Id::from_uuid(row.list_id),
            name: row.name,
            description: row.description,
            members: row.members,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        }
    }
}

async fn note(ctx: &Ctx, tx: &mut Tx, action: &str, list: Id<kind::List>, detail: &str) -> Result<(), Error> {
    audit::append(ctx, tx, audit::Event { action, object: &list.to_string(), detail }).await
}
