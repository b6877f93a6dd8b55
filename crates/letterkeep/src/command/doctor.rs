//! `letterkeep doctor`: says what is misconfigured and how to mend it; changes nothing.

use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;

use letterkeep_model::{Id, kind};
use letterkeep_store::audit::{self, Chain};
use letterkeep_store::{KeyStoreError, Schema, Tx, account, queue};

use super::say;
use crate::config::{Config, ConfigError, Database, FirewallMode, RootKey, Tls, own_exclusions};
use crate::edge;
use crate::house::{House, root_source};

/// One finding.
enum Finding {
    Good(String),
    /// Works, but somebody should know.
    Note(String),
    /// Does not work; what to do.
    Bad(String, String),
}

use Finding::{Bad, Good, Note};

pub(crate) async fn run(config: Result<Config, ConfigError>) -> ExitCode {
    let findings = match config {
        Ok(config) => examine(&config).await,
        Err(error) => vec![Bad(error.to_string(), "correct the value and run doctor again".into())],
    };
    let mut bad = 0;
    for finding in findings {
        match finding {
            Good(text) => say(&format!("good   {text}")),
            Note(text) => say(&format!("note   {text}")),
            Bad(text, mend) => {
                bad += 1;
                say(&format!("BAD    {text}"));
                say(&format!("       mend: {mend}"));
            }
        }
    }
    say(&match bad {
        0 => "Nothing is misconfigured.".to_owned(),
        1 => "1 thing is misconfigured.".to_owned(),
        _ => format!("{bad} things are misconfigured."),
    });
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Good("the configuration is valid".into())];
    if !config.data.is_dir() {
        let mend = "run: letterkeep init".into();
        findings.push(Bad(format!("there is no data directory {}", config.data.display()), mend));
        return findings;
    }
    findings.extend(private(&config.data));
    findings.push(listening(config));
    findings.push(match &config.tls {
        Tls::SelfSigned => {
            Note("the certificate is self-signed: browsers warn; set tls.certificate and tls.key, or [tls.acme], for real work".into())
        }
        Tls::Files { certificate, key } => match letterkeep_network::Certificate::read(certificate, key) {
            Ok(_) => Good(format!("certificate and key in {} can be read", certificate.display())),
            Err(error) => Bad(error.to_string(), "set tls.certificate and tls.key to PEM files".into()),
        },
        Tls::Acme(acme) => Good(format!("the certificate comes from {}", acme.directory)),
    });
    findings.push(firewall(config));
    findings.extend(exposed(config));
    findings.push(match (config.passwords.load(), config.passwords.blocklist()) {
        (Ok(_), Some(list)) => Good(format!("the forbidden passwords in {} can be read", list.display())),
        (Ok(_), None) => Note(
            "no list of forbidden passwords is set: only our own short list of words is refused; set \
             passwords.blocklist to a file of known passwords"
                .into(),
        ),
        (Err(error), _) => Bad(error.to_string(), "set passwords.blocklist to a file of one password a line".into()),
    });
    if config.public_url.contains("localhost") {
        findings.push(Note(
            "public_url is localhost: links in campaigns work on this machine only; set it to your https:// address"
                .into(),
        ));
    }
    findings.push(strangers(config));
    findings.push(reach(config));
    let root = root_key(config);
    let opens = !matches!(root, Bad(..));
    findings.push(root);
    if !opens {
        return findings;
    }
    match House::inspect(config).await {
        Ok(house) => {
            findings.push(Good("the root key opens the key store".into()));
            findings.extend(contents(&house).await.unwrap_or_else(|error| {
                vec![Bad(format!("the database does not answer: {error}"), "restore it from a backup".into())]
            }));
            house.close().await;
        }
        Err(error) => {
            let mend = match config.database {
                Database::Sqlite => "restore the file from its backup, or end the process that holds it",
                Database::Postgres { .. } => "check database.url, the server and the user's rights",
            };
            findings.push(Bad(format!("{error:#}"), mend.into()));
        }
    }
    findings
}

