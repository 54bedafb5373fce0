//! What a run tells of itself, in bounded memory.

use super::network::{Matches, Outcome};
use super::objective::TokenCounts;
use serde::{Deserialize, Serialize};

/// Reports and validations that are kept of each; when there are more, every second one goes.
const MOST: usize = 4096;

/// The mean of a few steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Steps taken.
    pub step: u64,
    /// Passes over the barcodes, with fractions.
    pub epoch: f64,
    /// Mean loss since the last report.
    pub loss: f64,
    /// Share of the hidden k-mers (of the next ones, for a causal model) that were named rightly since the last report.
    pub accuracy: f64,
    /// Mean weighted contrastive loss since the last report, where views are compared. It is no part of `loss`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast_loss: Option<f64>,
    /// Share of the views whose nearest other view in the batch was their partner since the last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partners_found: Option<f64>,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Length of the last step's gradient, before it was clipped.
    pub gradient_norm: f64,
    /// Barcodes per second since the last report.
    pub sequences_per_second: f64,
    /// Tokens that the encoder saw per second since the last report.
    pub encoder_tokens_per_second: f64,
    /// Tokens that the decoder saw per second since the last report.
    pub decoder_tokens_per_second: f64,
    /// Seconds of training so far, pauses and validations not counted.
    pub seconds: f64,
}

/// Loss and accuracy on barcodes that are not trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Steps taken.
    pub step: u64,
    /// Mean loss.
    pub loss: f64,
    /// Share of the hidden k-mers that were named rightly.
    pub accuracy: f64,
}

/// The course of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Means of a few steps each.
    pub reports: Vec<Report>,
    /// Validations.
    pub validations: Vec<Validation>,
}

impl History {
    pub(super) fn report(&mut self, report: Report) {
        push(&mut self.reports, report);
    }

    pub(super) fn validation(&mut self, validation: Validation) {
        push(&mut self.validations, validation);
    }
}

fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= MOST {
        let mut keep = false;
        list.retain(|_| {
            keep = !keep;
            keep
        });
    }
    list.push(item);
}

/// What was added up since the last report.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Window {
    pub(super) loss: f64,
    pub(super) right: usize,
    pub(super) scored: usize,
    pub(super) matches: Matches,
    pub(super) steps: u64,
    pub(super) sequences: u64,
    pub(super) tokens: TokenCounts,
    pub(super) seconds: f64,
}

impl Window {
    /// Adds loss and accuracy of more steps.
    pub(super) fn add(&mut self, outcome: Outcome) {
        self.loss += outcome.loss;
        self.right += outcome.right;
        self.scored += outcome.scored;
        self.matches.add(outcome.matches);
    }

    /// A number of things per second.
    pub(super) fn rate(&self, count: u64) -> f64 {
        if self.seconds > 0.0 { count as f64 / self.seconds } else { 0.0 }
    }

    /// The share that was named rightly.
    pub(super) fn accuracy(&self) -> f64 {
        if self.scored == 0 { 0.0 } else { self.right as f64 / self.scored as f64 }
    }

    /// The share of views whose partner was found.
    pub(super) fn matched(&self) -> f64 {
        self.matches.found as f64 / self.matches.views.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_is_thinned_and_keeps_its_ends() {
        let mut history = History::default();
        for step in 0..100_000 {
            history.validation(Validation { step, loss: 0.0, accuracy: 0.0 });
        }
        assert!(history.validations.len() <= MOST);
        let steps: Vec<u64> = history.validations.iter().map(|validation| validation.step).collect();
        assert!(steps.is_sorted() && steps[0] == 0 && steps.last() == Some(&99_999));
    }
}
