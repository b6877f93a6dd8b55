use letterkeep_audience::contact::Filter;
use letterkeep_audience::export::{Export, Format, Options, guard, unguard};
use letterkeep_audience::field::{self, NewField};
use letterkeep_audience::{ContactRecord, Decimal, FieldKind, FieldValue, Notation, Permission, StandardField, list};
use letterkeep_store::audit;
use letterkeep_testkit::for_each_database;

use crate::Desk;

async fn export(desk: &Desk<'_>, format: Format, filter: Filter) -> String {
    let export = Export::begin(&desk.ctx, &desk.house.store, Options { format, filter }).await.unwrap();
    let mut bytes = Vec::new();
    export.write(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn what_is_exported_reads_back_and_runs_no_formula() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let new = NewField {
            merge_key: "balance".into(),
            label: "Balance".into(),
            kind: FieldKind::Number,
            options: Vec::new(),
            currency: None,
        };
        desk.write(async |tx| field::create(&desk.ctx, tx, &new).await.unwrap()).await;
        let mut record = ContactRecord::new("+plus@example.org".parse().unwrap());
        for (field, text) in [
            (StandardField::FirstName, "=HYPERLINK(\"http://evil.example\")"),
            (StandardField::LastName, "Müller, \"Jörg\""),
            (StandardField::Company, "@SUM(A1)"),
            (StandardField::JobTitle, "'=quoted"),
            (StandardField::Phone(letterkeep_audience::PhoneKind::Mobile), "+49 (30) 123-45"),
            (StandardField::Phone(letterkeep_audience::PhoneKind::Work), "+49 cmd|'/c calc'!A1"),
            (StandardField::Birthday, "24.12."),
            (StandardField::Notes, "one\ntwo; -three"),
        ] {
            record.put(field, text).unwrap();
        }
        let number = Decimal::parse("-12.5", Notation::Any).unwrap();
        record.custom.insert("balance".into(), FieldValue::Number(number));
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
        let mut back = ContactRecord::new("x@example.org".parse().unwrap());
        for field in StandardField::all() {
            back.put(field, unguard(cell(field.name()))).unwrap();
        }
        back.custom = record.custom.clone();
        assert_eq!(back, record);

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

#[test]
fn the_guard_can_be_undone() {
    for text in ["", "plain", "=1", "'=1", "''=1", "'quoted'", "-", "+4930", "@x", "\ttab", "＝1"] {
        assert_eq!(unguard(&guard(text)), text);
    }
    assert_eq!(guard("=1"), "'=1");
    assert_eq!(guard("plain"), "plain");
}
