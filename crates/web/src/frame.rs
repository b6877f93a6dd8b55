//! What a page knows about its reader: language, colour scheme, time zone, name; and the cookies that carry it.

use http::{HeaderMap, HeaderValue, header};
use jiff::tz::TimeZone;
use letterkeep_model::{Entropy, Locale, Role, Timestamp};
use letterkeep_vault::{Token, csrf_token};

use crate::house::House;
use crate::text::Speaks;

/// The session.
pub const SESSION: &str = "__Host-letterkeep";
/// The device that has passed the second factor before.
pub(crate) const DEVICE: &str = "__Host-letterkeep-device";
/// Binds the forms of somebody who has no session yet.
pub(crate) const GUEST: &str = "__Host-letterkeep-guest";
/// The language that somebody without a session chose.
pub(crate) const LOCALE: &str = "__Host-letterkeep-locale";
/// The colour scheme.
pub(crate) const SCHEME: &str = "__Host-letterkeep-scheme";
/// The browser's time zone; written by a script, so it has no protection and is only ever looked up.
pub(crate) const ZONE: &str = "letterkeep-zone";

/// Light, dark, or as the device says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// As the device says.
    #[default]
    Auto,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Scheme {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// `auto`, `light`, `dark`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The scheme of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }
}

/// What a page stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// The service: its users and the public.
    Service,
    /// The pages of whoever operates the installation.
    Operator,
}

/// Who reads, if that is known.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their user name.
    pub name: String,
    /// Their organisation.
    pub organisation: String,
    /// What they may do.
    pub role: Role,
}

/// What a page knows about its reader.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What the page stands in.
    pub shell: Shell,
    /// The language of the page.
    pub locale: Locale,
    /// The colour scheme.
    pub scheme: Scheme,
    /// The zone in which times are written.
    pub zone: TimeZone,
    /// The path and query of the page.
    pub path: String,
    /// The form token of this page; empty where there is nothing to bind it to.
    pub csrf: String,
    /// The person, once they have logged in with all factors.
    pub person: Option<Person>,
    /// When the page was asked for.
    pub now: Timestamp,
    /// Whether strangers may open an account.
    pub sign_up_open: bool,
    /// Whether htmx asks for a part of a page.
    pub fragment: bool,
    /// `Set-Cookie` values that the answer carries.
    pub(crate) cookies: Vec<String>,
}

impl Speaks for Frame {
    fn locale(&self) -> Locale {
        self.locale
    }
}

impl Frame {
    /// What the headers of a request say.
    pub(crate) fn from_headers(headers: &HeaderMap, path: &str, house: &House) -> Self {
        let sign_up_open = house.settings.sign_up_open;
        Self { sign_up_open, ..Self::of(Shell::Service, headers, path, house.clock.now()) }
    }

    /// The same for a page in `shell` that is asked for at `now`; nobody can sign up.
    pub(crate) fn of(shell: Shell, headers: &HeaderMap, path: &str, now: Timestamp) -> Self {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self {
            shell,
            locale: cookie(headers, LOCALE)
                .and_then(|tag| tag.parse().ok())
                .unwrap_or_else(|| accepted.map_or(Locale::En, Locale::from_accept_language)),
            scheme: cookie(headers, SCHEME).and_then(Scheme::from_name).unwrap_or_default(),
            zone: cookie(headers, ZONE).and_then(zone).unwrap_or(TimeZone::UTC),
            path: path.to_owned(),
            csrf: String::new(),
            person: None,
            now,
            sign_up_open: false,
            fragment: headers.contains_key("hx-request"),
            cookies: Vec::new(),
        }
    }

    /// Goes over to a session that was just opened: its cookie is set with the page, and the page's forms are bound to it.
    pub(crate) fn follow(&mut self, session: &Token, entropy: &dyn Entropy) {
        self.cookies.push(set_cookie(SESSION, &session.text(), None));
        self.csrf = csrf_token(session, entropy);
    }
}

/// The time zone of that name, if it is one of the database of zones.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    let sound = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte));
    if sound { TimeZone::get(name).ok() } else { None }
}

/// The first cookie of that name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(have, value)| (have == name).then_some(value))
}

/// A cookie that scripts cannot read. `max_age` in seconds; `None` ends with the browser.
pub(crate) fn set_cookie(name: &str, value: &str, max_age: Option<u64>) -> String {
    let age = max_age.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}")
}

/// Takes a cookie back.
pub(crate) fn clear_cookie(name: &str) -> String {
    set_cookie(name, "", Some(0))
}

/// Appends `Set-Cookie` lines to an answer.
pub(crate) fn add_cookies(headers: &mut HeaderMap, cookies: &[String]) {
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_cookie_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; __Host-letterkeep=abc; b=2"));
        assert_eq!(cookie(&headers, SESSION), Some("abc"));
        assert_eq!(cookie(&headers, "__Host-letter"), None);
    }

    #[test]
    fn a_strange_zone_is_not_looked_up() {
        assert!(zone("Europe/Berlin").is_some());
        for name in ["../../etc/passwd", "Europe/Berlin\0", "", "Mars/Olympus"] {
            assert!(zone(name).is_none(), "{name:?}");
        }
    }
}