/// The rules of the firewall, loaded and tried as the service does it.
fn firewall(config: &Config) -> Finding {
    if config.firewall.mode == FirewallMode::Off {
        return Bad("the firewall is switched off".into(), "set firewall.mode to block".into());
    }
    let loaded = own_exclusions().map_err(anyhow::Error::from);
    let loaded = loaded.and_then(|own| edge::rules_of(&config.firewall, &config.data, &own));
    match loaded {
        Ok(set) if config.firewall.mode == FirewallMode::Detect => {
            Note(format!("the firewall only tells, it refuses nothing ({} {})", set.name, set.version))
        }
        Ok(set) => Good(format!("the firewall refuses by {} {}, {} rules", set.name, set.version, set.len())),
        Err(error) => Bad(format!("the firewall: {error:#}"), "see: letterkeep rules show".into()),
    }
}

fn strangers(config: &Config) -> Finding {
    if config.sign_up_open {
        return Note(
            "sign_up.open is true: whoever reaches this service can open an account; false leaves invitations alone"
                .into(),
        );
    }
    Good("nobody can open an account without an invitation (sign_up.open is false)".into())
}

fn reach(config: &Config) -> Finding {
    if config.relay_networks.is_empty() {
        return Good(
            "mail servers are reached at public addresses alone; for one of your own, name its network in relay.private_networks"
                .into(),
        );
    }
    let networks: Vec<String> = config.relay_networks.iter().map(ToString::to_string).collect();
    Note(format!(
        "relay.private_networks: every account can use and probe mail servers in {}; name single addresses where you can",
        networks.join(", ")
    ))
}

fn listening(config: &Config) -> Finding {
    match TcpListener::bind(config.listen) {
        Ok(_) => Good(format!("{} is free to listen on", config.listen)),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Note(format!("{} is in use: by the running service, or by another program", config.listen))
        }
        Err(error) => Bad(format!("cannot listen on {}: {error}", config.listen), "choose another `listen`".into()),
    }
}

fn root_key(config: &Config) -> Finding {
    let source = match root_source(&config.root, false) {
        Ok(source) => source,
        Err(error) => return Bad(format!("{error:#}"), "do that, or set LETTERKEEP_PASSPHRASE_FILE".into()),
    };
    let path = source.path().display().to_string();
    match source.open() {
        Ok(root) if root.is_rotating() => Note(format!(
            "a rotation of the root key in {path} was interrupted; finish it with: letterkeep keys rotate"
        )),
        Ok(_) if matches!(config.root, RootKey::KeyFile(_)) => Note(format!(
            "the root key is a plain file, {path}: whoever copies this disk has it; keys.root = \"passphrase\" protects it"
        )),
        Ok(_) => {
            Good(format!("the root key in {path} opens with its passphrase (to change it: letterkeep keys passphrase)"))
        }
        Err(error) => {
            Bad(error.to_string(), "do that, or restore the file from its backup, or correct keys.path".into())
        }
    }
}

/// Secrets outside the data directory that others can read. The root key and its passphrase are looked at when they
/// are read.
fn exposed(config: &Config) -> Option<Finding> {
    let Tls::Files { key, .. } = &config.tls else { return None };
    let error = crate::private::refuse_exposed(key).err()?;
    Some(Bad(format!("{error:#}"), "do that; with a key that somebody may have read, get a new certificate".into()))
}

#[cfg(unix)]
fn private(data: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(data).ok()?.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 {
        return Some(Good(format!("{} is private", data.display())));
    }
    let mend = format!("run: chmod 700 {}", data.display());
    Some(Bad(format!("others on this machine can look into {} (mode {mode:o})", data.display()), mend))
}

#[cfg(not(unix))]
fn private(_: &Path) -> Option<Finding> {
    None
}

async fn contents(house: &House) -> anyhow::Result<Vec<Finding>> {
    let mut findings = schemas(house).await?;
    if !findings.is_empty() {
        findings.push(Note("what is in the databases was not examined".into()));
        return Ok(findings);
    }
    let mut tx = house.store.db.read().await?;
    findings.push(match queue::count_dead(&mut tx).await? {
        0 => Good("no job has given up".into()),
        1 => Note("1 job has given up; see: letterkeep jobs list".into()),
        dead => Note(format!("{dead} jobs have given up; see: letterkeep jobs list")),
    });
    findings.extend(keys_of_accounts(house, &mut tx).await?);
    findings.extend(audit_logs(&mut tx).await?);
    Ok(findings)
}

