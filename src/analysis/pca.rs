//! Principal components: linfa's LOBPCG where what it returns can be proven, else the exact eigenproblem.
//!
//! linfa-reduction 0.8 answers fast for a few components of many rows, and wrongly without a word for few rows, for nearly all
//! components, or for badly scaled columns. So nothing of it is believed unchecked: the number of components, their
//! orthonormality, how well each solves the eigenproblem, and that no larger component was passed over. Its explained variances
//! are not used (they are divided by the number of components, and their ratio is over the kept ones only).

use super::apart::run_apart;
use super::centred::{Centred, CentredError, Components, mean_of};
use super::eigen::{fix_signs, orthonormalise};
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use linfa::Dataset;
use linfa::traits::Fit;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rand::Rng;
use std::ops::Range;

/// Why there are no principal components.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PcaError {
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// No rows, no columns, or no components asked for.
    #[error(
        "principal components need at least one row, one column and one component; got {rows} x {columns}, {components} asked for"
    )]
    Empty {
        /// Number of vectors.
        rows: usize,
        /// Their length.
        columns: usize,
        /// How many components were asked for.
        components: usize,
    },
    /// A value is NaN or infinite.
    #[error("vector {row} holds a value that is no number (in column {column}); leave that record out")]
    NotFinite {
        /// First row with such a value, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
    },
    /// The eigenproblem has no numeric solution.
    #[error("the principal components did not converge; the vectors span too many orders of magnitude")]
    NotConverged,
}

impl From<CentredError> for PcaError {
    fn from(error: CentredError) -> Self {
        match error {
            CentredError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            CentredError::NotFinite { row, column } => Self::NotFinite { row, column },
            CentredError::NotConverged => Self::NotConverged,
        }
    }
}

/// Principal components of `N` vectors of length `D`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// The vectors in the space of the components, `[N,K]`, centred.
    pub projected: Array2<f32>,
    /// Orthonormal directions, `[K,D]`, the one with the largest variance first; in each the entry of largest size is positive.
    pub components: Array2<f64>,
    /// Variance along each component, `[K]`, divisor `N - 1`.
    pub explained_variance: Array1<f64>,
    /// Share of the whole variance, `[K]`.
    pub explained_ratio: Array1<f64>,
    /// Mean vector, `[D]`.
    pub mean: Array1<f64>,
}

impl Pca {
    /// The first `columns` coordinates of every row, `[N,columns]`; coordinates that the data do not have are zero.
    pub fn padded(&self, columns: usize) -> Array2<f32> {
        let mut padded = Array2::zeros((self.projected.nrows(), columns));
        let shared = columns.min(self.projected.ncols());
        padded.slice_mut(s![.., ..shared]).assign(&self.projected.slice(s![.., ..shared]));
        padded
    }
}

/// Rows that are centred in f64 at a time: bounds the memory and the time between two looks at the observer.
const ROWS: usize = 2048;
/// linfa copies everything as f64 twice; above this many numbers (256 MB) the covariance is cheaper.
const LINFA_NUMBERS: usize = 1 << 25;
/// LOBPCG slows down with the square of the components; above this many the exact problem is as fast.
const LINFA_COMPONENTS: usize = 16;
/// Variances below this share of the largest are rounding, not data.
const RANK_CUTOFF: f64 = 1e-12;
/// How exactly a component must solve the eigenproblem, relative to the largest variance.
const RESIDUAL: f64 = 1e-7;

