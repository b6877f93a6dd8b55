//! Both databases have the same migrations.

use std::collections::BTreeSet;

use super::{Finding, Tree};

/// Folders whose files must have equal names.
const PAIRS: [(&str, &str); 2] =
    [("migrations/sqlite", "migrations/postgres"), ("migrations/keys/sqlite", "migrations/keys/postgres")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (sqlite, postgres) in PAIRS {
        let names = |folder: &str| tree.names_in(folder).map(str::to_owned).collect::<BTreeSet<_>>();
        let (left, right) = (names(sqlite), names(postgres));
        for name in left.symmetric_difference(&right) {
            let (has, lacks) = if left.contains(name) { (sqlite, postgres) } else { (postgres, sqlite) };
            findings.push(Finding::new(&format!("{has}/{name}"), 0, format!("write the same migration for {lacks}")));
        }
        for folder in [sqlite, postgres] {
            let mut numbers = BTreeSet::new();
            for name in names(folder) {
                let number = name.split('_').next().unwrap_or_default();
                if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                    findings.push(Finding::new(&format!("{folder}/{name}"), 0, "name it NNNN_subject.sql"));
                } else if !numbers.insert(number.to_owned()) {
                    findings.push(Finding::new(&format!("{folder}/{name}"), 0, "this number is taken: take the next"));
                }
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
    fn names_a_migration_without_its_twin_and_a_number_taken_twice() {
        let findings = check(&Tree::with(&[
            ("migrations/sqlite/0001_foundation.sql", ""),
            ("migrations/postgres/0001_foundation.sql", ""),
            ("migrations/sqlite/0002_tags.sql", ""),
            ("migrations/keys/postgres/0001_keys.sql", ""),
            ("migrations/keys/postgres/0001_more.sql", ""),
            ("migrations/keys/sqlite/0001_keys.sql", ""),
            ("migrations/keys/sqlite/0001_more.sql", ""),
        ]));
        assert!(found(&findings, "migrations/sqlite/0002_tags.sql", "migrations/postgres"), "{findings:?}");
        assert!(found(&findings, "migrations/keys/sqlite/0001_more.sql", "taken"), "{findings:?}");
        assert_eq!(findings.len(), 3, "{findings:?}");
    }
}
