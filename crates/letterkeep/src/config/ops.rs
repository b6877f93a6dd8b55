//! `[ops]`: where the pages of whoever operates the installation are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, Source, parse_listen, refuse};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileOps {
    listen: Option<Spanned<String>>,
}

/// Where the operator's pages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpsListen {
    Off,
    /// Where the configuration says.
    At(SocketAddr),
    /// Nobody has said it: the port after the service's, or any other if that one is taken.
    Beside(SocketAddr),
}

impl OpsListen {
    pub(super) fn parse(source: &Source<'_>, file: FileOps, service: SocketAddr) -> Result<Self, ConfigError> {
        let Some(found) = source.find("LETTERKEEP_OPS_LISTEN", file.listen) else {
            let port = if service.port() == 0 { 0 } else { service.port().checked_add(1).unwrap_or(0) };
            return Ok(Self::Beside(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        };
        if found.value == "off" {
            return Ok(Self::Off);
        }
        match parse_listen(&found.value) {
            Some(address) if address.ip().is_loopback() => Ok(Self::At(address)),
            Some(_) => Err(refuse(
                found,
                "ops.listen",
                "can be reached from other machines; use an address of this one, for example 127.0.0.1:8444, and reach it \
                 with ssh -L",
            )),
            None => {
                Err(refuse(found, "ops.listen", "is neither off nor an address and port, for example 127.0.0.1:8444"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(value: Option<&str>, service: &str) -> Result<OpsListen, String> {
        let environment = |_: &str| value.map(str::to_owned);
        let source = Source { path: Path::new("letterkeep.toml"), text: "", environment: &environment };
        let parsed = OpsListen::parse(&source, FileOps::default(), service.parse().unwrap());
        parsed.map_err(|error| error.to_string())
    }

    #[test]
    fn the_pages_are_on_this_machine_alone_beside_the_service() {
        let beside = |text: &str| Ok(OpsListen::Beside(text.parse().unwrap()));
        assert_eq!(parse(None, "0.0.0.0:443"), beside("127.0.0.1:444"));
        assert_eq!(parse(None, "127.0.0.1:0"), beside("127.0.0.1:0"));
        assert_eq!(parse(None, "127.0.0.1:65535"), beside("127.0.0.1:0"));
        assert_eq!(parse(Some("off"), "0.0.0.0:443"), Ok(OpsListen::Off));
        for (text, address) in [("9000", "127.0.0.1:9000"), ("[::1]:9000", "[::1]:9000")] {
            assert_eq!(parse(Some(text), "0.0.0.0:443"), Ok(OpsListen::At(address.parse().unwrap())));
        }
        for (text, part) in [("0.0.0.0:9000", "ssh -L"), ("192.0.2.1:9000", "ssh -L"), ("here", "neither off")] {
            let error = parse(Some(text), "0.0.0.0:443").unwrap_err();
            assert!(error.contains(part) && error.contains("ops.listen"), "{error}");
        }
    }
}
