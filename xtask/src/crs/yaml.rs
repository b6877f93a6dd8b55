//! Reading the files that the tests are written in, of both generations.

mod schema;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context as _, Result, bail};
use regex::Regex;

use super::case::{Case, Expected, Generation, Stage};
use super::request::{Draft, Request, decode_base64};
use super::response::Response;
use schema::{Answer, File, Input, Output, Wrapped};

/// All tests below `directory`, sorted by file.
pub(super) fn read_directory(generation: Generation, directory: &Path) -> Result<Vec<Case>> {
    let mut paths = Vec::new();
    collect(directory, &mut paths)?;
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path)?;
        let file = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let found = read(generation, &file, &stem, &text).with_context(|| format!("in {}", path.display()))?;
        cases.extend(found);
    }
    if cases.is_empty() {
        bail!("there are no tests in {}", directory.display());
    }
    Ok(cases)
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            paths.push(path);
        }
    }
    Ok(())
}

/// The tests of one file; none if it is switched off.
fn read(generation: Generation, file: &str, stem: &str, text: &str) -> Result<Vec<Case>> {
    // A file may be nothing but comments.
    let Some(written) = serde_saphyr::from_str::<Option<File>>(text)? else { return Ok(Vec::new()) };
    if written.meta.is_some_and(|meta| meta.enabled == Some(false)) {
        return Ok(Vec::new());
    }
    let mut cases = Vec::new();
    for (index, test) in written.tests.into_iter().enumerate() {
        let number = test.number.map_or_else(|| (index + 1).to_string(), |id| id.to_string());
        let rule = written.rule_id.map_or_else(|| stem.to_owned(), |id| id.to_string());
        let name = test.title.unwrap_or_else(|| format!("{rule}-{number}"));
        let mut stages = Vec::new();
        for wrapped in test.stages {
            stages.extend(wrapped.read().with_context(|| name.clone())?);
        }
        cases.push(Case { generation, file: file.to_owned(), name, stages });
    }
    Ok(cases)
}

impl Wrapped {
    fn read(self) -> Result<Vec<Stage>> {
        let (input, output) = match self.stage {
            Some(written) => (written.input, written.output),
            None => (self.input.context("a stage without input")?, self.output.context("a stage without output")?),
        };
        let stage = |request| Ok(Stage { request, expected: output.read()? });
        input.read()?.into_iter().map(stage).collect()
    }
}

impl Input {
    /// The requests: one, but for several addresses.
    fn read(self) -> Result<Vec<Request>> {
        if self.follow_redirect == Some(true) {
            bail!("redirects are not followed here");
        }
        let wire = match (&self.encoded_request, &self.raw_request) {
            (Some(encoded), _) => Some(Request::from_base64(encoded)?),
            (None, Some(raw)) => Some(Request::from_wire(raw.as_bytes())),
            (None, None) => None,
        };
        let mut requests = if let Some(request) = wire {
            vec![request]
        } else {
            let data = match (self.encoded_data, self.data) {
                (Some(encoded), _) => decode_base64(&encoded)?,
                (None, Some(data)) => expand(data.0)?.into_bytes(),
                (None, None) => Vec::new(),
            };
            let mut headers = self.headers.unwrap_or_default().0;
            headers.extend(self.ordered_headers.into_iter().map(|header| (header.name, header.value)));
            let draft = Draft {
                method: self.method.unwrap_or_else(|| "GET".to_owned()),
                uri: self.uri.unwrap_or_else(|| "/".to_owned()),
                version: self.version.unwrap_or_else(|| "HTTP/1.1".to_owned()),
                headers,
                data,
                complete: self.autocomplete_headers.unwrap_or(self.stop_magic != Some(true)),
            };
            if self.uris.is_empty() {
                vec![draft.build()]
            } else {
                self.uris.into_iter().map(|uri| Draft { uri, ..draft.clone() }.build()).collect()
            }
        };
        if let Some(answer) = self.response {
            let response = answer.read()?;
            for request in &mut requests {
                request.response = response.clone();
            }
        }
        Ok(requests)
    }
}

/// Carries out the one instruction that tests have in their data: `{{ "x" | repeat 9 }}`.
fn expand(data: String) -> Result<String> {
    static REPEAT: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"\{\{\s*"([^"\\]*)"\s*\|\s*repeat\s+(\d{1,6})\s*\}\}"#).ok());
    if !data.contains("{{") {
        return Ok(data);
    }
    let pattern = REPEAT.as_ref().context("the pattern of instructions")?;
    let repeat = |found: &regex::Captures<'_>| found[1].repeat(found[2].parse().unwrap_or(0));
    let expanded = pattern.replace_all(&data, repeat).into_owned();
    if expanded.contains("{{") {
        bail!("an instruction that is not known: {expanded}");
    }
    Ok(expanded)
}

impl Answer {
    fn read(self) -> Result<Response> {
        let body = match (self.body, self.encoded_body) {
            (Some(body), _) => body.into_bytes(),
            (None, Some(encoded)) => decode_base64(&encoded)?,
            (None, None) => Vec::new(),
        };
        let headers = self.headers.unwrap_or_default().0.into_iter();
        let headers = headers.map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect();
        Ok(Response::new(self.status.unwrap_or(200), headers, body))
    }
}

