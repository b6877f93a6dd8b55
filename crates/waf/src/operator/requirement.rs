//! What a value must have for an operator to match it: the gates before the work.
//!
//! A requirement may only ever say "cannot match". Whatever is too large or too loose to be worth it is left out.

use crate::byte_set::ByteSet;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Necessary, never sufficient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// Shorter values cannot match.
    pub(crate) min_len: usize,
    /// A value without a byte of each of these cannot match.
    pub(crate) masks: Vec<ByteSet>,
    /// Lower-case texts; a value without any of them, in whatever case, cannot match.
    pub(crate) literals: Option<Vec<Vec<u8>>>,
}

/// A requirement as far as length and bytes go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    min_len: usize,
    count: usize,
    masks: [ByteSet; MASKS],
}

/// How many masks are kept of a pattern.
const MASKS: usize = 4;
/// Texts of one required place, beyond which the cross product is not followed.
const CROSS: usize = 64;
/// Texts of one requirement: CRS has alternatives of several hundred words.
const LITERALS: usize = 3000;
/// Classes with more bytes than this (without regard to case) end a text.
const CLASS: u32 = 8;
/// Shorter texts are in every other value; the masks do better.
const SHORTEST: usize = 2;

impl Requirement {
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// Nothing matches.
    pub(super) fn impossible() -> Self {
        Self { min_len: usize::MAX, ..Self::default() }
    }

    pub(super) fn mask(mask: ByteSet) -> Self {
        Self::masks(vec![mask])
    }

    pub(super) fn masks(masks: Vec<ByteSet>) -> Self {
        Self { min_len: 1, masks, literals: None }
    }

    /// One of the texts, whatever their case.
    pub(super) fn one_of(texts: &[Vec<u8>]) -> Self {
        let either_case = |byte: u8| ByteSet::EMPTY.with(byte.to_ascii_lowercase()).with(byte.to_ascii_uppercase());
        let masks = texts.iter().map(|text| text.iter().map(|&byte| either_case(byte)).collect()).collect();
        let lower = texts.iter().map(|text| text.to_ascii_lowercase()).collect();
        Self {
            min_len: texts.iter().map(Vec::len).min().unwrap_or(0),
            masks: best(any_of(masks)),
            literals: useful(lower),
        }
    }

    /// Of a pattern in bytes.
    pub(super) fn of_pattern(hir: &Hir) -> Self {
        let Some(min_len) = hir.properties().minimum_len() else { return Self::impossible() };
        Self { min_len, masks: best(masks(hir)), literals: literals(hir).and_then(useful) }
    }

    /// The part of it that is asked for every value.
    pub(crate) fn into_gate(self) -> Gate {
        let mut masks = [ByteSet::EMPTY; MASKS];
        for (place, mask) in masks.iter_mut().zip(&self.masks) {
            *place = *mask;
        }
        Gate { min_len: self.min_len, count: self.masks.len().min(MASKS), masks }
    }
}

impl Gate {
    /// Whether a value of these bytes may match. Of several values, the longest length and all of their bytes tell
    /// whether any of them may.
    pub(crate) fn admits(&self, len: usize, present: &ByteSet) -> bool {
        len >= self.min_len && self.masks[..self.count].iter().all(|mask| mask.intersects(present))
    }
}

fn useful(mut texts: Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    texts.sort();
    texts.dedup();
    let shortest = texts.iter().map(Vec::len).min()?;
    (shortest >= SHORTEST && texts.len() <= LITERALS).then_some(texts)
}

fn bytes_of(class: &Class) -> ByteSet {
    let ranges = |set: ByteSet, first: u8, last: u8| set.union(ByteSet::from_range(first, last));
    match class {
        Class::Bytes(class) => class.ranges().iter().fold(ByteSet::EMPTY, |set, r| ranges(set, r.start(), r.end())),
        // Parsed without Unicode, a class of characters is within ASCII; anything else says nothing.
        Class::Unicode(class) => class.ranges().iter().fold(ByteSet::EMPTY, |set, r| {
            match (u8::try_from(r.start()), u8::try_from(r.end())) {
                (Ok(first), Ok(last)) if last < 0x80 => ranges(set, first, last),
                _ => ByteSet::ALL,
            }
        }),
    }
}

/// Sets of which every match has a byte, most telling first.
fn masks(hir: &Hir) -> Vec<ByteSet> {
    let found = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Vec::new(),
        HirKind::Literal(literal) => literal.0.iter().map(|&byte| ByteSet::EMPTY.with(byte)).collect(),
        HirKind::Class(class) => vec![bytes_of(class)],
        HirKind::Repetition(repetition) if repetition.min == 0 => Vec::new(),
        HirKind::Repetition(repetition) => masks(&repetition.sub),
        HirKind::Capture(capture) => masks(&capture.sub),
        HirKind::Concat(parts) => parts.iter().flat_map(masks).collect(),
        HirKind::Alternation(parts) => any_of(parts.iter().map(masks).collect()),
    };
    telling(found)
}

