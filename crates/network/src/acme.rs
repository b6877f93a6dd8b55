//! Certificates from a certificate authority that speaks ACME (RFC 8555), such as Let's Encrypt.
//!
//! A challenge is answered over TLS on the listener itself (TLS-ALPN-01, RFC 8737), or by the plain listener (HTTP-01)
//! where the authority offers only that. Until there is a certificate, clients see a self-signed one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus,
    RetryPolicy,
};
use letterkeep_model::{Clock, Timestamp};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use crate::certificate::{Certificate, CertificateDetails, CertificateError, write_private};

/// The protocol in which the authority asks for proof (RFC 8737 §6.2).
pub(crate) const PROTOCOL: &[u8] = b"acme-tls/1";

/// After a failure; doubled with each further one, up to [`LONGEST_WAIT`]. An authority counts failures by the hour.
const FIRST_WAIT: Duration = Duration::from_mins(5);
const LONGEST_WAIT: Duration = Duration::from_hours(6);

/// How often it is looked whether the certificate is due.
const LOOK: Duration = Duration::from_hours(1);

/// From where and for what certificates are ordered.
pub struct AcmeSettings {
    /// The authority's directory, an https URL.
    pub directory: String,
    /// The names that the certificate is for; no addresses.
    pub names: Vec<String>,
    /// Where the authority writes to, for example `mailto:admin@example.org`. May be empty.
    pub contacts: Vec<String>,
    /// Where the account and the certificate are kept; the files in it can be read by their owner only.
    pub cache: PathBuf,
    /// A PEM file with the root that the directory's own certificate is checked against, for an authority of one's own.
    /// None: the system's roots.
    pub root: Option<PathBuf>,
    /// Tells when a certificate is due.
    pub clock: Arc<dyn Clock>,
}

