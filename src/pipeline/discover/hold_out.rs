//! Taking taxa out of a labelled file, so that it shows what discovery is: the taxa become what is to be found.
//!
//! Taxa are held out whole, by name, never by record: of a species whose specimens stood on both sides nothing would be new. The
//! queries also hold specimens of species that stay, or nothing could be called new wrongly.

use super::division::Divided;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::{Field, LabelColumn};
use crate::pipeline::PipelineError;
use crate::seed::Seed;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::str::FromStr;

/// What is held out whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldRank {
    /// Genera: what is found are new genera.
    Genus,
    /// Species whose genus stays: what is found are new species.
    Species,
}

impl HeldRank {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Genus, Self::Species];

    /// The name on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Genus => "genus",
            Self::Species => "species",
        }
    }
}

impl FromStr for HeldRank {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|rank| rank.key() == text)
            .ok_or_else(|| format!("'{text}' cannot be held out; known are genus, species"))
    }
}

/// What is held out, and how much.
#[derive(Debug, Clone, PartialEq)]
pub struct HoldOutSettings {
    /// Of which ranks taxa are drawn at random; genera first.
    pub ranks: Vec<HeldRank>,
    /// Share of the taxa of each rank that is drawn, 0 to 1; at least one.
    pub share: f64,
    /// Genera and species to be held out instead of drawn ones, by name.
    pub names: Vec<String>,
    /// Share of the specimens of every species that stays which become queries, 0 to 1. One always stays behind.
    pub known: f64,
    /// Seed of the draws.
    pub seed: Seed,
}

impl Default for HoldOutSettings {
    fn default() -> Self {
        Self { ranks: HeldRank::ALL.to_vec(), share: 0.1, names: Vec::new(), known: 0.25, seed: Seed::default() }
    }
}

/// Divides a labelled dataset. Specimens without species or genus are on neither side.
///
/// # Errors
/// [`PipelineError::NoLabels`] when no specimen has genus and species, [`PipelineError::Setting`] for names that nobody has, shares
/// out of range, or when nothing can be held out or would stay.
pub fn hold_out(dataset: &Dataset, settings: &HoldOutSettings) -> Result<Divided, PipelineError> {
    for (what, share) in [("of the taxa", settings.share), ("of the known specimens", settings.known)] {
        if !(0.0..1.0).contains(&share) {
            return Err(PipelineError::Setting(format!(
                "the share {what} to hold out is from 0 to 1, and not {share}"
            )));
        }
    }
    let (genus, species) = (dataset.labels(Field::Genus), dataset.labels(Field::Species));
    let labelled: Vec<(usize, u32, u32)> =
        (0..dataset.len()).filter_map(|row| Some((row, genus.code(row)?, species.code(row)?))).collect();
    if labelled.is_empty() {
        let field = if species.labelled() == 0 { Field::Species } else { Field::Genus };
        return Err(PipelineError::NoLabels { dataset: dataset.name().to_owned(), field });
    }
    let mut species_of: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    labelled.iter().for_each(|&(_, genus, species)| {
        species_of.entry(genus).or_default().insert(species);
    });
    let held =
        if settings.names.is_empty() { drawn(&species_of, settings) } else { named(&settings.names, genus, species)? };
    let (mut reference, mut query) = (Vec::new(), Vec::new());
    let mut staying: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for &(row, genus, species) in &labelled {
        if held.genera.contains(&genus) || held.species.contains(&species) {
            query.push(row);
        } else {
            staying.entry(species).or_default().push(row);
        }
    }
    let mut rng = settings.seed.stream("discover/known queries");
    for mut rows in staying.into_values() {
        rows.shuffle(&mut rng);
        let taken = ((rows.len() as f64 * settings.known).round() as usize).min(rows.len() - 1);
        query.extend(rows.drain(..taken));
        reference.extend(rows);
    }
    if reference.is_empty() || query.is_empty() {
        return Err(PipelineError::Setting(format!(
            "nothing of '{}' would be left {}; hold out other taxa",
            dataset.name(),
            if reference.is_empty() { "to compare with" } else { "to be found" }
        )));
    }
    reference.sort_unstable();
    query.sort_unstable();
    let names = |codes: &HashSet<u32>, column: &LabelColumn| {
        let mut names: Vec<String> = codes.iter().map(|&code| column.name(code).to_owned()).collect();
        names.sort_unstable();
        names
    };
    Ok(Divided { reference, query, genera: names(&held.genera, genus), species: names(&held.species, species) })
}

/// Codes of what is held out.
#[derive(Default)]
struct Held {
    genera: HashSet<u32>,
    species: HashSet<u32>,
}

fn drawn(species_of: &BTreeMap<u32, BTreeSet<u32>>, settings: &HoldOutSettings) -> Held {
    let share_of = |n: usize| ((n as f64 * settings.share).round() as usize).clamp(1, n.max(1));
    let mut held = Held::default();
    if settings.ranks.contains(&HeldRank::Genus) {
        let mut genera: Vec<u32> = species_of.keys().copied().collect();
        genera.shuffle(&mut settings.seed.stream("discover/held genera"));
        // One genus at least stays to be compared with.
        held.genera.extend(genera.iter().take(share_of(genera.len()).min(genera.len() - 1)));
    }
    if settings.ranks.contains(&HeldRank::Species) {
        let staying = species_of.iter().filter(|(genus, _)| !held.genera.contains(genus));
        let mut species: Vec<(u32, u32)> =
            staying.flat_map(|(&genus, species)| species.iter().map(move |&species| (genus, species))).collect();
        species.shuffle(&mut settings.seed.stream("discover/held species"));
        let wanted = share_of(species.len());
        let mut left: HashMap<u32, usize> = species_of.iter().map(|(&genus, species)| (genus, species.len())).collect();
        for (genus, code) in species {
            let left = left.entry(genus).or_default();
            if held.species.len() < wanted && *left > 1 {
                *left -= 1;
                held.species.insert(code);
            }
        }
    }
    held
}

