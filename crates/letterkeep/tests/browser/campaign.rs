use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use letterkeep_delivery::sink::{Behaviour, Reaction, Sink};
use mail_parser::MessageParser;
use serde_json::{Value, json};

use crate::audience::GOOD;
use crate::visitor::Visitor;

/// A mail server that knows some of the recipients no longer, and keeps what it takes.
pub(crate) struct Mailbox {
    sink: Sink,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
}

pub(crate) const GONE: [&str; 3] = ["kunde11@example.com", "kunde57@example.com", "kunde120@example.com"];

impl Mailbox {
    pub(crate) async fn open() -> Self {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let keep = taken.clone();
        let mut behaviour = Behaviour::accept_all(move |message| keep.lock().unwrap().push(message.message));
        behaviour.react = Arc::new(|recipient| {
            if GONE.contains(&recipient) {
                Reaction::AnswerRecipient("550 5.1.1 no such mailbox".to_owned())
            } else {
                Reaction::Accept
            }
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { sink: Sink::start(address, behaviour).await.unwrap(), taken }
    }

    pub(crate) fn port(&self) -> u16 {
        self.sink.address().port()
    }

    /// How many messages it has taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// The addresses in the messages that lead back to the service, by their first letter after the host:
    /// `o` open pictures, `c` links, `u` unsubscribing.
    fn links(&self, base: &str, kind: char) -> Vec<Vec<String>> {
        let begin = format!("{base}/{kind}/");
        let messages = self.taken.lock().unwrap();
        let links = |message: &Vec<u8>| {
            let html = MessageParser::new().parse(message).unwrap().body_html(0).unwrap().into_owned();
            let links = html
                .match_indices(&begin)
                .map(|(at, _)| html[at..].split(['"', '\'', '<', ' ']).next().unwrap().to_owned());
            links.collect()
        };
        messages.iter().map(links).collect()
    }
}

/// Where campaigns come from and go to: sending domain and mail server.
pub(crate) async fn prepare(visitor: &mut Visitor, mailbox: &Mailbox) {
    visitor.open("/domains").await;
    visitor.look("domains-empty").await;
    visitor.browser.fill("#domain", "post.hofladen-sonnenberg.example").await;
    visitor.submit("/domains").await;
    visitor.browser.wait_for(".record-list").await;
    visitor.look("domain").await;
    visitor.open("/relay").await;
    visitor.look("relay-empty").await;
    visitor.browser.fill("#host", "127.0.0.1").await;
    visitor.choose("security", "none").await;
    visitor.browser.fill("#port", &mailbox.port().to_string()).await;
    visitor.submit("/relay").await;
    visitor.submit("/relay/test").await;
    visitor.browser.wait_for(".notice-good").await;
    visitor.look("relay").await;
}

/// A campaign from its template to the last answer of the mail server.
pub(crate) async fn send(visitor: &mut Visitor) {
    visitor.open("/campaigns").await;
    visitor.look("campaigns-empty").await;
    visitor.open("/campaigns/new").await;
    visitor.browser.fill("#name", "Herbstbrief 2026").await;
    visitor.look("campaign-new").await;
    visitor.submit("/campaigns").await;

    visitor.browser.wait_for("#editor-form").await;
    visitor.follow(".page-actions button[name=then]").await;
    visitor.browser.wait_for(".check-list a[href$='#audience']").await;
    visitor.look("campaign-check-not-ready").await;
    visitor.follow(".check-list a[href$='#audience']").await;
    visitor.browser.wait_for("#editor-form").await;
    visitor.browser.fill("#subject", "{{ first_name }}, die Quitten sind reif").await;
    visitor.browser.click("#audience input[name=list]").await;
    visitor.look_closely("editor").await;
    visitor.follow(".page-actions button[name=then]").await;
    visitor.browser.wait_for(".check-list").await;
    visitor.look("campaign-check").await;
    visitor.browser.fill("#to", "kerstin@hofladen-sonnenberg.example").await;
    visitor.submit("/test").await;
    visitor.browser.wait_for(".notice-good").await;
    visitor.submit("/send").await;
    visitor.browser.wait_for("main form[action$='/send'] [name=revision]").await;
    visitor.look("campaign-send").await;
    visitor.submit("/send").await;
    // A picture only: what is under way moves on while it is inspected.
    visitor.browser.screenshot("campaign-progress").await;
    visitor.arrive_at("/report").await;
}

/// Recipients read, click and unsubscribe; then the report.
pub(crate) async fn report(visitor: &mut Visitor, mailbox: &Mailbox, base: &str) {
    let report = visitor.path().await;
    let (pictures, links) = (mailbox.links(base, 'o'), mailbox.links(base, 'c'));
    assert!(links.len() >= GOOD - GONE.len(), "{} messages", links.len());
    let mut visits = Vec::new();
    for (reader, (pictures, links)) in pictures.iter().zip(&links).enumerate() {
        if reader % 5 < 2 {
            visits.extend(pictures.iter().take(1).cloned());
        }
        if reader % 6 == 0 {
            visits.extend(links.iter().take(1 + reader / 6 % 2).cloned());
        }
    }
    assert!(visits.iter().any(|link| link.contains("/o/")) && visits.iter().any(|link| link.contains("/c/")));
    fetch(visitor, &visits, "GET").await;
    let leaving: Vec<String> =
        mailbox.links(base, 'u').iter().step_by(60).filter_map(|links| links.first().cloned()).collect();
    fetch(visitor, &leaving, "POST").await;

    visitor.open(&report).await;
    let text = visitor.browser.text("main").await;
    assert!(text.contains(&(GOOD - GONE.len()).to_string()), "{text}");
    visitor.look_closely("report").await;
    visitor.open(&report.replace("/report", "/recipients")).await;
    visitor.look("recipients").await;
    for (path, name) in [("/campaigns", "campaigns"), ("/reports", "reports")] {
        visitor.open(path).await;
        visitor.look(name).await;
    }
    // What somebody sees who follows the link at the end of a letter: first the question, then the answer.
    let stays = mailbox.links(base, 'u').get(1).and_then(|links| links.first().cloned()).unwrap();
    visitor.open(stays.strip_prefix(base).unwrap()).await;
    visitor.look("unsubscribe-question").await;
    visitor.open("/u/x").await;
    visitor.look("link-unknown").await;
    let unsubscribe = leaving.first().unwrap().strip_prefix(base).unwrap();
    visitor.open(unsubscribe).await;
    visitor.look("unsubscribe").await;
    visitor.open("/dashboard").await;
    visitor.look_closely("dashboard").await;
}

/// Asks for addresses of the service as mail programs do: without cookies, without following on.
async fn fetch(visitor: &Visitor, addresses: &[String], method: &str) {
    let script = format!(
        "const done = arguments[arguments.length - 1];
        const fetched = {}.map(address => fetch(address, {{ method: {}, credentials: 'omit', redirect: 'manual',
            headers: {{ 'content-type': 'application/x-www-form-urlencoded' }},
            body: {} }}));
        Promise.all(fetched).then(answers => done(answers.filter(a => a.status >= 400).map(a => a.url)), e => done(String(e)));",
        json!(addresses),
        json!(method),
        if method == "POST" { "'List-Unsubscribe=One-Click'" } else { "undefined" },
    );
    let failed = visitor.browser.client().execute_async(&script, Vec::new()).await.unwrap();
    assert_eq!(failed, Value::Array(Vec::new()));
}
