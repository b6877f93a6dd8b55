//! Which room may use which: arrows run down only, and some crates belong to one room alone.

use std::collections::BTreeMap;

use super::{Finding, Tree, line_at};

/// The floor of each room. A room uses only rooms on floors below.
const FLOORS: [(&str, u8); 20] = [
    ("model", 0),
    // `vault`, `waf` and `proof` stand beside each other on the ground floor, upon the value types of `model`.
    ("vault", 1),
    ("waf", 1),
    ("proof", 1),
    ("store", 2),
    ("evidence", 2),
    ("audience", 3),
    ("campaign", 3),
    ("delivery", 3),
    ("account", 3),
    ("network", 3),
    ("physical", 3),
    ("host", 3),
    ("software", 3),
    ("alert", 3),
    ("help", 3),
    ("trust", 3),
    ("web", 4),
    ("letterkeep", 5),
    // Tests stand beside the house: they may use every room that does not use them.
    ("testkit", 5),
];

/// The only arrows between rooms on the same floor.
const SIDEWAYS: [(&str, &str); 2] = [("delivery", "audience"), ("delivery", "campaign")];

/// Crates that only some rooms may name, so that what they do has one place.
const OWNED: [(&[&str], &[&str], &str); 4] = [
    (&["sqlx", "rusqlite", "tokio-postgres"], &["store", "testkit"], "SQL belongs in `store`"),
    (
        &[
            "aws-lc-rs",
            "aes-gcm",
            "age",
            "argon2",
            "blake2",
            "chacha20poly1305",
            "hkdf",
            "hmac",
            "pbkdf2",
            "scrypt",
            "subtle",
            "totp-rs",
            "zxcvbn",
            "x25519-dalek",
            "p256",
        ],
        &["vault"],
        "ciphers belong in `vault`",
    ),
    // For public data only; `xtask` hashes vendored files.
    (&["sha2", "ed25519-dalek"], &["vault", "proof", "xtask"], "digests belong in `vault` or `proof`"),
    // `xtask` is a client of the edge that it tests.
    (
        &["rustls", "tokio-rustls", "rustls-native-certs"],
        &["network", "delivery", "letterkeep", "xtask"],
        "TLS belongs in `network` and `delivery`",
    ),
];

const SECTIONS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let floors = BTreeMap::from(FLOORS);
    let mut findings = Vec::new();
    for (path, text) in tree.texts("Cargo.toml") {
        let Some(room) = room_of(path) else { continue };
        let Ok(manifest) = text.parse::<toml::Table>() else {
            findings.push(Finding::new(path, 0, "this is not TOML"));
            continue;
        };
        if manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) != Some(true) {
            findings.push(Finding::new(path, 0, "add `[lints] workspace = true`: it forbids unsafe code"));
        }
        let floor = floors.get(room).copied();
        if path.starts_with("crates/") && floor.is_none() {
            findings.push(Finding::new(path, 0, "give this room a floor in xtask/src/tidy/arrows.rs"));
        }
        for (section, dependencies) in sections(&manifest) {
            for name in dependencies.keys() {
                let line = place_of(text, name);
                if let Some(used) = name.strip_prefix("letterkeep-") {
                    // The binary, `bench` and `xtask` stand above the house.
                    let above = floor.unwrap_or(u8::MAX);
                    if used == "testkit" {
                        if section != "dev-dependencies" && floor.is_some() {
                            findings.push(Finding::new(path, line, "`testkit` is for tests: make it a dev-dependency"));
                        }
                    } else if floors.get(used).is_none_or(|below| *below >= above) && !SIDEWAYS.contains(&(room, used))
                    {
                        let message = format!(
                            "`{room}` may not use `{used}`: arrows run down only; pass what it needs as a parameter"
                        );
                        findings.push(Finding::new(path, line, message));
                    }
                }
                for (owned, owners, why) in OWNED {
                    if owned.contains(&name.as_str()) && !owners.contains(&room) {
                        let message = format!("`{room}` may not name `{name}`: {why}; call that room");
                        findings.push(Finding::new(path, line, message));
                    }
                }
            }
        }
    }
    findings
}

/// The room whose manifest `path` is: `crates/ROOM/Cargo.toml`, or a member beside the house.
fn room_of(path: &str) -> Option<&str> {
    let directory = path.strip_suffix("/Cargo.toml")?;
    let room = directory.strip_prefix("crates/").unwrap_or(directory);
    (!room.contains('/') && room != "fuzz").then_some(room)
}

/// The dependency tables, those for one platform too.
fn sections(manifest: &toml::Table) -> Vec<(&'static str, &toml::Table)> {
    let platforms = manifest.get("target").and_then(toml::Value::as_table);
    let tables = platforms.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    let all = tables.chain([manifest]);
    all.flat_map(|table| SECTIONS.map(|name| (name, table.get(name).and_then(toml::Value::as_table))))
        .filter_map(|(name, table)| Some((name, table?)))
        .collect()
}

fn place_of(text: &str, name: &str) -> usize {
    let starts = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    text.lines().position(starts).map_or_else(|| text.find(name).map_or(0, |at| line_at(text, at)), |line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    fn manifest(sections: &str) -> String {
        format!("[lints]\nworkspace = true\n{sections}")
    }

    #[test]
    fn names_an_arrow_that_runs_up_or_sideways() {
        let store = manifest("[dependencies]\nletterkeep-web.workspace = true\n");
        let account = manifest("[target.'cfg(unix)'.dependencies]\nletterkeep-audience = { workspace = true }\n");
        let delivery =
            manifest("[dependencies]\nletterkeep-audience.workspace = true\nletterkeep-store.workspace = true\n");
        let findings = check(&Tree::with(&[
            ("crates/store/Cargo.toml", &store),
            ("crates/account/Cargo.toml", &account),
            ("crates/delivery/Cargo.toml", &delivery),
        ]));
        assert!(found(&findings, "crates/store/Cargo.toml:4", "may not use `web`"), "{findings:?}");
        assert!(found(&findings, "crates/account/Cargo.toml:4", "may not use `audience`"), "{findings:?}");
        assert_eq!(findings.len(), 2, "the declared exception and arrows down are fine: {findings:?}");
    }

    #[test]
    fn names_a_crate_outside_its_room() {
        let web =
            manifest("[dependencies]\nsqlx.workspace = true\n[dev-dependencies]\nhmac = \"0.12\"\nrustls = \"0.23\"\n");
        let findings = check(&Tree::with(&[("crates/web/Cargo.toml", &web)]));
        assert!(found(&findings, "crates/web/Cargo.toml:4", "SQL belongs"), "{findings:?}");
        assert!(found(&findings, "crates/web/Cargo.toml:6", "ciphers belong"), "{findings:?}");
        assert!(found(&findings, "crates/web/Cargo.toml:7", "TLS belongs"), "{findings:?}");
    }

    #[test]
    fn names_testkit_in_the_product_and_missing_lints() {
        let web = manifest("[dependencies]\nletterkeep-testkit.workspace = true\n");
        let findings =
            check(&Tree::with(&[("crates/web/Cargo.toml", &web), ("crates/model/Cargo.toml", "[package]\n")]));
        assert!(found(&findings, "crates/web/Cargo.toml:4", "dev-dependency"), "{findings:?}");
        assert!(found(&findings, "crates/model/Cargo.toml", "lints"), "{findings:?}");
        let new = manifest("");
        let findings = check(&Tree::with(&[("crates/attic/Cargo.toml", &new)]));
        assert!(found(&findings, "crates/attic/Cargo.toml", "floor"), "{findings:?}");
    }
}
