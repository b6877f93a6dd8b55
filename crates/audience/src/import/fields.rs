//! The custom fields that a mapping asks for.

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::Tx;

use super::ImportError;
use crate::FieldKind;
use crate::field::{self, FieldError, NewField};

/// Finds the field of that name and kind, or makes it.
pub(super) async fn make(
    ctx: &Ctx,
    tx: &mut Tx,
    label: &str,
    kind: FieldKind,
) -> Result<Id<kind::CustomField>, ImportError> {
    let known = field::all(ctx, tx).await?;
    if let Some(field) = known.iter().find(|field| field.label == label && field.kind == kind) {
        return Ok(field.id);
    }
    let base = match field::merge_key_for(label) {
        // A label without any Latin letter, or of a name that templates keep for themselves.
        key if key.is_empty() || key.starts_with(field::RESERVED_PREFIX) => "field".to_owned(),
        key => key.chars().take(30).collect(),
    };
    for number in 1..100 {
        let merge_key = if number == 1 { base.clone() } else { format!("{base}_{number}") };
        let new = NewField { merge_key, label: label.to_owned(), kind, options: Vec::new(), currency: None };
        match field::create(ctx, tx, &new).await {
            Err(FieldError::Taken | FieldError::Reserved) => {}
            done => return Ok(done?),
        }
    }
    Err(ImportError::Field(FieldError::Taken))
}
