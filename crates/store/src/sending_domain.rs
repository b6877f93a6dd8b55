//! The domains that campaigns are sent from, with their sealed DKIM keys.

use letterkeep_model::{Id, kind};
use uuid::Uuid;

use crate::{Error, Tx};

statements! {
    INSERT = "INSERT INTO sending_domain (account_id, domain_id, domain, rsa_selector, rsa_public, rsa_private,
            ed25519_selector, ed25519_public, ed25519_private, key_version, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    FIND = "SELECT domain_id, domain, rsa_selector, rsa_public, rsa_private, ed25519_selector, ed25519_public,
            ed25519_private, key_version, created_at
        FROM sending_domain WHERE account_id = $1 AND domain_id = $2";
    FIND_BY_NAME = "SELECT domain_id, domain, rsa_selector, rsa_public, rsa_private, ed25519_selector, ed25519_public,
            ed25519_private, key_version, created_at
        FROM sending_domain WHERE account_id = $1 AND domain = $2";
    LIST = "SELECT domain_id, domain, rsa_selector, rsa_public, rsa_private, ed25519_selector, ed25519_public,
            ed25519_private, key_version, created_at
        FROM sending_domain WHERE account_id = $1 ORDER BY domain LIMIT $2";
    DELETE = "DELETE FROM sending_domain WHERE account_id = $1 AND domain_id = $2";
}

/// A sending domain, as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct SendingDomainRow {
    /// The domain's id.
    pub domain_id: Uuid,
    /// The name in lower-case ASCII.
    pub domain: String,
    /// The DNS label under `_domainkey` where the RSA key stands.
    pub rsa_selector: String,
    /// The value of `p=` for the RSA key.
    pub rsa_public: String,
    /// The RSA key in PKCS#8, sealed.
    pub rsa_private: Vec<u8>,
    /// The DNS label under `_domainkey` where the Ed25519 key stands.
    pub ed25519_selector: String,
    /// The value of `p=` for the Ed25519 key.
    pub ed25519_public: String,
    /// The Ed25519 key in PKCS#8, sealed.
    pub ed25519_private: Vec<u8>,
    /// Which key version sealed both.
    pub key_version: i64,
    /// When it was added, microseconds UTC.
    pub created_at: i64,
}

/// Stores a new domain. [`Error::Conflict`] if the account has one of that name.
pub async fn insert(tx: &mut Tx, account: Id<kind::Account>, row: &SendingDomainRow) -> Result<(), Error> {
    exec!(
        tx,
        INSERT,
        account.uuid(),
        row.domain_id,
        &row.domain,
        &row.rsa_selector,
        &row.rsa_public,
        &row.rsa_private,
        &row.ed25519_selector,
        &row.ed25519_public,
        &row.ed25519_private,
        row.key_version,
        row.created_at
    )?;
    Ok(())
}

/// The domain with this id.
pub async fn find(
    tx: &mut Tx,
    account: Id<kind::Account>,
    domain: Id<kind::SendingDomain>,
) -> Result<Option<SendingDomainRow>, Error> {
    optional!(tx, FIND => SendingDomainRow, account.uuid(), domain.uuid())
}

/// The domain with this name (lower-case ASCII).
pub async fn find_by_name(
    tx: &mut Tx,
    account: Id<kind::Account>,
    name: &str,
) -> Result<Option<SendingDomainRow>, Error> {
    optional!(tx, FIND_BY_NAME => SendingDomainRow, account.uuid(), name)
}

/// The account's domains by name, at most `limit`.
pub async fn list(tx: &mut Tx, account: Id<kind::Account>, limit: i64) -> Result<Vec<SendingDomainRow>, Error> {
    all!(tx, LIST => SendingDomainRow, account.uuid(), limit)
}

/// Removes a domain; `false` if there is none with this id.
pub async fn delete(tx: &mut Tx, account: Id<kind::Account>, domain: Id<kind::SendingDomain>) -> Result<bool, Error> {
    Ok(exec!(tx, DELETE, account.uuid(), domain.uuid())? == 1)
}
