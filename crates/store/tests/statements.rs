//! Every SQL text is understood by both databases on the migrated schema.

use letterkeep_store::{Db, bulk_statements, key_statements, statements};
use letterkeep_testkit::for_each_database;
use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

async fn prepares(db: &Db, sqlite: &str, postgres: &str) -> Result<(), sqlx::Error> {
    match db {
        Db::Sqlite { readers, .. } => {
            let mut connection = readers.acquire().await?;
            connection.prepare(AssertSqlSafe(sqlite.to_owned()).into_sql_str()).await.map(drop)
        }
        Db::Postgres(pool) => {
            let mut connection = pool.acquire().await?;
            connection.prepare(AssertSqlSafe(postgres.to_owned()).into_sql_str()).await.map(drop)
        }
    }
}

#[tokio::test]
async fn every_statement_is_understood() {
    for_each_database(async |house| {
        let mut refused = Vec::new();
        for sql in statements() {
            if let Err(error) = prepares(&house.store.db, sql.sqlite, sql.postgres).await {
                refused.push(format!("{} on {}: {error}", sql.name, house.database));
            }
        }
        for (name, sqlite, postgres) in bulk_statements() {
            if let Err(error) = prepares(&house.store.db, &sqlite, &postgres).await {
                refused.push(format!("{name} on {}: {error}", house.database));
            }
        }
        for sql in key_statements() {
            if let Err(error) = prepares(house.store.keys.db(), sql.sqlite, sql.postgres).await {
                refused.push(format!("{} on {}: {error}", sql.name, house.database));
            }
        }
        assert!(refused.is_empty(), "{}", refused.join("\n"));
        // Positive control: a text that names no column must be noticed.
        assert!(prepares(&house.store.db, "SELECT nothing FROM job", "SELECT nothing FROM job").await.is_err());
    })
    .await;
}
