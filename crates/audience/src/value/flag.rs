use super::ValueError;

/// Reads yes or no in German or English, or as `1`, `0`, `x` (a cross in a column) and the like.
pub fn parse_boolean(text: &str) -> Result<bool, ValueError> {
    let text = text.trim();
    // Nothing longer can match; keeps a hostile cell from being copied.
    if text.len() > 8 {
        return Err(ValueError::Boolean);
    }
    match text.to_lowercase().as_str() {
        "yes" | "y" | "ja" | "j" | "true" | "t" | "wahr" | "on" | "ein" | "1" | "x" => Ok(true),
        "no" | "n" | "nein" | "false" | "f" | "falsch" | "off" | "aus" | "0" => Ok(false),
        _ => Err(ValueError::Boolean),
    }
}