/// How it stands with the certificate, for a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcmeState {
    /// Whether clients see a certificate of the authority.
    pub issued: bool,
    /// When a certificate was last asked for.
    pub tried: Option<Timestamp>,
    /// Why that failed, in English; none after a success.
    pub failure: Option<String>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcmeError {
    #[error("the authority: {0}")]
    Authority(#[from] instant_acme::Error),
    #[error("the authority offers no challenge that can be answered here for {0}")]
    NoChallenge(String),
    #[error("the authority did not accept the proof: the order is {0:?}")]
    NotReady(OrderStatus),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("the stored account cannot be read: {0}")]
    Account(#[from] serde_json::Error),
}

#[derive(Default)]
struct Open {
    tls: HashMap<String, Arc<CertifiedKey>>,
    http: HashMap<String, String>,
}

/// Challenges that the authority may come for now. Cheap to clone.
#[derive(Clone, Default)]
pub struct Challenges(Arc<Mutex<Open>>);

impl Challenges {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The certificate that proves the hold of this name (RFC 8737 §3).
    pub(crate) fn tls(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.open().tls.get(name).cloned()
    }

    /// What proves the hold of a name under this token (RFC 8555 §8.3).
    pub(crate) fn http(&self, token: &str) -> Option<String> {
        self.open().http.get(token).cloned()
    }

    pub(crate) fn add_http(&self, token: &str, proof: &str) {
        self.open().http.insert(token.to_owned(), proof.to_owned());
    }

    fn clear(&self) {
        *self.open() = Open::default();
    }
}

/// Orders certificates.
pub(crate) struct Acme {
    settings: AcmeSettings,
    pub(crate) challenges: Challenges,
    state: Mutex<AcmeState>,
}

impl Acme {
    pub(crate) fn new(settings: AcmeSettings) -> Self {
        Self { settings, challenges: Challenges::default(), state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> AcmeState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut AcmeState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.settings.cache.join(name)
    }

    /// The certificate that was kept, or a passing one for the same names.
    pub(crate) fn first(&self) -> Result<Certificate, CertificateError> {
        let kept = Certificate::read(&self.file("acme-certificate.pem"), &self.file("acme-key.pem")).ok();
        if let Some(kept) = kept.filter(|kept| kept.is_for(&self.settings.names)) {
            self.note(|state| state.issued = true);
            return Ok(kept);
        }
        Certificate::passing(&self.settings.names, self.settings.clock.now())
    }

    /// Whether this certificate must be replaced: a third of its time is left, or it is not of the authority.
    fn is_due(&self, shown: &CertifiedKey) -> bool {
        let Ok(details) = CertificateDetails::of(&shown.cert) else { return true };
        !self.state().issued || self.settings.clock.now() >= due(&details)
    }

    /// Orders a certificate whenever one is due, for ever; `show` is handed each new one.
    pub(crate) async fn watch(
        &self,
        provider: &CryptoProvider,
        shown: impl Fn() -> Arc<CertifiedKey>,
        show: impl Fn(CertifiedKey),
    ) {
        let mut wait = FIRST_WAIT;
        loop {
            if !self.is_due(&shown()) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let ordered = self.order(provider).await;
            self.challenges.clear();
            self.note(|state| state.tried = Some(self.settings.clock.now()));
            match ordered {
                Ok(certificate) => {
                    tracing::info!("the certificate authority has issued a new TLS certificate");
                    show(certificate);
                    self.note(|state| (state.issued, state.failure) = (true, None));
                    wait = FIRST_WAIT;
                    // Not at once again, should the authority issue what is due already.
                    tokio::time::sleep(LOOK).await;
                }
                Err(error) => {
                    tracing::error!(%error, retry_s = wait.as_secs(), "no TLS certificate could be had; the old one stays");
                    self.note(|state| state.failure = Some(error.to_string()));
                    tokio::time::sleep(wait).await;
                    wait = LONGEST_WAIT.min(wait * 2);
                }
            }
        }
    }

    async fn order(&self, provider: &CryptoProvider) -> Result<CertifiedKey, AcmeError> {
        let account = self.account().await?;
        let names: Vec<Identifier> = self.settings.names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let offers = |kind: &ChallengeType| authorization.challenges.iter().any(|offer| offer.r#type == *kind);
            let kind = [ChallengeType::TlsAlpn01, ChallengeType::Http01].into_iter().find(offers);
            let challenge = kind.clone().and_then(|kind| authorization.challenge(kind));
            let (Some(kind), Some(mut challenge)) = (kind, challenge) else {
                return Err(AcmeError::NoChallenge(name));
            };
            let proof = challenge.key_authorization();
            if kind == ChallengeType::TlsAlpn01 {
                let certificate = proving(&name, proof.digest().as_ref(), provider)?;
                self.challenges.open().tls.insert(name, Arc::new(certificate));
            } else {
                self.challenges.add_http(&challenge.token, proof.as_str());
            }
            challenge.set_ready().await?;
        }
        let status = order.poll_ready(&RetryPolicy::default()).await?;
        if status != OrderStatus::Ready {
            return Err(AcmeError::NotReady(status));
        }
        let key = rcgen::KeyPair::generate().map_err(CertificateError::from)?;
        let mut params = rcgen::CertificateParams::new(self.settings.names.clone()).map_err(CertificateError::from)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&key).map_err(CertificateError::from)?;
        order.finalize_csr(request.der()).await?;
        let chain = order.poll_certificate(&RetryPolicy::default()).await?;
        let (chain_file, key_file) = (self.file("acme-certificate.pem"), self.file("acme-key.pem"));
        write_private(&key_file, key.serialize_pem().as_bytes())?;
        write_private(&chain_file, chain.as_bytes())?;
        Ok(Certificate::read(&chain_file, &key_file)?.certified(provider)?)
    }

    /// The account at the authority: the one that is kept, or a new one.
    async fn account(&self) -> Result<Account, AcmeError> {
        let builder = || match &self.settings.root {
            Some(root) => Account::builder_with_root(root),
            None => Account::builder(),
        };
        let file = self.file("acme-account.json");
        if let Some(credentials) = read_account(&file, &self.settings.directory)? {
            return Ok(builder()?.from_credentials(credentials).await?);
        }
        let contacts: Vec<&str> = self.settings.contacts.iter().map(String::as_str).collect();
        let new = NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder()?.create(&new, self.settings.directory.clone(), None).await?;
        let kept = Kept { directory: self.settings.directory.clone(), credentials };
        write_private(&file, serde_json::to_string(&kept)?.as_bytes())?;
        Ok(account)
    }
}

/// An account, and at which authority.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

fn read_account(file: &Path, directory: &str) -> Result<Option<AccountCredentials>, AcmeError> {
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(None) };
    let kept: Kept = serde_json::from_str(&text)?;
    Ok((kept.directory == directory).then_some(kept.credentials))
}

/// When two thirds of the time are over.
fn due(details: &CertificateDetails) -> Timestamp {
    let lifetime = details.not_after.since(details.not_before);
    details.not_before.plus(lifetime / 3 * 2)
}

/// A certificate that only the authority asks for (RFC 8737 §3).
fn proving(name: &str, digest: &[u8], provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![rcgen::CustomExtension::new_acme_identifier(digest)];
    let pair = rcgen::KeyPair::generate()?;
    let chain = vec![params.self_signed(&pair)?.der().clone()];
    let key = PrivateKeyDer::Pkcs8(pair.serialize_der().into());
    // Not checked against each other: the extension is critical, and rustls does not know it.
    Ok(CertifiedKey::new(chain, provider.key_provider.load_private_key(key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_due_with_a_third_of_its_time_left() {
        let day = Duration::from_hours(24);
        let not_before = Timestamp::from_seconds(0).plus(day);
        let details = CertificateDetails { names: vec![], not_before, not_after: not_before.plus(day * 90) };
        assert_eq!(due(&details), not_before.plus(day * 60));
    }
}
