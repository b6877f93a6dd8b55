use std::fmt;
use std::str::FromStr;

/// A language that pages and messages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    /// German.
    De,
    /// English.
    #[default]
    En,
}

impl Locale {
    /// Every language, in the order in which a switch shows them.
    pub const ALL: [Self; 2] = [Self::De, Self::En];

    /// The BCP 47 tag, as the `lang` attribute carries it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
        }
    }

    /// The best language for an `Accept-Language` header (RFC 9110 §12.5.4); English where nothing fits.
    pub fn from_accept_language(header: &str) -> Self {
        let mut best = (0u16, Self::En);
        for range in header.split(',').take(32) {
            let mut parts = range.trim().split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let Ok(locale) = tag.split('-').next().unwrap_or_default().parse::<Self>() else { continue };
            let quality =
                parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            let weight = (quality.clamp(0.0, 1.0) * 1000.0) as u16;
            if weight > best.0 {
                best = (weight, locale);
            }
        }
        best.1
    }
}

/// The text names no language that we speak.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown language; known are de and en")]
pub struct UnknownLocale;

impl FromStr for Locale {
    type Err = UnknownLocale;

    fn from_str(tag: &str) -> Result<Self, UnknownLocale> {
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(tag)).ok_or(UnknownLocale)
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_browser() {
        assert_eq!(Locale::from_accept_language("de-AT,de;q=0.9,en;q=0.8"), Locale::De);
        assert_eq!(Locale::from_accept_language("fr, en;q=0.3, de;q=0.7"), Locale::De);
        assert_eq!(Locale::from_accept_language("de;q=0"), Locale::En);
        assert_eq!(Locale::from_accept_language("\u{0};;;,=,q"), Locale::En);
    }
}
