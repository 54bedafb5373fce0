//! Telling what is new from what is known: scores, how well they tell, and lists with a stated share of false discoveries.
//!
//! A novelty score grows with strangeness. [`detection`] measures how well one separates two groups whose truth is known;
//! [`Calibration`] turns it into p-values by comparison with held-out known specimens; [`benjamini_hochberg`] turns the p-values of
//! a whole batch into the false-discovery rate at which each one would be listed.

mod conformal;
mod coverage;
mod detection;
mod discovery;
mod mahalanobis;

pub use conformal::Calibration;
pub use coverage::{CoveragePoint, accuracy_against_coverage};
pub use detection::{Detection, DetectionIntervals, detection, detection_intervals};
pub use discovery::benjamini_hochberg;
pub use mahalanobis::{LeftOut, Mahalanobis, MahalanobisError};

/// Mean and standard deviation (divisor `N`) of the finite values of a score; the deviation is 1 where nothing varies.
pub fn moments(scores: &[f64]) -> [f64; 2] {
    let finite = || scores.iter().copied().filter(|score| score.is_finite());
    let n = finite().count().max(1) as f64;
    let mean = finite().sum::<f64>() / n;
    let deviation = (finite().map(|score| (score - mean).powi(2)).sum::<f64>() / n).sqrt();
    [mean, if deviation > 0.0 { deviation } else { 1.0 }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::Rng;

    /// Mean share of false entries, and of new specimens that are listed, over many batches with one calibration set each.
    fn lists(calibration: usize, known: usize, novel: usize, shift: f64, level: f64) -> [f64; 2] {
        let mut rng = Seed(6).stream("batches");
        let trials = 600;
        let [mut wrong, mut found] = [0.0, 0.0];
        for _ in 0..trials {
            // Sums of uniform numbers, rounded so that there are ties.
            let mut draw = |shift: f64| {
                let sum: f64 = (0..4).map(|_| rng.random_range(0.0..1.0_f64)).sum();
                ((sum + shift) * 50.0).floor()
            };
            let held_out: Vec<f64> = (0..calibration).map(|_| draw(0.0)).collect();
            let held_out = Calibration::new(&held_out, &vec![0; calibration], 1, 1);
            let batch: Vec<f64> = (0..known + novel).map(|at| draw(if at < known { 0.0 } else { shift })).collect();
            let p_values: Vec<f64> = batch.iter().map(|&score| held_out.p_of_strange(score, 0)).collect();
            let rates = benjamini_hochberg(&p_values);
            let listed = |range: std::ops::Range<usize>| range.filter(|&at| rates[at] <= level).count() as f64;
            let (false_ones, true_ones) = (listed(0..known), listed(known..known + novel));
            wrong += false_ones / (false_ones + true_ones).max(1.0);
            found += true_ones / novel.max(1) as f64;
        }
        [wrong, found].map(|sum| sum / f64::from(trials))
    }

    #[test]
    fn lists_hold_no_more_false_entries_than_allowed_and_are_not_empty() {
        for level in [0.05, 0.1, 0.2] {
            for (known, novel) in [(100, 0), (80, 20), (20, 80)] {
                let [wrong, found] = lists(500, known, novel, 2.0, level);
                // The bound is that of the share of known specimens; the mean of 600 batches strays by less than 0.03.
                let bound = level * known as f64 / (known + novel) as f64;
                assert!(wrong <= bound + 0.03, "{wrong} of {level} with {known} known and {novel} new");
                assert!(novel == 0 || found > 0.5, "only {found} found of {novel} new at {level}");
            }
        }
        // Without novelty a batch with any entry is all wrong: the chance of that is the level, not more and not far less.
        let [wrong, _] = lists(500, 100, 0, 0.0, 0.2);
        assert!(wrong > 0.1, "{wrong}");
    }

    #[test]
    fn moments_of_a_few_numbers() {
        assert_eq!(moments(&[1.0, 3.0, f64::NAN]), [2.0, 1.0]);
        assert_eq!(moments(&[4.0, 4.0]), [4.0, 1.0]);
        assert_eq!(moments(&[]), [0.0, 1.0]);
    }
}