/// Principal components of the rows of `vectors` `[N,D]`.
///
/// Fewer than `components` come back where the data have no more: at most `min(N - 1, D)`, none for constant data. See
/// [`Pca::padded`] for a map that always has two columns.
///
/// # Errors
/// [`PcaError`]: cancelled, nothing to do, a value that is not finite, no convergence.
pub fn pca(vectors: ArrayView2<'_, f32>, components: usize, observer: &dyn Observer) -> Result<Pca, PcaError> {
    let (rows, columns) = vectors.dim();
    if rows == 0 || columns == 0 || components == 0 {
        return Err(PcaError::Empty { rows, columns, components });
    }
    let mean = mean_of(&vectors, observer)?;
    let centred = Centred { vectors: &vectors, mean: &mean };
    observer.progress(Progress::new(STAGE, 0, rows, UNIT))?;
    let total_variance = centred.total_variance(observer)?;
    let wanted = components.min(columns).min(rows - 1);
    let found = if total_variance > 0.0 && wanted > 0 {
        match by_linfa(&centred, wanted, observer)? {
            Some(found) => found,
            None => exact(&centred, wanted, observer)?,
        }
    } else {
        Eigen { values: Array1::zeros(0), vectors: Array2::zeros((0, columns)) }
    };
    let Eigen { values, vectors: mut directions } = found;
    fix_signs(&mut directions);
    let projected = centred.project(&directions, STAGE, observer)?;
    Ok(Pca {
        projected,
        explained_ratio: values.mapv(|value| (value / total_variance).min(1.0)),
        explained_variance: values,
        components: directions,
        mean,
    })
}

const STAGE: &str = "finding the principal components";
const UNIT: &str = "vectors";

/// Largest variances `[K]` and their directions `[K,D]`.
struct Eigen {
    values: Array1<f64>,
    vectors: Array2<f64>,
}

impl Eigen {
    /// The leading `wanted` pairs, without what is only rounding.
    fn leading(values: &Array1<f64>, vectors: &Array2<f64>, wanted: usize) -> Self {
        let floor = values[0] * RANK_CUTOFF;
        let kept = values.iter().take(wanted).take_while(|&&value| value > floor && value > 0.0).count();
        Self { values: values.slice(s![..kept]).to_owned(), vectors: vectors.slice(s![..kept, ..]).to_owned() }
    }
}

impl Centred<'_> {
    fn rows(&self) -> usize {
        self.vectors.len()
    }

    fn block(&self, rows: Range<usize>) -> Array2<f64> {
        let mut block = Array2::zeros((rows.len(), self.vectors.dim()));
        self.fill_rows(rows, block.as_slice_mut().expect("made in standard order"));
        block
    }

    /// Calls `work` with every block of centred rows, in order.
    fn for_blocks(
        &self,
        observer: &dyn Observer,
        mut work: impl FnMut(usize, &Array2<f64>) -> Result<(), PcaError>,
    ) -> Result<(), PcaError> {
        for start in (0..self.rows()).step_by(ROWS) {
            observer.progress(Progress::new(STAGE, start, self.rows(), UNIT))?;
            let end = (start + ROWS).min(self.rows());
            work(start, &self.block(start..end))?;
        }
        Ok(())
    }

    fn total_variance(&self, observer: &dyn Observer) -> Result<f64, PcaError> {
        let mut sum = 0.0;
        self.for_blocks(observer, |_, block| {
            sum += block.iter().map(|value| value * value).sum::<f64>();
            Ok(())
        })?;
        let scale = self.mean.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let variance = sum / (self.rows().max(2) - 1) as f64;
        // The mean of equal numbers is off by a rounding; that is no variance.
        let rounding = (scale * 1e-14).powi(2) * self.mean.len() as f64;
        Ok(if variance > rounding { variance } else { 0.0 })
    }

    /// `directions · Cᵀ C / (N - 1)`, `[K,D]`: the covariance applied without forming it.
    fn covariance_times(&self, directions: &Array2<f64>, observer: &dyn Observer) -> Result<Array2<f64>, PcaError> {
        let mut product = Array2::<f64>::zeros(directions.raw_dim());
        self.for_blocks(observer, |_, block| {
            product += &directions.dot(&block.t()).dot(block);
            Ok(())
        })?;
        product /= (self.rows() - 1) as f64;
        Ok(product)
    }
}

