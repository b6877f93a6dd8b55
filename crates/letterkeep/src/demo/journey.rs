//! The steps of somebody who starts with Letterkeep.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use letterkeep_account::sign_up::{self, SignUp};
use letterkeep_account::{Client, organisation};
use letterkeep_audience::import::{self, Settings, Target};
use letterkeep_audience::{Permission, field, list};
use letterkeep_campaign::{self as campaign, Audience, Content, ContentInput, Format, When, template};
use letterkeep_delivery::domain::{self, DomainName};
use letterkeep_delivery::merge_keys;
use letterkeep_delivery::relay::{self, PasswordChange, RelayInput};
use letterkeep_delivery::report::{self, Report};
use letterkeep_delivery::smtp::Security;
use letterkeep_model::{Ctx, EmailAddress, Id, Locale, Role, kind};
use letterkeep_vault::{Keyring, Password, Token, TotpSecret};

use super::mailbox::Mailbox;
use super::progress::Progress;
use crate::command::import::write_rejects;
use crate::config::Config;
use crate::house::House;

/// The fictional contacts; built in, so that the demonstration runs from any directory.
const CONTACTS: &[u8] = include_bytes!("../../../../examples/contacts.csv");

/// The fictional organisation's sending domain (RFC 2606 §2: reserved for examples).
const DOMAIN: &str = "hofladen-sonnenberg.example";

const ORGANISATION: &str = "Hofladen Sonnenberg";
const POSTAL_ADDRESS: &str = "Hofladen Sonnenberg\nAm Sonnenberg 4\n12345 Musterdorf";

/// Somebody who has signed up, and what they work with.
pub(crate) struct Journey<'a> {
    house: &'a House,
    ctx: Ctx,
    keyring: Arc<Keyring>,
    user_name: String,
    password: String,
    secret: TotpSecret,
}

impl<'a> Journey<'a> {
    /// Signs up with a password of this run, proves the factor, keeps the recovery codes.
    pub(crate) async fn sign_up(house: &'a House, config: &Config) -> anyhow::Result<Self> {
        let ctx = Ctx::public(house.clock.clone(), house.entropy.clone(), Locale::De);
        let passwords = config.passwords.load()?;
        let client = Client::new(None, None, None);
        // Another run on the same data makes another organisation beside the first.
        let run = Token::generate(ctx.entropy()).text()[..6].to_lowercase().replace(['-', '_'], "x");
        let user_name = format!("demo-{run}");
        let password = Token::generate(ctx.entropy()).text()[..20].to_owned();
        let form = SignUp {
            organisation: ORGANISATION.into(),
            user_name: user_name.clone(),
            email: EmailAddress::parse(&format!("{run}@{DOMAIN}"))?,
            password: Password::new(password.clone())?,
            locale: Locale::De,
            time_zone: "Europe/Berlin".into(),
        };
        let started = sign_up::start(&ctx, &house.store, &passwords, &client, form).await?;
        let secret = started.setup.secret;
        let code = secret.code_at(ctx.now());
        let proven = sign_up::prove_factor(&ctx, &house.store, &client, &started.session, &code).await?;
        let done = sign_up::acknowledge_recovery_codes(&ctx, &house.store, &client, &proven.session).await?;
        let ctx = ctx.with_user(done.account, done.user, Role::Owner);
        let keyring = house.store.keys.keyring(done.account).await?;
        Ok(Self { house, ctx, keyring, user_name, password, secret })
    }

