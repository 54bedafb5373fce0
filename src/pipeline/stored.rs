//! Embeddings in memory: in 32 bits, or in 16 where they would take more room than the user grants them.

use super::PipelineError;
use super::error::stop_or;
use crate::analysis::knn::VectorSource;
use crate::analysis::transform::{Transform, Transformed};
use crate::progress::{Observer, Progress};
use half::f16;
use half::slice::HalfFloatSliceExt;
use ndarray::{Array2, ArrayView1, ArrayView2, CowArray, Ix1, Ix2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How much memory the embeddings of a dataset may take in 32 bits, in megabytes; what would take more is kept in 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemoryBudget {
    /// Megabytes (1 000 000 bytes).
    pub megabytes: u32,
}

impl Default for MemoryBudget {
    /// A million barcodes of width 512.
    fn default() -> Self {
        Self { megabytes: 2048 }
    }
}

impl MemoryBudget {
    fn affords(self, rows: usize, width: usize) -> bool {
        (rows as u64 * width as u64).saturating_mul(4) <= u64::from(self.megabytes) * 1_000_000
    }
}

/// Vectors `[U,D]`, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredVectors {
    width: usize,
    numbers: Numbers,
}

#[derive(Debug, Clone, PartialEq)]
enum Numbers {
    Single(Vec<f32>),
    /// The sign, 5 bits of exponent and 10 of the number: 3 digits.
    Half(Vec<f16>),
}

impl From<Array2<f32>> for StoredVectors {
    fn from(vectors: Array2<f32>) -> Self {
        let width = vectors.ncols();
        let numbers = vectors.as_standard_layout().into_owned().into_raw_vec_and_offset().0;
        Self { width, numbers: Numbers::Single(numbers) }
    }
}

impl StoredVectors {
    /// Zeros `[rows,width]`, in as many bits as the budget affords for `room` rows, to which they can grow.
    pub fn zeros(rows: usize, width: usize, room: usize, budget: MemoryBudget) -> Self {
        fn zeros<T: Clone>(zero: T, count: usize, room: usize) -> Vec<T> {
            let mut numbers = Vec::with_capacity(room.max(count));
            numbers.resize(count, zero);
            numbers
        }
        let (count, most) = (rows * width, room * width);
        let numbers = if budget.affords(room, width) {
            Numbers::Single(zeros(0.0, count, most))
        } else {
            Numbers::Half(zeros(f16::ZERO, count, most))
        };
        Self { width, numbers }
    }

    /// Number of vectors, `U`.
    pub fn nrows(&self) -> usize {
        let count = match &self.numbers {
            Numbers::Single(numbers) => numbers.len(),
            Numbers::Half(numbers) => numbers.len(),
        };
        count.checked_div(self.width).unwrap_or(0)
    }

    /// Number of dimensions, `D`.
    pub fn ncols(&self) -> usize {
        self.width
    }

    /// Whether they are kept in 16 bits.
    pub fn is_half(&self) -> bool {
        matches!(self.numbers, Numbers::Half(_))
    }

