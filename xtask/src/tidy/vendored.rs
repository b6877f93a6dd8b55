//! Files of others are as they were published, and their licences are allowed.

use super::{Finding, Tree, licences};
use crate::vendor::{self, LIST};

/// Folders in which every file must be recorded.
const FOLDERS: [&str; 3] = ["assets/vendor", "assets/fonts", "crates/testkit/vendor"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(LIST) else {
        return vec![Finding::new(LIST, 0, "the record of vendored files is missing")];
    };
    let list = match vendor::parse(text) {
        Ok(list) => list,
        Err(error) => return vec![Finding::new(LIST, 0, format!("{error:#}"))],
    };
    let mut findings = Vec::new();
    for package in &list.package {
        if !licences::is_allowed(&package.licence) {
            let message = format!("{} comes under {}, which is not on the list", package.name, package.licence);
            findings.push(Finding::new(LIST, 0, message));
        }
        for file in &package.file {
            match tree.bytes(&file.to).map(vendor::sha256) {
                None => findings.push(Finding::new(&file.to, 0, "recorded but absent: run `cargo xtask vendor`")),
                Some(digest) if digest == file.sha256 => {}
                Some(_) => {
                    let message = "not as published: run `cargo xtask vendor`; never edit a vendored file";
                    findings.push(Finding::new(&file.to, 0, message));
                }
            }
        }
    }
    for folder in FOLDERS {
        for name in tree.names_in(folder) {
            let path = format!("{folder}/{name}");
            if !list.package.iter().flat_map(|package| &package.file).any(|file| file.to == path) {
                findings.push(Finding::new(&path, 0, format!("record where it comes from in {LIST}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn names_a_changed_an_absent_an_unrecorded_file_and_a_licence() {
        let list = "[[package]]\nname = \"a\"\nversion = \"1\"\nlicence = \"AGPL-3.0\"\nintegrity = \"sha512-x\"\npurpose = \"p\"\n\
             [[package.file]]\nfrom = \"a.js\"\nto = \"assets/vendor/a.js\"\nsha256 = \"00\"\n\
             [[package.file]]\nfrom = \"b.js\"\nto = \"assets/vendor/b.js\"\nsha256 = \"00\"\n\
             [[package.file]]\nfrom = \"abc\"\nto = \"assets/vendor/abc\"\n\
             sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n";
        let findings = check(&Tree::with(&[
            (LIST, list),
            ("assets/vendor/a.js", "changed"),
            ("assets/vendor/abc", "abc"),
            ("assets/fonts/stray.woff2", ""),
        ]));
        assert!(found(&findings, LIST, "AGPL"), "{findings:?}");
        assert!(found(&findings, "assets/vendor/a.js", "not as published"), "{findings:?}");
        assert!(found(&findings, "assets/vendor/b.js", "absent"), "{findings:?}");
        assert!(found(&findings, "assets/fonts/stray.woff2", "record"), "{findings:?}");
        assert_eq!(findings.len(), 4, "{findings:?}");
    }
}
