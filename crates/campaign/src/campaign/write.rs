//! Making and changing a campaign while it is a draft.

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::Tx;
use letterkeep_store::audit::{self, Event};
use letterkeep_store::campaign::{self as rows, CampaignRow};
use letterkeep_store::sealed::column;
use letterkeep_vault::Keyring;

use super::{Campaign, CampaignError, open, read_state, write_audience};
use crate::content::{breaks_a_line, limit};
use crate::{Audience, Content, State};

/// Makes a draft.
pub async fn create(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    name: &str,
    content: &Content,
    audience: Audience,
) -> Result<Campaign, CampaignError> {
    let row = draft(ctx, keyring, name, content, audience)?;
    rows::insert(tx, ctx.account, &row).await?;
    log(ctx, tx, "campaign.create", &row, "{}").await?;
    open(keyring, row)
}

/// Replaces content and audience of a draft that is still at `revision`.
pub async fn update(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    id: Id<kind::Campaign>,
    revision: i64,
    content: &Content,
    audience: Audience,
) -> Result<Campaign, CampaignError> {
    let mut row = at_revision(ctx, tx, id, revision).await?;
    let state = read_state(&row.state)?;
    if state != State::Draft {
        return Err(CampaignError::State { state, step: None });
    }
    row.audience = write_audience(&checked(audience)?);
    row.content = keyring.seal_json(&column::CAMPAIGN_CONTENT.slot(&row.campaign_id), content, ctx.entropy());
    row.key_version = i64::from(keyring.version());
    save(ctx, tx, &mut row).await?;
    log(ctx, tx, "campaign.update", &row, &format!(r#"{{"revision":{}}}"#, row.revision)).await?;
    open(keyring, row)
}

/// Gives a campaign in any state another name.
pub async fn rename(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    id: Id<kind::Campaign>,
    revision: i64,
    name: &str,
) -> Result<Campaign, CampaignError> {
    let mut row = at_revision(ctx, tx, id, revision).await?;
    row.name = checked_name(name)?;
    save(ctx, tx, &mut row).await?;
    log(ctx, tx, "campaign.rename", &row, "{}").await?;
    open(keyring, row)
}

/// Makes a draft with the content and audience of a campaign in any state.
pub async fn duplicate(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    id: Id<kind::Campaign>,
    name: &str,
) -> Result<Campaign, CampaignError> {
    let row = rows::find(tx, ctx.account, id).await?.ok_or(CampaignError::Missing)?;
    let original = open(keyring, row)?;
    let row = draft(ctx, keyring, name, &original.content, original.audience)?;
    rows::insert(tx, ctx.account, &row).await?;
    log(ctx, tx, "campaign.duplicate", &row, &format!(r#"{{"of":"{id}"}}"#)).await?;
    open(keyring, row)
}

/// Removes a draft that is still at `revision`. What was sent stays: its report and its links must go on working.
pub async fn delete(ctx: &Ctx, tx: &mut Tx, id: Id<kind::Campaign>, revision: i64) -> Result<(), CampaignError> {
    let row = at_revision(ctx, tx, id, revision).await?;
    let state = read_state(&row.state)?;
    if state != State::Draft || row.activity_id.is_some() {
        return Err(CampaignError::State { state, step: None });
    }
    if !rows::delete(tx, ctx.account, id, revision).await? {
        return Err(CampaignError::Changed(revision));
    }
    Ok(log(ctx, tx, "campaign.delete", &row, "{}").await?)
}

fn draft(
    ctx: &Ctx,
    keyring: &Keyring,
    name: &str,
    content: &Content,
    audience: Audience,
) -> Result<CampaignRow, CampaignError> {
    let id = ctx.new_id::<kind::Campaign>().uuid();
    let now = ctx.now().micros();
    Ok(CampaignRow {
        campaign_id: id,
        name: checked_name(name)?,
        state: State::Draft.name().to_owned(),
        state_reason: String::new(),
        content: keyring.seal_json(&column::CAMPAIGN_CONTENT.slot(&id), content, ctx.entropy()),
        key_version: i64::from(keyring.version()),
        audience: write_audience(&checked(audience)?),
        scheduled_at: None,
        activity_id: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    })
}

fn checked(audience: Audience) -> Result<Audience, CampaignError> {
    let audience = audience.tidied();
    if audience.is_too_large() { Err(CampaignError::AudienceTooLarge) } else { Ok(audience) }
}

fn checked_name(name: &str) -> Result<String, CampaignError> {
    let name = name.trim();
    if name.is_empty() || name.len() > limit::NAME || name.chars().any(breaks_a_line) {
        return Err(CampaignError::Name);
    }
    Ok(name.to_owned())
}

async fn at_revision(
    ctx: &Ctx,
    tx: &mut Tx,
    id: Id<kind::Campaign>,
    revision: i64,
) -> Result<CampaignRow, CampaignError> {
    let row = rows::lock(tx, ctx.account, id).await?.ok_or(CampaignError::Missing)?;
    if row.revision == revision { Ok(row) } else { Err(CampaignError::Changed(row.revision)) }
}

/// Stores a changed row under the next revision.
pub(super) async fn save(ctx: &Ctx, tx: &mut Tx, row: &mut CampaignRow) -> Result<(), CampaignError> {
    let before = row.revision;
    row.revision += 1;
    row.updated_at = ctx.now().micros();
    if rows::replace(tx, ctx.account, before, row).await? { Ok(()) } else { Err(CampaignError::Changed(before)) }
}

pub(super) async fn log(
    ctx: &Ctx,
    tx: &mut Tx,
    action: &str,
    row: &CampaignRow,
    detail: &str,
) -> Result<(), letterkeep_store::Error> {
    let object = Id::<kind::Campaign>::from_uuid(row.campaign_id).to_string();
    audit::append(ctx, tx, Event { action, object: &object, detail }).await
}
