//! The binary as somebody at a terminal meets it: the whole journey on both databases, and wrong uses.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod binary;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use binary::{letterkeep, run};
use letterkeep_testkit::HeldDatabase;
use letterkeep_testkit::postgres::PostgresDatabase;

/// 300 contacts in the shape of the fictional file, a few of them bad.
fn contacts(dir: &Path) -> std::path::PathBuf {
    let mut text = "E-Mail,Vorname,Nachname,Firma,Ort\n".to_owned();
    for number in 0..300 {
        writeln!(text, "person{number}@example.com,Jörg,\"Müller, Nr. {number}\",Bäckerei,Köln").unwrap();
    }
    text.push_str("no address,Anna,Schmidt,,\nperson1@example.com,Jörg,Doppelt,,\nfew@example.com\n");
    let path = dir.join("contacts.csv");
    std::fs::write(&path, text).unwrap();
    path
}

fn whole_journey(dir: &Path, database: Option<&str>) {
    let contacts = contacts(dir);
    let with_database = |mut command: Command| {
        if let Some(url) = database {
            command.env("LETTERKEEP_DATABASE_URL", url);
        }
        command
    };
    let mut demo = with_database(letterkeep(dir));
    let Output { status, stdout, stderr } = demo
        .env("LETTERKEEP_LOG", "debug")
        .args(["demo", "--exit", "--listen", "127.0.0.1:0", "--contacts"])
        .arg(&contacts)
        .output()
        .unwrap();
    let (said, logs) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{said}{logs}");
    nothing_sensitive_is_logged(&said, &logs);
    for part in ["300 imported", "300 accepted, 0 failed, 0 skipped, 0 in doubt", "600 of 600 hold", "TOTP secret"] {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
    let decisions = std::fs::read_to_string(dir.join("letterkeep-data/firewall.jsonl")).unwrap();
    assert_eq!(decisions, "", "the firewall found something in the demonstration");
    assert!(!said.contains("Opens         0") && !said.contains("Clicks        0"), "{said}");

    let (done, said) = run(with_database(letterkeep(dir)).arg("doctor"));
    assert!(done, "{said}");
    assert!(said.contains("the audit logs of 1 account and of the installation were recomputed"), "{said}");
    let (done, said) = run(with_database(letterkeep(dir)).args(["keys", "rotate"]));
    assert!(done, "{said}");
    let (done, said) = run(with_database(letterkeep(dir)).args(["export", "--format", "json-lines"]));
    assert!(done, "{said}");
    assert_eq!(said.matches("@example.com").count(), 300, "{said}");
    let (done, said) = run(with_database(letterkeep(dir)).args(["import", "contacts.csv", "--list", "Neue"]));
    assert!(done, "{said}");
    assert!(said.contains("0 created") && said.contains("contacts.csv.rejected.csv"), "{said}");
}

/// What the journey has shown to its user, and whom it has written to, stands in no log line. What is stored is looked
/// at by the test `canary`.
fn nothing_sensitive_is_logged(summary: &str, logs: &str) {
    let shown = |label: &str| {
        let line = summary.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    let (password, secret) = (shown("password"), shown("TOTP secret"));
    assert!(logs.contains("job started"), "there are no log lines to look at");
    for text in ["person12@", "Bäckerei", "Müller, Nr. 12", &password, &secret] {
        assert!(!logs.contains(text), "{text:?} is in the log");
    }
}

#[test]
fn the_whole_journey_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    whole_journey(dir.path(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_journey_on_postgres() {
    let Some(database) = PostgresDatabase::create(None).await else { return };
    let dir = tempfile::tempdir().unwrap();
    whole_journey(dir.path(), Some(database.url()));
}

#[test]
fn init_overwrites_nothing_and_a_missing_root_key_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (done, said) = run(letterkeep(dir.path()).arg("init"));
    assert!(done, "{said}");
    let key = dir.path().join("letterkeep-data/root.key");
    let before = std::fs::read(&key).unwrap();
    assert!(run(letterkeep(dir.path()).arg("init")).0);
    assert_eq!(before, std::fs::read(&key).unwrap());
    std::fs::remove_file(&key).unwrap();
    let (done, said) = run(letterkeep(dir.path()).arg("init"));
    assert!(!done && said.contains("restore it from its backup"), "{said}");
    assert!(!key.exists());
}

#[test]
fn every_refusal_says_what_is_wrong_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (done, said) = run(letterkeep(dir.path()).arg("serve"));
    assert!(!done && said.contains("letterkeep init"), "{said}");
    assert!(run(letterkeep(dir.path()).arg("init")).0);

    // A port in use.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (done, said) = run(letterkeep(dir.path()).args(["serve", "--listen", &address]));
    assert!(!done && said.contains(&address) && said.contains("in use"), "{said}");

    // A configuration with a mistake: key and line.
    std::fs::write(dir.path().join("wrong.toml"), "\n[log]\nformat = 'xml'\n").unwrap();
    let (done, said) = run(letterkeep(dir.path()).args(["serve", "--config", "wrong.toml"]));
    assert!(!done && said.contains("line 3") && said.contains("log.format"), "{said}");

    // The operator's pages of a service that does not run, are switched off, or would be open to others.
    let (done, said) = run(letterkeep(dir.path()).args(["ops", "link"]));
    assert!(!done && said.contains("letterkeep serve"), "{said}");
    for (listen, part) in [("off", "switched off"), ("0.0.0.0:8444", "ssh -L")] {
        let (done, said) = run(letterkeep(dir.path()).args(["ops", "link"]).env("LETTERKEEP_OPS_LISTEN", listen));
        assert!(!done && said.contains(part) && said.contains("ops.listen"), "{said}");
    }
    assert!(!dir.path().join("letterkeep-data/ops-link").exists(), "a link was made all the same");

    // A contact file that is not there; an account that is not there.
    let (done, said) = run(letterkeep(dir.path()).args(["import", "nowhere.csv"]));
    assert!(!done && said.contains("nowhere.csv"), "{said}");
    let (done, said) = run(letterkeep(dir.path()).arg("export"));
    assert!(!done && said.contains("sign up"), "{said}");

    // A database that is not one.
    let database = dir.path().join("letterkeep-data/letterkeep.sqlite3");
    let good = std::fs::read(&database).unwrap();
    std::fs::write(&database, vec![b'x'; good.len()]).unwrap();
    let (done, said) = run(letterkeep(dir.path()).arg("doctor"));
    assert!(!done && said.contains("damaged") && said.contains("backup"), "{said}");
    std::fs::write(&database, good).unwrap();
    assert!(run(letterkeep(dir.path()).arg("doctor")).0);
}

#[tokio::test]
async fn a_database_that_another_process_holds_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run(letterkeep(dir.path()).arg("init")).0);
    let held = HeldDatabase::hold(&dir.path().join("letterkeep-data/keys.sqlite3")).await;
    let (done, said) = run(letterkeep(dir.path()).args(["keys", "rotate"]));
    assert!(!done && said.contains("locked by another process") && said.contains("second service"), "{said}");
    held.release().await;
    assert!(run(letterkeep(dir.path()).args(["keys", "rotate"])).0);
}

