//! Centring and whitening of embeddings.
//!
//! Embeddings of one encoder share a large common part and a few directions that vary far more than the others; cosines then
//! compare little else. Centring takes the mean off, whitening also turns to principal components and scales each to unit
//! variance (Kessy, Lewin & Strimmer 2018, The American Statistician 72, "PCA whitening"). The transform is fitted on one set
//! of vectors, the references, and applied to any.

use crate::data::reading::TransformKind;
use crate::progress::{Cancelled, Observer, Progress};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2, CowArray, Ix2, s};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// Components with less than this share of the largest variance are rounding noise or constant columns, and are left out.
pub const LEAST_VARIANCE_SHARE: f64 = 1e-6;

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
    /// Mean of the fitted vectors, `[D]`; empty for [`TransformKind::None`].
    mean: Vec<f64>,
    /// Principal components over their standard deviations, `[D,K]`; only when whitening.
    scaled_components: Option<Mat<f64>>,
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
        vectors: ArrayView2<'_, f32>,
        observer: &dyn Observer,
    ) -> Result<Self, TransformError> {
        let (found, dim) = vectors.dim();
        let needed = match kind {
            TransformKind::None => 0,
            TransformKind::Centre => 1,
            TransformKind::Whiten(Some(0)) => return Err(TransformError::NoDimensions),
            TransformKind::Whiten(_) => 2,
        };
        if found < needed {
            return Err(TransformError::TooFew { transform: kind, needed, found });
        }
        let mut transform = Self { kind, fitted_on: found, dim, mean: Vec::new(), scaled_components: None };
        if kind != TransformKind::None {
            transform.mean = mean(vectors, observer)?;
        }
        if let TransformKind::Whiten(limit) = kind {
            let centred = Centred { vectors: vectors.reborrow(), mean: &transform.mean };
            let spread = Spread::of(&centred, limit.unwrap_or(usize::MAX), observer)?;
            transform.scaled_components = Some(spread.ok_or(TransformError::Constant { transform: kind, found })?);
        }
        Ok(transform)
    }

    /// Transforms vectors `[N,D]` to `[N,K]`. Every row by itself: the result does not depend on its neighbours.
    ///
    /// # Errors
    /// [`TransformError::Dimensions`] if the vectors are not of the fitted `D`, or [`TransformError::Cancelled`].
    pub fn apply<'a>(
        &self,
        vectors: ArrayView2<'a, f32>,
        observer: &dyn Observer,
    ) -> Result<CowArray<'a, f32, Ix2>, TransformError> {
        const BLOCK_ROWS: usize = 256;
        let (rows, given) = vectors.dim();
        if given != self.dim {
            return Err(TransformError::Dimensions { fitted: self.dim, given });
        }
        if self.kind == TransformKind::None {
            return Ok(vectors.into());
        }
        let (centred, width) = (Centred { vectors: vectors.reborrow(), mean: &self.mean }, self.output_dim());
        let mut transformed = Array2::zeros((rows, width));
        let numbers = transformed.as_slice_mut().expect("made in standard order");
        numbers.par_chunks_mut((BLOCK_ROWS * width).max(1)).enumerate().try_for_each(|(block, out)| {
            let start = block * BLOCK_ROWS;
            observer.progress(Progress::new("transforming the embeddings", start, rows, "barcodes"))?;
            self.apply_block(&centred, start..(start + BLOCK_ROWS).min(rows), out);
            Ok::<(), Cancelled>(())
        })?;
        Ok(transformed.into())
    }

    fn apply_block(&self, centred: &Centred<'_>, rows: Range<usize>, out: &mut [f32]) {
        let (count, width) = (rows.len(), self.output_dim());
        let mut block = vec![0.0; count * self.dim];
        centred.fill_rows(rows, &mut block);
        if let Some(components) = &self.scaled_components {
            // In f64, so that what the kernel does at the edges of a block is rounded away: identical embeddings stay identical.
            let mut product = vec![0.0; count * width];
            matmul(
                MatMut::from_row_major_slice_mut(&mut product, count, width),
                Accum::Replace,
                MatRef::from_row_major_slice(&block, count, self.dim),
                components.as_ref(),
                1.0,
                Par::Seq,
            );
            block = product;
        }
        out.iter_mut().zip(block).for_each(|(to, from)| *to = from as f32);
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
        self.scaled_components.as_ref().map_or(self.dim, Mat::ncols)
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

/// Mean vector `[D]`, or the first row that is not finite.
fn mean(vectors: ArrayView2<'_, f32>, observer: &dyn Observer) -> Result<Vec<f64>, TransformError> {
    const BLOCK_ROWS: usize = 1024;
    let (rows, dim) = vectors.dim();
    let starts: Vec<usize> = (0..rows).step_by(BLOCK_ROWS).collect();
    // Blocks are fixed and added in order, so that the sum does not depend on the threads.
    let sums: Vec<Result<Vec<f64>, TransformError>> = starts
        .into_par_iter()
        .map(|start| {
            observer.progress(Progress::new("averaging the embeddings", start, rows, "barcodes"))?;
            let mut sum = vec![0.0; dim];
            for row in start..(start + BLOCK_ROWS).min(rows) {
                sum.iter_mut().zip(vectors.row(row)).for_each(|(sum, &value)| *sum += f64::from(value));
                if !vectors.row(row).iter().all(|value| value.is_finite()) {
                    return Err(TransformError::NotFinite { row });
                }
            }
            Ok(sum)
        })
        .collect();
    let mut mean = vec![0.0; dim];
    for sum in sums {
        mean.iter_mut().zip(sum?).for_each(|(mean, sum)| *mean += sum / rows as f64);
    }
    Ok(mean)
}

/// Vectors `[N,D]` less their mean.
struct Centred<'a> {
    vectors: ArrayView2<'a, f32>,
    mean: &'a [f64],
}

