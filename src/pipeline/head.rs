//! A head that is fitted to the genera of a reference, and for each of its own barcodes once more without its species.
//!
//! A head has seen the labels of the specimens that it was fitted on. To name one of these by it would be to look up its label, so
//! the species of a reference are divided into folds, and a barcode that takes part is compared under the head that was fitted without
//! its fold.

use super::PipelineError;
use super::error::stop_or;
use crate::analysis::transform::TransformError;
use crate::analysis::within::{DEFAULT_RIDGE, WithinGroups};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::stored::StoredVectors;
use crate::progress::Observer;
use ndarray::Array2;
use std::collections::HashMap;

/// Parts into which the species of a reference are divided.
const FOLDS: usize = 5;

/// Heads fitted to the genera of a reference.
pub(super) struct Head {
    /// Fold of every unique barcode of the dataset, `None` where it took no part.
    fold: Vec<Option<usize>>,
    /// Fitted on everything.
    whole: WithinGroups,
    /// Fitted without a fold each; none where what is left would tell nothing.
    without: Vec<Option<WithinGroups>>,
}

impl Head {
    /// Fits on the vectors `[U,D]` of a dataset's unique barcodes, of which those in `uniques` take part.
    ///
    /// # Errors
    /// [`PipelineError::Analysis`] where no genus has two barcodes that differ, and a stop.
    pub(super) fn fit(
        dataset: &Dataset,
        rows: &[usize],
        uniques: &[usize],
        vectors: &StoredVectors,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let (genus, species) = (dataset.labels(Field::Genus), dataset.labels(Field::Species));
        // The first specimen of a barcode speaks for it.
        let mut first: HashMap<usize, usize> = HashMap::new();
        rows.iter().for_each(|&row| {
            first.entry(dataset.unique_of(row)).or_insert(row);
        });
        let fold_of = |unique: usize| {
            let unnamed = unique as u32;
            species.code(first[&unique]).unwrap_or(unnamed) as usize % FOLDS
        };
        let mut fold = vec![None; dataset.unique_len()];
        uniques.iter().for_each(|&unique| fold[unique] = Some(fold_of(unique)));
        let taking_part = vectors.select(uniques);
        let fit = |left_out: Option<usize>| {
            let labels: Vec<Option<u32>> = uniques
                .iter()
                .map(|&unique| genus.code(first[&unique]).filter(|_| left_out.is_none() || fold[unique] != left_out))
                .collect();
            WithinGroups::fit(taking_part.view(), &labels, DEFAULT_RIDGE, observer)
        };
        let whole = fit(None).map_err(|error| stop_or(error, "fitting to the genera"))?;
        let mut without = Vec::with_capacity(FOLDS);
        for left_out in 0..FOLDS {
            without.push(match fit(Some(left_out)) {
                Ok(head) => Some(head),
                Err(TransformError::NoGroups { .. }) => None,
                Err(error) => return Err(stop_or(error, "fitting to the genera")),
            });
        }
        Ok(Self { fold, whole, without })
    }

    /// The queries that are compared under the same head, as places among them, with the fold that the head was fitted without. `uniques`
    /// are unique barcodes of the reference's dataset if `in_reference`, else of another, which took no part.
    pub(super) fn shares(&self, uniques: &[usize], in_reference: bool) -> Vec<(Vec<usize>, Option<usize>)> {
        let mut shares: Vec<(Vec<usize>, Option<usize>)> =
            (0..=FOLDS).map(|fold| (Vec::new(), (fold > 0).then(|| fold - 1))).collect();
        for (place, &unique) in uniques.iter().enumerate() {
            let fold = self.fold.get(unique).copied().flatten().filter(|_| in_reference);
            shares[fold.map_or(0, |fold| fold + 1)].0.push(place);
        }
        shares.retain(|(places, _)| !places.is_empty());
        shares
    }

    /// Vectors under the head that was fitted without a fold, or on everything; unchanged where nothing could be fitted without it.
    pub(super) fn apply(
        &self,
        without: Option<usize>,
        vectors: &Array2<f32>,
        observer: &dyn Observer,
    ) -> Result<Array2<f32>, PipelineError> {
        let head = without.map_or(Some(&self.whole), |fold| self.without[fold].as_ref());
        head.map_or_else(
            || Ok(vectors.clone()),
            |head| head.apply(vectors.view(), observer).map_err(|error| stop_or(error, "applying the head")),
        )
    }

