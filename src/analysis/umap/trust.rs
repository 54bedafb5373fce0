//! How well a map keeps neighbourhoods.

use super::Metric;
use crate::progress::{Cancelled, Observer, Progress};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Slice};
use rayon::prelude::*;

/// Why a trustworthiness cannot be had.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrustError {
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The measure is defined for `0 < k < N / 2` only.
    #[error("trustworthiness with {k} neighbours needs more than {} points on map and data alike; got {high} and {low}", 2 * k)]
    TooFew {
        /// Neighbours asked for.
        k: usize,
        /// Vectors.
        high: usize,
        /// Points on the map.
        low: usize,
    },
}

/// Share of the neighbourhoods on a map that are true, 0 to 1: `1 - 2 / (n k (2n - 3k - 1)) Σ max(0, r - k)` over the `k`
/// nearest of every point on the map `low` `[N,C]` (Euclidean), `r` their rank among the neighbours in `high` `[N,D]` by
/// `metric` (Venna & Kaski 2001; scikit-learn's `trustworthiness`). Exact, in blocks; ties go to the earlier row.
///
/// # Errors
/// [`TrustError`]: cancelled, or not `0 < k < N / 2`.
pub fn trustworthiness(
    high: ArrayView2<'_, f32>,
    low: ArrayView2<'_, f32>,
    k: usize,
    metric: Metric,
    observer: &dyn Observer,
) -> Result<f64, TrustError> {
    const ROWS: usize = 64;
    let n = high.nrows();
    if k == 0 || 2 * k >= n || low.nrows() != n {
        return Err(TrustError::TooFew { k, high: n, low: low.nrows() });
    }
    let (high, low) = (Distances::new(high, metric), Distances::new(low, Metric::Euclidean));
    let starts: Vec<usize> = (0..n).step_by(ROWS).collect();
    let mut penalty = 0u64;
    for group in starts.chunks(rayon::current_num_threads()) {
        observer.progress(Progress::new("measuring trustworthiness", group[0], n, "points"))?;
        let of_block = |&start: &usize| {
            let rows = start..(start + ROWS).min(n);
            let (far, near) = (high.block(rows.clone()), low.block(rows.clone()));
            rows.map(|row| penalty_of(far.row(row - start), near.row(row - start), row, k)).sum::<u64>()
        };
        penalty += group.par_iter().map(of_block).sum::<u64>();
    }
    let (n, k) = (n as f64, k as f64);
    Ok(1.0 - 2.0 / (n * k * (2.0 * n - 3.0 * k - 1.0)) * penalty as f64)
}

/// Something that sorts as the distances do.
struct Distances {
    vectors: Array2<f32>,
    /// Half the squared length of each: `|a - b|² / 2 = |a|²/2 + |b|²/2 - ab`. Zero for the cosine, where all lengths are 1.
    halves: Array1<f32>,
}

impl Distances {
    fn new(vectors: ArrayView2<'_, f32>, metric: Metric) -> Self {
        let mut vectors = match metric {
            Metric::Cosine => vectors.to_owned(),
            Metric::Euclidean => &vectors - &vectors.mean_axis(Axis(0)).expect("rows were counted"),
        };
        let halves = match metric {
            Metric::Euclidean => vectors.rows().into_iter().map(|row| row.dot(&row) / 2.0).collect(),
            Metric::Cosine => {
                for mut row in vectors.rows_mut() {
                    let length = row.dot(&row).sqrt();
                    if length > 0.0 {
                        row /= length;
                    }
                }
                Array1::zeros(vectors.nrows())
            }
        };
        Self { vectors, halves }
    }

    fn block(&self, rows: std::ops::Range<usize>) -> Array2<f32> {
        let part = self.vectors.slice_axis(Axis(0), Slice::from(rows));
        &self.halves - &part.dot(&self.vectors.t())
    }
}

