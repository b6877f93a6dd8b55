//! The check of an import file that is too large to be read while the page waits.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};
use letterkeep_testkit::for_each_database;
use letterkeep_web::{House, Settings, router};

use crate::audience::{goes, upload, work};
use crate::support::{ORIGIN, Visitor, house};

#[tokio::test]
async fn a_large_file_is_checked_in_the_background() {
    for_each_database(async |test| {
        let plain = house(test, ORIGIN);
        let settings = Settings { import_check_at_once: 100, ..Settings::clone(&plain.settings) };
        let mut erika = Visitor::at(router(House { settings: Arc::new(settings), ..plain }));
        erika.sign_up(test, "erika").await;
        let mut file = String::from("E-Mail,Vorname\n");
        for row in 0..200 {
            writeln!(file, "p{row}@example.org,P{row}").unwrap();
        }
        let origin = [("permission", "not_set"), ("evidence", "Unknown")];
        let home = goes(&upload(&mut erika, &origin, "a.csv", file.as_bytes()).await);
        let check = format!("{home}/check");

        // Looking starts nothing: the page offers it, and nothing can be imported.
        let offered = erika.get(&check).await;
        assert!(offered.has("has not been checked yet") && !offered.has("/start"), "{}", offered.body);
        assert!(erika.get(&check).await.has("has not been checked yet"));

        // Going on to the check starts it. It goes on whoever looks, and nothing can be imported before its end.
        let mapping = [("target-0", "field:email"), ("target-1", "field:first_name"), origin[0], origin[1]];
        erika.get(&home).await;
        assert_eq!(goes(&erika.post(&format!("{home}/mapping"), &mapping).await), check);
        let under_way = erika.get(&check).await;
        assert!(under_way.has("You can close this page") && under_way.headers.contains_key(header::REFRESH));
        assert!(under_way.has(&format!("hx-get=\"{check}/progress\"")) && !under_way.has("/start"));
        let part = erika.get(&format!("{check}/progress")).await;
        assert!(part.has("<progress") && !part.has("<html"), "{}", part.body);
        work(test).await;
        assert_eq!(erika.get(&format!("{check}/progress")).await.headers["hx-redirect"], check.as_str());
        let found = erika.get(&check).await;
        assert!(found.has("Import 200 contacts") && found.has("Checked on"), "{}", found.body);
        assert!(!found.headers.contains_key(header::REFRESH));

        // Other columns: what was found before is worth nothing.
        let other = [("target-0", "field:email"), ("target-1", "skip"), origin[0], origin[1]];
        erika.get(&home).await;
        goes(&erika.post(&format!("{home}/mapping"), &other).await);
        assert!(erika.get(&check).await.has("You can close this page"));
        test.clock.advance(Duration::from_secs(1));
        assert_eq!(goes(&erika.post(&check, &[]).await), check, "it can be begun anew");
        work(test).await;
        assert!(erika.get(&check).await.has("You can close this page"), "the one that was replaced says nothing");
        work(test).await;
        assert!(erika.get(&check).await.has("Import 200 contacts"));
        assert_eq!(goes(&erika.post(&format!("{home}/start"), &[]).await), home);
        assert_eq!(erika.post(&check, &[]).await.status, StatusCode::CONFLICT);
        work(test).await;
        assert!(erika.get(&home).await.has("All 200 rows were read"));
    })
    .await;
}
