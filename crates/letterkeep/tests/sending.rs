//! A campaign sent and keys rotated by command line, beside a demonstration that still takes mail. On both databases.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod binary;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use binary::{letterkeep, run};
use letterkeep_audience::list;
use letterkeep_campaign::{self as campaign, Audience, Content, ContentInput, Format};
use letterkeep_model::{Clock, Ctx, EmailAddress, Entropy, Id, Locale, SystemClock, SystemEntropy, kind};
use letterkeep_store::{Db, KeyStore, Opening, PostgresOptions, Schema, SqliteOptions};
use letterkeep_testkit::postgres::PostgresDatabase;
use letterkeep_vault::RootSource;

/// A demonstration that serves on; ended with this value.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Demo {
    /// Returns once the summary is printed.
    fn start(command: &mut Command) -> Self {
        std::fs::write(command.get_current_dir().unwrap().join("contacts.csv"), contacts()).unwrap();
        let mut child = command
            .args(["demo", "--listen", "127.0.0.1:0", "--contacts", "contacts.csv"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let demo = Self(child);
        assert!(said.lines().any(|line| line.unwrap().contains("Serving on")), "the demonstration ended early");
        demo
    }
}

fn contacts() -> String {
    (0..60).fold("E-Mail,Vorname\n".to_owned(), |text, number| format!("{text}person{number}@example.com,Jörg\n"))
}

async fn open(dir: &Path, postgres: Option<&str>, schema: Schema) -> Db {
    if let Some(url) = postgres {
        let options = PostgresOptions { url: url.to_owned(), connections: 2 };
        return Db::open_postgres(&options, schema, Opening::Existing).await.unwrap();
    }
    let name = if schema == Schema::Data { "letterkeep.sqlite3" } else { "keys.sqlite3" };
    let options = SqliteOptions { path: dir.join("letterkeep-data").join(name), readers: 1 };
    Db::open_sqlite(&options, schema, Opening::Existing).await.unwrap()
}

/// A draft for everybody on the lists of the only account.
async fn draft(dir: &Path, postgres: Option<&str>) -> (Id<kind::Account>, Id<kind::Campaign>) {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let source = RootSource::KeyFile(dir.join("letterkeep-data/root.key"));
    let keys = KeyStore::open(open(dir, postgres, Schema::Keys).await, source, clock.clone()).await.unwrap();
    let account = keys.accounts(Id::NIL, 2).await.unwrap()[0];
    let keyring = keys.keyring(account).await.unwrap();
    let ctx = Ctx::system(clock, entropy, account);
    let content = Content::parse(ContentInput {
        subject: "Ein zweiter Brief".into(),
        preheader: String::new(),
        from_name: "Hofladen Sonnenberg".into(),
        from_address: EmailAddress::parse("brief@hofladen-sonnenberg.example").unwrap(),
        reply_to: None,
        postal_address: "Am Sonnenberg 4, 12345 Musterdorf".into(),
        format: Format::Html,
        source: "<html><body><p>Guten Tag, hier ist der zweite Brief.</p></body></html>".into(),
        text: None,
        locale: Locale::De,
    })
    .unwrap();
    let data = open(dir, postgres, Schema::Data).await;
    let mut tx = data.write().await.unwrap();
    let lists = list::all(&ctx, &mut tx).await.unwrap();
    let audience = Audience { lists: lists.into_iter().map(|list| list.id).collect(), ..Audience::default() };
    let made = campaign::create(&ctx, &mut tx, &keyring, "Zweiter Brief", &content, audience).await.unwrap();
    tx.commit().await.unwrap();
    data.close().await;
    keys.db().close().await;
    (account, made.id)
}

async fn send_and_rotate(postgres: Option<&str>) {
    let dir = tempfile::tempdir().unwrap();
    let command = || {
        let mut command = letterkeep(dir.path());
        // Whichever process takes the job, the mailbox of the demonstration is on this machine.
        command.env("LETTERKEEP_RELAY_PRIVATE_NETWORKS", "127.0.0.0/8");
        if let Some(url) = postgres {
            command.env("LETTERKEEP_DATABASE_URL", url);
        }
        command
    };
    let demo = Demo::start(&mut command());
    let (account, id) = draft(dir.path(), postgres).await;
    let listed = |state: &str| {
        let (done, said) = run(command().args(["campaign", "list"]));
        assert!(done, "{said}");
        let line = said.lines().find(|line| line.contains("Zweiter Brief")).unwrap();
        assert!(line.starts_with(&id.to_string()) && line.contains(state), "{said}");
        assert!(said.contains("Herbstbrief 2026"), "{said}");
    };
    listed("draft");
    // After the summary: the mailbox of the demonstration takes mail as before.
    let (done, said) = run(command().args(["campaign", "send", &id.to_string()]));
    assert!(done, "{said}");
    let figures = said.lines().find(|line| line.contains(" accepted, ")).expect("the figures are told");
    let accepted: u32 =
        figures.split(" accepted").next().and_then(|text| text.rsplit(' ').next()?.parse().ok()).unwrap();
    assert!(accepted >= 40 && figures.contains(" 0 failed") && figures.contains(" 0 in doubt"), "{figures}");
    listed("finished");
    let (done, said) = run(command().args(["campaign", "send", &id.to_string()]));
    assert!(!done, "a campaign is sent once: {said}");
    drop(demo);

    let account = account.to_string();
    let (done, said) = run(command().args(["keys", "rotate", "--account", &account]));
    assert!(done && said.contains("Begun") && said.contains("call again after"), "{said}");
    let (done, said) = run(command().args(["keys", "rotate", "--account", &account]));
    assert!(done, "a second call goes on: {said}");
    let (done, said) = run(command().args(["export", "--format", "json-lines"]));
    assert!(done, "{said}");
    assert_eq!(said.matches("@example.com").count(), 60, "everything stays readable: {said}");
    let (done, said) = run(command().args(["keys", "rotate", "--account", &account[..account.len() - 1]]));
    assert!(!done && said.contains("--account"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_sent_and_keys_are_rotated_by_command_line_on_sqlite() {
    send_and_rotate(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_sent_and_keys_are_rotated_by_command_line_on_postgres() {
    let Some(database) = PostgresDatabase::create(None).await else { return };
    send_and_rotate(Some(database.url())).await;
}
