//! Who has said no stays out, whatever a file, an undo or an erasure does.

use std::fmt::Write as _;

use letterkeep_audience::import::{Settings, State, dry_run, stage, undo};
use letterkeep_audience::permission::{self, Source};
use letterkeep_audience::suppression::{self, Suppression};
use letterkeep_audience::{Permission, SuppressionReason, contact};
use letterkeep_model::{Ctx, EmailAddress, Id};
use letterkeep_store::contact as rows;
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_vault::Keyring;

use crate::{found, imported, rejects, total, uploaded};

fn explicit(settings: &mut Settings) {
    settings.permission = Permission::Explicit;
    settings.evidence = "asserted".into();
    settings.tracking_evidence = "asserted".into();
}

fn address(email: &str) -> EmailAddress {
    EmailAddress::parse(email).unwrap()
}

async fn suppressed(house: &TestHouse, ctx: &Ctx, keyring: &Keyring, email: &str) -> Option<SuppressionReason> {
    let mut tx = house.store.db.read().await.unwrap();
    let found = suppression::check(ctx, &mut tx, keyring, &address(email)).await.unwrap();
    found.map(|Suppression { reason, .. }| reason)
}

/// The permission and the tracking consent of a contact.
async fn stands(house: &TestHouse, ctx: &Ctx, keyring: &Keyring, email: &str) -> (String, String) {
    let (row, _) = found(house, ctx, keyring, email).await.unwrap();
    (row.permission, row.tracking)
}

