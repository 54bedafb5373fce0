//! What one drawn edge does to its point: the pull of the other end and the push of the negative samples, side by side.

use crate::arithmetic::vectors::power;

/// Lanes of a step: the other end in the first, negative samples in the next ones, and nothing in the rest.
pub(super) const LANES: usize = 8;
const REPULSION: f32 = 1.0;
/// No single step goes farther than this (times the learning rate) along any axis.
const LONGEST_STEP: f32 = 4.0;
/// Added to squared distances, it keeps the push near 0 finite, as in umap-learn.
const NEAREST: f32 = 0.001;

/// The membership of two points at a distance `d` on the map, `1 / (1 + a d^2b)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curve {
    pub(super) a: f32,
    pub(super) b: f32,
}

impl Curve {
    /// The steps along each axis, from the differences `away` between the point and the others `[axes][LANES]`: down the
    /// gradient of `-log(membership)` for the first lane, of `-log(1 - membership)` for the rest. Where there is no difference
    /// there is no step.
    #[inline(always)]
    pub(super) fn steps(&self, away: &[[f32; LANES]], rate: f32) -> impl Iterator<Item = (usize, [f32; LANES])> {
        let mut squared = [0.0f32; LANES];
        for axis in away {
            squared.iter_mut().zip(axis).for_each(|(sum, difference)| *sum += difference * difference);
        }
        let factors = self.factors(&squared);
        away.iter().enumerate().map(move |(axis, away)| {
            let mut steps = [0.0; LANES];
            for (step, (factor, away)) in steps.iter_mut().zip(factors.iter().zip(away)) {
                *step = rate * limited(factor * away);
            }
            (axis, steps)
        })
    }

    /// What differences are multiplied by, given their squared lengths.
    #[inline(always)]
    fn factors(&self, squared: &[f32; LANES]) -> [f32; LANES] {
        let (a, b) = (self.a, self.b);
        let (mut constant, mut slope, mut nearest) = ([2.0 * REPULSION * b; LANES], [0.0; LANES], [NEAREST; LANES]);
        (constant[0], slope[0], nearest[0]) = (0.0, -2.0 * a * b, 0.0);
        let mut factors = [0.0; LANES];
        for lane in 0..LANES {
            let power = power(squared[lane], b);
            let factor = (constant[lane] + slope[lane] * power) / ((nearest[lane] + squared[lane]) * (1.0 + a * power));
            factors[lane] = if squared[lane] > 0.0 { factor } else { 0.0 };
        }
        factors
    }
}

#[inline(always)]
fn limited(step: f32) -> f32 {
    let step = if step > LONGEST_STEP { LONGEST_STEP } else { step };
    if step < -LONGEST_STEP { -LONGEST_STEP } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVE: Curve = Curve { a: 1.577, b: 0.895 };

    #[test]
    fn gradients_are_those_of_the_membership() {
        let log_near = |d: f64| -(1.577 * d.powf(2.0 * 0.895)).ln_1p();
        let log_far = |d: f64| (1.0 - log_near(d).exp()).ln();
        for d in [0.3f64, 1.0, 4.0] {
            let slope = |f: &dyn Fn(f64) -> f64| (f(d + 1e-6) - f(d - 1e-6)) / 2e-6;
            let factors = CURVE.factors(&[(d * d) as f32; LANES]);
            assert!((f64::from(factors[0]) * d - slope(&log_near)).abs() < 1e-3);
            // What keeps it finite changes it by less than a hundredth here.
            for push in &factors[1..] {
                assert!((f64::from(*push) * d / slope(&log_far) - 1.0).abs() < 0.02);
            }
        }
        assert_eq!(CURVE.factors(&[0.0; LANES]), [0.0; LANES]);
    }

    #[test]
    fn a_step_goes_towards_the_other_end_and_away_from_strangers_and_never_too_far() {
        let mut away = [[0.0; LANES]; 2];
        (away[0][0], away[1][0]) = (3.0, -4.0);
        (away[0][1], away[1][1]) = (0.3, 0.4);
        away[0][2] = 1e-3;
        let steps: Vec<[f32; LANES]> = CURVE.steps(&away, 0.5).map(|(_, steps)| steps).collect();
        assert!(steps[0][0] < 0.0 && steps[1][0] > 0.0);
        assert!((steps[1][0] / steps[0][0] + 4.0 / 3.0).abs() < 1e-5);
        assert!(steps[0][1] > 0.0 && (steps[1][1] / steps[0][1] - 4.0 / 3.0).abs() < 1e-5);
        assert!((steps[0][2] - 0.5 * LONGEST_STEP.min(1.79e-3 / 1.001e-3)).abs() < 1e-2);
        assert!(steps.iter().flat_map(|axis| &axis[3..]).all(|&step| step == 0.0));
        away[0][1] = 1e-2;
        away[1][1] = 0.0;
        let longest = CURVE.steps(&away, 0.5).next().unwrap().1[1];
        assert_eq!(longest, 0.5 * LONGEST_STEP);
    }
}
