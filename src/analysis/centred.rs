//! Vectors seen through their mean, and the directions in which they vary: what principal components and whitening share.
//!
//! Everything is added up in f64, in fixed blocks and a fixed order, so that no result depends on the number of threads.

use super::apart::run_apart;
use super::eigen::{fix_signs, symmetric_eigen};
use super::knn::{VectorSource, collected, rows_of};
use crate::progress::{Cancelled, Observer, Progress};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Axis, s};
use rayon::prelude::*;
use std::ops::Range;

/// Why vectors have no mean or no principal components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CentredError {
    /// The observer asked to stop.
    Cancelled(Cancelled),
    /// A value is NaN or infinite.
    NotFinite {
        /// First row with such a value, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
    },
    /// The eigenproblem has no numeric solution.
    NotConverged,
}

impl From<Cancelled> for CentredError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

/// Vectors `[N,D]` less a mean `[D]`, made as they are needed.
pub(crate) struct Centred<'a> {
    pub(crate) vectors: &'a dyn VectorSource,
    pub(crate) mean: &'a Array1<f64>,
}

/// Directions of largest variance.
pub(crate) struct Components {
    /// Variances `[K]`, the largest first, divisor `N - 1`.
    pub(crate) variance: Array1<f64>,
    /// Their directions `[K,D]`, of unit length; in each the coefficient of largest size is positive.
    pub(crate) directions: Array2<f64>,
}

/// The mean `[D]` of vectors `[N,D]`.
pub(crate) fn mean_of(vectors: &dyn VectorSource, observer: &dyn Observer) -> Result<Array1<f64>, CentredError> {
    const BLOCK_ROWS: usize = 1024;
    let (rows, dim) = (vectors.len(), vectors.dim());
    let starts: Vec<usize> = (0..rows).step_by(BLOCK_ROWS).collect();
    let sums: Vec<Result<Array1<f64>, CentredError>> = starts
        .into_par_iter()
        .map(|start| {
            observer.progress(Progress::new("averaging the vectors", start, rows, "barcodes"))?;
            let block = rows_of(vectors, start..(start + BLOCK_ROWS).min(rows));
            let mut sum = Array1::zeros(dim);
            for (row, vector) in (start..).zip(block.rows()) {
                if let Some(column) = vector.iter().position(|value| !value.is_finite()) {
                    return Err(CentredError::NotFinite { row, column });
                }
                sum.zip_mut_with(&vector, |sum, &value| *sum += f64::from(value));
            }
            Ok(sum)
        })
        .collect();
    let mut mean = Array1::zeros(dim);
    for sum in sums {
        mean += &sum?;
    }
    Ok(mean / rows.max(1) as f64)
}

/// Centred vectors in the space of `directions` `[K,D]`, row after row: `[N,K]`.
struct Projected<'a> {
    centred: &'a Centred<'a>,
    directions: &'a [f64],
    width: usize,
}

impl VectorSource for Projected<'_> {
    fn len(&self) -> usize {
        self.centred.vectors.len()
    }

    fn dim(&self) -> usize {
        self.width
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f32]) {
        self.centred.project_rows(rows, self.directions, out);
    }
}

