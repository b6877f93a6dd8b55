//! From a row to a contact: the same code for a dry run and a run, for every kind of file.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use letterkeep_model::{EmailAddress, Id};
use letterkeep_vault::{IndexField, Keyring};

use super::mapping::Target;
use super::reject::{Reject, TAGS};
use super::row::Row;
use super::settings::{Settings, SettingsError};
use crate::formula::unguard;
use crate::value::{parse_boolean, single_line};
use crate::{ContactRecord, CustomField, Foreign, Permission, StandardField, TrackingConsent, ValueError};

/// Characters in a tag, at most.
const TAG_CHARS: usize = 100;
/// Tags of one row, at most.
const TAGS_OF_ROW: usize = 20;

enum Column {
    Skip,
    Field(StandardField),
    Custom(CustomField),
    Tags,
    Permission,
    Tracking,
}

/// The settings, ready to be applied to rows.
pub(super) struct Plan {
    columns: Vec<Column>,
    email: usize,
    foreign: Foreign,
    permission: Permission,
    tracking: TrackingConsent,
}

/// A row that can become a contact.
pub(super) struct Candidate {
    pub(super) number: u64,
    pub(super) index: [u8; 16],
    pub(super) record: ContactRecord,
    pub(super) tags: Vec<String>,
    pub(super) permission: Permission,
    pub(super) tracking: TrackingConsent,
    /// Why the row is refused; then only the no in it counts.
    pub(super) refused: Option<Reject>,
}

impl Candidate {
    /// Whether the row takes something back: the permission to send or the consent to being tracked.
    pub(super) fn says_no(&self) -> bool {
        self.permission == Permission::Unsubscribed || self.tracking == TrackingConsent::Withdrawn
    }
}

impl Plan {
    /// Joins the settings with the account's custom fields. A column whose field is gone, or is still to be made, is
    /// an error in a run; in a dry run `fields` holds what would be made.
    pub(super) fn new(settings: &Settings, fields: &[CustomField]) -> Result<Self, SettingsError> {
        settings.check()?;
        let mut columns = Vec::with_capacity(settings.mapping.len());
        let mut email = 0;
        for (index, target) in settings.mapping.iter().enumerate() {
            columns.push(match target {
                Target::Skip => Column::Skip,
                Target::Field(StandardField::Email) => {
                    email = index;
                    Column::Skip
                }
                Target::Field(field) => Column::Field(*field),
                Target::Custom(id) => {
                    let shape = fields.iter().find(|field| field.id == *id);
                    let shape = shape.ok_or(super::mapping::MappingError::NoField(index + 1))?;
                    Column::Custom(shape.clone())
                }
                // A dry run reads the values as it would, under a key that no field can have.
                Target::Create { kind, label } => Column::Custom(CustomField {
                    id: Id::NIL,
                    merge_key: format!("+{index}"),
                    label: label.clone(),
                    kind: *kind,
                    options: Vec::new(),
                    currency: None,
                    position: 0,
                }),
                Target::Tags => Column::Tags,
                Target::Permission => Column::Permission,
                Target::Tracking => Column::Tracking,
            });
        }
        let foreign = settings.foreign()?;
        let tracking = if settings.tracking { TrackingConsent::Given } else { TrackingConsent::NotSet };
        Ok(Self { columns, email, foreign, permission: settings.permission, tracking })
    }

    fn read(&self, row: &Row, keyring: &Keyring) -> Result<Candidate, Reject> {
        if let Some(problem) = row.problem {
            return Err(Reject::Row(problem));
        }
        let email = EmailAddress::parse(&unguard(row.cell(self.email)))
            .map_err(|error| Reject::Cell(self.email + 1, ValueError::Email(error)))?;
        let index = keyring.blind_index(IndexField::ContactEmail, email.normalised().as_bytes());
        let mut record = ContactRecord::new(email);
        let (mut permission, mut tracking) = (self.permission, self.tracking);
        let mut tags = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            let cell = &*unguard(row.cell(at));
            let refused = |error| Reject::Cell(at + 1, error);
            match column {
                Column::Skip => {}
                Column::Field(field) => record.put(*field, cell).map_err(refused)?,
                Column::Custom(field) => {
                    if let Some(value) = field.parse(cell, &self.foreign).map_err(refused)? {
                        record.custom.insert(field.merge_key.clone(), value);
                    }
                }
                Column::Tags => {
                    for tag in cell.split([',', ';', '|']).filter(|tag| !tag.trim().is_empty()) {
                        let tag = single_line(tag, TAG_CHARS).map_err(refused)?;
                        if !tags.contains(&tag) {
                            tags.push(tag);
                        }
                    }
                    if tags.len() > TAGS_OF_ROW {
                        return Err(Reject::TooManyTags);
                    }
                }
                Column::Permission => permission = read_permission(cell, self.permission, at)?,
                Column::Tracking => tracking = read_tracking(cell).map_err(refused)?,
            }
        }
        record.check().map_err(Reject::Record)?;
        Ok(Candidate { number: row.number, index, record, tags, permission, tracking, refused: None })
    }

    /// What a refused row still says: nothing, unless it is a no.
    fn no_in(&self, row: &Row, keyring: &Keyring, refused: Reject) -> Result<Candidate, Reject> {
        // The cells of a row that is too short or too long may stand under the wrong headings.
        if row.problem.is_some() {
            return Err(refused);
        }
        let (mut permission, mut tracking) = (Permission::NotSet, TrackingConsent::NotSet);
        for (at, column) in self.columns.iter().enumerate() {
            let cell = &*unguard(row.cell(at));
            match column {
                Column::Permission if read_permission(cell, permission, at) == Ok(Permission::Unsubscribed) => {
                    permission = Permission::Unsubscribed;
                }
                Column::Tracking if read_tracking(cell) == Ok(TrackingConsent::Withdrawn) => {
                    tracking = TrackingConsent::Withdrawn;
                }
                _ => {}
            }
        }
        if permission == Permission::NotSet && tracking == TrackingConsent::NotSet {
            return Err(refused);
        }
        let Ok(email) = EmailAddress::parse(&unguard(row.cell(self.email))) else { return Err(refused) };
        let index = keyring.blind_index(IndexField::ContactEmail, email.normalised().as_bytes());
        let record = ContactRecord::new(email);
        let refused = Some(refused);
        Ok(Candidate { number: row.number, index, record, tags: Vec::new(), permission, tracking, refused })
    }
}

