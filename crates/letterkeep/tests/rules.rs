//! `letterkeep rules` as an operator at a terminal meets it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod binary;

use std::path::{Path, PathBuf};

use binary::{letterkeep, run};

/// The rules of this program in the form of a release, and another release of them by `mark`.
fn release(dir: &Path, mark: &str) -> PathBuf {
    let release = dir.join(mark);
    std::fs::create_dir_all(release.join("rules")).expect("a directory");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../network/rules");
    for entry in std::fs::read_dir(own).expect("our own rules").flatten() {
        std::fs::copy(entry.path(), release.join("rules").join(entry.file_name())).expect("a copy");
    }
    std::fs::write(release.join("crs-setup.conf.example"), format!("# {mark}\n")).expect("a set-up");
    release
}

#[test]
fn a_set_is_shown_tried_installed_and_rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let rules = |what: &[&str]| run(letterkeep(dir.path()).arg("rules").args(what));
    let (first, second) = (release(dir.path(), "first"), release(dir.path(), "second"));
    let (done, said) = rules(&["install", "first", "--trust-unverified"]);
    assert!(!done && said.contains("letterkeep init"), "{said}");
    assert!(run(letterkeep(dir.path()).arg("init")).0);

    let (done, said) = rules(&["test", "first"]);
    assert!(done && said.contains("sees 20 of 20 harmless attacks, lets 20 of 20 ordinary requests pass"), "{said}");
    let digest = said.lines().find_map(|line| line.trim().strip_prefix("sha-256")).unwrap().trim().to_owned();
    let (done, said) = rules(&["list"]);
    assert!(done && !said.contains(&digest[..8]), "a test installs nothing: {said}");

    let (done, said) = rules(&["install", "first"]);
    assert!(!done && said.contains("is not verified") && said.contains("--trust-unverified"), "{said}");
    let (done, said) = rules(&["install", "first", "--sha256", &"0".repeat(64)]);
    assert!(!done && said.contains("the set in use is the one that was") && said.contains(&digest), "{said}");
    let (done, said) = rules(&["install", "first", "--sha256", &digest]);
    assert!(done && said.contains("Installed as") && said.contains(&digest), "{said}");
    let (done, said) = rules(&["show"]);
    assert!(done && said.contains(&digest) && said.contains("letterkeep-data/rules/"), "{said}");
    let (done, said) = rules(&["install", second.to_str().unwrap(), "--trust-unverified"]);
    assert!(done, "{said}");
    let (done, said) = rules(&["list"]);
    assert!(done && said.contains("before") && said.contains("in use") && said.contains("this program"), "{said}");
    let (done, said) = rules(&["rollback"]);
    assert!(done && said.contains(&digest) && said.contains("in use again"), "{said}");
    let (done, said) = rules(&["show"]);
    assert!(done && said.contains(&digest), "{said}");

    // What does not load or does not pass is told, and changes nothing.
    std::fs::write(first.join("rules/00.conf"), "SecRule ARGS \"@rbl x\" \"id:1\"\n").unwrap();
    let (done, said) = rules(&["install", "first", "--trust-unverified"]);
    assert!(!done && said.contains("00.conf:1") && said.contains("nothing was installed"), "{said}");
    std::fs::write(first.join("rules/00.conf"), "SecAction \"id:1,phase:1,deny\"\n").unwrap();
    let (done, said) = rules(&["test", "first"]);
    assert!(!done && said.contains("of 20 ordinary requests it refuses 20"), "{said}");
    let (done, said) = rules(&["show"]);
    assert!(done && said.contains(&digest), "{said}");
}

#[test]
fn what_cannot_be_installed_is_said() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run(letterkeep(dir.path()).arg("init")).0);
    let rules = |what: &[&str]| run(letterkeep(dir.path()).arg("rules").args(what));
    let digest = "0".repeat(64);
    std::fs::write(dir.path().join("no.tar.gz"), "this is no archive").unwrap();
    for (what, expected) in [
        (&["install", "no.tar.gz", "--trust-unverified"][..], "for a local directory alone"),
        (&["install", "no.tar.gz", "--sha256", &digest], "not the release that you wanted"),
        (&["install", "nowhere.tar", "--sha256", &digest], "nowhere.tar"),
        (&["install", "http://localhost/x.tar", "--sha256", &digest], "is not an https:// address"),
        (&["install", "no.tar.gz", "--signature", "x.asc"], "--key"),
        (&["install", "no.tar.gz", "--signature", "x.asc", "--key", "k.asc"], "k.asc"),
        (&["rollback"], "nothing to roll back to"),
        (&["test", "letterkeep-data"], "no file of rules"),
    ] {
        let (done, said) = rules(what);
        assert!(!done && said.contains(expected), "{what:?}: {said}");
    }
    let (done, said) = rules(&["list"]);
    assert!(done && said.contains("the rules of this program"), "{said}");
}
