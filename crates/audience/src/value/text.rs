use super::ValueError;

/// One line: white space at the ends is dropped, every run of white space (line breaks too) becomes one space.
///
/// A line break in a name could otherwise reach a header of a message.
pub fn single_line(text: &str, chars: usize) -> Result<String, ValueError> {
    // White space may shrink away; beyond this nothing sensible is left, and a huge cell is not copied.
    if text.len() > chars.saturating_mul(16) {
        return Err(ValueError::TooLong(chars));
    }
    let mut line = String::with_capacity(text.len());
    let mut count = 0;
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
            count += 1;
        }
        for character in word.chars() {
            if is_forbidden(character) {
                return Err(ValueError::Control);
            }
            line.push(character);
            count += 1;
        }
        if count > chars {
            return Err(ValueError::TooLong(chars));
        }
    }
    Ok(line)
}

/// Several lines: line ends become `\n`, white space at both ends is dropped; other control characters are refused
/// except the tab.
pub fn multi_line(text: &str, chars: usize) -> Result<String, ValueError> {
    let text = text.trim();
    // Four bytes a character, and a CR before every LF.
    if text.len() > chars.saturating_mul(5) {
        return Err(ValueError::TooLong(chars));
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text.chars().any(|character| !matches!(character, '\n' | '\t') && is_forbidden(character)) {
        return Err(ValueError::Control);
    }
    if text.chars().count() > chars {
        return Err(ValueError::TooLong(chars));
    }
    Ok(text)
}

/// Control characters, and the marks that reverse the direction of what follows (Unicode TR 36 §3.6): they make a
/// text look like another one.
fn is_forbidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
