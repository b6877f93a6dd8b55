//! The same test on both databases.

use std::sync::Arc;

use letterkeep_model::{Clock, Ctx, Entropy, Id, Locale, Role, Timestamp, kind};
use letterkeep_store::{Db, KeyStore, Opening, PostgresOptions, Schema, SqliteOptions, Store};
use letterkeep_vault::{Keyring, RootSource};

use crate::postgres::PostgresDatabase;
use crate::{MockClock, SeededEntropy};

/// A store of its own for one run of one test: data, keys, clock and chance.
pub struct TestHouse {
    /// Data and keys.
    pub store: Store,
    /// The clock that everything here reads; it moves only when told to.
    pub clock: Arc<MockClock>,
    /// The chance that everything here draws; repeatable.
    pub entropy: Arc<SeededEntropy>,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    dir: tempfile::TempDir,
    postgres: Option<PostgresDatabase>,
}

impl TestHouse {
    /// On an embedded database in a temporary directory.
    pub async fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let open = async |name: &str, schema| {
            let options = SqliteOptions { path: dir.path().join(name), readers: 2 };
            Db::open_sqlite(&options, schema, Opening::Make).await.expect("a fresh database opens")
        };
        let data = open("letterkeep.sqlite3", Schema::Data).await;
        let keys = open("keys.sqlite3", Schema::Keys).await;
        Self::furnish("sqlite", data, keys, dir, None).await
    }

    /// On a PostgreSQL database of its own; `None` (and a loud line) where no server is there.
    pub async fn postgres() -> Option<Self> {
        let template = format!("letterkeep_template_{:016x}", migrations_digest());
        PostgresDatabase::template(&template, |url| async move {
            for schema in [Schema::Data, Schema::Keys] {
                let options = PostgresOptions { url: url.clone(), connections: 2 };
                Db::open_postgres(&options, schema, Opening::Make).await.expect("the template migrates").close().await;
            }
        })
        .await;
        let postgres = PostgresDatabase::create(Some(&template)).await?;
        let open = async |schema| {
            let options = PostgresOptions { url: postgres.url().to_owned(), connections: 6 };
            Db::open_postgres(&options, schema, Opening::Make).await.expect("a fresh database opens")
        };
        let data = open(Schema::Data).await;
        let keys = open(Schema::Keys).await;
        let dir = tempfile::tempdir().expect("a temporary directory");
        Some(Self::furnish("postgres", data, keys, dir, Some(postgres)).await)
    }

    async fn furnish(
        database: &'static str,
        data: Db,
        keys: Db,
        dir: tempfile::TempDir,
        postgres: Option<PostgresDatabase>,
    ) -> Self {
        let clock = Arc::new(MockClock::at(Timestamp::from_seconds(1_795_420_800)));
        let entropy = Arc::new(SeededEntropy::new(1));
        let source = RootSource::KeyFile(dir.path().join("root.key"));
        source.create(&*entropy).expect("a root key file");
        let keys = KeyStore::make(keys, source, clock.clone(), &*entropy).await.expect("the key store opens");
        Self { store: Store { db: data, keys }, clock, entropy, database, dir, postgres }
    }

    /// A directory that goes away with the house.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The files that hold the data and keys on the embedded database, or the PostgreSQL address.
    pub fn postgres_url(&self) -> Option<&str> {
        self.postgres.as_ref().map(PostgresDatabase::url)
    }

    /// The service's own context for `account`.
    pub fn system(&self, account: Id<kind::Account>) -> Ctx {
        Ctx::system(self.shared_clock(), self.shared_entropy(), account)
    }

    /// The context of somebody who is not logged in.
    pub fn public(&self) -> Ctx {
        Ctx::public(self.shared_clock(), self.shared_entropy(), Locale::En)
    }

    /// The context of a person with `role` in `account`; the person need not exist.
    pub fn person(&self, account: Id<kind::Account>, role: Role) -> Ctx {
        let user = Id::generate(&*self.clock, &*self.entropy);
        self.public().with_user(account, user, role)
    }

    /// A new account id with keys, and its keyring. There is no account row yet.
    pub async fn account(&self) -> (Id<kind::Account>, Arc<Keyring>) {
        let account = Id::generate(&*self.clock, &*self.entropy);
        self.store.keys.create(account, &*self.entropy).await.expect("keys for the account");
        let keyring = self.store.keys.keyring(account).await.expect("the keyring opens");
        (account, keyring)
    }

    fn shared_clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn shared_entropy(&self) -> Arc<dyn Entropy> {
        self.entropy.clone()
    }
}

/// Runs `test` on a fresh SQLite database and, where a server is there, on a fresh PostgreSQL database.
pub async fn for_each_database(test: impl AsyncFn(&TestHouse)) {
    test(&TestHouse::sqlite().await).await;
    if let Some(house) = TestHouse::postgres().await {
        test(&house).await;
    }
}

/// Changes when a migration changes, so that a changed schema gets a new template.
fn migrations_digest() -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for text in [
        include_str!("../../../migrations/postgres/0001_foundation.sql"),
        include_str!("../../../migrations/postgres/0002_campaign_check.sql"),
        include_str!("../../../migrations/postgres/0003_sending_totals.sql"),
        include_str!("../../../migrations/postgres/0004_sending_trouble.sql"),
        include_str!("../../../migrations/postgres/0005_import.sql"),
        include_str!("../../../migrations/postgres/0006_device_failures.sql"),
        include_str!("../../../migrations/postgres/0009_contact_rowid.sql"),
        include_str!("../../../migrations/keys/postgres/0001_key_store.sql"),
    ] {
        text.hash(&mut hasher);
    }
    hasher.finish()
}
