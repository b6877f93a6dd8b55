use std::collections::BTreeSet;

use letterkeep_model::EmailAddress;
use proptest::prelude::*;

use super::*;
use crate::ContentInput;

fn known() -> BTreeSet<String> {
    ["first_name", "last_name", "company", "city", "interests", "points", "website"].map(str::to_owned).into()
}

fn input(format: Format, source: &str) -> ContentInput {
    ContentInput {
        subject: "News for {{ first_name|default('you') }}".into(),
        preheader: "Read this".into(),
        from_name: "Bakery <Müller>".into(),
        from_address: EmailAddress::parse("news@example.org").unwrap(),
        reply_to: None,
        postal_address: "Bakery Müller\nMarkt 1\n12345 Dorf".into(),
        format,
        source: source.into(),
        text: None,
        locale: Locale::En,
    }
}

fn html(source: &str) -> Content {
    Content::parse(input(Format::Html, source)).unwrap()
}

fn mjml(body: &str) -> Content {
    let source = format!(
        "<mjml>\n<mj-body>\n<mj-section>\n<mj-column>\n{body}\n</mj-column>\n</mj-section>\n</mj-body>\n</mjml>"
    );
    Content::parse(input(Format::Mjml, &source)).unwrap()
}

fn fields(values: &[(&str, &str)]) -> Fields {
    values.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect()
}

fn problems(content: &Content) -> String {
    let found = match compile(content, &known()) {
        Ok(compiled) => compiled.problems().to_vec(),
        Err(problems) => problems,
    };
    let lines: Vec<_> = found.iter().map(|problem| format!("{:?} {problem}", problem.severity)).collect();
    lines.join("\n")
}

fn ready(content: &Content) -> Compiled {
    compile(content, &known()).map_err(|_| problems(content)).unwrap()
}

struct Tracked;
impl Links for Tracked {
    fn click(&self, number: u16) -> Option<String> {
        Some(format!("https://t.example/c/{number}?a=1&b=2"))
    }
    fn unsubscribe(&self) -> String {
        "https://t.example/u/1".into()
    }
    fn view(&self) -> String {
        "https://t.example/v/1".into()
    }
    fn open_pixel(&self) -> Option<String> {
        Some("https://t.example/o/1".into())
    }
}

const HOSTILE: &str = "\"><script>alert(1)</script><a href='javascript:x'>{{ last_name }}{% if %}&\r\nBcc: x@y.z";

#[test]
fn contact_data_cannot_become_markup_links_or_headers() {
    let source = "<p title=\"{{ first_name }}\">Hi {{ first_name }}</p>\
        <a href=\"https://example.org/p?n={{ first_name }}&amp;x=1\">go</a>{% if company %}{{ company }}{% endif %}";
    for source in [source.to_owned(), source.replace("{% if company %}{{ company }}{% endif %}", "")] {
        let compiled = ready(&html(&source));
        let rendered = compiled
            .render(&fields(&[("first_name", HOSTILE), ("company", HOSTILE), ("last_name", "SECRET")]), &Plain)
            .unwrap();
        assert!(!rendered.html.contains("<script"), "{}", rendered.html);
        assert!(!rendered.html.contains("<a href='javascript"));
        assert!(!rendered.html.contains("title=\"\""));
        assert!(!rendered.html.contains("SECRET"), "a value is never read as a template");
        let url = rendered.html.split("https://example.org/p?n=").nth(1).unwrap().split('"').next().unwrap();
        assert!(url.ends_with("&amp;x=1") && !url.contains(['<', '\'', ' ']), "{url}");
        assert!(!rendered.subject.contains(['\r', '\n']), "{:?}", rendered.subject);
        assert!(rendered.subject.contains("Bcc: x@y.z"), "kept, but in the same line");
        // Positive control: harmless data arrives as it is.
        let harmless = compiled.render(&fields(&[("first_name", "Jörg")]), &Plain).unwrap();
        assert!(harmless.html.contains("<p title=\"Jörg\">Hi Jörg</p>"), "{}", harmless.html);
        assert!(harmless.html.contains("p?n=J%C3%B6rg&amp;x=1"));
        assert_eq!(harmless.subject, "News for Jörg");
    }
}

