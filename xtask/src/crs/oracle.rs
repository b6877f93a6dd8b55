//! libmodsecurity as an oracle: a program of its own (`xtask/oracle/modsecurity/decide.c`) that is told rules and
//! requests and tells what it decides.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::engine::{Decision, Refusal};
use super::request::Request;
use crate::{install, tools};

/// The program, built.
pub(super) struct Oracle {
    program: PathBuf,
}

impl Oracle {
    /// Installs the library where that is allowed, and builds the program in `place`.
    pub(super) fn build(place: &Path) -> Result<Self> {
        if let Some(missing) = install::provide(&[install::Need::ModSecurity]).first() {
            bail!("{}: {}", missing.name, missing.reason);
        }
        let compiler = tools::find(&["cc", "gcc", "clang"]).context("there is no C compiler")?;
        fs::create_dir_all(place)?;
        let program = place.join("decide");
        let mut compile = Command::new(compiler);
        compile.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program);
        compile.arg(tools::root().join("xtask/oracle/modsecurity/decide.c"));
        tools::quietly(compile.arg("-lmodsecurity"))?;
        Ok(Self { program })
    }

    /// Starts it with the rules of `files`, on `requests`; they are written to `scratch`.
    pub(super) fn start(&self, files: &[PathBuf], requests: &[&Request], scratch: &Path) -> Result<Running> {
        let mut out = BufWriter::new(File::create(scratch)?);
        requests.iter().try_for_each(|request| write(request, &mut out))?;
        out.into_inner()?;
        let mut command = Command::new(&self.program);
        command.args(files).stdin(File::open(scratch)?).stdout(Stdio::piped());
        Ok(Running { child: command.spawn().context("cannot start the oracle")?, requests: requests.len() })
    }
}

/// An oracle at work.
pub(super) struct Running {
    child: Child,
    requests: usize,
}

impl Running {
    /// What it decides of each request.
    pub(super) fn finish(mut self) -> Result<Vec<Decision>> {
        let lines = BufReader::new(self.child.stdout.take().context("no standard output")?).split(b'\n');
        let decisions = lines.map(|line| read(&String::from_utf8_lossy(&line?))).collect::<Result<Vec<_>>>();
        let status = self.child.wait()?;
        let decisions = decisions?;
        ensure!(status.success(), "the oracle ended with {status} after {} requests", decisions.len());
        ensure!(decisions.len() == self.requests, "the oracle decided {} of {}", decisions.len(), self.requests);
        Ok(decisions)
    }
}

/// As `decide.c` reads it.
fn write(request: &Request, out: &mut impl Write) -> Result<()> {
    text(&request.method, out)?;
    text(&request.uri, out)?;
    text(&request.version, out)?;
    headers(&request.headers, out)?;
    text(&request.body, out)?;
    number(request.response.status.into(), out)?;
    headers(&request.response.headers, out)?;
    text(&request.response.body, out)
}

fn headers(headers: &[(Vec<u8>, Vec<u8>)], out: &mut impl Write) -> Result<()> {
    number(headers.len(), out)?;
    headers.iter().try_for_each(|(name, value)| text(name, out).and_then(|()| text(value, out)))
}

fn text(bytes: &[u8], out: &mut impl Write) -> Result<()> {
    number(bytes.len(), out)?;
    Ok(out.write_all(bytes)?)
}

fn number(number: usize, out: &mut impl Write) -> Result<()> {
    Ok(out.write_all(&u32::try_from(number)?.to_le_bytes())?)
}

/// A line as `decide.c` prints it.
fn read(line: &str) -> Result<Decision> {
    let wrong = || format!("the oracle says {line:?}");
    let [phase, status, rule, rules, message] = line.split('\t').collect::<Vec<_>>()[..] else { bail!(wrong()) };
    let phase = phase.parse().with_context(wrong)?;
    let refusal =
        Refusal { phase, status: status.parse().with_context(wrong)?, rule: rule.parse().with_context(wrong)? };
    let rules = rules.split(',').filter(|id| !id.is_empty()).map(str::parse).collect::<Result<_, _>>();
    Ok(Decision {
        refused: (phase > 0).then_some(refusal),
        rules: rules.with_context(wrong)?,
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_oracle_prints() {
        let refused = read("2\t403\t949110\t942100,3\t5, 0").unwrap();
        assert_eq!(refused.refused, Some(Refusal { phase: 2, status: 403, rule: 949_110 }));
        assert_eq!((refused.rules, &*refused.message), (vec![942_100, 3], "5, 0"));
        assert_eq!(read("0\t200\t0\t\t").unwrap(), Decision::default());
        assert!(read("0\t200\t0\t").is_err() && read("0\t200\t0\ta\t").is_err());
    }

    #[test]
    fn texts_have_their_length() {
        let mut written = Vec::new();
        text(b"ab", &mut written).unwrap();
        headers(&[(b"c".to_vec(), Vec::new())], &mut written).unwrap();
        assert_eq!(written, b"\x02\0\0\0ab\x01\0\0\0\x01\0\0\0c\0\0\0\0");
    }
}
