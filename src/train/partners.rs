//! Who is shown beside a barcode where views are compared.

use super::relatives::Planes;
use crate::progress::{Cancelled, Observer};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Draws of a member of the genus until one of another species is taken as it comes.
const TRIES: usize = 8;

/// The other view of a barcode in the contrastive loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partner {
    /// The same barcode, with other k-mers hidden.
    #[default]
    Same,
    /// One of its nearest relatives, found by comparing barcodes, without labels; the barcode itself where it has none.
    Relative,
    /// A barcode of its genus, of another species where there is one: this uses labels.
    Genus,
}

impl fmt::Display for Partner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Relative => "relative",
            Self::Genus => "genus",
        })
    }
}

impl FromStr for Partner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "same" => Ok(Self::Same),
            "relative" => Ok(Self::Relative),
            "genus" => Ok(Self::Genus),
            _ => Err(format!("'{text}' is no partner; known are same, relative, genus")),
        }
    }
}

/// Genus and species of a barcode, as numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) genus: Option<u32>,
    pub(super) species: Option<u32>,
}

impl Label {
    /// This label, with the names of another where it has none.
    pub(super) fn or(self, other: Self) -> Self {
        Self { genus: self.genus.or(other.genus), species: self.species.or(other.species) }
    }
}

/// The partners of every barcode.
#[derive(Debug, Clone, Default)]
pub(super) enum Partners {
    #[default]
    Same,
    Relatives(Vec<Vec<u32>>),
    Genus {
        labels: Vec<Label>,
        /// The barcodes of every genus.
        members: Vec<Vec<u32>>,
    },
}

impl Partners {
    /// Looks for the relatives of all barcodes within `distances`, as shares of differing bases.
    pub(super) fn relatives(
        planes: &Planes,
        distances: &RangeInclusive<f64>,
        observer: &dyn Observer,
    ) -> Result<Self, Cancelled> {
        Ok(Self::Relatives(planes.relatives(distances, observer)?))
    }

    /// Partners by the labels of all barcodes.
    pub(super) fn of_genus(labels: Vec<Label>) -> Self {
        let genera = labels.iter().filter_map(|label| label.genus).max().map_or(0, |last| last as usize + 1);
        let mut members = vec![Vec::new(); genera];
        for (index, label) in labels.iter().enumerate() {
            if let Some(genus) = label.genus {
                members[genus as usize].push(index as u32);
            }
        }
        Self::Genus { labels, members }
    }

    /// A partner of a barcode; itself where it has none.
    pub(super) fn draw(&self, index: u32, rng: &mut impl Rng) -> u32 {
        match self {
            Self::Same => index,
            Self::Relatives(relatives) => relatives[index as usize].choose(rng).copied().unwrap_or(index),
            Self::Genus { labels, members } => {
                let label = labels[index as usize];
                let Some(members) = label.genus.map(|genus| &members[genus as usize]) else { return index };
                let mut draw = || members.choose(rng).copied().unwrap_or(index);
                let other_species = |partner: &u32| labels[*partner as usize].species != label.species;
                (0..TRIES).map(|_| draw()).find(other_species).unwrap_or_else(draw)
            }
        }
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        let lists =
            |lists: &[Vec<u32>]| size_of_val(lists) + lists.iter().map(|list| size_of_val(&list[..])).sum::<usize>();
        match self {
            Self::Same => 0,
            Self::Relatives(relatives) => lists(relatives),
            Self::Genus { labels, members } => size_of_val(&labels[..]) + lists(members),
        }
    }

    /// The group whose members are not held against a barcode.
    pub(super) fn group(&self, index: u32) -> Option<u32> {
        match self {
            Self::Genus { labels, .. } => labels[index as usize].genus,
            Self::Same | Self::Relatives(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use std::collections::BTreeSet;

    fn drawn(partners: &Partners, index: u32) -> BTreeSet<u32> {
        let mut rng = Seed(1).stream("partners");
        (0..400).map(|_| partners.draw(index, &mut rng)).collect()
    }

    #[test]
    fn partners_are_relatives_or_of_the_genus_and_else_the_barcode_itself() {
        assert_eq!(drawn(&Partners::Same, 3), [3].into());
        let relatives = Partners::Relatives(vec![vec![2, 1], vec![], vec![0]]);
        assert_eq!(drawn(&relatives, 0), [1, 2].into());
        assert_eq!(drawn(&relatives, 1), [1].into());
        assert_eq!(relatives.group(0), None);
        let label = |genus, species| Label { genus, species };
        let genus = Partners::of_genus(vec![
            label(Some(0), Some(0)),
            label(Some(0), Some(0)),
            label(Some(0), Some(1)),
            label(None, None),
            label(Some(1), Some(2)),
        ]);
        assert!(drawn(&genus, 0).contains(&2));
        let often = {
            let mut rng = Seed(1).stream("often");
            (0..400).filter(|_| genus.draw(0, &mut rng) == 2).count()
        };
        assert!(often > 350, "another species is preferred: {often} of 400");
        assert_eq!(drawn(&genus, 3), [3].into());
        assert_eq!(drawn(&genus, 4), [4].into());
        assert_eq!((genus.group(1), genus.group(3)), (Some(0), None));
    }

    #[test]
    fn names_are_read_back() {
        for partner in [Partner::Same, Partner::Relative, Partner::Genus] {
            assert_eq!(partner.to_string().parse(), Ok(partner));
        }
        assert!("species".parse::<Partner>().is_err());
    }
}
