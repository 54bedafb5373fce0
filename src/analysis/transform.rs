//! Centring and whitening of embeddings.
//!
//! Embeddings of one encoder share a large common part and a few directions that vary far more than the others; cosines then
//! compare little else. Centring takes the mean off, whitening also turns to principal components and scales each to unit
//! variance (Kessy, Lewin & Strimmer 2018, The American Statistician 72, "PCA whitening"). The transform is fitted on one set
//! of vectors, the references, and applied to any.

use super::centred::{Centred, CentredError, mean_of};
use super::knn::{VectorSource, collected};
use crate::data::reading::TransformKind;
use crate::progress::{Cancelled, Observer};
use ndarray::{Array1, Array2};
use std::ops::Range;

/// Components with less than this share of the largest variance are rounding noise or constant columns, and are left out.
///
/// Rounding in 32 bits lies below 1e-13 of it. What lies between counts: of the starter model's last layer (256 dimensions, 38 282
/// references) 255 components are above 1e-8 and name the genus of 58.1 % of 3 893 specimens of unseen species, the 166 above 1e-6
/// that of 53.7 %.
pub const LEAST_VARIANCE_SHARE: f64 = 1e-8;

/// Why a transform could not be fitted or applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// Stopped by the observer.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Centring needs one vector, whitening two.
    #[error(
        "{transform} needs at least {needed} barcodes to be fitted on, but there are {found}; use the transform 'none'"
    )]
    TooFew {
        /// The transform asked for.
        transform: TransformKind,
        /// Vectors needed.
        needed: usize,
        /// Vectors given.
        found: usize,
    },
    /// Nothing varies, so there is nothing to scale.
    #[error("all {found} embeddings to fit '{transform}' on are the same; use the transform 'none' or 'centre'")]
    Constant {
        /// The transform asked for.
        transform: TransformKind,
        /// Vectors given.
        found: usize,
    },
    /// Whitening to no dimension at all.
    #[error("whitening must keep at least one dimension")]
    NoDimensions,
    /// No labels tell anything apart.
    #[error(
        "there is nothing to fit to: none of the {found} barcodes shares its genus with another that differs; name specimens by the model \
         without fitting"
    )]
    NoGroups {
        /// Vectors given.
        found: usize,
    },
    /// A vector to fit on holds NaN or an infinity.
    #[error("the embedding of barcode {row} (from 0) is not finite, so no transform can be fitted")]
    NotFinite {
        /// Its row.
        row: usize,
    },
    /// The vectors are of another model or reading than those that the transform was fitted on.
    #[error("the transform was fitted on vectors of {fitted} dimensions, these have {given}")]
    Dimensions {
        /// Dimensions of the fitted vectors.
        fitted: usize,
        /// Dimensions of the vectors to be transformed.
        given: usize,
    },
    /// The eigenvalue iteration did not end; finite input does not lead here.
    #[error("the principal components could not be found; use the transform 'centre'")]
    NoConvergence,
}

/// A fitted transform of vectors `[N,D]` to `[N,K]`.
#[derive(Debug, Clone)]
pub struct Transform {
    kind: TransformKind,
    /// Number of vectors that it was fitted on.
    fitted_on: usize,
    dim: usize,
    steps: Steps,
}

/// What is done to a vector.
#[derive(Debug, Clone)]
enum Steps {
    Nothing,
    /// Less the mean `[D]`.
    Centre(Array1<f64>),
    /// Less the mean `[D]`, times the principal components over their standard deviations, `[K,D]`.
    Whiten(Array1<f64>, Array2<f64>),
}

impl From<CentredError> for TransformError {
    fn from(error: CentredError) -> Self {
        match error {
            CentredError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            CentredError::NotFinite { row, .. } => Self::NotFinite { row },
            CentredError::NotConverged => Self::NoConvergence,
        }
    }
}

