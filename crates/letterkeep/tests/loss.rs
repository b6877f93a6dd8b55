//! What was lost or changed behind the service's back is told and never replaced by something empty, on both databases.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod binary;

use std::process::Command;
use std::sync::Arc;

use binary::{letterkeep, run};
use letterkeep_model::{Clock, Ctx, Id, SystemClock, SystemEntropy, kind};
use letterkeep_store::account::{self, AccountRow};
use letterkeep_store::audit::{self, Event};
use letterkeep_store::{Db, KeyStore, Opening, PostgresOptions, Schema, SqliteOptions};
use letterkeep_testkit::postgres::PostgresDatabase;
use letterkeep_vault::RootSource;

/// An installation that was made with `init`.
struct Installation {
    dir: tempfile::TempDir,
    postgres: Option<PostgresDatabase>,
}

impl Installation {
    async fn on_both() -> Vec<Self> {
        let mut made = vec![Self { dir: tempfile::tempdir().unwrap(), postgres: None }];
        if let Some(database) = PostgresDatabase::create(None).await {
            made.push(Self { dir: tempfile::tempdir().unwrap(), postgres: Some(database) });
        }
        for installation in &made {
            let (done, said) = installation.run(&["init"]);
            assert!(done, "{said}");
        }
        made
    }

    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = letterkeep(self.dir.path());
        if let Some(database) = &self.postgres {
            command.env("LETTERKEEP_DATABASE_URL", database.url());
        }
        run(command.args(arguments))
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("letterkeep-data").join(name)
    }

    async fn open(&self, schema: Schema) -> Db {
        if let Some(database) = &self.postgres {
            let options = PostgresOptions { url: database.url().to_owned(), connections: 2 };
            return Db::open_postgres(&options, schema, Opening::Existing).await.unwrap();
        }
        let options = SqliteOptions { path: self.file(file_of(schema)), readers: 1 };
        Db::open_sqlite(&options, schema, Opening::Existing).await.unwrap()
    }

    /// An organisation with keys, as a sign-up leaves it.
    async fn add_account(&self) {
        let account = self.add_keys().await;
        self.add_row(account).await;
    }

    async fn add_keys(&self) -> Id<kind::Account> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let account = Id::generate(&*clock, &SystemEntropy);
        let source = RootSource::KeyFile(self.file("root.key"));
        let keys = KeyStore::open(self.open(Schema::Keys).await, source, clock).await.unwrap();
        keys.create(account, &SystemEntropy).await.unwrap();
        keys.db().close().await;
        account
    }

    async fn add_row(&self, account: Id<kind::Account>) {
        let data = self.open(Schema::Data).await;
        let mut tx = data.write().await.unwrap();
        let row = AccountRow {
            account_id: account.uuid(),
            name: "Hofladen".into(),
            locale: "de".into(),
            time_zone: "Europe/Berlin".into(),
            postal_address: String::new(),
            created_at: 0,
            closed_at: None,
        };
        account::insert(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
        data.close().await;
    }

    /// Writes an entry into an audit log, and then over it, as somebody with access to the database would.
    async fn tamper(&self, account: Id<kind::Account>) {
        let data = self.open(Schema::Data).await;
        let ctx = Ctx::system(Arc::new(SystemClock), Arc::new(SystemEntropy), account);
        let mut tx = data.write().await.unwrap();
        let event = Event { action: "log_in.refuse", object: "", detail: "{\"reason\":\"password\"}" };
        audit::append(&ctx, &mut tx, event).await.unwrap();
        tx.commit().await.unwrap();
        data.close().await;
        assert!(self.run(&["doctor"]).0, "an untouched log is sound");
        if let Some(database) = &self.postgres {
            psql(database.url(), "UPDATE letterkeep.audit_entry SET action = 'log_in.password'");
        } else {
            let path = self.file("letterkeep.sqlite3");
            let mut bytes = std::fs::read(&path).unwrap();
            let at = bytes.windows(13).position(|window| window == b"log_in.refuse").unwrap();
            bytes[at..at + 13].copy_from_slice(b"log_in.accept");
            std::fs::write(&path, bytes).unwrap();
        }
    }

    /// Moves a part away, or back.
    fn move_part(&self, part: Part, there: bool) {
        let rename = |name: &str| {
            let (here, away) = (self.file(name), self.dir.path().join(name));
            let (from, to) = if there { (away, here) } else { (here, away) };
            std::fs::rename(from, to).unwrap();
        };
        match (part, &self.postgres) {
            (Part::RootKey, _) => rename("root.key"),
            (Part::Database(schema), None) => rename(file_of(schema)),
            (Part::Database(schema), Some(database)) => {
                let (name, away) = (schema_of(schema), format!("{}_away", schema_of(schema)));
                let (from, to) = if there { (away.as_str(), name) } else { (name, away.as_str()) };
                psql(database.url(), &format!("ALTER SCHEMA {from} RENAME TO {to}"));
            }
        }
    }

    fn is_there(&self, part: Part) -> bool {
        match (part, &self.postgres) {
            (Part::RootKey, _) => self.file("root.key").exists(),
            (Part::Database(schema), None) => self.file(file_of(schema)).exists(),
            (Part::Database(schema), Some(database)) => {
                let name = schema_of(schema);
                let sql = format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{name}'");
                psql(database.url(), &sql) == "1"
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Database(Schema),
    RootKey,
}

impl Part {
    const fn said_as(self) -> &'static str {
        match self {
            Self::Database(Schema::Data) => "database",
            Self::Database(Schema::Keys) => "key store",
            Self::RootKey => "root key",
        }
    }
}

const fn file_of(schema: Schema) -> &'static str {
    match schema {
        Schema::Data => "letterkeep.sqlite3",
        Schema::Keys => "keys.sqlite3",
    }
}

const fn schema_of(schema: Schema) -> &'static str {
    match schema {
        Schema::Data => "letterkeep",
        Schema::Keys => "letterkeep_keys",
    }
}

