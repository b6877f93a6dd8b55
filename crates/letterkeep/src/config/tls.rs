//! `[tls]`: where the certificate comes from, and whether plain HTTP leads to it.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, Found, Source, parse_listen, refuse};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTls {
    certificate: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    plain_listen: Option<Spanned<String>>,
    acme: Option<FileAcme>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAcme {
    directory: Option<Spanned<String>>,
    contact: Option<Spanned<String>>,
    root: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub(crate) enum Tls {
    SelfSigned,
    Files { certificate: PathBuf, key: PathBuf },
    Acme(Acme),
}

/// A certificate from an authority that speaks ACME (RFC 8555), for the host of the public address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acme {
    pub(crate) directory: String,
    pub(crate) contacts: Vec<String>,
    pub(crate) root: Option<PathBuf>,
}

/// Let's Encrypt.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The certificate, and where plain HTTP is answered, if anywhere.
pub(super) fn parse(
    source: &Source<'_>,
    file: FileTls,
    public_url: &str,
) -> Result<(Tls, Option<SocketAddr>), ConfigError> {
    let plain = match source.find("LETTERKEEP_TLS_PLAIN_LISTEN", file.plain_listen) {
        None => None,
        Some(found) => match parse_listen(&found.value) {
            Some(address) => Some(address),
            None => {
                return Err(refuse(found, "tls.plain_listen", "is not an address and port, for example 0.0.0.0:80"));
            }
        },
    };
    let certificate = source.find("LETTERKEEP_TLS_CERTIFICATE", file.certificate);
    let key = source.find("LETTERKEEP_TLS_KEY", file.key);
    let tls = match (certificate, key, file.acme) {
        (None, None, None) => Tls::SelfSigned,
        (None, None, Some(acme)) => Tls::Acme(acme_of(source, acme, public_url)?),
        (Some(found), Some(_), Some(_)) => {
            return Err(refuse(found, "tls.certificate", "stands beside [tls.acme]: keep one of them"));
        }
        (Some(certificate), Some(key), None) => {
            Tls::Files { certificate: certificate.value.into(), key: key.value.into() }
        }
        (Some(found), None, _) => return Err(refuse(found, "tls.certificate", "needs tls.key beside it")),
        (None, Some(found), _) => return Err(refuse(found, "tls.key", "needs tls.certificate beside it")),
    };
    Ok((tls, plain))
}

fn acme_of(source: &Source<'_>, file: FileAcme, public_url: &str) -> Result<Acme, ConfigError> {
    let host = public_host(public_url);
    if host.parse::<std::net::IpAddr>().is_ok() || !host.contains('.') {
        let found = Found { value: public_url.to_owned(), place: "with [tls.acme]".to_owned() };
        return Err(refuse(found, "public_url", "has no public name that an authority could certify"));
    }
    let directory = match source.find("LETTERKEEP_ACME_DIRECTORY", file.directory) {
        None => DIRECTORY.to_owned(),
        Some(found) if found.value.starts_with("https://") => found.value,
        Some(found) => return Err(refuse(found, "tls.acme.directory", "is not an https:// address")),
    };
    let contacts = match source.find("LETTERKEEP_ACME_CONTACT", file.contact) {
        None => Vec::new(),
        Some(found) if found.value.contains('@') && !found.value.contains([':', ' ']) => {
            vec![format!("mailto:{}", found.value)]
        }
        Some(found) => return Err(refuse(found, "tls.acme.contact", "is not an e-mail address")),
    };
    Ok(Acme { directory, contacts, root: file.root })
}

/// The host of the public address, without port and brackets.
pub(crate) fn public_host(public_url: &str) -> &str {
    let host = public_url.trim_start_matches("https://");
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    host.trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str, url: &str) -> Result<(Tls, Option<SocketAddr>), String> {
        #[derive(Deserialize)]
        struct File {
            tls: FileTls,
        }
        let source = Source { path: Path::new("letterkeep.toml"), text, environment: &|_| None };
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        parse(&source, file.tls, url).map_err(|error| error.to_string())
    }

    #[test]
    fn an_authority_certifies_the_public_name() {
        let text = "[tls]\nplain_listen = '0.0.0.0:80'\n[tls.acme]\ncontact = 'admin@example.org'";
        let (tls, plain) = read(text, "https://post.example.org").unwrap();
        assert_eq!(plain.unwrap().port(), 80);
        let Tls::Acme(acme) = tls else { panic!("{tls:?}") };
        assert_eq!((acme.directory.as_str(), acme.contacts), (DIRECTORY, vec!["mailto:admin@example.org".to_owned()]));
    }

    #[test]
    fn what_cannot_be_certified_is_refused_with_its_reason() {
        for (text, url, part) in [
            ("[tls.acme]", "https://localhost:8443", "public_url"),
            ("[tls.acme]", "https://192.0.2.1", "public_url"),
            ("[tls.acme]\ncontact = 'admin'", "https://a.example.org", "line 2"),
            ("[tls.acme]\ndirectory = 'http://a'", "https://a.example.org", "tls.acme.directory"),
            ("[tls]\ncertificate = 'a'\nkey = 'b'\n[tls.acme]", "https://a.example.org", "keep one"),
            ("[tls]\nplain_listen = 'x'", "https://a.example.org", "tls.plain_listen"),
        ] {
            let error = read(text, url).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(public_host("https://[::1]:8443"), "::1");
        assert_eq!(public_host("https://a.example.org"), "a.example.org");
    }
}
