//! Importing a file of contacts into an embedded database, from the first byte of the upload to the last row: parsing,
//! checking, sealing, blind index, list, commit.
//!
//! A million rows, with memory and processor time: `cargo run --release -p letterkeep-bench --bin import_million`.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const ROWS: u32 = 50_000;

fn import(criterion: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("import");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(ROWS)));
    let fresh = || {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (store, ctx) = runtime.block_on(letterkeep_bench::store(dir.path()));
        (dir, store, ctx)
    };
    group.bench_function("50,000 rows of CSV", |b| {
        b.iter_batched(
            fresh,
            |(dir, store, ctx)| {
                runtime.block_on(letterkeep_bench::import(&store, &ctx, ROWS));
                (dir, store)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, import);
criterion_main!(benches);