impl Transform {
    /// Fits `kind` on `vectors` `[N,D]`, as they are: rows are not scaled first.
    ///
    /// Whitening keeps the components of largest variance, at most as many as asked for, fewer where the vectors span fewer
    /// dimensions (there are at most `N - 1`) or the variance falls to [`LEAST_VARIANCE_SHARE`] of the largest;
    /// [`Self::output_dim`] tells. The sign of a component is that which makes its largest coefficient positive.
    ///
    /// # Errors
    /// [`TransformError`] if there are too few vectors, nothing varies, something is not finite, or the observer says stop. A
    /// stop while the eigenvalues are being found is answered at once; that computation ends unheard in its own thread.
    pub fn fit(
        kind: TransformKind,
        vectors: &dyn VectorSource,
        observer: &dyn Observer,
    ) -> Result<Self, TransformError> {
        let (found, dim) = (vectors.len(), vectors.dim());
        let needed = match kind {
            TransformKind::None => 0,
            TransformKind::Centre => 1,
            TransformKind::Whiten(Some(0)) => return Err(TransformError::NoDimensions),
            TransformKind::Whiten(_) => 2,
        };
        if found < needed {
            return Err(TransformError::TooFew { transform: kind, needed, found });
        }
        let steps = match kind {
            TransformKind::None => Steps::Nothing,
            TransformKind::Centre => Steps::Centre(mean_of(vectors, observer)?),
            TransformKind::Whiten(limit) => {
                let mean = mean_of(vectors, observer)?;
                let centred = Centred { vectors, mean: &mean };
                let mut components = centred.components(limit.unwrap_or(usize::MAX), LEAST_VARIANCE_SHARE, observer)?;
                if components.variance.is_empty() {
                    return Err(TransformError::Constant { transform: kind, found });
                }
                for (mut direction, variance) in components.directions.rows_mut().into_iter().zip(&components.variance)
                {
                    direction /= variance.sqrt();
                }
                Steps::Whiten(mean, components.directions.as_standard_layout().into_owned())
            }
        };
        Ok(Self { kind, fitted_on: found, dim, steps })
    }

    /// Transforms vectors `[N,D]` to `[N,K]`. Every row by itself: the result does not depend on its neighbours.
    ///
    /// # Errors
    /// [`TransformError::Dimensions`] if the vectors are not of the fitted `D`, or [`TransformError::Cancelled`].
    pub fn apply(&self, vectors: &dyn VectorSource, observer: &dyn Observer) -> Result<Array2<f32>, TransformError> {
        Ok(collected(&Transformed::new(self, vectors)?, "transforming the embeddings", observer)?)
    }

    /// What was asked for.
    pub fn kind(&self) -> TransformKind {
        self.kind
    }

    /// Dimensions of the vectors that go in, `D`.
    pub fn input_dim(&self) -> usize {
        self.dim
    }

    /// Dimensions of the vectors that come out, `K`.
    pub fn output_dim(&self) -> usize {
        match &self.steps {
            Steps::Nothing | Steps::Centre(_) => self.dim,
            Steps::Whiten(_, components) => components.nrows(),
        }
    }

    /// What was done, for reports.
    pub fn describe(&self) -> String {
        let (fitted_on, dim) = (self.fitted_on, self.dim);
        match self.kind {
            TransformKind::None => "not transformed".to_owned(),
            TransformKind::Centre => format!("centred on the mean of {fitted_on} barcodes"),
            TransformKind::Whiten(_) => {
                format!("whitened to {} of {dim} dimensions, fitted on {fitted_on} barcodes", self.output_dim())
            }
        }
    }
}

/// Vectors `[N,D]` under a transform, `[N,K]`, computed whenever they are asked for: very many need no room.
pub struct Transformed<'a> {
    transform: &'a Transform,
    vectors: &'a dyn VectorSource,
}

impl<'a> Transformed<'a> {
    /// The vectors under the transform.
    ///
    /// # Errors
    /// [`TransformError::Dimensions`] if the vectors are not of the fitted `D`.
    pub fn new(transform: &'a Transform, vectors: &'a dyn VectorSource) -> Result<Self, TransformError> {
        let (fitted, given) = (transform.dim, vectors.dim());
        if fitted != given {
            return Err(TransformError::Dimensions { fitted, given });
        }
        Ok(Self { transform, vectors })
    }
}

