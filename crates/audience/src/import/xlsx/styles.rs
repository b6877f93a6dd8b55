use std::collections::HashSet;
use std::io::{Read, Seek};

use quick_xml::events::Event;
use zip::ZipArchive;

use super::package::{attribute, open};
use crate::import::SourceError;

/// Excel's own limit on cell formats.
const FORMATS: usize = 65_490;

/// Which cell styles show a number as a date or time.
pub(super) struct Styles {
    dates: Vec<bool>,
}

impl Styles {
    pub(super) fn read<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Self, SourceError> {
        let mut dates = Vec::new();
        let mut own_dates = HashSet::new();
        let mut in_cell_formats = false;
        let mut buffer = Vec::new();
        let Some(mut part) = open(archive, "xl/styles.xml")? else { return Ok(Self { dates }) };
        loop {
            match part.next(&mut buffer)? {
                Event::Start(tag) | Event::Empty(tag) => match tag.local_name().into_inner() {
                    "numFmt" => {
                        let id = attribute(&tag, "numFmtId")?.and_then(|id| id.parse::<u32>().ok());
                        let code = attribute(&tag, "formatCode")?.unwrap_or_default();
                        if let Some(id) = id
                            && is_date_format(&code)
                            && own_dates.len() < FORMATS
                        {
                            own_dates.insert(id);
                        }
                    }
                    "cellXfs" => in_cell_formats = true,
                    "xf" if in_cell_formats && dates.len() < FORMATS => {
                        let id = attribute(&tag, "numFmtId")?.and_then(|id| id.parse::<u32>().ok()).unwrap_or(0);
                        dates.push(is_built_in_date(id) || own_dates.contains(&id));
                    }
                    _ => {}
                },
                Event::End(tag) if tag.local_name().into_inner() == "cellXfs" => in_cell_formats = false,
                Event::Eof => return Ok(Self { dates }),
                _ => {}
            }
        }
    }

    pub(super) fn is_date(&self, style: usize) -> bool {
        self.dates.get(style).copied().unwrap_or(false)
    }
}

/// ECMA-376 part 1, 18.8.30: the formats that every application knows, with the East Asian ones.
fn is_built_in_date(id: u32) -> bool {
    matches!(id, 14..=22 | 27..=36 | 45..=47 | 50..=58)
}

/// Whether a format code shows parts of a date: a letter of `ymdhs` outside quotes, escapes and brackets.
fn is_date_format(code: &str) -> bool {
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                characters.by_ref().find(|next| *next == '"');
            }
            '\\' | '_' | '*' => {
                characters.next();
            }
            '[' => {
                // Colours, currencies and locales stand in brackets; elapsed time does too.
                let inside = characters.by_ref().take_while(|next| *next != ']').collect::<String>();
                if !inside.is_empty() && inside.chars().all(|letter| "hHmMsS".contains(letter)) {
                    return true;
                }
            }
            // Only the first section counts; `General` has no letter of a date outside itself.
            ';' => return false,
            'y' | 'Y' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' | 'm' | 'M' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_dates_from_numbers() {
        for code in ["dd.mm.yyyy", "[$-407]d. mmmm yyyy;@", "yyyy-mm-dd hh:mm", "[h]:mm", "m/d/yy"] {
            assert!(is_date_format(code), "{code}");
        }
        for code in ["0.00", "#,##0.00 \"days\"", "[Red]0", "General", "0.00E+00", "\\d0", "0;d", "#,##0 [$EUR]"] {
            assert!(!is_date_format(code), "{code}");
        }
    }
}
