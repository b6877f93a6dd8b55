//! What the firewall costs a request: the Core Rule Set at its first paranoia level, blocking, the whole way of a
//! request through it. The rules are not in this repository; `LETTERKEEP_CRS` names the directory with them.
#![expect(clippy::print_stderr, reason = "a bench talks to its terminal")]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write as _};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use letterkeep_bench::waf_requests::{Kind, kinds, write};
use letterkeep_bench::waf_rules::{directory, files, inspect, load};

fn waf(criterion: &mut Criterion) {
    let Some(directory) = directory() else {
        eprintln!("waf is left out: LETTERKEEP_CRS names no rules; `cargo xtask bench waf` fetches them");
        return;
    };
    let kinds = kinds();
    // Peers get the very same requests and rules.
    if let Some(path) = std::env::var_os("LETTERKEEP_WAF_REQUESTS") {
        let mut file = BufWriter::new(File::create(path).expect("the file of requests"));
        write(&mut file, &files(&directory), &kinds).and_then(|()| file.flush()).expect("the file of requests");
    }
    let rules = load(&directory);
    let mut group = criterion.benchmark_group("waf");
    group.throughput(Throughput::Elements(1));
    for Kind { name, requests, are_attacks } in &kinds {
        for request in requests {
            let record = inspect(&rules, request);
            assert_eq!(record.interruption.is_some(), *are_attacks, "{name}: {}: {record:#?}", request.target);
        }
        let mut turns = requests.iter().cycle();
        group.bench_function(name, |b| b.iter(|| inspect(&rules, black_box(turns.next().expect("endless")))));
    }
    group.finish();
}

criterion_group!(benches, waf);
criterion_main!(benches);
