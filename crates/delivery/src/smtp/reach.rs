//! Where a relay may be. Whoever has an account names the relay's host: without a rule, this machine's own mail server
//! and every service in the networks behind it could be used and probed through ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// A network in CIDR notation, for example `10.1.0.0/16` or `fd00::/8`; a bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a network; write 10.1.0.0/16, fd00::/8 or a single address, with no bit set behind the prefix")]
pub struct NetworkError;

impl Network {
    /// This machine, by IPv4 and IPv6.
    pub const LOOPBACK: [Self; 2] = [
        Self { base: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
        Self { base: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
    ];

    fn contains(&self, address: IpAddr) -> bool {
        let (own, other, width) = match (self.base, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u128::from(own.to_bits()), u128::from(other.to_bits()), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        (own ^ other).checked_shr(width - u32::from(self.prefix)).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (base, prefix) = text.split_once('/').map_or((text, None), |(base, prefix)| (base, Some(prefix)));
        let base: IpAddr = base.trim().parse().map_err(|_| NetworkError)?;
        // An IPv4 address in IPv6 clothes would never be met: addresses are undressed before they are compared.
        if base != base.to_canonical() {
            return Err(NetworkError);
        }
        let width: u8 = if base.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(width), |prefix| prefix.trim().parse()).map_err(|_| NetworkError)?;
        let bits = match base {
            IpAddr::V4(base) => u128::from(base.to_bits()),
            IpAddr::V6(base) => base.to_bits(),
        };
        let behind = u32::from(width.checked_sub(prefix).ok_or(NetworkError)?);
        let clear = behind == 128 && bits == 0 || behind < 128 && bits & ((1 << behind) - 1) == 0;
        if clear { Ok(Self { base, prefix }) } else { Err(NetworkError) }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// The addresses at which a relay may be: every public one, and the networks that the operator has named. Cheap to
/// clone.
#[derive(Debug, Clone, Default)]
pub struct Reach(Arc<[Network]>);

impl Reach {
    /// Public addresses and those in `networks`.
    pub fn with(networks: &[Network]) -> Self {
        Self(networks.into())
    }

    /// The networks that were named.
    pub fn networks(&self) -> &[Network] {
        &self.0
    }

    /// Whether a connection to this address may be made.
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        let address = undressed(address);
        is_public(address) || self.0.iter().any(|network| network.contains(address))
    }
}

/// An IPv4 address that wears IPv6 clothes: mapped (RFC 4291 §2.5.5.2), or translated by NAT64 (RFC 6052 §2.1).
fn undressed(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        address => address,
    }
}

/// Whether the address is one of the public Internet (the special-purpose registries of IANA, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(matches!(a, 0 | 10 | 127 | 224..)
                || (a == 100 && b & 0xc0 == 64)
                || (a == 169 && b == 254)
                || (a == 172 && b & 0xf0 == 16)
                || (a == 192 && b == 168)
                || (a == 192 && b == 0 && matches!(c, 0 | 2))
                || (a == 192 && b == 88 && c == 99)
                || (a == 198 && matches!(b, 18 | 19))
                || (a == 198 && b == 51 && c == 100)
                || (a == 203 && b == 0 && c == 113))
        }
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            // Global unicast, without the protocol assignments (Teredo among them), documentation, and 6to4, which can
            // hide any IPv4 address.
            segments[0] & 0xe000 == 0x2000
                && !(segments[0] == 0x2001 && segments[1] < 0x200)
                && !(segments[0] == 0x2001 && segments[1] == 0xdb8)
                && segments[0] != 0x2002
                && !(segments[0] == 0x3fff && segments[1] < 0x1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: [&str; 42] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];
    const PERMITTED: [&str; 14] = [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "192.167.0.1",
        "192.169.0.1",
        "198.17.0.1",
        "223.255.255.255",
        "2a01:4f8::1",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
    ];

    #[test]
    fn only_public_addresses_are_reached_by_default() {
        let reach = Reach::default();
        for text in REFUSED {
            assert!(!reach.permits(text.parse().unwrap()), "{text}");
        }
        for text in PERMITTED {
            assert!(reach.permits(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_named_network_and_nothing_beside_it_is_reached() {
        let reach = Reach::with(&["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for (text, expected) in [
            ("10.1.255.3", true),
            ("::ffff:10.1.0.1", true),
            ("10.2.0.1", false),
            ("fd99::1", true),
            ("fc00::1", false),
            ("127.0.0.1", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(reach.permits(text.parse().unwrap()), expected, "{text}");
        }
        let here = Reach::with(&Network::LOOPBACK);
        assert!(here.permits("127.9.9.9".parse().unwrap()) && here.permits("::1".parse().unwrap()));
        assert!(!here.permits("10.0.0.1".parse().unwrap()) && !here.permits("::2".parse().unwrap()));
        let all = Reach::with(&["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
        assert!(REFUSED.iter().all(|text| all.permits(text.parse().unwrap())));
    }

    #[test]
    fn networks_are_read_strictly() {
        for text in ["10.0.0.0/8", "127.0.0.1/32", "::1/128", "fd00::/8", "0.0.0.0/0", "::/0"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!("10.0.0.1".parse::<Network>().unwrap().to_string(), "10.0.0.1/32");
        for text in
            ["", "10.0.0.0/33", "10.0.0.1/8", "10/8", "localhost", "fd00::1/8", "::ffff:10.0.0.0/104", "10.0.0.0/-1"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
