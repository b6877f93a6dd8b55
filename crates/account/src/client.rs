use std::net::{IpAddr, Ipv6Addr};

use letterkeep_vault::Token;

/// The browser at the other end, as far as it matters for a log-in.
pub struct Client {
    address: Option<IpAddr>,
    label: String,
    device: Option<Token>,
}

impl Client {
    /// From the peer's address, the `User-Agent` header and the device cookie; whatever is missing or malformed counts
    /// as absent.
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>, device_cookie: Option<&str>) -> Self {
        Self { address, label: label(user_agent.unwrap_or_default()), device: device_cookie.and_then(Token::parse) }
    }

    /// What lists of sessions call it, for example `Firefox on Linux`. Always one of a few fixed texts.
    pub fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn device(&self) -> Option<&Token> {
        self.device.as_ref()
    }

    /// The network it is in: /24 (IPv4) or /64 (IPv6), the smallest unit that one subscriber controls.
    pub(crate) fn network(&self) -> Option<IpAddr> {
        self.address.map(network)
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// The longest `User-Agent` that is looked at.
const MOST_BYTES: usize = 512;

/// Browser and system from a `User-Agent`. The header is a claim of the other end: the result picks fixed texts and
/// never repeats a byte of it.
fn label(user_agent: &str) -> String {
    let text = &user_agent.as_bytes()[..user_agent.len().min(MOST_BYTES)];
    let has = |needle: &str| text.windows(needle.len()).any(|window| window == needle.as_bytes());
    // Every browser claims to be several others; the order goes from the most to the least particular.
    let browsers = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Vivaldi/", "Vivaldi"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    let systems = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("CrOS", "ChromeOS"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |list: &[(&str, &'static str)]| list.iter().find(|(needle, _)| has(needle)).map(|(_, name)| *name);
    match (find(&browsers), find(&systems)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("Browser on {system}"),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_the_browsers_people_use() {
        for (agent, wanted) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("", "Unknown browser"),
            ("<script>alert(1)</script>", "Unknown browser"),
        ] {
            assert_eq!(Client::new(None, Some(agent), None).label(), wanted);
        }
    }

    #[test]
    fn neighbours_share_a_network() {
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("192.0.2.7"), parse("192.0.2.200"));
        assert_eq!(parse("192.0.2.7"), parse("::ffff:192.0.2.200"), "IPv4 in an IPv6 socket");
        assert_ne!(parse("192.0.2.7"), parse("192.0.3.7"));
        assert_eq!(parse("2001:db8:1:2::1"), parse("2001:db8:1:2:ffff::9"));
        assert_ne!(parse("2001:db8:1:2::1"), parse("2001:db8:1:3::1"));
    }

    proptest! {
        #[test]
        fn any_header_gives_a_short_harmless_label(agent in ".{0,600}", cookie in ".{0,80}") {
            let client = Client::new(None, Some(&agent), Some(&cookie));
            prop_assert!(client.label().len() <= 40);
            prop_assert!(client.label().chars().all(|c| c.is_ascii_alphanumeric() || c == ' '));
        }
    }
}
