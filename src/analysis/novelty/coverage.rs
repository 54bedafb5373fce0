//! How right the names are when the strangest specimens are left unnamed.

use crate::analysis::metrics::{dense_groups, interval, resample};
use crate::progress::{Cancelled, Observer};
use crate::seed::Seed;

/// One point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct CoveragePoint {
    /// Share of the specimens that are named: the most familiar ones.
    pub coverage: f64,
    /// Share of those that are named right.
    pub accuracy: f64,
    /// 95 % interval of the accuracy by bootstrap over species.
    pub interval: Option<[f64; 2]>,
}

/// Accuracy among the most familiar specimens, for every share of `coverages`. `scores` `[N]` grow with strangeness; of equal ones
/// every part counts alike, as if they were taken at random. `correct` `[N]` is false, too, for what cannot be named right because
/// it is new. `groups` `[N]` are drawn whole for the intervals. Empty without specimens.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
///
/// # Panics
/// When the lengths differ.
pub fn accuracy_against_coverage(
    scores: &[f64],
    correct: &[bool],
    groups: &[Option<u32>],
    coverages: &[f64],
    resamples: usize,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Vec<CoveragePoint>, Cancelled> {
    assert!(scores.len() == correct.len() && scores.len() == groups.len(), "one score, truth and group per specimen");
    if scores.is_empty() {
        return Ok(Vec::new());
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let runs: Vec<&[usize]> = order.chunk_by(|&a, &b| scores[a] == scores[b]).collect();
    let (group_of, group_count) = dense_groups(groups.iter().copied());
    let measure = |weight: &dyn Fn(usize) -> f64| curve(&runs, correct, coverages, weight);
    let drawn =
        resample(group_count, resamples, seed, observer, |drawn| measure(&|item| f64::from(drawn[group_of[item]])))?;
    let whole = measure(&|_| 1.0);
    Ok(coverages
        .iter()
        .enumerate()
        .map(|(at, &coverage)| CoveragePoint {
            coverage,
            accuracy: whole[at],
            interval: interval(drawn.iter().map(|curve| curve[at]).filter(|value| value.is_finite()).collect()),
        })
        .collect())
}

/// Accuracy at each coverage when specimen `i` counts `weight(i)` times; `NaN` where nothing is named.
fn curve(runs: &[&[usize]], correct: &[bool], coverages: &[f64], weight: &dyn Fn(usize) -> f64) -> Vec<f64> {
    // Specimens and right names up to the end of each run.
    let mut so_far = vec![[0.0, 0.0]];
    for run in runs {
        let [mut all, mut right] = so_far[so_far.len() - 1];
        for &item in *run {
            all += weight(item);
            right += if correct[item] { weight(item) } else { 0.0 };
        }
        so_far.push([all, right]);
    }
    let total = so_far[so_far.len() - 1][0];
    let accuracy = |&coverage: &f64| {
        let wanted = coverage.clamp(0.0, 1.0) * total;
        let above = so_far.partition_point(|&[all, _]| all < wanted).clamp(1, so_far.len() - 1);
        let ([before, right_before], [after, right_after]) = (so_far[above - 1], so_far[above]);
        let part = if after > before { (wanted - before) / (after - before) } else { 0.0 };
        (right_before + part * (right_after - right_before)) / wanted
    };
    coverages.iter().map(accuracy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn measured(scores: &[f64], correct: &[bool], coverages: &[f64]) -> Vec<f64> {
        let alone = vec![None; scores.len()];
        accuracy_against_coverage(scores, correct, &alone, coverages, 50, Seed(1), &Silent)
            .unwrap()
            .iter()
            .map(|point| point.accuracy)
            .collect()
    }

    #[test]
    fn the_strangest_are_left_out_first() {
        let found = measured(&[0.1, 0.4, 0.2, 0.3], &[true, false, true, false], &[0.25, 0.5, 0.75, 1.0]);
        let expected = [1.0, 1.0, 2.0 / 3.0, 0.5];
        assert!(found.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn equal_scores_are_taken_in_part() {
        // Two of four, all alike, half of them right: half of any part is right.
        let found = measured(&[1.0; 4], &[true, true, false, false], &[0.25, 0.6, 1.0]);
        assert!(found.iter().all(|accuracy| (accuracy - 0.5).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn intervals_hold_the_value_and_nothing_has_no_curve() {
        let scores: Vec<f64> = (0..200).map(f64::from).collect();
        let correct: Vec<bool> = (0..200).map(|i| i % 4 != 0).collect();
        let groups: Vec<Option<u32>> = (0..200).map(|i| Some(i / 5)).collect();
        let points = accuracy_against_coverage(&scores, &correct, &groups, &[0.5], 200, Seed(1), &Silent).unwrap();
        let [low, high] = points[0].interval.unwrap();
        assert!(low < points[0].accuracy && points[0].accuracy < high && high - low < 0.3, "{points:?}");
        assert!(accuracy_against_coverage(&[], &[], &[], &[0.5], 10, Seed(1), &Silent).unwrap().is_empty());
    }
}
