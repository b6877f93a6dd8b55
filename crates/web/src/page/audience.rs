//! What the pages about contacts, lists, tags and fields share.

use letterkeep_account::{Action, authorize};
use letterkeep_audience::contact::ReadError;
use letterkeep_audience::{Permission, TrackingConsent, UsedBy, ValueError};
use letterkeep_model::{Id, Kind};
use maud::{Markup, html};

use crate::Problem;
use crate::component::{Fields, Seal, Tone, notice, seal};
use crate::text::{Speaks, named, t};
use crate::visit::{Visit, parse_form};

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            sealed @ ReadError::Sealed { .. } => Self::internal(sealed),
        }
    }
}

/// The id in a path; what is no id stands for nothing.
pub(super) fn id_of<K: Kind>(text: &str) -> Result<Id<K>, Problem> {
    text.parse().map_err(|_| Problem::NotFound)
}

/// What stands behind the question mark of the page's address.
pub(super) fn query(visit: &Visit) -> Fields {
    let (_, query) = visit.frame.path.split_once('?').unwrap_or_default();
    parse_form(query.as_bytes()).unwrap_or_default()
}

/// Whether the reader's role allows it.
pub(super) fn may(visit: &Visit, action: Action) -> bool {
    authorize(&visit.ctx, action).is_ok()
}

/// What the last form has done, if the address says that one has: `?saved=yes` and the like, from a fixed set.
pub(super) fn done(visit: &Visit, query: &Fields) -> Markup {
    let said = match query.text("done") {
        "saved" => Some(t!(visit, "saved")),
        "created" => Some(t!(visit, "audience-created")),
        "deleted" => Some(t!(visit, "audience-deleted")),
        "erased" => Some(t!(visit, "contact-erased")),
        "added" => Some(t!(visit, "contact-added")),
        _ => None,
    };
    html! { @if let Some(said) = said { (notice(Tone::Good, "", &html! { p { (said) } })) } }
}

/// Whether the word that makes a deletion sure was typed; if not, the form says so.
pub(super) fn is_typed(visit: &Visit, form: &mut Fields, word: &str) -> bool {
    let typed = form.text("confirm").trim().to_lowercase() == word.trim().to_lowercase();
    if !typed {
        form.refuse("confirm", t!(visit, "audience-confirm-refused", word = word));
    }
    typed
}

/// Why a list or tag cannot be deleted yet: the campaigns that need it.
pub(super) fn in_use(visit: &Visit, why: &str, campaigns: &[UsedBy], back: &str) -> Markup {
    html! {
        (notice(Tone::Warn, "", &html! {
            p { (why) }
            ul { @for used in campaigns { li { a href={ "/campaigns/" (used.campaign) } { (used.name) } } } }
        }))
        div class="form-actions" { a class="button" href=(back) { (t!(visit, "in-use-back")) } }
    }
}

/// The permission as a seal.
pub(super) fn permission_seal(speaks: &impl Speaks, permission: Permission) -> Markup {
    let state = match permission {
        Permission::Explicit | Permission::Implicit => Seal::Good,
        Permission::PendingConfirmation | Permission::TemporaryHold => Seal::Warn,
        Permission::Unsubscribed => Seal::Bad,
        Permission::NotSet => Seal::Off,
    };
    seal(state, &named(speaks, "permission", permission.name()))
}

/// The consent to recording opens and clicks as a seal.
pub(super) fn tracking_seal(speaks: &impl Speaks, consent: TrackingConsent) -> Markup {
    let state = match consent {
        TrackingConsent::Given => Seal::Good,
        TrackingConsent::NotSet => Seal::Off,
        TrackingConsent::Withdrawn => Seal::Bad,
    };
    seal(state, &named(speaks, "tracking", consent.name()))
}

/// What is wrong with a value, in the reader's language.
pub(super) fn wrong(speaks: &impl Speaks, error: ValueError) -> String {
    match error {
        ValueError::TooLong(chars) => t!(speaks, "value-too-long", chars = chars),
        ValueError::MinorUnits(units) => t!(speaks, "value-minor-units", units = units),
        other => named(speaks, "value", other.code()),
    }
}

/// An address with its values escaped.
pub(super) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use letterkeep_audience::permission::Source;
    use letterkeep_audience::suppression::LiftReason;
    use letterkeep_audience::{FieldKind, StandardField, SuppressionReason};
    use letterkeep_model::{EmailError, Locale};

    use super::*;

    #[test]
    fn every_name_that_is_put_together_has_its_words() {
        let mut keys = Vec::new();
        keys.extend(Permission::ALL.map(|one| format!("permission-{}", one.name())));
        keys.extend(Permission::ALL.map(|one| format!("permission-{}-help", one.name())));
        keys.extend(TrackingConsent::ALL.map(|one| format!("tracking-{}", one.name())));
        keys.extend(SuppressionReason::ALL.map(|one| format!("suppression-{}", one.name())));
        keys.extend(LiftReason::ALL.map(|one| format!("lift-{}", one.name())));
        keys.extend(FieldKind::ALL.map(|one| format!("kind-{}", one.name())));
        keys.extend(Source::ALL.iter().map(|one| format!("source-{}", one.name())));
        keys.extend(StandardField::all().map(|one| format!("standard-{}", one.name())));
        let errors = [
            ValueError::Control,
            ValueError::Number,
            ValueError::AmbiguousNumber,
            ValueError::NumberSize,
            ValueError::Currency,
            ValueError::NoCurrency,
            ValueError::AmbiguousCurrency,
            ValueError::Boolean,
            ValueError::Date,
            ValueError::AmbiguousDate,
            ValueError::DateTime,
            ValueError::ClockChange,
            ValueError::Birthday,
            ValueError::Option,
            ValueError::Email(EmailError::Empty),
            ValueError::Email(EmailError::At),
            ValueError::Email(EmailError::Control),
            ValueError::Email(EmailError::Local),
            ValueError::Email(EmailError::Domain),
            ValueError::Email(EmailError::Length),
        ];
        keys.extend(errors.map(|error| format!("value-{}", error.code())));
        for key in keys {
            let key = key.replace(['_', '.'], "-");
            for locale in Locale::ALL {
                assert_ne!(crate::text::say(locale, &key, None), key, "{locale}");
            }
        }
    }
}
