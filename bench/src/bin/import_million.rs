//! Imports a million rows (or as many as the first argument says) and prints rows a second, processor time and the
//! largest memory. The database stands in the directory that the second argument names, or in a temporary one.
#![expect(clippy::print_stdout, reason = "a measurement talks to its terminal")]

use std::fs;
use std::time::Instant;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().map_or(1_000_000, |rows| rows.parse().expect("a number of rows"));
    let dir = match arguments.next() {
        Some(path) => tempfile::tempdir_in(path),
        None => tempfile::tempdir(),
    }
    .expect("a directory for the database");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (store, ctx) = runtime.block_on(letterkeep_bench::store(dir.path()));
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let progress = runtime.block_on(letterkeep_bench::import(&store, &ctx, rows));
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!("rows        {}", progress.rows_done);
    println!("created     {}, duplicate {}, rejected {}", progress.created, progress.duplicate, progress.rejected);
    println!("wall time   {wall:.2} s, {:.0} rows/s", progress.rows_done as f64 / wall);
    println!("processor   {cpu:.2} s, {:.1} µs a row", cpu * 1e6 / progress.rows_done as f64);
    println!("memory      {} at most", status("VmHWM:"));
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap_or_default();
    println!("written     {} MB", written.trim().parse::<u64>().unwrap_or_default() / 1_000_000);
    println!("load        {}", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    let database = fs::metadata(dir.path().join("letterkeep.sqlite3")).map_or(0, |file| file.len());
    println!("database    {} bytes a row", database / u64::from(rows.max(1)));
}

/// User and system time of this process (Linux: 100 ticks a second); 0 where that cannot be read.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>();
    let ticks = |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn status(key: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.trim_start_matches(key).trim().to_owned()
}