    /// One vector, `[D]`.
    pub fn row(&self, row: usize) -> CowArray<'_, f32, Ix1> {
        let range = row * self.width..(row + 1) * self.width;
        match &self.numbers {
            Numbers::Single(numbers) => ArrayView1::from(&numbers[range]).into(),
            Numbers::Half(numbers) => ndarray::Array1::from(numbers[range].to_f32_vec()).into(),
        }
    }

    /// Some vectors, in the order of `rows`.
    pub fn select(&self, rows: &[usize]) -> Array2<f32> {
        let mut selected = Array2::zeros((rows.len(), self.width));
        for (mut to, &row) in selected.rows_mut().into_iter().zip(rows) {
            to.assign(&self.row(row));
        }
        selected
    }

    /// All vectors in 32 bits: a copy where they are kept in 16.
    pub fn whole(&self) -> CowArray<'_, f32, Ix2> {
        let shape = (self.nrows(), self.width);
        let whole = "as many numbers as the shape says";
        match &self.numbers {
            Numbers::Single(numbers) => ArrayView2::from_shape(shape, numbers).expect(whole).into(),
            Numbers::Half(numbers) => Array2::from_shape_vec(shape, numbers.to_f32_vec()).expect(whole).into(),
        }
    }

    /// Puts `vector` in the place of `row`. A number that 16 bits cannot hold takes all of them back to 32: the budget is a wish, the
    /// numbers are not.
    pub fn set(&mut self, row: usize, vector: &[f32]) {
        let too_large = |value: &f32| value.is_finite() && !f16::from_f32(*value).is_finite();
        if self.is_half() && vector.iter().any(too_large) {
            self.widen();
        }
        let range = row * self.width..(row + 1) * self.width;
        match &mut self.numbers {
            Numbers::Single(numbers) => numbers[range].copy_from_slice(vector),
            Numbers::Half(numbers) => numbers[range].convert_from_f32_slice(vector),
        }
    }

    fn widen(&mut self) {
        if let Numbers::Half(numbers) = &self.numbers {
            let mut wide = Vec::with_capacity(numbers.capacity());
            wide.extend(numbers.iter().map(|number| number.to_f32()));
            self.numbers = Numbers::Single(wide);
        }
    }

    /// Repeats vectors: row `u` becomes what row `of[u]` was. Done in place, from the end, for which `of[u] <= u` must hold, as it does
    /// where rows are numbered as they first come up.
    pub(super) fn spread(&mut self, of: &[usize]) {
        fn spread<T: Copy + Default>(numbers: &mut Vec<T>, width: usize, of: &[usize]) {
            numbers.resize(of.len() * width, T::default());
            for (row, &from) in of.iter().enumerate().rev() {
                debug_assert!(from <= row, "rows are numbered as they first come up");
                numbers.copy_within(from * width..(from + 1) * width, row * width);
            }
        }
        match &mut self.numbers {
            Numbers::Single(numbers) => spread(numbers, self.width, of),
            Numbers::Half(numbers) => spread(numbers, self.width, of),
        }
    }

    /// The vectors under a transform, `[U,K]`, in as many bits as these.
    ///
    /// # Errors
    /// [`PipelineError::Analysis`] when the vectors are of another reading than the transform, and a stop.
    pub fn transformed(&self, transform: &Transform, observer: &dyn Observer) -> Result<Self, PipelineError> {
        const ROWS: usize = 4096;
        const ROWS_PER_TASK: usize = 256;
        let failed = |error| stop_or(error, "transforming");
        if !self.is_half() {
            return Ok(transform.apply(self, observer).map_err(failed)?.into());
        }
        let source = Transformed::new(transform, self).map_err(failed)?;
        let (rows, width) = (source.len(), source.dim());
        let mut kept = Self::zeros(rows, width, rows, MemoryBudget { megabytes: 0 });
        let mut block = vec![0.0; ROWS.min(rows) * width];
        for start in (0..rows).step_by(ROWS) {
            observer.progress(Progress::new("transforming the embeddings", start, rows, "barcodes"))?;
            let end = (start + ROWS).min(rows);
            let block = &mut block[..(end - start) * width];
            block.par_chunks_mut((ROWS_PER_TASK * width).max(1)).enumerate().for_each(|(task, part)| {
                let first = start + task * ROWS_PER_TASK;
                source.fill(first..first + part.len() / width, part);
            });
            block.chunks_exact(width.max(1)).zip(start..).for_each(|(vector, row)| kept.set(row, vector));
        }
        Ok(kept)
    }
}

impl VectorSource for StoredVectors {
    fn len(&self) -> usize {
        self.nrows()
    }

