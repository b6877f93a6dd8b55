//! A template that somebody wrote, rendered for somebody whose data is hostile.

use std::collections::BTreeSet;

use letterkeep_campaign::compile::{Compiled, Plain, Rendered, compile};
use letterkeep_campaign::{Content, ContentInput, Fields, Format};
use letterkeep_model::{EmailAddress, Locale};

/// A value that would be an element, leave an attribute, end a style and open a tag, if it got through.
const HOSTILE: &str = "\"'><x-planted y='\n{{ z }}</style></title>";

/// The most that a message may have (`MAX_HTML`, `MAX_TEXT`).
const HTML: usize = 1024 * 1024;
const TEXT: usize = 256 * 1024;

/// Compiling and rendering end within their limits, say the same twice, and no value becomes markup or a header line.
///
/// The parts are: `mjml` or anything else for HTML, the subject, the source, the text part (may be empty), and a value
/// of the contact's.
pub fn check(bytes: &[u8]) {
    holds(bytes, &|compiled, fields| compiled.render(fields, &Plain).ok());
}

/// The check of anything that renders what was compiled.
pub(crate) fn holds(bytes: &[u8], render: &dyn Fn(&Compiled, &Fields) -> Option<Rendered>) {
    let [format, subject, source, text, value] = crate::parts(bytes);
    let format = if format == "mjml" { Format::Mjml } else { Format::Html };
    let Ok(content) = Content::parse(ContentInput {
        subject: subject.into(),
        preheader: subject.into(),
        from_name: "Bäckerei".into(),
        from_address: EmailAddress::parse("brief@baeckerei.example").expect("a fixed address"),
        reply_to: None,
        postal_address: "Lindenstraße 1, Berlin".into(),
        format,
        source: source.into(),
        text: Some(text.into()),
        locale: Locale::De,
    }) else {
        return;
    };
    let known = BTreeSet::from(["first_name", "city", "interests"].map(str::to_owned));
    let compiled = match compile(&content, &known) {
        Ok(compiled) => compiled,
        Err(problems) => {
            assert!(!problems.is_empty() && problems.len() <= 100, "refused without a reason");
            assert!(problems.iter().all(|problem| !problem.what.is_empty()));
            return;
        }
    };
    assert!(compiled.problems().len() <= 100);
    assert!(compiled.fields_used().iter().all(|name| known.contains(name)), "{:?}", compiled.fields_used());
    for value in [value, HOSTILE, ""] {
        let mut fields = Fields::default();
        fields.insert("first_name", value);
        fields.insert("city", value);
        fields.insert("interests", vec![value.to_owned(); 3]);
        let Some(rendered) = render(&compiled, &fields) else { continue };
        assert!(rendered.html.len() <= HTML && rendered.text.len() <= TEXT + 1, "larger than it may be");
        for line in [&rendered.subject, &rendered.preheader] {
            assert!(!line.contains(char::is_control), "{line:?} is not one line");
        }
        // What stands in the source may stand in the message.
        if value == HOSTILE && !source.contains("x-planted") {
            assert!(!rendered.html.to_ascii_lowercase().contains("<x-planted"), "a value becomes markup");
        }
        assert!(render(&compiled, &fields).is_some_and(|again| again == rendered), "rendered twice, another message");
    }
}
