use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use letterkeep_vault::{Password, breach_list_hash};

/// Passwords that are refused whatever their form: what people choose first, and what was found in breaches.
///
/// Packaged are our own few words with which people build passwords in German and English; a file of the operator
/// (ASVS 6.2.4, 6.2.12) adds whole passwords.
#[derive(Clone, Default)]
pub struct Blocklist {
    /// SHA-1 of whole passwords, sorted.
    hashes: Vec<[u8; 20]>,
}

/// Why a file of forbidden passwords cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BlocklistError {
    /// It cannot be read.
    #[error("the list of forbidden passwords cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It has more lines than are kept in memory.
    #[error("the list of forbidden passwords has more than {} lines; keep the most frequent ones", Blocklist::MOST)]
    TooLong,
    /// A line is no password.
    #[error("line {0} of the list of forbidden passwords is longer than {max} bytes", max = Password::MAX_LEN)]
    Line(usize),
}

/// The service's own name, in every context.
const BRAND: &str = "letterkeep";

/// Words that many passwords are made of. A password of at most two of them, with digits and signs around, is refused.
const WORDS: &str = "
    abcdef access admin administrator anfang angel arschloch asdfgh asdfghjkl august auto baby baseball batman
    bayern berlin blume borussia buster charlie cheese chef computer daniel december default deutschland
    dezember dortmund dragon ficken football frankfurt freedom freitag freund friday fussball garten geheim
    geld gott gruppe guest hallo hamburg handy haus hello herbst herz hund iloveyou internet januar january
    jesus juli juni katze kennwort killer kuchen letmein liebe login london looking love mama market marketing
    master maus mausi michael monday money monkey montag morgen mother motorrad muenchen mustang mutter
    newsletter november october office oktober papa pass password passwort pferd pokemon princess prinzessin
    qwert qwerty qwertyuiop qwertz qwertzuiop regen root samstag schalke schatz schnecke schule secret
    september server shadow sommer sonne sonnenschein sonntag spring start stern stuttgart summer sunday
    sunshine superman system temp test testing tiger traum urlaub user vater welcome welt wetter willkommen
    winter woche wohnung yxcvbnm zuhause zxcvbnm
";

impl Blocklist {
    /// The most lines of a file that are kept: 200 MB.
    pub const MOST: usize = 10_000_000;

    /// Our own words alone.
    pub fn packaged() -> Self {
        Self::default()
    }

    /// The packaged words and the passwords of a file, see [`Blocklist::with_lines`].
    pub fn with_file(self, path: &Path) -> Result<Self, BlocklistError> {
        self.with_lines(std::fs::File::open(path)?)
    }

    /// Adds one password a line, plain or as 40 hexadecimal digits of SHA-1 with or without `:count` behind (the form
    /// of Have I Been Pwned). Empty lines are skipped.
    pub fn with_lines(mut self, lines: impl Read) -> Result<Self, BlocklistError> {
        let mut lines = BufReader::new(lines);
        let mut line = Vec::with_capacity(64);
        for number in 1.. {
            line.clear();
            let most = Password::MAX_LEN as u64 + 3;
            if (&mut lines).take(most).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.len() > Password::MAX_LEN {
                return Err(BlocklistError::Line(number));
            }
            if text.is_empty() {
                continue;
            }
            if self.hashes.len() == Self::MOST {
                return Err(BlocklistError::TooLong);
            }
            self.hashes.push(published_hash(text).unwrap_or_else(|| breach_list_hash(text)));
        }
        self.hashes.sort_unstable();
        self.hashes.dedup();
        Ok(self)
    }

    /// Whether the password is on the operator's list, or is made of one or two words that everybody uses.
    pub fn contains(&self, password: &Password) -> bool {
        let text = password.reveal();
        let lower = text.to_lowercase();
        let listed =
            [text, &lower].iter().any(|form| self.hashes.binary_search(&breach_list_hash(form.as_bytes())).is_ok());
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        listed || plain_forms(&lower).iter().any(|form| is_made_of(form, &words, 2, 4))
    }

    /// Whether the password is little more than the given words (in lower case) or the service's name.
    pub fn is_about(&self, password: &Password, words: &[&str]) -> bool {
        let mut words: Vec<&str> = words.to_vec();
        words.push(BRAND);
        plain_forms(&password.reveal().to_lowercase()).iter().any(|form| is_made_of(form, &words, usize::MAX, 6))
    }
}

/// The SHA-1 that a line of a published list holds.
fn published_hash(line: &[u8]) -> Option<[u8; 20]> {
    let digits = line.get(..40)?;
    if !matches!(line.get(40), None | Some(b':')) {
        return None;
    }
    let mut hash = [0; 20];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(hash)
}

/// The text itself, and with the usual substitutions undone between its first and last letter: digits behind a word
/// are no substitution.
fn plain_forms(lower: &str) -> [String; 2] {
    let undone = lower
        .trim_matches(|c: char| !c.is_alphabetic())
        .chars()
        .map(|letter| match letter {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect();
    [lower.to_owned(), undone]
}

/// Whether `text` uses between one and `most` different `words` and, without them, has fewer than `rest` letters.
fn is_made_of(text: &str, words: &[&str], most: usize, rest: usize) -> bool {
    let mut words: Vec<&str> = words.to_vec();
    // The longest first: `sonnenschein` before `sonne`.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut left = text.to_owned();
    let mut used = 0;
    for word in words {
        if left.contains(word) {
            used += 1;
            // A mark, so that what stood to the left and right does not make a new word.
            left = left.replace(word, "\u{0}");
        }
    }
    used >= 1 && used <= most && left.chars().filter(|c| c.is_alphabetic()).count() < rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned()).unwrap()
    }

    #[test]
    fn reads_both_forms_of_a_file() {
        // SHA-1 of "Tr0ub4dor&3 at sea", as published lists write it, and a plain line with a Windows line end.
        let hash = breach_list_hash(b"Tr0ub4dor&3 at sea");
        let hash = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"));
        let file = format!("{hash}:17\r\n\r\nan old plain line\r\nlast without end");
        let blocklist = Blocklist::packaged().with_lines(file.as_bytes()).unwrap();
        for listed in ["Tr0ub4dor&3 at sea", "an old plain line", "An Old Plain Line", "last without end"] {
            assert!(blocklist.contains(&password(listed)), "{listed}");
        }
        assert!(!blocklist.contains(&password("not on any list, this one")));
    }

    #[test]
    fn a_line_that_never_ends_is_refused_with_its_number() {
        let file = format!("fine\n{}", "x".repeat(100_000));
        assert!(matches!(Blocklist::packaged().with_lines(file.as_bytes()), Err(BlocklistError::Line(2))));
    }

    #[test]
    fn many_common_words_make_a_fine_password() {
        assert!(blocklist_has("sommer berlin 2026"));
        assert!(!blocklist_has("hund montag kuchen schule"));
    }

    fn blocklist_has(text: &str) -> bool {
        Blocklist::packaged().contains(&password(text))
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused(bytes: Vec<u8>) {
            let _ = Blocklist::packaged().with_lines(&bytes[..]);
        }
    }
}
