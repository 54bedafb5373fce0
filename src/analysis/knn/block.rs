//! Blocks of vectors, scaled so that no product overflows, and the exact cosine of two of them.

use super::VectorSource;
use crate::progress::Cancelled;
use rayon::prelude::*;
use std::ops::Range;

/// Consecutive vectors of a source, each scaled by a power of two, which is exact, to a length between 1 and 2.
#[derive(Default)]
pub(super) struct Block {
    /// Row of the first vector in its source.
    pub(super) first: usize,
    pub(super) vectors: Vec<f32>,
    /// Squared lengths after scaling.
    squares: Vec<f64>,
    /// One over the length after scaling; 0 for a vector of zeros, NaN for one that is not finite.
    pub(super) weights: Vec<f32>,
}

/// Vectors that are read and scaled as one piece of work.
const LOAD_ROWS: usize = 64;

impl Block {
    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    fn resize(&mut self, rows: &Range<usize>, dim: usize) {
        self.first = rows.start;
        self.vectors.resize(rows.len() * dim, 0.0);
        self.squares.resize(rows.len(), 0.0);
        self.weights.resize(rows.len(), 0.0);
    }

    pub(super) fn load(&mut self, source: &dyn VectorSource, rows: Range<usize>) {
        self.resize(&rows, source.dim());
        source.fill(rows, &mut self.vectors);
        scale(source.dim(), &mut self.vectors, &mut self.squares, &mut self.weights);
    }

    pub(super) fn load_parallel(
        &mut self,
        source: &dyn VectorSource,
        rows: Range<usize>,
        may_go_on: &(dyn Fn() -> Result<(), Cancelled> + Sync),
    ) -> Result<(), Cancelled> {
        let dim = source.dim();
        self.resize(&rows, dim);
        let first = self.first;
        // Without dimensions there is nothing to read, and chunks of no numbers do not exist.
        if dim == 0 {
            return Ok(());
        }
        self.vectors
            .par_chunks_mut(LOAD_ROWS * dim)
            .zip(self.squares.par_chunks_mut(LOAD_ROWS))
            .zip(self.weights.par_chunks_mut(LOAD_ROWS))
            .enumerate()
            .try_for_each(|(part, ((vectors, squares), weights))| {
                let start = first + part * LOAD_ROWS;
                source.fill(start..start + weights.len(), vectors);
                scale(dim, vectors, squares, weights);
                may_go_on()
            })
    }

    /// Length after scaling; 1 for a vector of zeros, whose products are zeros too.
    pub(super) fn length(&self, row: usize) -> f64 {
        if self.squares[row] == 0.0 { 1.0 } else { self.squares[row].sqrt() }
    }

    fn vector(&self, row: usize) -> &[f32] {
        let dim = self.vectors.len() / self.len();
        &self.vectors[row * dim..(row + 1) * dim]
    }

    pub(super) fn cosine(&self, row: usize, other: &Self, other_row: usize) -> f32 {
        let squares = self.squares[row] * other.squares[other_row];
        if squares == 0.0 {
            return 0.0;
        }
        let cosine = dot(self.vector(row), other.vector(other_row)) / squares.sqrt();
        cosine.clamp(-1.0, 1.0) as f32
    }
}

fn scale(dim: usize, vectors: &mut [f32], squares: &mut [f64], weights: &mut [f32]) {
    for ((vector, square), weight) in vectors.chunks_exact_mut(dim.max(1)).zip(squares).zip(weights) {
        *square = dot(vector, vector);
        if !square.is_finite() {
            vector.fill(0.0);
            (*square, *weight) = (0.0, f32::NAN);
        } else if *square == 0.0 {
            *weight = 0.0;
        } else {
            let factor = power_of_two_below(square.sqrt()).recip();
            vector.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
            *square = dot(vector, vector);
            *weight = square.sqrt().recip() as f32;
        }
    }
}

/// The largest power of two that is not above `value`, a normal positive number.
fn power_of_two_below(value: f64) -> f64 {
    const MANTISSA: u64 = (1 << (f64::MANTISSA_DIGITS - 1)) - 1;
    f64::from_bits(value.to_bits() & !MANTISSA)
}

/// Dot product in f64 in one fixed order, the same for every pair of vectors on every machine.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut sums = [0.0f64; LANES];
    let (a_steps, b_steps) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 =
        a_steps.remainder().iter().zip(b_steps.remainder()).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    for (a, b) in a_steps.zip(b_steps) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}