/// A loop must not fill the places that the engine fills itself: they are written as they stand.
#[test]
fn a_loop_cannot_take_the_names_of_the_engine() {
    let around = |item: &str, body: &str| html(&format!("{{% for {item} in company %}}{body}{{% endfor %}}"));
    for (item, body) in [
        ("lk_preheader", "<body>x</body>"),
        ("lk_pixel", "<body>x</body>"),
        ("lk_link_1", "<a href=\"https://ok.example/\">x</a>"),
        ("unsubscribe_url", "<a href=\"{{ unsubscribe_url }}\">x</a>"),
        ("view_url", "<a href=\"{{ view_url }}\">x</a>"),
        ("sender_name", "{{ sender_name }}"),
        ("loop", "x"),
    ] {
        let found = problems(&around(item, body));
        assert!(found.contains("Broken") && found.contains("means something already"), "{item}: {found}");
        // Positive control: under another name the same loop is harmless.
        let rendered = ready(&around("item", body)).render(&fields(&[("company", HOSTILE)]), &Tracked).unwrap();
        assert!(
            !rendered.html.contains("<script") && !rendered.html.contains("href=\"javascript"),
            "{}",
            rendered.html
        );
    }
    // Nor is a field of such a name filled in, should an account have one.
    let known = BTreeSet::from(["lk_pixel".to_owned(), "loop".to_owned()]);
    for source in ["{{ lk_pixel }}", "{{ loop }}"] {
        let refused = compile(&html(source), &known).err().unwrap();
        assert!(refused.iter().any(|problem| problem.code == "tag.unknown"), "{source}: {refused:?}");
        assert!(compile_frozen(&html(source)).is_err(), "{source}");
    }
}

#[test]
fn frozen_content_needs_no_fields() {
    let content = html("{{ deleted|default('x') }}{% for item in gone %}{{ item }}{% endfor %}");
    assert!(problems(&content).contains("there is no field \"deleted\""));
    let compiled = compile_frozen(&content).unwrap();
    assert_eq!(compiled.fields_used(), ["deleted", "first_name", "gone"]);
    assert!(compiled.render(&Fields::default(), &Plain).unwrap().text.starts_with("x\n"));
}

#[test]
fn lines_are_those_of_the_source() {
    let source = "<p>\n{{ first_name|\ndefault('x') }}{# a\ncomment #}\n<b onclick=x>{{\nnope\n}}</b>\n<script></p>";
    let found = problems(&html(source));
    for part in ["line 5: the attribute onclick", "line 5: there is no field \"nope\"", "line 8: <script>"] {
        assert!(found.contains(part), "{part}: {found}");
    }
}

/// What content costs grows with its length: what is read again and again is limited.
#[test]
fn there_is_not_too_much_of_anything() {
    let mjml_of = |number: usize| mjml(&"<mj-divider />".repeat(number));
    let repeated = |bytes: usize, number: usize| {
        let (value, texts) = ("x".repeat(bytes), "<mj-text>x</mj-text>".repeat(number));
        let source = format!(
            "<mjml><mj-head><mj-attributes><mj-all font-family=\"{value}\" /></mj-attributes></mj-head>\
             <mj-body><mj-section><mj-column>{texts}</mj-column></mj-section></mj-body></mjml>"
        );
        Content::parse(input(Format::Mjml, &source)).unwrap()
    };
    let carousel = |pictures: usize| {
        let pictures = "<mj-carousel-image src=\"https://e.org/a.png\" />".repeat(pictures);
        mjml(&format!("<mj-carousel>{pictures}</mj-carousel>"))
    };
    for (content, part) in [
        (html(&"<b>".repeat(20_001)), "line 1: there are more than 20000 elements"),
        (mjml_of(5_001), "line 5: there are more than 5000 elements"),
        (repeated(5_000, 1_000), "too much HTML"),
        (carousel(101), "too much HTML"),
        (
            html(&format!("<p>\n{{{{ first_name|default('{}') }}}}</p>", "x".repeat(9_000))),
            "line 2: a tag begins with {{",
        ),
    ] {
        let found = problems(&content);
        assert!(found.contains("Broken") && found.contains(part), "{part}: {found}");
    }
    // Positive controls.
    ready(&html(&"<b>".repeat(19_990)));
    ready(&mjml_of(1_000));
    ready(&repeated(5_000, 20));
    assert!(!problems(&carousel(100)).contains("too much HTML"));
    ready(&html(&format!("{{{{ first_name|default('{}') }}}}", "x".repeat(8_000))));
    // Whoever makes every mistake is told a hundred of them.
    for source in ["{{ nope }}\n".repeat(3_000), "{{ \\' }}\n".repeat(50_000), "<b onx=1>\n".repeat(19_000)] {
        assert_eq!(compile(&html(&source), &known()).err().unwrap().len(), 100, "{}", &source[..10]);
    }
}

