//! Opening the house: root key, key store, database, in the order in which a failure says most.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use letterkeep_delivery::LinkBase;
use letterkeep_delivery::sender::Outbound;
use letterkeep_delivery::smtp::{Reach, Trust};
use letterkeep_model::{Clock, Ctx, Entropy, Id, SystemClock, SystemEntropy, kind};
use letterkeep_store::keystore::{self, Held};
use letterkeep_store::{Db, KeyStore, Opening, PostgresOptions, Schema, SqliteOptions, Store, account};
use letterkeep_vault::{Passphrase, RootSource};

use crate::config::{Config, Database, PassphraseFrom, RootKey};
use crate::private;

/// The open house, and the clock and chance that everything in it uses.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl House {
    /// Opens what `init` has made. What is missing is never replaced: an empty database would look sound, and a new key
    /// would open nothing.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        Self::open_as(config, Opening::Existing).await
    }

    /// The same for somebody who only looks: nothing can be changed, and migrations are not run.
    pub(crate) async fn inspect(config: &Config) -> anyhow::Result<Self> {
        Self::open_as(config, Opening::Inspect).await
    }

    async fn open_as(config: &Config, opening: Opening) -> anyhow::Result<Self> {
        let source = root_source(&config.root, false)?;
        let data = find(config, Schema::Data, opening).await?;
        let keys = find(config, Schema::Keys, opening).await?;
        let root = source.path().exists();
        let root_name = format!("the root key file {}", source.path().display());
        let parts = [
            (data.is_some(), name_of(config, Schema::Data)),
            (keys.is_some(), name_of(config, Schema::Keys)),
            (root, root_name),
        ];
        let (Some(data), Some(keys), true) = (data, keys, root) else {
            let names = |there| {
                let names: Vec<_> = parts.iter().filter(|part| part.0 == there).map(|part| part.1.as_str()).collect();
                names.join(" and ")
            };
            match names(true) {
                there if there.is_empty() => {
                    bail!("nothing was set up in {} yet; do it with: letterkeep init", config.data.display())
                }
                there => bail!("missing: {}; found: {there}; {RESTORE}", names(false)),
            }
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keys = KeyStore::open(keys, source, clock.clone()).await.context("opening the key store")?;
        Ok(Self { store: Store { db: data, keys }, clock, entropy: Arc::new(SystemEntropy) })
    }

    /// Makes the data directory, the root key and the databases where they are missing, then opens the house. Nothing
    /// that exists is overwritten, and nothing is made beside what would be unreadable or incomplete with it.
    pub(crate) async fn init(config: &Config) -> anyhow::Result<Self> {
        make_directory(&config.data)?;
        let source = root_source(&config.root, true)?;
        let data = find(config, Schema::Data, Opening::Existing).await?;
        let keys = find(config, Schema::Keys, Opening::Existing).await?;
        let accounts = match &data {
            Some(data) => !account::ids(&mut data.read().await?, Id::NIL, 1).await?.is_empty(),
            None => false,
        };
        let held = match &keys {
            Some(keys) => keystore::held(keys).await?,
            None => Held { installation: false, accounts: false },
        };
        if !source.path().exists() {
            if held.installation || held.accounts || accounts {
                let path = source.path().display();
                bail!("the root key file {path} is missing, but there is a key store or data that need it; {RESTORE}");
            }
            source.create(&SystemEntropy).context("making the root key")?;
        }
        if accounts && !(held.installation && held.accounts) {
            bail!("{} does not hold the keys that the data need; {RESTORE}", name_of(config, Schema::Keys));
        }
        if data.is_none() && held.accounts {
            bail!("{} is missing, but there are keys of accounts in it; {RESTORE}", name_of(config, Schema::Data));
        }
        let data =
            if let Some(data) = data { data } else { open_database(config, Schema::Data, Opening::Make).await? };
        let keys =
            if let Some(keys) = keys { keys } else { open_database(config, Schema::Keys, Opening::Make).await? };
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let keys = KeyStore::make(keys, source, clock.clone(), &*entropy).await.context("opening the key store")?;
        Ok(Self { store: Store { db: data, keys }, clock, entropy })
    }

    /// The service's own context for `account`.
    pub(crate) fn system(&self, account: Id<kind::Account>) -> Ctx {
        Ctx::system(self.clock.clone(), self.entropy.clone(), account)
    }

    /// Closes the databases after everything committed is durable.
    pub(crate) async fn close(&self) {
        self.store.db.close().await;
        self.store.keys.db().close().await;
    }
}

/// The embedded database's files.
const DATA_FILE: &str = "letterkeep.sqlite3";
const KEYS_FILE: &str = "keys.sqlite3";

/// What to do about a part that is missing.
const RESTORE: &str = "restore it from its backup, or correct the configuration; nothing new was made";

/// The database as messages name it.
fn name_of(config: &Config, schema: Schema) -> String {
    match (&config.database, schema) {
        (Database::Sqlite, _) => format!("the {} {}", part_of(schema), file_of(config, schema).display()),
        (Database::Postgres { .. }, _) => format!("the {} on PostgreSQL", part_of(schema)),
    }
}

