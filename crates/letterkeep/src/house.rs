//! Opening the house: root key, key store, database, in the order in which a failure says most.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use letterkeep_account::{Blocklist, PasswordPolicy, Passwords};
use letterkeep_delivery::LinkBase;
use letterkeep_delivery::sender::Outbound;
use letterkeep_delivery::smtp::Trust;
use letterkeep_model::{Clock, Ctx, Entropy, Id, SystemClock, SystemEntropy, kind};
use letterkeep_store::{Db, KeyStore, PostgresOptions, Schema, SqliteOptions, Store};
use letterkeep_vault::{Passphrase, PasswordCost, RootSource};

use crate::config::{Config, Database, PassphraseFrom, RootKey};

/// The open house, and the clock and chance that everything in it uses.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl House {
    /// Opens what `init` has made.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        if !config.data.is_dir() {
            bail!("there is no data directory {}; make one with: letterkeep init", config.data.display());
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let source = root_source(&config.root, false)?;
        let (data, keys) = open_databases(config).await?;
        let keys = KeyStore::open(keys, source, clock.clone(), &*entropy).await.context("opening the key store")?;
        Ok(Self { store: Store { db: data, keys }, clock, entropy })
    }

    /// Makes the data directory and the root key where they are missing, then opens the house. Nothing that exists is
    /// overwritten.
    pub(crate) async fn init(config: &Config) -> anyhow::Result<Self> {
        make_directory(&config.data)?;
        let source = root_source(&config.root, true)?;
        if !source.path().exists() {
            // A new root key for keys that another root wrapped would lock everybody out: look before making one.
            if matches!(config.database, Database::Sqlite) && config.data.join(KEYS_FILE).exists() {
                bail!(
                    "the root key file {} is missing, but a key store exists; restore the file from its backup",
                    source.path().display()
                );
            }
            source.create(&SystemEntropy).context("making the root key")?;
        }
        Self::open(config).await
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

async fn open_databases(config: &Config) -> anyhow::Result<(Db, Db)> {
    match &config.database {
        Database::Sqlite => {
            let open = async |name: &str, readers, schema| {
                let path = config.data.join(name);
                let options = SqliteOptions { path: path.clone(), readers };
                Db::open_sqlite(&options, schema).await.with_context(|| format!("opening {}", path.display()))
            };
            Ok((open(DATA_FILE, 4, Schema::Data).await?, open(KEYS_FILE, 1, Schema::Keys).await?))
        }
        Database::Postgres { url, keys_url } => {
            let open = async |url: &str, connections, schema| {
                let options = PostgresOptions { url: url.to_owned(), connections };
                Db::open_postgres(&options, schema).await.context("opening the PostgreSQL database")
            };
            Ok((open(url, 16, Schema::Data).await?, open(keys_url, 3, Schema::Keys).await?))
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
        PassphraseFrom::File(file) => std::fs::read_to_string(file)
            .with_context(|| format!("reading the passphrase from {}", file.display()))?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
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

fn make_directory(path: &Path) -> anyhow::Result<()> {
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
pub(crate) fn router(house: &House, config: &Config, outbound: Outbound) -> axum::Router {
    let settings = letterkeep_web::Settings {
        upload_bytes: usize::try_from(config.import_max_bytes).unwrap_or(usize::MAX),
        outbound: Some(outbound),
        ..letterkeep_web::Settings::new(&config.public_url)
    };
    letterkeep_web::router(letterkeep_web::House {
        store: house.store.clone(),
        clock: house.clock.clone(),
        entropy: house.entropy.clone(),
        passwords: passwords(),
        settings: Arc::new(settings),
    })
}

/// The password policy in force, and how passwords are hashed (OWASP: Argon2id, 19 MiB, two passes).
pub(crate) fn passwords() -> Passwords {
    Passwords::new(PasswordPolicy::nist(), Blocklist::packaged(), PasswordCost::M19T2)
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
    Ok(Outbound::new(LinkBase::new(&url)?, trust, hello))
}