#[test]
fn an_unknown_tag_is_named_with_its_line_and_a_suggestion() {
    let found = problems(&html("<p>\nHello\n{{ firstname }}</p>"));
    assert!(
        found.contains("Broken source, line 3: there is no field \"firstname\". Did you mean first_name?"),
        "{found}"
    );
    let found = problems(&mjml("<mj-text>\nHello {{ frist_name }}</mj-text>"));
    assert!(found.contains("line 6: there is no field \"frist_name\". Did you mean first_name?"), "{found}");
    let mut with_subject = input(Format::Html, "x");
    with_subject.subject = "{{ nothing_like_it }}".into();
    let found = problems(&Content::parse(with_subject).unwrap());
    assert!(found.contains("subject, line 1: there is no field"), "{found}");
}

#[test]
fn a_template_that_loops_ends_with_its_line() {
    let items = "'a',".repeat(90);
    let list = format!("[{items}'b']");
    let inner = format!(
        "<p>\n{{% for a in {list} %}}\n{{% for b in {list} %}}{{% for c in {list} %}}x{{% endfor %}}{{% endfor %}}{{% endfor %}}</p>"
    );
    let found = problems(&html(&inner));
    assert!(found.contains("Broken source, line 3: the template takes too many steps"), "{found}");
    // Positive control.
    let found = problems(&html("{% for a in interests %}{{ loop.index }} {{ a }}{% endfor %}"));
    assert!(!found.contains("Broken") && !found.contains("Incomplete"), "{found}");
}

#[test]
fn output_is_limited() {
    let list = format!("[{}'b']", "'a',".repeat(90));
    let text = "x".repeat(2000);
    let found =
        problems(&html(&format!("{{% for a in {list} %}}{{% for a in {list} %}}{text}{{% endfor %}}{{% endfor %}}")));
    assert!(found.contains("grows beyond"), "{found}");
    let value = "y".repeat(2_000_000);
    let compiled = ready(&html("{{ first_name }}"));
    let error = compiled.render(&fields(&[("first_name", &value)]), &Plain).err();
    assert!(matches!(error, Some(RenderError::TooLarge { .. })), "{error:?}");
}

#[test]
fn header_fields_refuse_line_breaks() {
    for change in [
        |input: &mut ContentInput| input.subject = "a\r\nBcc: b@c.de".into(),
        |input: &mut ContentInput| input.preheader = "a\nb".into(),
        |input: &mut ContentInput| input.from_name = "a\u{2028}b".into(),
        |input: &mut ContentInput| input.subject = "a\u{0}b".into(),
    ] {
        let mut bad = input(Format::Html, "x");
        change(&mut bad);
        assert!(matches!(Content::parse(bad), Err(crate::ContentError::Control(_))));
    }
    let mut long = input(Format::Html, "x");
    long.source = "x".repeat(crate::limit::SOURCE + 1);
    assert!(matches!(Content::parse(long), Err(crate::ContentError::TooLong { part: "source", .. })));
}

#[test]
fn broken_mjml_is_refused_with_its_line() {
    for (body, part) in [
        ("<mj-text>Hi", "line "),
        ("<mj-section>x</mj-section", "line "),
        ("<mj-include path=\"/etc/passwd\" />", "line 5: mj-include is not available"),
    ] {
        let found = problems(&mjml(body));
        assert!(found.contains("Broken source, ") && found.contains(part), "{body}: {found}");
    }
    let found = problems(&mjml(&format!("<mj-text>{}</mj-text>", "<div>".repeat(5000))));
    assert!(found.contains("inside each other"), "{found}");
    let deep = format!("<mj-text>{}x{}</mj-text>", "<div>".repeat(50), "</div>".repeat(50));
    ready(&mjml(&deep));
    let not_mjml = Content::parse(input(Format::Mjml, "<p>hello</p>")).unwrap();
    assert!(problems(&not_mjml).contains("Broken"), "{}", problems(&not_mjml));
}