fn penalty_of(high: ArrayView1<'_, f32>, low: ArrayView1<'_, f32>, row: usize, k: usize) -> u64 {
    let order = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    let mut others: Vec<(f32, usize)> = (0..low.len()).filter(|&other| other != row).map(|i| (low[i], i)).collect();
    others.select_nth_unstable_by(k - 1, order);
    let mut shown: Vec<(f32, usize)> = others[..k].iter().map(|&(_, other)| (high[other], other)).collect();
    shown.sort_unstable_by(order);
    // One pass: how many others come before each of the k.
    let mut before = vec![0u64; k + 1];
    for (other, &distance) in high.indexed_iter().filter(|&(other, _)| other != row) {
        before[shown.partition_point(|place| order(place, &(distance, other)).is_le())] += 1;
    }
    // What was counted at i comes after the first i of the k, each of which was counted one place beyond its own.
    let ranks = before[..k].iter().scan(1, |rank, count| {
        *rank += count;
        Some(*rank)
    });
    ranks.map(|rank| rank.saturating_sub(k as u64)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::seed::Seed;
    use ndarray::array;
    use rand::Rng;

    fn random(rows: usize, columns: usize, purpose: &str) -> Array2<f32> {
        let mut rng = Seed(2).stream(purpose);
        Array2::from_shape_fn((rows, columns), |_| rng.random_range(-1.0..1.0))
    }

    /// The definition, without blocks or counting.
    fn plainly(high: &Array2<f32>, low: &Array2<f32>, k: usize) -> f64 {
        let n = high.nrows();
        let ranked = |vectors: &Array2<f32>, i: usize| {
            let distance = |j: usize| {
                vectors.row(i).iter().zip(vectors.row(j)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
            };
            let mut others: Vec<usize> = (0..n).filter(|&j| j != i).collect();
            others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            others
        };
        let mut sum = 0.0;
        for i in 0..n {
            let true_order = ranked(high, i);
            for j in &ranked(low, i)[..k] {
                let rank = true_order.iter().position(|other| other == j).unwrap() + 1;
                sum += rank.saturating_sub(k) as f64;
            }
        }
        let (n, k) = (n as f64, k as f64);
        1.0 - 2.0 / (n * k * (2.0 * n - 3.0 * k - 1.0)) * sum
    }

    #[test]
    fn agrees_with_the_definition() {
        for (n, k) in [(5, 2), (90, 5), (150, 15)] {
            let (high, low) = (random(n, 6, "high"), random(n, 2, "low"));
            let found = trustworthiness(high.view(), low.view(), k, Metric::Euclidean, &Silent).unwrap();
            assert!((found - plainly(&high, &low, k)).abs() < 1e-12, "{n} points: {found}");
        }
    }

    #[test]
    fn a_copy_is_fully_trusted_and_cosine_ignores_length() {
        let high = random(60, 2, "high");
        assert_eq!(trustworthiness(high.view(), high.view(), 7, Metric::Euclidean, &Silent), Ok(1.0));
        let unit = Array2::from_shape_fn((60, 2), |(row, axis)| {
            let angle = row as f32 * 0.05;
            if axis == 0 { angle.cos() } else { angle.sin() }
        });
        let stretched = Array2::from_shape_fn((60, 2), |at| unit[at] * (1.0 + (at.0 % 7) as f32));
        let found = trustworthiness(stretched.view(), unit.view(), 5, Metric::Cosine, &Silent).unwrap();
        assert!(found > 0.995, "{found}");
        assert!(trustworthiness(stretched.view(), unit.view(), 5, Metric::Euclidean, &Silent).unwrap() < 0.95);
    }

    #[test]
    fn too_few_points_are_an_error() {
        let two = array![[0.0f32], [1.0]];
        let outcome = trustworthiness(two.view(), two.view(), 1, Metric::Euclidean, &Silent);
        assert_eq!(outcome, Err(TrustError::TooFew { k: 1, high: 2, low: 2 }));
        assert!(trustworthiness(two.view(), two.view(), 0, Metric::Euclidean, &Silent).is_err());
    }
}
