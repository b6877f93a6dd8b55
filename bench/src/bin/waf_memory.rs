//! Loads the Core Rule Set of `LETTERKEEP_CRS` at its second paranoia level, as one set that all requests share, and
//! prints the resident memory of this process in KiB: before, after, and after a thousand requests.
#![expect(clippy::print_stdout, reason = "a measurement talks to its terminal")]

use std::fs;

use letterkeep_bench::waf_requests::kinds;
use letterkeep_bench::waf_rules::{directory, inspect, load_second_level};

fn main() {
    let directory = directory().expect("LETTERKEEP_CRS names the directory with the rules");
    let kinds = kinds();
    print("before loading");
    let rules = load_second_level(&directory);
    print("with the rules loaded");
    for request in kinds.iter().flat_map(|kind| &kind.requests).cycle().take(1000) {
        inspect(&rules, request);
    }
    print("after 1,000 requests");
}

fn print(when: &str) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    println!("{when}\t{}", resident.trim().trim_end_matches(" kB"));
}
