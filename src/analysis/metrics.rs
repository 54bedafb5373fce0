//! How good predicted labels are: accuracy and its relatives, per class, with intervals.
//!
//! Definitions are scikit-learn's: balanced accuracy is the mean recall over the classes that occur in the truth, macro F1 the
//! mean F1 over the classes that occur in the truth or among the predictions. A query without a true label is left out; one
//! without a prediction counts as wrong.

use crate::progress::{Cancelled, Observer, Progress, Silent};
use crate::seed::Seed;
use rand::Rng;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// How well one class was found.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ClassScore {
    /// The class, a code of the label column.
    pub class: u32,
    /// Its name.
    pub name: String,
    /// Queries that are of this class.
    pub n: usize,
    /// Queries that were called this class.
    pub predicted: usize,
    /// Queries of this class that were called so.
    pub correct: usize,
    /// Share of the calls that are right; 0 where there was none.
    pub precision: f64,
    /// Share of the class that was found; 0 where it has no query.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
}

/// One cell of the confusion matrix that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ConfusionCell {
    /// The true class.
    pub truth: u32,
    /// The predicted class; `None` where nothing was predicted.
    pub predicted: Option<u32>,
    /// Number of queries.
    pub n: usize,
}

/// How good a set of predictions is.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scores {
    /// Queries with a true label.
    pub n: usize,
    /// Queries whose prediction is right.
    pub correct: usize,
    /// Share of right predictions, 0 to 1.
    pub accuracy: f64,
    /// Mean recall of the true classes, 0 to 1.
    pub balanced_accuracy: f64,
    /// Mean F1 over the true and the predicted classes, 0 to 1.
    pub macro_f1: f64,
    /// One entry per class that is true or predicted somewhere; the most frequent first.
    pub per_class: Vec<ClassScore>,
    /// The cells of the confusion matrix that are not empty, by true class, then predicted class.
    pub confusion: Vec<ConfusionCell>,
}

/// Compares predictions with the truth. All three share one code for a class; `names` is indexed by it.
///
/// # Panics
/// When `truth` and `predicted` differ in length or a code has no name.
pub fn scores(truth: &[Option<u32>], predicted: &[Option<u32>], names: &[String]) -> Scores {
    assert_eq!(truth.len(), predicted.len(), "one prediction per query");
    let mut cells: BTreeMap<(u32, Option<u32>), usize> = BTreeMap::new();
    for (truth, predicted) in truth.iter().zip(predicted) {
        if let Some(truth) = truth {
            *cells.entry((*truth, *predicted)).or_default() += 1;
        }
    }
    let confusion: Vec<ConfusionCell> =
        cells.into_iter().map(|((truth, predicted), n)| ConfusionCell { truth, predicted, n }).collect();
    let per_class = class_scores(&confusion, names);
    let n = confusion.iter().map(|cell| cell.n).sum();
    let correct = per_class.iter().map(|class| class.correct).sum();
    let true_classes = per_class.iter().filter(|class| class.n > 0);
    Scores {
        n,
        correct,
        accuracy: ratio(correct, n),
        balanced_accuracy: mean(true_classes.map(|class| class.recall)),
        macro_f1: mean(per_class.iter().map(|class| class.f1)),
        per_class,
        confusion,
    }
}

fn class_scores(confusion: &[ConfusionCell], names: &[String]) -> Vec<ClassScore> {
    let mut counts: HashMap<u32, ClassCounts> = HashMap::new();
    for cell in confusion {
        counts.entry(cell.truth).or_default().n += cell.n;
        if let Some(predicted) = cell.predicted {
            let class = counts.entry(predicted).or_default();
            class.predicted += cell.n;
            class.correct += if predicted == cell.truth { cell.n } else { 0 };
        }
    }
    let mut classes: Vec<ClassScore> = counts
        .into_iter()
        .map(|(class, ClassCounts { n, predicted, correct })| ClassScore {
            class,
            name: names[class as usize].clone(),
            n,
            predicted,
            correct,
            precision: ratio(correct, predicted),
            recall: ratio(correct, n),
            f1: ratio(2 * correct, n + predicted),
        })
        .collect();
    classes.sort_unstable_by_key(|class| (std::cmp::Reverse(class.n), class.class));
    classes
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0_usize), |(sum, n), value| (sum + value, n + 1));
    if n == 0 { 0.0 } else { sum / n as f64 }
}

