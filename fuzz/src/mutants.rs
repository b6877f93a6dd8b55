//! A fuzzer is worth what its checks notice: for each target a parser with a mistake of the kind that the target is
//! there for. Over the same inputs as the real one, its check must fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use letterkeep_audience::import::Format;
use letterkeep_audience::value::{FieldValue, Foreign, Notation};
use letterkeep_campaign::compile::Plain;
use letterkeep_delivery::smtp::{Parsed, parse_reply};
use letterkeep_model::EmailAddress;
use letterkeep_network::Length;
use letterkeep_vault::Purpose;

use super::tests::{damaged, seeds};
use super::*;
use crate::csv::Found;

/// Every target's check with such a parser in place of the real one.
const MUTANTS: [Target; 15] = [
    Target { name: "email", check: an_address_that_grows },
    Target { name: "tokens", check: a_link_for_another_purpose },
    Target { name: "root_file", check: a_record_whose_head_is_not_bound },
    Target { name: "template", check: values_that_are_not_escaped },
    Target { name: "message", check: a_field_too_many },
    Target { name: "smtp_reply", check: a_reply_that_takes_the_next_one_along },
    Target { name: "values", check: a_number_that_is_shown_in_another_notation },
    Target { name: "csv", check: rows_that_end_with_a_block },
    Target { name: "xlsx", check: cells_that_are_not_decoded },
    Target { name: "request_head", check: a_body_whose_encoding_is_overlooked },
    Target { name: "waf_form", check: a_gate_that_says_no_too_often },
    Target { name: "waf_json", check: an_escape_that_is_not_decoded },
    Target { name: "waf_multipart", check: a_last_piece_that_is_forgotten },
    Target { name: "waf_xml", check: a_limit_that_does_not_hold },
    Target { name: "waf_rules", check: an_error_without_its_line },
];

#[test]
fn each_check_finds_a_planted_bug() {
    assert_eq!(MUTANTS.map(|mutant| mutant.name), TARGETS.map(|target| target.name), "every target has one");
    for Target { name, check } in MUTANTS {
        let inputs = seeds(name).into_iter().flat_map(|(_, seed)| std::iter::once(seed.clone()).chain(damaged(seed)));
        let found = { inputs }.find(|input| catch_unwind(AssertUnwindSafe(|| check(input))).is_err());
        let found = found.unwrap_or_else(|| panic!("the check of {name} finds nothing"));
        // The input is not what is wrong.
        TARGETS.iter().filter(|target| target.name == name).for_each(|target| (target.check)(&found));
    }
}

fn an_address_that_grows(bytes: &[u8]) {
    email::holds(bytes, &|text| EmailAddress::parse(&format!("x{text}")));
}

fn a_link_for_another_purpose(bytes: &[u8]) {
    tokens::holds(bytes, &|token| {
        let link = tokens::ring().read_link(token).ok()?;
        Some(letterkeep_vault::Link { purpose: Purpose::Unsubscribe, ..link })
    });
}

fn a_record_whose_head_is_not_bound(bytes: &[u8]) {
    // As if format, algorithm and key version were not part of what the tag covers.
    root_file::holds(bytes, &|record| {
        let sealed = root_file::sealed();
        record.len() == sealed.len() && record[7..] == sealed[7..]
    });
}

fn values_that_are_not_escaped(bytes: &[u8]) {
    template::holds(bytes, &|compiled, fields| {
        let mut rendered = compiled.render(fields, &Plain).ok()?;
        rendered.html = rendered.html.replace("&lt;", "<");
        Some(rendered)
    });
}

fn a_field_too_many(bytes: &[u8]) {
    message::holds(bytes, &|letter| {
        let wire = String::from_utf8(letter.write().expect("it is written")).expect("ASCII");
        wire.replacen("\r\nTo: ", &format!("\r\nX-Name: {}\r\nTo: ", letter.from_name.len()), 1).into_bytes()
    });
}

fn a_reply_that_takes_the_next_one_along(bytes: &[u8]) {
    smtp_reply::holds(bytes, &|bytes| match parse_reply(bytes) {
        Ok(Parsed::Whole(reply, _)) => Ok(Parsed::Whole(reply, bytes.len())),
        other => other,
    });
}

fn a_number_that_is_shown_in_another_notation(bytes: &[u8]) {
    values::holds(bytes, &|shape, text, foreign| {
        let foreign = Foreign { notation: Notation::German, ..foreign.clone() };
        FieldValue::parse(shape, text, &foreign).ok().flatten()
    });
}

fn rows_that_end_with_a_block(bytes: &[u8]) {
    csv::holds(bytes, &|format, file, block| {
        let pieces = file.chunks(block).map(|piece| csv::read(format, piece, block));
        let mut found = Found { rows: Vec::new(), end: None };
        for piece in pieces {
            found.rows.extend(piece.rows);
            found.end = found.end.or(piece.end);
        }
        found
    });
}

fn cells_that_are_not_decoded(bytes: &[u8]) {
    xlsx::holds(bytes, &|file| {
        let mut found = csv::read(Format::Xlsx, file, 4096);
        found.rows.iter_mut().flat_map(|row| &mut row.cells).for_each(|cell| *cell = cell.replace('&', "&amp;"));
        found
    });
}

fn a_body_whose_encoding_is_overlooked(bytes: &[u8]) {
    // As a server does that knows one spelling of the field: what stands in the body is the next request for it.
    request_head::holds(bytes, &|bytes, piece| {
        let mut found = request_head::read(bytes, piece);
        if let Some(first) = found.found.iter_mut().find(|found| found.head.body == Length::Chunked) {
            first.head.body = Length::Bytes(0);
            first.body.end = first.body.start;
            first.content.clear();
        }
        found
    });
}

fn a_gate_that_says_no_too_often(bytes: &[u8]) {
    waf_form::holds(bytes, &|request, how| {
        let mut seen = waf::inspect(request, how);
        seen.matches.retain(|found| !how.gates || found.rule != 10);
        seen
    });
}

fn an_escape_that_is_not_decoded(bytes: &[u8]) {
    waf_json::holds(bytes, &|request, how| {
        let mut seen = waf::inspect(request, how);
        let findings = seen.matches.iter_mut().flat_map(|found| &mut found.findings);
        findings.filter(|finding| finding.value == b"\n").for_each(|finding| finding.value = b"\\n".to_vec());
        seen
    });
}

fn a_last_piece_that_is_forgotten(bytes: &[u8]) {
    waf_multipart::holds(bytes, &|request, how| {
        let whole = request.body.len();
        let arrived = if how.piece < whole { whole / how.piece * how.piece } else { whole };
        waf::inspect(&waf::Request { body: &request.body[..arrived], ..*request }, how)
    });
}

fn a_limit_that_does_not_hold(bytes: &[u8]) {
    let limits = letterkeep_waf::Limits { arguments: 1000, ..waf::LIMITS };
    waf_xml::holds(bytes, &|request, how| waf::inspect_within(request, how, limits));
}

fn an_error_without_its_line(bytes: &[u8]) {
    waf_rules::holds(bytes, &|text| {
        let source = letterkeep_waf::Source { name: "fuzz.conf", text };
        let loaded = letterkeep_waf::Ruleset::load(&[source], &letterkeep_waf::NoFiles);
        loaded.map_err(|error| letterkeep_waf::LoadError { line: 1, ..error })
    });
}
