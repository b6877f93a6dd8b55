//! Which certificate clients see, and how it is exchanged while the service runs.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::{Certificate, CertificateDetails, CertificateError};

/// Where the certificate comes from.
pub enum TlsSource {
    /// This one, as long as the service runs.
    Fixed(Certificate),
    /// Two PEM files, read again when one of them changes.
    Files {
        /// The chain, the server's own certificate first.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
        /// How often to look.
        every: Duration,
    },
}

/// What tells a changed file without reading it.
#[derive(Default, PartialEq, Eq)]
struct Stamp([Option<(SystemTime, u64)>; 2]);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    every: Duration,
    seen: RwLock<Stamp>,
}

impl Files {
    fn stamp(&self) -> Stamp {
        Stamp([&self.certificate, &self.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        }))
    }
}

struct Shown {
    current: RwLock<Arc<CertifiedKey>>,
    files: Option<Files>,
}

/// The certificate of a running listener. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Shown>);

impl Tls {
    pub(crate) fn new(source: TlsSource) -> Result<Self, CertificateError> {
        let (certificate, files) = match source {
            TlsSource::Fixed(certificate) => (certificate, None),
            TlsSource::Files { certificate, key, every } => {
                let files = Files { certificate, key, every, seen: RwLock::default() };
                // Before reading: what is written meanwhile is seen as a change.
                *files.seen.write().unwrap_or_else(PoisonError::into_inner) = files.stamp();
                (Certificate::read(&files.certificate, &files.key)?, Some(files))
            }
        };
        let current = RwLock::new(Arc::new(certificate.certified(&provider())?));
        Ok(Self(Arc::new(Shown { current, files })))
    }

    fn current(&self) -> Arc<CertifiedKey> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The chain that clients see now.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current().cert.clone()
    }

    /// What stands in the certificate that clients see now.
    pub fn details(&self) -> Result<CertificateDetails, CertificateError> {
        CertificateDetails::of(&self.current().cert)
    }

    /// Reads the files again, for an operator who asks for it. What cannot be used leaves the old certificate in place.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let Some(files) = &self.0.files else { return Ok(()) };
        *files.seen.write().unwrap_or_else(PoisonError::into_inner) = files.stamp();
        let certified = Certificate::read(&files.certificate, &files.key)?.certified(&provider())?;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        Ok(())
    }

    /// Reads the files again if one of them has changed; says whether it did.
    fn reload_changed(&self) -> Result<bool, CertificateError> {
        let Some(files) = &self.0.files else { return Ok(false) };
        let is_same = *files.seen.read().unwrap_or_else(PoisonError::into_inner) == files.stamp();
        if is_same { Ok(false) } else { self.reload().map(|()| true) }
    }

    /// Looks after the files, for ever.
    pub(crate) async fn watch(self) {
        let Some(every) = self.0.files.as_ref().map(|files| files.every) else { std::future::pending().await };
        loop {
            tokio::time::sleep(every).await;
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.reload_changed()).await {
                Ok(Ok(true)) => tracing::info!("the TLS certificate has changed and was read again"),
                Ok(Err(error)) => {
                    tracing::error!(%error, "the TLS certificate has changed and cannot be used; the old one stays");
                }
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    }

    /// TLS 1.2 and 1.3; every suite of the provider is an AEAD with ephemeral keys.
    pub(crate) fn server_config(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Sessions are kept by the clients, under keys that change every few hours and are never stored.
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Tls {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
