//! The lists and tags that an import made, so that its undo can remove those that nobody uses. Custom fields that it
//! made stay: whether a contact that was edited since has a value in one of them, only opening every contact could tell.

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::import as rows;
use letterkeep_store::{Error, Tx, campaign};

use super::ImportError;
use crate::{list, tag};

const LIST: &str = "list";
const TAG: &str = "tag";

/// Remembers that a list was made for an import.
pub async fn remember_list(
    ctx: &Ctx,
    tx: &mut Tx,
    import: Id<kind::Import>,
    list: Id<kind::List>,
) -> Result<(), Error> {
    rows::remember_made(tx, ctx.account, import, LIST, list.uuid()).await
}

/// Remembers that a tag was made for an import.
pub async fn remember_tag(ctx: &Ctx, tx: &mut Tx, import: Id<kind::Import>, tag: Id<kind::Tag>) -> Result<(), Error> {
    rows::remember_made(tx, ctx.account, import, TAG, tag.uuid()).await
}

/// Deletes what the import made, has no members and is in no campaign's audience; yields how many.
pub(super) async fn remove_unused(ctx: &Ctx, tx: &mut Tx, import: Id<kind::Import>) -> Result<u64, ImportError> {
    let mut removed = 0;
    for (kind, id) in rows::made(tx, ctx.account, import).await? {
        let gone = if kind == LIST {
            let id = Id::<kind::List>::from_uuid(id);
            let empty = list::find(ctx, tx, id).await?.is_some_and(|list| list.members == 0);
            let unused = empty && !campaign::is_in_an_audience(tx, ctx.account, &id.to_string()).await?;
            unused && list::delete(ctx, tx, id).await.is_ok()
        } else {
            let id = Id::<kind::Tag>::from_uuid(id);
            let empty = tag::find(ctx, tx, id).await?.is_some_and(|tag| tag.members == 0);
            let unused = empty && !campaign::is_in_an_audience(tx, ctx.account, &id.to_string()).await?;
            unused && tag::delete(ctx, tx, id).await.is_ok()
        };
        removed += u64::from(gone);
    }
    Ok(removed)
}
