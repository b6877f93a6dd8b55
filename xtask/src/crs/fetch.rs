//! Rules and tests as they were published: the current ones from the Go module that carries them, the older ones from
//! the sources of Debian's package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::case::Generation;
use crate::{install, tools};

const MODULE: &str = "github.com/corazawaf/coraza-coreruleset/v4";
const VERSION: &str = "v4.25.0";
const PACKAGE: &str = "modsecurity-crs";

/// Where Go keeps the modules that it fetches for us.
pub(crate) fn go_cache() -> PathBuf {
    tools::target().join("tools/go")
}

/// The directory with rules and tests; what is there already is not fetched again.
pub(super) fn fetch(generation: Generation) -> Result<PathBuf> {
    let directory = match generation {
        Generation::Three => debian_source(&tools::target().join("crs/debian"))?,
        Generation::Four => go_module(&go_cache())?,
    };
    ensure!(directory.join(generation.tests()).is_dir(), "{} has no tests", directory.display());
    Ok(directory)
}

fn go_module(cache: &Path) -> Result<PathBuf> {
    let directory = cache.join(format!("{MODULE}@{VERSION}"));
    if directory.is_dir() {
        return Ok(directory);
    }
    if let Some(missing) = install::provide(&[install::Need::Go]).first() {
        bail!("{}: {}", missing.name, missing.reason);
    }
    let go = tools::find(&["go"]).context("Go is not installed")?;
    println!("fetching {MODULE} {VERSION} …");
    // A module of its own, outside of any other.
    let place = cache.join("letterkeep-fetch");
    fs::create_dir_all(&place)?;
    fs::write(place.join("go.mod"), "module letterkeep.invalid/fetch\n\ngo 1.19\n")?;
    let mut command = Command::new(go);
    command.current_dir(&place).env("GOMODCACHE", cache).env("GOFLAGS", "-mod=mod -modcacherw");
    // Debian's Go is older than the rule set asks for; to unpack a module is no compiling.
    command.env("GOTOOLCHAIN", "local").env("GOWORK", "off");
    tools::quietly(command.args(["mod", "download", "-json", &format!("{MODULE}@{VERSION}")]))?;
    Ok(directory)
}

fn debian_source(place: &Path) -> Result<PathBuf> {
    let directory = place.join("source");
    if directory.is_dir() {
        return Ok(directory);
    }
    ensure!(tools::find(&["apt-get"]).is_some(), "apt-get is not there: this is not Debian");
    let sources = sources(Path::new("/etc/apt"));
    ensure!(!sources.is_empty(), "no Debian archive is configured");
    println!("fetching the sources of {PACKAGE} …");
    fs::create_dir_all(place.join("lists/partial"))?;
    fs::create_dir_all(place.join("cache/archives/partial"))?;
    fs::write(place.join("sources.list"), sources)?;
    // Lists and caches of its own: nothing of the machine changes, and no rights are needed.
    let place = fs::canonicalize(place)?;
    let option = |name: &str, path: &str| format!("{name}={}", place.join(path).display());
    let options = [
        option("Dir::Etc::SourceList", "sources.list"),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        option("Dir::State::Lists", "lists"),
        option("Dir::Cache", "cache"),
        "Acquire::Languages=none".to_owned(),
    ];
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(&place).arg("-q").args(options.iter().flat_map(|option| ["-o", option])).args(words);
        tools::quietly(&mut command)
    };
    apt(&["update"])?;
    apt(&["source", "--download-only", PACKAGE])?;
    let archive = fs::read_dir(&place)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".orig.tar.")))
        .context("the sources have no archive")?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    ensure!(name.starts_with(&format!("{PACKAGE}_3.3.")), "Debian's rule set is another generation: {name}");
    // Unpacked beside, then named: an interrupted run leaves nothing that looks whole.
    let partial = place.join("partial");
    let _ = fs::remove_dir_all(&partial);
    if tools::find(&["dpkg-source"]).is_some() {
        let description = fs::read_dir(&place)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|ending| ending == "dsc"))
            .context("the sources have no description")?;
        tools::quietly(Command::new("dpkg-source").arg("-x").arg(description).arg(&partial))?;
    } else {
        fs::create_dir_all(&partial)?;
        let mut command = Command::new("tar");
        tools::quietly(command.arg("-xf").arg(archive).arg("--strip-components=1").arg("-C").arg(&partial))?;
    }
    fs::rename(&partial, &directory)?;
    Ok(directory)
}

