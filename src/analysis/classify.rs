//! Classification by nearest neighbours: the neighbours' labels vote.

use super::knn::{Neighbours, VectorSource, nearest};
use crate::progress::{Cancelled, Observer};

/// How much the label of each neighbour counts.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Votes {
    /// Every neighbour counts the same.
    Uniform,
    /// A neighbour of similarity `s` counts as `exp(s / temperature)`, so that near ones decide (Wu, Xiong, Yu & Lin 2018,
    /// CVPR, section 3.4).
    Softmax {
        /// Difference in similarity by which a vote falls to 1/e of another; the smaller, the more the nearest decides.
        temperature: f32,
    },
}

/// How many neighbours vote, and how.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct VoteSettings {
    /// Number of neighbours, from 1.
    pub k: usize,
    /// What each one counts.
    pub votes: Votes,
}

impl VoteSettings {
    /// Temperature of the softmax where none is given.
    pub const TEMPERATURE: f32 = 0.02;

    /// The usual vote of `k` neighbours: one alone decides, several vote by softmax.
    pub fn of(k: usize) -> Self {
        let votes = if k > 1 { Votes::Softmax { temperature: Self::TEMPERATURE } } else { Votes::Uniform };
        Self { k, votes }
    }
}

impl Default for VoteSettings {
    fn default() -> Self {
        Self::of(1)
    }
}

/// What the neighbours of one query say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// The label with most votes; `None` where the query has no labelled neighbour.
    pub predicted: Option<u32>,
    /// Share of the votes, 0 to 1; with `k` = 1 the similarity of the one neighbour.
    pub score: f32,
    /// Similarity of the nearest neighbour with the predicted label less that of the nearest with any other label; `None` where
    /// no neighbour given has another, see [`nearest_other_label`].
    pub margin: Option<f32>,
    /// The nearest reference with the predicted label; [`Neighbours::NONE`] without prediction.
    pub neighbour: u32,
    /// Its similarity.
    pub similarity: f32,
}

impl Call {
    const NONE: Self =
        Self { predicted: None, score: 0.0, margin: None, neighbour: Neighbours::NONE, similarity: f32::NEG_INFINITY };
}

/// Lets the first `settings.k` labelled neighbours of every query vote. `labels` `[N]` are those of the references; neighbours
/// without one are passed over. More neighbours than vote may be given: they serve the margin.
///
/// Equal votes go to the label of the nearer neighbour, and so at equal similarity to that of the earlier reference.
///
/// # Panics
/// When a neighbour is not among the references.
pub fn vote(neighbours: &Neighbours, labels: &[Option<u32>], settings: &VoteSettings) -> Vec<Call> {
    (0..neighbours.index.nrows())
        .map(|query| {
            let labelled: Vec<Labelled> = neighbours
                .of(query)
                .filter_map(|(reference, similarity)| {
                    labels[reference as usize].map(|label| Labelled { reference, similarity, label })
                })
                .collect();
            call(&labelled, settings)
        })
        .collect()
}

/// A neighbour that has a label.
#[derive(Clone, Copy)]
struct Labelled {
    reference: u32,
    similarity: f32,
    label: u32,
}

fn call(neighbours: &[Labelled], settings: &VoteSettings) -> Call {
    let voters = &neighbours[..settings.k.max(1).min(neighbours.len())];
    let Some(nearest) = voters.first() else { return Call::NONE };
    let mut all_votes = 0.0;
    // In the order of each label's nearest neighbour.
    let mut tally: Vec<(Labelled, f64)> = Vec::new();
    for voter in voters {
        let weight = weight(settings.votes, voter.similarity, nearest.similarity);
        all_votes += weight;
        match tally.iter_mut().find(|(first, _)| first.label == voter.label) {
            Some((_, votes)) => *votes += weight,
            None => tally.push((*voter, weight)),
        }
    }
    let first = tally[0];
    let (winner, votes) = tally.into_iter().fold(first, |best, other| if other.1 > best.1 { other } else { best });
    let other = neighbours.iter().find(|neighbour| neighbour.label != winner.label);
    Call {
        predicted: Some(winner.label),
        score: if settings.k <= 1 { winner.similarity } else { (votes / all_votes) as f32 },
        margin: other.map(|other| winner.similarity - other.similarity),
        neighbour: winner.reference,
        similarity: winner.similarity,
    }
}

/// Votes of a neighbour, relative to those of the nearest, which keeps the exponential in range.
fn weight(votes: Votes, similarity: f32, best: f32) -> f64 {
    /// Far below any difference between two similarities; a temperature of zero would have no votes to count.
    const LEAST_TEMPERATURE: f64 = 1e-9;
    match votes {
        Votes::Uniform => 1.0,
        Votes::Softmax { temperature } => {
            ((f64::from(similarity) - f64::from(best)) / f64::from(temperature).max(LEAST_TEMPERATURE)).exp()
        }
    }
}

