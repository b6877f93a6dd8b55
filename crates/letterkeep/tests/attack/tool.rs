//! sqlmap and wapiti: bounded in what they try and in time, their findings read from what they write for machines.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How much is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What fits into every run of the tests.
    Short,
    /// `cargo xtask attack`
    Long,
}

impl Extent {
    pub(crate) fn wanted() -> Self {
        let asked = std::env::var("LETTERKEEP_TEST_ATTACK").is_ok_and(|value| value == "long");
        if asked { Self::Long } else { Self::Short }
    }

    pub(crate) fn is_long(self) -> bool {
        self == Self::Long
    }
}

/// Tools that tell who they are would be refused for that alone; these say what a browser says.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// What browsers send with the forms of the page that they are on.
const SAME_ORIGIN: &str = "Sec-Fetch-Site: same-origin";

/// The tools, if they are both there.
pub(crate) fn are_there() -> bool {
    let there = |name: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| d.join(name).is_file())
    };
    there("sqlmap") && there("wapiti") && Path::new("/usr/bin/python3").is_file()
}

/// Something to attack.
pub(crate) struct Target<'a> {
    /// `http://localhost:PORT`
    pub(crate) base: &'a str,
    /// `name=value`
    pub(crate) cookie: Option<String>,
}

/// One request whose parameters sqlmap changes.
#[derive(Clone)]
pub(crate) struct Probe {
    pub(crate) path: String,
    /// Of a form.
    pub(crate) form: Option<String>,
    /// The parameters to change.
    pub(crate) parameters: &'static str,
}

impl Probe {
    pub(crate) fn get(path: impl Into<String>, parameters: &'static str) -> Self {
        Self { path: path.into(), form: None, parameters }
    }

    pub(crate) fn post(path: impl Into<String>, form: impl Into<String>, parameters: &'static str) -> Self {
        Self { path: path.into(), form: Some(form.into()), parameters }
    }
}

/// Runs sqlmap; yields whether it says that a parameter can be injected into.
pub(crate) async fn sqlmap(target: &Target<'_>, probe: &Probe, extent: Extent) -> bool {
    let place = tempfile::tempdir().unwrap();
    let (level, risk) = if extent.is_long() { ("3", "2") } else { ("1", "1") };
    let mut command = Command::new("sqlmap");
    command
        .args(["--batch", "--disable-coloring", "--flush-session", "--skip-waf", "--technique=BEU", "--threads=4"])
        .args(["--timeout=10", "--retries=0", "--level", level, "--risk", risk, "-p", probe.parameters])
        // The service's database, and the one behind the planted hole.
        .args(["--dbms=SQLite", "--user-agent", BROWSER, "--headers", SAME_ORIGIN, "--ignore-redirects"])
        .arg("--output-dir")
        .arg(place.path())
        .arg("-u")
        .arg(format!("{}{}", target.base, probe.path));
    command.args(target.cookie.iter().flat_map(|cookie| ["--cookie", cookie]));
    command.args(probe.form.iter().flat_map(|form| ["--data", form]));
    let limit = Duration::from_secs(if extent.is_long() { 600 } else { 150 });
    let said = run(command, &place, limit).await;
    let found = said.contains("identified the following injection point");
    let ended = found || said.contains("do not appear to be injectable");
    assert!(ended, "sqlmap has not come to an end at {}:\n{said}", probe.path);
    found
}

/// The modules of wapiti that look for holes. Those that need a server elsewhere to call back (`ssrf`) are left out:
/// nothing leaves this machine.
const MODULES: &str = "sql,xss,permanentxss,file,exec,crlf,redirect";

/// Runs wapiti from these pages on; yields what it calls vulnerabilities, as `category: path (parameter)`.
pub(crate) async fn wapiti(target: &Target<'_>, pages: &[String], extent: Extent) -> Vec<String> {
    let place = tempfile::tempdir().unwrap();
    let report = place.path().join("report.json");
    let (scan, attack) = if extent.is_long() { ("120", "120") } else { ("5", "5") };
    let mut command = Command::new("wapiti");
    command
        .args(["--scope", "folder", "-m", MODULES, "--flush-session", "--no-bugreport", "-v", "0", "-f", "json"])
        .args(["--max-scan-time", scan, "--max-attack-time", attack, "-t", "10", "-A", BROWSER, "-H", SAME_ORIGIN])
        .args(["-d", if extent.is_long() { "2" } else { "1" }])
        .arg("-o")
        .arg(&report)
        .arg("--store-session")
        .arg(place.path().join("session"))
        .arg("--store-config")
        .arg(place.path().join("config"))
        .arg("-u")
        .arg(format!("{}/", target.base));
    for page in pages {
        command.arg("-s").arg(format!("{}{page}", target.base));
    }
    command.args(target.cookie.iter().flat_map(|cookie| ["-H".to_owned(), format!("Cookie: {cookie}")]));
    let limit = Duration::from_secs(if extent.is_long() { 1500 } else { 240 });
    let said = run(command, &place, limit).await;
    let text = std::fs::read_to_string(&report).unwrap_or_else(|error| panic!("wapiti has no report: {error}\n{said}"));
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let categories = report["vulnerabilities"].as_object().unwrap().iter();
    let mut found: Vec<String> = categories
        .flat_map(|(name, all)| {
            let all = all.as_array().unwrap().iter();
            all.map(move |one| format!("{name}: {} ({})", one["path"].as_str().unwrap_or(""), one["parameter"]))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Runs a tool to its end; yields all that it said. One that does not end in time is ended, and that is a failure.
async fn run(mut command: Command, place: &tempfile::TempDir, limit: Duration) -> String {
    let home: PathBuf = place.path().to_owned();
    command.env("HOME", &home).env("XDG_DATA_HOME", &home).current_dir(&home).stdin(Stdio::null()).kill_on_drop(true);
    // A proxy of the machine is not meant.
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let output = tokio::time::timeout(limit, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("it has not ended after {limit:?}: {command:?}")).unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
