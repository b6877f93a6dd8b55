//! What an account says about the organisation behind it.

use letterkeep_model::{Ctx, Locale};
use letterkeep_store::{Error, Tx, account};
use serde_json::json;

use crate::error::carries_faults;
use crate::{Fault, audit};

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its name.
    pub name: String,
    /// The address that the law demands at the foot of every campaign; may be empty until the first one.
    pub postal_address: String,
    /// An IANA name.
    pub time_zone: String,
    /// The language of what the service writes for it.
    pub locale: Locale,
}

/// Why an organisation was not changed.
#[derive(Debug, thiserror::Error)]
pub enum OrganisationError {
    /// The name is missing, too long or contains control characters.
    #[error("the organisation's name has 1 to 200 characters and no line breaks")]
    Name,
    /// The address is too long or contains control characters.
    #[error("the postal address has at most 500 characters")]
    PostalAddress,
    /// Not a time zone.
    #[error("unknown time zone; it is written like Europe/Berlin")]
    TimeZone,
    /// There is no such account.
    #[error("the account does not exist any more")]
    NotFound,
    /// Something below failed.
    #[error(transparent)]
    Fault(Fault),
}

carries_faults!(OrganisationError);

/// The context's account.
pub async fn find(ctx: &Ctx, tx: &mut Tx) -> Result<Option<Organisation>, Error> {
    let Some(row) = account::find(tx, ctx.account).await? else { return Ok(None) };
    Ok(Some(Organisation {
        name: row.name,
        postal_address: row.postal_address,
        time_zone: row.time_zone,
        locale: row.locale.parse().map_err(|_| Error::Shape("locale"))?,
    }))
}

/// Changes the context's account.
pub async fn update(ctx: &Ctx, tx: &mut Tx, wanted: Organisation) -> Result<(), OrganisationError> {
    let name = parse_name(&wanted.name).ok_or(OrganisationError::Name)?;
    let postal_address = parse_postal_address(&wanted.postal_address).ok_or(OrganisationError::PostalAddress)?;
    if !is_time_zone(&wanted.time_zone) {
        return Err(OrganisationError::TimeZone);
    }
    let old = find(ctx, tx).await?.ok_or(OrganisationError::NotFound)?;
    let tag = wanted.locale.tag();
    if !account::update(tx, ctx.account, &name, tag, &wanted.time_zone, &postal_address).await? {
        return Err(OrganisationError::NotFound);
    }
    let new = Organisation { name, postal_address, ..wanted };
    let changed: Vec<&str> = [
        ("name", old.name != new.name),
        ("postal_address", old.postal_address != new.postal_address),
        ("time_zone", old.time_zone != new.time_zone),
        ("locale", old.locale != new.locale),
    ]
    .into_iter()
    .filter_map(|(field, changed)| changed.then_some(field))
    .collect();
    audit::append(ctx, tx, "account.update", &ctx.account.to_string(), &json!({ "changed": changed })).await?;
    Ok(())
}

/// A name as stored; `None` if it cannot be one.
pub(crate) fn parse_name(typed: &str) -> Option<String> {
    let name = typed.trim();
    let fits = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned())
}

fn parse_postal_address(typed: &str) -> Option<String> {
    let address = typed.trim().replace("\r\n", "\n");
    let fits = address.chars().count() <= 500 && !address.chars().any(|c| c.is_control() && c != '\n');
    fits.then_some(address)
}

/// Whether the name is in the IANA time zone database.
pub(crate) fn is_time_zone(name: &str) -> bool {
    name.len() <= 64 && jiff::tz::TimeZone::get(name).is_ok()
}
