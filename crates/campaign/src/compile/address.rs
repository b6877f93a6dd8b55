//! What may stand in `href`, `src` and their like. Allowed is named; everything else is refused.
//!
//! The rule for merge tags: a tag stands after the host of a web address (`https://host/…`, `?…`, `#…`) or after the
//! `?` of a `mailto:` address, and its value is percent-encoded. So contact data can be a part of a path or query; it
//! can never choose the scheme, the host, or add a further parameter. The tags of the service itself
//! (`unsubscribe_url`, `view_url`) are whole addresses and stand alone.

use super::markup::mark_at;
use super::system;
use super::tag::{Kind, OPEN, Scanned, shorten};

const MAX_LENGTH: usize = 2000;

/// An address that may be sent.
#[derive(Debug)]
pub(super) enum Address {
    /// The same for everybody, entities decoded.
    Fixed(String),
    /// The tag of the service that is the whole address.
    System(usize),
    /// Fixed pieces and the numbers of tags.
    Mixed(Vec<Result<String, usize>>),
}

/// Reads the value of an attribute. `link` says whether somebody can follow it (otherwise it is a picture).
pub(super) fn read(value: &str, source: &Scanned, link: bool) -> Result<Address, (String, &'static str)> {
    let mut pieces: Vec<Result<String, usize>> = Vec::new();
    let mut rest = value.trim();
    loop {
        let end = rest.find(OPEN).unwrap_or(rest.len());
        if end > 0 {
            // Browsers drop tabs and line breaks in addresses; so do we, before anything is decided.
            let text: String = decode_entities(&rest[..end]).chars().filter(|c| !"\t\r\n".contains(*c)).collect();
            pieces.push(Ok(text));
        }
        let Some((index, length)) = mark_at(&rest[end..]) else { break };
        pieces.push(Err(index));
        rest = &rest[end + length..];
    }
    if value.len() > MAX_LENGTH {
        return Err((format!("an address is longer than {MAX_LENGTH} bytes."), "Shorten it."));
    }
    let tag = |index: usize| source.tags.get(index);
    if pieces.iter().any(|piece| matches!(piece, Err(index) if tag(*index).is_none_or(|tag| tag.kind != Kind::Output)))
    {
        return Err(("a statement stands in an address.".into(), "Write two links, each with its own address."));
    }
    let is_system = |index: usize| {
        let name = tag(index).and_then(super::tag::Tag::sole_name);
        matches!(name, Some(system::UNSUBSCRIBE_URL | system::VIEW_URL))
    };
    if let [Err(index)] = pieces[..]
        && is_system(index)
    {
        return Ok(Address::System(index));
    }
    let names_system = |index: usize| {
        tag(index)
            .is_some_and(|tag| tag.names().any(|name| [system::UNSUBSCRIBE_URL, system::VIEW_URL].contains(&name)))
    };
    if pieces.iter().any(|piece| matches!(piece, Err(index) if names_system(*index))) {
        return Err((
            "unsubscribe_url and view_url are whole addresses.".into(),
            "Write href=\"{{ unsubscribe_url }}\" and nothing else.",
        ));
    }
    let first = match pieces.first() {
        None => return Err(("an address is empty.".into(), "Write where the link leads.")),
        Some(Err(_)) => {
            return Err((
                "an address begins with contact data, which could lead anywhere.".into(),
                "Begin with https:// and the name of the site.",
            ));
        }
        Some(Ok(first)) => first.trim_start().to_owned(),
    };
    let personal = pieces.iter().any(Result::is_err);
    let lower = first.to_ascii_lowercase();
    let scheme_ok = if lower.starts_with("https://") || lower.starts_with("http://") {
        let after = lower.find("://").map_or("", |at| &first[at + 3..]);
        let host_end = after.find(['/', '?', '#']);
        let host = &after[..host_end.unwrap_or(after.len())];
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "\\\"<>^`{|}@".contains(c)) {
            return Err((format!("the site in an address cannot be read: {}.", shorten(&first, 80)), "Check it."));
        }
        if personal && host_end.is_none() {
            return Err((
                "a merge tag stands in the name of a site, which could lead anywhere.".into(),
                "Put the tag after the first / or ? of the address.",
            ));
        }
        true
    } else if link && lower.starts_with("mailto:") {
        if personal && !first.contains('?') {
            return Err(("a merge tag stands in a mail address.".into(), "Put the tag after mailto:…?subject=."));
        }
        true
    } else if link && (lower.starts_with("tel:") || lower.starts_with("sms:") || first.starts_with('#')) {
        !personal
    } else {
        !link && !personal && lower.starts_with("cid:")
    };
    if !scheme_ok {
        let hint = if link {
            "Links begin with https://, mailto: or tel:."
        } else {
            "Pictures begin with https://; data: and files of your computer do not arrive."
        };
        return Err((format!("an address leads nowhere that is allowed: {}.", shorten(&first, 80)), hint));
    }
    if pieces.iter().flatten().any(|text| text.chars().any(char::is_control)) {
        return Err(("an address contains a control character.".into(), "Remove it."));
    }
    let tidy = |text: &str| text.trim().replace(' ', "%20").replace('\\', "%5C");
    if !personal {
        return Ok(Address::Fixed(tidy(&first)));
    }
    let last = pieces.len() - 1;
    for (index, piece) in pieces.iter_mut().enumerate() {
        if let Ok(text) = piece {
            let text_trimmed = match index {
                0 => text.trim_start(),
                index if index == last => text.trim_end(),
                _ => text,
            };
            *text = text_trimmed.replace(' ', "%20").replace('\\', "%5C");
        }
    }
    Ok(Address::Mixed(pieces))
}

