//! Simulated barcodes with known truth: the demo, the test data, and a way to teach.
//!
//! Families of invented taxa evolve from the consensus of the COI-5P frame along orders, families, genera and species
//! ([`evolve`](self) says how), specimens are cut and spoilt as laboratories do, and known faults are planted: the columns
//! `truth`, `true_genus`, `true_species` and `true_bin` say what each specimen really is. Nothing in it is a real animal.
//!
//! # How its distances compare with real ones
//! Share of differing bases (p-distance), in percent, of 20 000 simulated specimens (those without a fault, seed 1) and of the
//! labelled records of a benchmark of 143 615 real invertebrate barcodes; pairs of barcodes of exactly 658 A, C, G, T; percentiles
//! 5, 50, 95:
//!
//! | pair | simulated | real |
//! |---|---|---|
//! | within a species | 0.0, 0.0, 0.9 | 0.2, 0.6, 7.0 |
//! | species of a genus | 4.4, 7.1, 9.9 | 2.6, 9.7, 17.8 |
//! | genera of a family | 10.8, 13.1, 15.5 | 9.1, 15.2, 22.2 |
//! | bases A and T | 64 % | 68 % |
//!
//! The simulation has the barcode gap that textbooks draw; real data have a wider spread on both sides of it (and records are
//! unique there, so that no pair is identical). Scores on simulated data are therefore higher than on real data.
//!
//! Families are independent of each other, so that millions of rows stream in the memory of one family, and the first rows of a
//! larger simulation are those of a smaller one with the same seed.

mod evolve;
mod names;
mod specimens;
mod tree;

pub use specimens::{SimulatedSpecimen, Truth};

use super::dataset::{Dataset, DatasetBuilder, Flags, Origin, Record};
use super::frame::FrameProfile;
use super::taxonomy::Field;
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use evolve::Evolution;
use std::collections::HashMap;
use std::io::Write;
use tree::Tree;

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimulationSettings {
    /// Number of specimens.
    pub specimens: usize,
    /// Seed of every draw.
    pub seed: Seed,
}

impl Default for SimulationSettings {
    fn default() -> Self {
        Self { specimens: 1500, seed: Seed::default() }
    }
}

/// A simulation that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The work was stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The table could not be written.
    #[error("the simulated table could not be written: {0}")]
    Write(#[from] csv::Error),
}

/// Simulates specimens one after the other into `sink`.
///
/// # Errors
/// What `sink` returns, and [`Cancelled`].
pub fn simulate<E: From<Cancelled>>(
    settings: &SimulationSettings,
    sink: &mut dyn FnMut(SimulatedSpecimen) -> Result<(), E>,
    observer: &dyn Observer,
) -> Result<(), E> {
    let tree = Tree::new(Evolution::new(FrameProfile::bundled()), settings.seed);
    let mut done = 0;
    for index in 0.. {
        observer.progress(Progress::new("simulating specimens", done, settings.specimens, "specimens"))?;
        if done == settings.specimens {
            break;
        }
        let family = tree.family(index);
        let mut rng = settings.seed.stream_at("simulate/specimens", index);
        for mut specimen in
            specimens::specimens_of(&family, &tree, &mut rng).into_iter().take(settings.specimens - done)
        {
            done += 1;
            specimen.id = format!("SIM{done:06}-26");
            sink(specimen)?;
        }
    }
    Ok(())
}

/// Columns of the BIOSCAN-5M layout, then those that tell the truth.
const COLUMNS: [&str; 27] = [
    "processid",
    "sampleid",
    "taxon",
    "phylum",
    "class",
    "order",
    "family",
    "subfamily",
    "genus",
    "species",
    "dna_bin",
    "dna_barcode",
    "country",
    "province_state",
    "coord-lat",
    "coord-lon",
    "image_measurement_value",
    "area_fraction",
    "scale_factor",
    "inferred_ranks",
    "split",
    "index_bioscan_1M_insect",
    "chunk",
    "truth",
    "true_genus",
    "true_species",
    "true_bin",
];

/// The truth columns, which a dataset keeps as text.
const TRUTH_COLUMNS: [&str; 4] = ["truth", "true_genus", "true_species", "true_bin"];
const PHYLUM: &str = "Arthropoda";
const CLASS: &str = "Insecta";

/// Writes a simulation as a table in the BIOSCAN-5M layout with the truth in four more columns.
///
/// # Errors
/// [`SimulationError`] when the table cannot be written or the work is stopped.
pub fn write_csv(
    settings: &SimulationSettings,
    out: impl Write,
    observer: &dyn Observer,
) -> Result<(), SimulationError> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    simulate::<SimulationError>(settings, &mut |specimen| Ok(table.write_record(row(&specimen))?), observer)?;
    Ok(table.flush().map_err(csv::Error::from)?)
}