    fn dim(&self) -> usize {
        self.width
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f32]) {
        let range = rows.start * self.width..rows.end * self.width;
        match &self.numbers {
            Numbers::Single(numbers) => out.copy_from_slice(&numbers[range]),
            Numbers::Half(numbers) => numbers[range].convert_to_f32_slice(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::reading::TransformKind;
    use crate::progress::Silent;
    use crate::seed::Seed;
    use proptest::prelude::*;
    use rand::Rng;

    const SMALL: MemoryBudget = MemoryBudget { megabytes: 0 };

    fn random(rows: usize, width: usize) -> Array2<f32> {
        let mut rng = Seed(4).stream("stored");
        Array2::from_shape_simple_fn((rows, width), || rng.random_range(-3.0..3.0))
    }

    fn stored(vectors: &Array2<f32>, budget: MemoryBudget) -> StoredVectors {
        let mut stored = StoredVectors::zeros(vectors.nrows(), vectors.ncols(), vectors.nrows(), budget);
        for (row, vector) in vectors.rows().into_iter().enumerate() {
            stored.set(row, &vector.to_vec());
        }
        stored
    }

    #[test]
    fn what_the_budget_does_not_afford_takes_half_the_room() {
        let budget = MemoryBudget { megabytes: 1 };
        assert!(!StoredVectors::zeros(250, 1000, 250, budget).is_half(), "exactly a megabyte");
        assert!(StoredVectors::zeros(251, 1000, 251, budget).is_half());
        assert!(StoredVectors::zeros(1, 1000, 251, budget).is_half(), "the room that they will need counts");
    }

    #[test]
    fn sixteen_bits_keep_three_digits_and_give_them_back_by_any_door() {
        let vectors = random(37, 9);
        let half = stored(&vectors, SMALL);
        assert!(half.is_half() && half.nrows() == 37 && half.ncols() == 9);
        let whole = half.whole().into_owned();
        let worst = (&whole / &vectors - 1.0).iter().fold(0.0f32, |worst, off| worst.max(off.abs()));
        assert!(worst > 0.0 && worst <= 1.0 / 2048.0, "{worst}");
        assert_eq!(half.select(&[5, 0, 5]), whole.select(ndarray::Axis(0), &[5, 0, 5]));
        assert_eq!(half.row(36), whole.row(36));
        let mut filled = vec![0.0; 3 * 9];
        half.fill(7..10, &mut filled);
        assert_eq!(filled, whole.slice(ndarray::s![7..10, ..]).iter().copied().collect::<Vec<_>>());
        let single = stored(&vectors, MemoryBudget::default());
        assert_eq!(single, StoredVectors::from(vectors.clone()));
        assert_eq!(single.whole(), vectors);
    }

    #[test]
    fn numbers_beyond_sixteen_bits_are_kept_in_thirty_two() {
        let mut vectors = random(4, 3);
        vectors[[2, 1]] = 70_000.0;
        vectors[[3, 0]] = f32::NAN;
        let kept = stored(&vectors, SMALL);
        assert!(!kept.is_half());
        assert_eq!(kept.row(2)[1], 70_000.0);
        assert!(kept.row(3)[0].is_nan());
        vectors[[2, 1]] = f32::INFINITY;
        assert!(stored(&vectors, SMALL).is_half(), "an infinity is one in any number of bits");
    }

    #[test]
    fn transforms_are_those_of_thirty_two_bits_but_for_rounding() {
        let vectors = random(5000, 6);
        for kind in [TransformKind::None, TransformKind::Centre, TransformKind::Whiten(Some(4))] {
            let half = stored(&vectors, SMALL);
            let transform = Transform::fit(kind, &half, &Silent).unwrap();
            let under = half.transformed(&transform, &Silent).unwrap();
            assert!(under.is_half());
            let exact = transform.apply(&half.whole(), &Silent).unwrap();
            let worst = (&under.whole() - &exact).iter().fold(0.0f32, |worst, off| worst.max(off.abs()));
            assert!(under.ncols() == exact.ncols() && worst < 4.0 / 2048.0, "{kind}: {worst}");
        }
        assert!(
            stored(&vectors, SMALL)
                .transformed(&Transform::fit(TransformKind::Centre, &random(9, 5), &Silent).unwrap(), &Silent)
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn spreading_repeats_what_came_first(of in proptest::collection::vec(0usize..6, 0..30), half: bool) {
            // Numbered as they first come up.
            let mut numbers: Vec<usize> = Vec::new();
            let of: Vec<usize> = of.iter().map(|name| {
                numbers.iter().position(|known| known == name).unwrap_or_else(|| { numbers.push(*name); numbers.len() - 1 })
            }).collect();
            let distinct = random(numbers.len(), 3);
            let mut kept = stored(&distinct, if half { SMALL } else { MemoryBudget::default() });
            let before = kept.whole().into_owned();
            kept.spread(&of);
            prop_assert_eq!(kept.whole().into_owned(), before.select(ndarray::Axis(0), &of));
        }
    }
}
