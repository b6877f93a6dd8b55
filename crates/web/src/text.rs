//! The words of the pages: Fluent files, one for each subject and language, compiled in.
//!
//! `t!(frame, "lists-title")` or `t!(frame, "lists-count", count = 12)`; the first argument is anything that
//! [`Speaks`] a language. Numbers handed in are written as the language writes them. A new subject: a file in
//! `locales/de` and one in `locales/en` with the same keys, and a line in `SUBJECTS`.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::types::FluentNumber;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use letterkeep_model::Locale;

use crate::format;

macro_rules! subjects {
    ($($name:literal),* $(,)?) => {
        const SUBJECTS: &[(&str, &str, &str)] = &[$((
            $name,
            include_str!(concat!("../locales/de/", $name, ".ftl")),
            include_str!(concat!("../locales/en/", $name, ".ftl")),
        )),*];
    };
}

subjects![
    "shell",
    "problem",
    "organisation",
    "entry",
    "people",
    "sending",
    "contacts",
    "lists",
    "fields",
    "import",
    "campaigns",
    "report",
    "ops"
];

static GERMAN: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| bundle(Locale::De));
static ENGLISH: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| bundle(Locale::En));

/// Whatever knows the reader's language.
pub trait Speaks {
    /// The language.
    fn locale(&self) -> Locale;
}

impl Speaks for Locale {
    fn locale(&self) -> Locale {
        *self
    }
}

impl<T: Speaks + ?Sized> Speaks for &T {
    fn locale(&self) -> Locale {
        (**self).locale()
    }
}

/// A text in the reader's language.
macro_rules! t {
    ($speaks:expr, $key:expr $(,)?) => {
        $crate::text::say($crate::text::Speaks::locale(&$speaks), $key, None)
    };
    ($speaks:expr, $key:expr, $($name:ident = $value:expr),+ $(,)?) => {{
        let mut args = $crate::text::args();
        $(args.set(stringify!($name), $value);)+
        $crate::text::say($crate::text::Speaks::locale(&$speaks), $key, Some(&args))
    }};
}
pub(crate) use t;

pub(crate) fn args<'a>() -> FluentArgs<'a> {
    FluentArgs::new()
}

/// The text of `key`. A key that does not exist yields itself (a test finds every one).
pub(crate) fn say(locale: Locale, key: &str, args: Option<&FluentArgs<'_>>) -> String {
    let bundle = match locale {
        Locale::De => &*GERMAN,
        Locale::En => &*ENGLISH,
    };
    let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
        tracing::error!(key, locale = locale.tag(), "a text is missing");
        return key.to_owned();
    };
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, args, &mut errors);
    if !errors.is_empty() {
        tracing::error!(key, locale = locale.tag(), "a text lacks an argument");
    }
    text.into_owned()
}

fn bundle(locale: Locale) -> FluentBundle<FluentResource> {
    let tag = locale.tag().parse().expect("de and en are language identifiers");
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(match locale {
        Locale::De => |value, _| number(value, Locale::De),
        Locale::En => |value, _| number(value, Locale::En),
    }));
    for (name, german, english) in SUBJECTS {
        let source = if locale == Locale::De { german } else { english };
        let resource = FluentResource::try_new((*source).to_owned()).unwrap_or_else(|(sound, errors)| {
            tracing::error!(subject = name, locale = locale.tag(), ?errors, "a text file has errors");
            sound
        });
        if let Err(errors) = bundle.add_resource(resource) {
            tracing::error!(subject = name, locale = locale.tag(), ?errors, "a text exists twice");
        }
    }
    bundle
}

fn number(value: &FluentValue<'_>, locale: Locale) -> Option<String> {
    match value {
        FluentValue::Number(FluentNumber { value, .. }) => Some(format::decimal(locale, *value)),
        _ => None,
    }
}

/// The name of a thing that is numbered in the key, for example a role: `role-owner`.
pub(crate) fn named(speaks: &impl Speaks, prefix: &str, name: &str) -> String {
    let key: Cow<'_, str> = format!("{prefix}-{}", name.replace(['_', '.'], "-")).into();
    say(speaks.locale(), &key, None)
}

/// The same, for a name that a newer or another room may have coined without giving it words.
pub(crate) fn named_if_known(speaks: &impl Speaks, prefix: &str, name: &str) -> Option<String> {
    let key = format!("{prefix}-{}", name.replace(['_', '.'], "-"));
    ENGLISH.has_message(&key).then(|| say(speaks.locale(), &key, None))
}

/// The same with arguments.
pub(crate) fn told_if_known(speaks: &impl Speaks, prefix: &str, name: &str, args: &FluentArgs<'_>) -> Option<String> {
    let key = format!("{prefix}-{name}");
    ENGLISH.has_message(&key).then(|| say(speaks.locale(), &key, Some(args)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(source: &str) -> Vec<String> {
        let resource = FluentResource::try_new(source.to_owned()).map_err(|(_, errors)| errors).expect("no errors");
        resource
            .entries()
            .filter_map(|entry| match entry {
                fluent_syntax::ast::Entry::Message(message) => Some(message.id.name.to_owned()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn both_languages_have_the_same_keys_and_none_twice() {
        let mut all = std::collections::HashSet::new();
        for (name, german, english) in SUBJECTS {
            let (german, english) = (keys(german), keys(english));
            assert_eq!(german, english, "{name}");
            for key in german {
                assert!(all.insert(key.clone()), "{key} stands in two files");
            }
        }
    }

    /// Every key that the sources name exists. (Keys put together at run time are tested where they are made.)
    #[test]
    fn every_key_that_is_used_exists() {
        let mut used = 0;
        let mut missing = Vec::new();
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let source = std::fs::read_to_string(&path).unwrap();
                for (at, _) in source.match_indices("t!(") {
                    let line = source[..at].rsplit('\n').next().unwrap_or_default().trim_start();
                    // `format!(` and its like end in the same letters.
                    if line.starts_with("//")
                        || line.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
                    {
                        continue;
                    }
                    let piece = &source[at + 3..];
                    let mut parts = piece.splitn(3, '"');
                    let (before, key) = (parts.next().unwrap(), parts.next().unwrap_or_default());
                    if before.contains([';', ')', '{'])
                        || !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                        || key.is_empty()
                        || before.lines().count() > 2
                    {
                        continue;
                    }
                    used += 1;
                    if GERMAN.get_message(key).is_none() {
                        missing.push(format!("{}: {key}", path.display()));
                    }
                }
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
        assert!(used > 50, "only {used} uses found: does the search still see them?");
    }

    #[test]
    fn numbers_follow_the_language() {
        assert_eq!(t!(Locale::De, "progress-of", done = 1_234, total = 10_000), "1.234 von 10.000");
        assert_eq!(t!(Locale::En, "progress-of", done = 1_234, total = 10_000), "1,234 of 10,000");
    }
}
