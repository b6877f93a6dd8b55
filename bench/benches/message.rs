//! What each recipient costs: rendering with signed link tokens, writing the message, both DKIM signatures.

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use letterkeep_bench::keyring;
use letterkeep_campaign::compile::compile;
use letterkeep_campaign::{Compiled, Content, ContentInput, Fields, Format, Links};
use letterkeep_delivery::dkim::Signer;
use letterkeep_delivery::message::{BulkFields, Letter, MessageIdentity};
use letterkeep_model::{EmailAddress, Id, Locale, SystemClock, SystemEntropy, Timestamp, kind};
use letterkeep_vault::{DkimEd25519Key, DkimRsaKey, Keyring, Link, Purpose};

fn address(text: &str) -> EmailAddress {
    text.parse().unwrap_or_else(|_| unreachable!("the benches use sound addresses"))
}

fn newsletter() -> Content {
    let content = Content::parse(ContentInput {
        subject: "Roggenbrot nach dem Rezept von 1911, {{ first_name | default(\"für Sie\") }}".into(),
        preheader: "Drei Tage Sauerteig, zwei Stunden Steinofen".into(),
        from_name: "Bäckerei Möller".into(),
        from_address: address("brief@baeckerei.example"),
        reply_to: None,
        postal_address: "Bäckerei Möller\nLindenstraße 1\n10969 Berlin".into(),
        format: Format::Mjml,
        source: include_str!("newsletter.mjml").into(),
        text: None,
        locale: Locale::De,
    });
    content.unwrap_or_else(|_| unreachable!("the newsletter is within the limits"))
}

fn fields() -> Fields {
    [("first_name", "Anna"), ("company", "Buchhandlung Schmidt"), ("city", "Potsdam")]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect()
}

/// Links as a real message has them: each one a token signed for this recipient.
struct Tokens<'a> {
    ring: &'a Keyring,
    activity: Id<kind::CampaignActivity>,
    contact: Id<kind::Contact>,
}

impl Tokens<'_> {
    fn token(&self, path: char, purpose: Purpose) -> String {
        let link = Link { account: self.ring.account(), activity: self.activity, contact: self.contact, purpose };
        format!("https://mail.baeckerei.example/{path}/{}", self.ring.link_token(&link))
    }
}

impl Links for Tokens<'_> {
    fn click(&self, number: u16) -> Option<String> {
        Some(self.token('c', Purpose::Click(number)))
    }
    fn unsubscribe(&self) -> String {
        self.token('u', Purpose::Unsubscribe)
    }
    fn view(&self) -> String {
        self.token('v', Purpose::View)
    }
    fn open_pixel(&self) -> Option<String> {
        Some(self.token('o', Purpose::Open))
    }
}

fn compiled(content: &Content, known: &BTreeSet<String>) -> Compiled {
    compile(content, known).unwrap_or_else(|_| unreachable!("the newsletter compiles"))
}

fn message(criterion: &mut Criterion) {
    let (ring, entropy) = (keyring(), SystemEntropy);
    let known: BTreeSet<String> = ["first_name", "company", "city"].map(str::to_owned).into();
    let content = newsletter();
    let ready = compiled(&content, &known);
    let links = Tokens {
        ring: &ring,
        activity: Id::generate(&SystemClock, &entropy),
        contact: Id::generate(&SystemClock, &entropy),
    };
    let values = fields();
    let Ok(rendered) = ready.render(&values, &links) else { unreachable!("the newsletter renders") };

    let mut group = criterion.benchmark_group("message");
    group.throughput(Throughput::Bytes((rendered.html.len() + rendered.text.len()) as u64));
    let size = rendered.html.len() / 1024;
    group.bench_function(format!("render {size} KiB of HTML with link tokens"), |b| {
        b.iter(|| ready.render(black_box(&values), &links));
    });
    group.finish();

    let rsa = ("r".to_owned(), DkimRsaKey::generate());
    let ed25519 = ("e".to_owned(), DkimEd25519Key::generate(&entropy));
    let signer = Signer::new("baeckerei.example".into(), rsa, ed25519);
    let identity = MessageIdentity::new(&ring, links.activity, links.contact, signer.domain());
    let bulk = BulkFields::new(ring.account(), links.activity, links.unsubscribe());
    let date = Timestamp::from_seconds(1_795_420_800);
    let (from, to) = (address("brief@baeckerei.example"), address("anna@buchhandlung.example"));
    let write = || {
        let letter = Letter {
            from_name: "Bäckerei Möller",
            from: &from,
            to: &to,
            reply_to: None,
            subject: &rendered.subject,
            date,
            identity: &identity,
            text: &rendered.text,
            html: &rendered.html,
            bulk: Some(&bulk),
        };
        letter.write().unwrap_or_else(|_| unreachable!("the letter can be written"))
    };
    let message = write();
    let mut group = criterion.benchmark_group("message");
    group.throughput(Throughput::Elements(1));
    let size = message.len() / 1024;
    group.bench_function(format!("write a {size} KiB message"), |b| b.iter(write));
    group.bench_function(format!("sign a {size} KiB message, RSA-2048 and Ed25519"), |b| {
        b.iter(|| signer.sign(black_box(&message), date));
    });
    group.bench_function(format!("render, write and sign a {size} KiB message"), |b| {
        b.iter(|| {
            let _ = black_box(ready.render(&values, &links));
            signer.sign(&write(), date)
        });
    });
    group.finish();
}

criterion_group!(benches, message);
criterion_main!(benches);
