//! Sending domains: which domains an account may write `From:`, their DKIM keys, and the DNS records to publish.

use letterkeep_campaign::{CampaignError, State};
use letterkeep_model::{Ctx, EmailAddress, Id, Timestamp, kind};
use letterkeep_store::Tx;
use letterkeep_store::audit::{self, Event};
use letterkeep_store::sealed::column::{DOMAIN_ED25519, DOMAIN_RSA};
use letterkeep_store::sending_domain::{self, SendingDomainRow};
use letterkeep_vault::{DkimEd25519Key, DkimKeyError, DkimRsaKey, Keyring, OpenError, constant_time_eq};

use crate::dkim::Signer;

/// Domains that one account may have.
const MAX_DOMAINS: i64 = 100;

/// A domain name in lower-case ASCII, fit to stand after the `@` of an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DomainName(String);

/// The text is not a domain that mail can be sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a domain name; write it as after the @ of your sender address, for example example.org")]
pub struct DomainNameError;

impl DomainName {
    /// Parses a name; international names become their ASCII form (UTS 46).
    pub fn parse(text: &str) -> Result<Self, DomainNameError> {
        let text = text.trim().trim_end_matches('.');
        if text.contains('@') {
            return Err(DomainNameError);
        }
        // Exactly the domains that an address may have.
        let address = EmailAddress::parse(&format!("a@{text}")).map_err(|_| DomainNameError)?;
        // Selector and `_domainkey` must fit in front (RFC 1035 §2.3.4: 253 characters in all).
        if address.domain().len() > 200 {
            return Err(DomainNameError);
        }
        Ok(Self(address.domain().to_owned()))
    }

    /// The name in lower-case ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A sending domain as people see it; its private keys stay sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendingDomain {
    /// Its id.
    pub id: Id<kind::SendingDomain>,
    /// Its name in lower-case ASCII.
    pub name: DomainName,
    /// The RSA key's selector.
    pub rsa_selector: String,
    /// The RSA public key, as in `p=`.
    pub rsa_public: String,
    /// The Ed25519 key's selector.
    pub ed25519_selector: String,
    /// The Ed25519 public key, as in `p=`.
    pub ed25519_public: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// What a DNS record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordPurpose {
    /// The RSA public key (RFC 6376): without it nothing is delivered reliably.
    DkimRsa,
    /// The Ed25519 public key (RFC 8463).
    DkimEd25519,
    /// Which servers may send for the domain (RFC 7208). A hint: one SPF record per domain, merge it with yours.
    Spf,
    /// What receivers do with forgeries (RFC 9989). A hint: keep yours if you have one.
    Dmarc,
}

/// A DNS record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    /// What it is for.
    pub purpose: RecordPurpose,
    /// The full name, without a dot at the end.
    pub host: String,
    /// Always `TXT` so far.
    pub record_type: &'static str,
    /// The value in one piece, as most web forms want it.
    pub value: String,
}

impl DnsRecord {
    /// The value in pieces of at most 255 bytes, each in quotes, as a zone file wants it (RFC 1035 §3.3, RFC 7208 §3.3).
    pub fn zone_value(&self) -> String {
        // Values are ASCII, so that a piece never splits a character.
        let pieces = self.value.as_bytes().chunks(255).map(|piece| format!("\"{}\"", String::from_utf8_lossy(piece)));
        pieces.collect::<Vec<_>>().join(" ")
    }

    /// The whole line of a zone file.
    pub fn zone_line(&self) -> String {
        format!("{}. 3600 IN {} {}", self.host, self.record_type, self.zone_value())
    }
}

