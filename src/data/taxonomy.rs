//! Labels of specimens: taxonomic ranks, BIN, split and country, each name stored once.

use foldhash::fast::RandomState;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

/// A label that a specimen can carry. Ranks first, from the broadest to the finest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// Phylum.
    Phylum,
    /// Class.
    Class,
    /// Order.
    Order,
    /// Family.
    Family,
    /// Subfamily.
    Subfamily,
    /// Genus.
    Genus,
    /// Species, as a binomial or an interim name.
    Species,
    /// Barcode Index Number of BOLD (Ratnasingham & Hebert 2013), for example `BOLD:AAA1513`.
    Bin,
    /// Which part of a benchmark the specimen belongs to: train, test, …
    Split,
    /// Country of collection.
    Country,
}

impl Field {
    /// Every field, ranks first.
    pub const ALL: [Self; 10] = [
        Self::Phylum,
        Self::Class,
        Self::Order,
        Self::Family,
        Self::Subfamily,
        Self::Genus,
        Self::Species,
        Self::Bin,
        Self::Split,
        Self::Country,
    ];
    /// The taxonomic ranks, from phylum down to species.
    pub const RANKS: [Self; 7] =
        [Self::Phylum, Self::Class, Self::Order, Self::Family, Self::Subfamily, Self::Genus, Self::Species];

    /// Whether this is a taxonomic rank.
    pub fn is_rank(self) -> bool {
        self <= Self::Species
    }

    /// The name on the command line and in files: lower case.
    pub fn key(self) -> &'static str {
        match self {
            Self::Phylum => "phylum",
            Self::Class => "class",
            Self::Order => "order",
            Self::Family => "family",
            Self::Subfamily => "subfamily",
            Self::Genus => "genus",
            Self::Species => "species",
            Self::Bin => "bin",
            Self::Split => "split",
            Self::Country => "country",
        }
    }

    /// The name in the window: as a word within a sentence.
    pub fn title(self) -> &'static str {
        if self == Self::Bin { "BIN" } else { self.key() }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|field| field.key() == wanted).ok_or_else(|| {
            let known = Self::ALL.map(Self::key).join(", ");
            format!("'{text}' is no label field; known are {known}")
        })
    }
}

/// One label per specimen, `[N]`; every name is stored once and specimens hold its code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelColumn {
    codes: Vec<u32>,
    names: Vec<String>,
}

/// The code of a specimen without a label.
const UNLABELLED: u32 = u32::MAX;

impl LabelColumn {
    /// Interns `labels`, codes in order of first appearance.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut builder = LabelColumnBuilder::default();
        labels.into_iter().for_each(|label| builder.push(label));
        builder.finish()
    }

    /// Number of specimens, labelled or not.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are no specimens.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Number of different names.
    pub fn distinct(&self) -> usize {
        self.names.len()
    }

    /// Number of specimens that carry a label.
    pub fn labelled(&self) -> usize {
        self.codes.iter().filter(|&&code| code != UNLABELLED).count()
    }

    /// The code of specimen `row`, or `None` where it has no label.
    pub fn code(&self, row: usize) -> Option<u32> {
        Some(self.codes[row]).filter(|&code| code != UNLABELLED)
    }

    /// The label of specimen `row`.
    pub fn get(&self, row: usize) -> Option<&str> {
        self.code(row).map(|code| self.name(code))
    }

    /// The name behind a code.
    pub fn name(&self, code: u32) -> &str {
        &self.names[code as usize]
    }

    /// All names, indexed by code.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many specimens carry each name, indexed by code.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        (0..self.len()).filter_map(|row| self.code(row)).for_each(|code| counts[code as usize] += 1);
        counts
    }

    /// The label of a broader column that most specimens of each name carry, by code; ties to the one met first, `None` where no
    /// specimen of a name carries any.
    ///
    /// # Panics
    /// When the columns differ in length.
    pub fn majority_in(&self, broader: &Self) -> Vec<Option<u32>> {
        assert_eq!(self.len(), broader.len(), "both columns cover the same specimens");
        let mut votes: Vec<BTreeMap<u32, usize>> = vec![BTreeMap::new(); self.distinct()];
        for row in 0..self.len() {
            if let (Some(code), Some(taxon)) = (self.code(row), broader.code(row)) {
                *votes[code as usize].entry(taxon).or_default() += 1;
            }
        }
        let winner = |taxa: BTreeMap<u32, usize>| taxa.into_iter().max_by_key(|&(taxon, n)| (n, Reverse(taxon)));
        votes.into_iter().map(|taxa| winner(taxa).map(|(taxon, _)| taxon)).collect()
    }

    /// The labels in row order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// Collects a [`LabelColumn`] row by row.
#[derive(Debug, Clone, Default)]
pub struct LabelColumnBuilder {
    column: LabelColumn,
    code_of: HashMap<String, u32, RandomState>,
}

impl LabelColumnBuilder {
    /// Adds the label of the next specimen.
    pub fn push(&mut self, label: Option<&str>) {
        let code = self.code(label);
        self.push_code(code);
    }

    /// The code of a label, for [`Self::push_code`] of this very builder.
    pub(super) fn code(&mut self, label: Option<&str>) -> u32 {
        label.map_or(UNLABELLED, |name| self.intern(name))
    }

    /// Adds the label of the next specimen by its code.
    pub(super) fn push_code(&mut self, code: u32) {
        self.column.codes.push(code);
    }

    fn intern(&mut self, name: &str) -> u32 {
        if let Some(&code) = self.code_of.get(name) {
            return code;
        }
        let code = u32::try_from(self.column.names.len()).expect("fewer than four billion names");
        self.column.names.push(name.to_owned());
        self.code_of.insert(name.to_owned(), code);
        code
    }

    /// The finished column.
    pub fn finish(self) -> LabelColumn {
        self.column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_keeps_every_label_and_stores_a_name_once() {
        let labels = [Some("Apis"), None, Some("Bombus"), Some("Apis")];
        let column = LabelColumn::from_labels(labels);
        assert_eq!(column.iter().collect::<Vec<_>>(), labels);
        assert_eq!((column.distinct(), column.labelled(), column.len()), (2, 3, 4));
        assert_eq!(column.counts(), [2, 1]);
    }

    #[test]
    fn the_majority_names_the_broader_taxon() {
        let genus = LabelColumn::from_labels([Some("Apis"), Some("Apis"), Some("Apis"), Some("Carabus"), None]);
        let order = LabelColumn::from_labels([Some("Bees"), Some("Beetles"), Some("Beetles"), None, Some("Flies")]);
        assert_eq!(genus.majority_in(&order), [Some(1), None]);
    }

    #[test]
    fn fields_are_read_back_from_their_keys() {
        for field in Field::ALL {
            assert_eq!(field.key().to_uppercase().parse(), Ok(field));
        }
        assert!("tribe".parse::<Field>().unwrap_err().contains("genus"));
    }
}