fn psql(url: &str, sql: &str) -> String {
    let output = Command::new("psql").args(["-X", "-A", "-t", "-q", "-c", sql, url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

const PARTS: [Part; 3] = [Part::Database(Schema::Data), Part::Database(Schema::Keys), Part::RootKey];

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_part_is_named_and_never_replaced() {
    for installation in Installation::on_both().await {
        installation.add_account().await;
        for part in PARTS {
            installation.move_part(part, false);
            for command in [&["export"][..], &["keys", "rotate"], &["doctor"], &["init"], &["demo", "--exit"]] {
                let (done, said) = installation.run(command);
                assert!(!done && said.contains("restore"), "{part:?} {command:?}: {said}");
                assert!(said.contains(part.said_as()), "{part:?} {command:?}: {said}");
                assert!(!installation.is_there(part), "{part:?} was made anew by {command:?}");
            }
            installation.move_part(part, true);
            let (done, said) = installation.run(&["doctor"]);
            assert!(done && said.contains("every account (1)"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_without_accounts_can_be_completed_by_init_alone() {
    for installation in Installation::on_both().await {
        for part in [Part::Database(Schema::Keys), Part::Database(Schema::Data)] {
            installation.move_part(part, false);
            let (done, said) = installation.run(&["keys", "rotate"]);
            assert!(!done && said.contains("restore"), "{said}");
            let (done, said) = installation.run(&["init"]);
            assert!(done && installation.is_there(part), "{said}");
        }
        assert!(installation.run(&["doctor"]).0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_compares_the_accounts_of_data_and_key_store() {
    for installation in Installation::on_both().await {
        let account = installation.add_keys().await;
        let (done, said) = installation.run(&["doctor"]);
        assert!(!done && said.contains("the database holds no account"), "{said}");
        installation.add_row(account).await;
        assert!(installation.run(&["doctor"]).0);
        let stranger = Id::generate(&SystemClock, &SystemEntropy);
        installation.add_row(stranger).await;
        let (done, said) = installation.run(&["doctor"]);
        assert!(!done && said.contains(&format!("holds no keys of {stranger}")), "{said}");
        assert!(!said.contains(&account.to_string()), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_changes_nothing_and_tells_pending_migrations() {
    for installation in Installation::on_both().await {
        if let Some(database) = &installation.postgres {
            let count = "SELECT count(*) FROM letterkeep._sqlx_migrations";
            psql(database.url(), "DELETE FROM letterkeep._sqlx_migrations WHERE version = 2");
            let before = psql(database.url(), count);
            let (done, said) = installation.run(&["doctor"]);
            assert!(done && said.contains("migrations [2] of the database are pending"), "{said}");
            assert_eq!(before, psql(database.url(), count));
        }
        let files = || {
            ["letterkeep.sqlite3", "keys.sqlite3", "root.key"].map(|name| std::fs::read(installation.file(name)).ok())
        };
        let before = files();
        let (done, said) = installation.run(&["doctor"]);
        assert!(done, "{said}");
        assert!(before == files(), "doctor wrote into a file");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_verifies_the_audit_log_of_every_account_and_of_the_installation() {
    for installation in Installation::on_both().await {
        installation.tamper(Id::NIL).await;
        let (done, said) = installation.run(&["doctor"]);
        assert!(!done && said.contains("audit log of the installation does not fit together from entry 1"), "{said}");
    }
    for installation in Installation::on_both().await {
        installation.add_account().await;
        // Of an account that has gone there is no row, but its log stays.
        let gone = Id::generate(&SystemClock, &SystemEntropy);
        installation.tamper(gone).await;
        let (done, said) = installation.run(&["doctor"]);
        assert!(!done && said.contains(&format!("audit log of {gone} does not fit")), "{said}");
    }
}