#[test]
fn tags_survive_mjml() {
    let body = "<mj-text>Hi {{ first_name|default(\"dear <friend>\") }}, {% if points and points > 3 %}many{% else %}few{% endif %}</mj-text>\n\
        {% if city == \"Köln\" %}<mj-text>Kölle</mj-text>{% endif %}\n\
        <mj-button href=\"https://example.org/?c={{ company|default(\"none\") }}\">Go</mj-button>\n\
        <mj-image src=\"https://example.org/a.png\" alt=\"{{ city }}\" href=\"https://example.org/img\" />";
    let compiled = ready(&mjml(body));
    let rendered = compiled.render(&Fields::default(), &Tracked).unwrap();
    assert!(rendered.html.contains("Hi dear &lt;friend&gt;, few"), "{}", rendered.html);
    assert!(!rendered.html.contains("Kölle"));
    assert!(rendered.html.contains("https://example.org/?c=none"));
    let mut koeln = fields(&[("city", "Köln"), ("company", "A & B"), ("first_name", "Zoë")]);
    koeln.insert("points", 7);
    let rendered = compiled.render(&koeln, &Tracked).unwrap();
    assert!(rendered.html.contains("Hi Zoë, many") && rendered.html.contains("Kölle"), "{}", rendered.html);
    assert!(rendered.html.contains("?c=A%20%26%20B"));
    assert!(rendered.html.contains("alt=\"Köln\""));
    assert!(rendered.html.contains("href=\"https://t.example/c/1?a=1&amp;b=2\""), "{}", rendered.html);
    assert!(!rendered.html.contains("fonts.googleapis"), "nothing is loaded from a third party");
    assert!(rendered.text.contains("Hi Zoë, many") && rendered.text.contains("Kölle"), "{}", rendered.text);
    assert!(rendered.text.contains("Go <https://example.org/?c=A%20%26%20B>"), "{}", rendered.text);
    assert!(!rendered.html.contains(['\u{2983}', '\u{2984}']) && !rendered.text.contains(['\u{2983}', '\u{2984}']));
}

#[test]
fn links_are_counted_only_with_consent() {
    let compiled = ready(&html(
        "<p><a href=\"https://example.org/a?x=1&amp;y=2\">First <b>one</b></a> <a href=\"mailto:a@b.de\">mail</a>\
         <a href='https://example.org/b'><img src=\"https://example.org/i.png\" alt=\"Logo\"></a></p>",
    ));
    let links: Vec<_> = compiled.links().iter().map(|l| (l.number, l.url.as_str(), l.label.as_str())).collect();
    assert_eq!(links, [(1, "https://example.org/a?x=1&y=2", "First one"), (2, "https://example.org/b", "Logo")]);
    let plain = compiled.render(&Fields::default(), &Plain).unwrap();
    assert!(plain.html.contains("href=\"https://example.org/a?x=1&amp;y=2\""));
    assert!(!plain.html.contains("width=\"1\""), "no picture that notices opens");
    assert!(plain.text.contains("First one <https://example.org/a?x=1&y=2>"), "{}", plain.text);
    let tracked = compiled.render(&Fields::default(), &Tracked).unwrap();
    assert!(tracked.html.contains("href=\"https://t.example/c/1?a=1&amp;b=2\""));
    assert!(tracked.html.contains("href=\"https://t.example/c/2?a=1&amp;b=2\""));
    assert!(tracked.html.contains("href=\"mailto:a@b.de\""));
    assert!(tracked.html.contains("<img src=\"https://t.example/o/1\""));
    assert!(tracked.text.contains("<https://t.example/c/1?a=1&b=2>"), "{}", tracked.text);
}