fn row(specimen: &SimulatedSpecimen) -> [String; 27] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let degrees = |axis: usize| specimen.coordinates.map_or(String::new(), |at| at[axis].to_string());
    COLUMNS.map(|column| match column {
        "processid" => specimen.id.clone(),
        "sampleid" => format!("simulated-{}", specimen.id),
        "taxon" => specimen.taxon().to_owned(),
        "phylum" => PHYLUM.to_owned(),
        "class" => CLASS.to_owned(),
        "order" => specimen.order.clone(),
        "family" => specimen.family.clone(),
        "subfamily" => text(&specimen.subfamily),
        "genus" => text(&specimen.genus),
        "species" => text(&specimen.species),
        "dna_bin" => text(&specimen.bin),
        "dna_barcode" => String::from_utf8_lossy(&specimen.sequence).into_owned(),
        "country" => specimen.country.clone(),
        "coord-lat" => degrees(0),
        "coord-lon" => degrees(1),
        "split" => specimen.split.to_owned(),
        "truth" => specimen.truth.key().to_owned(),
        "true_genus" => specimen.true_genus.clone(),
        "true_species" => specimen.true_species.clone(),
        "true_bin" => specimen.true_bin.clone(),
        _ => String::new(),
    })
}

/// The simulated specimens as a dataset, with the truth in four text columns.
///
/// # Errors
/// [`Cancelled`] when the work is stopped.
pub fn simulated_dataset(settings: &SimulationSettings, observer: &dyn Observer) -> Result<Dataset, Cancelled> {
    let name = format!("demo: {} simulated specimens", settings.specimens);
    let mut builder = DatasetBuilder::new(name, TRUTH_COLUMNS.map(str::to_owned).to_vec());
    let mut line = 1;
    let mut sink = |specimen| {
        line += 1;
        builder.push(record(specimen, line));
        Ok(())
    };
    simulate::<Cancelled>(settings, &mut sink, observer)?;
    Ok(builder.finish())
}

