//! The configuration: one TOML file, and environment variables that win over it.
//!
//! Every refusal names the key, the line and what would be right.

mod firewall;
mod ops;
mod passwords;
mod tls;

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use letterkeep_model::Network;
use serde::Deserialize;
use toml::Spanned;

pub(crate) use firewall::{EdgeLimits, FirewallMode, FirewallSettings, RulesFrom, own_exclusions, read_exclusions};
pub(crate) use ops::OpsListen;
pub(crate) use passwords::PasswordRules;
pub(crate) use tls::{Tls, public_host};

/// Where the service listens if nobody says otherwise.
const LISTEN: &str = "127.0.0.1:8443";
/// Where the data lives if nobody says otherwise.
const DATA: &str = "letterkeep-data";

/// What can be wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {0} cannot be read: {1}")]
    File(PathBuf, std::io::Error),
    /// Not TOML, an unknown key, or a value of the wrong type. The line itself is not shown: it may hold a password.
    #[error("{place}: {message}")]
    Toml {
        /// File, line and column.
        place: String,
        /// What is wrong, without values.
        message: String,
    },
    /// A value that cannot be used.
    #[error("{place}: {key} = {value:?} {problem}")]
    Value {
        /// File and line, or the environment variable.
        place: String,
        /// The key.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// The valid configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// `https://host[:port]` without a path: the address under which recipients and browsers reach the service.
    pub(crate) public_url: String,
    pub(crate) data: PathBuf,
    pub(crate) tls: Tls,
    /// Where plain HTTP is answered, with nothing but the way to the encrypted address.
    pub(crate) plain_listen: Option<SocketAddr>,
    pub(crate) database: Database,
    pub(crate) root: RootKey,
    /// For the command that changes the passphrase of the root key.
    pub(crate) new_passphrase: PassphraseFrom,
    pub(crate) passwords: PasswordRules,
    pub(crate) import_max_bytes: u64,
    /// Networks that relays may be in although they are not public.
    pub(crate) relay_networks: Vec<Network>,
    /// Whether strangers may open an account.
    pub(crate) sign_up_open: bool,
    pub(crate) edge: EdgeLimits,
    pub(crate) firewall: FirewallSettings,
    /// Where the operator's pages are.
    pub(crate) ops: OpsListen,
    pub(crate) log: Log,
}

#[derive(Clone)]
pub(crate) enum Database {
    Sqlite,
    /// Addresses of the data and of the key store. They hold passwords.
    Postgres {
        url: String,
        keys_url: String,
    },
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "Sqlite",
            Self::Postgres { .. } => "Postgres(addresses hidden)",
        })
    }
}

