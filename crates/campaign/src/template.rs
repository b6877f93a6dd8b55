//! The built-in templates: written by us, in German and English, in the colours of the house. They load nothing from
//! elsewhere and stay readable where a mail program inverts colours.

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

static GERMAN: [Template; 4] = [
    Template {
        key: "newsletter",
        name: "Rundbrief",
        description: "Mehrere kurze Neuigkeiten mit Terminen, zum Beispiel einmal im Monat.",
        subject: "{{ first_name|default('Für Sie') }}: Neues aus unserem Haus",
        preheader: "Drei Neuigkeiten, in drei Minuten gelesen.",
        source: include_str!("../templates/de/newsletter.mjml"),
    },
    Template {
        key: "announcement",
        name: "Ankündigung",
        description: "Eine einzige Neuigkeit, klar gesagt, mit einem Knopf.",
        subject: "Ab sofort für Sie da",
        preheader: "Was neu ist, und was sich für Sie ändert.",
        source: include_str!("../templates/de/announcement.mjml"),
    },
    Template {
        key: "invitation",
        name: "Einladung",
        description: "Wann, wo und was es kostet, mit einem Knopf zum Zusagen.",
        subject: "Wir laden Sie ein",
        preheader: "Freitag, 12. März, 18 Uhr. Bringen Sie gern jemanden mit.",
        source: include_str!("../templates/de/invitation.mjml"),
    },
    Template {
        key: "letter",
        name: "Einfacher Brief",
        description: "Nur Text, wie von Hand geschrieben.",
        subject: "Ein paar Zeilen von uns",
        preheader: "Worum es geht, in zwei Absätzen.",
        source: include_str!("../templates/de/letter.mjml"),
    },
];

static ENGLISH: [Template; 4] = [
    Template {
        key: "newsletter",
        name: "Newsletter",
        description: "Several short pieces of news with dates, for example once a month.",
        subject: "{{ first_name|default('For you') }}: our news",
        preheader: "Three pieces of news, read in three minutes.",
        source: include_str!("../templates/en/newsletter.mjml"),
    },
    Template {
        key: "announcement",
        name: "Announcement",
        description: "A single piece of news, said clearly, with one button.",
        subject: "Ready for you from today",
        preheader: "What is new, and what changes for you.",
        source: include_str!("../templates/en/announcement.mjml"),
    },
    Template {
        key: "invitation",
        name: "Invitation",
        description: "When, where and what it costs, with a button to accept.",
        subject: "You are invited",
        preheader: "Friday, 12 March, 6 pm. Do bring somebody along.",
        source: include_str!("../templates/en/invitation.mjml"),
    },
    Template {
        key: "letter",
        name: "Plain letter",
        description: "Text only, as if written by hand.",
        subject: "A few lines from us",
        preheader: "What it is about, in two paragraphs.",
        source: include_str!("../templates/en/letter.mjml"),
    },
];

/// The built-in templates in a language.
pub fn all(locale: Locale) -> &'static [Template] {
    match locale {
        Locale::De => &GERMAN,
        Locale::En => &ENGLISH,
    }
}

/// One built-in template.
pub fn find(locale: Locale, key: &str) -> Option<&'static Template> {
    all(locale).iter().find(|template| template.key == key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use letterkeep_model::EmailAddress;

    use super::*;
    use crate::{Content, ContentInput, Fields, Format, compile, preview};

    #[test]
    fn every_template_can_be_sent_as_it_is() {
        let known: BTreeSet<String> = ["first_name".to_owned()].into();
        for (locale, template) in Locale::ALL.into_iter().flat_map(|l| all(l).iter().map(move |t| (l, t))) {
            let content = Content::parse(ContentInput {
                subject: template.subject.into(),
                preheader: template.preheader.into(),
                from_name: "Bäckerei Müller".into(),
                from_address: EmailAddress::parse("post@example.org").unwrap(),
                reply_to: None,
                postal_address: "Markt 1\n12345 Dorf".into(),
                format: Format::Mjml,
                source: template.source.into(),
                text: None,
                locale,
            })
            .unwrap();
            let compiled = compile(&content, &known).unwrap_or_else(|problems| panic!("{} {problems:?}", template.key));
            let worse: Vec<_> = compiled.problems().iter().filter(|problem| problem.code != "link.personal").collect();
            assert!(worse.is_empty(), "{locale} {}: {worse:?}", template.key);
            assert!(compiled.missing(&Fields::default()).is_empty(), "it greets people without a name too");
            let rendered = preview(&compiled, &Fields::default()).unwrap();
            assert!(rendered.html.len() < 40_000, "{}", rendered.html.len());
            assert!(rendered.html.contains("Markt 1<br>12345 Dorf"), "{}", rendered.html);
            assert_eq!(rendered.html.matches("/unsubscribe\"").count(), 1, "no second footer");
            assert!(rendered.html.contains(&format!("lang=\"{locale}\"")));
            if let Ok(dir) = std::env::var("LETTERKEEP_TEMPLATE_DIR") {
                std::fs::write(format!("{dir}/{locale}-{}.html", template.key), &rendered.html).unwrap();
                std::fs::write(format!("{dir}/{locale}-{}.txt", template.key), &rendered.text).unwrap();
            }
        }
        assert_eq!(find(Locale::De, "letter").map(|t| t.name), Some("Einfacher Brief"));
        assert!(find(Locale::En, "nothing").is_none());
    }
}
