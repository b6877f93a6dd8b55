//! Plants a canary in every sealed column, with the functions that the pages call and the jobs of a running service.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use letterkeep_account::sign_up::{self, SignUp};
use letterkeep_account::{Blocklist, Client, PasswordPolicy, Passwords, factor, invitation, session};
use letterkeep_audience::import::{self, progress, stage};
use letterkeep_audience::permission::{Evidence, Source};
use letterkeep_audience::{ContactRecord, Permission, contact, list};
use letterkeep_campaign::{self as campaign, Audience, Content, ContentInput, Format, Launched, When};
use letterkeep_delivery::domain::{self, DomainKeys, DomainName};
use letterkeep_delivery::relay::{self, PasswordChange, RelayInput};
use letterkeep_delivery::sink::{Behaviour, Reaction, Sink, SinkTls};
use letterkeep_delivery::smtp::Security;
use letterkeep_model::{Clock, Ctx, EmailAddress, Entropy, Id, Locale, Role, SystemClock, SystemEntropy, kind};
use letterkeep_store::{Db, KeyStore, Opening, PostgresOptions, Schema, SqliteOptions, Store, sending_trouble};
use letterkeep_vault::{IndexField, Password, PasswordCost, RootSource, TotpSecret};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;

use crate::search::{self, Needle};

pub(crate) const USER_NAME: &str = "kanarienvogel";
pub(crate) const PASSWORD: &str = "canary password of the owner";
/// The contact that everything happens to.
pub(crate) const READER: &str = "canary-reader@canary-host.example";

const RELAY_USER: &str = "postausgang";
const RELAY_PASSWORD: &str = "canary-relay-password";
const WRONG_RELAY_PASSWORD: &str = "canary-password-that-the-relay-refuses";
const REPLY: &str = "canary-reply-of-the-server";

/// What was planted in a sealed column.
#[derive(Debug)]
pub(crate) enum Planted {
    /// These bytes, among others.
    Bytes(Vec<u8>),
    /// What the product has made itself; it begins like this.
    Made(&'static [u8]),
}

/// What was planted, where, and by whom.
pub(crate) struct Garden {
    pub(crate) account: Id<kind::Account>,
    pub(crate) secret: TotpSecret,
    /// By `table.column`.
    pub(crate) planted: BTreeMap<&'static str, Planted>,
    /// What stands in no column as it is, and nowhere else either.
    pub(crate) secrets: Vec<Needle>,
    ctx: Ctx,
}

/// A mail server that wants TLS and a password, and takes nothing.
pub(crate) struct MailServer {
    sink: Sink,
    /// What it shows, to be trusted.
    pub(crate) certificate: NamedTempFile,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let mut behaviour = Behaviour::accept_all(|_| ());
        behaviour.tls = Some((SinkTls::StartTls, Arc::new(config)));
        behaviour.login = Some((RELAY_USER.into(), RELAY_PASSWORD.into()));
        behaviour.react = Arc::new(|_| Reaction::AnswerRecipient(format!("550 5.1.1 {REPLY}")));
        let sink = Sink::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), behaviour).await.unwrap();
        let mut certificate = NamedTempFile::new().unwrap();
        certificate.write_all(made.cert.pem().as_bytes()).unwrap();
        Self { sink, certificate }
    }
}

/// Opens what the running service has open.
pub(crate) async fn open(data: &Path, postgres: Option<&str>) -> Store {
    let database = async |name: &str, schema| match postgres {
        Some(url) => {
            Db::open_postgres(&PostgresOptions { url: url.to_owned(), connections: 3 }, schema, Opening::Existing)
                .await
                .unwrap()
        }
        None => Db::open_sqlite(&SqliteOptions { path: data.join(name), readers: 2 }, schema, Opening::Existing)
            .await
            .unwrap(),
    };
    let db = database("letterkeep.sqlite3", Schema::Data).await;
    let keys = database("keys.sqlite3", Schema::Keys).await;
    let source = RootSource::KeyFile(data.join("root.key"));
    Store { db, keys: KeyStore::open(keys, source, Arc::new(SystemClock)).await.unwrap() }
}