/// The 95 % interval of a share by bootstrap: whole groups (species) are drawn with replacement, since specimens of one species
/// are found or missed together. Percentiles 2.5 and 97.5 of `resamples` draws.
///
/// `hits` `[N]` says which queries count, `groups` `[N]` to which species each belongs. `None` where there is no query.
///
/// # Panics
/// When `hits` and `groups` differ in length.
pub fn bootstrap_interval(hits: &[bool], groups: &[u32], resamples: usize, seed: Seed) -> Option<[f64; 2]> {
    let values: Vec<f64> = hits.iter().map(|&hit| f64::from(u8::from(hit))).collect();
    bootstrap_mean_interval(&values, groups, resamples, seed)
}

/// The 95 % interval of a mean of `values` `[N]`, by the same bootstrap. `None` where there is no value.
///
/// # Panics
/// When `values` and `groups` differ in length.
pub fn bootstrap_mean_interval(values: &[f64], groups: &[u32], resamples: usize, seed: Seed) -> Option<[f64; 2]> {
    let (group_of, group_count) = dense_groups(groups.iter().map(|&group| Some(group)));
    assert_eq!(values.len(), group_of.len(), "one group per query");
    let mut tallies = vec![(0.0, 0u64); group_count];
    for (&value, &group) in values.iter().zip(&group_of) {
        tallies[group].0 += value;
        tallies[group].1 += 1;
    }
    let mean = |drawn: &[u32]| {
        let (sum, all) = drawn.iter().zip(&tallies).fold((0.0, 0), |(sum, all), (&times, tally)| {
            (sum + f64::from(times) * tally.0, all + u64::from(times) * tally.1)
        });
        sum / all as f64
    };
    interval(resample(group_count, resamples, seed, &Silent, mean).ok()?)
}

/// 95 % intervals of [`Scores`], each from the 2.5 to the 97.5 percentile of the resamples.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Intervals {
    /// Of the share of right predictions.
    pub accuracy: [f64; 2],
    /// Of the mean recall of the true classes.
    pub balanced_accuracy: [f64; 2],
    /// Of the mean F1 over the true and the predicted classes.
    pub macro_f1: [f64; 2],
}