impl SendingDomain {
    /// The records to publish. `relay_host` is the server that speaks to the world for this account, if known.
    pub fn dns_records(&self, relay_host: Option<&str>) -> Vec<DnsRecord> {
        let name = self.name.as_str();
        let sender = relay_host.map_or_else(|| "mx".to_owned(), |host| format!("a:{host}"));
        let record = |purpose, host, value| DnsRecord { purpose, host, record_type: "TXT", value };
        vec![
            record(
                RecordPurpose::DkimRsa,
                format!("{}._domainkey.{name}", self.rsa_selector),
                format!("v=DKIM1; k=rsa; p={}", self.rsa_public),
            ),
            record(
                RecordPurpose::DkimEd25519,
                format!("{}._domainkey.{name}", self.ed25519_selector),
                format!("v=DKIM1; k=ed25519; p={}", self.ed25519_public),
            ),
            record(RecordPurpose::Spf, name.to_owned(), format!("v=spf1 {sender} ~all")),
            record(
                RecordPurpose::Dmarc,
                format!("_dmarc.{name}"),
                format!("v=DMARC1; p=none; rua=mailto:postmaster@{name}"),
            ),
        ]
    }
}

/// A fresh pair of signing keys.
pub struct DomainKeys {
    rsa: DkimRsaKey,
    ed25519: DkimEd25519Key,
}

impl DomainKeys {
    /// Makes the keys on a thread of its own: an RSA key takes a tenth of a second or more. Do it before the
    /// transaction begins.
    pub async fn generate(ctx: &Ctx) -> Result<Self, AddDomainError> {
        let entropy = ctx.shared_entropy().clone();
        let keys = tokio::task::spawn_blocking(move || Self {
            rsa: DkimRsaKey::generate(),
            ed25519: DkimEd25519Key::generate(&*entropy),
        });
        keys.await.map_err(|_| AddDomainError::Keys)
    }
}

/// Why a domain was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddDomainError {
    /// The account has it already.
    #[error("this domain is among your sending domains already")]
    Exists,
    /// Too many.
    #[error("an account has at most {MAX_DOMAINS} sending domains; remove one that you no longer use")]
    TooMany,
    /// The thread that makes keys ended.
    #[error("the signing keys could not be made; try again")]
    Keys,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// Adds a domain with fresh keys.
pub async fn add(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    name: &DomainName,
    keys: DomainKeys,
) -> Result<SendingDomain, AddDomainError> {
    if sending_domain::find_by_name(tx, ctx.account, name.as_str()).await?.is_some() {
        return Err(AddDomainError::Exists);
    }
    if sending_domain::list(tx, ctx.account, MAX_DOMAINS).await?.len() as i64 >= MAX_DOMAINS {
        return Err(AddDomainError::TooMany);
    }
    let id = ctx.new_id::<kind::SendingDomain>();
    let row_id = id.uuid();
    // A selector of its own: a domain that is removed and added again must not meet the old key in a DNS cache.
    let tag = u32::from_be_bytes(ctx.entropy().bytes());
    let row = SendingDomainRow {
        domain_id: row_id,
        domain: name.as_str().to_owned(),
        rsa_selector: format!("lk{tag:08x}-rsa"),
        rsa_public: keys.rsa.public_record(),
        rsa_private: keyring.seal(&DOMAIN_RSA.slot(&row_id), &keys.rsa.pkcs8(), ctx.entropy()),
        ed25519_selector: format!("lk{tag:08x}-ed"),
        ed25519_public: keys.ed25519.public_record(),
        ed25519_private: keyring.seal(&DOMAIN_ED25519.slot(&row_id), &keys.ed25519.pkcs8(), ctx.entropy()),
        key_version: i64::from(keyring.version()),
        created_at: ctx.now().micros(),
    };
    match sending_domain::insert(tx, ctx.account, &row).await {
        Err(error) if error.is_conflict() => return Err(AddDomainError::Exists),
        outcome => outcome?,
    }
    audit::append(ctx, tx, Event { action: "sending_domain.add", object: &id.to_string(), detail: "{}" }).await?;
    Ok(domain(row))
}

/// The account's sending domains by name.
pub async fn list(ctx: &Ctx, tx: &mut Tx) -> Result<Vec<SendingDomain>, letterkeep_store::Error> {
    Ok(sending_domain::list(tx, ctx.account, MAX_DOMAINS).await?.into_iter().map(domain).collect())
}

