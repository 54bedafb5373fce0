//! Names that may be two spellings of one.

/// Edits (a letter put in, taken out or exchanged) between two spellings, at most.
const EDITS: usize = 2;
/// Letters of the shorter word for each edit, at least: short words differ by two letters and mean something else.
const LETTERS_FOR_AN_EDIT: usize = 3;
/// Endings of Latin epithets that change with the genus or with the list: gender, genitive, and "from somewhere". The longest first.
const ENDINGS: [&str; 14] = ["ensis", "ense", "orum", "arum", "ana", "ii", "ae", "us", "um", "is", "er", "a", "e", "i"];

/// Whether two species' names may be spellings of one: one word is the same, and the others differ in few letters or in their Latin
/// ending alone.
pub(super) fn are_variants(a: &str, b: &str) -> bool {
    let words = |name: &str| name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (words(a), words(b));
    if a.len() != b.len() || a == b {
        return false;
    }
    let mut differing = a.iter().zip(&b).filter(|(a, b)| a != b);
    match (differing.next(), differing.next()) {
        (Some((a, b)), None) => a.len() > 1 && (stem(a) == stem(b) || few_edits(a, b)),
        _ => false,
    }
}

fn few_edits(a: &str, b: &str) -> bool {
    let shorter = a.chars().count().min(b.chars().count());
    // Numbers of interim names are told apart by a single letter: "sp. 3" and "sp. 4" are no spellings of each other.
    let has_digit = |text: &str| text.chars().any(|letter| letter.is_ascii_digit());
    !has_digit(a) && !has_digit(b) && edits(a, b) <= EDITS.min(shorter / LETTERS_FOR_AN_EDIT)
}

fn stem(word: &str) -> String {
    // niger, nigra, nigrum
    if let Some(stem) = word.strip_suffix("er").filter(|stem| stem.len() > 2) {
        return format!("{stem}r");
    }
    ENDINGS.iter().find_map(|ending| word.strip_suffix(ending)).filter(|stem| stem.len() > 2).unwrap_or(word).to_owned()
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, letter) in a.chars().enumerate() {
        let mut left_above = above[0];
        above[0] = row + 1;
        for (column, other) in b.iter().enumerate() {
            let exchanged = left_above + usize::from(letter != *other);
            left_above = above[column + 1];
            above[column + 1] = exchanged.min(left_above + 1).min(above[column] + 1);
        }
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_are_told_from_other_names() {
        for (a, b) in [
            ("Apis melifera", "Apis mellifera"),
            ("Bombus pascorum", "Bombus pascuorum"),
            ("Aus orientalis", "Aus orientale"),
            ("Aus niger", "Aus nigra"),
            ("Aus smithi", "Aus smithii"),
            ("Lasius niger", "Lassius niger"),
        ] {
            assert!(are_variants(a, b) && are_variants(b, a), "{a} and {b}");
        }
        for (a, b) in [
            ("Apis mellifera", "Apis mellifera"),
            ("Apis mellifera", "Apis cerana"),
            ("Aus sp. 3", "Aus sp. 4"),
            ("Aus alba", "Bus nigra"),
            ("Apis", "Apis mellifera"),
            ("Aus rex", "Aus nox"),
            ("Aus sp1", "Aus sp2"),
            ("", ""),
        ] {
            assert!(!are_variants(a, b), "{a} and {b}");
        }
    }

    #[test]
    fn known_distances() {
        for (a, b, expected) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("é", "e", 1)]
        {
            assert_eq!(edits(a, b), expected, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn the_distance_is_a_metric(a in "[abc]{0,6}", b in "[abc]{0,6}", c in "[abc]{0,6}") {
            prop_assert_eq!(edits(&a, &b), edits(&b, &a));
            prop_assert_eq!(edits(&a, &b) == 0, a == b);
            prop_assert!(edits(&a, &c) <= edits(&a, &b) + edits(&b, &c));
        }
    }
}
