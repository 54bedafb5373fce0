//! Grades of species by how well their names and their BINs agree: BAGS (Fontes et al. 2020).
//!
//! The questions are asked in this order: E, a BIN of the species holds another species too; D, fewer than three specimens; C, several
//! BINs, all its own; A, one BIN and more than ten specimens; B, one BIN and three to ten. Only specimens that have both a species
//! and a BIN are counted, as BAGS takes its records from a database in which all have both; a species none of whose specimens has a
//! BIN has no grade.

use crate::data::taxonomy::LabelColumn;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Specimens below which a species is too rarely barcoded to be judged.
const FEW: usize = 3;
/// Specimens above which a species with one BIN is well supported.
const MANY: usize = 10;

/// How well a species' name and BINs agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Grade {
    /// One BIN of its own, and more than ten specimens.
    A,
    /// One BIN of its own, and three to ten specimens.
    B,
    /// Several BINs, all its own.
    C,
    /// Fewer than three specimens.
    D,
    /// It shares a BIN with another species.
    E,
}

impl Grade {
    /// Every grade, the best first.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// Its letter.
    pub fn key(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
        }
    }

    /// What it means.
    pub fn title(self) -> &'static str {
        match self {
            Self::A => "one BIN of its own, more than 10 specimens",
            Self::B => "one BIN of its own, 3 to 10 specimens",
            Self::C => "several BINs, all its own",
            Self::D => "fewer than 3 specimens",
            Self::E => "shares a BIN with another species",
        }
    }
}

/// One species, its grade, and the counts behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GradeRow {
    /// Code of the species in its column.
    pub species: u32,
    /// Its name.
    pub name: String,
    /// Its grade; `None` where no specimen has a BIN.
    pub grade: Option<Grade>,
    /// Its specimens.
    pub specimens: usize,
    /// Its BINs with the number of its specimens in each, most first.
    pub bins: Vec<(String, usize)>,
    /// The other species in its BINs, in alphabetical order.
    pub shared_with: Vec<String>,
}

impl GradeRow {
    /// Its specimens that have a BIN.
    pub fn with_bin(&self) -> usize {
        self.bins.iter().map(|(_, specimens)| specimens).sum()
    }
}

/// Grades every species `[N]` by its BINs `[N]`, the worst grade first, then those without, each in alphabetical order.
///
/// # Panics
/// When the columns differ in length.
pub fn grades(species: &LabelColumn, bins: &LabelColumn) -> Vec<GradeRow> {
    assert_eq!(species.len(), bins.len(), "a species and a BIN for each specimen");
    let mut specimens = vec![0; species.distinct()];
    let mut bins_of: Vec<BTreeMap<u32, usize>> = vec![BTreeMap::new(); species.distinct()];
    let mut species_in: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); bins.distinct()];
    for row in 0..species.len() {
        let Some(code) = species.code(row) else { continue };
        specimens[code as usize] += 1;
        if let Some(bin) = bins.code(row) {
            *bins_of[code as usize].entry(bin).or_default() += 1;
            species_in[bin as usize].insert(code);
        }
    }
    let row = |code: usize| {
        let shared: BTreeSet<u32> =
            bins_of[code].keys().flat_map(|&bin| species_in[bin as usize].iter().copied()).collect();
        let mut shared_with: Vec<String> = shared
            .into_iter()
            .filter(|&other| other as usize != code)
            .map(|other| species.name(other).to_owned())
            .collect();
        shared_with.sort_unstable();
        let mut bins: Vec<(String, usize)> =
            bins_of[code].iter().map(|(&bin, &count)| (bins.name(bin).to_owned(), count)).collect();
        bins.sort_by(|a, b| Reverse(a.1).cmp(&Reverse(b.1)).then_with(|| a.0.cmp(&b.0)));
        let mut row = GradeRow {
            species: code as u32,
            name: species.name(code as u32).to_owned(),
            grade: None,
            specimens: specimens[code],
            bins,
            shared_with,
        };
        row.grade = grade(&row);
        row
    };
    let mut rows: Vec<GradeRow> = (0..species.distinct()).filter(|&code| specimens[code] > 0).map(row).collect();
    rows.sort_by(|a, b| {
        (a.grade.is_none(), Reverse(a.grade), &a.name).cmp(&(b.grade.is_none(), Reverse(b.grade), &b.name))
    });
    rows
}

fn grade(row: &GradeRow) -> Option<Grade> {
    Some(match (row.shared_with.is_empty(), row.with_bin(), row.bins.len()) {
        (_, 0, _) => return None,
        (false, ..) => Grade::E,
        (true, ..FEW, _) => Grade::D,
        (true, _, 2..) => Grade::C,
        (true, specimens, _) if specimens > MANY => Grade::A,
        _ => Grade::B,
    })
}