impl Centred<'_> {
    /// Whether any vector differs from another. Asked of the values themselves: the mean of equal values is off by a rounding
    /// error, which would pass for variance.
    pub(crate) fn varies(&self) -> bool {
        const BLOCK_ROWS: usize = 64;
        let rows = self.vectors.len();
        let first = rows_of(self.vectors, 0..rows.min(1));
        (0..rows).step_by(BLOCK_ROWS).any(|start| {
            let block = rows_of(self.vectors, start..(start + BLOCK_ROWS).min(rows));
            block.rows().into_iter().any(|row| row != first.row(0))
        })
    }

    /// Writes `rows` as `[rows, D]`.
    pub(crate) fn fill_rows(&self, rows: Range<usize>, out: &mut [f64]) {
        let block = rows_of(self.vectors, rows);
        for (out, values) in out.chunks_exact_mut(self.mean.len().max(1)).zip(block.rows()) {
            out.iter_mut()
                .zip(values.iter().zip(self.mean))
                .for_each(|(out, (&value, mean))| *out = f64::from(value) - mean);
        }
    }

    /// The vectors in the space of `directions` `[K,D]`: `[N,K]`.
    ///
    /// Multiplied in f64 and then rounded, which wipes out what the kernel does differently at the edges of a block: equal
    /// vectors stay equal wherever they stand.
    pub(crate) fn project(
        &self,
        directions: &Array2<f64>,
        stage: &'static str,
        observer: &dyn Observer,
    ) -> Result<Array2<f32>, Cancelled> {
        let in_order = directions.as_standard_layout();
        let flat = in_order.as_slice().expect("in standard layout");
        collected(&Projected { centred: self, directions: flat, width: directions.nrows() }, stage, observer)
    }

    /// Writes `rows` in the space of `directions` `[K,D]`, row after row: `[rows,K]`.
    pub(crate) fn project_rows(&self, rows: Range<usize>, directions: &[f64], out: &mut [f32]) {
        let (dim, count) = (self.vectors.dim(), rows.len());
        let width = directions.len() / dim.max(1);
        let (mut centred, mut product) = (vec![0.0; count * dim], vec![0.0; count * width]);
        self.fill_rows(rows, &mut centred);
        matmul(
            MatMut::from_row_major_slice_mut(&mut product, count, width),
            Accum::Replace,
            MatRef::from_row_major_slice(&centred, count, dim),
            MatRef::from_row_major_slice(directions, width, dim).transpose(),
            1.0,
            Par::Seq,
        );
        out.iter_mut().zip(product).for_each(|(out, value)| *out = value as f32);
    }

    /// The at most `limit` directions of largest variance, exactly, down to `least_share` of the largest variance; none where
    /// nothing varies.
    pub(crate) fn components(
        &self,
        limit: usize,
        least_share: f64,
        observer: &dyn Observer,
    ) -> Result<Components, CentredError> {
        let (rows, dim) = (self.vectors.len(), self.vectors.dim());
        if !self.varies() {
            return Ok(Components { variance: Array1::zeros(0), directions: Array2::zeros((0, dim)) });
        }
        let kept = Kept { limit, least_share };
        // N vectors span at most N - 1 dimensions, so for few vectors the problem between vectors is the smaller one.
        let (scatter, mut directions) =
            if rows < dim { self.by_vectors(kept, observer)? } else { self.by_dimensions(kept, observer)? };
        fix_signs(&mut directions);
        Ok(Components { variance: scatter / (rows - 1) as f64, directions })
    }

    /// Through the products between dimensions, `[D,D]`.
    fn by_dimensions(&self, kept: Kept, observer: &dyn Observer) -> Result<(Array1<f64>, Array2<f64>), CentredError> {
        let (rows, dim) = (self.vectors.len(), self.vectors.dim());
        let fill = |range: Range<usize>, out: &mut [f64]| self.fill_rows(range, out);
        kept.leading(products_of_columns(rows, dim, &fill, observer)?, observer)
    }

    /// Through the products between vectors, `[N,N]`, which have the same eigenvalues.
    fn by_vectors(&self, kept: Kept, observer: &dyn Observer) -> Result<(Array1<f64>, Array2<f64>), CentredError> {
        let (rows, dim) = (self.vectors.len(), self.vectors.dim());
        // They are fewer than dimensions, so that all of them have room.
        let centred = rows_of(self.vectors, 0..rows).mapv(f64::from) - self.mean;
        let fill = |range: Range<usize>, out: &mut [f64]| {
            out.iter_mut().zip(centred.slice(s![.., range]).t()).for_each(|(out, &value)| *out = value);
        };
        let (scatter, weights) = kept.leading(products_of_columns(dim, rows, &fill, observer)?, observer)?;
        let mut directions = Array2::zeros((scatter.len(), dim));
        let parts: Vec<_> =
            directions.axis_chunks_iter_mut(Axis(0), 16).zip(weights.axis_chunks_iter(Axis(0), 16)).collect();
        parts.into_par_iter().try_for_each(|(mut part, weights)| {
            general_mat_mul(1.0, &weights, &centred, 0.0, &mut part);
            observer.progress(Kept::AT)
        })?;
        for (mut direction, scatter) in directions.axis_iter_mut(Axis(0)).zip(&scatter) {
            direction /= scatter.sqrt();
        }
        Ok((scatter, directions))
    }
}

/// Which eigenvalues are wanted.
#[derive(Clone, Copy)]
struct Kept {
    limit: usize,
    least_share: f64,
}

impl Kept {
    const AT: Progress = Progress { stage: "finding the principal components", done: 0, total: None, unit: "steps" };

    /// The wanted eigenvalues, largest first, and their vectors as rows.
    fn leading(
        self,
        symmetric: Array2<f64>,
        observer: &dyn Observer,
    ) -> Result<(Array1<f64>, Array2<f64>), CentredError> {
        let (values, vectors) = run_apart(Self::AT, observer, move || symmetric_eigen(symmetric.view()))?
            .flatten()
            .ok_or(CentredError::NotConverged)?;
        let least = self.least_share * values[0];
        let kept = values.iter().take(self.limit).take_while(|&&value| value > 0.0 && value > least).count();
        Ok((values.slice(s![..kept]).to_owned(), vectors.slice(s![..kept, ..]).to_owned()))
    }
}