/// One sending domain.
pub async fn find(
    ctx: &Ctx,
    tx: &mut Tx,
    id: Id<kind::SendingDomain>,
) -> Result<Option<SendingDomain>, letterkeep_store::Error> {
    Ok(sending_domain::find(tx, ctx.account, id).await?.map(domain))
}

/// The sending domain of an address.
pub async fn find_for(
    ctx: &Ctx,
    tx: &mut Tx,
    from: &EmailAddress,
) -> Result<Option<SendingDomain>, letterkeep_store::Error> {
    Ok(sending_domain::find_by_name(tx, ctx.account, from.domain()).await?.map(domain))
}

/// Why a domain was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveDomainError {
    /// There is none with this id.
    #[error("there is no such sending domain")]
    Unknown,
    /// A campaign that is going out, paused or scheduled needs its keys.
    #[error("a campaign is being sent from this domain; wait until it has finished, or cancel it")]
    InUse,
    /// A campaign that might need it could not be read.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

/// Removes a domain and its keys, unless a campaign is on its way from it.
pub async fn remove(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    id: Id<kind::SendingDomain>,
) -> Result<(), RemoveDomainError> {
    let row = sending_domain::find(tx, ctx.account, id).await?.ok_or(RemoveDomainError::Unknown)?;
    for state in [State::Scheduled, State::Sending, State::Paused] {
        let mut before = None;
        loop {
            let page = letterkeep_campaign::page(ctx, tx, Some(state), before, 200).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            for summary in page {
                let found = letterkeep_campaign::find(ctx, tx, keyring, summary.id).await?;
                if found.is_some_and(|campaign| campaign.content.from_address.domain() == row.domain) {
                    return Err(RemoveDomainError::InUse);
                }
            }
        }
    }
    sending_domain::delete(tx, ctx.account, id).await?;
    audit::append(ctx, tx, Event { action: "sending_domain.remove", object: &id.to_string(), detail: "{}" }).await?;
    Ok(())
}

/// Opens the signing keys of the domain that `from` belongs to; `None` if it is no sending domain of the account.
pub async fn signer(
    ctx: &Ctx,
    tx: &mut Tx,
    keyring: &Keyring,
    from: &EmailAddress,
) -> Result<Option<Signer>, SignerError> {
    let Some(row) = sending_domain::find_by_name(tx, ctx.account, from.domain()).await? else { return Ok(None) };
    let rsa = keyring.open(&DOMAIN_RSA.slot(&row.domain_id), &row.rsa_private)?;
    let ed25519 = keyring.open(&DOMAIN_ED25519.slot(&row.domain_id), &row.ed25519_private)?;
    let rsa = DkimRsaKey::from_pkcs8(&rsa)?;
    let ed25519 = DkimEd25519Key::from_pkcs8(&ed25519)?;
    let published = [(rsa.public_record(), &row.rsa_public), (ed25519.public_record(), &row.ed25519_public)];
    if published.iter().any(|(key, shown)| !constant_time_eq(key.as_bytes(), shown.as_bytes())) {
        return Err(SignerError::Mismatch);
    }
    Ok(Some(Signer::new(row.domain, (row.rsa_selector, rsa), (row.ed25519_selector, ed25519))))
}

/// Why the signing keys of a domain cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The stored public key is not that of the private key: receivers would refuse every signature.
    #[error(
        "the signing key of the sending domain does not belong to its DNS record; remove the domain and add it again"
    )]
    Mismatch,
    /// A sealed key does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A key is malformed.
    #[error(transparent)]
    Key(#[from] DkimKeyError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
}

fn domain(row: SendingDomainRow) -> SendingDomain {
    SendingDomain {
        id: Id::from_uuid(row.domain_id),
        name: DomainName(row.domain),
        rsa_selector: row.rsa_selector,
        rsa_public: row.rsa_public,
        ed25519_selector: row.ed25519_selector,
        ed25519_public: row.ed25519_public,
        created_at: Timestamp::from_micros(row.created_at),
    }
}