/// Decodes the entities that matter for reading text and addresses; others stay as they are written.
pub(super) fn decode_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest.bytes().skip(1).take(11).position(|byte| byte == b';').map(|end| &rest[1..=end]);
        let decoded = name.and_then(|name| {
            if let Some(number) = name.strip_prefix('#') {
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => number.parse().ok(),
                };
                return code.and_then(char::from_u32).filter(|c| *c != '\0');
            }
            Some(match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => '\u{a0}',
                "shy" | "zwnj" => '\u{200C}',
                "ndash" => '–',
                "mdash" => '—',
                "hellip" => '…',
                "bull" => '•',
                "middot" => '·',
                "copy" => '©',
                "reg" => '®',
                "euro" => '€',
                "auml" => 'ä',
                "ouml" => 'ö',
                "uuml" => 'ü',
                "Auml" => 'Ä',
                "Ouml" => 'Ö',
                "Uuml" => 'Ü',
                "szlig" => 'ß',
                "laquo" => '«',
                "raquo" => '»',
                "bdquo" => '„',
                "ldquo" => '“',
                "rdquo" => '”',
                "lsquo" => '‘',
                "rsquo" => '’',
                "rarr" => '→',
                "times" => '×',
                "colon" => ':',
                "Tab" => '\t',
                "NewLine" => '\n',
                _ => return None,
            })
        });
        if let (Some(name), Some(c)) = (name, decoded) {
            out.push(c);
            rest = &rest[name.len() + 2..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::op::Escape;
    use crate::compile::tag;

    fn shown(address: &Address) -> String {
        match address {
            Address::Fixed(url) => {
                let mut escaped = String::new();
                Escape::Html.write(url, &mut escaped);
                escaped
            }
            Address::System(_) => "(system)".to_owned(),
            Address::Mixed(pieces) => pieces.iter().map(|piece| piece.as_deref().unwrap_or("(tag)")).collect(),
        }
    }

    fn read_source(source: &str, link: bool) -> Result<String, String> {
        let mut problems = Vec::new();
        let scanned = tag::scan("source", source, true, &mut problems);
        assert_eq!(problems, Vec::new());
        read(&scanned.marked, &scanned, link).map(|address| shown(&address)).map_err(|(what, _)| what)
    }

    #[test]
    fn what_may_be_sent() {
        for (source, expected) in [
            ("https://example.org", "https://example.org"),
            (" HTTPS://Example.org/a?b=1&amp;c=2#d ", "HTTPS://Example.org/a?b=1&amp;c=2#d"),
            ("https://example.org/?n={{ a }}&m={{ b }}", "https://example.org/?n=(tag)&m=(tag)"),
            ("https://example.org/{{ a }}", "https://example.org/(tag)"),
            ("mailto:info@example.org?subject={{ a }}", "mailto:info@example.org?subject=(tag)"),
            ("tel:+49301234567", "tel:+49301234567"),
            ("{{ unsubscribe_url }}", "(system)"),
            ("#top", "#top"),
        ] {
            assert_eq!(read_source(source, true), Ok(expected.to_owned()), "{source}");
        }
    }

    #[test]
    fn what_may_not() {
        for source in [
            "javascript:alert(1)",
            "JaVa\tScRiPt:alert(1)",
            "&#106;avascript:alert(1)",
            "javascript&colon;alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "//example.org",
            "/relative",
            "page.html",
            "",
            "{{ website }}",
            "{{ a }}javascript:x",
            "https://{{ a }}",
            "https://{{ a }}.example.org/",
            "https://example.org{{ a }}",
            "https://user@example.org/",
            "https:///path",
            "mailto:{{ a }}",
            "{{ view_url }}?x=1",
            "https://example.org/{{ unsubscribe_url }}",
            "https://example.org/{% if a %}b{% endif %}",
        ] {
            assert!(read_source(source, true).is_err(), "{source}");
        }
        assert!(read_source("data:image/png;base64,AA", false).is_err());
        assert!(read_source("cid:logo", false).is_ok());
    }
}
