//! What somebody with the database files learns, and what they can move around in them.

use letterkeep_audience::contact::{self, ReadError};
use letterkeep_audience::field::{self, NewField};
use letterkeep_audience::permission::{self, Evidence, Source};
use letterkeep_audience::value::FieldKind;
use letterkeep_audience::{ContactRecord, FieldValue, Permission, StandardField};
use letterkeep_testkit::for_each_database;
use letterkeep_vault::OpenError;

use crate::Desk;

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn no_planted_value_is_found_in_the_database() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let mut record = ContactRecord::new("canaryq1@canaryq2.example".parse().unwrap());
        let mut planted = vec!["canaryq1".to_owned(), "canaryq2".to_owned()];
        for (number, field) in StandardField::all().enumerate() {
            let text = match field {
                StandardField::Email | StandardField::Birthday | StandardField::Anniversary => continue,
                StandardField::Phone(_) => format!("+4930777{number:04}"),
                _ => format!("canaryx{number}x"),
            };
            record.put(field, &text).unwrap();
            planted.push(text);
        }
        record.custom.insert("secret".into(), FieldValue::Text("canarycustom".into()));
        planted.extend(["canarycustom".to_owned(), "canaryevidence".to_owned()]);
        let id = desk.create(record.clone(), Permission::Implicit).await;
        desk.write(async |tx| {
            let new = NewField {
                merge_key: "secret".into(),
                label: "positivecontrol".into(),
                kind: FieldKind::Text,
                options: Vec::new(),
                currency: None,
            };
            field::create(&desk.ctx, tx, &new).await.unwrap();
            record.job_title = "canaryedited".into();
            contact::update(&desk.ctx, tx, &desk.keyring, id, 1, &record).await.unwrap();
            let evidence = Evidence::note("canaryevidence");
            let leave = Some(&evidence);
            permission::unsubscribe(&desk.ctx, tx, &desk.keyring, id, Source::Page, leave).await.unwrap();
        })
        .await;
        planted.push("canaryedited".into());
        let bytes = house.raw_bytes().await;
        assert!(holds(&bytes, "positivecontrol"), "the search itself works: labels of fields are not secret");
        for text in planted {
            assert!(!holds(&bytes, &text), "{text} stands in the {} database", house.database);
        }
        // The account's own people do read it.
        assert_eq!(desk.find(id).await.record, record);
    })
    .await;
}

#[tokio::test]
async fn a_record_moved_to_another_contact_does_not_open() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let (a, b) = (desk.contact("a@example.org").await, desk.contact("b@example.org").await);
        let literal = |id: letterkeep_model::Id<letterkeep_model::kind::Contact>| {
            let hex = id.uuid().simple().to_string();
            if house.database == "sqlite" { format!("X'{hex}'") } else { format!("'{hex}'::uuid") }
        };
        let sql = format!(
            "UPDATE contact SET record = (SELECT o.record FROM contact o WHERE o.contact_id = {}) WHERE contact_id = {}",
            literal(b),
            literal(a)
        );
        assert_eq!(house.tamper(&sql).await, 1);
        let mut tx = house.store.db.read().await.unwrap();
        let moved = contact::find(&desk.ctx, &mut tx, &desk.keyring, a).await;
        assert!(matches!(
            moved,
            Err(ReadError::Sealed { contact, reason: OpenError::Refused }) if contact == a
        ));
        let batch = contact::open_batch(&desk.ctx, &mut tx, &desk.keyring, &[b, a]).await;
        assert!(batch.is_err(), "a moved record never reaches a message");
        drop(tx);
        assert_eq!(desk.find(b).await.record.email.as_str(), "b@example.org");
    })
    .await;
}
