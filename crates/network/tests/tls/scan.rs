//! testssl.sh against the listener: somebody else's eyes on our TLS.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use letterkeep_network::TlsSource;

use super::{Process, free_port, loopback, serve};

/// Findings that a private authority on loopback cannot avoid, with the reason. Each must be found, or it goes.
const INHERENT: [(&str, &str); 2] = [
    ("DNS_CAArecord", "localhost is not in the DNS, where the owner of a name says which authorities may issue for it"),
    ("cert_revocation", "the test's own authority publishes no revocations"),
];

/// What testssl.sh says about itself: it runs on Debian's OpenSSL, without GOST; and its way to ask for a ticket leaves
/// before TLS 1.3 sends one (a test beside this one resumes sessions).
const ABOUT_ITSELF: [&str; 2] = ["engine_problem", "sessionresumption_ticket"];

/// Protocols, kinds of ciphers, forward secrecy, preferences, certificate, headers, and every known attack. Not the
/// simulation of clients and not every cipher by name, which take a minute each and judge nothing. In parts that run
/// side by side: mostly testssl.sh waits.
const ALL: [&[&str]; 4] = [
    &["--protocols", "--std", "--fs"],
    &["--server-preference", "--server-defaults", "--headers"],
    &["--heartbleed", "--ccs", "--ticketbleed", "--robot", "--renegotiation", "--crime", "--breach", "--poodle"],
    &["--tls-fallback", "--sweet32", "--freak", "--drown", "--logjam", "--beast", "--lucky13", "--rc4"],
];

/// What testssl.sh calls it and how bad it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    id: String,
    severity: String,
    text: String,
}

/// Scans `localhost:port`; gives everything that is LOW or worse, and how many checks were made.
fn scan(program: &Path, directory: &Path, port: u16, sections: &'static [&str]) -> (Vec<Finding>, usize) {
    let report = directory.join(format!("{port}{}.json", sections[0]));
    let status = Command::new(program)
        .args(["--quiet", "--warnings", "batch", "--color", "0", "--ip", "127.0.0.1", "--add-ca"])
        .arg(directory.join("ca.pem"))
        .args(sections)
        .arg("--jsonfile")
        .arg(&report)
        .arg(format!("localhost:{port}"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = std::fs::read_to_string(&report).unwrap_or_else(|_| panic!("no report: {status:?}"));
    let all: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let field = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let bad = all.iter().filter(|value| !matches!(field(value, "severity").as_str(), "OK" | "INFO" | "DEBUG"));
    let bad = bad.filter(|value| !ABOUT_ITSELF.iter().any(|id| value["id"] == *id));
    let mut bad: Vec<Finding> = bad
        .map(|value| Finding {
            id: field(value, "id"),
            severity: field(value, "severity"),
            text: field(value, "finding"),
        })
        .collect();
    bad.sort();
    (bad, all.len())
}

/// An authority, and a certificate of it as one would be bought: for a name, for 90 days.
fn write_chain(directory: &Path) {
    let day = time_in_days();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
    authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    (authority.not_before, authority.not_after) = (day(-10), day(1000));
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::CertifiedIssuer::self_signed(authority, authority_key).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (day(-1), day(88));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(directory.join("ca.pem"), issuer.pem()).unwrap();
    std::fs::write(directory.join("chain.pem"), certificate.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
}

/// The day that is so many days from now.
fn time_in_days() -> impl Fn(i64) -> time::OffsetDateTime {
    use letterkeep_model::{Clock as _, SystemClock, Timestamp};
    let since = SystemClock.now().since(Timestamp::from_seconds(0));
    move |days| rcgen::date_time_ymd(1970, 1, 1) + since + time::Duration::days(days)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn testssl_finds_no_weakness_here_and_does_elsewhere() {
    let Some(program) = loopback::program(&["testssl", "testssl.sh"]) else {
        loopback::skipped("testssl", "testssl.sh is not there (Debian package testssl.sh)");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    write_chain(directory.path());
    let source = TlsSource::Files {
        certificate: directory.path().join("chain.pem"),
        key: directory.path().join("key.pem"),
        every: Duration::from_secs(5),
    };
    let (address, _) = serve(source).await;
    // The control: a server of OpenSSL that speaks what it no longer should.
    let port = free_port();
    let control = Command::new("openssl")
        .args(["s_server", "-quiet", "-www", "-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-accept", &port.to_string()])
        .arg("-cert")
        .arg(directory.path().join("chain.pem"))
        .arg("-key")
        .arg(directory.path().join("key.pem"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Process)
        .unwrap();
    let scan = |port: u16, sections| {
        let (program, directory) = (program.clone(), directory.path().to_owned());
        tokio::task::spawn_blocking(move || scan(&program, &directory, port, sections))
    };
    let parts = ALL.map(|sections| scan(address.port(), sections));
    let (theirs, _) = scan(port, &["--std", "--headers"]).await.unwrap();
    drop(control);
    let (mut ours, mut checks) = (Vec::new(), 0);
    for part in parts {
        let (found, count) = part.await.unwrap();
        ours.extend(found);
        checks += count;
    }
    assert!(checks > 80, "{checks} checks");
    let (inherent, found): (Vec<_>, Vec<_>) =
        ours.into_iter().partition(|finding| INHERENT.iter().any(|(id, _)| *id == finding.id));
    assert_eq!(found, [], "weaknesses among {checks} checks");
    for (id, reason) in INHERENT {
        assert!(inherent.iter().any(|finding| finding.id == id), "{id} is not found any more ({reason}): take it off");
    }
    for id in ["HSTS", "cipherlist_AVERAGE"] {
        assert!(theirs.iter().any(|finding| finding.id == id), "the control has no {id}: {theirs:#?}");
    }
}
