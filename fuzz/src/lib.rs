//! What must hold for every parser of foreign bytes, one module a parser, and seeds to start from.
//!
//! Each module has one function, `check(bytes)`, that panics when something does not hold: limits, round trips, one
//! spelling for one value, the same answer however the bytes arrive. Two things call it. The tests at the end run it
//! over the seeds and over damaged seeds on every `cargo xtask test`; `targets/` hands it to libFuzzer, which
//! `cargo xtask fuzz` builds and runs where a nightly Rust is there.
//!
//! A new parser of foreign bytes gets a module, a line in [`TARGETS`], a file in `targets/` with its entry in
//! `Cargo.toml`, at least one seed that the parser accepts in `seeds/NAME/`, and in `mutants.rs` a parser with a
//! mistake that its check must notice. What the fuzzer finds becomes a test
//! beside the parser, and its input a seed if it is small.

pub mod csv;
pub mod email;
pub mod message;
pub mod request_head;
pub mod root_file;
pub mod smtp_reply;
pub mod template;
pub mod tokens;
pub mod values;
mod waf;
pub mod waf_form;
pub mod waf_json;
pub mod waf_multipart;
pub mod waf_rules;
pub mod waf_xml;
pub mod xlsx;

/// A parser of foreign bytes and what must hold for it.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of its binary and of the folder of its seeds.
    pub name: &'static str,
    /// Panics where something does not hold.
    pub check: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 15] = [
    Target { name: "email", check: email::check },
    Target { name: "tokens", check: tokens::check },
    Target { name: "root_file", check: root_file::check },
    Target { name: "template", check: template::check },
    Target { name: "message", check: message::check },
    Target { name: "smtp_reply", check: smtp_reply::check },
    Target { name: "values", check: values::check },
    Target { name: "csv", check: csv::check },
    Target { name: "xlsx", check: xlsx::check },
    Target { name: "request_head", check: request_head::check },
    Target { name: "waf_form", check: waf_form::check },
    Target { name: "waf_json", check: waf_json::check },
    Target { name: "waf_multipart", check: waf_multipart::check },
    Target { name: "waf_xml", check: waf_xml::check },
    Target { name: "waf_rules", check: waf_rules::check },
];

/// The longest front of `bytes` that is text.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes)
        .unwrap_or_else(|error| std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default())
}

/// What stands between the parts of an input that has several: readable in a seed, unlikely in a part.
const BETWEEN: &str = "\n=====\n";

/// Cuts an input into `N` parts; those that are missing are empty.
fn parts<const N: usize>(bytes: &[u8]) -> [&str; N] {
    let mut parts = text(bytes).splitn(N, BETWEEN);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// The same for inputs that are no text.
fn byte_parts<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    let mut rest = Some(bytes);
    let mut left = N;
    std::array::from_fn(|_| {
        left -= 1;
        let part = rest.unwrap_or_default();
        let at = part.windows(BETWEEN.len()).position(|window| window == BETWEEN.as_bytes()).filter(|_| left > 0);
        rest = at.map(|at| &part[at + BETWEEN.len()..]);
        &part[..at.unwrap_or(part.len())]
    })
}

#[cfg(test)]
mod mutants;
#[cfg(test)]
mod tests;