/// What keeps this version from reading the databases as they are; nothing if all is well.
async fn schemas(house: &House) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (name, db, schema) in
        [("database", &house.store.db, Schema::Data), ("key store", house.store.keys.db(), Schema::Keys)]
    {
        let state = db.schema_state(schema).await?;
        if !state.unknown.is_empty() {
            findings.push(Bad(
                format!("the {name} was changed by a newer version of Letterkeep (migrations {:?})", state.unknown),
                "run that version, or restore a backup from before it".into(),
            ));
        }
        if !state.pending.is_empty() {
            findings.push(Note(format!(
                "migrations {:?} of the {name} are pending: the next start runs them; make a backup before",
                state.pending
            )));
        }
    }
    Ok(findings)
}

/// Whether data and key store know the same accounts.
async fn keys_of_accounts(house: &House, tx: &mut Tx) -> anyhow::Result<Vec<Finding>> {
    const RESTORE_KEYS: &str = "restore the key store from the backup that belongs to this data";
    let (mut findings, mut accounts, mut after) = (Vec::new(), 0, Id::NIL);
    while let Some(page) = next(account::ids(tx, after, PAGE).await?, &mut after) {
        for account in page {
            accounts += 1;
            match house.store.keys.keyring(account).await {
                Ok(_) => {}
                Err(KeyStoreError::NoKeys) => findings.push(Bad(
                    format!("the key store holds no keys of {account}: nobody can read its data"),
                    RESTORE_KEYS.into(),
                )),
                Err(error) => findings.push(Bad(format!("the keys of {account}: {error}"), RESTORE_KEYS.into())),
            }
        }
    }
    let mut strangers = 0;
    after = Id::NIL;
    while let Some(page) = next(house.store.keys.accounts(after, PAGE).await?, &mut after) {
        for account in page {
            strangers += i64::from(account::find(tx, account).await?.is_none());
        }
    }
    if strangers > 0 && accounts == 0 {
        findings.push(Bad(
            format!("the database holds no account, but the key store holds keys of {strangers}"),
            "restore the database from its backup; only if nobody has ever finished a sign-up, all is well".into(),
        ));
    } else if strangers > 0 {
        findings.push(Note(format!(
            "the key store holds keys of {strangers} accounts that the database does not know: a sign-up was cut \
             short, or the database is an older copy"
        )));
    }
    if findings.is_empty() {
        findings.push(Good(format!("the key store opens the data of every account ({accounts})")));
    }
    Ok(findings)
}

async fn audit_logs(tx: &mut Tx) -> anyhow::Result<Vec<Finding>> {
    let (mut findings, mut accounts, mut after) = (Vec::new(), 0, Id::NIL);
    findings.extend(audit_log(tx, Id::NIL, "the installation").await?);
    while let Some(page) = next(audit::chains(tx, after, PAGE).await?, &mut after) {
        for account in page {
            accounts += 1;
            findings.extend(audit_log(tx, account, &account.to_string()).await?);
        }
    }
    let whose = if accounts == 1 { "1 account".to_owned() } else { format!("{accounts} accounts") };
    findings.push(Good(format!("the audit logs of {whose} and of the installation were recomputed")));
    Ok(findings)
}

async fn audit_log(tx: &mut Tx, account: Id<kind::Account>, name: &str) -> anyhow::Result<Option<Finding>> {
    Ok(match audit::verify(tx, account).await? {
        Chain::Whole(_) => None,
        Chain::BrokenAt(seq) => Some(Bad(
            format!("the audit log of {name} does not fit together from entry {seq} on: it was changed"),
            "compare it with a backup; find out who could write to the database".into(),
        )),
    })
}

/// How many accounts are looked at in one step.
const PAGE: i64 = 200;

/// A page that is not empty, with `after` moved to its end.
fn next(page: Vec<Id<kind::Account>>, after: &mut Id<kind::Account>) -> Option<Vec<Id<kind::Account>>> {
    *after = *page.last()?;
    Some(page)
}
