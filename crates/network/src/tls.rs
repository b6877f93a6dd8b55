//! Which certificate clients see, and how it is exchanged while the service runs.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::acme::{self, Acme, AcmeSettings, AcmeState, Challenges};
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
    /// One that an authority issues.
    Acme(AcmeSettings),
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

enum Source {
    Fixed,
    Files(Files),
    Acme(Acme),
}

struct Shown {
    current: RwLock<Arc<CertifiedKey>>,
    source: Source,
}

/// The certificate of a running listener. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Shown>);

impl Tls {
    pub(crate) fn new(source: TlsSource) -> Result<Self, CertificateError> {
        let (certificate, source) = match source {
            TlsSource::Fixed(certificate) => (certificate, Source::Fixed),
            TlsSource::Files { certificate, key, every } => {
                let files = Files { certificate, key, every, seen: RwLock::default() };
                // Before reading: what is written meanwhile is seen as a change.
                *files.seen.write().unwrap_or_else(PoisonError::into_inner) = files.stamp();
                (Certificate::read(&files.certificate, &files.key)?, Source::Files(files))
            }
            TlsSource::Acme(settings) => {
                let acme = Acme::new(settings);
                (acme.first()?, Source::Acme(acme))
            }
        };
        let current = RwLock::new(Arc::new(certificate.certified(&provider())?));
        Ok(Self(Arc::new(Shown { current, source })))
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
        let Source::Files(files) = &self.0.source else { return Ok(()) };
        *files.seen.write().unwrap_or_else(PoisonError::into_inner) = files.stamp();
        let certified = Certificate::read(&files.certificate, &files.key)?.certified(&provider())?;
        self.show(certified);
        Ok(())
    }

    fn show(&self, certified: CertifiedKey) {
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }

    /// How it stands with the authority, if the certificate comes from one.
    pub fn acme(&self) -> Option<AcmeState> {
        if let Source::Acme(acme) = &self.0.source { Some(acme.state()) } else { None }
    }

    /// The proofs that the plain listener must show to the authority.
    pub fn challenges(&self) -> Challenges {
        if let Source::Acme(acme) = &self.0.source { acme.challenges.clone() } else { Challenges::default() }
    }

    /// Reads the files again if one of them has changed; says whether it did.
    fn reload_changed(&self) -> Result<bool, CertificateError> {
        let Source::Files(files) = &self.0.source else { return Ok(false) };
        let is_same = *files.seen.read().unwrap_or_else(PoisonError::into_inner) == files.stamp();
        if is_same { Ok(false) } else { self.reload().map(|()| true) }
    }

    /// Looks after the certificate, for ever.
    pub(crate) async fn watch(self) {
        match &self.0.source {
            Source::Fixed => std::future::pending().await,
            Source::Files(files) => self.watch_files(files.every).await,
            Source::Acme(acme) => acme.watch(&provider(), || self.current(), |certified| self.show(certified)).await,
        }
    }

    async fn watch_files(&self, every: Duration) {
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
        if let Source::Acme(_) = self.0.source {
            config.alpn_protocols.push(acme::PROTOCOL.to_vec());
        }
        // Strongest first, whatever a client prefers.
        config.ignore_client_order = true;
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
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Source::Acme(acme) = &self.0.source
            && let Some(mut protocols) = hello.alpn()
            && protocols.any(|protocol| protocol == acme::PROTOCOL)
        {
            return acme.challenges.tls(hello.server_name()?);
        }
        Some(self.current())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
