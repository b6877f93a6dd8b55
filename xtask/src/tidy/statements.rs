//! SQL stands in `store`, in its `statements!` blocks, where a test prepares each text on both databases.

use super::{Finding, Tree, line_at};

const CALLS: [&str; 5] = ["query(", "query_as(", "query_scalar(", "query_with(", "raw_sql("];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let list = tree.text("crates/store/src/lib.rs").unwrap_or_default();
    for (path, text) in tree.texts(".rs") {
        let in_store = path.starts_with("crates/store/src/");
        // The harness creates databases; tests of `store` look behind its back.
        let free = ["crates/testkit/", "crates/store/tests/", "xtask/"].iter().any(|place| path.starts_with(place));
        if in_store {
            let module = path.trim_start_matches("crates/store/src/").trim_end_matches(".rs");
            let name = module.replace('/', "::");
            if text.lines().any(|line| line.starts_with("statements!"))
                && !list.contains(&format!("{name}::STATEMENTS"))
            {
                let message =
                    format!("list `{name}::STATEMENTS` in crates/store/src/lib.rs, so that the test prepares it");
                findings.push(Finding::new(path, 0, message));
            }
        } else if !free && let Some(at) = text.find("sqlx::") {
            findings.push(Finding::new(path, line_at(text, at), "only `store` names sqlx: add a function there"));
        }
        if free || path == "crates/store/src/sql.rs" {
            continue;
        }
        // Beyond `#[cfg(test)]` a test may look at the tables as it likes.
        let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for call in CALLS {
            for (at, _) in product.match_indices(&format!("sqlx::{call}")) {
                let argument = product[at + "sqlx::".len() + call.len()..].trim_start();
                let literal = ["\"", "r\"", "r#", "&format!", "format!", "sqlx::AssertSqlSafe", "AssertSqlSafe"];
                if literal.iter().any(|start| argument.starts_with(start)) {
                    let message = "put the text into a `statements!` block, so that it is prepared on both databases";
                    findings.push(Finding::new(path, line_at(product, at), message));
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
    fn names_sql_outside_its_place() {
        let findings = check(&Tree::with(&[
            ("crates/store/src/lib.rs", "[contact::STATEMENTS]\n"),
            ("crates/store/src/contact.rs", "statements! {}\n\nlet x = sqlx::query(\n    \"SELECT 1\");\n"),
            ("crates/store/src/list.rs", "statements! {}\n"),
            ("crates/store/src/db.rs", "sqlx::raw_sql(migration)\n"),
            ("crates/audience/src/lib.rs", "\nuse sqlx::Row;\n"),
            ("crates/testkit/src/postgres.rs", "sqlx::query_as(\"SELECT 1\")\n"),
        ]));
        assert!(found(&findings, "crates/store/src/contact.rs:3", "statements!"), "{findings:?}");
        assert!(found(&findings, "crates/store/src/list.rs", "list `list::STATEMENTS`"), "{findings:?}");
        assert!(found(&findings, "crates/audience/src/lib.rs:2", "only `store`"), "{findings:?}");
        assert_eq!(findings.len(), 3, "{findings:?}");
    }
}