fn record(specimen: SimulatedSpecimen, line: u32) -> Record {
    let labels = [
        (Field::Phylum, Some(PHYLUM.to_owned())),
        (Field::Class, Some(CLASS.to_owned())),
        (Field::Order, Some(specimen.order)),
        (Field::Family, Some(specimen.family)),
        (Field::Subfamily, specimen.subfamily),
        (Field::Genus, specimen.genus),
        (Field::Species, specimen.species),
        (Field::Bin, specimen.bin),
        (Field::Split, Some(specimen.split.to_owned())),
        (Field::Country, Some(specimen.country)),
    ];
    let labels: HashMap<Field, String> =
        labels.into_iter().filter_map(|(field, label)| Some((field, label?))).collect();
    let ambiguous = specimen.sequence.iter().filter(|base| !b"ACGT".contains(base)).count();
    Record {
        id: specimen.id,
        flags: Flags::of_letters(specimen.sequence.len(), ambiguous),
        sequence: specimen.sequence,
        labels,
        coordinates: specimen.coordinates,
        other: vec![specimen.truth.key().to_owned(), specimen.true_genus, specimen.true_species, specimen.true_bin],
        origin: Some(Origin { file: 0, line }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::frame::Strand;
    use crate::progress::Silent;
    use std::collections::{BTreeMap, BTreeSet, HashSet};

    fn specimens(specimens: usize, seed: u64) -> Vec<SimulatedSpecimen> {
        let mut all = Vec::new();
        let settings = SimulationSettings { specimens, seed: Seed(seed) };
        let mut sink = |specimen| {
            all.push(specimen);
            Ok(())
        };
        simulate::<Cancelled>(&settings, &mut sink, &Silent).unwrap();
        all
    }

    fn p_distance(a: &[u8], b: &[u8]) -> f64 {
        let different = a.iter().zip(b).filter(|(a, b)| a != b).count();
        different as f64 / a.len().min(b.len()) as f64
    }

    #[test]
    fn the_same_seed_gives_the_same_rows_and_more_rows_begin_with_fewer() {
        let (few, many) = (specimens(100, 5), specimens(700, 5));
        assert_eq!(few.len(), 100);
        assert_eq!(few[..], many[..100]);
        assert_ne!(few, specimens(100, 6));
        assert!(specimens(0, 5).is_empty());
    }

    #[test]
    fn every_fault_is_planted_and_is_what_it_says() {
        let all = specimens(6000, 1);
        let mut seen: BTreeMap<Truth, usize> = BTreeMap::new();
        for specimen in &all {
            *seen.entry(specimen.truth).or_default() += 1;
            let right_genus = specimen.genus.as_ref().is_none_or(|genus| *genus == specimen.true_genus);
            let right_species = specimen.species.as_ref().is_none_or(|species| *species == specimen.true_species);
            match specimen.truth {
                Truth::Swapped | Truth::Contamination => assert!(!right_species || specimen.species.is_none()),
                Truth::Misidentified | Truth::Synonym => assert!(right_genus && !right_species),
                Truth::NewSpecies => assert!(specimen.species.is_none() && specimen.genus.is_some()),
                Truth::NewGenus => assert!(specimen.genus.is_none()),
                _ => assert!(right_genus && right_species, "{specimen:?}"),
            }
        }
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), Truth::ALL, "{seen:?}");
        assert!(seen[&Truth::Ok] > 4000, "{seen:?}");
    }

    #[test]
    fn species_of_the_unseen_splits_are_in_no_other_split() {
        let mut splits: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for specimen in specimens(6000, 2).iter().filter(|specimen| specimen.truth != Truth::Contamination) {
            splits.entry(specimen.true_species.clone()).or_default().insert(specimen.split);
        }
        let known: BTreeSet<&str> = ["pretrain", "train", "val", "test"].into();
        for (species, splits) in splits {
            let apart = ["val_unseen", "test_unseen", "novel_genus"].iter().any(|&split| splits.contains(split));
            assert!(if apart { splits.len() == 1 } else { splits.is_subset(&known) }, "{species}: {splits:?}");
        }
    }

    #[test]
    fn bins_follow_the_truth() {
        let all = specimens(6000, 3);
        let mut bins: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
        let mut species: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
        for specimen in &all {
            bins.entry(&specimen.true_species).or_default().insert(&specimen.true_bin);
            species.entry(&specimen.true_bin).or_default().insert(&specimen.true_species);
        }
        for specimen in &all {
            let several_bins = bins[specimen.true_species.as_str()].len() > 1;
            let several_species = species[specimen.true_bin.as_str()].len() > 1;
            assert!(!several_bins || specimen.truth == Truth::BinSplit || specimen.truth == Truth::Contamination);
            assert!(!several_species || matches!(specimen.truth, Truth::BinMerge | Truth::Contamination));
        }
    }

    #[test]
    fn distances_grow_with_the_rank_and_keep_the_barcode_gap() {
        let tree = Tree::new(Evolution::new(FrameProfile::bundled()), Seed(4));
        let (mut within, mut congeneric, mut between_genera) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..25 {
            let family = tree.family(index);
            let firsts: Vec<(usize, &[u8])> = family
                .genera
                .iter()
                .enumerate()
                .flat_map(|(genus, taxon)| taxon.species.iter().map(move |species| (genus, species)))
                .filter(|(_, species)| species.bins == tree::BinPattern::Own)
                .map(|(genus, species)| {
                    let haplotypes = &species.lineages[0].haplotypes;
                    within.extend(haplotypes[1..].iter().map(|other| p_distance(&haplotypes[0], other)));
                    (genus, haplotypes[0].as_slice())
                })
                .collect();
            for (i, (genus, barcode)) in firsts.iter().enumerate() {
                for (other_genus, other) in &firsts[i + 1..] {
                    let list = if genus == other_genus { &mut congeneric } else { &mut between_genera };
                    list.push(p_distance(barcode, other));
                }
            }
        }
        let share = |values: &[f64], from: f64, to: f64| {
            values.iter().filter(|value| (from..=to).contains(*value)).count() as f64 / values.len() as f64
        };
        assert!(share(&within, 0.0, 0.02) > 0.99);
        assert!(share(&congeneric, 0.03, 0.12) > 0.95, "{}", share(&congeneric, 0.03, 0.12));
        let median = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        assert!(median(&mut between_genera) > median(&mut congeneric) + 0.04);
    }

    #[test]
    fn barcodes_lie_in_the_frame_and_reversed_ones_are_found_out() {
        let profile = FrameProfile::bundled();
        for specimen in specimens(400, 7) {
            let at = profile.register(&specimen.sequence).unwrap();
            let reversed = specimen.truth == Truth::ReverseComplement;
            assert_eq!(at.strand == Strand::Reverse, reversed, "{specimen:?}");
            assert!(at.is_coi(), "{at:?}");
        }
    }

    #[test]
    fn the_table_and_the_dataset_say_the_same() {
        let settings = SimulationSettings { specimens: 200, seed: Seed(9) };
        let mut text = Vec::new();
        write_csv(&settings, &mut text, &Silent).unwrap();
        let mut table = csv::Reader::from_reader(text.as_slice());
        assert_eq!(table.headers().unwrap().iter().collect::<Vec<_>>(), COLUMNS);
        let dataset = simulated_dataset(&settings, &Silent).unwrap();
        let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), dataset.len());
        for (index, row) in rows.iter().enumerate() {
            assert_eq!(&row[0], dataset.id(index));
            assert_eq!(row[9], *dataset.label(index, Field::Species).unwrap_or_default());
            assert_eq!(row[11].as_bytes(), dataset.sequence(index));
            assert_eq!(&row[23], dataset.other(index, 0));
        }
    }
}