fn named(names: &[String], genus: &LabelColumn, species: &LabelColumn) -> Result<Held, PipelineError> {
    let mut held = Held::default();
    for name in names {
        let wanted = name.trim();
        let code = |column: &LabelColumn| {
            column.names().iter().position(|known| known.eq_ignore_ascii_case(wanted)).map(|code| code as u32)
        };
        match (code(genus), code(species)) {
            (Some(code), _) => held.genera.insert(code),
            (None, Some(code)) => held.species.insert(code),
            (None, None) => {
                return Err(PipelineError::Setting(format!(
                    "no specimen is of a genus or species '{wanted}', so it cannot be held out"
                )));
            }
        };
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    /// Genus `g` has `g + 1` species with three specimens each; the last record has no species.
    fn dataset(genera: usize) -> Dataset {
        let mut builder = DatasetBuilder::new("survey", Vec::new());
        for genus in 0..genera {
            for species in 0..=genus {
                for specimen in 0..3 {
                    builder.push(Record {
                        id: format!("{genus}-{species}-{specimen}"),
                        sequence: b"ACGT".to_vec(),
                        labels: [
                            (Field::Genus, format!("Genus{genus}")),
                            (Field::Species, format!("Genus{genus} species{species}")),
                        ]
                        .into(),
                        ..Record::default()
                    });
                }
            }
        }
        builder.push(Record { id: "unnamed".into(), sequence: b"ACGT".to_vec(), ..Record::default() });
        builder.finish()
    }

    fn species_in(dataset: &Dataset, rows: &[usize], field: Field) -> HashSet<String> {
        rows.iter().filter_map(|&row| dataset.label(row, field)).map(str::to_owned).collect()
    }

    #[test]
    fn named_taxa_are_held_out_whole() {
        let dataset = dataset(4);
        let names = vec!["genus1".to_owned(), "Genus3 species0".to_owned()];
        let settings = HoldOutSettings { names, known: 0.0, ..HoldOutSettings::default() };
        let found = hold_out(&dataset, &settings).unwrap();
        assert_eq!((found.genera, found.species), (vec!["Genus1".to_owned()], vec!["Genus3 species0".to_owned()]));
        assert_eq!(found.query.len(), 6 + 3);
        assert_eq!(found.reference.len(), 30 - 9);
    }

    #[test]
    fn what_cannot_be_held_out_is_told() {
        let refused =
            |settings: HoldOutSettings, dataset: &Dataset| hold_out(dataset, &settings).unwrap_err().to_string();
        let names = vec!["Apis".to_owned()];
        assert!(refused(HoldOutSettings { names, ..HoldOutSettings::default() }, &dataset(3)).contains("'Apis'"));
        let all = (0..3).map(|genus| format!("Genus{genus}")).collect();
        let message = refused(HoldOutSettings { names: all, ..HoldOutSettings::default() }, &dataset(3));
        assert!(message.contains("compare with"), "{message}");
        assert!(refused(HoldOutSettings { share: 1.5, ..HoldOutSettings::default() }, &dataset(3)).contains("1.5"));
        assert!(matches!(
            hold_out(&dataset(0), &HoldOutSettings::default()),
            Err(PipelineError::NoLabels { field: Field::Species, .. })
        ));
        let one = HoldOutSettings { known: 0.0, ..HoldOutSettings::default() };
        assert!(refused(one, &dataset(1)).contains("to be found"));
    }

    proptest! {
        #[test]
        fn no_held_taxon_stays_and_every_genus_of_a_held_species_does(
            genera in 2_usize..9, share in 0.0_f64..0.99, known in 0.0_f64..0.99, seed in 0_u64..50,
        ) {
            let dataset = dataset(genera);
            let settings = HoldOutSettings { share, known, seed: Seed(seed), ..HoldOutSettings::default() };
            let found = hold_out(&dataset, &settings).unwrap();
            let stays = species_in(&dataset, &found.reference, Field::Species);
            let genera_stay = species_in(&dataset, &found.reference, Field::Genus);
            prop_assert!(!found.genera.is_empty());
            prop_assert!(found.species.iter().all(|name| !stays.contains(name)));
            prop_assert!(found.genera.iter().all(|name| !genera_stay.contains(name)));
            for species in &found.species {
                prop_assert!(genera_stay.contains(species.split(' ').next().unwrap_or_default()));
            }
            // Every named specimen is on one side, and every species that stays has a specimen there.
            prop_assert_eq!(found.reference.len() + found.query.len(), dataset.len() - 1);
            prop_assert_eq!(stays.len() + found.species.len() + found.genera.iter().map(|genus| {
                dataset.labels(Field::Species).names().iter().filter(|name| name.starts_with(&format!("{genus} "))).count()
            }).sum::<usize>(), dataset.labels(Field::Species).distinct());
            prop_assert_eq!(&found, &hold_out(&dataset, &settings).unwrap());
        }
    }
}
