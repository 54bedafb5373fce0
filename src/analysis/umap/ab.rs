//! The curve that turns distances on the map into membership.

/// `a` and `b` of `1 / (1 + a d^2b)`, fitted by least squares at 300 distances from 0 to 3 to the curve that is 1 up to
/// `min_dist` and falls off exponentially beyond it (McInnes et al. 2018, section 3.2; umap-learn's `find_ab_params` with spread
/// 1).
pub fn fit_ab(min_dist: f64) -> (f64, f64) {
    const POINTS: usize = 300;
    const REACH: f64 = 3.0;
    let curve: Vec<(f64, f64)> = (0..POINTS)
        .map(|i| i as f64 * REACH / (POINTS - 1) as f64)
        .map(|d| (d, if d < min_dist { 1.0 } else { (-(d - min_dist)).exp() }))
        .collect();
    // Levenberg-Marquardt in two unknowns.
    let (mut a, mut b, mut damping) = (1.0, 1.0, 1e-3);
    let mut error = squared_error(&curve, a, b);
    for _ in 0..200 {
        let [haa, hab, hbb, ga, gb] = normal_equations(&curve, a, b);
        let (saa, sbb) = (haa * (1.0 + damping), hbb * (1.0 + damping));
        let determinant = saa * sbb - hab * hab;
        let (step_a, step_b) = ((sbb * ga - hab * gb) / determinant, (saa * gb - hab * ga) / determinant);
        let tried = squared_error(&curve, a + step_a, b + step_b);
        if a + step_a > 0.0 && b + step_b > 0.0 && tried <= error {
            (a, b, error, damping) = (a + step_a, b + step_b, tried, damping * 0.1);
            if step_a.abs() < 1e-12 * a && step_b.abs() < 1e-12 * b {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    (a, b)
}

fn membership(d: f64, a: f64, b: f64) -> f64 {
    1.0 / (1.0 + a * d.powf(2.0 * b))
}

fn squared_error(curve: &[(f64, f64)], a: f64, b: f64) -> f64 {
    curve.iter().map(|&(d, y)| (y - membership(d, a, b)).powi(2)).sum()
}

/// `JᵀJ` (three entries) and `Jᵀ r` (two) of the fit.
fn normal_equations(curve: &[(f64, f64)], a: f64, b: f64) -> [f64; 5] {
    let mut sums = [0.0; 5];
    for &(d, y) in curve.iter().filter(|(d, _)| *d > 0.0) {
        let power = d.powf(2.0 * b);
        let value = 1.0 / (1.0 + a * power);
        let by_a = -value * value * power;
        let by_b = by_a * a * 2.0 * d.ln();
        let residual = y - value;
        let terms = [by_a * by_a, by_a * by_b, by_b * by_b, by_a * residual, by_b * residual];
        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_umap_learn() {
        // find_ab_params(1.0, min_dist) of umap-learn 0.5; the middle one also stands in the reference cases.
        for (min_dist, a, b) in
            [(0.0, 1.932_808, 0.790_495), (0.1, 1.576_943_46, 0.895_060_88), (0.5, 0.583_030, 1.334_167)]
        {
            let found = fit_ab(min_dist);
            assert!((found.0 - a).abs() < 1e-5 && (found.1 - b).abs() < 1e-5, "min_dist {min_dist}: {found:?}");
        }
    }
}