#[tokio::test]
async fn a_no_from_a_file_outlives_erasure_and_undo() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        imported(house, &ctx, b"E-Mail\nknown@example.com\nyes@example.com\n", explicit).await;
        let file = b"E-Mail,Einwilligung,Vorname\nknown@example.com,abgemeldet,K\nnew@example.com,abgemeldet,N\nyes@example.com,ja,Y\n";
        let (import, progress) = imported(house, &ctx, file, explicit).await;
        assert_eq!((progress.created, progress.updated), (1, 2));
        for email in ["known@example.com", "new@example.com"] {
            let reason = suppressed(house, &ctx, &keyring, email).await;
            assert_eq!(reason, Some(SuppressionReason::Unsubscribed), "{email}");
        }
        assert_eq!(suppressed(house, &ctx, &keyring, "yes@example.com").await, None, "the positive control");

        let undone = undo::undo_now(&ctx, &house.store, import).await.unwrap();
        assert_eq!((undone.removed, undone.restored, undone.kept), (1, 2, 0));
        let (known, record) = found(house, &ctx, &keyring, "known@example.com").await.unwrap();
        assert_eq!((known.permission.as_str(), record.first_name.as_str()), ("unsubscribed", ""));
        let mut tx = house.store.db.write().await.unwrap();
        let contact = Id::from_uuid(known.contact_id);
        let history = permission::history(&ctx, &mut tx, &keyring, contact).await.unwrap();
        let states = history.iter().map(|change| (&change.before[..], &change.after[..])).collect::<Vec<_>>();
        assert_eq!(states, [("explicit", "unsubscribed"), ("not_set", "explicit")]);
        contact::delete(&ctx, &mut tx, &[contact]).await.unwrap();
        tx.commit().await.unwrap();

        let again = b"E-Mail\nknown@example.com\nnew@example.com\nyes@example.com\n";
        imported(house, &ctx, again, explicit).await;
        for (email, permission) in
            [("known@example.com", "unsubscribed"), ("new@example.com", "unsubscribed"), ("yes@example.com", "explicit")]
        {
            assert_eq!(stands(house, &ctx, &keyring, email).await.0, permission, "{email}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_no_counts_whatever_else_is_wrong_with_its_row() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        // 45 KB of text, and as much again in other fields: together they exceed what a contact may hold.
        let texts = |from: usize| {
            (from..from + 9).fold((String::new(), String::new()), |(mut head, mut row), at| {
                write!(head, ",Text {at}").unwrap();
                write!(row, ",{}", "x".repeat(4999)).unwrap();
                (head, row)
            })
        };
        let ((head, row), (other_head, other_row)) = (texts(0), texts(10));
        imported(house, &ctx, format!("E-Mail{head}\nfull@example.com{row}\n").as_bytes(), explicit).await;
        imported(house, &ctx, b"E-Mail\ndamaged@example.com\ncell@example.com\n", explicit).await;
        let (damaged, _) = found(house, &ctx, &keyring, "damaged@example.com").await.unwrap();
        let mut tx = house.store.db.write().await.unwrap();
        let broken = rows::EditedContact {
            contact: Id::from_uuid(damaged.contact_id),
            revision: damaged.revision,
            email_index: damaged.email_index[..].try_into().unwrap(),
            record: b"not a sealed record",
            key_version: 1,
            updated_at: 0,
        };
        assert!(rows::update(&mut tx, account, &broken).await.unwrap());
        tx.commit().await.unwrap();

        let blank = ",".repeat(9);
        let file = format!(
            "E-Mail,Einwilligung,Tracking,Geburtstag{other_head}\n\
             full@example.com,abgemeldet,nein,{other_row}\n\
             damaged@example.com,abgemeldet,,{blank}\n\
             cell@example.com,abgemeldet,,99.99.{blank}\n\
             stranger@example.com,abgemeldet,,99.99.{blank}\n\
             last@example.com,ja,,{blank}\n"
        );
        let import = uploaded(house, &ctx, "second.csv", file.as_bytes()).await;
        let mut settings = stage::preview(&ctx, &house.store, import).await.unwrap().with_new_fields();
        explicit(&mut settings);
        stage::configure(&ctx, &house.store, import, &settings).await.unwrap();
        let dry = dry_run::dry_run(&ctx, &house.store, import).await.unwrap();
        let (import, progress) = imported(house, &ctx, file.as_bytes(), explicit).await;
        assert_eq!((progress.state, progress.created, progress.rejected), (State::Done, 1, 4));
        assert_eq!((dry.created, dry.rejected, dry.reasons["unreadable"], dry.reasons["record"]), (1, 4, 1, 1));
        let (full, record) = found(house, &ctx, &keyring, "full@example.com").await.unwrap();
        assert_eq!((full.permission.as_str(), full.tracking.as_str()), ("unsubscribed", "withdrawn"));
        assert!(record.custom.contains_key("text_0") && !record.custom.contains_key("text_10"));
        assert_eq!(stands(house, &ctx, &keyring, "cell@example.com").await.0, "unsubscribed");
        for email in ["full@example.com", "damaged@example.com", "cell@example.com", "stranger@example.com"] {
            assert!(suppressed(house, &ctx, &keyring, email).await.is_some(), "{email}");
        }
        assert!(found(house, &ctx, &keyring, "stranger@example.com").await.is_none(), "a refused row makes no contact");
        let text = rejects(house, &ctx, progress.rejects.unwrap()).await;
        let damaged = Id::<letterkeep_model::kind::Contact>::from_uuid(damaged.contact_id);
        for expected in [
            "\"2\",\"The contact is too large",
            &format!("\"3\",\"What is stored of this contact cannot be read; it was left as it is. Ask whoever runs Letterkeep to restore {damaged}"),
            "\"cell@example.com\",\"abgemeldet\",\"\",\"99.99.\"",
        ] {
            assert!(text.contains(expected), "{expected} is missing in {text}");
        }
        assert_eq!(text.matches("; the no in this row counts all the same").count(), 4, "{text}");
        undo::undo_now(&ctx, &house.store, import).await.unwrap();
        assert_eq!(stands(house, &ctx, &keyring, "full@example.com").await, ("unsubscribed".into(), "withdrawn".into()));
    })
    .await;
}