impl Centred<'_> {
    /// Writes `rows` as `[rows, D]`.
    fn fill_rows(&self, rows: Range<usize>, out: &mut [f64]) {
        for (out, row) in out.chunks_exact_mut(self.mean.len().max(1)).zip(rows) {
            let values = self.vectors.row(row);
            out.iter_mut()
                .zip(values.iter().zip(self.mean))
                .for_each(|(out, (&value, mean))| *out = f64::from(value) - mean);
        }
    }

    /// Writes the dimensions `columns` of all vectors as `[columns, N]`.
    fn fill_columns(&self, columns: Range<usize>, out: &mut [f64]) {
        for (out, column) in out.chunks_exact_mut(self.vectors.nrows()).zip(columns) {
            let values = self.vectors.slice(s![.., column]);
            out.iter_mut().zip(values).for_each(|(out, &value)| *out = f64::from(value) - self.mean[column]);
        }
    }
}

/// Largest eigenvalues of the scatter matrix, descending, with their vectors as columns.
struct Spread {
    scatter: Vec<f64>,
    vectors: Mat<f64>,
}

impl Spread {
    /// At most `limit` principal components over their standard deviations, `[D,K]`; `None` if nothing varies.
    fn of(centred: &Centred<'_>, limit: usize, observer: &dyn Observer) -> Result<Option<Mat<f64>>, TransformError> {
        // N vectors span at most N - 1 dimensions, so for few vectors the problem between vectors is the smaller one.
        let (rows, dim) = centred.vectors.dim();
        let first = centred.vectors.row(0);
        // Asked of the values themselves: the mean of equal values is off by a rounding error, which would pass for spread.
        if centred.vectors.rows().into_iter().all(|row| row == first) {
            return Ok(None);
        }
        if rows < dim {
            Self::by_vectors(centred, limit, observer)
        } else {
            Self::by_dimensions(centred, limit, observer)
        }
    }

    /// Through the scatter matrix `[D,D]`.
    fn by_dimensions(
        centred: &Centred<'_>,
        limit: usize,
        observer: &dyn Observer,
    ) -> Result<Option<Mat<f64>>, TransformError> {
        let (rows, dim) = centred.vectors.dim();
        let fill = |range: Range<usize>, out: &mut [f64]| centred.fill_rows(range, out);
        let scatter = products_of_columns(rows, dim, &fill, observer)?;
        let spread = Self::leading(scatter, limit, observer)?;
        Ok(spread.map(|spread| spread.scaled(rows)))
    }

    /// Through the products between vectors, `[N,N]`, which have the same eigenvalues.
    fn by_vectors(
        centred: &Centred<'_>,
        limit: usize,
        observer: &dyn Observer,
    ) -> Result<Option<Mat<f64>>, TransformError> {
        let (rows, dim) = centred.vectors.dim();
        let fill = |range: Range<usize>, out: &mut [f64]| centred.fill_columns(range, out);
        let products = products_of_columns(dim, rows, &fill, observer)?;
        let Some(mut spread) = Self::leading(products, limit, observer)? else { return Ok(None) };
        let mut columns = vec![0.0; dim * rows];
        centred.fill_columns(0..dim, &mut columns);
        let mut vectors = Mat::zeros(dim, spread.scatter.len());
        let columns = MatRef::from_row_major_slice(&columns, dim, rows);
        matmul(vectors.as_mut(), Accum::Replace, columns, spread.vectors.as_ref(), 1.0, Par::Seq);
        for (component, scatter) in spread.scatter.iter().enumerate() {
            vectors.col_mut(component).iter_mut().for_each(|value| *value /= scatter.sqrt());
        }
        spread.vectors = vectors;
        Ok(Some(spread.scaled(rows)))
    }

