//! The specimens of a simulated family, and the faults that are planted among them.

use super::evolve::decay;
use super::names::{self, ORDERS};
use super::tree::{BinPattern, Family, Species, Standing, Tree};
use crate::data::frame::{FRAME_LENGTH, reverse_complement};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// What is wrong with a simulated specimen, or what makes it special.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Truth {
    /// Nothing.
    Ok,
    /// Its label and that of a specimen of another genus were exchanged.
    Swapped,
    /// It carries the name of another species of its genus.
    Misidentified,
    /// It carries another name of its own species.
    Synonym,
    /// Its barcode is that of an animal of another order.
    Contamination,
    /// Its barcode is a nuclear copy that no longer codes.
    Pseudogene,
    /// Its barcode is short, or full of errors and N.
    LowQuality,
    /// Its barcode is written from the other strand.
    ReverseComplement,
    /// Its species has two BINs.
    BinSplit,
    /// Its species shares its BIN with another.
    BinMerge,
    /// Its species has no name yet.
    NewSpecies,
    /// Its genus has no name yet.
    NewGenus,
}

impl Truth {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::Swapped,
        Self::Misidentified,
        Self::Synonym,
        Self::Contamination,
        Self::Pseudogene,
        Self::LowQuality,
        Self::ReverseComplement,
        Self::BinSplit,
        Self::BinMerge,
        Self::NewSpecies,
        Self::NewGenus,
    ];

    /// The word in the `truth` column.
    pub fn key(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Swapped => "swapped",
            Self::Misidentified => "misidentified",
            Self::Synonym => "synonym",
            Self::Contamination => "contamination",
            Self::Pseudogene => "pseudogene",
            Self::LowQuality => "low_quality",
            Self::ReverseComplement => "reverse_complement",
            Self::BinSplit => "bin_split",
            Self::BinMerge => "bin_merge",
            Self::NewSpecies => "new_species",
            Self::NewGenus => "new_genus",
        }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// One simulated specimen. What it is labelled as may differ from what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedSpecimen {
    /// For example `SIM000001-26`.
    pub id: String,
    /// Order on the label.
    pub order: String,
    /// Family on the label.
    pub family: String,
    /// Subfamily on the label.
    pub subfamily: Option<String>,
    /// Genus on the label.
    pub genus: Option<String>,
    /// Species on the label.
    pub species: Option<String>,
    /// BIN as a database would give it; some specimens have none.
    pub bin: Option<String>,
    /// The barcode as it was read, upper case.
    pub sequence: Vec<u8>,
    /// Country of collection.
    pub country: String,
    /// Latitude and longitude in degrees.
    pub coordinates: Option<[f32; 2]>,
    /// Which part of the benchmark it belongs to.
    pub split: &'static str,
    /// The planted fault.
    pub truth: Truth,
    /// Genus that the barcode comes from.
    pub true_genus: String,
    /// Species that the barcode comes from.
    pub true_species: String,
    /// BIN that the barcode belongs to.
    pub true_bin: String,
}

impl SimulatedSpecimen {
    /// The finest name on the label.
    pub fn taxon(&self) -> &str {
        self.species.as_deref().or(self.genus.as_deref()).unwrap_or(&self.family)
    }
}

/// The specimens of a family in mixed order, without ids.
pub(super) fn specimens_of(family: &Family, tree: &Tree, rng: &mut ChaCha8Rng) -> Vec<SimulatedSpecimen> {
    let mut specimens = Vec::new();
    for (genus_index, genus) in family.genera.iter().enumerate() {
        for species in &genus.species {
            let older_name = rng.random_bool(0.04).then(|| older_name(&species.name));
            for index in 0..species.specimens {
                let mut specimen = plain_specimen(family, genus_index, species, index, rng);
                if specimen.truth == Truth::Ok {
                    let others: Vec<&Species> =
                        genus.species.iter().filter(|other| named_other(other, species)).collect();
                    plant(&mut specimen, family, &others, older_name.as_deref(), tree, rng);
                }
                specimens.push(specimen);
            }
        }
    }
    swap_labels(&mut specimens, rng);
    specimens.shuffle(rng);
    specimens
}

fn named_other(other: &Species, species: &Species) -> bool {
    other.name != species.name && !matches!(other.standing, Standing::New | Standing::OfNewGenus)
}

fn older_name(species: &str) -> String {
    match species.split_once(' ') {
        Some((genus, epithet)) => format!("{genus} {}", names::synonym(epithet)),
        None => names::synonym(species),
    }
}

fn plain_specimen(
    family: &Family,
    genus_index: usize,
    species: &Species,
    index: usize,
    rng: &mut ChaCha8Rng,
) -> SimulatedSpecimen {
    let genus = &family.genera[genus_index];
    let lineage = &species.lineages[index % species.lineages.len()];
    let haplotype = &lineage.haplotypes[rng.random_range(0..lineage.haplotypes.len())];
    let split = split_of(species.standing, index, rng);
    // Specimens that a pretraining set holds are often not identified.
    let unidentified = if split == "pretrain" { rng.random::<f64>() } else { 1.0 };
    let genus_label = species.standing != Standing::OfNewGenus && unidentified > 0.25;
    let species_label = genus_label && species.standing != Standing::New && unidentified > 0.5;
    let bin = names::bin(lineage.bin);
    SimulatedSpecimen {
        id: String::new(),
        order: ORDERS[family.order].to_owned(),
        family: family.name.clone(),
        subfamily: genus_label.then(|| genus.subfamily.clone()),
        genus: genus_label.then(|| genus.name.clone()),
        species: species_label.then(|| species.name.clone()),
        bin: rng.random_bool(0.8).then(|| bin.clone()),
        sequence: as_sequenced(haplotype, rng),
        country: species.home.country.to_owned(),
        coordinates: rng.random_bool(0.9).then(|| species.home.site(rng)),
        split,
        truth: truth_of(species),
        true_genus: genus.name.clone(),
        true_species: species.name.clone(),
        true_bin: bin,
    }
}