#[cfg(unix)]
#[test]
fn a_root_key_that_anybody_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    assert!(run(letterkeep(dir.path()).arg("init")).0);
    let key = dir.path().join("letterkeep-data/root.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (done, said) = run(letterkeep(dir.path()).args(["keys", "rotate"]));
    assert!(!done && said.contains("chmod 600"), "{said}");
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[test]
fn secrets_that_anybody_can_read_are_refused_and_files_of_ours_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let passphrase = dir.path().join("passphrase.txt");
    std::fs::write(&passphrase, "a long enough passphrase\n").unwrap();
    let sealed = |what: &[&str]| {
        run(letterkeep(dir.path())
            .env("LETTERKEEP_ROOT", "passphrase")
            .env("LETTERKEEP_PASSPHRASE_FILE", &passphrase)
            .args(what))
    };
    set_mode(&passphrase, 0o600);
    assert!(sealed(&["init"]).0);
    set_mode(&passphrase, 0o604);
    for command in [&["keys", "rotate"][..], &["doctor"]] {
        let (done, said) = sealed(command);
        assert!(!done && said.contains("passphrase.txt is open to other users"), "{said}");
    }
    set_mode(&passphrase, 0o600);
    assert!(sealed(&["keys", "rotate"]).0);

    // The key of the certificate: the service that made its own may borrow that one.
    let plain = tempfile::tempdir().unwrap();
    assert!(run(letterkeep(plain.path()).arg("init")).0);
    let (certificate, key) = (plain.path().join("chain.pem"), plain.path().join("key.pem"));
    let made = letterkeep_network::Certificate::self_signed(
        plain.path(),
        &["localhost".into()],
        letterkeep_model::Clock::now(&letterkeep_model::SystemClock),
    );
    assert!(made.is_ok());
    std::fs::rename(plain.path().join("tls-certificate.pem"), &certificate).unwrap();
    std::fs::rename(plain.path().join("tls-key.pem"), &key).unwrap();
    let with_key = |what: &str| {
        run(letterkeep(plain.path())
            .env("LETTERKEEP_TLS_CERTIFICATE", &certificate)
            .env("LETTERKEEP_TLS_KEY", &key)
            .env("LETTERKEEP_LISTEN", "127.0.0.1:0")
            .arg(what))
    };
    assert!(with_key("doctor").0);
    set_mode(&key, 0o644);
    for command in ["doctor", "serve"] {
        let (done, said) = with_key(command);
        assert!(!done && said.contains("key.pem is open to other users"), "{command}: {said}");
    }

    // What is exported is private, even if a readable file stood there, and nothing of that file is left.
    let output = plain.path().join("out.csv");
    std::fs::write(&output, "x".repeat(10_000)).unwrap();
    set_mode(&output, 0o644);
    let demo = ["demo", "--exit", "--listen", "127.0.0.1:0", "--contacts"];
    let (done, said) = run(letterkeep(plain.path()).args(demo).arg(contacts(plain.path())));
    assert!(done, "{said}");
    let (done, said) = run(letterkeep(plain.path()).args(["import", "contacts.csv", "--rejects", "out.csv"]));
    assert!(done, "{said}");
    assert_eq!(std::fs::metadata(&output).unwrap().permissions().mode() & 0o777, 0o600);
    let written = std::fs::read_to_string(&output).unwrap();
    assert!(written.contains("no address") && !written.contains("xx"), "{written}");
}

