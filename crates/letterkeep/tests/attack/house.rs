//! The service that is attacked: the real program with an organisation, a contact, a list and a campaign in it.

use std::sync::Arc;

use letterkeep_account::sign_up::{self, SignUp};
use letterkeep_account::{Blocklist, Client, PasswordPolicy, Passwords};
use letterkeep_audience::permission::Source;
use letterkeep_audience::{ContactRecord, Permission, contact, list};
use letterkeep_campaign::{self as campaign, Audience, Content, ContentInput, Format};
use letterkeep_model::{Clock, Ctx, EmailAddress, Entropy, Locale, Role, SystemClock, SystemEntropy};
use letterkeep_network::rules::Origin;
use letterkeep_store::{Db, KeyStore, Opening, Schema, SqliteOptions, Store};
use letterkeep_vault::{Password, PasswordCost, RootSource, csrf_token};
use letterkeep_web::SESSION_COOKIE;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::recorder::Recorder;
use crate::service::Service;

/// A running service, somebody who is logged in to it, and what belongs to them.
pub(crate) struct House {
    pub(crate) service: Service,
    pub(crate) recorder: Recorder,
    /// The session, as `name=value`.
    pub(crate) cookie: String,
    /// A form token of the session.
    pub(crate) token: String,
    pub(crate) contact: String,
    pub(crate) list: String,
    pub(crate) campaign: String,
}

impl House {
    /// With these rules in blocking mode, or without a firewall.
    pub(crate) async fn start(rules: Option<&Origin>) -> Self {
        let directory = match rules {
            Some(Origin::Directory(path)) => path.to_str().unwrap(),
            _ => "built-in",
        };
        let service = Service::start(&[
            ("LETTERKEEP_LOG", "debug"),
            ("LETTERKEEP_FIREWALL", if rules.is_some() { "block" } else { "off" }),
            ("LETTERKEEP_FIREWALL_RULES", directory),
            // Nothing is to be hidden because somebody asks often.
            ("LETTERKEEP_CLIENT_RATE", "off"),
            ("LETTERKEEP_SESSION_RATE", "off"),
            ("LETTERKEEP_ACCOUNT_RATE", "off"),
        ]);
        let data = service.directory().join("letterkeep-data");
        let port = service.base().rsplit_once(':').unwrap().1.parse().unwrap();
        let certificate = CertificateDer::from_pem_file(data.join("tls-certificate.pem")).unwrap();
        let recorder = Recorder::start(port, certificate).await;

        let database = async |name: &str, schema| {
            Db::open_sqlite(&SqliteOptions { path: data.join(name), readers: 1 }, schema, Opening::Existing)
                .await
                .unwrap()
        };
        let db = database("letterkeep.sqlite3", Schema::Data).await;
        let keys = database("keys.sqlite3", Schema::Keys).await;
        let source = RootSource::KeyFile(data.join("root.key"));
        let store = Store { db, keys: KeyStore::open(keys, source, Arc::new(SystemClock)).await.unwrap() };
        let (ctx, session) = sign_up(&store).await;

        let keyring = store.keys.keyring(ctx.account).await.unwrap();
        let mut tx = store.db.write().await.unwrap();
        let record = ContactRecord::new(address("anna@kundin.example"));
        let new =
            contact::NewRecord { record, permission: Permission::Explicit, source: Source::Manual, evidence: None };
        let contact = contact::create(&ctx, &mut tx, &keyring, &new).await.unwrap();
        let list = list::create(&ctx, &mut tx, "Kundschaft", "Wer bei uns kauft").await.unwrap();
        let made =
            campaign::create(&ctx, &mut tx, &keyring, "Herbst", &content(), Audience::everybody()).await.unwrap();
        tx.commit().await.unwrap();
        Self {
            service,
            recorder,
            cookie: format!("{SESSION_COOKIE}={}", session.text().as_str()),
            token: csrf_token(&session, &SystemEntropy),
            contact: contact.to_string(),
            list: list.to_string(),
            campaign: made.id.to_string(),
        }
    }
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

async fn sign_up(store: &Store) -> (Ctx, letterkeep_vault::Token) {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let ctx = Ctx::public(clock, entropy, Locale::De);
    let passwords = Passwords::new(PasswordPolicy::nist(), Blocklist::packaged(), PasswordCost::M19T2);
    let client = Client::new(None, None, None);
    let form = SignUp {
        organisation: "Hofladen".into(),
        user_name: "hofladen".into(),
        email: address("post@hofladen.example"),
        password: Password::new("Quitten reifen im Oktober 7".into()).unwrap(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".into(),
    };
    let started = Box::pin(sign_up::start(&ctx, store, &passwords, &client, form)).await.unwrap();
    let code = started.setup.secret.code_at(ctx.now());
    let proven = sign_up::prove_factor(&ctx, store, &client, &started.session, &code).await.unwrap();
    let done = sign_up::acknowledge_recovery_codes(&ctx, store, &client, &proven.session).await.unwrap();
    (ctx.with_user(done.account, done.user, Role::Owner), done.session)
}

fn content() -> Content {
    Content::parse(ContentInput {
        subject: "Die Quitten sind reif".into(),
        preheader: String::new(),
        from_name: "Hofladen".into(),
        from_address: address("post@hofladen.example"),
        reply_to: None,
        postal_address: "Weg 1\n12345 Ort".into(),
        format: Format::Html,
        source: "<html><body><p>Guten Tag</p><p><a href=\"{{ unsubscribe_url }}\">Abmelden</a></p>\
                 <p>{{ postal_address }}</p></body></html>"
            .into(),
        text: None,
        locale: Locale::De,
    })
    .unwrap()
}
