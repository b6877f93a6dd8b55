//! The signatures of a message, judged by mail-auth with the records that the user is told to publish.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use letterkeep_delivery::domain::{DnsRecord, RecordPurpose};
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};

pub(crate) struct Published(HashMap<Box<str>, Txt>);

impl Published {
    pub(crate) fn new(records: &[DnsRecord]) -> Self {
        let keys = records.iter().filter(|r| matches!(r.purpose, RecordPurpose::DkimRsa | RecordPurpose::DkimEd25519));
        Self(
            keys.map(|record| {
                let key = DomainKey::parse(record.value.as_bytes()).unwrap();
                (format!("{}.", record.host).into_boxed_str(), Txt::from(key))
            })
            .collect(),
        )
    }
}

impl ResolverCache<Box<str>, Txt> for Published {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.get(name).cloned()
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

/// How many signatures there are, and how many hold.
pub(crate) async fn judge(message: &[u8], published: &Published) -> (usize, usize) {
    let authenticator = MessageAuthenticator::new_cloudflare().unwrap();
    let parsed = AuthenticatedMessage::parse(message).unwrap();
    let outputs = authenticator.verify_dkim(Parameters::new(&parsed).with_txt_cache(published)).await;
    (outputs.len(), outputs.iter().filter(|output| *output.result() == DkimResult::Pass).count())
}
