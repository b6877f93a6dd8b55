//! The check of a large file in the background: what it finds, and that what it found does not outlive its use.

use std::time::Duration;

use letterkeep_audience::contact;
use letterkeep_audience::import::{Check, check, dry_run, run, stage};
use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::queue::{self, ClaimedJob, Outcome};
use letterkeep_store::{import_check, sealed};
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_vault::Keyring;

use crate::{found, imported, uploaded};

async fn claimed(house: &TestHouse, ctx: &Ctx) -> ClaimedJob {
    queue::claim(&house.store.db, ctx.now(), Duration::from_mins(1)).await.unwrap().expect("a job waits")
}

async fn standing(house: &TestHouse, ctx: &Ctx, keyring: &Keyring, import: Id<kind::Import>) -> Check {
    let mut tx = house.store.db.read().await.unwrap();
    check::standing(ctx, &mut tx, keyring, import).await.unwrap()
}

#[tokio::test]
async fn a_check_finds_what_a_dry_run_finds_and_keeps_it_sealed_and_only_as_long_as_it_is_needed() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        imported(house, &ctx, b"E-Mail,Vorname\nann@example.com,Anne\nben@example.com,Ben\n", |_| {}).await;
        let file = b"E-Mail,Vorname\nann@example.com,Zacharias\nnew@example.com,New\nbad,x\n";
        let import = uploaded(house, &ctx, "x.csv", file).await;
        let preview = stage::preview(&ctx, &house.store, import).await.unwrap();
        stage::configure(&ctx, &house.store, import, &preview.settings).await.unwrap();
        let expected = dry_run::dry_run(&ctx, &house.store, import).await.unwrap();
        assert!(matches!(standing(house, &ctx, &keyring, import).await, Check::NotAsked));

        check::start(&ctx, &house.store, import).await.unwrap();
        let job = claimed(house, &ctx).await;
        assert!(matches!(standing(house, &ctx, &keyring, import).await, Check::UnderWay { rows_done: 0, .. }));
        assert_eq!(run::perform(&ctx, &house.store, &job).await, Outcome::Done);
        let Check::Done { found: told, .. } = standing(house, &ctx, &keyring, import).await else {
            panic!("no result")
        };
        assert_eq!((told.created, told.updated, told.rejected), (1, 1, 1));
        assert!(told.differences == expected.differences && told.examples == expected.examples);
        assert_eq!(told.reasons, expected.reasons);

        // It shows a contact: sealed, found by the rotation of keys, gone with the contact.
        let mut tx = house.store.db.write().await.unwrap();
        let result = import_check::find(&mut tx, account, import).await.unwrap().unwrap().result.unwrap();
        assert!(!result.windows(9).any(|window| window == b"Zacharias"));
        let table = sealed::TABLES.iter().find(|table| table.name == "import_check").unwrap();
        assert_eq!(sealed::remaining(&mut tx, table, account, i64::from(keyring.version()) + 1).await.unwrap(), 1);
        let (ben, _) = found(house, &ctx, &keyring, "ben@example.com").await.unwrap();
        contact::delete(&ctx, &mut tx, &[Id::from_uuid(ben.contact_id)]).await.unwrap();
        assert!(import_check::find(&mut tx, account, import).await.unwrap().is_none());
        tx.commit().await.unwrap();

        check::start(&ctx, &house.store, import).await.unwrap();
        let job = claimed(house, &ctx).await;
        run::perform(&ctx, &house.store, &job).await;
        stage::start(&ctx, &house.store, import).await.unwrap();
        let mut tx = house.store.db.read().await.unwrap();
        assert!(import_check::find(&mut tx, account, import).await.unwrap().is_none(), "not needed any more");
    })
    .await;
}

#[tokio::test]
async fn a_check_says_what_is_wrong_and_is_offered_again_when_it_gave_up_or_got_stuck() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        // Bytes that are no UTF-8, far behind the rows that the preview reads.
        let mut file = String::from("E-Mail\n");
        file.push_str(&"a@example.com\n".repeat(100_000));
        let mut bytes = file.into_bytes();
        bytes.extend_from_slice(b"\xff\xfe\n");
        let import = uploaded(house, &ctx, "x.csv", &bytes).await;
        let preview = stage::preview(&ctx, &house.store, import).await.unwrap();
        let (encoding, delimiter) =
            (letterkeep_audience::import::TextEncoding::UTF_8, letterkeep_audience::import::Delimiter::Comma);
        stage::set_format(&ctx, &house.store, import, encoding, delimiter).await.unwrap();
        stage::configure(&ctx, &house.store, import, &preview.settings).await.unwrap();
        check::start(&ctx, &house.store, import).await.unwrap();
        let job = claimed(house, &ctx).await;
        assert_eq!(run::perform(&ctx, &house.store, &job).await, Outcome::Done);
        let Check::Refused(problem) = standing(house, &ctx, &keyring, import).await else { panic!("no refusal") };
        assert_eq!(problem.code, "source-encoding");

        check::start(&ctx, &house.store, import).await.unwrap();
        assert!(matches!(standing(house, &ctx, &keyring, import).await, Check::UnderWay { .. }));
        house.clock.advance(Duration::from_mins(11));
        assert!(matches!(standing(house, &ctx, &keyring, import).await, Check::Failed), "nobody works on it");
        check::start(&ctx, &house.store, import).await.unwrap();
        assert!(matches!(standing(house, &ctx, &keyring, import).await, Check::UnderWay { .. }));
    })
    .await;
}
