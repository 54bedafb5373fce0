//! The output layer and the loss, on the rows that have a target alone.
//!
//! The vocabulary is wide (4 096 6-mers), so logits are never kept: a few rows at a time they become the loss and their own
//! gradient.

use super::contrast::Matches;
use super::fit;
use super::parameters::LinearSpans;
use super::products::{add_column_sums, input_gradient, product, weight_gradient};
use super::rows::{Dropout, add_bias, drop_from};
use crate::arithmetic::vectors::{exp_non_positive, largest_of, sum_of, wide};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Rows whose logits exist at one time.
const CHUNK_ROWS: usize = 1024;
/// Rows that one task takes.
const TASK_ROWS: usize = 64;

/// A row of the last hidden states that must name its k-mer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    /// The row.
    pub(crate) row: u32,
    /// The k-mer, from 0: special tokens are no classes.
    pub(crate) class: u32,
    /// What its cross-entropy counts in the loss.
    pub(crate) weight: f32,
    /// Whether it counts in the accuracy.
    pub(crate) scored: bool,
}

/// Loss and accuracy of some targets.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Sum of weighted cross-entropies.
    pub(crate) loss: f64,
    /// Targets that were named rightly.
    pub(crate) right: usize,
    /// Targets that count in the accuracy.
    pub(crate) scored: usize,
    /// How well views were told apart, where they are compared; its loss is no part of the other.
    pub(crate) matches: Matches,
}

impl Outcome {
    /// Adds another part of the same batch.
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.right += other.right;
        self.scored += other.scored;
        self.matches.add(other.matches);
    }
}

/// Room for the rows of the targets and for a few logits.
#[derive(Debug, Default)]
pub(super) struct HeadScratch {
    rows: Vec<f32>,
    gradient: Vec<f32>,
    logits: Vec<f32>,
}

impl HeadScratch {
    /// Numbers that it has room for: of the rows, and of the logits, which never are those of more than a few rows.
    pub(super) fn numbers(&self) -> [usize; 2] {
        [self.rows.capacity() + self.gradient.capacity(), self.logits.capacity()]
    }

    /// Most logits that there ever are.
    pub(super) fn most_logits(classes: usize) -> usize {
        CHUNK_ROWS * classes
    }
}

/// The output layer in the shape in which it is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) spans: &'a LinearSpans,
    pub(super) weights: &'a [f32],
    pub(super) width: usize,
    pub(super) dropout: Option<Dropout>,
}

impl Head<'_> {
    /// Loss of the targets. With `gradients`, also the gradients: those of the weights are added to them, that at `hidden`
    /// `[N, D]` is written to `hidden_gradient`.
    pub(super) fn run(
        &self,
        hidden: &[f32],
        targets: &[Target],
        scratch: &mut HeadScratch,
        mut backward: Option<(&mut [f32], &mut [f32])>,
    ) -> Outcome {
        let width = self.width;
        let classes = self.spans.bias.len();
        let rows = fit(&mut scratch.rows, targets.len() * width);
        let gradient = fit(&mut scratch.gradient, targets.len() * width);
        rows.par_chunks_mut(width).zip(targets).for_each(|(row, target)| {
            row.copy_from_slice(&hidden[target.row as usize * width..][..width]);
        });
        drop_from(self.dropout, rows, 0);
        let mut outcome = Outcome::default();
        let chunks = rows.chunks(CHUNK_ROWS * width).zip(gradient.chunks_mut(CHUNK_ROWS * width));
        for ((rows, gradient), targets) in chunks.zip(targets.chunks(CHUNK_ROWS)) {
            let logits = fit(&mut scratch.logits, targets.len() * classes);
            outcome.add(self.chunk(rows, targets, logits, backward.is_some().then_some(&mut *gradient)));
            if let Some((_, gradients)) = &mut backward {
                weight_gradient(logits, rows, width, &mut gradients[self.spans.weight.clone()]);
                add_column_sums(logits, &mut gradients[self.spans.bias.clone()]);
            }
        }
        if let Some((hidden_gradient, _)) = backward {
            drop_from(self.dropout, gradient, 0);
            hidden_gradient.fill(0.0);
            for (row, target) in gradient.chunks_exact(width).zip(targets) {
                hidden_gradient[target.row as usize * width..][..width].copy_from_slice(row);
            }
        }
        outcome
    }

    /// Loss of some rows; with `gradient`, that at the rows is written and `logits` end as the loss's gradient at themselves.
    fn chunk(&self, rows: &[f32], targets: &[Target], logits: &mut [f32], gradient: Option<&mut [f32]>) -> Outcome {
        let (width, classes) = (self.width, self.spans.bias.len());
        let weight = &self.weights[self.spans.weight.clone()];
        let bias = &self.weights[self.spans.bias.clone()];
        let wanted = gradient.is_some();
        let mut nothing = Vec::new();
        let gradient = gradient.unwrap_or_else(|| {
            nothing.resize(rows.len(), 0.0);
            &mut nothing
        });
        let tasks = (
            rows.par_chunks(TASK_ROWS * width),
            targets.par_chunks(TASK_ROWS),
            logits.par_chunks_mut(TASK_ROWS * classes),
            gradient.par_chunks_mut(TASK_ROWS * width),
        );
        let outcomes: Vec<Outcome> = tasks
            .into_par_iter()
            .map(|(rows, targets, logits, gradient)| {
                product(rows, weight, width, logits);
                add_bias(logits, bias);
                let outcome = cross_entropy(logits, targets, classes);
                if wanted {
                    input_gradient(logits, weight, width, gradient);
                }
                outcome
            })
            .collect();
        let mut sum = Outcome::default();
        outcomes.into_iter().for_each(|outcome| sum.add(outcome));
        sum
    }
}

/// Cross-entropy of every row of `logits` `[n, classes]` with its target; the logits become the gradient at themselves.
fn cross_entropy(logits: &mut [f32], targets: &[Target], classes: usize) -> Outcome {
    let mut outcome = Outcome::default();
    wide(CrossEntropy { logits, targets, classes, outcome: &mut outcome });
    outcome
}

struct CrossEntropy<'a> {
    logits: &'a mut [f32],
    targets: &'a [Target],
    classes: usize,
    outcome: &'a mut Outcome,
}

impl WithSimd for CrossEntropy<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (row, target) in self.logits.chunks_exact_mut(self.classes).zip(self.targets) {
            let class = target.class as usize;
            let largest = largest_of(row);
            let wanted = row[class];
            if target.scored {
                self.outcome.scored += 1;
                // of equal logits the first counts, as argmax has it
                self.outcome.right += usize::from(wanted == largest && !row[..class].contains(&largest));
            }
            row.iter_mut().for_each(|logit| *logit = exp_non_positive(*logit - largest));
            let total = sum_of(row, |value| value);
            let cross_entropy = f64::from(total).ln() - (f64::from(wanted) - f64::from(largest));
            self.outcome.loss += f64::from(target.weight) * cross_entropy;
            let share = target.weight / total;
            row.iter_mut().for_each(|value| *value *= share);
            row[class] -= target.weight;
        }
    }
}
