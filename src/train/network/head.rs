//! The output layer and the loss, on the rows that have a target alone.
//!
//! The vocabulary is wide (4 096 6-mers), so logits are never kept: a few rows at a time they become the loss and their own
//! gradient.

use super::contrast::Matches;
use super::parameters::LinearSpans;
use super::products::{Way, add_column_sums, lay_out, product, weight_gradient};
use super::rows::{Dropout, add_bias, drop_from};
use crate::arithmetic::fit;
use crate::arithmetic::product::Right;
use crate::arithmetic::vectors::{exp_non_positive, largest_of, sum_of, wide};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Rows whose logits exist at one time.
const CHUNK_ROWS: usize = 1008;
/// Rows that one task takes: whole blocks of rows of a product, which have 14 or 6.
const TASK_ROWS: usize = 84;

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
    /// The weights, laid out for either way.
    forward: Right,
    back: Right,
    /// A few rows, laid out for the gradient of the weights.
    laid_out: Vec<Right>,
}

impl HeadScratch {
    /// Numbers that it has room for: of the rows, and of the logits, which never are those of more than a few rows.
    pub(super) fn numbers(&self) -> [usize; 2] {
        [self.rows.capacity() + self.gradient.capacity(), self.logits.capacity()]
    }

    /// Numbers that the weights take, laid out.
    pub(super) fn weight_numbers(&self) -> usize {
        self.forward.numbers() + self.back.numbers()
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
    /// Loss of the targets, each at its row of `hidden` `[n, D]`. With `gradients`, also the gradients: those of the weights are added
    /// to them, that at `hidden` is written to `hidden_gradient`.
    pub(super) fn run(
        &self,
        hidden: &[f32],
        rows_of_targets: &[usize],
        targets: &[Target],
        scratch: &mut HeadScratch,
        mut backward: Option<(&mut [f32], &mut [f32])>,
    ) -> Outcome {
        let width = self.width;
        let classes = self.spans.bias.len();
        let HeadScratch { rows, gradient, logits, forward, back, laid_out } = scratch;
        lay_out([&mut *forward], [self.spans], self.weights, Way::Forward);
        if backward.is_some() {
            lay_out([&mut *back], [self.spans], self.weights, Way::Back);
        }
        let rows = fit(rows, targets.len() * width);
        let gradient = fit(gradient, targets.len() * width);
        rows.par_chunks_mut(width).zip(rows_of_targets).for_each(|(row, at)| {
            row.copy_from_slice(&hidden[at * width..][..width]);
        });
        drop_from(self.dropout, rows, 0);
        let mut outcome = Outcome::default();
        let chunks = rows.chunks(CHUNK_ROWS * width).zip(gradient.chunks_mut(CHUNK_ROWS * width));
        for ((rows, gradient), targets) in chunks.zip(targets.chunks(CHUNK_ROWS)) {
            let logits = fit(logits, targets.len() * classes);
            let wanted = backward.is_some().then_some((&mut *gradient, &*back));
            outcome.add(self.chunk(rows, targets, logits, forward, wanted));
            if let Some((_, gradients)) = &mut backward {
                weight_gradient(logits, rows, width, &mut gradients[self.spans.weight.clone()], laid_out);
                add_column_sums(logits, &mut gradients[self.spans.bias.clone()]);
            }
        }
        if let Some((hidden_gradient, _)) = backward {
            drop_from(self.dropout, gradient, 0);
            hidden_gradient.fill(0.0);
            for (row, at) in gradient.chunks_exact(width).zip(rows_of_targets) {
                hidden_gradient[at * width..][..width].copy_from_slice(row);
            }
        }
        outcome
    }

    /// Loss of some rows, by the weights laid out `forward`; with `gradient`, and the weights laid out for it, that at the rows is
    /// written and `logits` end as the loss's gradient at themselves.
    fn chunk(
        &self,
        rows: &[f32],
        targets: &[Target],
        logits: &mut [f32],
        forward: &Right,
        gradient: Option<(&mut [f32], &Right)>,
    ) -> Outcome {
        let (width, classes) = (self.width, self.spans.bias.len());
        let bias = &self.weights[self.spans.bias.clone()];
        let (gradient, back) = gradient.unzip();
        let gradients: Vec<Option<&mut [f32]>> = match gradient {
            Some(gradient) => gradient.chunks_mut(TASK_ROWS * width).map(Some).collect(),
            None => targets.chunks(TASK_ROWS).map(|_| None).collect(),
        };
        let tasks = (
            rows.par_chunks(TASK_ROWS * width),
            targets.par_chunks(TASK_ROWS),
            logits.par_chunks_mut(TASK_ROWS * classes),
            gradients,
        );
        let outcomes: Vec<Outcome> = tasks
            .into_par_iter()
            .map(|(rows, targets, logits, gradient)| {
                product(rows, forward, logits);
                add_bias(logits, bias);
                let outcome = cross_entropy(logits, targets, classes);
                if let Some((gradient, back)) = gradient.zip(back) {
                    product(logits, back, gradient);
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
