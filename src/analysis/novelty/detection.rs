//! How well a score separates new from known.
//!
//! Definitions are scikit-learn's: AUROC is the chance that something new scores above something known (ties count half), AUPR the
//! average precision (sum of precision over the steps in recall), and the false-positive rate at 95 % true positives that of the
//! first threshold, from the top, which lets through at least 95 % of what is new.

use crate::analysis::metrics::{dense_groups, interval, resample};
use crate::progress::{Cancelled, Observer};
use crate::seed::Seed;

/// Share of what is new that must be found for [`Detection::fpr_at_95_tpr`].
const TPR: f64 = 0.95;

/// How well a score separates new from known.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Detection {
    /// Area under the receiver operating characteristic, 0 to 1; 0.5 by chance.
    pub auroc: f64,
    /// Average precision, 0 to 1; the share of what is new by chance.
    pub aupr: f64,
    /// Share of what is known that is called new where 95 % of what is new is.
    pub fpr_at_95_tpr: f64,
}

/// 95 % intervals of a [`Detection`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct DetectionIntervals {
    /// Of the area under the receiver operating characteristic.
    pub auroc: [f64; 2],
    /// Of the average precision.
    pub aupr: [f64; 2],
    /// Of the false-positive rate at 95 % true positives.
    pub fpr_at_95_tpr: [f64; 2],
}

/// Measures a score `[N]` that should be high where `is_novel` `[N]`. A score that is no number counts as the highest: what cannot
/// be compared is strange. `None` unless some are new and some known.
///
/// # Panics
/// When the two differ in length.
pub fn detection(scores: &[f64], is_novel: &[bool]) -> Option<Detection> {
    Ranking::new(scores, is_novel).weighted(|_| 1.0)
}

/// The 95 % intervals of [`detection`] by bootstrap over groups (species); what has no group stands for itself. Resamples without
/// anything new, or anything known, are left out. `None` where no resample can be measured.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
///
/// # Panics
/// When the lengths differ.
pub fn detection_intervals(
    scores: &[f64],
    is_novel: &[bool],
    groups: &[Option<u32>],
    resamples: usize,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Option<DetectionIntervals>, Cancelled> {
    assert_eq!(scores.len(), groups.len(), "one group per score");
    let ranking = Ranking::new(scores, is_novel);
    let (group_of, group_count) = dense_groups(groups.iter().copied());
    let drawn = resample(group_count, resamples, seed, observer, |drawn| {
        ranking.weighted(|item| f64::from(drawn[group_of[item]]))
    })?;
    let of = |pick: fn(&Detection) -> f64| interval(drawn.iter().flatten().map(pick).collect());
    let (auroc, aupr, fpr) = (of(|found| found.auroc), of(|found| found.aupr), of(|found| found.fpr_at_95_tpr));
    Ok(auroc.zip(aupr).zip(fpr).map(|((auroc, aupr), fpr_at_95_tpr)| DetectionIntervals { auroc, aupr, fpr_at_95_tpr }))
}

/// Items from the highest score to the lowest, sorted once for all resamples.
struct Ranking<'a> {
    order: Vec<usize>,
    /// Where each run of equal scores ends in `order`.
    ends: Vec<usize>,
    is_novel: &'a [bool],
}

