//! A template that somebody wrote: compiling and rendering end, and no value breaks out of a header line.
#![no_main]

use std::collections::BTreeSet;

use letterkeep_campaign::{Content, ContentInput, Fields, Format, compile};
use letterkeep_model::Locale;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &str, &str, &str)| {
    let (mjml, subject, source, value) = input;
    let Ok(from_address) = "brief@baeckerei.example".parse() else { return };
    let content = Content::parse(ContentInput {
        subject: subject.into(),
        preheader: String::new(),
        from_name: "Bäckerei".into(),
        from_address,
        reply_to: None,
        postal_address: "Lindenstraße 1, Berlin".into(),
        format: if mjml { Format::Mjml } else { Format::Html },
        source: source.into(),
        text: None,
        locale: Locale::De,
    });
    let Ok(content) = content else { return };
    let known: BTreeSet<String> = ["first_name".to_owned()].into();
    let Ok(compiled) = compile::compile(&content, &known) else { return };
    let mut fields = Fields::default();
    fields.insert("first_name", value);
    if let Ok(rendered) = compiled.render(&fields, &compile::Plain) {
        assert!(!rendered.subject.contains(['\r', '\n']));
    }
});
