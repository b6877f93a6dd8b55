//! The certificate that the service shows: the operator's own, or one made and signed by itself for a first start.

use std::io::BufReader;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use letterkeep_model::Timestamp;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;

/// How long a certificate of our own making is valid: 397 days, the longest that browsers accept.
const VALID_DAYS: u32 = 397;

/// When a certificate of our own making is replaced at the next start.
const RENEW_DAYS: u32 = 300;

const DAY: Duration = Duration::from_hours(24);

/// Why there is no usable certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file holds no certificate or no private key in PEM form.
    #[error("{0}: no {1} in PEM form in this file")]
    Pem(PathBuf, &'static str),
    /// Certificate and key do not belong together, or use an algorithm that is not supported.
    #[error("the certificate and the private key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The self-signed certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Making(#[from] rcgen::Error),
    /// What is shown to clients cannot be read by ourselves.
    #[error("the certificate cannot be read")]
    Unreadable,
}

/// A certificate chain and its private key.
pub struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Certificate {
    /// Reads the operator's certificate chain and private key, both PEM.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, CertificateError> {
        let file = |path: &Path| {
            std::fs::File::open(path)
                .map(BufReader::new)
                .map_err(|source| CertificateError::File { path: path.to_owned(), source })
        };
        let certificates = CertificateDer::pem_reader_iter(file(chain)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| CertificateError::Pem(chain.to_owned(), "certificate"))?;
        if certificates.is_empty() {
            return Err(CertificateError::Pem(chain.to_owned(), "certificate"));
        }
        let key_der = PrivateKeyDer::from_pem_reader(file(key)?)
            .map_err(|_| CertificateError::Pem(key.to_owned(), "private key"))?;
        Ok(Self { chain: certificates, key: key_der })
    }

    /// Reads the self-signed certificate in `directory`; makes one for `names` and stores it there (the key with mode
    /// 0600) if there is none, or if it is old or not for all of them.
    pub fn self_signed(directory: &Path, names: &[String], now: Timestamp) -> Result<Self, CertificateError> {
        let (chain, key) = (directory.join("tls-certificate.pem"), directory.join("tls-key.pem"));
        let kept = if key.exists() && is_recent(&chain, now) { Self::read(&chain, &key).ok() } else { None };
        if !kept.is_some_and(|certificate| certificate.is_for(names)) {
            let (certificate, pair) = make(names, now)?;
            write_private(&key, pair.serialize_pem().as_bytes())?;
            write_private(&chain, certificate.pem().as_bytes())?;
        }
        Self::read(&chain, &key)
    }

    /// One for `names` that is kept nowhere, until there is a better one.
    pub(crate) fn passing(names: &[String], now: Timestamp) -> Result<Self, CertificateError> {
        let (certificate, pair) = make(names, now)?;
        Ok(Self { chain: vec![certificate.der().clone()], key: PrivateKeyDer::Pkcs8(pair.serialize_der().into()) })
    }

    /// Whether clients accept it for each of these names. What is no name that a client could ask for does not count.
    pub(crate) fn is_for(&self, names: &[String]) -> bool {
        let Ok(certificate) = ParsedCertificate::try_from(&self.chain[0]) else { return false };
        let mut names = names.iter().filter_map(|name| ServerName::try_from(name.as_str()).ok());
        names.all(|name| verify_server_name(&certificate, &name).is_ok())
    }

    /// The chain, for clients that must trust exactly this certificate.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Ready for handshakes, if certificate and key belong together.
    pub(crate) fn certified(self, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
        Ok(CertifiedKey::from_der(self.chain, self.key, provider)?)
    }
}

/// What stands in a certificate, for those who look after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateDetails {
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

impl CertificateDetails {
    /// Reads the first certificate of a chain.
    pub fn of(chain: &[CertificateDer<'_>]) -> Result<Self, CertificateError> {
        let unreadable = || CertificateError::Unreadable;
        let der = chain.first().ok_or_else(unreadable)?;
        let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| unreadable())?;
        let names = certificate.subject_alternative_name().map_err(|_| unreadable())?;
        let names = names.map(|names| names.value.general_names.iter().filter_map(name).collect());
        let validity = certificate.validity();
        Ok(Self {
            names: names.unwrap_or_default(),
            not_before: Timestamp::from_seconds(validity.not_before.timestamp()),
            not_after: Timestamp::from_seconds(validity.not_after.timestamp()),
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn make(names: &[String], now: Timestamp) -> Result<(rcgen::Certificate, rcgen::KeyPair), rcgen::Error> {
    let mut params = rcgen::CertificateParams::new(names.to_vec())?;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.minus(DAY).since(Timestamp::from_seconds(0));
    params.not_after = epoch + now.plus(DAY * (VALID_DAYS - 1)).since(Timestamp::from_seconds(0));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Letterkeep, self-signed");
    let pair = rcgen::KeyPair::generate()?;
    Ok((params.self_signed(&pair)?, pair))
}

/// Whether the file is there and young enough to go on with.
fn is_recent(path: &Path, now: Timestamp) -> bool {
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let age = written.and_then(|written| written.duration_since(UNIX_EPOCH).ok()).map(|since_epoch| {
        now.since(Timestamp::from_seconds(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)))
    });
    age.is_some_and(|age| age < DAY * RENEW_DAYS)
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), CertificateError> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
        .open(path)
        .and_then(|mut file| {
            // A file that was there before keeps its mode otherwise.
            #[cfg(unix)]
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            file.write_all(content)?;
            file.sync_all()
        })
        .map_err(|source| CertificateError::File { path: path.to_owned(), source })
}