#[test]
fn everybody_can_leave() {
    for source in [
        "<p>Hi</p>",
        "<html><body><p>Hi</p></body></html>",
        "{% if city %}<a href=\"{{ unsubscribe_url }}\">x</a>{% endif %}",
    ] {
        let rendered = ready(&html(source)).render(&Fields::default(), &Tracked).unwrap();
        assert!(rendered.html.contains("<a href=\"https://t.example/u/1\""), "{}", rendered.html);
        assert!(rendered.html.contains("Bakery &lt;Müller&gt;<br>Bakery Müller<br>Markt 1"), "{}", rendered.html);
        assert!(rendered.text.contains("Unsubscribe: https://t.example/u/1"), "{}", rendered.text);
        assert!(rendered.text.contains("Markt 1"));
        assert_eq!(rendered.html.matches("</body>").count(), 1);
    }
    let own = ready(&html("<a href=\"{{ unsubscribe_url }}\">Leave</a> {{ postal_address }}"));
    let rendered = own.render(&Fields::default(), &Tracked).unwrap();
    assert_eq!(rendered.html.matches("/u/1").count(), 1, "{}", rendered.html);
    let mut with_text = input(Format::Html, "<p>x</p>");
    with_text.text = Some("Hello {{ first_name }}".into());
    let rendered =
        ready(&Content::parse(with_text).unwrap()).render(&fields(&[("first_name", "<A>")]), &Tracked).unwrap();
    assert!(rendered.text.starts_with("Hello <A>\n\nBakery") && rendered.text.contains("/u/1"), "{}", rendered.text);
}

#[test]
fn what_must_not_be_sent_is_refused() {
    for (source, part) in [
        ("<p><script>x</script>", "<script> does not work"),
        ("<iframe src='https://x.de'></iframe>", "<iframe> does not work"),
        ("<svg onload=x>", "<svg> does not work"),
        ("<img src=x.png onerror='a()'>", "the attribute onerror"),
        ("<a href='javascript:x'>a</a>", "leads nowhere that is allowed"),
        ("<img src='data:image/png;base64,AA' alt=''>", "leads nowhere that is allowed"),
        ("<a href='{{ website }}'>a</a>", "begins with contact data"),
        ("<p style='color:{{ city }}'>a</p>", "stands in the attribute style"),
        ("<style>p { color: {{ city }} }</style>", "stands in a style"),
        ("<p {{ city }}>a</p>", "cannot be read"),
        ("<p {% if city %}class='a'{% endif %}>a</p>", "cannot be read"),
        ("<{{ city }}>a</p>", ""),
        ("<p title='{% if city %}a'>b</p>{% endif %}", "begins inside the value"),
        ("{% if city %}a", "never ends"),
        ("a{% endif %}", "has no beginning"),
        ("{% if city %}{% endfor %}", "has no beginning"),
    ] {
        let found = problems(&html(source));
        if part.is_empty() {
            assert!(!found.contains("Broken"), "{source}: {found}");
        } else {
            assert!(found.contains("Broken") && found.contains(part), "{source}: {found}");
        }
    }
    // `<` before a tag is text, and stays text whatever the value is.
    let rendered = ready(&html("<{{ city }} onload=x>")).render(&fields(&[("city", "script")]), &Plain).unwrap();
    assert!(rendered.html.contains("&lt;script onload=x>"), "{}", rendered.html);
}

