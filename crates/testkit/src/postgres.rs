//! A fresh PostgreSQL database per test, on the private server that `cargo xtask test` starts.

use std::thread;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// Names the server: `postgres://user@host:port/database`, a role that may create databases.
pub const SERVER: &str = "LETTERKEEP_TEST_POSTGRES";

/// A database of its own, dropped with this value.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: String,
    name: String,
    url: String,
}

impl PostgresDatabase {
    /// A new database, a copy of `template` or empty; `None` if no server is there, which is said loudly.
    ///
    /// # Panics
    /// If the server is named but does not answer: then the run is broken, not the machine poor.
    pub async fn create(template: Option<&str>) -> Option<Self> {
        let Ok(server) = std::env::var(SERVER) else {
            crate::skipped("postgres", "LETTERKEEP_TEST_POSTGRES is not set; `cargo xtask test` sets it");
            return None;
        };
        let name = format!("test_{}_{}", std::process::id(), next_number());
        let mut admin = connect(&server).await;
        let statement = match template {
            Some(template) => format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""),
            None => format!("CREATE DATABASE \"{name}\""),
        };
        admin.execute(AssertSqlSafe(statement)).await.expect("the test server must let us create a database");
        let _ = admin.close().await;
        let url = with_database(&server, &name);
        Some(Self { server, name, url })
    }

    /// Makes sure that the template `name` exists: the first caller on this server creates it and lets `prepare` fill
    /// it (usually: migrate it); others wait. `prepare` gets the address of the template.
    ///
    /// Put a digest of what `prepare` does into the name, so that a changed schema gets a new template.
    pub async fn template<F>(name: &str, prepare: impl FnOnce(String) -> F)
    where
        F: Future<Output = ()>,
    {
        let Ok(server) = std::env::var(SERVER) else { return };
        let mut admin = connect(&server).await;
        // Held until the connection closes; the number only has to be ours.
        admin.execute("SELECT pg_advisory_lock(7460263)").await.expect("an advisory lock");
        let found: Option<(i32,)> = sqlx::query_as("SELECT 1 FROM pg_database WHERE datname = $1")
            .bind(name)
            .fetch_optional(&mut admin)
            .await
            .expect("the list of databases");
        if found.is_none() {
            let draft = format!("{name}_draft");
            let drop_draft = format!("DROP DATABASE IF EXISTS \"{draft}\" WITH (FORCE)");
            admin.execute(AssertSqlSafe(drop_draft)).await.expect("the left-over draft must go");
            admin.execute(AssertSqlSafe(format!("CREATE DATABASE \"{draft}\""))).await.expect("a draft template");
            prepare(with_database(&server, &draft)).await;
            // Renamed last: a template that exists is complete. A pool that is still closing would block the rename.
            let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{draft}'");
            admin.execute(AssertSqlSafe(end)).await.expect("connections to the draft end");
            let rename = format!("ALTER DATABASE \"{draft}\" RENAME TO \"{name}\"");
            admin.execute(AssertSqlSafe(rename)).await.expect("the draft becomes the template");
        }
        let _ = admin.close().await;
    }

    /// The address to connect to.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PostgresDatabase {
    /// On a thread of its own, because a drop cannot wait inside the test's runtime. Failure leaves a database on a
    /// server that is thrown away anyway.
    fn drop(&mut self) {
        let server = std::mem::take(&mut self.server);
        let statement = format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name);
        let dropping = thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                if let Ok(mut admin) = PgConnection::connect(&server).await {
                    let _ = admin.execute(AssertSqlSafe(statement)).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

async fn connect(server: &str) -> PgConnection {
    PgConnection::connect(server).await.expect("the server that LETTERKEEP_TEST_POSTGRES names must answer")
}

fn next_number() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// `server` with its database replaced; the query string (a socket's directory) stays.
fn with_database(server: &str, name: &str) -> String {
    let (address, query) = server.split_once('?').map_or((server, None), |(a, q)| (a, Some(q)));
    let authority_end = address.find("://").map_or(0, |i| i + 3);
    let path = address[authority_end..].find('/').map_or(address.len(), |i| authority_end + i);
    let query = query.map(|q| format!("?{q}")).unwrap_or_default();
    format!("{}/{name}{query}", &address[..path])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_only_the_database() {
        assert_eq!(with_database("postgres://u@localhost:5433/postgres", "t"), "postgres://u@localhost:5433/t");
        assert_eq!(
            with_database("postgres://u@localhost/postgres?host=/tmp/x", "t"),
            "postgres://u@localhost/t?host=/tmp/x"
        );
        assert_eq!(with_database("postgres://u@localhost", "t"), "postgres://u@localhost/t");
    }
}
