//! The fields of our own forms that the firewall is told not to look at.

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Excluded {
    exclusion: Vec<Exclusion>,
}

#[derive(Deserialize)]
struct Exclusion {
    method: String,
    path: String,
    fields: Vec<String>,
}

impl Excluded {
    /// What the product is built with.
    pub(crate) fn own() -> Self {
        toml::from_str(include_str!("../../src/edge/exclusions.toml")).unwrap()
    }

    /// The request (method, target, and a form behind a line break) without those fields.
    pub(crate) fn leave_out(&self, request: &str) -> String {
        let (head, form) = request.split_once('\n').unwrap();
        let (method, target) = head.split_once(' ').unwrap();
        let path = target.split('?').next().unwrap();
        let fields: Vec<&str> = self
            .exclusion
            .iter()
            .filter(|one| one.method == method && is_at(&one.path, path))
            .flat_map(|one| one.fields.iter().filter_map(|field| field.strip_prefix("ARGS:")))
            .collect();
        if form.starts_with("--") {
            // What is in a file is for whoever reads files; the service takes every part with a file's name as one.
            let boundary = form.lines().next().unwrap();
            let parts = form.split(boundary).filter(|part| !part.contains("; filename=\""));
            return format!("{head}\n{}", parts.collect::<String>());
        }
        let is_looked_at = |pair: &&str| !fields.contains(&pair.split('=').next().unwrap());
        let form: Vec<&str> = form.split('&').filter(is_looked_at).collect();
        format!("{head}\n{}", form.join("&"))
    }
}

/// Whether `path` is one of `pattern`, in which `{…}` stands for any segment.
fn is_at(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(segment)) if wanted == segment || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

#[test]
fn only_the_excluded_field_of_its_own_form_is_left_out() {
    let own = Excluded::own();
    let at = |path: &str| own.leave_out(&format!("POST {path}\nname=%3Cscript&source=%3Cscript"));
    assert_eq!(at("/campaigns/7/edit"), "POST /campaigns/7/edit\nname=%3Cscript");
    let files =
        "POST /imports/new\n--b\r\nA: b; name=\"a\"; filename=\"a\"\r\n\r\n<script\r\n--b\r\nA: c\r\n\r\nd\r\n--b--";
    assert_eq!(own.leave_out(files), "POST /imports/new\n\r\nA: c\r\n\r\nd\r\n--");
    assert_eq!(at("/lists/new"), "POST /lists/new\nname=%3Cscript&source=%3Cscript");
}
