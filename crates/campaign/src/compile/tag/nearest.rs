//! What a mistyped name was meant to be.

/// The candidate that a mistyped name was meant to be, if one is close.
pub(in crate::compile) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let flat = |text: &str| {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(64).collect::<Vec<_>>()
    };
    let wanted = flat(name);
    candidates
        .map(|candidate| (distance(&wanted, &flat(candidate)), candidate))
        .filter(|(distance, _)| *distance <= (wanted.len() / 3).clamp(1, 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_name() {
        let known = ["first_name", "last_name", "company"];
        assert_eq!(nearest("firstname", known.into_iter()), Some("first_name"));
        assert_eq!(nearest("FirstName", known.into_iter()), Some("first_name"));
        assert_eq!(nearest("lastnme", known.into_iter()), Some("last_name"));
        assert_eq!(nearest("zzz", known.into_iter()), None);
    }
}
