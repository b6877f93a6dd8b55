//! Sealing and opening a contact, finding it by blind index, signing a message and a link: what every imported row and
//! every recipient pays.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use letterkeep_bench::{contact_record, keyring};
use letterkeep_model::{Id, SystemClock, SystemEntropy};
use letterkeep_vault::{Class, DkimEd25519Key, DkimRsaKey, IndexField, Link, Purpose, Slot};

fn sealing(criterion: &mut Criterion) {
    let (ring, entropy) = (keyring(), SystemEntropy);
    let row = [7; 16];
    let slot = Slot { table: "contact", column: "sealed", row: &row, class: Class::Contact };
    let record = contact_record(42);
    let sealed = ring.seal(&slot, &record, &entropy);

    let mut group = criterion.benchmark_group("sealing");
    group.throughput(Throughput::Bytes(record.len() as u64));
    group.bench_function("seal a contact", |b| b.iter(|| ring.seal(&slot, black_box(&record), &entropy)));
    group.bench_function("open a contact", |b| b.iter(|| ring.open(&slot, black_box(&sealed))));
    group.finish();

    let mut group = criterion.benchmark_group("tokens");
    group.throughput(Throughput::Elements(1));
    let address = b"anna.schmidt42@beispiel.example";
    group.bench_function("blind index of an address", |b| {
        b.iter(|| ring.blind_index(IndexField::ContactEmail, black_box(address)));
    });
    let link = Link {
        account: ring.account(),
        activity: Id::generate(&SystemClock, &entropy),
        contact: Id::generate(&SystemClock, &entropy),
        purpose: Purpose::Click(3),
    };
    group.bench_function("link token", |b| b.iter(|| ring.link_token(black_box(&link))));
    group.finish();
}

fn signing(criterion: &mut Criterion) {
    // What is signed is the canonical header block, about 600 bytes; the body went into it as a digest.
    let headers = vec![b'h'; 600];
    let (rsa, ed25519) = (DkimRsaKey::generate(), DkimEd25519Key::generate(&SystemEntropy));
    let mut group = criterion.benchmark_group("signing");
    group.throughput(Throughput::Elements(1));
    group.bench_function("RSA-2048 over 600 bytes", |b| b.iter(|| rsa.sign(black_box(&headers))));
    group.bench_function("Ed25519 over 600 bytes", |b| b.iter(|| ed25519.sign(black_box(&headers))));
    group.finish();
}

criterion_group!(benches, sealing, signing);
criterion_main!(benches);
