//! The built-in templates: written by us, in German and English.

use letterkeep_model::Locale;

/// A template that a campaign can start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// Its name in addresses and forms, the same in every language.
    pub key: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What it is good for, in one sentence.
    pub description: &'static str,
    /// A subject to start from.
    pub subject: &'static str,
    /// A pre-header to start from.
    pub preheader: &'static str,
    /// The source, in MJML.
    pub source: &'static str,
}

/// The built-in templates in a language.
pub const fn all(locale: Locale) -> &'static [Template] {
    match locale {
        Locale::De => &[],
        Locale::En => &[],
    }
}

/// One built-in template.
pub fn find(locale: Locale, key: &str) -> Option<&'static Template> {
    all(locale).iter().find(|template| template.key == key)
}
