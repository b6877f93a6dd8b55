use letterkeep_audience::contact::Filter;
use letterkeep_audience::export::{Export, Format, Options};
use letterkeep_audience::field::{self, NewField};
use letterkeep_audience::import;
use letterkeep_audience::permission::{self, Source};
use letterkeep_audience::{
    ContactRecord, Decimal, FieldKind, FieldValue, Notation, Permission, StandardField, TrackingConsent, contact, list,
    tag,
};
use letterkeep_model::{Id, kind};
use letterkeep_store::audit;
use letterkeep_testkit::{TestHouse, for_each_database};

use crate::Desk;

async fn export(desk: &Desk<'_>, format: Format, filter: Filter) -> String {
    let export = Export::begin(&desk.ctx, &desk.house.store, Options { format, filter }).await.unwrap();
    let mut bytes = Vec::new();
    export.write(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Two custom fields: a number and a text.
async fn make_fields(desk: &Desk<'_>) {
    for (key, kind) in [("balance", FieldKind::Number), ("remark", FieldKind::Text)] {
        let (merge_key, label) = (key.to_owned(), key.to_owned());
        let new = NewField { merge_key, label, kind, options: Vec::new(), currency: None };
        desk.write(async |tx| field::create(&desk.ctx, tx, &new).await.unwrap()).await;
    }
}

/// A contact that would run formulas wherever it can.
fn hostile() -> ContactRecord {
    let mut record = ContactRecord::new("+plus@example.org".parse().unwrap());
    for (field, text) in [
        (StandardField::FirstName, "=HYPERLINK(\"http://evil.example\")"),
        (StandardField::LastName, "Müller, \"Jörg\""),
        (StandardField::Company, "@SUM(A1)"),
        (StandardField::JobTitle, "'=quoted"),
        (StandardField::Phone(letterkeep_audience::PhoneKind::Mobile), "+49 (30) 123-45"),
        (StandardField::Phone(letterkeep_audience::PhoneKind::Work), "+49 cmd|'/c calc'!A1"),
        (StandardField::Birthday, "24.12."),
        (StandardField::Notes, "one\ntwo; -three;\n \"=cmd|' /C calc'!A0"),
    ] {
        record.put(field, text).unwrap();
    }
    let number = Decimal::parse("-12.5", Notation::Any).unwrap();
    record.custom.insert("balance".into(), FieldValue::Number(number));
    record.custom.insert("remark".into(), FieldValue::Text("+49 30 123".into()));
    record
}

async fn refused(desk: &Desk<'_>, file: Id<kind::File>) -> String {
    let mut stream = import::FileStream::open(&desk.house.store, desk.ctx.account, file).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = stream.next().await.unwrap() {
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text).unwrap()
}

/// The cells as a program reads them that cuts at `separator` and takes quotes for quotes only where they begin a cell,
/// or, without a separator, line by line.
fn foreign_cells(text: &str, separator: Option<u8>) -> Vec<String> {
    let Some(separator) = separator else { return text.lines().map(str::to_owned).collect() };
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).flexible(true).delimiter(separator).from_reader(text.as_bytes());
    reader.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Whether a spreadsheet would run the cell; a number or a telephone number is harmless.
fn runs(cell: &str) -> bool {
    let cell = cell.trim_start_matches([' ', '"']);
    let number = cell.chars().all(|char| char.is_ascii_digit() || "+ ()./,-".contains(char));
    cell.starts_with(['=', '+', '-', '@']) && !number
}

#[tokio::test]
async fn no_program_finds_a_formula_in_an_export_or_a_file_of_refused_rows() {
    let house = &TestHouse::sqlite().await;
    let desk = Desk::of(house).await;
    make_fields(&desk).await;
    desk.create(hostile(), Permission::Explicit).await;
    let exported = export(&desk, Format::Csv { bom: false }, Filter::default()).await;
    let hostile = "x;=cmd|' /C calc'!A0;\t@x";
    let file = format!("E-Mail,Notizen,Firma\nnobody,\"one\n=two\",\"{hostile}\"\n=bad,'=1,\"a\"\"\n;\"\"=b\"\n");
    let (import, progress) =
        import::import_file(&desk.ctx, &house.store, "x.csv", &mut file.as_bytes(), |preview| preview.settings, |_| {})
            .await
            .unwrap();
    let refused = refused(&desk, progress.rejects.unwrap()).await;
    assert_eq!((progress.import, progress.rejected), (import, 2));
    for text in [&exported, &refused] {
        for separator in [Some(b','), Some(b';'), Some(b'\t'), Some(b'|'), None] {
            let cells = foreign_cells(text, separator);
            let found = cells.iter().filter(|cell| runs(cell)).collect::<Vec<_>>();
            assert!(found.is_empty(), "{separator:?}: {found:?}");
        }
    }
    // Positive control: without the guard each of these programs finds something to run.
    for separator in [Some(b','), Some(b';'), Some(b'\t'), Some(b'|'), None] {
        assert!(
            foreign_cells(&format!("{hostile}|=1\n=2,3"), separator).iter().any(|cell| runs(cell)),
            "{separator:?}"
        );
    }
    assert!(refused.contains("x;'=cmd|' /C calc'!A0;\t'@x"), "{refused}");
}

#[tokio::test]
async fn what_is_exported_can_be_imported_elsewhere_and_is_the_same() {
    for_each_database(async |house| {
        let (desk, other) = (Desk::of(house).await, Desk::of(house).await);
        make_fields(&desk).await;
        make_fields(&other).await;
        let record = hostile();
        let contact = desk.create(record.clone(), Permission::Explicit).await;
        desk.write(async |tx| {
            let tag = tag::create(&desk.ctx, tx, "=News").await.unwrap();
            tag::add(&desk.ctx, tx, tag, &[contact]).await.unwrap();
            let (given, source) = (TrackingConsent::Given, Source::Manual);
            permission::set_tracking(&desk.ctx, tx, &desk.keyring, contact, given, source, None).await.unwrap();
        })
        .await;
        desk.contact("second@example.org").await;
        let text = export(&desk, Format::Csv { bom: true }, Filter::default()).await;
        let decide = |preview: import::Preview| {
            let mut settings = preview.settings;
            settings.evidence = "the export".into();
            settings.tracking_evidence = "the export".into();
            settings
        };
        let (_, progress) =
            import::import_file(&other.ctx, &house.store, "x.csv", &mut text.as_bytes(), decide, |_| {}).await.unwrap();
        if let Some(file) = progress.rejects {
            panic!("{}", refused(&other, file).await);
        }
        assert_eq!(progress.created, 2);
        let mut tx = house.store.db.read().await.unwrap();
        let found = contact::find_by_email(&other.ctx, &mut tx, &other.keyring, &record.email).await.unwrap().unwrap();
        assert_eq!(found.record, record);
        assert_eq!((found.permission, found.tracking), (Permission::Explicit, TrackingConsent::Given));
        assert!(tag::find_by_name(&other.ctx, &mut tx, "=News").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn an_export_says_what_is_known_as_text_and_as_data() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        make_fields(&desk).await;
        let record = hostile();
        desk.create(record.clone(), Permission::Explicit).await;
        let text = export(&desk, Format::Csv { bom: true }, Filter::default()).await;
        let text = text.strip_prefix('\u{feff}').expect("the mark");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let head = reader.headers().unwrap().clone();
        let row = reader.records().next().unwrap().unwrap();
        let cell = |name: &str| &row[head.iter().position(|column| column == name).unwrap()];
        assert_eq!(cell("first_name"), "'=HYPERLINK(\"http://evil.example\")");
        assert_eq!(cell("company"), "'@SUM(A1)");
        assert_eq!(cell("email"), "'+plus@example.org");
        assert_eq!(cell("phone_mobile"), "+49 (30) 123-45", "a phone number stays readable");
        assert_eq!(cell("phone_work"), "'+49 cmd|'/c calc'!A1");
        assert_eq!((cell("balance"), cell("permission")), ("-12.5", "explicit"));
        assert_eq!(cell("notes"), "one\ntwo; '-three;\n \"'=cmd|' /C calc'!A0");
        assert_eq!(cell("remark"), "+49 30 123");

        let lines = export(&desk, Format::JsonLines, Filter::default()).await;
        let object = serde_json::from_str::<serde_json::Value>(&lines).unwrap();
        assert_eq!(object["custom"]["balance"], serde_json::json!(-12.5));
        assert_eq!(object["first_name"], "=HYPERLINK(\"http://evil.example\")");
        let array = export(&desk, Format::Json, Filter::default()).await;
        assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&array).unwrap(), [object]);
    })
    .await;
}

#[tokio::test]
async fn an_export_has_every_contact_of_the_list_and_is_audited() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let (a, _b) = (desk.contact("a@example.org").await, desk.contact("b@example.org").await);
        let list = desk
            .write(async |tx| {
                let list = list::create(&desk.ctx, tx, "=News", "").await.unwrap();
                list::add(&desk.ctx, tx, list, &[a]).await.unwrap();
                list
            })
            .await;
        let csv = export(&desk, Format::Csv { bom: false }, Filter { list: Some(list), ..Filter::default() }).await;
        assert!(csv.contains("a@example.org") && !csv.contains("b@example.org"));
        assert!(csv.contains(",'=News,"));
        let empty = Filter { permission: Some(Permission::Explicit), ..Filter::default() };
        assert_eq!(export(&desk, Format::Json, empty).await.split_whitespace().collect::<String>(), "[]");
        let mut tx = house.store.db.read().await.unwrap();
        let entries = audit::page(&mut tx, desk.ctx.account, i64::MAX, 10).await.unwrap();
        let entries = entries.iter().map(|entry| (&entry.action[..], &entry.detail[..])).collect::<Vec<_>>();
        assert!(entries.contains(&("contact.export", r#"{"contacts":1}"#)), "{entries:?}");
        assert_eq!(entries.iter().filter(|(action, _)| *action == "contact.export.begin").count(), 2);
        assert!(matches!(audit::verify(&mut tx, desk.ctx.account).await.unwrap(), audit::Chain::Whole(_)));
    })
    .await;
}
