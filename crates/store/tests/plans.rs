//! Bulk statements find their rows by key on SQLite: one that scanned a table would make an import's time grow with
//! the square of its rows.

use letterkeep_store::{Db, bulk_statements};
use letterkeep_testkit::TestHouse;
use sqlx::AssertSqlSafe;

#[tokio::test]
async fn no_bulk_statement_scans_a_table() {
    let house = TestHouse::sqlite().await;
    let Db::Sqlite { readers, .. } = &house.store.db else { panic!("an embedded database was asked for") };
    let plan = async |text: &str| {
        let explain = format!("EXPLAIN QUERY PLAN {text}");
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(explain)).fetch_all(readers).await.unwrap();
        steps.into_iter().map(|(_, _, _, step)| step).collect::<Vec<_>>()
    };
    let scans = |step: &String| {
        let values = ["SCAN w", "SCAN wanted", "SCAN mark", "SCAN outcome", "SCAN s", "SCAN shared", "SCAN n"]
            .contains(&&step[..]);
        let constants = step.contains("CONSTANT ROW") || step.contains("VALUES CLAUSE");
        // An account has few lists, tags and activities; its contacts are many.
        let many = step.contains("(account_id=?)") && !step.contains("SEARCH l ") && !step.contains("SEARCH a ");
        (step.starts_with("SCAN") && !values && !constants) || step.contains("AUTOMATIC") || many
    };
    let mut found = Vec::new();
    for (name, text, _) in bulk_statements() {
        for step in plan(&text).await.iter().filter(|step| scans(step)) {
            found.push(format!("{name}: {step}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    // Positive control: a scan is noticed.
    assert!(plan("SELECT record FROM contact").await.iter().any(scans));
}
