//! Compiling a campaign once, and rendering it for one recipient: segments where its tags are simple, the engine where
//! they are not. The goal is a few microseconds, small beside an RSA signature.

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use letterkeep_campaign::{Compiled, Content, ContentInput, Fields, Format, Links, compile, template};
use letterkeep_model::{EmailAddress, Locale};

/// Links of the length that real ones have; making a token is measured in `sealing`.
struct Fixed;

impl Links for Fixed {
    fn click(&self, number: u16) -> Option<String> {
        Some(format!("https://news.example.org/c/{}{number}", "t".repeat(90)))
    }
    fn unsubscribe(&self) -> String {
        format!("https://news.example.org/u/{}", "t".repeat(91))
    }
    fn view(&self) -> String {
        format!("https://news.example.org/v/{}", "t".repeat(91))
    }
    fn open_pixel(&self) -> Option<String> {
        Some(format!("https://news.example.org/o/{}", "t".repeat(91)))
    }
}

fn content(key: &str) -> Content {
    let template = template::find(Locale::De, key).expect("a built-in template");
    Content::parse(ContentInput {
        subject: template.subject.into(),
        preheader: template.preheader.into(),
        from_name: "Bäckerei Müller".into(),
        from_address: EmailAddress::parse("post@example.org").expect("an address"),
        reply_to: None,
        postal_address: "Markt 1\n12345 Dorf".into(),
        format: Format::Mjml,
        source: template.source.into(),
        text: None,
        locale: Locale::De,
    })
    .expect("within the limits")
}

/// HTML of about `size` bytes with an element in each line: what takes longest for its length.
fn large(size: usize) -> Content {
    let mut input = content("newsletter").into_input();
    input.format = Format::Html;
    input.source = "<b>Some words of a text.</b>\n".repeat(size / 30);
    Content::parse(input).expect("within the limits")
}

fn compiled(key: &str) -> Compiled {
    compile(&content(key), &known()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn known() -> BTreeSet<String> {
    BTreeSet::from(["first_name".to_owned()])
}

fn render(criterion: &mut Criterion) {
    let fields: Fields = [("first_name".to_owned(), "Jürgen".into())].into_iter().collect();
    let (simple, branching) = (compiled("newsletter"), compiled("announcement"));
    let (newsletter, known) = (content("newsletter"), known());
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Elements(1));
    group.bench_function("a newsletter, simple tags", |b| b.iter(|| simple.render(black_box(&fields), &Fixed)));
    group.bench_function("an announcement, with if", |b| b.iter(|| branching.render(black_box(&fields), &Fixed)));
    group.bench_function("compile a newsletter", |b| b.iter(|| compile(black_box(&newsletter), &known).is_ok()));
    group.finish();

    // Eight times the length takes eight times as long. Of 512 KB with nothing but elements, the first ones are enough.
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for size in [64 * 1024, 512 * 1024] {
        let content = large(size);
        group.throughput(Throughput::Bytes(content.source.len() as u64));
        let name = format!("{} KB of elements and words", size / 1024);
        group.bench_function(name, |b| b.iter(|| compile(black_box(&content), &known).is_ok()));
    }
    let mut input = content("newsletter").into_input();
    input.format = Format::Html;
    input.source = "<b>".repeat(512 * 1024 / 3);
    let elements = Content::parse(input).expect("within the limits");
    group
        .bench_function("512 KB of nothing but elements", |b| b.iter(|| compile(black_box(&elements), &known).is_ok()));
    group.finish();
}

criterion_group!(benches, render);
criterion_main!(benches);