#[derive(Debug, Clone)]
pub(crate) enum RootKey {
    KeyFile(PathBuf),
    /// The passphrase comes from a file, from the environment, or is asked for.
    PassphraseFile {
        path: PathBuf,
        passphrase: PassphraseFrom,
    },
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PassphraseFrom {
    Environment(String),
    File(PathBuf),
    Terminal,
}

impl std::fmt::Debug for PassphraseFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Environment(_) => "Environment(hidden)",
            Self::File(_) => "File",
            Self::Terminal => "Terminal",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) json: bool,
    /// Empty if nobody said: the command decides.
    pub(crate) level: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Spanned<String>>,
    public_url: Option<Spanned<String>>,
    data: Option<PathBuf>,
    #[serde(default)]
    tls: tls::FileTls,
    #[serde(default)]
    database: FileDatabase,
    #[serde(default)]
    keys: FileKeys,
    #[serde(default)]
    passwords: passwords::FilePasswords,
    #[serde(default)]
    import: FileImport,
    #[serde(default)]
    relay: FileRelay,
    #[serde(default)]
    sign_up: FileSignUp,
    #[serde(default)]
    edge: firewall::FileEdge,
    #[serde(default)]
    firewall: firewall::FileFirewall,
    #[serde(default)]
    ops: ops::FileOps,
    #[serde(default)]
    log: FileLog,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileDatabase {
    url: Option<Spanned<String>>,
    keys_url: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileKeys {
    root: Option<Spanned<String>>,
    path: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileImport {
    max_megabytes: Option<Spanned<u64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileRelay {
    private_networks: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileSignUp {
    open: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileLog {
    format: Option<Spanned<String>>,
    level: Option<Spanned<String>>,
}

/// What the command line says; it wins over environment and file.
#[derive(Debug, Default, Clone)]
pub(crate) struct Overrides {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) data: Option<PathBuf>,
}

/// A value and where it stands, for error messages.
#[derive(Debug, Clone)]
struct Found {
    value: String,
    place: String,
}

struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Source<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        self.text[..span.start.min(self.text.len())].matches('\n').count() + 1
    }

    /// The environment's value, else the file's.
    fn find(&self, variable: &str, in_file: Option<Spanned<String>>) -> Option<Found> {
        if let Some(value) = (self.environment)(variable) {
            return Some(Found { value, place: format!("environment variable {variable}") });
        }
        in_file.map(|spanned| self.found(&spanned))
    }

    /// A value of the file and where it stands.
    fn found(&self, spanned: &Spanned<impl ToString>) -> Found {
        Found {
            place: format!("{}, line {}", self.path.display(), self.line(&spanned.span())),
            value: spanned.get_ref().to_string(),
        }
    }

    /// What is wrong with the file. Neither the line, which the error itself would show, nor a value in the message
    /// reaches the terminal: either may be a database's address with its password.
    fn not_valid(&self, error: &toml::de::Error) -> ConfigError {
        let place = match error.span() {
            None => self.path.display().to_string(),
            Some(span) => {
                let before = &self.text[..self.text.floor_char_boundary(span.start)];
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                format!("{}, line {}, column {column}", self.path.display(), self.line(&span))
            }
        };
        let message = match (error.message().find('"'), error.message().rfind('"')) {
            (Some(from), Some(to)) if from < to => {
                format!("{}(hidden){}", &error.message()[..from], &error.message()[to + 1..])
            }
            _ => error.message().to_owned(),
        };
        ConfigError::Toml { place, message }
    }
}

fn refuse(found: Found, key: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value { place: found.place, key, value: found.value, problem: problem.into() }
}

impl Config {
    /// Reads `path` (if there is one), the environment and the command line's overrides.
    pub(crate) fn load(
        path: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        let text = match path {
            Some(path) => std::fs::read_to_string(path).map_err(|error| ConfigError::File(path.to_owned(), error))?,
            None => String::new(),
        };
        let path = path.unwrap_or(Path::new("letterkeep.toml"));
        Self::parse(&Source { path, text: &text, environment }, overrides)
    }

    fn parse(source: &Source<'_>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(source.text).map_err(|error| source.not_valid(&error))?;
        let data = overrides
            .data
            .clone()
            .or_else(|| (source.environment)("LETTERKEEP_DATA").map(PathBuf::from))
            .or(file.data)
            .unwrap_or_else(|| PathBuf::from(DATA));
        let listen = match (overrides.listen, source.find("LETTERKEEP_LISTEN", file.listen)) {
            (Some(listen), _) => listen,
            (None, None) => parse_listen(LISTEN).expect("the default is an address"),
            (None, Some(found)) => match parse_listen(&found.value) {
                Some(listen) => listen,
                None => return Err(refuse(found, "listen", "is not an address and port, for example 127.0.0.1:8443")),
            },
        };
        let public_url = match source.find("LETTERKEEP_PUBLIC_URL", file.public_url) {
            None => format!("https://localhost:{}", listen.port()),
            Some(found) => {
                let problem = "is not an https:// address without a path, for example https://post.example.org";
                parse_public_url(&found.value).ok_or_else(|| refuse(found, "public_url", problem))?
            }
        };
        let (tls, plain_listen) = tls::parse(source, file.tls, &public_url)?;
        let database = database(source, file.database)?;
        let root = root_key(source, file.keys, &data)?;
        let new_passphrase = passphrase(source, "LETTERKEEP_NEW_PASSPHRASE", "LETTERKEEP_NEW_PASSPHRASE_FILE", None);
        let passwords = PasswordRules::parse(source, file.passwords)?;
        let import_max_bytes = match file.import.max_megabytes {
            None => 200 * 1024 * 1024,
            Some(megabytes) if (1..=4096).contains(megabytes.get_ref()) => megabytes.into_inner() * 1024 * 1024,
            Some(megabytes) => {
                return Err(refuse(source.found(&megabytes), "import.max_megabytes", "is not between 1 and 4096"));
            }
        };
        let relay_networks = relay_networks(source, file.relay.private_networks)?;
        let sign_up_open = match source.find("LETTERKEEP_SIGN_UP_OPEN", None) {
            None => file.sign_up.open.unwrap_or(true),
            Some(found) => match found.value.as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(refuse(found, "sign_up.open", "is neither true nor false")),
            },
        };
        let edge = EdgeLimits::parse(source, file.edge)?;
        let firewall = FirewallSettings::parse(source, file.firewall)?;
        let ops = OpsListen::parse(source, file.ops, listen)?;
        let json = match source.find("LETTERKEEP_LOG_FORMAT", file.log.format) {
            None => false,
            Some(found) => match found.value.as_str() {
                "text" => false,
                "json" => true,
                _ => return Err(refuse(found, "log.format", "is neither text nor json")),
            },
        };
        let level = match source.find("LETTERKEEP_LOG", file.log.level) {
            None => String::new(),
            Some(found) if tracing_subscriber::EnvFilter::try_new(&found.value).is_err() => {
                return Err(refuse(found, "log.level", "is not a level: use error, warn, info, debug or trace"));
            }
            Some(found) => found.value,
        };
        let log = Log { json, level };
        Ok(Self {
            listen,
            public_url,
            data,
            tls,
            plain_listen,
            database,
            root,
            new_passphrase,
            passwords,
            import_max_bytes,
            relay_networks,
            sign_up_open,
            edge,
            firewall,
            ops,
            log,
        })
    }
}

fn database(source: &Source<'_>, file: FileDatabase) -> Result<Database, ConfigError> {
    // The address may hold a password, even a mistyped one: no refusal shows it.
    let hidden = |found: Found, key, problem| refuse(Found { value: "(hidden)".into(), ..found }, key, problem);
    let sound = |found: &Found| found.value.starts_with("postgres://") || found.value.starts_with("postgresql://");
    let url = source.find("LETTERKEEP_DATABASE_URL", file.url);
    match (url, source.find("LETTERKEEP_KEYS_DATABASE_URL", file.keys_url)) {
        (None, None) => Ok(Database::Sqlite),
        (None, Some(keys)) => Err(hidden(keys, "database.keys_url", "needs database.url beside it")),
        (Some(url), _) if !sound(&url) => {
            Err(hidden(url, "database.url", "is not a postgres:// address; leave it out for SQLite"))
        }
        (Some(_), Some(keys)) if !sound(&keys) => {
            let problem = "is not a postgres:// address; leave it out to keep the keys beside the data";
            Err(hidden(keys, "database.keys_url", problem))
        }
        (Some(url), keys) => {
            let keys_url = keys.map_or_else(|| url.value.clone(), |keys| keys.value);
            Ok(Database::Postgres { url: url.value, keys_url })
        }
    }
}

/// From the environment, separated by commas, else from the file.
fn relay_networks(source: &Source<'_>, in_file: Option<Vec<Spanned<String>>>) -> Result<Vec<Network>, ConfigError> {
    let found: Vec<Found> = match source.find("LETTERKEEP_RELAY_PRIVATE_NETWORKS", None) {
        Some(Found { value, place }) => {
            value.split(',').map(|text| Found { value: text.trim().to_owned(), place: place.clone() }).collect()
        }
        None => in_file.into_iter().flatten().filter_map(|text| source.find("", Some(text))).collect(),
    };
    let read = |found: Found| match found.value.parse() {
        Ok(network) => Ok(network),
        Err(error) => Err(refuse(found, "relay.private_networks", format!("is {error}"))),
    };
    found.into_iter().map(read).collect()
}

fn root_key(source: &Source<'_>, keys: FileKeys, data: &Path) -> Result<RootKey, ConfigError> {
    let path_or = |name: &str| keys.path.clone().unwrap_or_else(|| data.join(name));
    match source.find("LETTERKEEP_ROOT", keys.root) {
        None => Ok(RootKey::KeyFile(path_or("root.key"))),
        Some(found) => match found.value.as_str() {
            "key-file" => Ok(RootKey::KeyFile(path_or("root.key"))),
            "passphrase" => {
                let passphrase =
                    passphrase(source, "LETTERKEEP_PASSPHRASE", "LETTERKEEP_PASSPHRASE_FILE", keys.passphrase_file);
                Ok(RootKey::PassphraseFile { path: path_or("root.age"), passphrase })
            }
            _ => Err(refuse(found, "keys.root", "is neither key-file nor passphrase")),
        },
    }
}

/// Where a passphrase comes from: the variable, the file that another variable or the configuration names, or somebody
/// at the terminal.
fn passphrase(source: &Source<'_>, text: &str, file: &str, configured: Option<PathBuf>) -> PassphraseFrom {
    let file = (source.environment)(file).map(PathBuf::from).or(configured);
    match ((source.environment)(text), file) {
        (Some(passphrase), _) => PassphraseFrom::Environment(passphrase),
        (None, Some(file)) => PassphraseFrom::File(file),
        (None, None) => PassphraseFrom::Terminal,
    }
}

/// An address and port; a bare port listens on loopback, `localhost` is the IPv4 loopback.
pub(crate) fn parse_listen(text: &str) -> Option<SocketAddr> {
    if let Ok(port) = text.parse::<u16>() {
        return Some(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let text = text.strip_prefix("https://").unwrap_or(text);
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

fn parse_public_url(text: &str) -> Option<String> {
    let host = text.strip_suffix('/').unwrap_or(text).strip_prefix("https://")?;
    let (name, port) = host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let sound = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.[]:".contains(&byte))
        && port.is_none_or(|port| port.parse::<u16>().is_ok());
    sound.then(|| format!("https://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let environment =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        let source = Source { path: Path::new("letterkeep.toml"), text, environment: &environment };
        Config::parse(&source, &Overrides::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said_is_a_working_configuration() {
        let config = load("", &[]).unwrap();
        assert_eq!(config.public_url, "https://localhost:8443");
        assert!(matches!(config.database, Database::Sqlite));
        assert!(matches!(config.root, RootKey::KeyFile(path) if path == Path::new("letterkeep-data/root.key")));
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = load("listen = '127.0.0.1:1'", &[("LETTERKEEP_LISTEN", "0.0.0.0:2")]).unwrap();
        assert_eq!(config.listen.port(), 2);
    }

    #[test]
    fn every_refusal_names_key_and_line() {
        for (text, parts) in [
            ("\n\nlisten = 'here'", ["line 3", "listen"]),
            ("public_url = 'http://x.org'", ["line 1", "public_url"]),
            ("[tls]\nkey = 'k.pem'", ["line 2", "tls.certificate"]),
            ("[database]\nurl = 'mysql://u:secret@h/d'", ["line 2", "database.url"]),
            ("[keys]\nroot = 'post-it'", ["line 2", "keys.root"]),
            ("[import]\nmax_megabytes = 0", ["line 2", "import.max_megabytes"]),
            ("[relay]\nprivate_networks = [\n'10.0.0.0/8',\n'10.0.0.1/8']", ["line 4", "relay.private_networks"]),
            ("[sign_up]\nopen = 'maybe'", ["line 2", "expected a boolean"]),
            ("[log]\nformat = 'xml'", ["line 2", "log.format"]),
            (
                "[database]\nurl = 'postgres://u@h/d'\nkeys_url = 'mysql://u:secret@h/d'",
                ["line 3", "database.keys_url"],
            ),
            ("[passwords]\nmin_length = 8", ["line 2", "passwords.min_length"]),
            ("[passwords]\nmin_strength = 2", ["line 2", "passwords.min_strength"]),
            ("[passwords]\ncost = 'free'", ["line 2", "passwords.cost"]),
            ("listne = 1", ["line 1", "listne"]),
            ("listen = 1", ["line 1", "expected a string"]),
            // A line that the parser itself refuses, or a value of another type, may hold a password too.
            ("[database]\n  url = postgres://u:secret@h/d", ["line 2", "column 9"]),
            ("[database]\nurl = \"postgres://u:secret@h/d", ["line 2", "column"]),
            ("[database]\nurl = 'postgres://u:secret@h/d' keys_url = 1", ["line 2", "column"]),
            ("database = 'postgres://u:\"secret\"@h/d'", ["line 1", "invalid type"]),
            ("[import]\nmax_megabytes = 'postgres://u:secret@h/d'", ["line 2", "(hidden)"]),
        ] {
            let error = load(text, &[]).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{error}");
            }
            assert!(!error.contains("secret"), "{error}");
        }
        let error = load("", &[("LETTERKEEP_LISTEN", "x")]).unwrap_err();
        assert!(error.contains("LETTERKEEP_LISTEN"), "{error}");
    }

    #[test]
    fn a_list_of_forbidden_passwords_is_read_or_refused_with_its_line() {
        assert!(load("", &[]).unwrap().passwords.load().is_ok());
        let text = "[passwords]\nmin_length = 16\nblocklist = 'Cargo.toml'\ncost = '46-mib'";
        let config = load(text, &[]).unwrap();
        assert!(config.passwords.load().is_ok());
        assert_eq!(config.passwords.blocklist(), Some(Path::new("Cargo.toml")));
        let config = load("[passwords]\nblocklist = 'nowhere.txt'", &[]).unwrap();
        let error = config.passwords.load().err().unwrap().to_string();
        for part in ["line 2", "passwords.blocklist", "nowhere.txt", "cannot be read"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn relays_stay_outside_and_sign_up_is_open_unless_somebody_says_so() {
        let config = load("", &[]).unwrap();
        assert!(config.relay_networks.is_empty() && config.sign_up_open);
        let text = "[relay]\nprivate_networks = ['10.1.0.0/16', 'fd00::/8']\n[sign_up]\nopen = false";
        let config = load(text, &[]).unwrap();
        assert!(config.relay_networks.len() == 2 && !config.sign_up_open);
        let variables = [("LETTERKEEP_RELAY_PRIVATE_NETWORKS", "127.0.0.1, ::1"), ("LETTERKEEP_SIGN_UP_OPEN", "true")];
        let config = load(text, &variables).unwrap();
        let networks: Vec<String> = config.relay_networks.iter().map(ToString::to_string).collect();
        assert!(networks == ["127.0.0.1/32", "::1/128"] && config.sign_up_open, "{networks:?}");
        for (name, value) in [("LETTERKEEP_RELAY_PRIVATE_NETWORKS", "intranet"), ("LETTERKEEP_SIGN_UP_OPEN", "yes")] {
            assert!(load("", &[(name, value)]).unwrap_err().contains(name));
        }
    }

    #[test]
    fn passwords_do_not_reach_debug_output() {
        let variables = [("LETTERKEEP_DATABASE_URL", "postgres://u:secret@h/d"), ("LETTERKEEP_ROOT", "passphrase")];
        let config = load("", &[variables[0], variables[1], ("LETTERKEEP_PASSPHRASE", "secret")]).unwrap();
        assert!(!format!("{config:?}").contains("secret"));
    }
}