    fn leading(symmetric: Mat<f64>, limit: usize, observer: &dyn Observer) -> Result<Option<Self>, TransformError> {
        let (values, vectors) = eigen(symmetric, observer)?;
        let largest = values.last().copied().unwrap_or(0.0);
        let kept = values.iter().rev().take(limit).take_while(|&&value| value > LEAST_VARIANCE_SHARE * largest).count();
        if largest <= 0.0 || kept == 0 {
            return Ok(None);
        }
        let last = values.len() - 1;
        let scatter = (0..kept).map(|component| values[last - component]).collect();
        let vectors = Mat::from_fn(vectors.nrows(), kept, |row, component| vectors[(row, last - component)]);
        Ok(Some(Self { scatter, vectors }))
    }

    /// Components over their standard deviations, each with its largest coefficient positive.
    fn scaled(self, rows: usize) -> Mat<f64> {
        let mut components = self.vectors;
        for (component, scatter) in self.scatter.iter().enumerate() {
            let column = components.col(component);
            let largest =
                column.iter().fold(0.0f64, |largest, &value| if value.abs() > largest.abs() { value } else { largest });
            let factor = (scatter / (rows - 1) as f64).sqrt().recip() * largest.signum();
            components.col_mut(component).iter_mut().for_each(|value| *value *= factor);
        }
        components
    }
}

/// Products between all columns of a matrix `[rows, width]`, `[width, width]`, in f64; `fill` writes rows of the matrix.
///
/// Every tile of the result adds up the rows in the same order whatever the threads do.
fn products_of_columns(
    rows: usize,
    width: usize,
    fill: &(dyn Fn(Range<usize>, &mut [f64]) + Sync),
    observer: &dyn Observer,
) -> Result<Mat<f64>, Cancelled> {
    const TILE: usize = 128;
    const PANEL_NUMBERS: usize = 4 << 20;
    let starts: Vec<usize> = (0..width).step_by(TILE).collect();
    let tile_width = |start: usize| TILE.min(width - start);
    let mut tiles: Vec<(usize, usize, Mat<f64>)> = starts
        .iter()
        .flat_map(|&i| starts.iter().take_while(move |&&j| j <= i).map(move |&j| (i, j)))
        .map(|(i, j)| (i, j, Mat::zeros(tile_width(i), tile_width(j))))
        .collect();
    let panel_rows = (PANEL_NUMBERS / width.max(1)).clamp(64, 4096);
    for start in (0..rows).step_by(panel_rows) {
        let panel = filled(start..(start + panel_rows).min(rows), width, fill);
        let panel = MatRef::from_row_major_slice(&panel, panel.len() / width, width);
        let at = Progress::new("measuring how the embeddings vary", start, rows, "rows");
        tiles.par_iter_mut().try_for_each(|(i, j, tile)| {
            let columns = |start: usize| panel.subcols(start, tile_width(start));
            matmul(tile.as_mut(), Accum::Add, columns(*i).transpose(), columns(*j), 1.0, Par::Seq);
            observer.progress(at)
        })?;
    }
    let mut whole = Mat::zeros(width, width);
    for (i, j, tile) in tiles {
        for (row, column) in (0..tile.nrows()).flat_map(|row| (0..tile.ncols()).map(move |column| (row, column))) {
            whole[(i + row, j + column)] = tile[(row, column)];
            whole[(j + column, i + row)] = tile[(row, column)];
        }
    }
    Ok(whole)
}

fn filled(rows: Range<usize>, width: usize, fill: &(dyn Fn(Range<usize>, &mut [f64]) + Sync)) -> Vec<f64> {
    const BLOCK_ROWS: usize = 64;
    let mut panel = vec![0.0; rows.len() * width];
    panel.par_chunks_mut((BLOCK_ROWS * width).max(1)).enumerate().for_each(|(block, out)| {
        let start = rows.start + block * BLOCK_ROWS;
        fill(start..start + out.len() / width, out);
    });
    panel
}