    pub(crate) fn user_name(&self) -> &str {
        &self.user_name
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    pub(crate) fn totp_secret(&self) -> String {
        self.secret.base32().to_string()
    }

    /// Fills in the postal address, adds the sending domain, and points the relay at the sink.
    pub(crate) async fn prepare(&self, mailbox: &Mailbox) -> anyhow::Result<()> {
        let (ctx, store) = (&self.ctx, &self.house.store);
        let keys = domain::DomainKeys::generate(ctx).await?;
        let mut tx = store.db.write().await?;
        let mut wanted = organisation::find(ctx, &mut tx).await?.context("the account has a row")?;
        wanted.postal_address = POSTAL_ADDRESS.into();
        organisation::update(ctx, &mut tx, wanted).await?;
        let sending = domain::add(ctx, &mut tx, &self.keyring, &DomainName::parse(DOMAIN)?, keys).await?;
        let input = RelayInput {
            host: mailbox.address().ip().to_string(),
            port: mailbox.address().port(),
            security: Security::None,
            user_name: String::new(),
            password: PasswordChange::Clear,
            connections: 8,
            per_destination_per_minute: 0,
        };
        relay::save(ctx, &mut tx, &self.keyring, input).await?;
        tx.commit().await?;
        let records = sending.dns_records(None);
        mailbox.publish(
            records
                .into_iter()
                .filter(|record| record.host.contains("._domainkey."))
                .map(|record| (record.host, record.value))
                .collect(),
        );
        Ok(())
    }

    /// Imports the contact file; yields the counts and where the rejected rows were written.
    pub(crate) async fn import(
        &self,
        contacts: Option<PathBuf>,
        config: &Config,
    ) -> anyhow::Result<(import::Progress, Option<PathBuf>)> {
        let (ctx, store) = (&self.ctx, &self.house.store);
        let mut tx = store.db.write().await?;
        let customers = list::create(ctx, &mut tx, "Stammkunden", "Alle, die unseren Brief bekommen möchten").await?;
        tx.commit().await?;
        let decide = |preview: import::Preview| {
            let mut settings: Settings = preview.with_new_fields();
            settings.lists = vec![customers];
            settings.permission = Permission::Explicit;
            settings.evidence = "Fictional contacts of the demonstration".into();
            // A file that says nothing about measuring: everybody here is fictional, and nothing leaves this machine.
            settings.tracking = !settings.mapping.contains(&Target::Tracking);
            settings.tracking_evidence = "Fictional contacts of the demonstration".into();
            settings.time_zone = "Europe/Berlin".into();
            settings
        };
        let mut progress = Progress::start("import", "rows", 0);
        let seen = |at: &import::Progress| progress.at(at.rows_done, at.rows_total.unwrap_or(at.rows_done));
        let imported = match &contacts {
            None => import::import_file(ctx, store, "contacts.csv", &mut &CONTACTS[..], decide, seen).await,
            Some(path) => {
                let mut file =
                    tokio::fs::File::open(path).await.with_context(|| format!("opening {}", path.display()))?;
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                import::import_file(ctx, store, &name, &mut file, decide, seen).await
            }
        };
        let (id, done) = imported?;
        progress.finish(done.rows_done);
        let mut written = None;
        if let Some(rejects) = done.rejects {
            let path = config.data.join(format!("{id}-rejected.csv"));
            write_rejects(ctx, store, rejects, &path).await?;
            written = Some(path);
        }
        Ok((done, written))
    }

    /// Writes a campaign from a template and launches it.
    pub(crate) async fn launch(&self) -> anyhow::Result<Id<kind::CampaignActivity>> {
        let (ctx, store) = (&self.ctx, &self.house.store);
        let template = template::all(Locale::De).first().context("there is a template")?;
        let content = Content::parse(ContentInput {
            subject: template.subject.into(),
            preheader: template.preheader.into(),
            from_name: ORGANISATION.into(),
            from_address: EmailAddress::parse(&format!("brief@{DOMAIN}"))?,
            reply_to: None,
            postal_address: POSTAL_ADDRESS.into(),
            format: Format::Mjml,
            source: template.source.into(),
            text: None,
            locale: Locale::De,
        })?;
        let mut tx = store.db.write().await?;
        let known = merge_keys(&field::all(ctx, &mut tx).await?);
        let lists = list::all(ctx, &mut tx).await?;
        let audience = Audience { lists: lists.into_iter().map(|list| list.id).collect(), ..Audience::default() };
        let made = campaign::create(ctx, &mut tx, &self.keyring, "Herbstbrief 2026", &content, audience).await?;
        tx.commit().await?;
        let examined = campaign::examine(&made, known).await;
        let mut tx = store.db.write().await?;
        let launched = campaign::launch(ctx, &mut tx, &self.keyring, &examined, When::Now).await?;
        tx.commit().await?;
        match launched {
            campaign::Launched::Begun(activity) => Ok(activity),
            campaign::Launched::Waiting(at) => bail!("the campaign waits until {at}, although it was to be sent now"),
        }
    }

    /// Watches the service send it.
    pub(crate) async fn wait(&self, activity: Id<kind::CampaignActivity>) -> anyhow::Result<()> {
        let mut progress = Progress::start("sending", "messages", 0);
        loop {
            let mut tx = self.house.store.db.read().await?;
            let now = report::totals(&self.ctx, &mut tx, activity).await?;
            let row = campaign::find_activity(&self.ctx, &mut tx, &self.keyring, activity).await?;
            drop(tx);
            let row = row.context("the sending is there")?;
            let done = now.done();
            if row.frozen_at.is_some() {
                progress.at(done as u64, now.recipients as u64);
            }
            if row.finished_at.is_some() {
                progress.finish(done as u64);
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(crate) async fn report(&self, activity: Id<kind::CampaignActivity>) -> anyhow::Result<Report> {
        let mut tx = self.house.store.db.read().await?;
        Ok(report::report(&self.ctx, &mut tx, activity).await?)
    }
}