/// Species and their specimens in each grade, in the order of [`Grade::ALL`].
pub fn summary(rows: &[GradeRow]) -> [(Grade, usize, usize); 5] {
    Grade::ALL.map(|grade| {
        let of_grade = rows.iter().filter(|row| row.grade == Some(grade));
        of_grade.fold((grade, 0, 0), |(grade, species, specimens), row| (grade, species + 1, specimens + row.specimens))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(pairs: &[(Option<&str>, Option<&str>)]) -> Vec<GradeRow> {
        let species = LabelColumn::from_labels(pairs.iter().map(|pair| pair.0));
        let bins = LabelColumn::from_labels(pairs.iter().map(|pair| pair.1));
        grades(&species, &bins)
    }

    fn many(
        species: &'static str,
        bins: &[(&'static str, usize)],
    ) -> Vec<(Option<&'static str>, Option<&'static str>)> {
        bins.iter().flat_map(|&(bin, count)| vec![(Some(species), Some(bin)); count]).collect()
    }

    fn grade_of(pairs: &[(Option<&str>, Option<&str>)], name: &str) -> Option<Grade> {
        of(pairs).into_iter().find(|row| row.name == name).and_then(|row| row.grade)
    }

    #[test]
    fn the_counts_at_the_borders_decide() {
        for (count, grade) in
            [(1, Grade::D), (2, Grade::D), (3, Grade::B), (10, Grade::B), (11, Grade::A), (40, Grade::A)]
        {
            assert_eq!(grade_of(&many("a", &[("X", count)]), "a"), Some(grade), "{count} specimens in one BIN");
        }
        assert_eq!(grade_of(&many("a", &[("X", 1), ("Y", 1)]), "a"), Some(Grade::D), "few comes before several");
        assert_eq!(grade_of(&many("a", &[("X", 20), ("Y", 1)]), "a"), Some(Grade::C));
    }

    #[test]
    fn a_shared_bin_is_asked_about_first_and_named() {
        let pairs = [many("a", &[("X", 1)]), many("b", &[("X", 12), ("Y", 3)]), many("c", &[("Y", 1)])].concat();
        let rows = of(&pairs);
        assert!(rows.iter().all(|row| row.grade == Some(Grade::E)));
        let b = rows.iter().find(|row| row.name == "b").unwrap();
        assert_eq!((b.shared_with.clone(), b.with_bin()), (vec!["a".to_owned(), "c".to_owned()], 15));
        assert_eq!(b.bins, [("X".to_owned(), 12), ("Y".to_owned(), 3)]);
    }

    #[test]
    fn specimens_without_a_bin_or_a_species_do_not_count() {
        let mut pairs = many("a", &[("X", 2)]);
        pairs.extend([(Some("a"), None), (Some("b"), None), (None, Some("X"))]);
        let rows = of(&pairs);
        assert_eq!(rows[0].grade, Some(Grade::D), "two of its three specimens have a BIN");
        assert_eq!((rows[0].specimens, rows[0].with_bin()), (3, 2));
        assert_eq!((rows[1].name.as_str(), rows[1].grade), ("b", None), "those without a grade come last");
        assert!(of(&[]).is_empty() && of(&[(None, None)]).is_empty());
    }

    #[test]
    fn the_summary_counts_species_and_specimens() {
        let pairs = [many("a", &[("X", 11)]), many("b", &[("Y", 3)]), many("c", &[("Z", 4)])].concat();
        let [a, b, c, d, e] = summary(&of(&pairs));
        assert_eq!((a, b), ((Grade::A, 1, 11), (Grade::B, 2, 7)));
        assert_eq!((c.1, d.1, e.1), (0, 0, 0));
    }

    proptest! {
        #[test]
        fn grades_are_those_of_the_questions_asked_one_by_one(
            pairs in proptest::collection::vec((proptest::option::of(0u8..5), proptest::option::of(0u8..6)), 0..60)
        ) {
            let names = |code: Option<u8>| code.map(|code| code.to_string());
            let columns: Vec<(Option<String>, Option<String>)> = pairs.iter().map(|&(a, b)| (names(a), names(b))).collect();
            let borrowed: Vec<_> = columns.iter().map(|(a, b)| (a.as_deref(), b.as_deref())).collect();
            for row in of(&borrowed) {
                let own: Vec<&str> =
                    borrowed.iter().filter(|pair| pair.0 == Some(&row.name)).filter_map(|pair| pair.1).collect();
                let is_shared = borrowed.iter().any(|pair| {
                    pair.0.is_some_and(|name| name != row.name) && pair.1.is_some_and(|bin| own.contains(&bin))
                });
                let bins: BTreeSet<&str> = own.iter().copied().collect();
                let expected = if own.is_empty() { None }
                    else if is_shared { Some(Grade::E) }
                    else if own.len() < 3 { Some(Grade::D) }
                    else if bins.len() > 1 { Some(Grade::C) }
                    else if own.len() > 10 { Some(Grade::A) }
                    else { Some(Grade::B) };
                prop_assert_eq!(row.grade, expected);
            }
        }
    }
}
