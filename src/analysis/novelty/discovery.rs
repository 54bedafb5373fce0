//! Lists of discoveries with a stated share of false ones.

/// The false-discovery rate at which each hypothesis would be listed, `[N]`, from the p-values of a whole batch (Benjamini &
/// Hochberg 1995): listing all with a value up to `a` rejects what the step-up procedure at level `a` rejects. A p-value that is no
/// number is never listed (its value is 1).
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let p = |at: usize| if p_values[at].is_nan() { 1.0 } else { p_values[at] };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p(a).total_cmp(&p(b)));
    let total = p_values.len() as f64;
    let mut rates = vec![1.0; p_values.len()];
    let mut least: f64 = 1.0;
    for (rank, &at) in order.iter().enumerate().rev() {
        least = least.min(p(at) * total / (rank + 1) as f64);
        rates[at] = least;
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    #[test]
    fn the_example_of_the_paper() {
        // Benjamini & Hochberg 1995, section 3.2: four of fifteen are rejected at 0.05.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.000,
        ];
        let rates = benjamini_hochberg(&p);
        assert_eq!(rates.iter().filter(|&&rate| rate <= 0.05).count(), 4);
        assert!((rates[0] - 0.0015).abs() < 1e-12 && rates[14] == 1.0);
    }

    #[test]
    fn nothing_and_no_number() {
        assert!(benjamini_hochberg(&[]).is_empty());
        assert_eq!(benjamini_hochberg(&[f64::NAN, 0.01]), [1.0, 0.02]);
    }

    proptest! {
        /// The step-up procedure as it is written down: the largest `k` with `p(k) <= k a / n`, and all up to it.
        #[test]
        fn lists_what_the_step_up_procedure_rejects(p in prop::collection::vec(0_u32..=40, 0..40), level in 1_u32..100) {
            let p: Vec<f64> = p.into_iter().map(|p| f64::from(p) / 40.0).collect();
            // A level between the values that the rates can take, so that rounding decides nothing.
            let level = f64::from(level) / 100.0 + 0.000_123;
            let mut sorted = p.clone();
            sorted.sort_by(f64::total_cmp);
            let n = p.len() as f64;
            let cut = (1..=p.len()).rev().find(|&k| sorted[k - 1] <= k as f64 * level / n).map(|k| sorted[k - 1]);
            let expected: Vec<bool> = p.iter().map(|&p| cut.is_some_and(|cut| p <= cut)).collect();
            let listed: Vec<bool> = benjamini_hochberg(&p).iter().map(|&rate| rate <= level).collect();
            prop_assert_eq!(listed, expected);
        }
    }
}
