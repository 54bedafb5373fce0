//! Mahalanobis distance to the nearest class mean, with one covariance shared by all classes (Lee, Lee, Lee & Shin 2018, NeurIPS).
//!
//! The covariance of the residuals is shrunk towards a multiple of the identity, by the amount of Ledoit & Wolf (2004, Journal of
//! Multivariate Analysis 88: 365-411), which needs no setting and makes it invertible however few specimens there are.

use crate::analysis::eigen::symmetric_eigen;
use crate::progress::{Cancelled, Observer, Progress};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

/// Rows that are worked on at once.
const BLOCK: usize = 512;

/// Why there are no distances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MahalanobisError {
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Every specimen equals the mean of its class.
    #[error("no class has specimens that differ from each other, so there is no spread to measure distances by")]
    NoSpread,
    /// A value is NaN or infinite, or the eigenvalues could not be found.
    #[error("the embeddings hold a value that is no number")]
    NotFinite,
}

/// What must not be compared with a vector, so that a specimen of the reference is measured as a query would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// Nothing: a query.
    Nothing,
    /// The vector itself, a member of this class.
    Member(u32),
    /// All of this class.
    Class(u32),
}

/// Class means in the space in which the shared covariance is the identity.
#[derive(Debug, Clone)]
pub struct Mahalanobis {
    /// Vectors are multiplied by this, `[D,D]`.
    whitening: Array2<f64>,
    /// Class means, multiplied, `[C,D]`.
    means: Array2<f64>,
    /// Members of each class, `[C]`.
    members: Vec<usize>,
    shrinkage: f64,
}

impl Mahalanobis {
    /// Fits means and covariance on vectors `[N,D]` with their classes `[N]`, numbers from 0 without gaps.
    ///
    /// # Errors
    /// [`MahalanobisError`].
    ///
    /// # Panics
    /// When vectors and classes differ in number.
    pub fn fit(
        vectors: ArrayView2<'_, f32>,
        classes: &[u32],
        observer: &dyn Observer,
    ) -> Result<Self, MahalanobisError> {
        assert_eq!(vectors.nrows(), classes.len(), "one class per vector");
        let (means, members) = class_means(vectors, classes);
        let residuals = |rows: std::ops::Range<usize>| {
            let mut block = vectors.slice(s![rows.clone(), ..]).mapv(f64::from);
            for (mut residual, &class) in block.rows_mut().into_iter().zip(&classes[rows]) {
                residual -= &means.row(class as usize);
            }
            block
        };
        let covariance = Covariance::of(vectors.dim(), &residuals, observer)?;
        let (shrinkage, shrunk) = covariance.shrunk()?;
        let (values, mut directions) = symmetric_eigen(shrunk.view()).ok_or(MahalanobisError::NotFinite)?;
        for (mut direction, value) in directions.rows_mut().into_iter().zip(&values) {
            direction /= value.sqrt();
        }
        let means = means.dot(&directions.t());
        Ok(Self { whitening: directions, means, members, shrinkage })
    }

    /// Weight of the identity in the covariance, 0 to 1.
    pub fn shrinkage(&self) -> f64 {
        self.shrinkage
    }

    /// Distance of every vector `[N,D]` to the nearest class mean, `[N]`, less what is left out for it; infinite where no class
    /// remains.
    ///
    /// # Errors
    /// [`Cancelled`] when the observer says so.
    ///
    /// # Panics
    /// When vectors and `left_out` differ in number, or the vectors in width from those of the fit.
    pub fn distances(
        &self,
        vectors: ArrayView2<'_, f32>,
        left_out: &[LeftOut],
        observer: &dyn Observer,
    ) -> Result<Vec<f64>, Cancelled> {
        assert_eq!(vectors.nrows(), left_out.len(), "one exception per vector");
        let lengths: Array1<f64> = self.means.rows().into_iter().map(|mean| mean.dot(&mean)).collect();
        let starts: Vec<usize> = (0..vectors.nrows()).step_by(BLOCK).collect();
        let blocks: Vec<Vec<f64>> = starts
            .into_par_iter()
            .map(|start| {
                observer.progress(Progress::new("comparing with species means", start, vectors.nrows(), "barcodes"))?;
                let end = (start + BLOCK).min(vectors.nrows());
                let block = vectors.slice(s![start..end, ..]).mapv(f64::from).dot(&self.whitening.t());
                let products = block.dot(&self.means.t());
                let of_row = |(at, products): (usize, ndarray::ArrayView1<'_, f64>)| {
                    let own = block.row(at).dot(&block.row(at));
                    let squared = |class: usize| (own + lengths[class] - 2.0 * products[class]).max(0.0);
                    self.least(squared, left_out[start + at]).sqrt()
                };
                Ok(products.rows().into_iter().enumerate().map(of_row).collect())
            })
            .collect::<Result<_, Cancelled>>()?;
        Ok(blocks.into_iter().flatten().collect())
    }