/// What LOBPCG finds, if it can be shown to be right.
fn by_linfa(centred: &Centred<'_>, wanted: usize, observer: &dyn Observer) -> Result<Option<Eigen>, PcaError> {
    let (rows, columns) = (centred.rows(), centred.vectors.dim());
    // Its known weak ground, not worth the attempt: few rows, many components, or a good part of all directions.
    if wanted > LINFA_COMPONENTS || wanted * 5 > rows.min(columns) || rows * columns > LINFA_NUMBERS {
        return Ok(None);
    }
    // Scaled by one number, so that its absolute tolerance means the same for every input.
    let total = centred.total_variance(observer)?.sqrt();
    let records = centred.block(0..rows) / total;
    let at = Progress { stage: STAGE, done: 0, total: None, unit: UNIT };
    let fitted = run_apart(at, observer, move || {
        linfa_reduction::Pca::params(wanted).fit(&Dataset::from(records)).map(|model| model.components().to_owned())
    })?;
    match fitted {
        Some(Ok(directions)) => checked(centred, &directions, wanted, observer),
        _ => Ok(None),
    }
}

/// `directions` with their variances, largest first, if they are the `wanted` leading eigenvectors of the covariance.
fn checked(
    centred: &Centred<'_>,
    directions: &Array2<f64>,
    wanted: usize,
    observer: &dyn Observer,
) -> Result<Option<Eigen>, PcaError> {
    if directions.dim() != (wanted, centred.mean.len()) || directions.iter().any(|value| !value.is_finite()) {
        return Ok(None);
    }
    let overlap = directions.dot(&directions.t()) - Array2::<f64>::eye(wanted);
    if overlap.iter().any(|value| value.abs() > 1e-8) {
        return Ok(None);
    }
    let applied = centred.covariance_times(directions, observer)?;
    let values: Vec<f64> = directions.rows().into_iter().zip(applied.rows()).map(|(v, sv)| v.dot(&sv)).collect();
    let mut order: Vec<usize> = (0..wanted).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let (directions, applied) = (directions.select(Axis(0), &order), applied.select(Axis(0), &order));
    let values = Array1::from_iter(order.iter().map(|&i| values[i]));
    for ((direction, image), &value) in directions.rows().into_iter().zip(applied.rows()).zip(&values) {
        let residual = &image - &(&direction * value);
        if residual.dot(&residual).sqrt() > RESIDUAL * values[0] {
            return Ok(None);
        }
    }
    let passed_over = largest_outside(centred, &directions, observer)?;
    if passed_over > values[wanted - 1] * (1.0 + 1e-6) {
        return Ok(None);
    }
    Ok(Some(Eigen::leading(&values, &directions, wanted)))
}

/// A lower bound of the largest variance orthogonal to `directions`, by a few power iterations from random starts: catches a
/// leading component that was left out.
fn largest_outside(centred: &Centred<'_>, directions: &Array2<f64>, observer: &dyn Observer) -> Result<f64, PcaError> {
    const STARTS: usize = 4;
    const ITERATIONS: usize = 8;
    let mut rng = Seed(0).stream("pca/check");
    let mut probes = Array2::from_shape_fn((STARTS, centred.mean.len()), |_| rng.random_range(-1.0..1.0));
    let mut largest = 0.0f64;
    for _ in 0..ITERATIONS {
        let shared = probes.dot(&directions.t());
        probes -= &shared.dot(directions);
        orthonormalise(&mut probes);
        let applied = centred.covariance_times(&probes, observer)?;
        let quotients = probes.rows().into_iter().zip(applied.rows()).map(|(v, sv)| v.dot(&sv));
        largest = quotients.fold(largest, f64::max);
        probes = applied;
    }
    Ok(largest)
}