#[tokio::test]
async fn a_no_further_down_in_the_file_counts() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        imported(house, &ctx, b"E-Mail\nold@example.com\n", explicit).await;
        let mut file = String::from("E-Mail,Einwilligung,Tracking,Vorname\n");
        file.push_str("near@example.com,ja,ja,Near\nnear@example.com,abgemeldet,nein,\n");
        file.push_str("old@example.com,ja,ja,Old\nOLD@example.com,abgemeldet,,\n");
        file.push_str("far@example.com,ja,ja,Far\nplain@example.com,ja,ja,Plain\nplain@example.com,ja,,\n");
        // More rows than a batch holds stand in between.
        for row in 0..5_000 {
            writeln!(file, "p{row}@example.com,ja,,").unwrap();
        }
        file.push_str("far@example.com,abgemeldet,nein,\n");
        let (import, progress) = imported(house, &ctx, file.as_bytes(), explicit).await;
        assert_eq!((progress.created, progress.updated, progress.duplicate, progress.rejected), (5_003, 1, 4, 0));
        for (email, permission, tracking, name) in [
            ("near@example.com", "unsubscribed", "withdrawn", "Near"),
            ("far@example.com", "unsubscribed", "withdrawn", "Far"),
            ("old@example.com", "unsubscribed", "given", "Old"),
            ("plain@example.com", "explicit", "given", "Plain"),
        ] {
            let (row, record) = found(house, &ctx, &keyring, email).await.unwrap();
            assert_eq!((row.permission.as_str(), row.tracking.as_str()), (permission, tracking), "{email}");
            assert_eq!(record.first_name, name);
            assert_eq!(
                suppressed(house, &ctx, &keyring, email).await.is_some(),
                permission == "unsubscribed",
                "{email}"
            );
        }
        let text = rejects(house, &ctx, progress.rejects.unwrap()).await;
        assert_eq!(text.matches("that row was taken; the no in this row counts all the same").count(), 3, "{text}");
        let mut tx = house.store.db.read().await.unwrap();
        let counts = contact::count(&ctx, &mut tx).await.unwrap();
        assert!(counts.by_permission.contains(&(Permission::Unsubscribed, 3)), "{:?}", counts.by_permission);
        drop(tx);
        undo::undo_now(&ctx, &house.store, import).await.unwrap();
        assert_eq!(stands(house, &ctx, &keyring, "old@example.com").await.0, "unsubscribed");
        imported(house, &ctx, b"E-Mail\nnear@example.com\nfar@example.com\n", explicit).await;
        for email in ["near@example.com", "far@example.com"] {
            assert_eq!(stands(house, &ctx, &keyring, email).await.0, "unsubscribed", "{email}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_bounce_is_no_answer_of_the_contact() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        imported(house, &ctx, b"E-Mail\nknown@example.com\n", |_| {}).await;
        let mut tx = house.store.db.write().await.unwrap();
        for (email, reason) in [
            ("bounced@example.com", SuppressionReason::HardBounce),
            ("known@example.com", SuppressionReason::Manual),
            ("gone@example.com", SuppressionReason::Unsubscribed),
        ] {
            let source = Source::Manual;
            suppression::add(&ctx, &mut tx, &keyring, &address(email), reason, source).await.unwrap();
        }
        tx.commit().await.unwrap();
        let file = b"E-Mail\nbounced@example.com\nknown@example.com\ngone@example.com\n";
        imported(house, &ctx, file, explicit).await;
        for (email, permission, reason) in [
            ("bounced@example.com", "explicit", SuppressionReason::HardBounce),
            ("known@example.com", "explicit", SuppressionReason::Manual),
            ("gone@example.com", "unsubscribed", SuppressionReason::Unsubscribed),
        ] {
            assert_eq!(stands(house, &ctx, &keyring, email).await.0, permission, "{email}");
            assert_eq!(suppressed(house, &ctx, &keyring, email).await, Some(reason), "{email}: nothing is sent to it");
        }
        // A no of such an address does not weaken why it is blocked.
        let no = b"E-Mail,Einwilligung\nbounced@example.com,abgemeldet\n";
        imported(house, &ctx, no, explicit).await;
        let reason = suppressed(house, &ctx, &keyring, "bounced@example.com").await;
        assert_eq!(reason, Some(SuppressionReason::HardBounce));
        assert_eq!(stands(house, &ctx, &keyring, "bounced@example.com").await.0, "unsubscribed");
        assert_eq!(total(house, &ctx).await, 3);
    })
    .await;
}