#[test]
fn a_mistyped_line_of_the_configuration_does_not_show_a_password() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("c.toml"), "[database]\nurl = postgres://u:geheim@h/d\n").unwrap();
    for command in ["doctor", "serve"] {
        let (done, said) = run(letterkeep(dir.path()).args([command, "--config", "c.toml"]));
        assert!(!done && said.contains("c.toml, line 2, column 7"), "{said}");
        assert!(!said.contains("geheim"), "{said}");
    }
}

#[test]
fn a_list_of_forbidden_passwords_is_used_or_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run(letterkeep(dir.path()).arg("init")).0);
    let with = |list: &str, what: &str| {
        std::fs::write(dir.path().join("c.toml"), format!("[passwords]\nblocklist = '{list}'\n")).unwrap();
        run(letterkeep(dir.path()).args([what, "--config", "c.toml", "--listen", "127.0.0.1:0"]))
    };
    let (done, said) = run(letterkeep(dir.path()).arg("doctor"));
    assert!(done && said.contains("no list of forbidden passwords is set"), "{said}");
    std::fs::write(dir.path().join("list.txt"), "correct horse battery staple\n").unwrap();
    let (done, said) = with("list.txt", "doctor");
    assert!(done && said.contains("the forbidden passwords in list.txt can be read"), "{said}");
    for command in ["doctor", "serve"] {
        let (done, said) = with("nowhere.txt", command);
        assert!(!done && said.contains("c.toml, line 2") && said.contains("passwords.blocklist"), "{said}");
    }
}

#[test]
fn a_wrong_passphrase_is_refused_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let with = |passphrase: &str, what: &[&str]| {
        run(letterkeep(dir.path())
            .env("LETTERKEEP_ROOT", "passphrase")
            .env("LETTERKEEP_PASSPHRASE", passphrase)
            .args(what))
    };
    let (done, said) = with("a long enough passphrase", &["init"]);
    assert!(done, "{said}");
    let (done, said) = with("another long passphrase", &["keys", "rotate"]);
    assert!(!done && said.contains("passphrase"), "{said}");
    let (done, said) = with("a long enough passphrase", &["keys", "rotate"]);
    assert!(done, "{said}");
}

