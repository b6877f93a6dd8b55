//! Exclusions that an operator has approved on a page: a file beside the configuration's own, written by this program and
//! readable by people.

use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use letterkeep_network::Exclusion;
use letterkeep_web::ops::Exclusions;

use crate::config::{ConfigError, read_exclusions};

/// Where they are kept.
pub(crate) fn file(data: &Path) -> PathBuf {
    data.join("firewall-exclusions.toml")
}

/// What was approved; nothing if the file is missing.
pub(crate) fn read(data: &Path) -> Result<Vec<Exclusion>, ConfigError> {
    let path = file(data);
    match std::fs::read_to_string(&path) {
        Ok(text) => read_exclusions(&path, &text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(ConfigError::File(path, error)),
    }
}

/// Those of the configuration and of our own pages, and the file that more of them go into.
pub(crate) struct Approved {
    pub(crate) data: PathBuf,
    pub(crate) configured: Vec<Exclusion>,
}

impl Exclusions for Approved {
    fn in_force(&self) -> Vec<Exclusion> {
        let approved = read(&self.data).unwrap_or_default();
        self.configured.iter().cloned().chain(approved).collect()
    }

    fn takes_approvals(&self) -> bool {
        true
    }

    /// The service uses it within seconds, as it does with other rules.
    fn approve(&self, exclusion: Exclusion) -> std::io::Result<()> {
        let path = file(&self.data);
        let mut text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => HEAD.to_owned(),
            text => text?,
        };
        text.push_str(&as_toml(&exclusion));
        // What could not be read again would stop the next start.
        read_exclusions(&path, &text).map_err(|error| Error::new(ErrorKind::InvalidData, error.to_string()))?;
        let new = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)
    }
}

const HEAD: &str =
    "# Exclusions that an operator has approved. The same shape as [[firewall.exclusion]] in the configuration.\n";

fn as_toml(exclusion: &Exclusion) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let list = |texts: Vec<String>| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
    let method =
        exclusion.method.as_ref().map_or_else(String::new, |method| format!("method = {}\n", quoted(method.as_str())));
    format!(
        "\n[[exclusion]]\n{method}path = {}\nfields = [{}]\nrules = [{}]\nreason = {}\n",
        quoted(exclusion.route.as_str()),
        list(exclusion.fields.iter().map(|field| field.as_str().to_owned()).collect()),
        list(exclusion.rules.iter().map(ToString::to_string).collect()),
        quoted(&exclusion.reason),
    )
}

#[cfg(test)]
mod tests {
    use letterkeep_network::{Field, Pattern, Rules};

    use super::*;

    #[test]
    fn what_was_approved_is_read_again_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let approved = Approved { data: directory.path().to_owned(), configured: Vec::new() };
        assert!(approved.in_force().is_empty());
        let exclusion = |reason: &str| Exclusion {
            method: Some(http::Method::POST),
            route: Pattern::new("/notes/{id}").unwrap(),
            fields: vec![Field::new("ARGS:text").unwrap()],
            rules: vec![Rules::new("942100").unwrap(), Rules::new("941100-941999").unwrap()],
            reason: reason.into(),
        };
        let both = [exclusion("Notes hold \"SQL\"\nand 'more'"), Exclusion { method: None, ..exclusion("ü") }];
        for one in &both {
            approved.approve(one.clone()).unwrap();
        }
        assert_eq!(approved.in_force(), both);
        assert!(approved.approve(exclusion("  ")).is_err(), "without a reason nothing is kept");
        assert_eq!(read(directory.path()).unwrap(), both);
        std::fs::write(file(directory.path()), "[[exclusion]]\npath = 'x'").unwrap();
        let error = read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("firewall-exclusions.toml"), "{error}");
    }
}
