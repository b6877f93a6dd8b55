//! The database behind the product's back: what an attacker with the files or a DBA sees and does.

use std::path::Path;

use letterkeep_store::Db;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use crate::TestHouse;

impl TestHouse {
    /// Runs a statement as somebody who can write to the database; yields the number of rows changed.
    pub async fn tamper(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.store.db {
            Db::Sqlite { .. } => {
                let path = self.dir().join("letterkeep.sqlite3");
                let url = format!("sqlite://{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await.expect("the database file opens");
                sqlx::query(sql).execute(&mut connection).await.expect("the statement runs").rows_affected()
            }
            Db::Postgres(pool) => sqlx::query(sql).execute(pool).await.expect("the statement runs").rows_affected(),
        }
    }

    /// Whether somebody waits for a lock that another transaction holds. Never on the embedded database, which has one
    /// writer at a time.
    pub async fn somebody_waits_for_a_lock(&self) -> bool {
        let Db::Postgres(pool) = &self.store.db else { return false };
        let waiting =
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query(waiting).fetch_one(pool).await.expect("the list of connections").get::<i64, _>(0) > 0
    }

    /// Everything that the databases hold, as bytes: the files and their logs on SQLite; on PostgreSQL every row of
    /// every table as text, with `bytea` decoded beside it.
    pub async fn raw_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match &self.store.db {
            Db::Sqlite { .. } => {
                for name in ["letterkeep.sqlite3", "letterkeep.sqlite3-wal", "keys.sqlite3", "keys.sqlite3-wal"] {
                    bytes.extend(std::fs::read(self.dir().join(name)).unwrap_or_default());
                }
            }
            Db::Postgres(pool) => {
                let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                    WHERE schemaname LIKE 'letterkeep%' ORDER BY 1";
                let tables = sqlx::query(tables).fetch_all(pool).await.expect("the list of tables");
                for table in tables {
                    let table = table.get::<String, _>(0);
                    let rows = format!("SELECT t::text FROM {table} t");
                    for row in sqlx::query(AssertSqlSafe(rows)).fetch_all(pool).await.expect("the rows") {
                        let text = row.get::<String, _>(0);
                        decode_bytea(&text, &mut bytes);
                        bytes.extend(text.into_bytes());
                        bytes.push(b'\n');
                    }
                }
            }
        }
        bytes
    }
}

/// Another process that holds an embedded database file: nobody else writes to it until this is dropped.
pub struct HeldDatabase(SqliteConnection);

impl HeldDatabase {
    /// Holds the database in `file`, which is made if it is not there.
    pub async fn hold(file: &Path) -> Self {
        let url = format!("sqlite://{}?mode=rwc", file.display());
        let mut connection = SqliteConnection::connect(&url).await.expect("the database file opens");
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.expect("nobody else holds it");
        Self(connection)
    }

    /// Lets go of it.
    pub async fn release(self) {
        self.0.close().await.expect("a connection closes");
    }
}

/// Appends what stands in hexadecimal behind each `\x`.
fn decode_bytea(text: &str, bytes: &mut Vec<u8>) {
    for part in text.split("\\x").skip(1) {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).collect::<Vec<_>>();
        for pair in digits.chunks_exact(2) {
            let nibble = |digit: u8| (digit as char).to_digit(16).unwrap_or_default() as u8;
            bytes.push(nibble(pair[0]) << 4 | nibble(pair[1]));
        }
        bytes.push(b'\n');
    }
}