#[test]
fn the_passphrase_of_the_root_key_can_be_changed() {
    let (old, new) = ("a long enough passphrase", "quite another passphrase");
    let dir = tempfile::tempdir().unwrap();
    let with = |passphrase: &str, next: Option<&str>, what: &[&str]| {
        let mut command = letterkeep(dir.path());
        command.env("LETTERKEEP_ROOT", "passphrase").env("LETTERKEEP_PASSPHRASE", passphrase);
        if let Some(next) = next {
            command.env("LETTERKEEP_NEW_PASSPHRASE", next);
        }
        run(command.args(what))
    };
    let change = ["keys", "passphrase"];
    let (done, said) = with(old, None, &["init"]);
    assert!(done, "{said}");
    let file = dir.path().join("letterkeep-data/root.age");
    let before = std::fs::read(&file).unwrap();

    // What is refused changes nothing, and says why.
    let (done, said) = with("a wrong old passphrase", Some(new), &change);
    assert!(!done && said.contains("does not open") && !said.contains(new), "{said}");
    let (done, said) = with(old, Some("too short"), &change);
    assert!(!done && said.contains("at least 12 characters"), "{said}");
    let (done, said) = with(old, None, &change);
    assert!(!done && said.contains("LETTERKEEP_NEW_PASSPHRASE_FILE"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(with(old, None, &["doctor"]).0);

    // The new one may come from a file.
    std::fs::write(dir.path().join("new.txt"), format!("{new}\n")).unwrap();
    let from_file = || {
        run(letterkeep(dir.path())
            .env("LETTERKEEP_ROOT", "passphrase")
            .env("LETTERKEEP_PASSPHRASE", old)
            .env("LETTERKEEP_NEW_PASSPHRASE_FILE", "new.txt")
            .args(change))
    };
    #[cfg(unix)]
    {
        set_mode(&dir.path().join("new.txt"), 0o644);
        let (done, said) = from_file();
        assert!(!done && said.contains("open to other users") && said.contains("chmod 600 'new.txt'"), "{said}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
        set_mode(&dir.path().join("new.txt"), 0o600);
    }
    let (done, said) = from_file();
    assert!(done && !said.contains(new) && !said.contains(old), "{said}");
    let (done, said) = with(old, None, &["doctor"]);
    assert!(!done && said.contains("passphrase"), "{said}");
    let (done, said) = with(new, None, &["doctor"]);
    assert!(done, "{said}");

    // A key file has none.
    let plain = tempfile::tempdir().unwrap();
    assert!(run(letterkeep(plain.path()).arg("init")).0);
    let (done, said) = run(letterkeep(plain.path()).env("LETTERKEEP_NEW_PASSPHRASE", new).args(change));
    assert!(!done && said.contains("has no passphrase"), "{said}");
}

/// Makes a job that gave up; yields its id.
fn dead_job(data: &Path, kind: &'static str) -> String {
    use letterkeep_model::{Clock as _, Ctx, Id, SystemClock, SystemEntropy};
    use letterkeep_store::queue::{NewJob, Outcome, claim, enqueue, settle};
    use letterkeep_store::{Db, Opening, Schema, SqliteOptions};
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let options = SqliteOptions { path: data.join("letterkeep.sqlite3"), readers: 1 };
        let db = Db::open_sqlite(&options, Schema::Data, Opening::Existing).await.unwrap();
        let ctx = Ctx::system(std::sync::Arc::new(SystemClock), std::sync::Arc::new(SystemEntropy), Id::NIL);
        let now = SystemClock.now();
        let job = NewJob { kind, payload: "{}".into(), run_at: now, dedup: None, max_attempts: 3 };
        let mut tx = db.write().await.unwrap();
        enqueue(&ctx, &mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        let claimed = claim(&db, now, std::time::Duration::from_mins(1)).await.unwrap().unwrap();
        let mut tx = db.write().await.unwrap();
        assert!(settle(&mut tx, &claimed, &Outcome::Dead(format!("{kind} cannot be done")), now).await.unwrap());
        tx.commit().await.unwrap();
        db.close().await;
        Id::<letterkeep_model::kind::Job>::from_uuid(claimed.job_id).to_string()
    })
}

#[test]
fn jobs_that_gave_up_are_listed_run_again_and_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = |what: &[&str]| run(letterkeep(dir.path()).arg("jobs").args(what));
    assert!(run(letterkeep(dir.path()).arg("init")).0);
    assert!(jobs(&["list"]).1.contains("No job has given up"));
    let data = dir.path().join("letterkeep-data");
    let (first, second) = (dead_job(&data, "first.kind"), dead_job(&data, "second.kind"));
    let (done, said) = jobs(&["list"]);
    assert!(done && said.contains("2 jobs have given up"), "{said}");
    for part in [&first, &second, "first.kind", "second.kind cannot be done", "after 1 attempts"] {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
    let (done, said) = run(letterkeep(dir.path()).arg("doctor"));
    assert!(done && said.contains("2 jobs have given up") && said.contains("letterkeep jobs list"), "{said}");

    let (done, said) = jobs(&["drop", &first]);
    assert!(done && said.contains("dropped"), "{said}");
    let (done, said) = jobs(&["retry", &second]);
    assert!(done && said.contains("will run again"), "{said}");
    assert!(jobs(&["list"]).1.contains("No job has given up"));
    // Neither is there any more.
    for what in [["drop", &first], ["retry", &second], ["retry", "job_nonsense"]] {
        assert!(!jobs(&what).0, "{what:?}");
    }
}

#[test]
fn doctor_tells_what_strangers_may_do() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run(letterkeep(dir.path()).arg("init")).0);
    let (done, said) = run(letterkeep(dir.path()).arg("doctor"));
    assert!(done && said.contains("public addresses alone") && said.contains("whoever reaches this service"), "{said}");
    let (done, said) = run(letterkeep(dir.path())
        .env("LETTERKEEP_RELAY_PRIVATE_NETWORKS", "10.1.2.3")
        .env("LETTERKEEP_SIGN_UP_OPEN", "false")
        .arg("doctor"));
    assert!(done && said.contains("10.1.2.3/32") && said.contains("without an invitation"), "{said}");
    let (_, said) = run(letterkeep(dir.path()).arg("--help"));
    assert!(said.contains("LETTERKEEP_RELAY_PRIVATE_NETWORKS") && said.contains("LETTERKEEP_SIGN_UP_OPEN"), "{said}");
}
