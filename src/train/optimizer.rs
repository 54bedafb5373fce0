//! AdamW (Loshchilov and Hutter 2019) and the norm of the gradient, as PyTorch computes them.

use super::schedule::Rates;
use crate::arithmetic::vectors::{sum_of, wide};
use rayon::prelude::*;

/// Weights that one task takes.
const BLOCK: usize = 1 << 15;
/// Decay of the running mean of the gradient's square.
pub(super) const BETA2: f64 = 0.999;
/// Keeps weights whose gradient was always 0 where they are.
pub(super) const EPS: f32 = 1e-8;
/// PyTorch's `clip_grad_norm_` has it, so that a gradient of zeros makes no trouble.
pub(super) const CLIP_EPS: f64 = 1e-6;

/// The moments of all weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AdamW {
    /// Running mean of the gradient.
    pub(crate) first: Vec<f32>,
    /// Running mean of its square.
    pub(crate) second: Vec<f32>,
    /// Steps taken.
    pub(crate) steps: u64,
    /// Share of every weight that a step at learning rate 1 takes off.
    pub(crate) weight_decay: f64,
}

impl AdamW {
    pub(crate) fn new(count: usize, weight_decay: f64) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count], steps: 0, weight_decay }
    }

    /// Moves the weights against `factor` times the gradients.
    pub(crate) fn step(&mut self, weights: &mut [f32], gradients: &[f32], factor: f32, rates: Rates) {
        self.steps += 1;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let correction_1 = 1.0 - rates.beta1.powi(steps);
        let correction_2 = (1.0 - BETA2.powi(steps)).sqrt();
        let keep = (1.0 - rates.learning_rate * self.weight_decay) as f32;
        let (new_1, beta2, new_2) = ((1.0 - rates.beta1) as f32, BETA2 as f32, (1.0 - BETA2) as f32);
        let step_size = (rates.learning_rate / correction_1) as f32;
        let root_share = (1.0 / correction_2) as f32;
        let blocks = (
            weights.par_chunks_mut(BLOCK),
            gradients.par_chunks(BLOCK),
            self.first.par_chunks_mut(BLOCK),
            self.second.par_chunks_mut(BLOCK),
        );
        blocks.into_par_iter().for_each(|(weights, gradients, first, second)| {
            wide(|| {
                let moments = first.iter_mut().zip(second.iter_mut());
                for ((weight, &gradient), (first, second)) in weights.iter_mut().zip(gradients).zip(moments) {
                    let gradient = gradient * factor;
                    *first += (gradient - *first) * new_1;
                    *second = *second * beta2 + gradient * gradient * new_2;
                    *weight = *weight * keep - step_size * *first / (second.sqrt() * root_share + EPS);
                }
            });
        });
    }
}

/// The Euclidean length of the gradient of all weights.
pub(crate) fn norm_of(gradients: &[f32]) -> f64 {
    let blocks: Vec<f64> = gradients
        .par_chunks(BLOCK)
        .map(|block| {
            let mut sum = 0.0;
            block.chunks(1024).for_each(|row| wide(|| sum += f64::from(sum_of(row, |value| value * value))));
            sum
        })
        .collect();
    blocks.iter().sum::<f64>().sqrt()
}

/// What gradients of this length are multiplied by so that they are at most `limit` long.
pub(crate) fn clip_factor(norm: f64, limit: f64) -> f32 {
    (limit / (norm + CLIP_EPS)).min(1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adamw_takes_the_steps_of_its_formula() {
        let gradients = [[0.5f32, -2.0, 0.0], [0.25, 1.0, 0.0], [-1.0, 0.125, 0.0]];
        let rates =
            [(1e-2, 0.95), (2e-2, 0.85), (5e-3, 0.9)].map(|(learning_rate, beta1)| Rates { learning_rate, beta1 });
        let mut weights = vec![1.0f32, -1.0, 2.0];
        let mut adamw = AdamW::new(3, 0.1);
        let (mut expected, mut first, mut second) = ([1.0f64, -1.0, 2.0], [0.0f64; 3], [0.0f64; 3]);
        for (step, (gradient, rates)) in gradients.iter().zip(rates).enumerate() {
            adamw.step(&mut weights, gradient, 0.5, rates);
            let time = step as i32 + 1;
            for i in 0..3 {
                let g = 0.5 * f64::from(gradient[i]);
                first[i] = rates.beta1 * first[i] + (1.0 - rates.beta1) * g;
                second[i] = 0.999 * second[i] + 0.001 * g * g;
                let (m, v) = (first[i] / (1.0 - rates.beta1.powi(time)), second[i] / (1.0 - 0.999f64.powi(time)));
                expected[i] -= rates.learning_rate * 0.1 * expected[i] + rates.learning_rate * m / (v.sqrt() + 1e-8);
            }
        }
        for (weight, expected) in weights.iter().zip(expected) {
            assert!((f64::from(*weight) - expected).abs() < 1e-6, "{weight} {expected}");
        }
        assert!(weights[2] < 2.0, "weights without a gradient decay too");
    }

    #[test]
    fn long_gradients_are_clipped_and_short_ones_are_not() {
        assert!((norm_of(&[3.0, 0.0, -4.0]) - 5.0).abs() < 1e-12);
        assert!((f64::from(clip_factor(5.0, 1.0)) - 0.2).abs() < 1e-6);
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(0.0, 1.0), 1.0);
    }
}