/// If each alternative needs its masks, all of them together need the union of the first of each, of the second …
fn any_of(alternatives: Vec<Vec<ByteSet>>) -> Vec<ByteSet> {
    let alternatives: Vec<_> = alternatives.into_iter().map(telling).collect();
    let count = alternatives.iter().map(Vec::len).min().unwrap_or(0);
    (0..count).map(|nth| alternatives.iter().fold(ByteSet::EMPTY, |set, masks| set.union(masks[nth]))).collect()
}

/// Sorted by how rarely a value has one of the bytes, without repetitions.
fn telling(mut masks: Vec<ByteSet>) -> Vec<ByteSet> {
    masks.retain(|mask| *mask != ByteSet::ALL);
    masks.sort_by_key(|mask| commonness(*mask));
    let mut kept: Vec<ByteSet> = Vec::new();
    for mask in masks {
        if !kept.iter().any(|other| other.is_subset(&mask)) {
            kept.push(mask);
        }
        if kept.len() == 4 * MASKS {
            break;
        }
    }
    kept
}

fn best(masks: Vec<ByteSet>) -> Vec<ByteSet> {
    let mut masks = telling(masks);
    masks.truncate(MASKS);
    masks
}

/// Roughly, the chance in thousandths that a value of a request has one of these bytes.
fn commonness(set: ByteSet) -> u32 {
    set.iter()
        .map(|byte| match byte {
            b'a' | b'e' | b'i' | b'o' | b'n' | b'r' | b's' | b't' | b'l' => 450,
            b'a'..=b'z' => 220,
            b'0'..=b'9' => 150,
            b' ' | b'/' | b'.' | b'-' => 200,
            b'A'..=b'Z' | b'_' | b'=' | b',' | b';' | b':' | b'(' | b')' => 70,
            b'"' | b'&' | b'?' | b'%' | b'+' | b'*' => 40,
            0x80..=0xFF => 5,
            0..=0x1F | 0x7F => 3,
            _ => 10,
        })
        .sum()
}

/// All texts that a pattern matches, in lower case, if they are few.
fn exact(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let texts = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![Vec::new()],
        HirKind::Literal(literal) => vec![literal.0.to_ascii_lowercase()],
        HirKind::Class(class) => {
            let lower = bytes_of(class).iter().fold(ByteSet::EMPTY, |set, byte| set.with(byte.to_ascii_lowercase()));
            if lower.is_empty() || lower.len() > CLASS {
                return None;
            }
            lower.iter().map(|byte| vec![byte]).collect()
        }
        HirKind::Capture(capture) => exact(&capture.sub)?,
        HirKind::Repetition(repetition) => {
            let sub = exact(&repetition.sub)?;
            match (repetition.min, repetition.max) {
                (0, Some(1)) => [sub, vec![Vec::new()]].concat(),
                (least, Some(most)) if least == most && most <= 8 => {
                    (0..most).try_fold(vec![Vec::new()], |texts, _| cross(&texts, &sub))?
                }
                _ => return None,
            }
        }
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![Vec::new()], |texts, part| cross(&texts, &exact(part)?))?
        }
        HirKind::Alternation(parts) => parts.iter().map(exact).collect::<Option<Vec<_>>>()?.concat(),
    };
    (texts.len() <= LITERALS).then_some(texts)
}

fn cross(left: &[Vec<u8>], right: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let fits = left.len() == 1 || right.len() == 1 || left.len() * right.len() <= CROSS;
    let all = || left.iter().flat_map(|left| right.iter().map(move |right| [&left[..], right].concat())).collect();
    fits.then(all)
}

/// Texts of which every match has one, in lower case.
fn literals(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let whole = exact(hir);
    let parts = match hir.kind() {
        HirKind::Capture(capture) => literals(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => literals(&repetition.sub),
        HirKind::Alternation(parts) => {
            parts.iter().map(literals).collect::<Option<Vec<_>>>().map(|texts| texts.concat())
        }
        HirKind::Concat(parts) => sequence(parts),
        _ => None,
    };
    better(whole, parts)
}

/// The best run of neighbours whose texts are known, or the best of what a single part needs.
fn sequence(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut found = None;
    let mut run: Option<Vec<Vec<u8>>> = None;
    for part in parts {
        let texts = exact(part);
        let longer = match (&run, &texts) {
            (Some(run), Some(texts)) => cross(run, texts),
            (None, Some(texts)) => Some(texts.clone()),
            _ => None,
        };
        if longer.is_none() {
            found = better(found, run.take());
            found = better(found, literals(part));
            run = texts;
        } else {
            run = longer;
        }
    }
    better(found, run)
}

/// Longer is better; of equal length, fewer.
fn better(one: Option<Vec<Vec<u8>>>, other: Option<Vec<Vec<u8>>>) -> Option<Vec<Vec<u8>>> {
    let worth = |texts: &Vec<Vec<u8>>| {
        let shortest = texts.iter().map(Vec::len).min().unwrap_or(0);
        (shortest > 0 && texts.len() <= LITERALS).then_some((shortest.min(6), usize::MAX - texts.len()))
    };
    match (one.as_ref().and_then(worth), other.as_ref().and_then(worth)) {
        (None, None) => None,
        (Some(a), Some(b)) if a >= b => one,
        (Some(_), None) => one,
        (_, Some(_)) => other,
    }
}
