//! Conformal p-values: how unusual a score is among those of held-out specimens for which the truth is known.
//!
//! If a query is exchangeable with the `n` calibration specimens, `(1 + number of them at least as strange) / (n + 1)` is at most
//! `a` with probability at most `a`, whatever the score and its distribution (Vovk, Gammerman & Shafer 2005). All p-values of a
//! batch share one calibration set and so depend on each other, positively (PRDS), for which the Benjamini-Hochberg procedure keeps
//! its false-discovery rate: Bates, Candès, Lei, Romano & Sesia (2023) Testing for outliers with conformal p-values. Annals of
//! Statistics 51: 149-178.
//!
//! Scores may be compared within categories only (Mondrian conformal prediction), where these can be told without the truth: then
//! the p-values hold in each category, and so for any mixture of them.

/// Scores of calibration specimens, by category.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Sorted scores of each pool.
    pools: Vec<Vec<f64>>,
    /// The pool of each category.
    pool_of: Vec<usize>,
}

impl Calibration {
    /// Takes the scores `[N]` of calibration specimens with their categories `[N]`, numbers below `categories` in an order in which
    /// neighbours are alike. Neighbouring categories are thrown together until each pool has `least` scores, since a pool of `n`
    /// knows no p-value below `1 / (n + 1)`. Scores that are no number are left out.
    ///
    /// # Panics
    /// When scores and categories differ in length, or a category is not below `categories`.
    pub fn new(scores: &[f64], categories_of: &[usize], categories: usize, least: usize) -> Self {
        assert_eq!(scores.len(), categories_of.len(), "one category per score");
        let mut by_category = vec![Vec::new(); categories.max(1)];
        for (&score, &category) in scores.iter().zip(categories_of) {
            if !score.is_nan() {
                by_category[category].push(score);
            }
        }
        let mut pools: Vec<Vec<f64>> = Vec::new();
        let mut pool_of = Vec::new();
        for mut category in by_category {
            match pools.last_mut() {
                Some(last) if last.len() < least => last.append(&mut category),
                _ => pools.push(category),
            }
            pool_of.push(pools.len() - 1);
        }
        if pools.len() > 1 && pools[pools.len() - 1].len() < least {
            let mut rest = pools.pop().unwrap_or_default();
            let last = pools.len() - 1;
            pools[last].append(&mut rest);
            pool_of.iter_mut().for_each(|pool| *pool = (*pool).min(last));
        }
        pools.iter_mut().for_each(|pool| pool.sort_unstable_by(f64::total_cmp));
        Self { pools, pool_of }
    }

    /// Number of calibration scores.
    pub fn len(&self) -> usize {
        self.pools.iter().map(Vec::len).sum()
    }

    /// Whether there is nothing to compare with.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of pools and their sizes, in the order of the categories.
    pub fn pool_sizes(&self) -> Vec<usize> {
        self.pools.iter().map(Vec::len).collect()
    }

    /// The p-value of being at least as strange as `score`, from `1 / (n + 1)` to 1; small where the query is stranger than the
    /// calibration specimens. A score that is no number counts as the strangest.
    ///
    /// # Panics
    /// When the category is unknown.
    pub fn p_of_strange(&self, score: f64, category: usize) -> f64 {
        let pool = self.pool(category);
        let below = if score.is_nan() { pool.len() } else { pool.partition_point(|&other| other < score) };
        (1 + pool.len() - below) as f64 / (pool.len() + 1) as f64
    }

    /// The p-value of being at most as strange as `score`; small where the query is more familiar than the calibration specimens.
    ///
    /// # Panics
    /// When the category is unknown.
    pub fn p_of_familiar(&self, score: f64, category: usize) -> f64 {
        let pool = self.pool(category);
        let up_to = if score.is_nan() { pool.len() } else { pool.partition_point(|&other| other <= score) };
        (1 + up_to) as f64 / (pool.len() + 1) as f64
    }

