//! What the stories stand on: an account with a domain, contacts, a relay that is the sink, and a campaign.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use letterkeep_audience::permission::Source;
use letterkeep_audience::{ContactRecord, Permission, TrackingConsent, contact, field, list, permission};
use letterkeep_campaign::{Audience, Content, ContentInput, Examined, Format, Launched, When};
use letterkeep_delivery::domain::{self, DomainKeys, DomainName, SendingDomain};
use letterkeep_delivery::relay::{self, PasswordChange, RelayInput};
use letterkeep_delivery::sender::Outbound;
use letterkeep_delivery::sink::{Behaviour, Reaction, Sink, Taken};
use letterkeep_delivery::smtp::{Reach, Security, Trust};
use letterkeep_delivery::{LinkBase, report};
use letterkeep_model::{Ctx, EmailAddress, Id, Locale, Network, kind};
use letterkeep_testkit::TestHouse;
use letterkeep_vault::Keyring;

pub(crate) struct Story<'a> {
    pub(crate) house: &'a TestHouse,
    pub(crate) ctx: Ctx,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) domain: SendingDomain,
    pub(crate) list: Id<kind::List>,
    pub(crate) taken: Arc<Mutex<Vec<Taken>>>,
    pub(crate) outbound: Outbound,
    pub(crate) sink: Sink,
    /// Called for each message that the sink takes, with their number so far, before the sink answers.
    pub(crate) on_take: Hook,
    /// Called for each MAIL FROM; an answer refuses it.
    pub(crate) on_sender: Hook,
}

/// What a test wants to happen inside the sink; called with a number that rises, it may answer.
#[derive(Clone)]
pub(crate) struct Hook(Arc<Mutex<Answer>>);

struct Answer(Box<dyn FnMut(usize) -> Option<String> + Send>);

impl Hook {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Answer(Box::new(|_| None)))))
    }

    pub(crate) fn set(&self, hook: impl FnMut(usize) -> Option<String> + Send + 'static) {
        self.0.lock().unwrap().0 = Box::new(hook);
    }

    fn call(&self, number: usize) -> Option<String> {
        (self.0.lock().unwrap().0)(number)
    }
}

/// The sink's reaction is told by the local part.
fn react(to: &str) -> Reaction {
    match to.split(['@', '-']).next().unwrap() {
        "unknown" => Reaction::AnswerRecipient("550 5.1.1 no such user".into()),
        "later" => Reaction::AnswerRecipient("450 4.2.1 greylisted".into()),
        "policy" => Reaction::AnswerMessage("550 5.7.26 not aligned".into()),
        "rcptcut" => Reaction::CloseAtRecipient,
        "doubt" => Reaction::CloseAfterMessage,
        _ => Reaction::Accept,
    }
}

pub(crate) async fn story(house: &TestHouse, connections: u16, per_minute: u32) -> Story<'_> {
    let (account, keyring) = house.account().await;
    let ctx = house.system(account);
    let taken = Arc::new(Mutex::new(Vec::new()));
    let on_take = Hook::new();
    let (kept, called) = (taken.clone(), on_take.clone());
    let mut behaviour = Behaviour::accept_all(move |one| {
        let number = {
            let mut kept = kept.lock().unwrap();
            kept.push(one);
            kept.len()
        };
        called.call(number);
    });
    behaviour.react = Arc::new(react);
    let on_sender = Hook::new();
    let (asked, number) = (on_sender.clone(), AtomicUsize::new(0));
    behaviour.react_to_sender = Arc::new(move |_| {
        let number = number.fetch_add(1, Ordering::SeqCst) + 1;
        asked.call(number).map_or(Reaction::Accept, Reaction::AnswerSender)
    });
    let sink = Sink::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), behaviour).await.unwrap();
    let keys = DomainKeys::generate(&ctx).await.unwrap();
    let mut tx = house.store.db.write().await.unwrap();
    let name = DomainName::parse("Bäckerei.example").unwrap();
    let domain = domain::add(&ctx, &mut tx, &keyring, &name, keys).await.unwrap();
    let list = list::create(&ctx, &mut tx, "Customers", "").await.unwrap();
    let input = relay_input(sink.address().port(), connections, per_minute);
    relay::save(&ctx, &mut tx, &keyring, input).await.unwrap();
    tx.commit().await.unwrap();
    let base = LinkBase::new(&"https://mail.example.org".parse().unwrap()).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let trust = Trust::only(made.cert.pem().as_bytes()).unwrap();
    let mut outbound = Outbound::new(base, trust, "mail.example.org".into());
    outbound.reach = Reach::with(&Network::LOOPBACK);
    Story { house, ctx, keyring, domain, list, taken, outbound, sink, on_take, on_sender }
}