    /// What was fitted, for reports.
    pub(super) fn describe(&self) -> String {
        format!(
            "{}, each barcode of the reference compared under a head that was fitted without a fifth of the species, its own among them",
            self.whole.describe()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};
    use crate::progress::Silent;
    use crate::seed::Seed;
    use rand::Rng;

    /// Twelve species of four genera, three barcodes each; `genus_of` names the genus of a species.
    fn dataset(genus_of: impl Fn(usize) -> usize) -> Dataset {
        let mut builder = DatasetBuilder::new("reference", Vec::new());
        for row in 0..36usize {
            let species = row / 3;
            let mut sequence = b"ACGT".repeat(20);
            sequence[row] = b"CGTA"[row % 4];
            let labels = [(Field::Genus, format!("G{}", genus_of(species))), (Field::Species, format!("S{species}"))];
            builder.push(Record {
                id: format!("r{row}"),
                sequence,
                labels: labels.into_iter().collect(),
                ..Record::default()
            });
        }
        builder.finish()
    }

    fn vectors() -> Array2<f32> {
        let mut rng = Seed(8).stream("head");
        Array2::from_shape_simple_fn((36, 5), || rng.random_range(-1.0..1.0))
    }

    fn fitted(dataset: &Dataset) -> Head {
        let rows: Vec<usize> = (0..36).collect();
        Head::fit(dataset, &rows, &rows, &vectors().into(), &Silent).unwrap()
    }

    #[test]
    fn barcodes_of_the_reference_are_compared_without_their_species_and_others_by_all() {
        let dataset = dataset(|species| species / 3);
        let head = fitted(&dataset);
        assert_eq!(dataset.unique_len(), 36);
        let all: Vec<usize> = (0..36).collect();
        let shares = head.shares(&all, true);
        let mut told = vec![None; 36];
        for (places, fold) in &shares {
            places.iter().for_each(|&place| told[place] = *fold);
        }
        assert!(told.iter().all(Option::is_some), "every one took part: {told:?}");
        assert!((0..36).all(|row| told[row] == told[row / 3 * 3]), "a species is in one fold");
        assert_eq!(head.shares(&all, false), [(all, None)], "the same numbers in another file are other barcodes");
    }

    #[test]
    fn a_head_without_a_fold_is_that_of_the_other_species_alone() {
        let dataset = dataset(|species| species / 3);
        let head = fitted(&dataset);
        let genus = dataset.labels(Field::Genus);
        for fold in 0..FOLDS {
            let rest: Vec<usize> = (0..36).filter(|&row| head.fold[row] != Some(fold)).collect();
            let labels: Vec<Option<u32>> = rest.iter().map(|&row| genus.code(row)).collect();
            let twin =
                WithinGroups::fit(vectors().select(ndarray::Axis(0), &rest).view(), &labels, DEFAULT_RIDGE, &Silent)
                    .unwrap();
            let (ours, theirs) =
                (head.apply(Some(fold), &vectors(), &Silent).unwrap(), twin.apply(vectors().view(), &Silent).unwrap());
            assert!((ours - theirs).iter().all(|difference| difference.abs() < 1e-5));
        }
    }

    #[test]
    fn no_label_of_a_species_says_anything_about_its_own_barcodes() {
        let right = dataset(|species| species / 3);
        let wrong = dataset(|species| if species == 4 { 3 } else { species / 3 });
        let (right, wrong) = (fitted(&right), fitted(&wrong));
        let fold = right.fold[3 * 4];
        assert_eq!(right.apply(fold, &vectors(), &Silent).unwrap(), wrong.apply(fold, &vectors(), &Silent).unwrap());
        let others = (0..FOLDS).map(Some).filter(|&other| other != fold).chain([None]);
        for other in others {
            assert_ne!(
                right.apply(other, &vectors(), &Silent).unwrap(),
                wrong.apply(other, &vectors(), &Silent).unwrap()
            );
        }
    }

    #[test]
    fn a_reference_of_one_genus_each_has_nothing_to_fit_to() {
        let alone = dataset(|species| species);
        let rows: Vec<usize> = (0..36).step_by(3).collect();
        let error = Head::fit(&alone, &rows, &rows, &vectors().into(), &Silent).err().unwrap();
        assert!(error.to_string().contains("nothing to fit to"), "{error}");
    }
}
