use std::fmt::Write as _;
use std::path::Path;

use crate::visitor::Visitor;

/// Rows of the file that are good; five more stand twice or cannot be read.
pub(crate) const GOOD: usize = 195;

/// A small file of the kind that a shop has.
pub(crate) fn contacts(directory: &Path) -> std::path::PathBuf {
    const FIRST: [&str; 10] =
        ["Käthe", "Jörg", "Anna", "Søren", "Grace", "Mehmet", "Friederike", "Óscar", "Lea", "Günther"];
    const LAST: [&str; 9] = ["Müller", "Groß", "Yılmaz", "O’Brien", "Schäfer", "Kühn", "Petersen", "Novák", "Weiß"];
    const TOWN: [&str; 5] = ["Freiburg", "Köln", "Emmendingen", "Lörrach", "Basel"];
    let mut text = "E-Mail;Vorname;Nachname;Firma;PLZ;Ort;Kundennummer;Lieblingskiste\n".to_owned();
    for row in 0..GOOD {
        let (first, last) = (FIRST[row % FIRST.len()], LAST[row % LAST.len()]);
        let company = if row % 7 == 0 { "\"Bäckerei; Café \"\"Zur Mühle\"\"\"" } else { "" };
        let town = TOWN[row % TOWN.len()];
        writeln!(text, "kunde{row}@example.com;{first};{last};{company};79{row:03};{town};K-{row:05};Gemüse").unwrap();
    }
    text.push_str("kunde3@example.com;Doppelt;Müller;;;;;\nKUNDE4@example.com;Doppelt;Groß;;;;;\n");
    text.push_str("keine Adresse;Ohne;Adresse;;;;;\n;Leere;Adresse;;;;;\nzu@wenige.example;Felder\n");
    let file = directory.join("kunden.csv");
    std::fs::write(&file, text).unwrap();
    file
}

/// The wizard from its first question to its result, and the contacts afterwards.
pub(crate) async fn import(visitor: &mut Visitor, directory: &Path) {
    visitor.open("/contacts").await;
    visitor.look("contacts-empty").await;
    visitor.open("/imports").await;
    visitor.look("imports-empty").await;
    visitor.follow("main a[href='/imports/new']").await;
    visitor.look("import-file").await;
    visitor.choose("permission", "explicit").await;
    visitor.browser.fill("#evidence", "Anmeldung im Laden, Karten im Ordner „Newsletter 2026“").await;
    visitor.attach("#file", &contacts(directory)).await;
    visitor.submit("/imports/new").await;

    visitor.browser.wait_for("[name='target-0']").await;
    visitor.browser.fill("#new_list", "Stammkunden").await;
    visitor.browser.fill("#new_tag", "Hofladen").await;
    visitor.browser.click("#tracking").await;
    visitor.browser.fill("#tracking_evidence", "Zweites Kreuz auf derselben Karte").await;
    visitor.look("import-columns").await;
    visitor.submit("/mapping").await;

    visitor.browser.wait_for("main form[action$='/start'] button").await;
    visitor.look("import-check").await;
    visitor.submit("/start").await;
    // A picture only: what is under way moves on while it is inspected.
    visitor.browser.screenshot("import-progress").await;
    visitor.browser.wait_for("main a.button-primary[href^='/contacts?list=']").await;
    let result = visitor.browser.text("main").await;
    assert!(result.contains(&GOOD.to_string()), "{result}");
    visitor.look("import-result").await;
    let import = visitor.path().await;
    visitor.open(&format!("{import}/undo")).await;
    visitor.look("import-undo").await;
    visitor.open(&import).await;
    visitor.follow("main a.button-primary[href^='/contacts?list=']").await;
}

pub(crate) async fn walk(visitor: &mut Visitor) {
    visitor.browser.wait_for("main table").await;
    visitor.look_closely("contacts").await;
    visitor.browser.fill("main form[action='/contacts/find'] #email", "kunde5@example.com").await;
    visitor.submit("/contacts/find").await;
    let page = visitor.browser.text("main").await;
    assert!(page.contains("kunde5@example.com"), "{page}");
    visitor.look_closely("contact").await;
    let contact = visitor.path().await;
    for (page, name) in [("edit", "contact-edit"), ("permission", "contact-permission"), ("erase", "contact-erase")] {
        visitor.open(&format!("{contact}/{page}")).await;
        visitor.look(name).await;
    }
    visitor.open("/contacts").await;
    visitor.browser.fill("main form[action='/contacts/find'] #email", "niemand@example.com").await;
    visitor.submit("/contacts/find").await;
    visitor.look("contacts-not-found").await;
    visitor.open("/contacts?permission=unsubscribed").await;
    visitor.look("contacts-filtered").await;
    visitor.open("/contacts/export").await;
    visitor.look("contacts-export").await;
    visitor.open("/imports").await;
    visitor.look("imports").await;
    groups(visitor).await;
    visitor.open("/suppressions").await;
    visitor.look("suppressions").await;
}

async fn groups(visitor: &mut Visitor) {
    visitor.open("/lists/new").await;
    visitor.look("list-new").await;
    visitor.browser.fill("#name", "Wochenmarktstammkundschaftsrundbriefempfänger in Freiburg-Wiehre").await;
    visitor.submit("/lists/new").await;
    visitor.look_closely("lists").await;
    visitor.follow("main a[href$='/delete']").await;
    visitor.look("list-delete").await;
    visitor.open("/tags/new").await;
    visitor.browser.fill("#name", "Messe 2026").await;
    visitor.submit("/tags/new").await;
    visitor.look("tags").await;
    visitor.open("/fields/new").await;
    visitor.browser.fill("#label", "Abholtag").await;
    visitor.choose("kind", "select").await;
    visitor.browser.fill("#options", "Mittwoch\nSamstag").await;
    visitor.look("field-new").await;
    visitor.submit("/fields/new").await;
    visitor.look("fields").await;
}

/// Adds somebody by hand.
pub(crate) async fn add_contact(visitor: &mut Visitor, inspects: bool) {
    visitor.open("/contacts/new").await;
    if inspects {
        visitor.look("contact-new").await;
    }
    visitor.browser.fill("main #email", "birgit.oelmueller@example.com").await;
    visitor.browser.fill("#first_name", "Birgit").await;
    visitor.browser.fill("#last_name", "Ölmüller").await;
    visitor.choose("permission", "explicit").await;
    visitor.browser.fill("#evidence", "Am Telefon bestellt, Notiz vom 3. Oktober").await;
    visitor.submit("/contacts/new").await;
    let page = visitor.browser.text("main").await;
    assert!(page.contains("Birgit Ölmüller") && !visitor.exists("#errors").await, "{page}");
}
