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
    assert!(!done && said.contains("restore the file from its backup"), "{said}");
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
    let (done, said) = run(letterkeep(dir.path())
        .env("LETTERKEEP_ROOT", "passphrase")
        .env("LETTERKEEP_PASSPHRASE", old)
        .env("LETTERKEEP_NEW_PASSPHRASE_FILE", "new.txt")
        .args(change));
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
