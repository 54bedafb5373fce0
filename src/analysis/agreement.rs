//! Agreement of two labelings of the same specimens, whatever their labels are called.
//!
//! Definitions and limiting cases are scikit-learn's: adjusted mutual information with the arithmetic mean as normaliser (Vinh,
//! Epps & Bailey 2010), the adjusted Rand index (Hubert & Arabie 1985), homogeneity and completeness (Rosenberg & Hirschberg
//! 2007). Logarithms are natural.

use std::collections::HashMap;

/// How well a found labeling agrees with a true one.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Agreement {
    /// Adjusted mutual information: 1 for the same groups, about 0 for groups that agree by chance.
    pub ami: f64,
    /// Adjusted Rand index: 1 for the same groups, about 0 by chance.
    pub ari: f64,
    /// 1 where every found group holds one true group only.
    pub homogeneity: f64,
    /// 1 where every true group lies in one found group.
    pub completeness: f64,
}

/// Compares two labelings `[N]` of the same specimens.
///
/// # Panics
/// When the labelings differ in length.
pub fn agreement(truth: &[u32], found: &[u32]) -> Agreement {
    assert_eq!(truth.len(), found.len(), "both labelings must cover the same specimens");
    let table = Contingency::new(truth, found);
    let mutual = table.mutual_information();
    let (entropy_truth, entropy_found) = (entropy(&table.truth_sizes), entropy(&table.found_sizes));
    Agreement {
        ami: table.adjusted_mutual_information(mutual, entropy_truth, entropy_found),
        ari: table.adjusted_rand_index(),
        homogeneity: share(mutual, entropy_truth),
        completeness: share(mutual, entropy_found),
    }
}

/// How often each pair of labels occurs together; only pairs that do occur are held.
struct Contingency {
    specimens: usize,
    pairs: Vec<(usize, usize, u64)>,
    truth_sizes: Vec<u64>,
    found_sizes: Vec<u64>,
}

impl Contingency {
    fn new(truth: &[u32], found: &[u32]) -> Self {
        let (truth_codes, truth_sizes) = dense(truth);
        let (found_codes, found_sizes) = dense(found);
        let mut together: Vec<(usize, usize)> = truth_codes.into_iter().zip(found_codes).collect();
        together.sort_unstable();
        let pairs =
            together.chunk_by(|left, right| left == right).map(|run| (run[0].0, run[0].1, run.len() as u64)).collect();
        Self { specimens: truth.len(), pairs, truth_sizes, found_sizes }
    }

    fn mutual_information(&self) -> f64 {
        let n = self.specimens as f64;
        self.pairs
            .iter()
            .map(|&(t, f, count)| {
                let count = count as f64;
                count / n * (count * n / (self.truth_sizes[t] as f64 * self.found_sizes[f] as f64)).ln()
            })
            .sum::<f64>()
            .max(0.0)
    }

    /// Whether both labelings make the same groups.
    fn is_perfect(&self) -> bool {
        self.pairs.len() == self.truth_sizes.len() && self.pairs.len() == self.found_sizes.len()
    }

    fn adjusted_mutual_information(&self, mutual: f64, entropy_truth: f64, entropy_found: f64) -> f64 {
        if self.is_perfect() {
            return 1.0;
        }
        let expected = expected_mutual_information(&self.truth_sizes, &self.found_sizes, self.specimens);
        let room = (entropy_truth + entropy_found) / 2.0 - expected;
        // With a single group on one side both terms are rounding errors around zero.
        let room = if room < 0.0 { room.min(-f64::EPSILON) } else { room.max(f64::EPSILON) };
        let gain = mutual - expected;
        if gain.abs() < 1e-15 { 0.0 } else { gain / room }
    }

    fn adjusted_rand_index(&self) -> f64 {
        let squares = |sizes: &mut dyn Iterator<Item = u64>| sizes.map(|size| (size as f64).powi(2)).sum::<f64>();
        let n = self.specimens as f64;
        let together = squares(&mut self.pairs.iter().map(|pair| pair.2));
        let in_truth = squares(&mut self.truth_sizes.iter().copied());
        let in_found = squares(&mut self.found_sizes.iter().copied());
        let (both, only_found, only_truth) = (together - n, in_found - together, in_truth - together);
        let neither = n * n - in_found - in_truth + together;
        if only_found == 0.0 && only_truth == 0.0 {
            return 1.0;
        }
        2.0 * (both * neither - only_truth * only_found)
            / ((both + only_truth) * (only_truth + neither) + (both + only_found) * (only_found + neither))
    }
}

/// Codes `0..groups` in order of first appearance, and the size of each group.
fn dense(labels: &[u32]) -> (Vec<usize>, Vec<u64>) {
    let mut code_of = HashMap::new();
    let mut sizes = Vec::new();
    let codes = labels
        .iter()
        .map(|label| {
            let code = *code_of.entry(label).or_insert_with(|| {
                sizes.push(0);
                sizes.len() - 1
            });
            sizes[code] += 1;
            code
        })
        .collect();
    (codes, sizes)
}

fn entropy(sizes: &[u64]) -> f64 {
    let n = sizes.iter().sum::<u64>() as f64;
    -sizes.iter().map(|&size| size as f64 / n * (size as f64 / n).ln()).sum::<f64>()
}

fn share(mutual: f64, entropy: f64) -> f64 {
    if entropy == 0.0 { 1.0 } else { mutual / entropy }
}

