//! The canary: a value is planted in every sealed column by the product's own functions and by a running service, and
//! is then looked for where a thief would look: the database files and their write-ahead logs, dumps of PostgreSQL, and
//! what the service logs. A sealed column in which nothing was planted fails the test.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::print_stderr, reason = "what led to a failure stands beside it")]

mod plant;
mod search;
#[path = "../browser/service.rs"]
mod service;
mod visitor;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use letterkeep_model::Id;
use letterkeep_store::Store;
use letterkeep_store::sealed::{self, TABLES};
use letterkeep_testkit::postgres::PostgresDatabase;
use plant::{Garden, Planted};
use search::{Needle, found};
use service::Service;

/// Whoever finds these has looked in the right place and in every form.
const CONTROL: [&str; 4] = ["control-as-it-stands", "control-in-hexadecimal", "control-in-base64", "blind index"];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_planted_is_found_on_sqlite() {
    nothing_planted_is_found(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_planted_is_found_on_postgres() {
    let Some(database) = PostgresDatabase::create(None).await else { return };
    nothing_planted_is_found(Some(database.url())).await;
}

async fn nothing_planted_is_found(postgres: Option<&str>) {
    let mail_server = plant::MailServer::start().await;
    let authority = mail_server.certificate.path().to_str().unwrap();
    // Everything that can be logged at all.
    let mut environment = vec![("LETTERKEEP_LOG", "trace"), ("SSL_CERT_FILE", authority)];
    environment.extend(postgres.map(|url| ("LETTERKEEP_DATABASE_URL", url)));
    let mut service = Service::start(&environment);
    let data = service.directory().join("letterkeep-data");
    let store = plant::open(&data, postgres).await;
    let garden = plant::grow(&store, &mail_server).await;
    visitor::log_in_and_search(&service, &data, &garden).await;
    let log = service.end();

    let mut needles = garden.secrets.clone();
    needles.extend(every_sealed_column_holds_its_canary(&store, &garden).await);
    // Planted last, when nobody else writes: it stands in the write-ahead log for sure.
    let controls = plant::controls(&store, &garden, CONTROL).await;
    let known = controls.iter().map(|needle| needle.name.as_str()).collect::<BTreeSet<_>>();
    assert_eq!(known, BTreeSet::from(CONTROL));
    needles.extend(controls.iter().cloned());
    for (place, bytes) in places(&data, postgres) {
        let seen = found(&bytes, &needles);
        assert!(known.is_subset(&seen), "the search does not work in {place}: it sees {seen:?} alone");
        let leaked = seen.difference(&known).collect::<Vec<_>>();
        assert!(leaked.is_empty(), "readable in {place}: {leaked:?}");
    }
    let worked = [Needle::text("started", "job started"), Needle::text("import", "import.run")];
    assert_eq!(found(log.as_bytes(), &worked).len(), 2, "the service has not worked:\n{log}");
    let leaked = found(log.as_bytes(), &needles);
    assert!(leaked.is_empty(), "logged by the service: {leaked:?}");
    let decisions = service.decisions();
    assert_eq!(decisions.len(), 1, "one attack was refused: {decisions:?}");
    let leaked = found(decisions[0].as_bytes(), &needles);
    assert!(leaked.is_empty(), "kept by the firewall: {leaked:?}");
}

/// Opens what is sealed, with the keys: in each column stands what was planted in it. Yields what to look for; of
/// records that the product makes itself (keys, password hashes), pieces of the record.
async fn every_sealed_column_holds_its_canary(store: &Store, garden: &Garden) -> Vec<Needle> {
    let keyring = store.keys.keyring(garden.account).await.unwrap();
    let mut planted = garden.planted.iter().map(|(column, what)| (*column, what)).collect::<BTreeMap<_, _>>();
    let mut needles = Vec::new();
    // Before every row.
    let nobody = Id::<letterkeep_model::kind::Account>::NIL.uuid();
    for table in TABLES {
        let mut tx = store.db.write().await.unwrap();
        let rows = sealed::next(&mut tx, table, garden.account, nobody, i64::MAX).await.unwrap();
        drop(tx);
        for (place, column) in table.columns.iter().enumerate() {
            let name = format!("{}.{}", table.name, column.slot(&nobody).column);
            let plain = rows.iter().filter_map(|row| {
                let sealed = row.records[place].as_ref()?;
                Some(keyring.open(&column.slot(&row.id), sealed).unwrap_or_else(|_| panic!("{name} does not open")))
            });
            let plain = plain.collect::<Vec<_>>();
            let what = planted.remove(name.as_str()).unwrap_or_else(|| panic!("nothing is planted in {name}"));
            let (start, canary) = match what {
                Planted::Bytes(canary) => (&b""[..], Some(canary)),
                Planted::Made(start) => (*start, None),
            };
            let holds = |plain: &[u8]| {
                plain.starts_with(start)
                    && canary.is_none_or(|canary| plain.windows(canary.len()).any(|window| window == canary))
            };
            assert!(plain.iter().any(|plain| holds(plain)), "{name} does not hold what was planted in it");
            needles.extend(canary.map(|canary| Needle { name: name.clone(), bytes: canary.clone() }));
            for plain in plain.iter().filter(|_| canary.is_none()) {
                // The middle and the end of a private key, the salt and the hash of a password.
                for from in [plain.len() / 2 - 12, plain.len() - 24] {
                    needles.push(Needle { name: name.clone(), bytes: plain[from..from + 24].to_vec() });
                }
            }
        }
    }
    assert!(planted.is_empty(), "planted where nothing is sealed: {planted:?}");
    needles
}

/// Where a thief looks, and what stands there.
fn places(data: &Path, postgres: Option<&str>) -> Vec<(String, Vec<u8>)> {
    if let Some(url) = postgres {
        // Uncompressed, so that whoever searches it sees what somebody who unpacks it would see.
        let dump = |arguments: &[&str]| {
            let output = Command::new("pg_dump").args(arguments).arg(url).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            (format!("pg_dump {}", arguments.join(" ")), output.stdout)
        };
        return vec![
            dump(&["--format=plain"]),
            dump(&["--format=plain", "--inserts"]),
            dump(&["--format=custom", "--compress=0"]),
        ];
    }
    let read = |name: &str| (name.to_owned(), std::fs::read(data.join(name)).unwrap());
    let log = read("letterkeep.sqlite3-wal");
    // What was committed last has not left the log yet; what was committed before may have. Both together are the
    // database, and the log alone is a place too.
    let (name, mut file) = read("letterkeep.sqlite3");
    file.extend(&log.1);
    for name in ["keys.sqlite3", "keys.sqlite3-wal"] {
        file.extend(read(name).1);
    }
    vec![(name, file), log]
}