fn truth_of(species: &Species) -> Truth {
    match (species.standing, species.bins) {
        (Standing::New, _) => Truth::NewSpecies,
        (Standing::OfNewGenus, _) => Truth::NewGenus,
        (_, BinPattern::Split) => Truth::BinSplit,
        (_, BinPattern::Shared) => Truth::BinMerge,
        (_, BinPattern::Own) => Truth::Ok,
    }
}

fn split_of(standing: Standing, index: usize, rng: &mut ChaCha8Rng) -> &'static str {
    match standing {
        Standing::UnseenInValidation => "val_unseen",
        Standing::UnseenInTest | Standing::New => "test_unseen",
        Standing::OfNovelGenus | Standing::OfNewGenus => "novel_genus",
        // A known species has at least one specimen in the reference.
        Standing::Known if index == 0 => "train",
        Standing::Known => match rng.random::<f64>() {
            ..0.5 => "train",
            ..0.75 => "pretrain",
            ..0.92 => "test",
            _ => "val",
        },
    }
}

/// The part of a haplotype that a laboratory got: about half start at the first base of the frame, many at base 1 or 20, where
/// common primers put them, and some lack an end or hold letters that nobody could read.
fn as_sequenced(haplotype: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let start = match rng.random::<f64>() {
        ..0.53 => 0,
        ..0.65 => 1,
        ..0.83 => 20,
        _ => rng.random_range(2..90),
    };
    let end = match rng.random::<f64>() {
        ..0.7 => FRAME_LENGTH,
        ..0.97 => rng.random_range(520..FRAME_LENGTH),
        _ => rng.random_range(400..450),
    };
    let mut barcode = haplotype[start..end].to_vec();
    if rng.random_bool(0.05) {
        for _ in 0..rng.random_range(1..=4) {
            let site = rng.random_range(0..barcode.len());
            barcode[site] = b'N';
        }
    }
    barcode
}

fn plant(
    specimen: &mut SimulatedSpecimen,
    family: &Family,
    others: &[&Species],
    older_name: Option<&str>,
    tree: &Tree,
    rng: &mut ChaCha8Rng,
) {
    let draw = rng.random::<f64>();
    specimen.truth = match draw {
        ..0.012 if !others.is_empty() && specimen.species.is_some() => {
            specimen.species = Some(others[rng.random_range(0..others.len())].name.clone());
            Truth::Misidentified
        }
        0.012..0.020 => {
            contaminate(specimen, tree.stranger(family.order, rng), rng);
            Truth::Contamination
        }
        0.020..0.028 => {
            let (length, losses) = (rng.random_range(0.03..0.08), rng.random_range(1..=2));
            specimen.sequence = decay(&specimen.sequence, length, losses, rng);
            specimen.bin = None;
            Truth::Pseudogene
        }
        0.028..0.040 => {
            spoil(&mut specimen.sequence, rng);
            Truth::LowQuality
        }
        0.040..0.046 => {
            specimen.sequence = reverse_complement(&specimen.sequence);
            Truth::ReverseComplement
        }
        0.5.. if older_name.is_some() && specimen.species.is_some() => {
            specimen.species = older_name.map(str::to_owned);
            Truth::Synonym
        }
        _ => Truth::Ok,
    };
}

fn contaminate(specimen: &mut SimulatedSpecimen, (genus, species): (String, Species), rng: &mut ChaCha8Rng) {
    let lineage = &species.lineages[0];
    specimen.sequence = as_sequenced(&lineage.haplotypes[0], rng);
    specimen.true_bin = names::bin(lineage.bin);
    specimen.bin = specimen.bin.is_some().then(|| specimen.true_bin.clone());
    specimen.true_genus = genus;
    specimen.true_species = species.name;
}

fn spoil(barcode: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.4) {
        barcode.truncate(rng.random_range(110..190));
        return;
    }
    let share = rng.random_range(0.03..0.15);
    for base in barcode.iter_mut() {
        if rng.random_bool(share) {
            *base = b"NNNACGT"[rng.random_range(0..7)];
        }
    }
}

/// Exchanges the labels of some pairs of specimens of different genera, as happens between two tubes.
fn swap_labels(specimens: &mut [SimulatedSpecimen], rng: &mut ChaCha8Rng) {
    for first in 0..specimens.len() {
        if !can_be_swapped(&specimens[first]) || !rng.random_bool(0.006) {
            continue;
        }
        let partners: Vec<usize> = (0..specimens.len())
            .filter(|&other| can_be_swapped(&specimens[other]) && specimens[other].genus != specimens[first].genus)
            .collect();
        if partners.is_empty() {
            continue;
        }
        let second = partners[rng.random_range(0..partners.len())];
        let (low, high) = specimens.split_at_mut(first.max(second));
        let (a, b) = (&mut low[first.min(second)], &mut high[0]);
        std::mem::swap(&mut a.subfamily, &mut b.subfamily);
        std::mem::swap(&mut a.genus, &mut b.genus);
        std::mem::swap(&mut a.species, &mut b.species);
        a.truth = Truth::Swapped;
        b.truth = Truth::Swapped;
    }
}

fn can_be_swapped(specimen: &SimulatedSpecimen) -> bool {
    specimen.truth == Truth::Ok && specimen.species.is_some() && !specimen.split.contains("novel")
}
