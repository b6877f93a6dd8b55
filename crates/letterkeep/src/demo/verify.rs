//! An outside opinion on the signatures: `mail-auth`, which shares no code with our signer.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use anyhow::Context as _;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};

/// The DNS that the verifier sees: the records that the sending domain's page tells the user to publish, nothing else.
struct Records(HashMap<Box<str>, Txt>);

impl ResolverCache<Box<str>, Txt> for Records {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // An answer for every name: the verifier must not ask a real server.
        Some(self.0.get(name).cloned().unwrap_or(Txt::Error(mail_auth::Error::ParseError)))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: std::time::Instant) {}
}

/// Verifies DKIM signatures against records that are handed in.
pub(crate) struct Verifier {
    authenticator: MessageAuthenticator,
    records: Records,
}

impl Verifier {
    /// `records`: host name and TXT value of each DKIM key.
    pub(crate) fn new(records: &[(String, String)]) -> anyhow::Result<Self> {
        let mut parsed = HashMap::new();
        for (name, value) in records {
            let key = DomainKey::parse(value.as_bytes()).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
            parsed.insert(format!("{}.", name.to_lowercase()).into_boxed_str(), Txt::DomainKey(Arc::new(key)));
        }
        let authenticator = MessageAuthenticator::new(ResolverConfig::default(), ResolverOpts::default())
            .context("making the signature verifier")?;
        Ok(Self { authenticator, records: Records(parsed) })
    }

    /// How many signatures the message carries, and how many of them hold.
    pub(crate) async fn signatures(&self, message: &[u8]) -> (usize, usize) {
        let Some(message) = AuthenticatedMessage::parse(message) else { return (0, 0) };
        let parameters = Parameters::new(&message).with_txt_cache(&self.records);
        let outputs = self.authenticator.verify_dkim(parameters).await;
        let held = outputs.iter().filter(|output| *output.result() == DkimResult::Pass).count();
        (outputs.len(), held)
    }
}
