//! What the benches share: an account's keyring and made-up contacts of a realistic size.
//!
//! The benches are in `benches/`, one file per subject; `cargo xtask bench` runs them and puts their figures beside
//! the machine's own yardsticks. Each bench names in its id the size that it looked at. The most common change is
//! another bench: add the file, its `[[bench]]` in the manifest, and its yardstick in `xtask/src/bench.rs`. `peers/` holds
//! small programs that do the same work with other engines, each in a process of its own.

pub mod waf_requests;
pub mod waf_rules;

use std::io::{self, Read, Write as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use letterkeep_audience::Permission;
use letterkeep_audience::import::{Preview, Progress, import_file};
use letterkeep_model::{Clock, Ctx, Entropy, Id, SystemClock, SystemEntropy, kind};
use letterkeep_store::{Db, KeyStore, Opening, Schema, SqliteOptions, Store};
use letterkeep_vault::{KeyBytes, Keyring, RootSource};
use tokio::io::{AsyncRead, ReadBuf};

/// A ring with fresh keys.
pub fn keyring() -> Keyring {
    let entropy = SystemEntropy;
    let account: Id<kind::Account> = Id::generate(&SystemClock, &entropy);
    let key = || KeyBytes::generate(&entropy);
    let ring = Keyring::new(account, vec![(1, key())], &key(), &key());
    ring.unwrap_or_else(|_| unreachable!("one data key is enough"))
}

/// A contact's record as JSON, about 400 bytes: names, company, address, two custom fields.
pub fn contact_record(number: u32) -> Vec<u8> {
    format!(
        "{{\"email\":\"anna.schmidt{number}@beispiel.example\",\"first_name\":\"Anna\",\"last_name\":\"Schmidt-Möller\",\
         \"job_title\":\"Geschäftsführerin\",\"company\":\"Bäckerei Möller GmbH & Co. KG\",\"phone\":\"+49 30 5550{number:06}\",\
         \"street\":\"Lindenstraße {number}\",\"postcode\":\"10969\",\"city\":\"Berlin\",\"country\":\"DE\",\
         \"birthday\":\"07-14\",\"custom\":{{\"customer_number\":{number},\"favourite\":\"Roggenbrot\"}},\
         \"notes\":\"Kommt samstags, bestellt gern vor.\"}}"
    )
    .into_bytes()
}

/// A store of its own in `dir`, on an embedded database, with an account that has keys.
pub async fn store(dir: &Path) -> (Store, Ctx) {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let open = async |name: &str, schema| {
        let options = SqliteOptions { path: dir.join(name), readers: 2 };
        Db::open_sqlite(&options, schema, Opening::Make).await.expect("a fresh database opens")
    };
    let (data, keys) = (open("letterkeep.sqlite3", Schema::Data).await, open("keys.sqlite3", Schema::Keys).await);
    let source = RootSource::KeyFile(dir.join("root.key"));
    source.create(&*entropy).expect("a root key file");
    let keys = KeyStore::make(keys, source, clock.clone(), &*entropy).await.expect("the key store opens");
    let ctx = Ctx::system(clock, entropy, Id::generate(&SystemClock, &SystemEntropy));
    keys.create(ctx.account, ctx.entropy()).await.expect("keys for the account");
    (Store { db: data, keys }, ctx)
}

/// A file of contacts as it comes from a shop: ten columns, about 110 bytes a row, every twentieth address a second
/// time.
pub struct ContactsCsv {
    rows: u32,
    next: u32,
    buffer: Vec<u8>,
    at: usize,
}

impl ContactsCsv {
    /// A heading and `rows` rows.
    pub fn new(rows: u32) -> Self {
        let heading = "E-Mail,Vorname,Nachname,Firma,Telefon,Straße,PLZ,Ort,Kundennummer,Seit\n";
        Self { rows, next: 0, buffer: heading.as_bytes().to_vec(), at: 0 }
    }
}

impl Read for ContactsCsv {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            for _ in 0..500.min(self.rows - self.next) {
                let number = self.next;
                self.next += 1;
                let person = if number % 20 == 19 { number - 10 } else { number };
                writeln!(
                    self.buffer,
                    "person{person}@kunde{}.example,Jürgen,Müller-{},\"Bäckerei Möller GmbH, Filiale {}\",+49 30 \
                     5550{:06},Lindenstraße {},{:05},Köln,{number},2021-0{}-1{}",
                    person % 997,
                    person % 5003,
                    person % 61,
                    person % 1_000_000,
                    person % 250,
                    person % 99_999,
                    person % 9 + 1,
                    person % 10,
                )?;
            }
        }
        let length = buffer.len().min(self.buffer.len() - self.at);
        buffer[..length].copy_from_slice(&self.buffer[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

impl AsyncRead for ContactsCsv {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.read(buffer.initialize_unfilled())?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

/// Imports such a file with the asserted permission of a real one and into one list, as the pages do.
pub async fn import(store: &Store, ctx: &Ctx, rows: u32) -> Progress {
    let list = ctx.new_id::<kind::List>();
    let mut tx = store.db.write().await.expect("a transaction");
    let name = format!("Import {list}");
    letterkeep_store::list::insert(&mut tx, ctx.account, list, &name, "", ctx.now().micros()).await.expect("a list");
    tx.commit().await.expect("the list is stored");
    let decide = |preview: Preview| {
        let mut settings = preview.with_new_fields();
        settings.permission = Permission::Explicit;
        settings.evidence = "Sign-up form on our website, since 2019".into();
        settings.lists = vec![list];
        settings
    };
    let mut file = ContactsCsv::new(rows);
    let imported = import_file(ctx, store, "contacts.csv", &mut file, decide, |_| {}).await;
    imported.unwrap_or_else(|error| panic!("the import failed: {error}")).1
}
