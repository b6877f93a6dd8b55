//! What a part consists of after the walk: pieces that are either fixed or filled in for each recipient.

/// How a value is written so that it stays a value where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// In a quoted attribute or a title: `& < > " '` become entities.
    Html,
    /// In HTML text: the same, and a line break stays one.
    Lines,
    /// Within an address, after its host: everything but unreserved characters (RFC 3986 § 2.3) is percent-encoded.
    Url,
    /// In the text part: as it stands, without control characters.
    Plain,
    /// In a header: as it stands, in one line.
    Line,
}

impl Escape {
    /// The filter that does it in the engine.
    pub(super) const fn filter(self) -> &'static str {
        match self {
            Self::Html => "lk_html",
            Self::Lines => "lk_lines",
            Self::Url => "lk_url",
            Self::Plain => "lk_plain",
            Self::Line => "lk_line",
        }
    }

    /// Writes `value`.
    pub(super) fn write(self, value: &str, out: &mut String) {
        match self {
            Self::Html | Self::Lines => {
                for c in value.chars().filter(|c| is_visible(*c)) {
                    match c {
                        '\n' if self == Self::Lines => out.push_str("<br>"),
                        '&' => out.push_str("&amp;"),
                        '<' => out.push_str("&lt;"),
                        '>' => out.push_str("&gt;"),
                        '"' => out.push_str("&quot;"),
                        '\'' => out.push_str("&#39;"),
                        _ => out.push(c),
                    }
                }
            }
            Self::Url => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                for byte in value.bytes() {
                    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                        out.push(char::from(byte));
                    } else {
                        out.push('%');
                        out.push(char::from(HEX[usize::from(byte >> 4)]));
                        out.push(char::from(HEX[usize::from(byte & 15)]));
                    }
                }
            }
            Self::Plain => out.extend(value.chars().filter(|c| is_visible(*c))),
            Self::Line => {
                out.extend(value.chars().map(|c| if is_visible(c) && c != '\n' && c != '\t' { c } else { ' ' }));
            }
        }
    }
}

/// No control characters, and none that turn the reading direction round to make one text look like another.
fn is_visible(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => false,
        _ => !c.is_control(),
    }
}

/// One piece of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    /// Fixed text.
    Literal(String),
    /// What tag number … shows.
    Value(usize, Escape),
    /// Statement number …
    Statement(usize),
    /// The address of link number …
    Link(u16, Escape),
    /// The picture that notices opens, if there is one.
    Pixel,
    /// The pre-header.
    Preheader,
}

/// Appends fixed text.
pub(super) fn literal(ops: &mut Vec<Op>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(Op::Literal(last)) = ops.last_mut() {
        last.push_str(text);
    } else {
        ops.push(Op::Literal(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_a_value() {
        let hostile = "<b>\"x' & \u{202E}\r\n\0javascript:/%é";
        let written = |escape: Escape| {
            let mut out = String::new();
            escape.write(hostile, &mut out);
            out
        };
        assert_eq!(written(Escape::Html), "&lt;b&gt;&quot;x&#39; &amp; \njavascript:/%é");
        assert_eq!(written(Escape::Url), "%3Cb%3E%22x%27%20%26%20%E2%80%AE%0D%0A%00javascript%3A%2F%25%C3%A9");
        assert_eq!(written(Escape::Plain), "<b>\"x' & \njavascript:/%é");
        assert_eq!(written(Escape::Line), "<b>\"x' &     javascript:/%é");
    }
}
