//! A linear head fitted to labels in closed form: whitening by what varies within groups.
//!
//! Directions in which specimens of one group differ among themselves say nothing about the group; scaling each direction by how
//! little it varies within groups makes a cosine compare what tells groups apart (within-class covariance normalisation: Hatch,
//! Kajarekar & Stolcke 2006, Interspeech). Nothing of the encoder is changed, and fitting takes one pass over the vectors.

use super::centred::{Centred, CentredError};
use super::transform::TransformError;
use crate::progress::Observer;
use ndarray::{Array1, Array2, ArrayView2};
use std::collections::BTreeMap;

/// Share of the mean variance within groups that is added to every direction's, unless told otherwise: without it directions that
/// happen not to vary in the sample would count without bound. Chosen on `val_unseen` of the benchmark (`models/EXPERIMENTS.md`).
pub const DEFAULT_RIDGE: f64 = 0.3;

/// A fitted head: vectors `[N,D]` to `[N,D]`.
#[derive(Debug, Clone)]
pub struct WithinGroups {
    /// Symmetric, `[D,D]`.
    matrix: Array2<f64>,
    groups: usize,
    members: usize,
}

impl WithinGroups {
    /// Fits the head on vectors `[N,D]` and the group of each; those without a group, or alone in theirs, say nothing and are passed
    /// over. A direction of variance `v` within groups is divided by the root of `v + ridge x` the mean of all such variances.
    ///
    /// # Errors
    /// [`TransformError::NoGroups`] where no group has two different members, [`TransformError::NotFinite`], and a stop.
    pub fn fit(
        vectors: ArrayView2<'_, f32>,
        groups: &[Option<u32>],
        ridge: f64,
        observer: &dyn Observer,
    ) -> Result<Self, TransformError> {
        let (differences, members) = differences_within(vectors, groups);
        let zero = Array1::zeros(vectors.ncols());
        let (rows, dim) = differences.dim();
        let groups = members.len();
        if let Some(at) = vectors.rows().into_iter().position(|row| !row.iter().all(|value| value.is_finite())) {
            return Err(CentredError::NotFinite { row: at, column: 0 }.into());
        }
        let centred = Centred { vectors: &differences, mean: &zero };
        let components = centred.components(usize::MAX, 0.0, observer)?;
        if components.variance.is_empty() {
            return Err(TransformError::NoGroups { found: vectors.nrows() });
        }
        // Each group's mean costs a degree of freedom.
        let variance = components.variance * ((rows - 1) as f64 / (rows - groups) as f64);
        let added = ridge * variance.sum() / dim as f64;
        let elsewhere = added.sqrt().recip();
        let mut matrix = Array2::from_diag_elem(dim, elsewhere);
        let scaled = &components.directions
            * &variance.mapv(|v| (v + added).sqrt().recip() - elsewhere).insert_axis(ndarray::Axis(1));
        matrix += &components.directions.t().dot(&scaled);
        Ok(Self { matrix, groups, members: rows })
    }

    /// The vectors `[N,D]` under the head, `[N,D]`. Every row by itself.
    ///
    /// # Errors
    /// [`TransformError::Dimensions`] for vectors of another width, and a stop.
    pub fn apply(&self, vectors: ArrayView2<'_, f32>, observer: &dyn Observer) -> Result<Array2<f32>, TransformError> {
        let (fitted, given) = (self.matrix.nrows(), vectors.ncols());
        if fitted != given {
            return Err(TransformError::Dimensions { fitted, given });
        }
        let zero = Array1::zeros(given);
        let centred = Centred { vectors: &vectors, mean: &zero };
        Ok(centred.project(&self.matrix, "applying the head", observer)?)
    }

    /// What it was fitted on, for reports.
    pub fn describe(&self) -> String {
        format!("fitted to {} groups of {} barcodes", self.groups, self.members)
    }
}

