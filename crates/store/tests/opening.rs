//! How a database is opened: what is missing is refused, and who only looks changes nothing. On both databases.

use letterkeep_store::{Db, Error, Opening, PostgresOptions, Schema, SqliteOptions};
use letterkeep_testkit::for_each_database;
use letterkeep_testkit::postgres::PostgresDatabase;
use sqlx::Connection as _;

#[tokio::test]
async fn what_is_not_there_is_refused_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions { path: dir.path().join("letterkeep.sqlite3"), readers: 1 };
    for opening in [Opening::Existing, Opening::Inspect] {
        let refused = Db::open_sqlite(&options, Schema::Data, opening).await.err();
        assert!(matches!(refused, Some(Error::Missing(_))), "{refused:?}");
        assert!(!options.path.exists());
        // A file that lost its content is no database either.
        std::fs::write(&options.path, b"").unwrap();
        let refused = Db::open_sqlite(&options, Schema::Data, opening).await.err();
        assert!(matches!(refused, Some(Error::Missing(_))), "{refused:?}");
        std::fs::remove_file(&options.path).unwrap();
    }
    Db::open_sqlite(&options, Schema::Data, Opening::Make).await.unwrap().close().await;
    Db::open_sqlite(&options, Schema::Data, Opening::Existing).await.unwrap().close().await;

    let Some(database) = PostgresDatabase::create(None).await else { return };
    let options = PostgresOptions { url: database.url().to_owned(), connections: 2 };
    for opening in [Opening::Existing, Opening::Inspect, Opening::Existing] {
        let refused = Db::open_postgres(&options, Schema::Data, opening).await.err();
        assert!(matches!(refused, Some(Error::Missing(_))), "{refused:?}");
    }
    Db::open_postgres(&options, Schema::Data, Opening::Make).await.unwrap().close().await;
    Db::open_postgres(&options, Schema::Data, Opening::Existing).await.unwrap().close().await;
}

#[tokio::test]
async fn who_inspects_can_change_nothing_and_runs_no_migration() {
    const UNDO: &str = "DELETE FROM _sqlx_migrations WHERE version = 2";
    for_each_database(async |house| {
        let path = house.dir().join("letterkeep.sqlite3");
        let inspected = if let Some(url) = house.postgres_url() {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            sqlx::raw_sql("SET search_path = letterkeep").execute(&mut connection).await.unwrap();
            sqlx::raw_sql(UNDO).execute(&mut connection).await.unwrap();
            let options = PostgresOptions { url: url.to_owned(), connections: 2 };
            Db::open_postgres(&options, Schema::Data, Opening::Inspect).await.unwrap()
        } else {
            let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
            sqlx::raw_sql(UNDO).execute(&mut connection).await.unwrap();
            Db::open_sqlite(&SqliteOptions { path, readers: 1 }, Schema::Data, Opening::Inspect).await.unwrap()
        };
        // Twice: the first look has not mended it.
        for _ in 0..2 {
            let state = inspected.schema_state(Schema::Data).await.unwrap();
            assert_eq!((state.pending, state.unknown), (vec![2], vec![]));
        }
        let refused = async {
            let mut tx = inspected.write().await?;
            letterkeep_store::throttle::charge(&mut tx, &[1; 16], 1, 0).await?;
            tx.commit().await
        };
        assert!(refused.await.is_err(), "an inspected database was written to");
        let mut tx = house.store.db.write().await.unwrap();
        let counted = letterkeep_store::throttle::charge(&mut tx, &[1; 16], 1, 0).await.unwrap();
        assert_eq!(counted, Some(1), "the open one can be written to, and nothing was counted before");
    })
    .await;
}