/// `deb-src` lines for the Debian archives that the machine is configured to use.
fn sources(etc: &Path) -> String {
    let parts = fs::read_dir(etc.join("sources.list.d")).into_iter().flatten();
    let mut paths: Vec<PathBuf> = parts.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.push(etc.join("sources.list"));
    paths.sort();
    let mut lines = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap_or_default();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("sources") => text.split("\n\n").for_each(|stanza| lines.extend(from_stanza(stanza))),
            Some("list") => lines.extend(text.lines().filter_map(from_line)),
            _ => {}
        }
    }
    lines.dedup();
    lines.concat()
}

fn from_line(line: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("deb ")?.trim();
    let (options, rest) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).unwrap_or(("", rest));
    let mut words = rest.split_whitespace();
    let (address, suite) = (words.next()?, words.next()?);
    let signed = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    source_line(address, suite, words.any(|word| word == "main"), signed)
}

fn from_stanza(stanza: &str) -> Vec<String> {
    let field = |name: &str| {
        let line = stanza.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value)
        });
        line.unwrap_or_default().split_whitespace().collect::<Vec<_>>()
    };
    if !field("Types").contains(&"deb") || field("Enabled").contains(&"no") {
        return Vec::new();
    }
    let has_main = field("Components").contains(&"main");
    let signed = field("Signed-By");
    let pairs =
        field("URIs").into_iter().flat_map(|address| field("Suites").into_iter().map(move |suite| (address, suite)));
    pairs.filter_map(|(address, suite)| source_line(address, suite, has_main, signed.first().copied())).collect()
}

/// Others' archives have no sources, and asking for them would fail.
fn source_line(address: &str, suite: &str, has_main: bool, signed: Option<&str>) -> Option<String> {
    let last = address.trim_end_matches('/').rsplit('/').next()?;
    let is_debian = matches!(last, "debian" | "debian-security");
    let signed = signed.map(|key| format!("[signed-by={key}] ")).unwrap_or_default();
    (is_debian && has_main).then(|| format!("deb-src {signed}{address} {suite} main\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_asked_for_sources() {
        let place = std::env::temp_dir().join(format!("letterkeep-apt-{}", std::process::id()));
        fs::create_dir_all(place.join("sources.list.d")).unwrap();
        let old = "# deb http://no/debian x main\ndeb [arch=amd64 signed-by=/k.gpg] http://a/debian/ s main contrib\ndeb http://a/tools s main\n";
        fs::write(place.join("sources.list"), old).unwrap();
        let new = "Types: deb\nURIs: http://b/debian-security\nSuites: one two\nComponents: main\nSigned-By: /d.gpg\n\n\
                   Types: deb-src\nURIs: http://c/debian\nSuites: s\nComponents: main\n\n\
                   Types: deb\nEnabled: no\nURIs: http://d/debian\nSuites: s\nComponents: main\n";
        fs::write(place.join("sources.list.d/x.sources"), new).unwrap();
        let expected = "deb-src [signed-by=/k.gpg] http://a/debian/ s main\n\
                        deb-src [signed-by=/d.gpg] http://b/debian-security one main\n\
                        deb-src [signed-by=/d.gpg] http://b/debian-security two main\n";
        assert_eq!(sources(&place), expected);
        fs::remove_dir_all(place).unwrap();
    }
}