    fn pool(&self, category: usize) -> &[f64] {
        &self.pools[self.pool_of[category]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
    use rand::Rng;

    #[test]
    fn p_values_by_hand() {
        let calibration = Calibration::new(&[0.1, 0.3, 0.2, 0.2, f64::NAN], &[0; 5], 1, 1);
        assert_eq!((calibration.len(), calibration.pool_sizes()), (4, vec![4]));
        assert_eq!(calibration.p_of_strange(0.4, 0), 1.0 / 5.0);
        assert_eq!(calibration.p_of_strange(0.2, 0), 4.0 / 5.0);
        assert_eq!(calibration.p_of_strange(0.0, 0), 1.0);
        assert_eq!(calibration.p_of_familiar(0.2, 0), 4.0 / 5.0);
        assert_eq!(calibration.p_of_familiar(0.0, 0), 1.0 / 5.0);
        assert_eq!((calibration.p_of_strange(f64::NAN, 0), calibration.p_of_familiar(f64::NAN, 0)), (0.2, 1.0));
    }

    #[test]
    fn nothing_to_compare_with_proves_nothing() {
        let calibration = Calibration::new(&[], &[], 3, 10);
        assert!(calibration.is_empty());
        assert_eq!((calibration.p_of_strange(9.0, 2), calibration.p_of_familiar(9.0, 0)), (1.0, 1.0));
    }

    #[test]
    fn small_categories_join_their_neighbours() {
        let categories = [0, 1, 1, 1, 2, 3, 3, 4];
        let scores: Vec<f64> = (0..8).map(f64::from).collect();
        let calibration = Calibration::new(&scores, &categories, 5, 3);
        // 0 with 1; 2 with 3; 4 alone is too small and joins those.
        assert_eq!(calibration.pool_sizes(), [4, 4]);
        assert_eq!(calibration.pool_of, [0, 0, 1, 1, 1]);
        assert_eq!(Calibration::new(&scores, &categories, 5, 100).pool_sizes(), [8]);
    }

    #[test]
    fn categories_are_compared_with_themselves() {
        let calibration = Calibration::new(&[0.0, 0.1, 5.0, 5.1], &[0, 0, 1, 1], 2, 2);
        assert_eq!((calibration.p_of_strange(4.0, 0), calibration.p_of_strange(4.0, 1)), (1.0 / 3.0, 1.0));
    }

    #[test]
    fn p_values_are_uniform_at_most_under_exchangeability() {
        // Coarse scores with many ties; calibration and query drawn alike, again and again.
        let mut rng = Seed(3).stream("exchangeable");
        let trials = 4_000;
        let mut low = [0_usize; 4];
        let levels = [0.05, 0.1, 0.25, 0.5];
        for _ in 0..trials {
            let mut draw = || f64::from(rng.random_range(0..40_u32)).sqrt().floor();
            let calibration: Vec<f64> = (0..39).map(|_| draw()).collect();
            let calibration = Calibration::new(&calibration, &[0; 39], 1, 1);
            let score = draw();
            let p = calibration.p_of_strange(score, 0);
            levels.iter().zip(&mut low).for_each(|(&level, low)| *low += usize::from(p <= level));
        }
        for (level, low) in levels.into_iter().zip(low) {
            let share = low as f64 / f64::from(trials);
            // Three standard deviations of the share.
            let slack = 3.0 * (level * (1.0 - level) / f64::from(trials)).sqrt();
            assert!(share <= level + slack, "p <= {level} in {share} of the trials");
        }
    }

    proptest! {
        /// Of `n + 1` exchangeable scores each is the query once: at most a share `a` of them may have a p-value up to `a`.
        #[test]
        fn leave_one_out_over_all_scores_is_super_uniform(scores in prop::collection::vec(0_u8..20, 2..60), level in 0.0_f64..1.0) {
            let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
            for familiar in [false, true] {
                let small = (0..scores.len()).filter(|&query| {
                    let mut others = scores.clone();
                    let score = others.swap_remove(query);
                    let calibration = Calibration::new(&others, &vec![0; others.len()], 1, 1);
                    let p = if familiar { calibration.p_of_familiar(score, 0) } else { calibration.p_of_strange(score, 0) };
                    p <= level
                });
                prop_assert!(small.count() as f64 <= level * scores.len() as f64 + 1e-9);
            }
        }

        #[test]
        fn pools_hold_every_score_and_enough(
            items in prop::collection::vec((0_u8..50, 0_usize..6), 0..80), least in 0_usize..30,
        ) {
            let (scores, categories): (Vec<f64>, Vec<usize>) =
                items.iter().map(|&(score, category)| (f64::from(score), category)).unzip();
            let calibration = Calibration::new(&scores, &categories, 6, least);
            prop_assert_eq!(calibration.len(), items.len());
            let sizes = calibration.pool_sizes();
            prop_assert!(sizes.len() == 1 || sizes.iter().all(|&size| size >= least));
            prop_assert!(calibration.pool_of.windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }
}