/// Plants everything; returns when the service has done its part.
pub(crate) async fn grow(store: &Store, mail_server: &MailServer) -> Garden {
    let mut garden = sign_up(store).await;
    audience(store, &mut garden).await;
    send(store, mail_server, &mut garden).await;
    garden
}

impl Garden {
    fn plant(&mut self, column: &'static str, canary: impl AsRef<[u8]>) {
        let before = self.planted.insert(column, Planted::Bytes(canary.as_ref().to_vec()));
        assert!(before.is_none(), "{column} is planted twice");
    }

    fn keep_secret(&mut self, name: &str, text: &str) {
        self.secrets.push(Needle::text(name, text));
    }
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

async fn sign_up(store: &Store) -> Garden {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let ctx = Ctx::public(clock, entropy, Locale::De);
    let passwords = Passwords::new(PasswordPolicy::nist(), Blocklist::packaged(), PasswordCost::M19T2);
    let client = Client::new(None, None, None);
    let form = SignUp {
        organisation: "Vogelhaus".into(),
        user_name: USER_NAME.into(),
        email: address("canary-owner@vogelhaus.example"),
        password: Password::new(PASSWORD.into()).unwrap(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".into(),
    };
    let started = Box::pin(sign_up::start(&ctx, store, &passwords, &client, form)).await.unwrap();
    let secret = started.setup.secret;
    let code = secret.code_at(ctx.now());
    let proven = sign_up::prove_factor(&ctx, store, &client, &started.session, &code).await.unwrap();
    let done = sign_up::acknowledge_recovery_codes(&ctx, store, &client, &proven.session).await.unwrap();
    let mut tx = store.db.read().await.unwrap();
    let session = session::find(&ctx, &mut tx, &done.session).await.unwrap().unwrap();
    drop(tx);
    let next = factor::begin_replacement(&ctx, store, &session).await.unwrap();
    let ctx = ctx.with_user(done.account, done.user, Role::Owner);
    let keyring = store.keys.keyring(done.account).await.unwrap();
    let mut tx = store.db.write().await.unwrap();
    let guest = address("canary-guest@vogelhaus.example");
    let invited = invitation::invite(&ctx, &mut tx, &keyring, Role::Viewer, Some(&guest)).await.unwrap();
    tx.commit().await.unwrap();

    let (account, planted) = (done.account, BTreeMap::new());
    let mut garden = Garden { account, secret, planted, secrets: Vec::new(), ctx };
    garden.planted.insert("app_user.password", Planted::Made(b"$argon2id$"));
    garden.plant("app_user.email", "canary-owner@vogelhaus.example");
    let (present, pending) = (garden.secret.as_bytes().to_vec(), next.secret.as_bytes().to_vec());
    garden.plant("totp_factor.secret", present);
    garden.plant("totp_factor.pending", pending);
    garden.plant("invitation.email", "canary-guest@vogelhaus.example");
    garden.keep_secret("the password", PASSWORD);
    garden.keep_secret("a wrong password", "canary wrong password");
    garden.keep_secret("any password hash", "$argon2id$");
    let base32 = garden.secret.base32();
    garden.keep_secret("the secret of the authenticator, in base32", &base32);
    garden.keep_secret("its successor, in base32", &next.secret.base32());
    garden.keep_secret("the cookie of the session", &done.session.text());
    garden.keep_secret("the cookie of the device", &done.device.text());
    garden.keep_secret("the link of the invitation", &invited.token.text());
    garden.keep_secret("a recovery code", &proven.codes[0].text());
    garden
}

async fn audience(store: &Store, garden: &mut Garden) {
    let ctx = garden.ctx.clone();
    let keyring = store.keys.keyring(ctx.account).await.unwrap();
    let mut record = ContactRecord::new(address(READER));
    record.company = "canary-company-before".into();
    record.notes = "canary-notes".into();
    let evidence = Some(Evidence::note("canary-evidence"));
    let new = contact::NewRecord { record, permission: Permission::Explicit, source: Source::Manual, evidence };
    let mut tx = store.db.write().await.unwrap();
    contact::create(&ctx, &mut tx, &keyring, &new).await.unwrap();
    tx.commit().await.unwrap();

    let upload = async |name: &str, file: &str| {
        let mut writer = import::FileWriter::begin(&ctx, store, name, import::limits::FILE).await.unwrap();
        writer.write(file.as_bytes()).await.unwrap();
        let stored = writer.finish().await.unwrap();
        stage::register(&ctx, store, stored.id).await.unwrap()
    };
    let configure = async |id| {
        let mut settings = stage::preview(&ctx, store, id).await.unwrap().settings;
        settings.permission = Permission::Implicit;
        settings.evidence = "canary-settings".into();
        stage::configure(&ctx, store, id, &settings).await.unwrap();
    };
    // A file is removed when it was imported; this one waits for somebody who says what its columns mean, and was
    // checked meanwhile.
    let waiting = upload("canary-waiting.csv", "E-Mail\ncanary-row@example.com\n").await;
    configure(waiting).await;
    import::check::start(&ctx, store, waiting).await.unwrap();
    until("the check", async || {
        let mut tx = store.db.read().await.unwrap();
        let check = import::check::standing(&ctx, &mut tx, &keyring, waiting).await.unwrap();
        let is_over = !matches!(check, import::check::Check::NotAsked | import::check::Check::UnderWay { .. });
        is_over.then(|| assert!(matches!(check, import::check::Check::Done { .. }), "the check gave up"))
    })
    .await;
    let rows = ["canary-second@example.com,x", "no address,canary-refused"];
    let file = format!("E-Mail,Firma\n{READER},canary-company-after\n{}\n", rows.join("\n"));
    let id = upload("canary-file.csv", &file).await;
    configure(id).await;
    stage::start(&ctx, store, id).await.unwrap();
    let counts = until("the import", async || {
        let mut tx = store.db.read().await.unwrap();
        let now = progress::progress(&mut tx, ctx.account, id, ctx.now()).await.unwrap().unwrap();
        now.state.has_ended().then_some((now.created, now.updated, now.rejected))
    })
    .await;
    assert_eq!(counts, (1, 1, 1));

    garden.plant("contact.record", "canary-company-after");
    garden.plant("permission_change.evidence", "canary-evidence");
    garden.plant("sealed_file.name", "canary-waiting.csv");
    garden.plant("sealed_file_chunk.body", "canary-row@example.com");
    garden.plant("import.settings", "canary-settings");
    garden.planted.insert("import_check.result", Planted::Made(b"{"));
    garden.plant("import_change.previous", "canary-company-before");
    garden.keep_secret("the name of an imported file", "canary-file.csv");
    garden.keep_secret("a refused row of it", "canary-refused");
    garden.keep_secret("the contact's address", READER);
    garden.keep_secret("the host of the contact's address", "canary-host.example");
    garden.keep_secret("the contact's notes", "canary-notes");
}

async fn send(store: &Store, mail_server: &MailServer, garden: &mut Garden) {
    let ctx = garden.ctx.clone();
    let keyring = store.keys.keyring(ctx.account).await.unwrap();
    let keys = DomainKeys::generate(&ctx).await.unwrap();
    let input = |password: &str| RelayInput {
        host: "localhost".into(),
        port: mail_server.sink.address().port(),
        security: Security::StartTls,
        user_name: RELAY_USER.into(),
        password: PasswordChange::Set(password.to_owned().into()),
        connections: 1,
        per_destination_per_minute: 0,
    };
    let content = Content::parse(ContentInput {
        subject: "canary-subject for {{ company }}".into(),
        preheader: String::new(),
        from_name: "Vogelhaus".into(),
        from_address: address("post@vogelhaus.example"),
        reply_to: None,
        postal_address: "Weg 1\n12345 Ort".into(),
        format: Format::Html,
        source: "<html><body><p>canary-content</p><p><a href=\"{{ unsubscribe_url }}\">Abmelden</a></p>\
                 <p>{{ postal_address }}</p></body></html>"
            .into(),
        text: None,
        locale: Locale::De,
    })
    .unwrap();
    let mut tx = store.db.write().await.unwrap();
    domain::add(&ctx, &mut tx, &keyring, &DomainName::parse("vogelhaus.example").unwrap(), keys).await.unwrap();
    relay::save(&ctx, &mut tx, &keyring, input(RELAY_PASSWORD)).await.unwrap();
    tx.commit().await.unwrap();
    let activity = launch(store, &ctx, &content).await;
    until("the sending", async || {
        let mut tx = store.db.read().await.unwrap();
        let row = campaign::find_activity(&ctx, &mut tx, &keyring, activity).await.unwrap().unwrap();
        row.finished_at.is_some().then_some(())
    })
    .await;

    // The next one is held up, because the mail server does not know this password.
    let mut tx = store.db.write().await.unwrap();
    relay::save(&ctx, &mut tx, &keyring, input(WRONG_RELAY_PASSWORD)).await.unwrap();
    // Addresses that the first one was refused for are blocked by now.
    let mut record = ContactRecord::new(address("canary-third@example.com"));
    record.company = "canary-third".into();
    let new = contact::NewRecord { record, permission: Permission::Explicit, source: Source::Manual, evidence: None };
    contact::create(&ctx, &mut tx, &keyring, &new).await.unwrap();
    tx.commit().await.unwrap();
    let held = launch(store, &ctx, &content).await;
    until("the trouble", async || {
        let mut tx = store.db.read().await.unwrap();
        sending_trouble::find(&mut tx, ctx.account, held).await.unwrap()
    })
    .await;

    garden.planted.insert("sending_domain.rsa_private", Planted::Made(b"\x30\x82"));
    garden.planted.insert("sending_domain.ed25519_private", Planted::Made(b"\x30\x2e"));
    garden.planted.insert("sending_trouble.trouble", Planted::Made(b"{\"relay\""));
    garden.plant("relay.password", WRONG_RELAY_PASSWORD);
    garden.keep_secret("the relay's earlier password", RELAY_PASSWORD);
    garden.plant("campaign.content", "canary-content");
    garden.plant("campaign_activity.content", "canary-subject");
    garden.plant("delivery_reply.reply", REPLY);
}

async fn launch(store: &Store, ctx: &Ctx, content: &Content) -> Id<kind::CampaignActivity> {
    let known = contact::MERGE_NAMES.iter().map(|name| (*name).to_owned()).collect();
    let keyring = store.keys.keyring(ctx.account).await.unwrap();
    let mut tx = store.db.write().await.unwrap();
    let made = campaign::create(ctx, &mut tx, &keyring, "Rundbrief", content, Audience::everybody()).await.unwrap();
    let examined = campaign::examine(&made, known).await;
    let launched = campaign::launch(ctx, &mut tx, &keyring, &examined, When::Now).await.unwrap();
    tx.commit().await.unwrap();
    let Launched::Begun(activity) = launched else { panic!("it was to be sent now") };
    activity
}

/// Plants what must be found: in a column that is not sealed, in each form; and the blind index of an address.
pub(crate) async fn controls(store: &Store, garden: &Garden, names: [&str; 4]) -> Vec<Needle> {
    let [plain, hex, base64, index] = names;
    let description = format!("{} {}", search::hex(hex.as_bytes()), STANDARD.encode(format!("x{base64}")));
    let mut tx = store.db.write().await.unwrap();
    list::create(&garden.ctx, &mut tx, plain, &description).await.unwrap();
    tx.commit().await.unwrap();
    let keyring = store.keys.keyring(garden.account).await.unwrap();
    // A new contact, so that its row is written to the log as well.
    let mut tx = store.db.write().await.unwrap();
    let record = ContactRecord::new(address("control@example.com"));
    let blind = keyring.blind_index(IndexField::ContactEmail, record.email.normalised().as_bytes());
    let new = contact::NewRecord { record, permission: Permission::NotSet, source: Source::Manual, evidence: None };
    contact::create(&garden.ctx, &mut tx, &keyring, &new).await.unwrap();
    tx.commit().await.unwrap();
    let blind = Needle { name: index.to_owned(), bytes: blind.to_vec() };
    [plain, hex, base64].map(|text| Needle::text(text, text)).into_iter().chain([blind]).collect()
}

/// Looks again and again until there is an answer.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = look().await {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{what} does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