/// Products between all columns of a matrix `[rows, width]`, `[width, width]`; `fill` writes rows of the matrix.
fn products_of_columns(
    rows: usize,
    width: usize,
    fill: &(dyn Fn(Range<usize>, &mut [f64]) + Sync),
    observer: &dyn Observer,
) -> Result<Array2<f64>, Cancelled> {
    const TILE: usize = 128;
    const PANEL_NUMBERS: usize = 4 << 20;
    let starts: Vec<usize> = (0..width).step_by(TILE).collect();
    let tile_width = |start: usize| TILE.min(width - start);
    // Tiles up to the diagonal, each in column-major order.
    let mut tiles: Vec<(usize, usize, Vec<f64>)> = starts
        .iter()
        .flat_map(|&i| starts.iter().take_while(move |&&j| j <= i).map(move |&j| (i, j)))
        .map(|(i, j)| (i, j, vec![0.0; tile_width(i) * tile_width(j)]))
        .collect();
    let panel_rows = (PANEL_NUMBERS / width.max(1)).clamp(64, 4096);
    for start in (0..rows).step_by(panel_rows) {
        let panel = filled(start..(start + panel_rows).min(rows), width, fill);
        let panel = MatRef::from_row_major_slice(&panel, panel.len() / width, width);
        let at = Progress::new("measuring how the vectors vary", start, rows, "rows");
        tiles.par_iter_mut().try_for_each(|(i, j, tile)| {
            let columns = |start: usize| panel.subcols(start, tile_width(start));
            let tile = MatMut::from_column_major_slice_mut(tile, tile_width(*i), tile_width(*j));
            matmul(tile, Accum::Add, columns(*i).transpose(), columns(*j), 1.0, Par::Seq);
            observer.progress(at)
        })?;
    }
    let mut whole = Array2::zeros((width, width));
    for (i, j, tile) in tiles {
        for (at, value) in tile.into_iter().enumerate() {
            let (row, column) = (i + at % tile_width(i), j + at / tile_width(i));
            (whole[[row, column]], whole[[column, row]]) = (value, value);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::seed::Seed;
    use rand::Rng;

    fn random(rows: usize, dim: usize) -> Array2<f32> {
        let mut rng = Seed(2).stream("centred");
        Array2::from_shape_fn((rows, dim), |(_, column)| rng.random_range(-1.0..1.0) * (1.0 + column as f32) + 3.0)
    }

    #[test]
    fn products_of_columns_are_those_of_the_plain_formula() {
        let matrix = random(301, 150).mapv(f64::from);
        let fill = |range: Range<usize>, out: &mut [f64]| {
            out.iter_mut().zip(matrix.slice(s![range, ..])).for_each(|(out, &value)| *out = value);
        };
        let products = products_of_columns(301, 150, &fill, &Silent).unwrap();
        let plain = matrix.t().dot(&matrix);
        let worst = products.iter().zip(&plain).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 1e-12 * plain[[149, 149]], "{worst}");
    }

    #[test]
    fn few_vectors_and_many_dimensions_give_the_same_components_by_either_route() {
        let vectors = random(60, 50);
        let mean = mean_of(&vectors, &Silent).unwrap();
        let centred = Centred { vectors: &vectors, mean: &mean };
        let kept = Kept { limit: 20, least_share: 1e-6 };
        let (scatter, mut directions) = centred.by_dimensions(kept, &Silent).unwrap();
        let (other_scatter, mut other_directions) = centred.by_vectors(kept, &Silent).unwrap();
        assert_eq!(directions.dim(), (20, 50));
        assert!((&scatter / &other_scatter).iter().all(|ratio| (ratio - 1.0).abs() < 1e-10));
        fix_signs(&mut directions);
        fix_signs(&mut other_directions);
        assert!((directions - other_directions).iter().all(|difference| difference.abs() < 1e-9));
    }

    #[test]
    fn the_first_value_that_is_no_number_is_named() {
        let mut vectors = random(2000, 4);
        vectors[[1500, 2]] = f32::NAN;
        vectors[[1700, 0]] = f32::INFINITY;
        assert_eq!(mean_of(&vectors, &Silent), Err(CentredError::NotFinite { row: 1500, column: 2 }));
    }

    #[test]
    fn equal_vectors_do_not_vary_though_their_mean_is_rounded() {
        let vectors = Array2::from_elem((7, 3), 0.1f32);
        let mean = mean_of(&vectors, &Silent).unwrap();
        let components = Centred { vectors: &vectors, mean: &mean }.components(3, 0.0, &Silent).unwrap();
        assert_eq!((components.variance.len(), components.directions.dim()), (0, (0, 3)));
    }
}