impl<'a> Ranking<'a> {
    fn new(scores: &[f64], is_novel: &'a [bool]) -> Self {
        assert_eq!(scores.len(), is_novel.len(), "one score per item");
        let comparable: Vec<f64> =
            scores.iter().map(|&score| if score.is_nan() { f64::INFINITY } else { score }).collect();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| comparable[b].total_cmp(&comparable[a]));
        let mut ends = Vec::new();
        for run in order.chunk_by(|&a, &b| comparable[a] == comparable[b]) {
            ends.push(ends.last().copied().unwrap_or(0) + run.len());
        }
        Self { order, ends, is_novel }
    }

    /// The measures when item `i` counts `weight(i)` times.
    fn weighted(&self, weight: impl Fn(usize) -> f64) -> Option<Detection> {
        let total = |wanted: bool| -> f64 {
            (0..self.is_novel.len()).filter(|&item| self.is_novel[item] == wanted).map(&weight).sum()
        };
        let (novel, known) = (total(true), total(false));
        if novel <= 0.0 || known <= 0.0 {
            return None;
        }
        let (mut found, mut wrong, mut start) = (0.0, 0.0, 0);
        let (mut pairs, mut precision, mut fpr) = (0.0, 0.0, None);
        for &end in &self.ends {
            let run = &self.order[start..end];
            start = end;
            let here = |wanted: bool| -> f64 {
                run.iter().copied().filter(|&item| self.is_novel[item] == wanted).map(&weight).sum()
            };
            let (found_here, wrong_here) = (here(true), here(false));
            pairs += wrong_here * (found + found_here / 2.0);
            found += found_here;
            wrong += wrong_here;
            if found_here > 0.0 {
                precision += found_here / novel * found / (found + wrong);
            }
            if fpr.is_none() && found / novel >= TPR {
                fpr = Some(wrong / known);
            }
        }
        Some(Detection { auroc: pairs / (novel * known), aupr: precision, fpr_at_95_tpr: fpr.unwrap_or(1.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use proptest::prelude::{prop, prop_assert, proptest};

    #[test]
    fn agrees_with_scikit_learn() {
        let text = include_str!("../../../tests/fixtures/reference/analysis.json");
        let reference: serde_json::Value = serde_json::from_str(text).unwrap();
        let expected = &reference["novelty"];
        let scores: Vec<f64> = serde_json::from_value(expected["score"].clone()).unwrap();
        let novel: Vec<u8> = serde_json::from_value(expected["is_novel"].clone()).unwrap();
        let novel: Vec<bool> = novel.into_iter().map(|flag| flag == 1).collect();
        let found = detection(&scores, &novel).unwrap();
        for (got, name) in [(found.auroc, "auroc"), (found.aupr, "aupr"), (found.fpr_at_95_tpr, "fpr_at_95_tpr")] {
            assert!((got - expected[name].as_f64().unwrap()).abs() < 1e-12, "{name}: {got}");
        }
    }

    #[test]
    fn a_few_by_hand_with_a_tie() {
        // From the top: new, (new, known), known, new.
        let found = detection(&[0.9, 0.5, 0.5, 0.4, 0.1], &[true, true, false, false, true]).unwrap();
        assert!((found.auroc - (1.0 + 1.0 + 0.5 + 1.0) / 6.0).abs() < 1e-12);
        assert!((found.aupr - (1.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0).abs() < 1e-12);
        assert_eq!(found.fpr_at_95_tpr, 1.0);
        let perfect = detection(&[f64::NAN, 0.2], &[true, false]).unwrap();
        assert_eq!((perfect.auroc, perfect.aupr, perfect.fpr_at_95_tpr), (1.0, 1.0, 0.0));
    }

    #[test]
    fn one_sided_truth_has_no_measure() {
        assert_eq!(detection(&[], &[]), None);
        assert_eq!(detection(&[1.0, 2.0], &[true, true]), None);
        let nothing = detection_intervals(&[1.0], &[false], &[None], 20, Seed(1), &Silent);
        assert_eq!(nothing, Ok(None));
    }

    #[test]
    fn intervals_are_those_of_species_drawn_whole() {
        // Twenty species, each all high or all low: as uncertain as twenty items, however many specimens each has.
        let item = |i: u32| (f64::from((i / 50) % 3), i / 50 < 10, Some(i / 50));
        let rows: Vec<(f64, bool, Option<u32>)> = (0..1000).map(item).collect();
        let scores: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let novel: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let species: Vec<Option<u32>> = rows.iter().map(|row| row.2).collect();
        let width = |groups: &[Option<u32>]| {
            let [low, high] =
                detection_intervals(&scores, &novel, groups, 300, Seed(1), &Silent).unwrap().unwrap().auroc;
            high - low
        };
        assert!(width(&species) > 4.0 * width(&vec![None; 1000]), "species are drawn whole");
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(items in prop::collection::vec((0_u8..6, prop::bool::ANY), 2..40)) {
            let (scores, novel): (Vec<f64>, Vec<bool>) =
                items.iter().map(|&(score, is_novel)| (f64::from(score), is_novel)).unzip();
            let (mut in_order, mut pairs) = (0.0, 0.0);
            for new in (0..items.len()).filter(|&i| novel[i]) {
                for known in (0..items.len()).filter(|&i| !novel[i]) {
                    pairs += 1.0;
                    in_order += match scores[new].total_cmp(&scores[known]) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            match detection(&scores, &novel) {
                Some(found) => prop_assert!((found.auroc - in_order / pairs).abs() < 1e-9),
                None => prop_assert!(pairs == 0.0),
            }
        }

        #[test]
        fn a_weight_counts_as_that_many_copies(items in prop::collection::vec((0_u8..6, prop::bool::ANY, 0_usize..4), 1..25)) {
            let scores: Vec<f64> = items.iter().map(|item| f64::from(item.0)).collect();
            let novel: Vec<bool> = items.iter().map(|item| item.1).collect();
            let weighted = Ranking::new(&scores, &novel).weighted(|item| items[item].2 as f64);
            let copies = || items.iter().flat_map(|item| std::iter::repeat_n(item, item.2));
            let scores: Vec<f64> = copies().map(|item| f64::from(item.0)).collect();
            let novel: Vec<bool> = copies().map(|item| item.1).collect();
            match (weighted, detection(&scores, &novel)) {
                (Some(a), Some(b)) => prop_assert!(
                    (a.auroc - b.auroc).abs() < 1e-9
                        && (a.aupr - b.aupr).abs() < 1e-9
                        && (a.fpr_at_95_tpr - b.fpr_at_95_tpr).abs() < 1e-9
                ),
                (a, b) => prop_assert!(a.is_none() && b.is_none()),
            }
        }
    }
}
