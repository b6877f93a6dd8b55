//! Another process holds the embedded database: pages can be read, and whoever sends a form is told to send it again.

use std::time::Duration;

use http::{StatusCode, header};
use letterkeep_store::{Db, Opening, Schema, SqliteOptions};
use letterkeep_testkit::{HeldDatabase, TestHouse};

use crate::support::Visitor;

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_meets_a_locked_database_may_be_sent_again() {
    let mut test = TestHouse::sqlite().await;
    let file = test.dir().join("letterkeep.sqlite3");
    let options = SqliteOptions { path: file.clone(), readers: 2 };
    test.store.db =
        Db::open_sqlite_within(&options, Schema::Data, Opening::Existing, Duration::from_millis(100)).await.unwrap();
    let mut erika = Visitor::new(&test);
    erika.sign_up(&test, "erika").await;
    let fields =
        [("name", "Hofladen Neu"), ("postal_address", "Weg 1\n12345 Ort"), ("time_zone", "UTC"), ("locale", "en")];
    let held = HeldDatabase::hold(&file).await;
    assert_eq!(erika.get("/organisation").await.status, StatusCode::OK, "reading goes on");
    let answer = erika.post("/organisation", &fields).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert_eq!(answer.headers[header::RETRY_AFTER], "5");
    assert!(answer.has("That took too long") && answer.has("not confirmed were not made"), "{}", answer.body);
    held.release().await;
    assert!(!erika.get("/organisation").await.has("Hofladen Neu"), "nothing of it was kept");
    assert_eq!(erika.post("/organisation", &fields).await.status, StatusCode::SEE_OTHER);
    assert!(erika.get("/organisation").await.has("Hofladen Neu"));
}