    /// The least of the squared distances to the class means.
    fn least(&self, squared: impl Fn(usize) -> f64, left_out: LeftOut) -> f64 {
        let (except, own) = match left_out {
            LeftOut::Nothing => (None, None),
            LeftOut::Member(class) => (Some(class as usize), Some(class as usize)),
            LeftOut::Class(class) => (Some(class as usize), None),
        };
        let others = (0..self.members.len()).filter(|&class| Some(class) != except).map(&squared);
        let least = others.fold(f64::INFINITY, f64::min);
        match own {
            // Without its member a mean of `n` lies farther from it, by n / (n - 1).
            Some(class) if self.members[class] > 1 => {
                let n = self.members[class] as f64;
                least.min(squared(class) * (n / (n - 1.0)).powi(2))
            }
            _ => least,
        }
    }
}

fn class_means(vectors: ArrayView2<'_, f32>, classes: &[u32]) -> (Array2<f64>, Vec<usize>) {
    let count = classes.iter().max().map_or(0, |&most| most as usize + 1);
    let mut means = Array2::zeros((count, vectors.ncols()));
    let mut members = vec![0_usize; count];
    for (vector, &class) in vectors.rows().into_iter().zip(classes) {
        members[class as usize] += 1;
        means.row_mut(class as usize).zip_mut_with(&vector, |sum, &value| *sum += f64::from(value));
    }
    for (mut mean, &n) in means.axis_iter_mut(Axis(0)).zip(&members) {
        mean /= n.max(1) as f64;
    }
    (means, members)
}

/// Second moments of residuals, with what their shrinkage needs.
struct Covariance {
    /// `[D,D]`, divisor `N`.
    matrix: Array2<f64>,
    /// Mean of the fourth power of the residuals' lengths.
    fourth: f64,
    rows: usize,
}

impl Covariance {
    fn of(
        (rows, dim): (usize, usize),
        residuals: &(dyn Fn(std::ops::Range<usize>) -> Array2<f64> + Sync),
        observer: &dyn Observer,
    ) -> Result<Self, Cancelled> {
        let mut matrix = Array2::zeros((dim, dim));
        let mut fourth = 0.0;
        // In order, so that no result depends on the number of threads.
        for start in (0..rows).step_by(BLOCK) {
            observer.progress(Progress::new("measuring the spread within species", start, rows, "barcodes"))?;
            let block = residuals(start..(start + BLOCK).min(rows));
            ndarray::linalg::general_mat_mul(1.0, &block.t(), &block, 1.0, &mut matrix);
            fourth += block.rows().into_iter().map(|row| row.dot(&row).powi(2)).sum::<f64>();
        }
        let n = rows.max(1) as f64;
        Ok(Self { matrix: matrix / n, fourth: fourth / n, rows })
    }