/// Each vector less the mean of its group, groups in ascending order; and the groups' sizes. Groups of one are left out.
fn differences_within(vectors: ArrayView2<'_, f32>, groups: &[Option<u32>]) -> (Array2<f32>, Vec<usize>) {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        if let Some(group) = group {
            members.entry(*group).or_default().push(row);
        }
    }
    members.retain(|_, rows| rows.len() > 1);
    let sizes: Vec<usize> = members.values().map(Vec::len).collect();
    let mut differences = Array2::zeros((sizes.iter().sum(), vectors.ncols()));
    let mut at = 0;
    for rows in members.values() {
        let mut mean = Array1::<f64>::zeros(vectors.ncols());
        for &row in rows {
            mean.zip_mut_with(&vectors.row(row), |sum, &value| *sum += f64::from(value));
        }
        mean /= rows.len() as f64;
        for &row in rows {
            let mut difference = differences.row_mut(at);
            difference.assign(&vectors.row(row));
            difference.zip_mut_with(&mean, |value, mean| *value = (f64::from(*value) - mean) as f32);
            at += 1;
        }
    }
    (differences, sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Cancelled, Progress, Silent};
    use crate::seed::Seed;
    use ndarray::array;
    use rand::Rng;

    /// Groups in two dimensions that vary ten times as much along the first as along the second.
    fn groups(of: usize, each: usize) -> (Array2<f32>, Vec<Option<u32>>) {
        let mut rng = Seed(4).stream("within");
        let labels: Vec<Option<u32>> = (0..of * each).map(|row| Some((row / each) as u32)).collect();
        let centres = Array2::from_shape_simple_fn((of, 2), || rng.random_range(-3.0f32..3.0));
        let vectors = Array2::from_shape_fn((of * each, 2), |(row, column)| {
            centres[[row / each, column]] + rng.random_range(-1.0f32..1.0) * [10.0, 1.0][column]
        });
        (vectors, labels)
    }

    #[test]
    fn varies_equally_within_groups_in_every_direction_afterwards() {
        let (vectors, labels) = groups(40, 50);
        let head = WithinGroups::fit(vectors.view(), &labels, 1e-9, &Silent).unwrap();
        let fitted = head.apply(vectors.view(), &Silent).unwrap();
        let (differences, sizes) = differences_within(fitted.view(), &labels);
        let differences = differences.mapv(f64::from);
        let covariance = differences.t().dot(&differences) / (differences.nrows() - sizes.len()) as f64;
        for ((row, column), value) in covariance.indexed_iter() {
            assert!((value - f64::from(u8::from(row == column))).abs() < 1e-4, "{covariance}");
        }
        assert_eq!(head.describe(), "fitted to 40 groups of 2000 barcodes");
    }

    /// Σ = diag(2, 8) with one degree of freedom for each pair, worked out by hand.
    #[test]
    fn scales_as_the_formula_says() {
        let vectors = array![[1.0, 0.0], [3.0, 0.0], [5.0, 5.0], [5.0, 5.0 + 4.0 * 2f32.sqrt()], [9.0, 9.0]];
        let labels = [Some(0), Some(0), Some(3), Some(3), None];
        let head = WithinGroups::fit(vectors.view(), &labels, 0.5, &Silent).unwrap();
        // scatter (2, 16) over 2 degrees of freedom: variances 1 and 8, mean 4.5, ridge 2.25
        let expected = [3.25f64.sqrt().recip(), 10.25f64.sqrt().recip()];
        let fitted = head.apply(array![[1.0, 1.0]].view(), &Silent).unwrap();
        for (found, expected) in fitted.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{fitted} {expected}");
        }
    }

    #[test]
    fn directions_without_any_difference_count_as_the_ridge_says() {
        let vectors = array![[1.0, 0.0, 2.0], [-1.0, 0.0, 2.0]];
        let head = WithinGroups::fit(vectors.view(), &[Some(7), Some(7)], 0.3, &Silent).unwrap();
        let fitted = head.apply(array![[1.0, 1.0, 1.0]].view(), &Silent).unwrap();
        // variance 2 along the first only; mean 2/3, ridge 0.2
        let (along, elsewhere) = (2.2f32.sqrt().recip(), 0.2f32.sqrt().recip());
        for (found, expected) in fitted.iter().zip([along, elsewhere, elsewhere]) {
            assert!((found - expected).abs() < 1e-6, "{fitted}");
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let fit = |vectors: &Array2<f32>, labels: &[Option<u32>]| {
            WithinGroups::fit(vectors.view(), labels, 0.1, &Silent).unwrap_err()
        };
        let two = array![[1.0, 2.0], [3.0, 4.0]];
        for labels in [[None, None], [Some(1), Some(2)], [Some(1), None]] {
            assert_eq!(fit(&two, &labels), TransformError::NoGroups { found: 2 });
        }
        assert_eq!(fit(&array![[1.0, 2.0], [1.0, 2.0]], &[Some(1); 2]), TransformError::NoGroups { found: 2 });
        assert_eq!(fit(&Array2::zeros((0, 3)), &[]), TransformError::NoGroups { found: 0 });
        assert_eq!(fit(&array![[1.0, 2.0], [f32::NAN, 2.0]], &[Some(1); 2]), TransformError::NotFinite { row: 1 });
        let head = WithinGroups::fit(two.view(), &[Some(1); 2], 0.1, &Silent).unwrap();
        let other = head.apply(array![[1.0]].view(), &Silent).unwrap_err();
        assert_eq!(other, TransformError::Dimensions { fitted: 2, given: 1 });
    }

    #[test]
    fn stops_when_told_to() {
        struct Stop;
        impl Observer for Stop {
            fn progress(&self, _: Progress) -> Result<(), Cancelled> {
                Err(Cancelled)
            }
        }
        let (vectors, labels) = groups(3, 5);
        let stopped = WithinGroups::fit(vectors.view(), &labels, 0.1, &Stop).unwrap_err();
        assert_eq!(stopped, TransformError::Cancelled(Cancelled));
        let head = WithinGroups::fit(vectors.view(), &labels, 0.1, &Silent).unwrap();
        assert!(head.apply(vectors.view(), &Stop).is_err());
    }
}