impl VectorSource for Transformed<'_> {
    fn len(&self) -> usize {
        self.vectors.len()
    }

    fn dim(&self) -> usize {
        self.transform.output_dim()
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f32]) {
        match &self.transform.steps {
            Steps::Nothing => self.vectors.fill(rows, out),
            Steps::Centre(mean) => {
                self.vectors.fill(rows, out);
                for row in out.chunks_exact_mut(mean.len().max(1)) {
                    row.iter_mut().zip(mean).for_each(|(value, mean)| *value = (f64::from(*value) - mean) as f32);
                }
            }
            Steps::Whiten(mean, components) => {
                let directions = components.as_slice().expect("made in standard order");
                Centred { vectors: self.vectors, mean }.project_rows(rows, directions, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Silent, StopAt};
    use crate::seed::Seed;
    use ndarray::{Axis, array};
    use rand::Rng;

    fn random(rows: usize, dim: usize, name: &str) -> Array2<f32> {
        let mut rng = Seed(2).stream(name);
        // Well away from singular, so that every dimension carries variance.
        let mixing = Array2::from_shape_simple_fn((dim, dim), || rng.random_range(-1.0f32..1.0))
            + Array2::<f32>::eye(dim) * (2.0 * dim as f32).sqrt();
        Array2::from_shape_simple_fn((rows, dim), || rng.random_range(-1.0..1.0)).dot(&mixing) + 3.0
    }

    fn fitted(kind: TransformKind, vectors: &Array2<f32>) -> Transform {
        Transform::fit(kind, vectors, &Silent).unwrap()
    }

    fn applied(kind: TransformKind, vectors: &Array2<f32>) -> Array2<f32> {
        fitted(kind, vectors).apply(vectors, &Silent).unwrap()
    }

    fn assert_near(a: &Array2<f32>, b: &Array2<f32>, within: f32) {
        assert_eq!(a.dim(), b.dim());
        let worst = a.iter().zip(b).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst <= within, "differ by {worst}");
    }

    /// scikit-learn's principal components of the reference points, scaled by its variances.
    #[test]
    fn whitens_as_the_reference_components_say() {
        let text = std::fs::read_to_string("tests/fixtures/reference/analysis.json").unwrap();
        let case: serde_json::Value = serde_json::from_str(&text).unwrap();
        let matrix = |value: &serde_json::Value| -> Array2<f32> {
            let rows: Vec<Vec<f32>> = serde_json::from_value(value.clone()).unwrap();
            Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column])
        };
        let points = matrix(&case["x"]);
        let mut components = matrix(&case["pca"]["components"]);
        let variance: Vec<f32> = serde_json::from_value(case["pca"]["explained_variance"].clone()).unwrap();
        for (mut component, variance) in components.rows_mut().into_iter().zip(variance) {
            let largest = component.iter().fold(0.0f32, |a, &b| if b.abs() > a.abs() { b } else { a });
            component /= variance.sqrt() * largest.signum();
        }
        let centred = &points - &points.mean_axis(Axis(0)).unwrap();
        assert_near(&applied(TransformKind::Whiten(Some(3)), &points), &centred.dot(&components.t()), 2e-5);
    }

    #[test]
    fn whitened_vectors_have_no_mean_no_correlation_and_unit_variance() {
        let vectors = random(3000, 150, "whiten");
        let whitened = applied(TransformKind::Whiten(None), &vectors).mapv(f64::from);
        assert_eq!(whitened.dim(), (3000, 150));
        assert!(whitened.mean_axis(Axis(0)).unwrap().iter().all(|mean| mean.abs() < 1e-6));
        let covariance = whitened.t().dot(&whitened) / 2999.0;
        assert_near(&covariance.mapv(|value| value as f32), &Array2::eye(150), 1e-5);
    }

    #[test]
    fn dimensions_that_do_not_exist_are_left_out() {
        let wide = random(12, 300, "wide");
        assert_eq!(fitted(TransformKind::Whiten(Some(64)), &wide).output_dim(), 11);
        let mut flat = random(500, 8, "flat");
        flat.column_mut(3).fill(2.0);
        let copy = flat.column(0).to_owned();
        flat.column_mut(5).assign(&copy);
        assert_eq!(fitted(TransformKind::Whiten(None), &flat).output_dim(), 6);
    }

    #[test]
    fn components_are_kept_down_to_a_hundred_millionth_of_the_largest_variance() {
        let vectors = Array2::from_shape_fn((400, 3), |(row, column)| {
            let sign = |bit: usize| if row >> bit & 1 == 0 { 1.0 } else { -1.0 };
            [1.0, 1.1e-4, 0.9e-4][column] * sign(column)
        });
        let transform = fitted(TransformKind::Whiten(None), &vectors);
        assert_eq!((transform.input_dim(), transform.output_dim()), (3, 2));
        assert_eq!(transform.describe(), "whitened to 2 of 3 dimensions, fitted on 400 barcodes");
    }

    #[test]
    fn centring_takes_off_the_mean_of_the_fitted_vectors() {
        let transform = fitted(TransformKind::Centre, &array![[1.0, 4.0], [3.0, 8.0]]);
        let centred = transform.apply(&array![[2.0f32, 6.0], [0.0, 7.0]], &Silent).unwrap();
        assert_eq!(centred, array![[0.0, 0.0], [-2.0, 1.0]]);
        let single = fitted(TransformKind::Centre, &array![[5.0, -1.0]]);
        assert_eq!(single.apply(&array![[5.0f32, -1.0]], &Silent).unwrap(), array![[0.0, 0.0]]);
    }

    #[test]
    fn no_transform_changes_nothing() {
        let vectors = random(3, 4, "none");
        let transform = fitted(TransformKind::None, &vectors);
        assert_eq!(transform.apply(&vectors, &Silent).unwrap(), vectors);
    }

    #[test]
    fn a_row_is_transformed_the_same_wherever_it_stands_and_whatever_the_threads() {
        let mut vectors = random(700, 40, "rows");
        let copy = vectors.row(2).to_owned();
        [3, 255, 256, 511, 699].into_iter().for_each(|row| vectors.row_mut(row).assign(&copy));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| applied(TransformKind::Whiten(Some(30)), &vectors))
        };
        let whitened = with(1);
        assert_eq!(whitened, with(3));
        for row in [3, 255, 256, 511, 699] {
            assert_eq!(whitened.row(row), whitened.row(2));
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let fit = |kind, vectors: &Array2<f32>| Transform::fit(kind, vectors, &Silent).unwrap_err();
        let whiten = TransformKind::Whiten(Some(2));
        let too_few = |transform, needed, found| TransformError::TooFew { transform, needed, found };
        assert_eq!(fit(whiten, &random(1, 3, "one")), too_few(whiten, 2, 1));
        assert_eq!(fit(TransformKind::Centre, &Array2::zeros((0, 3))), too_few(TransformKind::Centre, 1, 0));
        assert_eq!(fit(TransformKind::Whiten(Some(0)), &random(5, 3, "five")), TransformError::NoDimensions);
        for same in [Array2::from_elem((9, 3), 0.1), Array2::from_elem((2, 3), 0.1), Array2::zeros((4, 0))] {
            assert_eq!(fit(whiten, &same), TransformError::Constant { transform: whiten, found: same.nrows() });
        }
        let mut broken = random(5, 3, "broken");
        broken[[4, 1]] = f32::NAN;
        assert_eq!(fit(whiten, &broken), TransformError::NotFinite { row: 4 });
        let other = fitted(whiten, &random(5, 3, "five")).apply(&random(2, 4, "four"), &Silent).unwrap_err();
        assert_eq!(other, TransformError::Dimensions { fitted: 3, given: 4 });
    }

    #[test]
    fn whatever_part_is_asked_for_is_that_of_the_whole() {
        let vectors = random(700, 9, "parts");
        for kind in [TransformKind::None, TransformKind::Centre, TransformKind::Whiten(Some(5))] {
            let transform = fitted(kind, &vectors);
            let whole = transform.apply(&vectors, &Silent).unwrap();
            let lazy = Transformed::new(&transform, &vectors).unwrap();
            assert_eq!((lazy.len(), lazy.dim()), whole.dim());
            for rows in [0..700, 13..14, 250..513, 699..700, 5..5] {
                let mut part = Array2::zeros((rows.len(), whole.ncols()));
                lazy.fill(rows.clone(), part.as_slice_mut().unwrap());
                assert_near(&part, &whole.slice(ndarray::s![rows, ..]).to_owned(), 1e-6);
            }
        }
    }

    #[test]
    fn stops_when_told_to_at_any_stage() {
        let vectors = random(50, 10, "stop");
        for stage in ["averaging", "measuring"] {
            let stopped = Transform::fit(TransformKind::Whiten(None), &vectors, &StopAt(stage));
            assert_eq!(stopped.unwrap_err(), TransformError::Cancelled(Cancelled));
        }
        let transform = fitted(TransformKind::Whiten(None), &vectors);
        assert!(transform.apply(&vectors, &StopAt("transforming")).is_err());
    }
}
