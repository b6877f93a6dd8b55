//! Reading, decoding, checking and sealing on a thread of its own, one batch ahead of the database.

use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::sync::Arc;

use letterkeep_model::{Clock, Ctx, Entropy, Id, Locale, kind};
use letterkeep_store::import::Counts;
use letterkeep_store::sealed::column;
use letterkeep_vault::Keyring;
use tokio::sync::mpsc;

use super::SourceError;
use super::batch::Prepared;
use super::prepare::{Candidate, Sieve, spread_noes};
use super::reject::{Reject, RejectRows};
use super::row::{KeptRows, Row};
use super::source::{Format, Place};

/// Rows of a batch, at most. Larger batches write fewer pages of the address index and keep other writers waiting
/// longer.
pub(super) const ROWS: u64 = 4096;
/// Bytes of cells in a batch, at most; bounds the memory where rows are long.
const BYTES: usize = 8 * 1024 * 1024;

/// A batch, ready to be written.
pub(super) struct Work {
    pub(super) prepared: Vec<Prepared>,
    pub(super) rejects: RejectRows,
    /// The cells of the others, in case that one is refused when it is written.
    pub(super) kept: KeptRows,
    /// The refused rows by number and reason.
    pub(super) reasons: Vec<(u64, Reject)>,
    pub(super) counts: Counts,
    /// The number of the last row in it.
    pub(super) last_row: u64,
    pub(super) place: Place,
}

/// What the thread needs.
pub(super) struct Feed {
    pub(super) format: Format,
    pub(super) headings: Vec<String>,
    pub(super) locale: Locale,
    pub(super) sieve: Sieve,
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    /// Rows up to this number are done: they are only remembered.
    pub(super) skip: u64,
    /// Whether contacts are sealed; a dry run writes nothing and seals nothing.
    pub(super) seal: bool,
    /// Whether refused rows are written out.
    pub(super) keep_rejects: bool,
}

impl Feed {
    /// A feed with the clock and chance of `ctx`.
    pub(super) fn new(ctx: &Ctx, format: Format, headings: Vec<String>, sieve: Sieve, keyring: Arc<Keyring>) -> Self {
        Self {
            format,
            headings,
            locale: ctx.locale,
            sieve,
            keyring,
            clock: ctx.clock().clone(),
            entropy: ctx.shared_entropy().clone(),
            skip: 0,
            seal: true,
            keep_rejects: true,
        }
    }

    /// Reads `file` to its end, or until nobody takes batches any more.
    pub(super) fn run<R: Read + Seek>(mut self, file: R, to: &mpsc::Sender<Work>) -> Result<(), SourceError> {
        let mut open = Open::default();
        let mut heading = true;
        self.format.read_rows(file, &mut |row, place| {
            if std::mem::take(&mut heading) {
                return ControlFlow::Continue(());
            }
            self.take(row, place, &mut open);
            if open.counts.rows as u64 >= ROWS || open.bytes >= BYTES {
                return self.send(&mut open, to);
            }
            ControlFlow::Continue(())
        })?;
        let _ = self.send(&mut open, to);
        Ok(())
    }

    fn take(&mut self, row: &mut Row, place: Place, open: &mut Open) {
        row.check_width(self.headings.len());
        let read = self.sieve.read(row, &self.keyring);
        if row.number <= self.skip {
            return;
        }
        open.last_row = row.number;
        open.place = place;
        open.counts.rows += 1;
        open.bytes += row.bytes();
        match read {
            Ok(candidate) => {
                if self.keep_rejects {
                    open.kept.push(row);
                }
                open.candidates.push(candidate);
            }
            Err(reject) => {
                match reject {
                    Reject::Duplicate => open.counts.duplicate += 1,
                    _ => open.counts.rejected += 1,
                }
                if self.keep_rejects {
                    let reason = reject.text(&self.headings, self.locale);
                    open.rejects.push(row.number, &reason, row.cells());
                }
                open.reasons.push((row.number, reject));
            }
        }
    }

    fn send(&self, open: &mut Open, to: &mpsc::Sender<Work>) -> ControlFlow<()> {
        let open = std::mem::take(open);
        if open.counts.rows == 0 {
            return ControlFlow::Continue(());
        }
        let work = Work {
            prepared: self.seal(open.candidates),
            rejects: open.rejects,
            kept: open.kept,
            reasons: open.reasons,
            counts: open.counts,
            last_row: open.last_row,
            place: open.place,
        };
        match to.blocking_send(work) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Gives the rows ids that grow with their blind index, so that both of the table's trees are written in order.
    fn seal(&self, mut candidates: Vec<Candidate>) -> Vec<Prepared> {
        candidates.sort_unstable_by_key(|candidate| candidate.index);
        spread_noes(&mut candidates);
        let now = self.clock.now();
        let mut ids =
            candidates.iter().map(|_| Id::<kind::Contact>::at(now, &*self.entropy).uuid()).collect::<Vec<_>>();
        ids.sort_unstable();
        let key_version = i64::from(self.keyring.version());
        let sealed = |(candidate, contact): (Candidate, uuid::Uuid)| {
            let sealed = if self.seal && candidate.refused.is_none() {
                self.keyring.seal_json(&column::CONTACT_RECORD.slot(&contact), &candidate.record, &*self.entropy)
            } else {
                Vec::new()
            };
            Prepared { candidate, contact, sealed, key_version }
        };
        candidates.into_iter().zip(ids).map(sealed).collect()
    }
}

/// The batch that is being filled.
#[derive(Default)]
struct Open {
    candidates: Vec<Candidate>,
    rejects: RejectRows,
    kept: KeptRows,
    reasons: Vec<(u64, Reject)>,
    counts: Counts,
    bytes: usize,
    last_row: u64,
    place: Place,
}
