//! `cargo xtask example-contacts`: writes the example files of contacts, always the same ones.
//!
//! Everybody in them is made up; the addresses use domains that are reserved for examples (RFC 2606, RFC 6761). A few
//! dozen rows are wrong on purpose, so that an import has something to refuse.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

const ROWS: u32 = 10_000;

const GERMAN: [&str; 24] = [
    "Anna",
    "Jürgen",
    "Björn",
    "Käthe",
    "Günther",
    "Mareike",
    "Sören",
    "Zoë",
    "Ömer",
    "Lukas",
    "Heike",
    "Ulrike",
    "Jörg",
    "Bärbel",
    "Matthias",
    "Änne",
    "Friedrich",
    "Elif",
    "Paweł",
    "Renée",
    "Thorsten",
    "Wiebke",
    "Leni",
    "Emil",
];
const ENGLISH: [&str; 16] = [
    "Olivia", "James", "Amelia", "Noah", "Siobhán", "Harry", "Grace", "Oscar", "Freya", "Ethan", "Chloé", "Liam",
    "Imogen", "Callum", "Zara", "Rhys",
];
const GERMAN_FAMILY: [&str; 24] = [
    "Müller",
    "Schmidt",
    "Größer",
    "Weiß",
    "Schäfer",
    "Köhler",
    "Jäger",
    "Böhm",
    "Groß",
    "Lüdtke",
    "Möller-Hansen",
    "von der Heide",
    "Öztürk",
    "Kowalski",
    "Nuß",
    "Bäcker",
    "Fröhlich",
    "Straßer",
    "Kühn",
    "Löwe",
    "Yılmaz",
    "Petersen",
    "Schulze",
    "Wörner",
];
const ENGLISH_FAMILY: [&str; 16] = [
    "Smith",
    "O'Neill",
    "Taylor",
    "Brown",
    "MacGregor",
    "Evans",
    "D'Arcy",
    "Walker",
    "Hughes",
    "St. John",
    "Wood",
    "Clarke",
    "Baker-Jones",
    "Turner",
    "Ó Briain",
    "Hill",
];
const COMPANIES: [&str; 12] = [
    "Bäckerei Möller GmbH & Co. KG",
    "\"Zur Linde\" Gasthaus",
    "Gärtnerei Grün, Inh. K. Weiß",
    "Example Ltd",
    "Smith, Sons & Daughters",
    "Töpferei Tonart",
    "The \"Little\" Bookshop",
    "Müller Metallbau",
    "Radwerk eG",
    "Green & Fresh, Inc.",
    "Buchhandlung Seitenweise",
    "Atelier für schöne Dinge",
];
const STREETS: [&str; 10] = [
    "Lindenstraße",
    "Am Mühlbach",
    "Goetheplatz",
    "Schloßallee",
    "Königsweg",
    "High Street",
    "Church Lane",
    "Victoria Road",
    "Öhrenweg",
    "Zum Großen Ried",
];
const TOWNS: [(&str, &str, &str); 10] = [
    ("10969", "Berlin", "Deutschland"),
    ("50667", "Köln", "Deutschland"),
    ("80331", "München", "Deutschland"),
    ("99084", "Erfurt", "Deutschland"),
    ("24103", "Kiel", "Deutschland"),
    ("1010", "Wien", "Österreich"),
    ("8001", "Zürich", "Schweiz"),
    ("SW1A 1AA", "London", "United Kingdom"),
    ("EH1 1YZ", "Edinburgh", "United Kingdom"),
    ("01067", "Dresden", "Deutschland"),
];
const COLOURS: [&str; 8] = ["Blau", "Grün", "Rot", "Türkis", "Weiß", "blue", "green", "Violett"];
const PRODUCTS: [&str; 8] =
    ["Roggenbrot", "Käsekuchen", "Apfelstrudel", "Scones, plain", "Weißbrot", "\"Extra dark\" rye", "Brezel", "Müsli"];
const NOTES: [&str; 6] = [
    "Kommt samstags, bestellt gern vor.",
    "Sagt \"bitte nicht anrufen\".",
    "Zwei Zeilen:\nLieferung hinten, klingeln.",
    "Vegetarian; likes recipes",
    "Stammkundin seit der Eröffnung",
    "Asked for the spring catalogue, twice",
];
const DOMAINS: [&str; 6] =
    ["example.com", "example.org", "example.net", "kunden.example", "baeckerei-moeller.example", "post.example"];

