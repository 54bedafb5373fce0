//! The order of very long tables: a key of every row, found once, and all cores.

use std::borrow::Cow;
use std::cmp::Ordering;

use rayon::prelude::*;

/// What a row is sorted by. Numbers come before words, and what is missing comes last.
#[derive(Debug)]
pub enum SortKey<'a> {
    /// A number; NaN is larger than all others.
    Number(f64),
    /// Words, without regard to case: their first eight letters as a number, and all of them.
    Words(u64, Cow<'a, str>),
    /// Nothing.
    Missing,
}

impl<'a> SortKey<'a> {
    /// A number, where there is one.
    pub fn number(value: Option<impl Into<f64>>) -> Self {
        value.map_or(Self::Missing, |value| Self::Number(value.into()))
    }

    /// Words, where there are any.
    pub fn words(text: Option<impl Into<Cow<'a, str>>>) -> Self {
        let Some(text) = text.map(Into::into).filter(|text| !text.is_empty()) else { return Self::Missing };
        // Most comparisons are decided by this number alone, without a look at the text, which lies elsewhere. The letters of other
        // scripts are compared there.
        let mut start = [0; 8];
        let letters = text.bytes().take_while(u8::is_ascii).map(|letter| letter.to_ascii_lowercase());
        start.iter_mut().zip(letters).for_each(|(to, letter)| *to = letter);
        Self::Words(u64::from_be_bytes(start), text)
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Words(first, a), Self::Words(second, b)) if a.is_ascii() && b.is_ascii() => {
                first.cmp(second).then_with(|| compare_ascii(a.as_bytes(), b.as_bytes()))
            }
            (Self::Words(_, a), Self::Words(_, b)) => lower(a).cmp(lower(b)),
            _ => self.kind().cmp(&other.kind()),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Words(..) => 1,
            Self::Missing => 2,
        }
    }
}

/// Without regard to case: where the letters are the same, as those of related names mostly are, they are not looked at one by one.
fn compare_ascii(a: &[u8], b: &[u8]) -> Ordering {
    const STEP: usize = 8;
    let same = a.chunks_exact(STEP).zip(b.chunks_exact(STEP)).take_while(|(a, b)| a == b).count() * STEP;
    let differ = a[same..].iter().zip(&b[same..]).find(|(a, b)| !a.eq_ignore_ascii_case(b));
    differ.map_or_else(|| a.len().cmp(&b.len()), |(a, b)| a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()))
}

fn lower(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

/// Rows in the order of their keys; those whose keys are equal stay in their own order in both directions.
pub fn order_by<'a>(rows: Vec<u32>, ascending: bool, key: impl Fn(u32) -> SortKey<'a> + Sync) -> Vec<u32> {
    let mut keyed: Vec<(SortKey<'a>, u32)> = rows.into_par_iter().map(|row| (key(row), row)).collect();
    keyed.par_sort_by(|(a, _), (b, _)| if ascending { a.compare(b) } else { b.compare(a) });
    keyed.into_par_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::columns::{compare_text, order};
    use proptest::prelude::*;

    #[test]
    fn numbers_come_first_and_what_is_missing_last() {
        let key = |row: u32| match row {
            0 => SortKey::words(Some("b")),
            1 => SortKey::number(Some(2.5f32)),
            2 => SortKey::words(None::<&str>),
            3 => SortKey::words(Some("")),
            4 => SortKey::number(Some(-1.0)),
            5 => SortKey::number(None::<f64>),
            _ => SortKey::words(Some("A")),
        };
        assert_eq!(order_by((0..7).collect(), true, key), [4, 1, 6, 0, 2, 3, 5]);
        assert_eq!(order_by((0..7).collect(), false, key), [2, 3, 5, 0, 6, 1, 4]);
    }

    proptest! {
        #[test]
        fn words_stand_as_one_by_one_comparison_puts_them(
            words in proptest::collection::vec("[aAbBéÉzß ]{0,3}|[a-cA-C]{7,10}", 0..60), ascending: bool,
        ) {
            let rows: Vec<u32> = (0..words.len() as u32).collect();
            let word = |row: u32| words[row as usize].as_str();
            let twin = order(rows.clone(), ascending, |&a, &b| compare_text(word(a), word(b)));
            prop_assert_eq!(order_by(rows, ascending, |row| SortKey::words(Some(word(row)))), twin);
        }

        #[test]
        fn numbers_stand_as_one_by_one_comparison_puts_them(
            numbers in proptest::collection::vec(proptest::option::of(-3i8..3), 0..60), ascending: bool,
        ) {
            let rows: Vec<u32> = (0..numbers.len() as u32).collect();
            let number = |row: u32| numbers[row as usize];
            // Missing ones are larger than all others.
            let twin = order(rows.clone(), ascending, |&a, &b| {
                (number(a).is_none(), number(a)).cmp(&(number(b).is_none(), number(b)))
            });
            prop_assert_eq!(order_by(rows, ascending, |row| SortKey::number(number(row))), twin);
        }
    }
}