const fn part_of(schema: Schema) -> &'static str {
    match schema {
        Schema::Data => "database",
        Schema::Keys => "key store",
    }
}

fn file_of(config: &Config, schema: Schema) -> PathBuf {
    config.data.join(match schema {
        Schema::Data => DATA_FILE,
        Schema::Keys => KEYS_FILE,
    })
}

/// The database if it is there.
async fn find(config: &Config, schema: Schema, opening: Opening) -> anyhow::Result<Option<Db>> {
    match open_database(config, schema, opening).await {
        Err(error) if matches!(error.downcast_ref(), Some(letterkeep_store::Error::Missing(_))) => Ok(None),
        opened => opened.map(Some),
    }
}

async fn open_database(config: &Config, schema: Schema, opening: Opening) -> anyhow::Result<Db> {
    match &config.database {
        Database::Sqlite => {
            let path = file_of(config, schema);
            let readers = if schema == Schema::Data { 4 } else { 1 };
            let options = SqliteOptions { path: path.clone(), readers };
            Db::open_sqlite(&options, schema, opening).await.with_context(|| format!("opening {}", path.display()))
        }
        Database::Postgres { url, keys_url } => {
            let (url, connections) = if schema == Schema::Data { (url, 16) } else { (keys_url, 3) };
            let options = PostgresOptions { url: url.clone(), connections };
            Db::open_postgres(&options, schema, opening).await.context("opening the PostgreSQL database")
        }
    }
}

/// Where the root key comes from. With `new`, a passphrase typed at the terminal is asked for twice.
pub(crate) fn root_source(root: &RootKey, new: bool) -> anyhow::Result<RootSource> {
    match root {
        RootKey::KeyFile(path) => Ok(RootSource::KeyFile(path.clone())),
        RootKey::PassphraseFile { path, passphrase } => {
            let ask = || ask_passphrase("Passphrase of the root key: ", new && !path.exists(), OLD_HINT);
            Ok(RootSource::PassphraseFile { path: path.clone(), passphrase: read_passphrase(passphrase, ask)? })
        }
    }
}

/// The passphrase that is to take the place of the present one.
pub(crate) fn new_passphrase(from: &PassphraseFrom) -> anyhow::Result<Passphrase> {
    read_passphrase(from, || ask_passphrase("New passphrase of the root key: ", true, NEW_HINT))
}

const OLD_HINT: &str = "no terminal to ask at: set LETTERKEEP_PASSPHRASE_FILE or keys.passphrase_file";
const NEW_HINT: &str = "no terminal to ask at: set LETTERKEEP_NEW_PASSPHRASE_FILE";

fn read_passphrase(from: &PassphraseFrom, ask: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<Passphrase> {
    let text = match from {
        PassphraseFrom::Environment(text) => text.clone(),
        PassphraseFrom::File(file) => {
            let reading = || format!("reading the passphrase from {}", file.display());
            private::refuse_exposed(file).with_context(reading)?;
            std::fs::read_to_string(file).with_context(reading)?.trim_end_matches(['\r', '\n']).to_owned()
        }
        PassphraseFrom::Terminal => ask()?,
    };
    Ok(Passphrase::new(text))
}

fn ask_passphrase(question: &str, twice: bool, hint: &'static str) -> anyhow::Result<String> {
    let first = rpassword::prompt_password(question).context(hint)?;
    if twice && rpassword::prompt_password("The same again: ").context(hint)? != first {
        bail!("the two passphrases differ; nothing was changed");
    }
    Ok(first)
}

/// Makes the data directory if it is not there. Nobody but its owner may look into it.
pub(crate) fn make_directory(path: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).with_context(|| format!("making the data directory {}", path.display()))
}

/// The pages and what recipients' links lead to.
pub(crate) fn router(house: &House, config: &Config, outbound: Outbound) -> anyhow::Result<axum::Router> {
    let settings = letterkeep_web::Settings {
        upload_bytes: usize::try_from(config.import_max_bytes).unwrap_or(usize::MAX),
        outbound: Some(outbound),
        sign_up_open: config.sign_up_open,
        ..letterkeep_web::Settings::new(&config.public_url)
    };
    Ok(letterkeep_web::router(letterkeep_web::House {
        store: house.store.clone(),
        clock: house.clock.clone(),
        entropy: house.entropy.clone(),
        passwords: config.passwords.load()?,
        settings: Arc::new(settings),
    }))
}

/// What sending needs to know about this installation.
pub(crate) fn outbound(config: &Config) -> anyhow::Result<Outbound> {
    let url = config.public_url.parse().context("public_url")?;
    let trust = Trust::system(None).or_else(|error| {
        // A machine without certificate authorities can still hand mail to a relay on itself; any other refuses then.
        tracing::warn!(%error, "relays cannot be trusted");
        let own = std::fs::read(config.data.join("tls-certificate.pem")).unwrap_or_default();
        Trust::only(&own)
    })?;
    let hello = config.public_url.trim_start_matches("https://");
    let hello = hello.rsplit_once(':').map_or(hello, |(host, _)| host).to_owned();
    let mut outbound = Outbound::new(LinkBase::new(&url)?, trust, hello);
    outbound.reach = Reach::with(&config.relay_networks);
    Ok(outbound)
}
