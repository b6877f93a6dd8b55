//! Where a relay may be. Whoever has an account names the relay's host: without a rule, this machine's own mail server
//! and every service in the networks behind it could be used and probed through ours.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use letterkeep_model::Network;

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
}