impl Output {
    fn read(&self) -> Result<Expected> {
        let mut expected = Expected {
            ids: self.log.expect_ids.clone(),
            absent: self.log.no_expect_ids.clone(),
            matching: pattern(self.log.match_regex.as_deref())?,
            not_matching: pattern(self.log.no_match_regex.as_deref())?,
            isolated: self.isolated,
            status: self.status.0.clone(),
            error: self.expect_error == Some(true),
        };
        if let Some(text) = &self.log_contains {
            match only_id(text) {
                Some(id) => expected.ids.push(id),
                None => expected.matching = pattern(Some(text))?,
            }
        }
        if let Some(text) = &self.no_log_contains {
            match only_id(text) {
                Some(id) => expected.absent.push(id),
                None => expected.not_matching = pattern(Some(text))?,
            }
        }
        Ok(expected)
    }
}

fn pattern(text: Option<&str>) -> Result<Option<Regex>> {
    text.map(|text| Regex::new(text).with_context(|| format!("the pattern {text}"))).transpose()
}

/// The rule, if all that a log shall have is its id.
fn only_id(text: &str) -> Option<u32> {
    static ID: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"^(?:id[ :]"?)?(\d{6})"?$"#).ok());
    ID.as_ref()?.captures(text.trim())?.get(1)?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_form_is_read() {
        let text = r#"---
meta:
  author: "us"
rule_id: 900100
tests:
  - test_id: 3
    desc: 'Ours: a note'
    stages:
      - input:
          dest_addr: 127.0.0.1
          port: 80
          headers:
            Zeta: first
            Host: "localhost"
            Keep-Alive: 300
            Empty:
            Content-Length: 8
          method: POST
          uri: "/post\x3C\u00e9"
          autocomplete_headers: false
          data: |
            one
            two
        output:
          status: 400
          log:
            expect_ids: [900100, 900110]
            match_regex: 'found within ARGS:x'
      - input:
          uris: ["/a", "/b"]
        output:
          isolated: true
          log:
            no_expect_ids: [900100]
"#;
        let cases = read(Generation::Four, "REQUEST-900", "900100", text).unwrap();
        let [case] = &cases[..] else { panic!("{cases:?}") };
        assert_eq!((case.name.as_str(), case.file.as_str(), case.stages.len()), ("900100-3", "REQUEST-900", 3));
        let Stage { request, expected } = &case.stages[0];
        assert_eq!(request.headers[0], (b"Zeta".to_vec(), b"first".to_vec()), "their order is kept");
        assert_eq!(request.headers[2..4], [(b"Keep-Alive".to_vec(), b"300".to_vec()), (b"Empty".to_vec(), Vec::new())]);
        assert_eq!((request.uri.as_slice(), request.body.as_slice()), ("/post<é".as_bytes(), &b"one\ntwo\n"[..]));
        assert_eq!((&expected.ids[..], &expected.status[..]), (&[900_100, 900_110][..], &[400][..]));
        assert!(expected.matching.as_ref().unwrap().is_match("found within ARGS:x: y"));
        assert_eq!(
            (case.stages[2].request.method.as_slice(), case.stages[2].request.uri.as_slice()),
            (&b"GET"[..], &b"/b"[..])
        );
        assert!(case.stages[2].expected.isolated && case.stages[2].expected.absent == [900_100]);
    }

    #[test]
    fn the_older_form_is_read() {
        let text = r#"
  meta:
    enabled: true
  tests:
  -
    test_title: 900200-1
    stages:
    -
      stage:
        input:
          stop_magic: true
          headers: {Content-Length: 6}
          data:
            - "7"
            - "a=b"
        output:
          log_contains: id "900200"
  - test_title: 900200-2
    stages:
    - stage:
        input:
          raw_request: "GET /x HTTP/1.0\r\nHost: h\r\n\r\n"
        output:
          status: [403, 400]
          no_log_contains: "id \"900200\""
"#;
        let cases = read(Generation::Three, "REQUEST-900", "900200", text).unwrap();
        assert_eq!(cases[0].stages[0].request.body, b"7\r\na=b");
        assert_eq!(cases[0].stages[0].request.headers.len(), 1, "nothing is added");
        assert_eq!(cases[0].stages[0].expected.ids, [900_200]);
        assert_eq!(cases[1].stages[0].request.uri, b"/x");
        assert_eq!(
            (&cases[1].stages[0].expected.status[..], &cases[1].stages[0].expected.absent[..]),
            (&[403, 400][..], &[900_200][..])
        );
        assert!(cases[0].needs_server().is_none() && cases[1].needs_server().is_some());
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let text = |input: &str| format!("tests: [{{stages: [{{input: {{{input}}}, output: {{}}}}]}}]");
        assert!(read(Generation::Four, "f", "1", &text("uri: /")).is_ok());
        assert!(read(Generation::Four, "f", "1", &text("surprise: 1")).is_err());
        assert!(read(Generation::Four, "f", "1", &text("follow_redirect: true")).is_err());
        assert!(read(Generation::Four, "f", "1", &text("data: 'a{{ upper }}'")).is_err());
        let off = read(Generation::Four, "f", "1", &format!("meta: {{enabled: false}}\n{}", text("")));
        assert!(off.unwrap().is_empty());
        assert!(read(Generation::Four, "f", "1", "---\n# tests: []\n").unwrap().is_empty());
    }

    #[test]
    fn data_is_repeated() {
        assert_eq!(expand("a{{ \"xy\" | repeat 3 }}b".to_owned()).unwrap(), "axyxyxyb");
        assert_eq!(expand("a{b}}".to_owned()).unwrap(), "a{b}}");
    }

    #[test]
    fn an_id_alone_is_an_id() {
        for text in ["id \"920100\"", "id:920100", "id 920100", "920100", " id \"920100 "] {
            assert_eq!(only_id(text), Some(920_100), "{text}");
        }
        assert_eq!(only_id("id \"skeletonid\""), None);
    }
}
