//! Splits for a dataset that has none, drawn by seed.

use super::EvaluateOn;
use crate::data::dataset::{Dataset, DatasetBuilder};
use crate::data::taxonomy::Field;
use crate::pipeline::PipelineError;
use crate::pipeline::subset::record;
use crate::seed::Seed;
use rand::seq::SliceRandom;
use std::borrow::Cow;

/// Share of the species, and of the specimens of the other species, that are asked about.
const ASKED: f64 = 0.2;
/// The split that holds the reference.
const TRAIN: &str = "train";

/// A dataset with the splits that are measured, and where they are from, in words.
///
/// Splits of the file are kept where all three are there. Otherwise they are drawn from the specimens with genus and species: every fifth species is unseen
/// (a genus keeps at least one that is known), and of the others every fifth specimen is asked about (a species keeps at least one).
///
/// # Errors
/// [`PipelineError::NoLabels`] where no genus or no species is known, [`PipelineError::Setting`] where nothing can be drawn.
pub(super) fn with_splits<'a>(
    dataset: &'a Dataset,
    on: EvaluateOn,
    seed: Seed,
) -> Result<(Cow<'a, Dataset>, String), PipelineError> {
    if [TRAIN, on.seen(), on.unseen()].iter().all(|split| !dataset.rows_in_split(split).is_empty()) {
        let words = format!("the splits {TRAIN}, {} and {} of the file", on.seen(), on.unseen());
        return Ok((Cow::Borrowed(dataset), words));
    }
    let splits = draw(dataset, on, seed)?;
    let mut builder = DatasetBuilder::new(dataset.name(), dataset.other_columns().to_vec());
    dataset.files().iter().for_each(|file| {
        builder.add_file(file.clone());
    });
    for (row, split) in splits.iter().enumerate() {
        let mut record = record(dataset, row);
        record.labels.remove(&Field::Split);
        record.labels.extend(split.map(|split| (Field::Split, split.to_owned())));
        builder.push(record);
    }
    let words = format!(
        "'{}' has no splits {TRAIN}, {} and {}, so they are drawn by the seed: every fifth species is unseen, every fifth specimen of \
         the others is asked about, the rest is the reference",
        dataset.name(),
        on.seen(),
        on.unseen()
    );
    Ok((Cow::Owned(builder.finish()), words))
}

/// The split of every row, `[N]`; none where genus or species is missing.
fn draw(dataset: &Dataset, on: EvaluateOn, seed: Seed) -> Result<Vec<Option<&'static str>>, PipelineError> {
    let [genera, species] = [Field::Genus, Field::Species].map(|field| dataset.labels(field));
    for field in [Field::Genus, Field::Species] {
        if dataset.labels(field).labelled() == 0 {
            return Err(PipelineError::NoLabels { dataset: dataset.name().to_owned(), field });
        }
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); species.distinct()];
    for row in 0..dataset.len() {
        if let (Some(_), Some(code)) = (genera.code(row), species.code(row)) {
            members[code as usize].push(row);
        }
    }
    let genus_of = |code: usize| members[code].first().and_then(|&row| genera.code(row)).map(|genus| genus as usize);
    let mut left = vec![0usize; genera.distinct()];
    (0..members.len()).filter_map(genus_of).for_each(|genus| left[genus] += 1);

    let mut candidates: Vec<usize> =
        (0..members.len()).filter(|&code| genus_of(code).is_some_and(|genus| left[genus] > 1)).collect();
    let wanted = asked(candidates.len());
    candidates.shuffle(&mut seed.stream("evaluate/unseen species"));
    let mut unseen = vec![false; members.len()];
    let mut number = 0;
    for code in candidates {
        let Some(genus) = genus_of(code).filter(|&genus| left[genus] > 1 && number < wanted) else { continue };
        left[genus] -= 1;
        unseen[code] = true;
        number += 1;
    }

    let mut splits = vec![None; dataset.len()];
    let mut spare: Vec<usize> = Vec::new();
    let mut rng = seed.stream("evaluate/queries of known species");
    for (code, rows) in members.iter_mut().enumerate() {
        rows.shuffle(&mut rng);
        let split = if unseen[code] { on.unseen() } else { TRAIN };
        rows.iter().for_each(|&row| splits[row] = Some(split));
        if !unseen[code] {
            spare.extend(rows.iter().skip(1));
        }
    }
    let known = splits.iter().filter(|split| **split == Some(TRAIN)).count();
    spare.sort_unstable();
    spare.shuffle(&mut rng);
    spare.truncate(asked(known));
    if number == 0 || spare.is_empty() {
        return Err(PipelineError::Setting(format!(
            "'{}' has no splits, and none can be drawn: that needs a genus with several species, and a species with several specimens",
            dataset.name()
        )));
    }
    spare.into_iter().for_each(|row| splits[row] = Some(on.seen()));
    Ok(splits)
}