pub(crate) fn relay_input(port: u16, connections: u16, per_minute: u32) -> RelayInput {
    RelayInput {
        host: "127.0.0.1".into(),
        port,
        security: Security::None,
        user_name: String::new(),
        password: PasswordChange::Clear,
        connections,
        per_destination_per_minute: per_minute,
    }
}

impl Story<'_> {
    /// The campaign that an activity sends.
    pub(crate) async fn sent_by(&self, activity: Id<kind::CampaignActivity>) -> letterkeep_campaign::Campaign {
        let mut tx = self.house.store.db.read().await.unwrap();
        let found = letterkeep_campaign::find_activity(&self.ctx, &mut tx, &self.keyring, activity).await.unwrap();
        let campaign = found.unwrap().campaign;
        letterkeep_campaign::find(&self.ctx, &mut tx, &self.keyring, campaign).await.unwrap().unwrap()
    }

    pub(crate) async fn resume(&self, campaign: Id<kind::Campaign>) {
        let examined = self.examine(campaign).await;
        let mut tx = self.house.store.db.write().await.unwrap();
        letterkeep_campaign::resume(&self.ctx, &mut tx, &self.keyring, &examined).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn contacts(&self, names: &[&str], permission: Permission, track: bool) -> Vec<Id<kind::Contact>> {
        self.contacts_with(names, permission, track, &serde_json::json!({})).await
    }

    /// `reader-0`, `reader-1` …, who may be written to.
    pub(crate) async fn readers(&self, number: usize, custom: serde_json::Value) {
        let names: Vec<String> = (0..number).map(|number| format!("reader-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.contacts_with(&names, Permission::Explicit, false, &custom).await;
    }

    async fn contacts_with(
        &self,
        names: &[&str],
        permission: Permission,
        track: bool,
        custom: &serde_json::Value,
    ) -> Vec<Id<kind::Contact>> {
        let mut tx = self.house.store.db.write().await.unwrap();
        let mut ids = Vec::new();
        for name in names {
            let record =
                serde_json::json!({"email": format!("{name}@example.com"), "first_name": "Jörg <b>", "custom": custom});
            let record: ContactRecord = serde_json::from_value(record).unwrap();
            let new = contact::NewRecord { record, permission, source: Source::Manual, evidence: None };
            let id = contact::create(&self.ctx, &mut tx, &self.keyring, &new).await.unwrap();
            if track {
                let given = TrackingConsent::Given;
                permission::set_tracking(&self.ctx, &mut tx, &self.keyring, id, given, Source::Manual, None)
                    .await
                    .unwrap();
            }
            ids.push(id);
        }
        for piece in ids.chunks(200) {
            list::add(&self.ctx, &mut tx, self.list, piece).await.unwrap();
        }
        tx.commit().await.unwrap();
        ids
    }

    pub(crate) fn content(source: &str) -> Content {
        Content::parse(ContentInput {
            subject: "Grüße an {{ first_name }}".into(),
            preheader: "Frisch".into(),
            from_name: "Bäckerei \"Müller\"".into(),
            from_address: EmailAddress::parse("news@bäckerei.example").unwrap(),
            reply_to: None,
            postal_address: "Weg 1\n12345 Ort".into(),
            format: Format::Html,
            source: source.into(),
            text: None,
            locale: Locale::De,
        })
        .unwrap()
    }

    pub(crate) async fn campaign(&self) -> Id<kind::Campaign> {
        self.campaign_with("<html><body><p>Hallo {{ first_name }}</p>", self.everybody_listed()).await
    }

    pub(crate) fn everybody_listed(&self) -> Audience {
        Audience { lists: vec![self.list], ..Audience::default() }
    }

    pub(crate) async fn campaign_with(&self, beginning: &str, audience: Audience) -> Id<kind::Campaign> {
        let end = "<p><a href=\"https://shop.example/brot?a=1&amp;b=2\">Brot</a> \
                      <a href=\"{{ unsubscribe_url }}\">Abmelden</a> <a href=\"{{ view_url }}\">Ansehen</a></p><p>{{ postal_address }}</p></body></html>";
        let mut tx = self.house.store.db.write().await.unwrap();
        let content = Self::content(&format!("{beginning}{end}"));
        let made =
            letterkeep_campaign::create(&self.ctx, &mut tx, &self.keyring, "News", &content, audience).await.unwrap();
        tx.commit().await.unwrap();
        made.id
    }

    pub(crate) async fn launch(&self) -> Id<kind::CampaignActivity> {
        let campaign = self.campaign().await;
        self.launch_of(campaign).await
    }

    pub(crate) async fn examine(&self, campaign: Id<kind::Campaign>) -> Examined {
        let mut tx = self.house.store.db.read().await.unwrap();
        let known = letterkeep_delivery::merge_keys(&field::all(&self.ctx, &mut tx).await.unwrap());
        let found = letterkeep_campaign::find(&self.ctx, &mut tx, &self.keyring, campaign).await.unwrap().unwrap();
        letterkeep_campaign::examine(&found, known).await
    }

    pub(crate) async fn launch_of(&self, campaign: Id<kind::Campaign>) -> Id<kind::CampaignActivity> {
        let examined = self.examine(campaign).await;
        let mut tx = self.house.store.db.write().await.unwrap();
        let launched = letterkeep_campaign::launch(&self.ctx, &mut tx, &self.keyring, &examined, When::Now);
        let launched = launched.await.unwrap();
        tx.commit().await.unwrap();
        match launched {
            Launched::Begun(activity) => activity,
            Launched::Waiting(at) => panic!("waits until {at}"),
        }
    }

    pub(crate) async fn report(&self, activity: Id<kind::CampaignActivity>) -> report::Report {
        let mut tx = self.house.store.db.read().await.unwrap();
        let report = report::report(&self.ctx, &mut tx, activity).await.unwrap();
        agree(&report, &report::totals(&self.ctx, &mut tx, activity).await.unwrap());
        let readers = report::readers(&self.ctx, &mut tx, activity).await.unwrap();
        assert_eq!((readers.opened, readers.clicked), (report.opens.unique, report.clicks.unique));
        report
    }

    /// How often each recipient's message was taken.
    pub(crate) fn taken_by_recipient(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for to in self.taken.lock().unwrap().iter().flat_map(|taken| &taken.to) {
            *counts.entry(to.clone()).or_default() += 1;
        }
        counts
    }
}

/// The sum of all states.
pub(crate) fn sum(report: &report::Report) -> i64 {
    report.planned
        + report.under_way
        + report.accepted
        + report.deferred
        + report.failed
        + report.in_doubt
        + report.skipped
}

/// The counters say what counting the ledger says.
fn agree(report: &report::Report, totals: &report::Totals) {
    let counted = (report.recipients, report.accepted, report.failed, report.skipped, report.in_doubt, report.deferred);
    let kept = (totals.recipients, totals.accepted, totals.failed, totals.skipped, totals.in_doubt, totals.deferred);
    assert_eq!(counted, kept, "{report:?} {totals:?}");
    assert_eq!(totals.waiting, report.planned + report.under_way, "{report:?} {totals:?}");
}