#[test]
fn incomplete_content_can_be_shown_but_not_sent() {
    let mut bare = input(Format::Html, "<img src=\"https://e.org/a.png\"><p>Hi</p>");
    bare.subject = String::new();
    bare.postal_address = String::new();
    let content = Content::parse(bare).unwrap();
    let found = problems(&content);
    for part in ["Incomplete subject: the subject is empty", "Incomplete postal_address: ", "no alternative text"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    assert!(preview(&ready(&content), &Fields::default()).is_ok());
    let large = html(&format!("<p>{}</p>", "word ".repeat(25_000)));
    assert!(problems(&large).contains("Gmail cuts it"), "{}", problems(&large));
}

#[test]
fn missing_fields_are_those_without_a_default() {
    let compiled = ready(&html(
        "{{ first_name }} {{ last_name|default('x') }} {{ company or city }} {% if city %}{{ city }}{% endif %} {{ points }}",
    ));
    assert_eq!(compiled.missing(&Fields::default()), ["first_name", "points"]);
    let mut whole = fields(&[("first_name", "A")]);
    whole.insert("points", 0);
    assert_eq!(compiled.missing(&whole), Vec::<&str>::new());
    assert_eq!(compiled.fields_used(), ["city", "company", "first_name", "last_name", "points"]);
}

#[test]
fn braces_that_stand_alone_stay_braces() {
    // The comment goes away, and what is left must not become a tag.
    let source = "<style>a{b:c}</style><p>{<!-- c -->{ first_name }} {% if city %}{% endif %}{</p>";
    let rendered = ready(&html(source)).render(&fields(&[("first_name", "SECRET")]), &Plain).unwrap();
    assert!(
        rendered.html.contains("a{b:c}") && rendered.html.contains("<p>{{ first_name }} {</p>"),
        "{}",
        rendered.html
    );
}

/// Found by fuzzing: the MJML parser takes a comment that begins like the end of a condition for one, and panics.
#[test]
fn a_panic_of_the_mjml_parser_refuses_the_content() {
    for comment in ["<!--<![endif", "<!--<![endifad>", "<!--<![endif]", "<!--<![endif]--"] {
        let source = format!("<mjml><mj-body>{comment}</mj-body></mjml>");
        let content = Content::parse(input(Format::Mjml, &source)).unwrap();
        let problems = compile(&content, &known()).err().unwrap();
        assert!(problems.iter().any(|problem| problem.code.starts_with("mjml.")), "{comment}");
    }
}

/// Whatever the source is, an answer comes out within the limits, and no value becomes markup or a second header line.
fn check_any(source: &str, format: Format) {
    let mut input = input(format, source);
    input.subject = source.chars().filter(|c| !crate::content::breaks_a_line(*c)).take(60).collect();
    let Ok(content) = Content::parse(input) else { return };
    let Ok(compiled) = compile(&content, &known()) else { return };
    let hostile = "\"><x y='\n{{ z }}";
    if let Ok(rendered) = compiled.render(&fields(&[("first_name", hostile), ("interests", hostile)]), &Tracked) {
        assert!(rendered.html.len() <= MAX_HTML && rendered.text.len() <= MAX_TEXT + 1);
        assert!(!rendered.html.contains("<x y="));
        assert!(!rendered.subject.contains(['\r', '\n']));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_it_panic(source in "\\PC{0,200}") {
        check_any(&source, Format::Html);
        check_any(&source, Format::Mjml);
    }

    #[test]
    fn no_markup_makes_it_panic(pieces in prop::collection::vec(prop::sample::select(vec![
        "<", ">", "</", "/>", "<!--", "-->", "<![endif]-->", "<!--[if mso]>", "<p", " a=", "\"", "'", "{{", "}}", "{%", "%}",
        " if ", " endif ", " for x in interests ", " endfor ", " else ", "first_name", "|default('a')", "&amp;", "href=",
        "https://e.org/", "<a ", "<style>", "</style>", "<title>", "<body>", "</body>", "<mjml>", "<mj-body>", "<mj-section>",
        "<mj-column>", "<mj-text>", "</mj-text>", "</mj-column>", "</mj-section>", "</mj-body>", "</mjml>", "<mj-image src='",
        " width='", "0", "-1px", "100%", "ü", "\n", "{", "}", "#", "<mj-button ", "<br>", "\u{2983}", "1",
        "{% for lk_preheader in interests %}", "{% for lk_pixel in interests %}", "{% for lk_link_1 in interests %}", "{% for ",
        " in interests %}", "{% endfor %}", "lk_link_1", "lk_pixel", "lk_preheader", "unsubscribe_url", "sender_name", "loop",
        "<a href='https://e.org/'>l</a>", "<a href='{{ unsubscribe_url }}'>", "{{ unsubscribe_url }}", "{{ interests }}",
    ]), 0..40)) {
        let source: String = pieces.concat();
        check_any(&source, Format::Html);
        check_any(&source, Format::Mjml);
    }

    #[test]
    fn both_ways_to_render_agree(value in "\\PC{0,40}", before in "[a-z{}%# <>&]{0,20}") {
        // A statement that does nothing makes the engine do what segments do otherwise.
        let body = format!("<p>{before}</p>{{{{ first_name }}}} {{{{ last_name|default('x') }}}} <a href=\"https://e.org/?a={{{{ city }}}}\">l</a>");
        let values = fields(&[("first_name", &value), ("last_name", &value), ("city", &value)]);
        let render = |source: &str| compile(&html(source), &known()).ok().map(|c| c.render(&values, &Tracked).map(|r| (r.html, r.text)));
        let fast = render(&body);
        let slow = render(&format!("{body}{{% if city %}}{{% endif %}}"));
        prop_assert_eq!(fast, slow);
    }
}
