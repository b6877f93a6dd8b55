use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Which certificates are believed. Cheap to clone.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

/// There is nothing to check certificates against.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum TrustError {
    /// The system has no certificate store.
    #[error("this system has no trusted certificates; install the package ca-certificates or name a CA file")]
    Empty,
    /// An extra certificate is malformed.
    #[error("the extra CA file holds no certificate in PEM")]
    Malformed,
}

impl Trust {
    /// The system's certificate authorities, and those in `extra` (PEM).
    pub fn system(extra: Option<&[u8]>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        // Stores often hold a few certificates that cannot be read; they only shrink what is trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::with(roots, extra)
    }

    /// The certificate authorities in `pem` and no others.
    pub fn only(pem: &[u8]) -> Result<Self, TrustError> {
        Self::with(RootCertStore::empty(), Some(pem))
    }

    fn with(mut roots: RootCertStore, extra: Option<&[u8]>) -> Result<Self, TrustError> {
        if let Some(pem) = extra {
            let mut added = 0;
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| TrustError::Malformed)?;
                roots.add(certificate).map_err(|_| TrustError::Malformed)?;
                added += 1;
            }
            if added == 0 {
                return Err(TrustError::Malformed);
            }
        }
        if roots.is_empty() {
            return Err(TrustError::Empty);
        }
        Ok(Self(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())))
    }

    pub(super) fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.0.clone())
    }
}
