//! Tags: labels on contacts.

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::tag::{self as rows, TagRow};
use letterkeep_store::{Error, Tx, audit};

use crate::ValueError;
use crate::usage::{UsedBy, campaigns_naming};
use crate::value::single_line;

/// Tags of an account, at most: what a contact bears is found by asking each tag.
pub const TAGS: usize = 1_000;
/// Characters in a name, at most.
pub const NAME_CHARS: usize = 100;

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The tag.
    pub id: Id<kind::Tag>,
    /// Unique in the account.
    pub name: String,
    /// How many contacts bear it.
    pub members: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A tag is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// No such tag.
    #[error("there is no tag with this id; it was deleted in the meantime")]
    Missing,
    /// No name.
    #[error("the tag needs a name")]
    NoName,
    /// The name is not a text of that length.
    #[error("the name is {0}")]
    Text(ValueError),
    /// Another tag has the name.
    #[error("another tag has this name")]
    Taken,
    /// Too many.
    #[error("an account has at most 1,000 tags; delete one that is not needed")]
    TooMany,
    /// Campaigns that have not ended yet need it: whoever it keeps out would get them, whoever it brings would not.
    #[error("{} campaigns that have not ended yet name this tag; cancel them or wait for their end", .0.len())]
    InUse(Vec<UsedBy>),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

fn text(name: &str) -> Result<String, TagError> {
    let name = single_line(name, NAME_CHARS).map_err(TagError::Text)?;
    if name.is_empty() { Err(TagError::NoName) } else { Ok(name) }
}

/// Makes a tag that nobody bears.
pub async fn create(ctx: &Ctx, tx: &mut Tx, name: &str) -> Result<Id<kind::Tag>, TagError> {
    let name = text(name)?;
    if rows::count(tx, ctx.account).await? >= TAGS as i64 {
        return Err(TagError::TooMany);
    }
    let id = ctx.new_id();
    if !rows::insert(tx, ctx.account, id, &name, ctx.now().micros()).await? {
        return Err(TagError::Taken);
    }
    note(ctx, tx, "tag.create", id, "{}").await?;
    Ok(id)
}

/// Changes the name.
pub async fn rename(ctx: &Ctx, tx: &mut Tx, tag: Id<kind::Tag>, name: &str) -> Result<(), TagError> {
    let name = text(name)?;
    if rows::find_by_name(tx, ctx.account, &name).await?.is_some_and(|other| other.tag_id != tag.uuid()) {
        return Err(TagError::Taken);
    }
    match rows::update(tx, ctx.account, tag, &name).await {
        Ok(true) => {}
        Ok(false) => return Err(TagError::Missing),
        Err(error) if error.is_conflict() => return Err(TagError::Taken),
        Err(error) => return Err(error.into()),
    }
    Ok(note(ctx, tx, "tag.rename", tag, "{}").await?)
}

/// The campaigns that have not ended yet and name the tag: while there are any, it cannot be deleted.
pub async fn used_by(ctx: &Ctx, tx: &mut Tx, tag: Id<kind::Tag>) -> Result<Vec<UsedBy>, Error> {
    campaigns_naming(ctx, tx, &tag.to_string()).await
}

/// Deletes a tag from everywhere. The contacts stay.
pub async fn delete(ctx: &Ctx, tx: &mut Tx, tag: Id<kind::Tag>) -> Result<(), TagError> {
    let members = rows::find(tx, ctx.account, tag).await?.ok_or(TagError::Missing)?.members;
    let campaigns = used_by(ctx, tx, tag).await?;
    if !campaigns.is_empty() {
        return Err(TagError::InUse(campaigns));
    }
    rows::delete(tx, ctx.account, tag).await?;
    Ok(note(ctx, tx, "tag.delete", tag, &format!(r#"{{"members":{members}}}"#)).await?)
}

/// The account's tags by name.
pub async fn all(ctx: &Ctx, tx: &mut Tx) -> Result<Vec<Tag>, Error> {
    Ok(rows::all(tx, ctx.account, TAGS as i64).await?.into_iter().map(Tag::from).collect())
}

/// Finds a tag.
pub async fn find(ctx: &Ctx, tx: &mut Tx, tag: Id<kind::Tag>) -> Result<Option<Tag>, Error> {
    Ok(rows::find(tx, ctx.account, tag).await?.map(Tag::from))
}

/// Finds a tag by its exact name.
pub async fn find_by_name(ctx: &Ctx, tx: &mut Tx, name: &str) -> Result<Option<Tag>, Error> {
    Ok(rows::find_by_name(tx, ctx.account, name.trim()).await?.map(Tag::from))
}

/// Tags contacts; yields how many did not bear the tag before. Ids of no contact are left out.
pub async fn add(ctx: &Ctx, tx: &mut Tx, tag: Id<kind::Tag>, contacts: &[Id<kind::Contact>]) -> Result<u64, TagError> {
    rows::find(tx, ctx.account, tag).await?.ok_or(TagError::Missing)?;
    let ids = contacts.iter().map(|id| id.uuid()).collect::<Vec<_>>();
    let added = rows::add(tx, ctx.account, tag, &ids, ctx.now().micros()).await?;
    if added > 0 {
        note(ctx, tx, "tag.add", tag, &format!(r#"{{"contacts":{added}}}"#)).await?;
    }
    Ok(added)
}

/// Takes a tag off contacts; yields how many bore it.
pub async fn remove(
    ctx: &Ctx,
    tx: &mut Tx,
    tag: Id<kind::Tag>,
    contacts: &[Id<kind::Contact>],
) -> Result<u64, TagError> {
    let ids = contacts.iter().map(|id| id.uuid()).collect::<Vec<_>>();
    let removed = rows::remove(tx, ctx.account, tag, &ids).await?;
    if removed > 0 {
        note(ctx, tx, "tag.remove", tag, &format!(r#"{{"contacts":{removed}}}"#)).await?;
    }
    Ok(removed)
}

impl From<TagRow> for Tag {
    fn from(row: TagRow) -> Self {
        Self {
            id: Id::from_uuid(row.tag_id),
            name: row.name,
            members: row.members,
            created_at: Timestamp::from_micros(row.created_at),
        }
    }
}

async fn note(ctx: &Ctx, tx: &mut Tx, action: &str, tag: Id<kind::Tag>, detail: &str) -> Result<(), Error> {
    audit::append(ctx, tx, audit::Event { action, object: &tag.to_string(), detail }).await
}