/// The exact eigenproblem.
fn exact(centred: &Centred<'_>, wanted: usize, observer: &dyn Observer) -> Result<Eigen, PcaError> {
    let Components { variance, mut directions } = centred.components(wanted, RANK_CUTOFF, observer)?;
    // Directions of the smallest variances, found through the rows' inner products, are not quite at right angles.
    if centred.rows() < centred.mean.len() {
        orthonormalise(&mut directions);
    }
    Ok(Eigen { values: variance, vectors: directions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use ndarray::array;
    use rand_distr::{Distribution, StandardNormal};

    fn reference() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/fixtures/reference/analysis.json")).unwrap()
    }

    fn matrix<T: serde::de::DeserializeOwned + Clone>(value: &serde_json::Value) -> Array2<T> {
        let rows: Vec<Vec<T>> = serde_json::from_value(value.clone()).unwrap();
        let columns = rows[0].len();
        Array2::from_shape_vec((rows.len(), columns), rows.concat()).unwrap()
    }

    fn gaussian(rows: usize, columns: usize, scale: impl Fn(usize) -> f64) -> Array2<f32> {
        let mut rng = Seed(5).stream("test");
        let normal = StandardNormal;
        Array2::from_shape_fn((rows, columns), |(_, column)| {
            let draw: f64 = normal.sample(&mut rng);
            (draw * scale(column)) as f32
        })
    }

    /// Components, orthonormality and variances against the plain definition.
    fn assert_solves(vectors: &Array2<f32>, found: &Pca) {
        let mean = mean_of(vectors, &Silent).unwrap();
        let centred = Centred { vectors, mean: &mean };
        let k = found.components.nrows();
        let overlap = found.components.dot(&found.components.t()) - Array2::<f64>::eye(k);
        assert!(overlap.iter().all(|value| value.abs() < 1e-7), "not orthonormal: {overlap}");
        let applied = centred.covariance_times(&found.components, &Silent).unwrap();
        for i in 0..k {
            let residual = &applied.row(i) - &(&found.components.row(i) * found.explained_variance[i]);
            assert!(residual.dot(&residual).sqrt() <= 1e-6 * found.explained_variance[0], "component {i}");
            let variance = found.projected.column(i).iter().map(|&x| f64::from(x).powi(2)).sum::<f64>()
                / (vectors.nrows() - 1) as f64;
            assert!((variance / found.explained_variance[i] - 1.0).abs() < 1e-4, "variance along component {i}");
        }
    }

    #[test]
    fn agrees_with_scikit_learn() {
        let case = reference();
        let x = matrix::<f32>(&case["x"]);
        let expected = matrix::<f64>(&case["pca"]["components"]);
        let variance: Vec<f64> = serde_json::from_value(case["pca"]["explained_variance"].clone()).unwrap();
        let found = pca(x.view(), 3, &Silent).unwrap();
        for (i, variance) in variance.iter().enumerate() {
            assert!((found.explained_variance[i] / variance - 1.0).abs() < 1e-6);
            assert!(found.components.row(i).dot(&expected.row(i)).abs() > 1.0 - 1e-9, "component {i}");
        }
        assert_solves(&x, &found);
    }

    #[test]
    fn linfa_and_the_exact_eigenproblem_agree_where_both_may_answer() {
        let x = gaussian(400, 30, |column| 1.0 + 10.0 / (1 + column) as f64);
        let mean = mean_of(&x, &Silent).unwrap();
        let centred = Centred { vectors: &x, mean: &mean };
        let fast = by_linfa(&centred, 3, &Silent).unwrap().expect("easy for LOBPCG");
        let slow = exact(&centred, 3, &Silent).unwrap();
        for i in 0..3 {
            assert!((fast.values[i] / slow.values[i] - 1.0).abs() < 1e-9);
            assert!(fast.vectors.row(i).dot(&slow.vectors.row(i)).abs() > 1.0 - 1e-9);
        }
    }

    #[test]
    fn what_is_wrong_is_not_believed() {
        let x = gaussian(200, 12, |column| (12 - column) as f64);
        let mean = mean_of(&x, &Silent).unwrap();
        let centred = Centred { vectors: &x, mean: &mean };
        let right = exact(&centred, 4, &Silent).unwrap().vectors;
        let verdict =
            |directions: Array2<f64>, wanted| checked(&centred, &directions, wanted, &Silent).unwrap().is_some();
        assert!(verdict(right.slice(s![..3, ..]).to_owned(), 3));
        assert!(!verdict(right.slice(s![..2, ..]).to_owned(), 3), "too few");
        assert!(!verdict(&right.slice(s![..3, ..]) * 1.001, 3), "not of unit length");
        assert!(!verdict(right.slice(s![1..4, ..]).to_owned(), 3), "the largest one left out");
        let mut turned = right.slice(s![..3, ..]).to_owned();
        let (first, last) = (right.row(0).to_owned(), right.row(3).to_owned());
        turned.row_mut(0).assign(&(&first * 0.01f64.cos() + &last * 0.01f64.sin()));
        assert!(!verdict(turned, 3), "off by a hundredth");
        let mut broken = right.slice(s![..3, ..]).to_owned();
        broken[[0, 0]] = f64::NAN;
        assert!(!verdict(broken, 3));
    }

    #[test]
    fn hard_shapes_are_solved_too() {
        for (rows, columns, components, scale) in [
            (6, 40, 5, 1.0),      // few rows
            (40, 6, 6, 1.0),      // all components
            (50, 20, 19, 1.0),    // nearly all
            (100, 10, 2, 1000.0), // badly scaled columns
            (3, 2, 1, 1.0),
        ] {
            let x = gaussian(rows, columns, |column| if column % 2 == 0 { scale } else { 1.0 });
            let found = pca(x.view(), components, &Silent).unwrap();
            assert_eq!(found.components.nrows(), components, "{rows} x {columns}");
            assert_solves(&x, &found);
            let all = pca(x.view(), columns.min(rows), &Silent).unwrap();
            assert!((all.explained_ratio.sum() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn data_have_no_more_components_than_they_span() {
        let line = Array2::from_shape_fn((30, 4), |(row, column)| (row * (column + 1)) as f32);
        let found = pca(line.view(), 3, &Silent).unwrap();
        assert_eq!(found.components.nrows(), 1);
        assert!((found.explained_ratio[0] - 1.0).abs() < 1e-12);
        let padded = found.padded(2);
        assert_eq!(padded.dim(), (30, 2));
        assert!(padded.column(1).iter().all(|&x| x == 0.0) && padded[[0, 0]] == found.projected[[0, 0]]);
        for constant in [Array2::from_elem((20, 3), 0.1f32), Array2::zeros((5, 3)), array![[1.0, 2.0]]] {
            let found = pca(constant.view(), 2, &Silent).unwrap();
            assert_eq!(found.projected.dim(), (constant.nrows(), 0), "{constant}");
        }
        assert_eq!(pca(array![[0.0f32, 0.0], [3.0, 4.0]].view(), 2, &Silent).unwrap().explained_variance[0], 12.5);
    }

    #[test]
    fn bad_input_is_named() {
        let empty = Array2::<f32>::zeros((0, 3));
        assert_eq!(pca(empty.view(), 2, &Silent), Err(PcaError::Empty { rows: 0, columns: 3, components: 2 }));
        assert!(pca(array![[1.0f32]].view(), 0, &Silent).is_err());
        let holed = array![[1.0f32, 2.0], [3.0, f32::NAN]];
        assert_eq!(pca(holed.view(), 1, &Silent), Err(PcaError::NotFinite { row: 1, column: 1 }));
        assert!(pca(array![[f32::INFINITY]].view(), 1, &Silent).is_err());
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let x = gaussian(500, 90, |column| 1.0 + column as f64);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (pca(x.view(), 60, &Silent).unwrap(), pca(x.view(), 2, &Silent).unwrap()))
        };
        assert_eq!(with(1), with(3));
    }
}
