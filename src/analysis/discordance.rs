//! Which BINs hold specimens of different names: the BIN discordance report of BOLD (Ratnasingham & Hebert 2013; BOLD handbook).

use crate::data::taxonomy::{Field, LabelColumn};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Whether the names in a BIN agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Accord {
    /// Two of its specimens differ in a rank that both have.
    Discordant,
    /// Several specimens, none of which differ.
    Concordant,
    /// One specimen.
    Singleton,
}

impl Accord {
    /// Every class, conflicts first.
    pub const ALL: [Self; 3] = [Self::Discordant, Self::Concordant, Self::Singleton];

    /// The name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Discordant => "discordant",
            Self::Concordant => "concordant",
            Self::Singleton => "singleton",
        }
    }

    /// The name of several.
    pub fn title(self) -> &'static str {
        match self {
            Self::Discordant => "discordant",
            Self::Concordant => "concordant",
            Self::Singleton => "singletons",
        }
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Discordant => "two of its specimens differ in a rank that both have",
            Self::Concordant => "several specimens, none of which differ",
            Self::Singleton => "one specimen",
        }
    }
}

/// One BIN and the names in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BinRow {
    /// Code of the BIN in its column.
    pub bin: u32,
    /// Its name.
    pub name: String,
    /// Whether the names in it agree.
    pub accord: Accord,
    /// Its specimens.
    pub specimens: usize,
    /// The broadest rank at which two of its specimens differ.
    pub conflict: Option<Field>,
    /// The names at that rank, without a conflict those at the finest rank that any specimen has, with their specimens, most first.
    pub taxa: Vec<(String, usize)>,
}

/// Compares the names in every BIN `[N]`, rank by rank. `ranks` are columns `[N]`, the broadest first; a specimen without a name at a rank
/// agrees with all. Conflicts at the broadest rank come first, then the largest; concordant BINs and singletons follow, the largest
/// first.
///
/// # Panics
/// When the columns differ in length.
pub fn discordance(bins: &LabelColumn, ranks: &[(Field, &LabelColumn)]) -> Vec<BinRow> {
    assert!(ranks.iter().all(|(_, column)| column.len() == bins.len()), "a name for each specimen");
    let mut members = vec![Vec::new(); bins.distinct()];
    for row in 0..bins.len() {
        if let Some(bin) = bins.code(row) {
            members[bin as usize].push(row);
        }
    }
    let filled = members.iter().enumerate().filter(|(_, members)| !members.is_empty());
    let mut rows: Vec<BinRow> = filled.map(|(bin, members)| bin_row(bin as u32, bins, members, ranks)).collect();
    rows.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name)));
    rows
}

fn order(row: &BinRow) -> (Accord, Option<Field>, Reverse<usize>) {
    (row.accord, row.conflict, Reverse(row.specimens))
}

fn bin_row(bin: u32, bins: &LabelColumn, members: &[usize], ranks: &[(Field, &LabelColumn)]) -> BinRow {
    let conflict = ranks.iter().find(|(_, column)| taxa(column, members).len() > 1);
    let shown = conflict.or_else(|| ranks.iter().rev().find(|(_, column)| !taxa(column, members).is_empty()));
    let accord = match (conflict, members.len()) {
        (Some(_), _) => Accord::Discordant,
        (None, 1) => Accord::Singleton,
        (None, _) => Accord::Concordant,
    };
    BinRow {
        bin,
        name: bins.name(bin).to_owned(),
        accord,
        specimens: members.len(),
        conflict: conflict.map(|&(field, _)| field),
        taxa: shown.map_or_else(Vec::new, |(_, column)| taxa(column, members)),
    }
}

/// Names with their specimens, most first, then in alphabetical order.
fn taxa(column: &LabelColumn, members: &[usize]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    members.iter().filter_map(|&row| column.get(row)).for_each(|name| *counts.entry(name).or_default() += 1);
    let mut taxa: Vec<(String, usize)> = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    taxa.sort_by_key(|&(_, count)| Reverse(count));
    taxa
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of BIN, family, genus; `-` for none.
    fn of(rows: &[[&str; 3]]) -> Vec<BinRow> {
        let column = |at: usize| LabelColumn::from_labels(rows.iter().map(|row| (row[at] != "-").then_some(row[at])));
        let (bins, families, genera) = (column(0), column(1), column(2));
        discordance(&bins, &[(Field::Family, &families), (Field::Genus, &genera)])
    }

    #[test]
    fn the_broadest_conflict_comes_first_then_the_largest() {
        let rows = of(&[
            ["genus-small", "F", "a"],
            ["genus-small", "F", "b"],
            ["genus-large", "F", "a"],
            ["genus-large", "F", "a"],
            ["genus-large", "F", "b"],
            ["family", "F", "a"],
            ["family", "G", "c"],
            ["alone", "F", "a"],
            ["fine", "F", "a"],
            ["fine", "F", "-"],
        ]);
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["family", "genus-large", "genus-small", "fine", "alone"]);
        assert_eq!(rows[0].conflict, Some(Field::Family));
        assert_eq!(rows[1].taxa, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        assert_eq!((rows[3].accord, rows[4].accord), (Accord::Concordant, Accord::Singleton));
        assert_eq!(rows[3].taxa, [("a".to_owned(), 1)]);
    }

    #[test]
    fn a_name_that_is_missing_agrees_with_all_and_no_bin_means_no_row() {
        let rows = of(&[["X", "-", "a"], ["X", "F", "-"], ["-", "F", "a"], ["-", "G", "b"]]);
        assert_eq!((rows.len(), rows[0].accord, rows[0].specimens), (1, Accord::Concordant, 2));
        assert!(of(&[]).is_empty());
        let nameless = of(&[["X", "-", "-"], ["X", "-", "-"]]);
        assert!(nameless[0].taxa.is_empty() && nameless[0].accord == Accord::Concordant);
    }
}