/// A column speaks for each row: an empty cell or a no is no permission, whatever is asserted for the file.
fn read_permission(cell: &str, asserted: Permission, at: usize) -> Result<Permission, Reject> {
    let text = cell.trim();
    if text.is_empty() {
        return Ok(Permission::NotSet);
    }
    match parse_boolean(text) {
        Ok(true) if asserted == Permission::NotSet => return Ok(Permission::Explicit),
        Ok(true) => return Ok(asserted),
        Ok(false) => return Ok(Permission::NotSet),
        Err(_) => {}
    }
    match super::heading::normalise(text).as_str() {
        "explicit" | "ausdruecklich" | "doubleoptin" | "doi" | "optin" | "subscribed" | "abonniert" | "angemeldet" => {
            Ok(Permission::Explicit)
        }
        "implicit" | "implizit" | "bestandskunde" => Ok(Permission::Implicit),
        // Who was asked elsewhere has not answered here.
        "notset" | "none" | "unbekannt" | "unknown" | "keine" | "pendingconfirmation" | "pending" | "unbestaetigt" => {
            Ok(Permission::NotSet)
        }
        "unsubscribed" | "abgemeldet" | "optout" | "abbestellt" | "cleaned" => Ok(Permission::Unsubscribed),
        "temporaryhold" | "pausiert" => Ok(Permission::TemporaryHold),
        _ => Err(Reject::Permission(at + 1)),
    }
}

/// Yes, no, or a state by the name that an export gives it.
fn read_tracking(cell: &str) -> Result<TrackingConsent, ValueError> {
    let text = cell.trim();
    if text.is_empty() {
        return Ok(TrackingConsent::NotSet);
    }
    if let Some(consent) = TrackingConsent::from_name(text) {
        return Ok(consent);
    }
    parse_boolean(text).map(|yes| if yes { TrackingConsent::Given } else { TrackingConsent::Withdrawn })
}

/// Reads row after row and knows what stood further up.
pub(super) struct Sieve {
    plan: Plan,
    seen: HashSet<u64, BuildHasherDefault<Keyed>>,
    tags: HashSet<String>,
}

impl Sieve {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, seen: HashSet::default(), tags: HashSet::new() }
    }

    /// The contact in a row, or why there is none. A refused row that says no is a candidate all the same.
    pub(super) fn read(&mut self, row: &Row, keyring: &Keyring) -> Result<Candidate, Reject> {
        self.accept(row, keyring).or_else(|refused| self.plan.no_in(row, keyring, refused))
    }

    fn accept(&mut self, row: &Row, keyring: &Keyring) -> Result<Candidate, Reject> {
        let candidate = self.plan.read(row, keyring)?;
        // Half of the blind index: among five million addresses the chance that two share it is below 10⁻⁶, and then
        // the second one is reported as a duplicate, not lost.
        let mut half = [0; 8];
        half.copy_from_slice(&candidate.index[..8]);
        if self.seen.contains(&u64::from_le_bytes(half)) {
            return Err(Reject::Duplicate);
        }
        let fresh = candidate.tags.iter().filter(|tag| !self.tags.contains(*tag)).count();
        if self.tags.len() + fresh > TAGS {
            return Err(Reject::TooManyTags);
        }
        self.tags.extend(candidate.tags.iter().cloned());
        self.seen.insert(u64::from_le_bytes(half));
        Ok(candidate)
    }
}

/// Lets a no count for every row of the same address. `candidates` are sorted by index.
pub(super) fn spread_noes(candidates: &mut [Candidate]) {
    for same in candidates.chunk_by_mut(|one, other| one.index == other.index).filter(|same| same.len() > 1) {
        let unsubscribed = same.iter().any(|row| row.permission == Permission::Unsubscribed);
        let withdrawn = same.iter().any(|row| row.tracking == TrackingConsent::Withdrawn);
        for row in same {
            if unsubscribed {
                row.permission = Permission::Unsubscribed;
            }
            if withdrawn {
                row.tracking = TrackingConsent::Withdrawn;
            }
        }
    }
}

/// The keys are a keyed hash already: hashing them again would only cost time.
#[derive(Default)]
pub(super) struct Keyed(u64);

impl Hasher for Keyed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