/// 95 % intervals of all scores by bootstrap over groups (species), drawn as [`bootstrap_interval`] draws them; a query without a
/// group stands for itself. In every resample the classes are those that occur in it. `None` where no query has a label.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
///
/// # Panics
/// When `truth`, `predicted` and `groups` differ in length.
pub fn bootstrap_intervals(
    truth: &[Option<u32>],
    predicted: &[Option<u32>],
    groups: &[Option<u32>],
    resamples: usize,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Option<Intervals>, Cancelled> {
    assert!(truth.len() == predicted.len() && truth.len() == groups.len(), "one prediction and one group per query");
    let labelled: Vec<usize> = (0..truth.len()).filter(|&query| truth[query].is_some()).collect();
    let (group_of, group_count) = dense_groups(labelled.iter().map(|&query| groups[query]));
    let mut class_of: HashMap<u32, usize> = HashMap::new();
    let mut class = |code: u32| {
        let next = class_of.len();
        *class_of.entry(code).or_insert(next)
    };
    let mut cells: BTreeMap<Cell, u32> = BTreeMap::new();
    for (&query, &group) in labelled.iter().zip(&group_of) {
        if let Some(truth) = truth[query] {
            *cells.entry((group, class(truth), predicted[query].map(&mut class))).or_default() += 1;
        }
    }
    let cells: Vec<(Cell, u32)> = cells.into_iter().collect();
    let classes = class_of.len();
    let statistics =
        resample(group_count, resamples, seed, observer, |drawn| scores_of_resample(&cells, classes, drawn))?;
    let of = |pick: fn(&[f64; 3]) -> f64| interval(statistics.iter().map(pick).collect());
    Ok(of(|scores| scores[0])
        .zip(of(|scores| scores[1]))
        .zip(of(|scores| scores[2]))
        .map(|((accuracy, balanced_accuracy), macro_f1)| Intervals { accuracy, balanced_accuracy, macro_f1 }))
}

/// Group, true class and predicted class of some queries.
type Cell = (usize, usize, Option<usize>);

/// Accuracy, balanced accuracy and macro F1 when group `g` is drawn `drawn[g]` times, from the number of queries per cell.
fn scores_of_resample(cells: &[(Cell, u32)], classes: usize, drawn: &[u32]) -> [f64; 3] {
    let mut counts = vec![ClassCounts::default(); classes];
    for &((group, truth, predicted), queries) in cells {
        let n = (queries * drawn[group]) as usize;
        counts[truth].n += n;
        if let Some(predicted) = predicted {
            counts[predicted].predicted += n;
            counts[predicted].correct += if predicted == truth { n } else { 0 };
        }
    }
    let correct = counts.iter().map(|class| class.correct).sum();
    let present = |class: &&ClassCounts| class.n + class.predicted > 0;
    [
        ratio(correct, counts.iter().map(|class| class.n).sum()),
        mean(counts.iter().filter(|class| class.n > 0).map(|class| ratio(class.correct, class.n))),
        mean(counts.iter().filter(present).map(|class| ratio(2 * class.correct, class.n + class.predicted))),
    ]
}

/// Queries of a class, calls of it, and right calls.
#[derive(Debug, Clone, Copy, Default)]
struct ClassCounts {
    n: usize,
    predicted: usize,
    correct: usize,
}

/// Numbers `0..groups` of the groups, in order of their codes, those without a code behind; and their number.
pub(super) fn dense_groups(codes: impl Iterator<Item = Option<u32>>) -> (Vec<usize>, usize) {
    let codes: Vec<Option<u32>> = codes.collect();
    let mut sorted: Vec<u32> = codes.iter().flatten().copied().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut next = sorted.len();
    let numbers = codes
        .into_iter()
        .map(|code| match code {
            Some(code) => sorted.partition_point(|&other| other < code),
            None => {
                next += 1;
                next - 1
            }
        })
        .collect();
    (numbers, next)
}

/// A statistic of `resamples` draws of all groups with replacement; it is told how often each group was drawn.
pub(super) fn resample<T: Send>(
    groups: usize,
    resamples: usize,
    seed: Seed,
    observer: &dyn Observer,
    statistic: impl Fn(&[u32]) -> T + Sync,
) -> Result<Vec<T>, Cancelled> {
    let resamples = if groups == 0 { 0 } else { resamples };
    (0..resamples)
        .into_par_iter()
        .map(|draw| {
            observer.progress(Progress::new("drawing species for the intervals", draw, resamples, "draws"))?;
            let mut rng = seed.stream_at("metrics/bootstrap", draw as u64);
            let mut drawn = vec![0u32; groups];
            (0..groups).for_each(|_| drawn[rng.random_range(0..groups)] += 1);
            Ok(statistic(&drawn))
        })
        .collect()
}

/// Percentiles 2.5 and 97.5; `None` of nothing.
pub(super) fn interval(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_unstable_by(f64::total_cmp);
    (!values.is_empty()).then(|| [percentile(&values, 0.025), percentile(&values, 0.975)])
}

/// Percentile of sorted values with linear interpolation between the two nearest.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

/// 2AB/(A+B), the harmonic mean of two shares; 0 where both are 0.
pub fn harmonic_mean(a: f64, b: f64) -> f64 {
    if a + b == 0.0 { 0.0 } else { 2.0 * a * b / (a + b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    fn names(n: u32) -> Vec<String> {
        (0..n).map(|class| format!("class {class}")).collect()
    }

    fn some(codes: &[u32]) -> Vec<Option<u32>> {
        codes.iter().copied().map(Some).collect()
    }

    #[test]
    fn agrees_with_scikit_learn() {
        let text = include_str!("../../tests/fixtures/reference/analysis.json");
        let reference: serde_json::Value = serde_json::from_str(text).unwrap();
        let codes = |value: &serde_json::Value| -> Vec<u32> { serde_json::from_value(value.clone()).unwrap() };
        let [from, to] = serde_json::from_value::<[usize; 2]>(reference["test"].clone()).unwrap();
        let truth = &codes(&reference["label"])[from..to];
        let expected = &reference["knn1_cosine"];
        let ours = scores(&some(truth), &some(&codes(&expected["predicted"])), &names(20));
        for (got, name) in
            [(ours.accuracy, "accuracy"), (ours.balanced_accuracy, "balanced_accuracy"), (ours.macro_f1, "f1_macro")]
        {
            assert!((got - expected[name].as_f64().unwrap()).abs() < 1e-12, "{name}: {got}");
        }
    }

    #[test]
    fn a_table_worked_out_by_hand() {
        // Class 0: two of three found; class 1 found; class 2 is never true; one query has no label, one no prediction.
        let truth = [Some(0), Some(0), Some(0), Some(1), None, Some(1)];
        let predicted = [Some(0), Some(0), Some(2), Some(1), Some(0), None];
        let scores = scores(&truth, &predicted, &names(3));
        assert_eq!((scores.n, scores.correct, scores.accuracy), (5, 3, 0.6));
        assert!((scores.balanced_accuracy - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-12);
        let f1 = [0.8, 2.0 / 3.0, 0.0];
        assert!((scores.macro_f1 - f1.iter().sum::<f64>() / 3.0).abs() < 1e-12);
        assert_eq!(scores.per_class.iter().map(|class| class.class).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(scores.confusion.len(), 4);
        assert!(scores.confusion.contains(&ConfusionCell { truth: 1, predicted: None, n: 1 }));
    }

    #[test]
    fn nothing_to_score_gives_zeros_and_no_interval() {
        let scores = scores(&[None, None], &[Some(0), None], &names(1));
        assert_eq!((scores.n, scores.accuracy, scores.macro_f1), (0, 0.0, 0.0));
        assert_eq!(bootstrap_interval(&[], &[], 1000, Seed(1)), None);
    }

    #[test]
    fn the_interval_is_that_of_the_groups_and_not_of_the_specimens() {
        // Ten species of 100 specimens each, half of them found entirely: ten independent coin tosses, not a thousand.
        let hits: Vec<bool> = (0..1000).map(|i| (i / 100) % 2 == 0).collect();
        let species: Vec<u32> = (0..1000).map(|i| i / 100).collect();
        let [low, high] = bootstrap_interval(&hits, &species, 1000, Seed(1)).unwrap();
        // The binomial of ten tosses has its 2.5 and 97.5 percentiles at 0.2 and 0.8.
        assert!((low - 0.2).abs() <= 0.1 && (high - 0.8).abs() <= 0.1, "{low} to {high}");
        let alone: Vec<u32> = (0..1000).collect();
        let [low, high] = bootstrap_interval(&hits, &alone, 1000, Seed(1)).unwrap();
        assert!((low - 0.469).abs() < 0.01 && (high - 0.531).abs() < 0.01, "{low} to {high}");
        assert_eq!(
            bootstrap_interval(&hits, &species, 1000, Seed(1)),
            bootstrap_interval(&hits, &species, 1000, Seed(1))
        );
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_its_share_stretched() {
        let hits: Vec<bool> = (0..300).map(|i| i % 3 == 0).collect();
        let groups: Vec<u32> = (0..300).map(|i| i / 7).collect();
        let values: Vec<f64> = hits.iter().map(|&hit| if hit { 5.0 } else { 1.0 }).collect();
        let share = bootstrap_interval(&hits, &groups, 400, Seed(2)).unwrap();
        let mean = bootstrap_mean_interval(&values, &groups, 400, Seed(2)).unwrap();
        for (mean, share) in mean.into_iter().zip(share) {
            assert!((mean - (1.0 + 4.0 * share)).abs() < 1e-12, "{mean} and {share}");
        }
        assert_eq!(bootstrap_mean_interval(&[], &[], 10, Seed(1)), None);
    }

    #[test]
    fn intervals_of_all_scores_hold_them_and_agree_with_that_of_the_share() {
        let mut rng = Seed(4).stream("queries");
        let species: Vec<u32> = (0..600).map(|query| query % 40).collect();
        let truth: Vec<Option<u32>> = species.iter().map(|species| Some(species / 4)).collect();
        let predicted: Vec<Option<u32>> = truth
            .iter()
            .map(|&genus| if rng.random_bool(0.7) { genus } else { Some(rng.random_range(0..12)) })
            .collect();
        let some_species: Vec<Option<u32>> = some(&species);
        let intervals = bootstrap_intervals(&truth, &predicted, &some_species, 500, Seed(1), &Silent).unwrap().unwrap();
        let hits: Vec<bool> = truth.iter().zip(&predicted).map(|(truth, predicted)| truth == predicted).collect();
        assert_eq!(Some(intervals.accuracy), bootstrap_interval(&hits, &species, 500, Seed(1)));
        let scores = scores(&truth, &predicted, &names(12));
        for ([low, high], score) in
            [(intervals.accuracy, scores.accuracy), (intervals.balanced_accuracy, scores.balanced_accuracy)]
        {
            assert!(low < score && score < high && high - low < 0.2, "{score} in {low} to {high}");
        }
        assert_ne!(intervals.macro_f1, intervals.balanced_accuracy);
    }

    #[test]
    fn a_resample_is_scored_as_the_queries_drawn_would_be() {
        let truth = some(&[0, 0, 1, 1, 2, 2]);
        let predicted = [Some(0), Some(1), Some(1), None, Some(2), Some(3)];
        let drawn = [2, 0, 1, 3, 0, 1];
        let cells: Vec<_> =
            (0..6).map(|i| ((i, truth[i].unwrap() as usize, predicted[i].map(|p| p as usize)), 1)).collect();
        let repeated = |values: &[Option<u32>]| -> Vec<Option<u32>> {
            (0..6).flat_map(|i| std::iter::repeat_n(values[i], drawn[i] as usize)).collect()
        };
        let expected = scores(&repeated(&truth), &repeated(&predicted), &names(4));
        let got = scores_of_resample(&cells, 4, &drawn);
        for (got, expected) in got.into_iter().zip([expected.accuracy, expected.balanced_accuracy, expected.macro_f1]) {
            assert!((got - expected).abs() < 1e-12, "{got}, not {expected}");
        }
    }

    #[test]
    fn queries_without_a_species_stand_for_themselves_and_without_a_label_for_nothing() {
        assert_eq!(dense_groups([Some(9), None, Some(3), None, Some(9)].into_iter()), (vec![1, 2, 0, 3, 1], 4));
        let nothing = bootstrap_intervals(&[None], &[Some(1)], &[None], 10, Seed(1), &Silent);
        assert_eq!(nothing, Ok(None));
        let right = bootstrap_intervals(&[Some(1), None], &[Some(1), Some(2)], &[None, None], 10, Seed(1), &Silent);
        assert_eq!(right.unwrap().unwrap().accuracy, [1.0, 1.0]);
    }

    #[test]
    fn harmonic_means() {
        assert!((harmonic_mean(0.6, 0.9) - 0.72).abs() < 1e-12);
        assert_eq!(harmonic_mean(0.0, 0.0), 0.0);
    }

    proptest! {
        #[test]
        fn counts_add_up(pairs in prop::collection::vec((prop::option::of(0_u32..5), prop::option::of(0_u32..5)), 0..80)) {
            let (truth, predicted): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            let scores = scores(&truth, &predicted, &names(5));
            let right = pairs.iter().filter(|(truth, predicted)| truth.is_some() && truth == predicted).count();
            prop_assert_eq!(scores.correct, right);
            prop_assert_eq!(scores.n, truth.iter().flatten().count());
            prop_assert_eq!(scores.confusion.iter().map(|cell| cell.n).sum::<usize>(), scores.n);
            prop_assert_eq!(scores.per_class.iter().map(|class| class.n).sum::<usize>(), scores.n);
        }
    }
}