/// SplitMix64: the files must not change from one run to the next.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    for (name, bytes) in
        [("contacts.csv", contacts().into_bytes()), ("kontakte-windows-1252.csv", windows_1252(&small()))]
    {
        let path = root.join("examples").join(name);
        fs::create_dir_all(root.join("examples")).context("the folder of examples")?;
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The file that the demo imports: commas, UTF-8, ten thousand rows.
fn contacts() -> String {
    let mut chance = Chance(7);
    let mut text = String::from(
        "E-Mail,Vorname,Nachname,Firma,Telefon,Mobil,Straße,PLZ,Ort,Land,Geburtstag,Kundennummer,Lieblingsfarbe,\
         Favourite product,Umsatz,Member since,Newsletter consent,Tracking-Einwilligung,Tags,Notizen\r\n",
    );
    for number in 0..ROWS {
        let mut cells = person(&mut chance, number);
        match number % 1000 {
            // What is wrong on purpose: an address with a line break, without @, with a space, with an unknown form;
            // an impossible date; a word where a number of money belongs.
            113 => cells[0] = format!("line{number}\nbreak@example.org"),
            227 => cells[0] = format!("nobody{number}.example.org"),
            341 => cells[0] = format!("two words{number}@example.com"),
            455 => cells[15] = "31.02.2021".into(),
            569 => cells[14] = "viel".into(),
            _ => {}
        }
        if number % 1000 == 683 {
            cells.truncate(7);
        }
        write_row(&mut text, &cells, ',');
        // The same person again, as lists that were put together by hand have it.
        if number % 250 == 249 {
            cells[0] = cells[0].to_uppercase();
            write_row(&mut text, &cells, ',');
        }
    }
    text
}

fn person(chance: &mut Chance, number: u32) -> Vec<String> {
    let german = chance.below(10) < 7;
    let first = if german { chance.pick(&GERMAN) } else { chance.pick(&ENGLISH) };
    let family = if german { chance.pick(&GERMAN_FAMILY) } else { chance.pick(&ENGLISH_FAMILY) };
    let (code, town, country) = chance.pick(&TOWNS);
    let local = ascii(&format!("{first}.{family}"));
    let maybe = |chance: &mut Chance, share: usize, text: String| {
        if chance.below(100) < share { text } else { String::new() }
    };
    let colour = chance.pick(&COLOURS).to_owned();
    let product = chance.pick(&PRODUCTS).to_owned();
    let company = chance.pick(&COMPANIES).to_owned();
    let street = format!("{} {}", chance.pick(&STREETS), chance.below(180) + 1);
    let note = chance.pick(&NOTES).to_owned();
    let (day, month) = (chance.below(28) + 1, chance.below(12) + 1);
    let (euros, cents) = (chance.below(4000), chance.below(100));
    let thousands = if euros >= 1000 { format!("{}.{:03}", euros / 1000, euros % 1000) } else { euros.to_string() };
    let since = format!("{}-{:02}-{:02}", 2008 + chance.below(18), chance.below(12) + 1, chance.below(28) + 1);
    let consent = chance.pick(&["ja", "ja", "ja", "yes", "ja", "nein", ""]).to_owned();
    let tracking = chance.pick(&["ja", "ja", "nein", ""]).to_owned();
    let tags = chance.pick(&["Stammkunde", "Stammkunde, Newsletter", "Messe 2026", "", "", "Café"]).to_owned();
    let phone = format!("+49 30 5550{:04}", chance.below(10_000));
    let mobile = format!("+49 170 5550{:04}", chance.below(10_000));
    vec![
        format!("{local}{number}@{}", chance.pick(&DOMAINS)),
        maybe(chance, 97, first.to_owned()),
        maybe(chance, 96, family.to_owned()),
        maybe(chance, 40, company),
        maybe(chance, 50, phone),
        maybe(chance, 35, mobile),
        maybe(chance, 70, street),
        code.to_owned(),
        town.to_owned(),
        country.to_owned(),
        maybe(chance, 45, format!("{day:02}.{month:02}.")),
        format!("K-{:06}", 100_000 + number),
        maybe(chance, 60, colour),
        maybe(chance, 80, product),
        maybe(chance, 85, format!("{thousands},{cents:02} €")),
        since,
        consent,
        tracking,
        tags,
        maybe(chance, 15, note),
    ]
}

/// A small file as an older German spreadsheet writes it: semicolons, windows-1252.
fn small() -> String {
    let mut chance = Chance(11);
    let mut text = String::from("E-Mail-Adresse;Vorname;Nachname;Straße;PLZ;Ort;Umsatz\r\n");
    for number in 0..60 {
        let cells = person(&mut chance, number);
        // The encoding knows neither Polish nor Turkish letters.
        let cells: Vec<String> = [0, 1, 2, 6, 7, 8, 14].iter().map(|at| cells[*at].replace(['ł', 'ı'], "i")).collect();
        write_row(&mut text, &cells, ';');
    }
    text
}

fn write_row(text: &mut String, cells: &[String], delimiter: char) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            text.push(delimiter);
        }
        if cell.contains([delimiter, '"', '\n']) {
            let _ = write!(text, "\"{}\"", cell.replace('"', "\"\""));
        } else {
            text.push_str(cell);
        }
    }
    text.push_str("\r\n");
}

/// A name as it stands in an address.
fn ascii(name: &str) -> String {
    let mut ascii = String::new();
    for character in name.to_lowercase().chars() {
        match character {
            'ä' => ascii.push_str("ae"),
            'ö' => ascii.push_str("oe"),
            'ü' => ascii.push_str("ue"),
            'ß' => ascii.push_str("ss"),
            'é' | 'ë' => ascii.push('e'),
            'á' => ascii.push('a'),
            'ó' => ascii.push('o'),
            'ł' => ascii.push('l'),
            'ı' => ascii.push('i'),
            'a'..='z' | '.' if character != '.' || !ascii.ends_with('.') => ascii.push(character),
            _ => {}
        }
    }
    ascii.trim_matches('.').to_owned()
}

fn windows_1252(text: &str) -> Vec<u8> {
    let byte = |character: char| match character {
        '€' => 0x80,
        character => u8::try_from(u32::from(character)).unwrap_or(b'?'),
    };
    text.chars().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_those_that_are_written() {
        let examples = crate::tools::root().join("examples");
        assert!(fs::read(examples.join("contacts.csv")).unwrap() == contacts().into_bytes());
        assert!(fs::read(examples.join("kontakte-windows-1252.csv")).unwrap() == windows_1252(&small()));
    }

    #[test]
    fn only_reserved_domains_are_used() {
        for domain in DOMAINS {
            assert!(domain.starts_with("example.") || domain.ends_with(".example"), "{domain}");
        }
    }
}