fn asked(all: usize) -> usize {
    ((all as f64 * ASKED).round() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Record;
    use crate::pipeline::masking::tests::survey;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn dataset(labels: &[(Option<u8>, Option<u8>)]) -> Dataset {
        let mut builder = DatasetBuilder::new("drawn", Vec::new());
        for (row, (genus, species)) in labels.iter().enumerate() {
            let genus = genus.map(|genus| (Field::Genus, format!("G{genus}")));
            // a species belongs to one genus
            let species = species.zip(labels[row].0).map(|(species, of)| (Field::Species, format!("G{of} s{species}")));
            builder.push(Record {
                id: format!("r{row}"),
                sequence: b"ACGT".to_vec(),
                labels: genus.into_iter().chain(species).collect(),
                ..Record::default()
            });
        }
        builder.finish()
    }

    proptest! {
        #[test]
        fn unseen_species_are_in_no_other_split_and_everything_asked_has_a_reference(
            labels in prop::collection::vec((prop::option::of(0u8..4), prop::option::of(0u8..5)), 1..60),
            seed in 0u64..50,
        ) {
            let dataset = dataset(&labels);
            let Ok(splits) = draw(&dataset, EvaluateOn::Test, Seed(seed)) else { return Ok(()) };
            let labels_of = |split: &str, field: Field| -> HashSet<&str> {
                (0..dataset.len()).filter(|&row| splits[row] == Some(split)).filter_map(|row| dataset.label(row, field)).collect()
            };
            let [train, test, unseen] = [TRAIN, "test", "test_unseen"].map(|split| labels_of(split, Field::Species));
            prop_assert!(test.is_subset(&train) && unseen.is_disjoint(&train) && unseen.is_disjoint(&test));
            prop_assert!(!test.is_empty() && !unseen.is_empty());
            prop_assert!(labels_of("test_unseen", Field::Genus).is_subset(&labels_of(TRAIN, Field::Genus)));
            for (row, split) in splits.iter().enumerate() {
                let is_named = dataset.label(row, Field::Genus).is_some() && dataset.label(row, Field::Species).is_some();
                prop_assert_eq!(split.is_some(), is_named);
            }
            prop_assert_eq!(&splits, &draw(&dataset, EvaluateOn::Test, Seed(seed)).unwrap());
        }
    }

    #[test]
    fn a_fifth_is_asked_about_and_splits_of_the_file_are_kept() {
        // 5 genera of 3 species of 4 specimens
        let splits = draw(&survey(false, 0), EvaluateOn::Val, Seed(1)).unwrap();
        let number = |wanted: &str| splits.iter().filter(|split| **split == Some(wanted)).count();
        assert_eq!((number("val_unseen"), number("val"), number(TRAIN)), (12, 10, 38));
        let own = survey(true, 0);
        let (kept, words) = with_splits(&own, EvaluateOn::Test, Seed(1)).unwrap();
        assert_eq!((kept.key(), words.contains("of the file")), (own.key(), true));
        let bare = survey(false, 0);
        let (drawn, words) = with_splits(&bare, EvaluateOn::Test, Seed(1)).unwrap();
        assert!(words.contains("drawn by the seed"), "{words}");
        assert_eq!(drawn.len(), bare.len());
        assert!((0..bare.len()).all(|row| drawn.id(row) == bare.id(row) && drawn.sequence(row) == bare.sequence(row)));
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let message = |labels: &[(Option<u8>, Option<u8>)]| {
            draw(&dataset(labels), EvaluateOn::Test, Seed(1)).unwrap_err().to_string()
        };
        assert!(message(&[]).contains("genus"));
        assert!(message(&[(Some(1), None)]).contains("species"));
        let alone = [(Some(1), Some(1)), (Some(1), Some(1)), (Some(2), Some(1))];
        assert!(message(&alone).contains("several species"));
        assert!(message(&[(Some(1), Some(1)), (Some(1), Some(2))]).contains("several specimens"));
    }
}