/// Eigenvalues, ascending, and eigenvectors as columns of a symmetric matrix.
///
/// The computation can't be interrupted, so it has its own thread, and who waits can be. It uses one core: more gain
/// little, and the result must not depend on their number.
fn eigen(symmetric: Mat<f64>, observer: &dyn Observer) -> Result<(Vec<f64>, Mat<f64>), TransformError> {
    const PATIENCE: Duration = Duration::from_millis(50);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let size = symmetric.nrows();
        let mut values = Diag::zeros(size);
        let mut vectors = Mat::zeros(size, size);
        let scratch = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, Par::Seq, Default::default());
        let mut memory = MemBuffer::new(scratch);
        let stack = MemStack::new(&mut memory);
        let vectors_out = Some(vectors.as_mut());
        let outcome =
            self_adjoint_evd(symmetric.as_ref(), values.as_mut(), vectors_out, Par::Seq, stack, Default::default());
        let values: Vec<f64> = values.column_vector().iter().copied().collect();
        // Nobody listens any more after a cancellation.
        let _ = sender.send(outcome.map(|()| (values, vectors)));
    });
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(outcome) => return outcome.map_err(|_| TransformError::NoConvergence),
            Err(RecvTimeoutError::Timeout) => {
                observer.progress(Progress::new("finding the principal components", 0, 1, "steps"))?;
            }
            Err(RecvTimeoutError::Disconnected) => return Err(TransformError::NoConvergence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
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
        Transform::fit(kind, vectors.view(), &Silent).unwrap()
    }

    fn applied(kind: TransformKind, vectors: &Array2<f32>) -> Array2<f32> {
        fitted(kind, vectors).apply(vectors.view(), &Silent).unwrap().into_owned()
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
    fn few_vectors_and_many_dimensions_give_the_same_components_by_either_route() {
        let vectors = random(60, 50, "routes");
        let mean = mean(vectors.view(), &Silent).unwrap();
        let centred = Centred { vectors: vectors.view(), mean: &mean };
        let [a, b] =
            [Spread::by_dimensions, Spread::by_vectors].map(|route| route(&centred, 20, &Silent).unwrap().unwrap());
        assert_eq!((a.nrows(), a.ncols()), (50, 20));
        let worst = (0..50)
            .flat_map(|row| (0..20).map(move |at| (row, at)))
            .fold(0.0f64, |worst, at| worst.max((a[at] - b[at]).abs()));
        assert!(worst < 1e-9, "{worst}");
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
    fn components_are_kept_down_to_a_millionth_of_the_largest_variance() {
        let vectors = Array2::from_shape_fn((400, 3), |(row, column)| {
            let sign = |bit: usize| if row >> bit & 1 == 0 { 1.0 } else { -1.0 };
            [1.0, 1.1e-3, 0.9e-3][column] * sign(column)
        });
        let transform = fitted(TransformKind::Whiten(None), &vectors);
        assert_eq!((transform.input_dim(), transform.output_dim()), (3, 2));
        assert_eq!(transform.describe(), "whitened to 2 of 3 dimensions, fitted on 400 barcodes");
    }

    #[test]
    fn centring_takes_off_the_mean_of_the_fitted_vectors() {
        let transform = fitted(TransformKind::Centre, &array![[1.0, 4.0], [3.0, 8.0]]);
        let centred = transform.apply(array![[2.0, 6.0], [0.0, 7.0]].view(), &Silent).unwrap().into_owned();
        assert_eq!(centred, array![[0.0, 0.0], [-2.0, 1.0]]);
        let single = fitted(TransformKind::Centre, &array![[5.0, -1.0]]);
        assert_eq!(single.apply(array![[5.0, -1.0]].view(), &Silent).unwrap().into_owned(), array![[0.0, 0.0]]);
    }

    #[test]
    fn no_transform_changes_nothing_and_copies_nothing() {
        let vectors = random(3, 4, "none");
        let transform = fitted(TransformKind::None, &vectors);
        let same = transform.apply(vectors.view(), &Silent).unwrap();
        assert!(same.is_view());
        assert_eq!(same, vectors);
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
        let fit = |kind, vectors: &Array2<f32>| Transform::fit(kind, vectors.view(), &Silent).unwrap_err();
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
        let other = fitted(whiten, &random(5, 3, "five")).apply(random(2, 4, "four").view(), &Silent).unwrap_err();
        assert_eq!(other, TransformError::Dimensions { fitted: 3, given: 4 });
    }

    #[test]
    fn stops_when_told_to_at_any_stage() {
        struct StopAt(&'static str);
        impl Observer for StopAt {
            fn progress(&self, at: Progress) -> Result<(), Cancelled> {
                if at.stage.contains(self.0) { Err(Cancelled) } else { Ok(()) }
            }
        }
        let vectors = random(50, 10, "stop");
        for stage in ["averaging", "measuring"] {
            let stopped = Transform::fit(TransformKind::Whiten(None), vectors.view(), &StopAt(stage));
            assert_eq!(stopped.unwrap_err(), TransformError::Cancelled(Cancelled));
        }
        let transform = fitted(TransformKind::Whiten(None), &vectors);
        assert!(transform.apply(vectors.view(), &StopAt("transforming")).is_err());
    }
}