/// Mutual information expected of random labelings with these group sizes (the hypergeometric model of Vinh et al. 2010).
///
/// The sum over a pair of groups depends on their two sizes only, so it is formed once per pair of different sizes.
fn expected_mutual_information(truth_sizes: &[u64], found_sizes: &[u64], specimens: usize) -> f64 {
    let ln_factorial = ln_factorials(specimens);
    let found = multiplicities(found_sizes);
    multiplicities(truth_sizes)
        .into_iter()
        .flat_map(|(a, a_groups)| found.iter().map(move |&(b, b_groups)| (a, b, a_groups * b_groups)))
        .map(|(a, b, groups)| groups as f64 * expected_of_pair(a as usize, b as usize, specimens, &ln_factorial))
        .sum()
}

fn expected_of_pair(a: usize, b: usize, n: usize, ln_factorial: &[f64]) -> f64 {
    let fixed = ln_factorial[a] + ln_factorial[b] + ln_factorial[n - a] + ln_factorial[n - b] - ln_factorial[n];
    let first = (a + b).saturating_sub(n).max(1);
    (first..=a.min(b))
        .map(|both| {
            let varying =
                ln_factorial[both] + ln_factorial[a - both] + ln_factorial[b - both] + ln_factorial[n + both - a - b];
            let (n, both) = (n as f64, both as f64);
            both / n * (n * both / (a as f64 * b as f64)).ln() * (fixed - varying).exp()
        })
        .sum()
}

/// `ln(i!)` for `i` in `0..=n`, summed with compensation, so that a million terms keep their digits.
fn ln_factorials(n: usize) -> Vec<f64> {
    let (mut sum, mut lost) = (0.0, 0.0);
    let mut table = Vec::with_capacity(n + 1);
    table.push(0.0);
    for i in 1..=n {
        let term = (i as f64).ln() - lost;
        let next = sum + term;
        lost = (next - sum) - term;
        sum = next;
        table.push(sum);
    }
    table
}

/// Different group sizes with the number of groups of that size.
fn multiplicities(sizes: &[u64]) -> Vec<(u64, u64)> {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    sorted.chunk_by(|left, right| left == right).map(|run| (run[0], run.len() as u64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reference() -> serde_json::Value {
        let text = include_str!("../../tests/fixtures/reference/analysis.json");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn agrees_with_scikit_learn_on_every_pair_of_labelings() {
        let reference = reference();
        let labels = |name: &str| -> Vec<u32> { serde_json::from_value(reference["labelings"][name].clone()).unwrap() };
        let scores = reference["scores"].as_object().unwrap();
        let mut compared = 0;
        for (pair, expected) in scores {
            let (truth, found) = pair.split_once('/').unwrap();
            let ours = serde_json::to_value(agreement(&labels(truth), &labels(found))).unwrap();
            for (score, value) in expected.as_object().unwrap() {
                let (want, got) = (value.as_f64().unwrap(), ours[score].as_f64().unwrap());
                assert!((want - got).abs() < 1e-9, "{score} of {pair}: {got}, not {want}");
                compared += 1;
            }
        }
        assert_eq!(compared, 48, "labelings or scores are missing from the reference");
    }

    #[test]
    fn small_and_degenerate_labelings() {
        assert_eq!(agreement(&[], &[]).ami, 1.0);
        assert_eq!(agreement(&[3], &[9]).ari, 1.0);
        let singletons = agreement(&[0, 1, 2, 3], &[7, 8, 9, 6]);
        assert_eq!((singletons.ami, singletons.ari), (1.0, 1.0));
        let one = agreement(&[0, 0, 1, 1], &[0, 0, 0, 0]);
        assert_eq!((one.ami, one.ari, one.homogeneity, one.completeness), (0.0, 0.0, 0.0, 1.0));
    }

    #[test]
    fn expected_information_is_the_mean_over_all_permutations() {
        // Four specimens are few enough to try every way of shuffling one labeling.
        let (truth, found) = ([0_u32, 0, 1, 1], [0_u32, 0, 0, 1]);
        let mut total = 0.0;
        let mut count = 0;
        for order in permutations(4) {
            let shuffled: Vec<u32> = order.iter().map(|&i| found[i]).collect();
            total += Contingency::new(&truth, &shuffled).mutual_information();
            count += 1;
        }
        let expected = expected_mutual_information(&[2, 2], &[3, 1], 4);
        assert!((total / f64::from(count) - expected).abs() < 1e-12);
    }

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![vec![]];
        }
        permutations(n - 1)
            .into_iter()
            .flat_map(|shorter| {
                (0..n).map(move |at| {
                    let mut longer = shorter.clone();
                    longer.insert(at, n - 1);
                    longer
                })
            })
            .collect()
    }

    proptest! {
        #[test]
        fn symmetric_where_it_should_be_and_blind_to_names(
            pairs in prop::collection::vec((0_u32..6, 0_u32..6), 2..60),
        ) {
            let (a, b): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
            let renamed: Vec<u32> = b.iter().map(|label| 1000 - 7 * label).collect();
            let (ab, ba, ar) = (agreement(&a, &b), agreement(&b, &a), agreement(&a, &renamed));
            prop_assert!((ab.ami - ba.ami).abs() < 1e-9 && (ab.ari - ba.ari).abs() < 1e-9);
            prop_assert!((ab.homogeneity - ba.completeness).abs() < 1e-9);
            prop_assert!((ab.ami - ar.ami).abs() < 1e-9 && (ab.ari - ar.ari).abs() < 1e-9);
            prop_assert!(ab.ami <= 1.0 + 1e-9 && ab.ari <= 1.0 + 1e-9);
        }
    }
}