/// The nearest reference of every query with a label other than `labels_of_queries[q]`, exactly, `[Q,1]`: what the margin of a call
/// is measured against when all neighbours at hand agree. Unlabelled references are passed over, and so are those that are
/// `excluded(q, r)`.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
///
/// # Panics
/// As [`nearest`], and when there is not one label per query and per reference.
pub fn nearest_other_label(
    queries: &dyn VectorSource,
    labels_of_queries: &[Option<u32>],
    references: &dyn VectorSource,
    labels_of_references: &[Option<u32>],
    excluded: &(dyn Fn(usize, usize) -> bool + Sync),
    observer: &dyn Observer,
) -> Result<Neighbours, Cancelled> {
    assert_eq!(labels_of_queries.len(), queries.len(), "one label per query");
    assert_eq!(labels_of_references.len(), references.len(), "one label per reference");
    let unfit = |query: usize, reference: usize| {
        let label = labels_of_references[reference];
        label.is_none() || label == labels_of_queries[query] || excluded(query, reference)
    };
    nearest(queries, references, 1, &unfit, observer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::knn::nearest_among;
    use crate::analysis::metrics::scores;
    use crate::progress::Silent;
    use ndarray::{Array2, s};
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn found(neighbours: &[(u32, f32)]) -> Neighbours {
        let of = |pick: fn(&(u32, f32)) -> f32| neighbours.iter().map(pick).collect::<Vec<_>>();
        Neighbours {
            index: Array2::from_shape_vec((1, neighbours.len()), neighbours.iter().map(|n| n.0).collect()).unwrap(),
            similarity: Array2::from_shape_vec((1, neighbours.len()), of(|n| n.1)).unwrap(),
        }
    }

    fn one(neighbours: &[(u32, f32)], labels: &[Option<u32>], settings: VoteSettings) -> Call {
        vote(&found(neighbours), labels, &settings)[0]
    }

    fn uniform(k: usize) -> VoteSettings {
        VoteSettings { k, votes: Votes::Uniform }
    }

    const LABELS: [Option<u32>; 5] = [Some(7), Some(8), Some(8), None, Some(7)];

    #[test]
    fn one_neighbour_decides_alone() {
        let call = one(&[(3, 0.99), (1, 0.9), (2, 0.8), (0, 0.5)], &LABELS, VoteSettings::default());
        let expected = Call { predicted: Some(8), score: 0.9, margin: Some(0.9 - 0.5), neighbour: 1, similarity: 0.9 };
        assert_eq!(call, expected, "the nearest has no label, and the score is the similarity");
    }

    #[test]
    fn the_majority_wins_and_its_nearest_supports_it() {
        let call = one(&[(0, 0.9), (1, 0.8), (2, 0.7)], &LABELS, uniform(3));
        assert_eq!((call.predicted, call.neighbour, call.similarity), (Some(8), 1, 0.8));
        assert!((call.score - 2.0 / 3.0).abs() < 1e-6);
        assert!((call.margin.unwrap() - (0.8 - 0.9)).abs() < 1e-6, "another label may be nearer than the winner");
    }

    #[test]
    fn equal_votes_go_to_the_nearer_neighbour() {
        let call = one(&[(4, 0.9), (1, 0.9), (2, 0.8), (0, 0.7)], &LABELS, uniform(4));
        assert_eq!((call.predicted, call.neighbour, call.score), (Some(7), 4, 0.5));
    }

    #[test]
    fn softmax_counts_the_near_for_more() {
        let neighbours = [(0, 0.90), (1, 0.87), (2, 0.86)];
        let call = one(&neighbours, &LABELS, VoteSettings::of(3));
        let weights = [0.0f64, -0.03, -0.04].map(|gap| (gap / 0.02).exp());
        let share = weights[0] / weights.iter().sum::<f64>();
        assert_eq!(call.predicted, Some(7), "one near outweighs two that are farther");
        assert!((f64::from(call.score) - share).abs() < 1e-5, "{} is not {share}", call.score);
        let warm = VoteSettings { k: 3, votes: Votes::Softmax { temperature: 0.5 } };
        assert_eq!(one(&neighbours, &LABELS, warm).predicted, Some(8));
        for coldest in [0.0, -1.0, f32::NAN] {
            let call = one(&neighbours, &LABELS, VoteSettings { k: 3, votes: Votes::Softmax { temperature: coldest } });
            assert_eq!((call.predicted, call.score), (Some(7), 1.0));
        }
    }

    #[test]
    fn without_neighbours_or_without_another_label_it_says_so() {
        let nothing = [(Neighbours::NONE, f32::NEG_INFINITY)];
        assert_eq!(one(&nothing, &LABELS, VoteSettings::default()), Call::NONE);
        assert_eq!(one(&[(3, 0.9)], &LABELS, VoteSettings::of(5)), Call::NONE, "only an unlabelled one");
        assert_eq!(one(&[(1, 0.9), (2, 0.8)], &LABELS, uniform(5)).margin, None);
        assert!(vote(&found(&[]), &LABELS, &uniform(1)).iter().all(|call| *call == Call::NONE));
    }

    /// scikit-learn's KNeighborsClassifier with one neighbour and cosine distance.
    #[test]
    fn names_the_reference_points_as_scikit_learn_does() {
        let text = include_str!("../../tests/fixtures/reference/analysis.json");
        let case: serde_json::Value = serde_json::from_str(text).unwrap();
        let rows: Vec<Vec<f32>> = serde_json::from_value(case["x"].clone()).unwrap();
        let labels: Vec<u32> = serde_json::from_value(case["label"].clone()).unwrap();
        let expected: Vec<u32> = serde_json::from_value(case["knn1_cosine"]["predicted"].clone()).unwrap();
        let points = Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column]);
        let (train, test) = (points.slice(s![..200, ..]), points.slice(s![200.., ..]));
        let labels: Vec<Option<u32>> = labels.into_iter().map(Some).collect();
        let neighbours = nearest(&test, &train, 1, &|_, _| false, &Silent).unwrap();
        let predicted: Vec<Option<u32>> =
            vote(&neighbours, &labels[..200], &VoteSettings::default()).iter().map(|call| call.predicted).collect();
        assert_eq!(predicted, expected.into_iter().map(Some).collect::<Vec<_>>());
        let names: Vec<String> = (0..12).map(|label| label.to_string()).collect();
        assert_eq!(
            scores(&labels[200..], &predicted, &names).accuracy,
            case["knn1_cosine"]["accuracy"].as_f64().unwrap()
        );
    }

    proptest! {
        #[test]
        fn votes_as_the_definition_says(
            neighbours in prop::collection::vec((0u32..9, 0u8..6), 0..12),
            labels in prop::collection::vec(prop::option::of(0u32..4), 9),
            k in 1usize..8,
            softmax in any::<bool>(),
        ) {
            let mut neighbours: Vec<(u32, f32)> = neighbours.into_iter().map(|(r, s)| (r, f32::from(s) / 8.0)).collect();
            neighbours.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            neighbours.dedup_by_key(|neighbour| neighbour.0);
            let temperature = 0.25;
            let settings = VoteSettings { k, votes: if softmax { Votes::Softmax { temperature } } else { Votes::Uniform } };
            let call = one(&neighbours, &labels, settings);
            let labelled: Vec<(u32, f32, u32)> =
                neighbours.iter().filter_map(|&(r, s)| labels[r as usize].map(|label| (r, s, label))).collect();
            let mut votes: HashMap<u32, f64> = HashMap::new();
            for &(_, similarity, label) in labelled.iter().take(k) {
                let weight = if softmax { (f64::from(similarity) / f64::from(temperature)).exp() } else { 1.0 };
                *votes.entry(label).or_default() += weight;
            }
            let Some(predicted) = call.predicted else {
                prop_assert!(labelled.is_empty());
                return Ok(());
            };
            let most = votes.values().copied().fold(0.0, f64::max);
            prop_assert!(votes[&predicted] > most * (1.0 - 1e-9));
            // No label with as many votes has a nearer neighbour.
            let first = labelled.iter().find(|(_, _, label)| votes.get(label).is_some_and(|&v| v > most * (1.0 - 1e-9))).unwrap();
            prop_assert!(first.2 == predicted || softmax);
            let supporter = labelled.iter().find(|n| n.2 == predicted).unwrap();
            prop_assert_eq!((call.neighbour, call.similarity), (supporter.0, supporter.1));
            let other = labelled.iter().find(|n| n.2 != predicted);
            prop_assert_eq!(call.margin, other.map(|other| supporter.1 - other.1));
            let share = if k == 1 { f64::from(supporter.1) } else { votes[&predicted] / votes.values().sum::<f64>() };
            prop_assert!((f64::from(call.score) - share).abs() < 1e-6);
        }

        #[test]
        fn the_nearest_with_another_label_is_found_however_far(
            values in prop::collection::vec(-3i8..4, 3 * 30),
            labels in prop::collection::vec(prop::option::of(0u32..3), 30),
        ) {
            let vectors = Array2::from_shape_vec((30, 3), values.into_iter().map(f32::from).collect()).unwrap();
            let itself = |q: usize, r: usize| q == r;
            let others = nearest_other_label(&vectors, &labels, &vectors, &labels, &itself, &Silent).unwrap();
            for query in 0..30 {
                let rows: Vec<u32> = (0..30).filter(|&r: &u32| labels[r as usize].is_some() && labels[r as usize] != labels[query]).collect();
                let single = vectors.slice(s![query..=query, ..]);
                let expected = nearest_among(&single, &vectors, &rows, 1, &|_, r| r == query, &Silent).unwrap();
                prop_assert_eq!(others.of(query).collect::<Vec<_>>(), expected.of(0).collect::<Vec<_>>());
            }
        }
    }
}
