//! What a column is, guessed from its heading in German or English.

use super::mapping::Target;
use crate::{AddressKind, PhoneKind, StandardField};

use AddressKind::{Home, Work};
use StandardField as F;

/// Lower case, umlauts spelled out, nothing but letters and digits: `E-Mail-Adresse *` becomes `emailadresse`.
pub(super) fn normalise(heading: &str) -> String {
    let mut normal = String::with_capacity(heading.len());
    for character in heading.chars().take(120).flat_map(char::to_lowercase) {
        match character {
            'ä' => normal.push_str("ae"),
            'ö' => normal.push_str("oe"),
            'ü' => normal.push_str("ue"),
            'ß' => normal.push_str("ss"),
            'é' | 'è' | 'ê' => normal.push('e'),
            character if character.is_alphanumeric() => normal.push(character),
            _ => {}
        }
    }
    normal
}

/// The target that a heading names, if it names one that every account has.
pub(super) fn guess(heading: &str) -> Option<Target> {
    let normal = normalise(heading);
    // The stable names of an export come back as they went out.
    if let Some(field) = StandardField::all().find(|field| normalise(field.name()) == normal) {
        return Some(Target::Field(field));
    }
    let target = match normal.as_str() {
        "email"
        | "emailadresse"
        | "emailaddress"
        | "mail"
        | "mailadresse"
        | "mailaddress"
        | "eadresse"
        | "emails"
        | "epost"
        | "emailprivat"
        | "emailgeschaeftlich"
        | "workemail"
        | "primaryemail"
        | "kontaktemail"
        | "contactemail"
        | "emailkontakt"
        | "emailadressekontakt"
        | "subscriberemail"
        | "useremail" => F::Email,
        "vorname" | "firstname" | "givenname" | "forename" | "rufname" | "fname" | "first" => F::FirstName,
        "nachname" | "lastname" | "familienname" | "surname" | "familyname" | "lname" | "last" | "zuname" => {
            F::LastName
        }
        "firma" | "firmenname" | "company" | "companyname" | "unternehmen" | "organisation" | "organization"
        | "betrieb" | "institution" => F::Company,
        "position" | "jobtitle" | "jobtitel" | "beruf" | "funktion" | "stellenbezeichnung" | "berufsbezeichnung"
        | "titleposition" | "role" | "rolle" => F::JobTitle,
        "geburtstag" | "geburtsdatum" | "birthday" | "birthdate" | "dateofbirth" | "dob" | "gebdatum" => F::Birthday,
        "jubilaeum" | "jahrestag" | "anniversary" | "hochzeitstag" => F::Anniversary,
        "telefon" | "telefonnummer" | "telefonprivat" | "phone" | "phonenumber" | "tel" | "telnr" | "homephone"
        | "privattelefon" | "festnetz" | "phonehome" => F::Phone(PhoneKind::Home),
        "mobil" | "mobiltelefon" | "mobilnummer" | "handy" | "handynummer" | "mobile" | "mobilephone"
        | "mobilenumber" | "cell" | "cellphone" => F::Phone(PhoneKind::Mobile),
        "telefongeschaeftlich"
        | "telefonberuflich"
        | "diensttelefon"
        | "workphone"
        | "businessphone"
        | "telefonfirma"
        | "officephone"
        | "phonework" => F::Phone(PhoneKind::Work),
        "fax" | "faxnummer" | "telefax" | "faxnumber" => F::Phone(PhoneKind::Fax),
        "strasse"
        | "strassehausnummer"
        | "strasseundhausnummer"
        | "strassenr"
        | "strasseundnr"
        | "anschrift"
        | "adresse"
        | "street"
        | "streetaddress"
        | "address"
        | "address1"
        | "addressline1"
        | "adresszeile1"
        | "homestreet" => F::Street(Home),
        "plz" | "postleitzahl" | "zip" | "zipcode" | "postcode" | "postalcode" | "zippostalcode" => F::PostalCode(Home),
        "ort" | "stadt" | "wohnort" | "city" | "town" | "ortschaft" => F::City(Home),
        "bundesland" | "kanton" | "region" | "state" | "province" | "stateprovince" | "county" => F::Region(Home),
        "land" | "country" | "staat" | "laendercode" | "countrycode" => F::Country(Home),
        "strassegeschaeftlich" | "workstreet" | "businessstreet" | "firmenstrasse" => F::Street(Work),
        "plzgeschaeftlich" | "workzip" | "businesspostalcode" => F::PostalCode(Work),
        "ortgeschaeftlich" | "workcity" | "businesscity" => F::City(Work),
        "landgeschaeftlich" | "workcountry" | "businesscountry" => F::Country(Work),
        "notiz" | "notizen" | "bemerkung" | "bemerkungen" | "anmerkung" | "anmerkungen" | "kommentar"
        | "kommentare" | "note" | "notes" | "comment" | "comments" | "remarks" => F::Notes,
        "tags" | "tag" | "schlagworte" | "schlagwoerter" | "etiketten" | "labels" | "kennzeichen" | "gruppen"
        | "groups" | "liste" | "listen" | "list" | "lists" => return Some(Target::Tags),
        "einwilligung"
        | "newslettereinwilligung"
        | "newsletter"
        | "newsletterja"
        | "newsletterconsent"
        | "optin"
        | "consent"
        | "permission"
        | "einverstanden"
        | "einverstaendnis"
        | "werbeeinwilligung"
        | "abonniert"
        | "subscribed"
        | "emailconsent"
        | "emailpermissionstatus"
        | "permissiontosend" => {
            return Some(Target::Permission);
        }
        "tracking"
        | "trackingeinwilligung"
        | "trackingconsent"
        | "auswertungerlaubt"
        | "oeffnungsmessung"
        | "trackingerlaubt" => return Some(Target::Tracking),
        _ => return None,
    };
    Some(Target::Field(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_german_and_english() {
        for (heading, target) in [
            ("E-Mail", Target::Field(F::Email)),
            (" E-Mail-Adresse *", Target::Field(F::Email)),
            ("Mail", Target::Field(F::Email)),
            ("First name", Target::Field(F::FirstName)),
            ("VORNAME", Target::Field(F::FirstName)),
            ("Nachname", Target::Field(F::LastName)),
            ("Straße", Target::Field(F::Street(Home))),
            ("PLZ", Target::Field(F::PostalCode(Home))),
            ("Geburtstag", Target::Field(F::Birthday)),
            ("phone_mobile", Target::Field(F::Phone(PhoneKind::Mobile))),
            ("work_city", Target::Field(F::City(Work))),
            ("Liste", Target::Tags),
            ("Newsletter-Einwilligung", Target::Permission),
        ] {
            assert_eq!(guess(heading), Some(target), "{heading}");
        }
        assert_eq!(guess("Lieblingsfarbe"), None);
        assert_eq!(guess(""), None);
    }
}