    /// The shrinkage and the shrunk matrix.
    fn shrunk(&self) -> Result<(f64, Array2<f64>), MahalanobisError> {
        let dim = self.matrix.nrows() as f64;
        let scale = self.matrix.diag().sum() / dim;
        if !scale.is_finite() || !self.fourth.is_finite() {
            return Err(MahalanobisError::NotFinite);
        }
        if self.rows == 0 || scale <= 0.0 {
            return Err(MahalanobisError::NoSpread);
        }
        let squared_norm = self.matrix.iter().map(|value| value * value).sum::<f64>();
        // Squared distances, per dimension: of the matrix from the target, and of single residuals' products from the matrix.
        let distance = squared_norm / dim - scale * scale;
        let noise = (self.fourth - squared_norm) / dim / self.rows as f64;
        let shrinkage = if distance > 0.0 { (noise / distance).clamp(0.0, 1.0) } else { 1.0 };
        let mut shrunk = &self.matrix * (1.0 - shrinkage);
        shrunk.diag_mut().iter_mut().for_each(|value| *value += shrinkage * scale);
        // One dimension without any spread would make every distance along it infinite.
        let floor = scale * 1e-9;
        shrunk.diag_mut().iter_mut().for_each(|value| *value += floor);
        Ok((shrinkage, shrunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::seed::Seed;
    use ndarray::array;
    use rand::Rng;

    fn sample(rows: usize, dim: usize) -> (Array2<f32>, Vec<u32>) {
        let mut rng = Seed(8).stream("vectors");
        let classes: Vec<u32> = (0..rows).map(|row| (row % 4) as u32).collect();
        let mut vectors = Array2::zeros((rows, dim));
        for (mut vector, &class) in vectors.rows_mut().into_iter().zip(&classes) {
            for (axis, value) in vector.iter_mut().enumerate() {
                let noise: f32 = rng.random_range(-1.0..1.0);
                *value = (1.0 + axis as f32) * noise + if axis == class as usize { 9.0 } else { 0.0 };
            }
        }
        (vectors, classes)
    }

    #[test]
    fn shrinkage_is_that_of_the_sum_over_single_residuals() {
        let (vectors, classes) = sample(12, 5);
        let (means, _) = class_means(vectors.view(), &classes);
        let residual = |row: usize| &vectors.row(row).mapv(f64::from) - &means.row(classes[row] as usize);
        let product = |row: usize| Array2::from_shape_fn((5, 5), |(i, j)| residual(row)[i] * residual(row)[j]);
        let mut matrix = Array2::<f64>::zeros((5, 5));
        (0..12).for_each(|row| matrix += &(product(row) / 12.0));
        let scale = matrix.diag().sum() / 5.0;
        let square = |matrix: &Array2<f64>| matrix.iter().map(|value| value * value).sum::<f64>() / 5.0;
        let distance = square(&(&matrix - &(Array2::<f64>::eye(5) * scale)));
        let noise = (0..12).map(|row| square(&(product(row) - &matrix))).sum::<f64>() / 144.0;
        let fitted = Mahalanobis::fit(vectors.view(), &classes, &Silent).unwrap();
        assert!(
            (fitted.shrinkage() - noise / distance).abs() < 1e-9,
            "{} and {}",
            fitted.shrinkage(),
            noise / distance
        );
        assert!(fitted.shrinkage() > 0.01 && fitted.shrinkage() < 0.99);
    }

    #[test]
    fn along_uncorrelated_axes_a_distance_is_in_standard_deviations() {
        // Two classes, each at its mean plus and minus 1 along one axis and 3 along the other.
        let vectors = array![
            [1.0_f32, 0.0],
            [-1.0, 0.0],
            [0.0, 3.0],
            [0.0, -3.0],
            [21.0, 0.0],
            [19.0, 0.0],
            [20.0, 3.0],
            [20.0, -3.0]
        ];
        let classes = [0, 0, 0, 0, 1, 1, 1, 1];
        let fitted = Mahalanobis::fit(vectors.view(), &classes, &Silent).unwrap();
        let (within, scale) = ([0.5, 4.5], 2.5);
        let variance = within.map(|value: f64| value * (1.0 - fitted.shrinkage()) + scale * fitted.shrinkage());
        let query = array![[2.0_f32, 3.0]];
        let found = fitted.distances(query.view(), &[LeftOut::Nothing], &Silent).unwrap()[0];
        let expected = (4.0 / variance[0] + 9.0 / variance[1]).sqrt();
        assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        let other = fitted.distances(query.view(), &[LeftOut::Class(0)], &Silent).unwrap()[0];
        let expected = (18.0 * 18.0 / variance[0] + 9.0 / variance[1]).sqrt();
        assert!((other - expected).abs() < 1e-6, "{other}, not {expected}");
    }

    #[test]
    fn a_member_is_measured_against_the_mean_of_the_others() {
        let (vectors, classes) = sample(16, 5);
        let fitted = Mahalanobis::fit(vectors.view(), &classes, &Silent).unwrap();
        let left_out: Vec<LeftOut> = classes.iter().map(|&class| LeftOut::Member(class)).collect();
        let found = fitted.distances(vectors.view(), &left_out, &Silent).unwrap();
        for (row, &found) in found.iter().enumerate() {
            let mut means: Vec<Array1<f64>> = Vec::new();
            for class in 0..4_u32 {
                let members = (0..16).filter(|&other| other != row && classes[other] == class);
                let (sum, n) = members.fold((Array1::<f64>::zeros(5), 0.0), |(sum, n), other| {
                    (sum + vectors.row(other).mapv(f64::from), n + 1.0)
                });
                means.push(sum / n);
            }
            let distance = |mean: &Array1<f64>| {
                let white = fitted.whitening.dot(&(vectors.row(row).mapv(f64::from) - mean));
                white.dot(&white).sqrt()
            };
            let expected = means.iter().map(distance).fold(f64::INFINITY, f64::min);
            assert!((found - expected).abs() < 1e-6, "{found} and {expected}");
        }
    }

    #[test]
    fn a_single_class_left_out_leaves_nothing_and_equal_vectors_have_no_spread() {
        let vectors = array![[1.0_f32, 0.0], [0.0, 1.0]];
        let fitted = Mahalanobis::fit(vectors.view(), &[0, 0], &Silent).unwrap();
        let found = fitted.distances(vectors.view(), &[LeftOut::Class(0), LeftOut::Nothing], &Silent).unwrap();
        assert!(found[0].is_infinite() && found[1].is_finite());
        for vectors in [array![[1.0_f32, 2.0], [1.0, 2.0]], Array2::zeros((0, 2))] {
            let classes = vec![0; vectors.nrows()];
            let error = Mahalanobis::fit(vectors.view(), &classes, &Silent).unwrap_err();
            assert_eq!(error, MahalanobisError::NoSpread);
        }
        let broken = array![[f32::NAN, 2.0], [1.0, 2.0]];
        assert_eq!(Mahalanobis::fit(broken.view(), &[0, 0], &Silent).unwrap_err(), MahalanobisError::NotFinite);
    }
}
