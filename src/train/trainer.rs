//! A run, step by step.

use super::TrainError;
use super::corpus::Corpus;
use super::history::{History, Report, Validation, Window};
use super::network::{Drops, Network, Outcome};
use super::objective::{Sample, Streams};
use super::optimizer::{AdamW, clip_factor, norm_of};
use super::schedule::Rates;
use super::settings::{CheckedSettings, RunLength};
use crate::progress::{Cancelled, Observer, Progress};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;

/// Barcodes of one pass of a validation.
const VALIDATION_BATCH: usize = 64;
/// A run that is measured in minutes follows the schedule of one with so many steps.
const NOMINAL_STEPS: f64 = 1000.0;

/// How far a run is: what its further course depends on, beside weights and moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counters {
    /// Steps taken.
    pub(super) steps: u64,
    /// Barcodes drawn.
    pub(super) draws: u64,
    /// Passes through the network, which number the draws of dropout.
    pub(super) passes: u64,
    /// Seconds of training.
    pub(super) seconds: f64,
    /// Validations since the best one.
    pub(super) since_best: u64,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Steps taken.
    pub step: u64,
    /// Passes over the barcodes, with fractions.
    pub epoch: f64,
    /// Means since the last report, every few steps.
    pub report: Option<Report>,
}

/// A model in training.
#[derive(Debug)]
pub struct Trainer {
    pub(super) settings: CheckedSettings,
    pub(super) corpus: Arc<Corpus>,
    pub(super) network: Network,
    pub(super) weights: Vec<f32>,
    pub(super) optimizer: AdamW,
    pub(super) counters: Counters,
    pub(super) history: History,
    pub(super) best: Option<Validation>,
    /// Step of the last checkpoint that was written; 0 before the first.
    pub(super) checkpoint_step: u64,
    gradients: Vec<f32>,
    streams: Streams,
    /// The pass over the barcodes that `order` is for.
    order_epoch: Option<u64>,
    order: Vec<u32>,
    window: Window,
}

impl Trainer {
    /// A new model with random weights.
    pub fn new(settings: CheckedSettings, corpus: Arc<Corpus>) -> Self {
        let network = Network::new(settings.architecture);
        let weights = network.layout().initial(settings.seed());
        let optimizer = AdamW::new(weights.len(), settings.settings().weight_decay);
        Self {
            streams: Streams::new(settings.seed()),
            gradients: vec![0.0; weights.len()],
            settings,
            corpus,
            network,
            weights,
            optimizer,
            counters: Counters::default(),
            history: History::default(),
            best: None,
            checkpoint_step: 0,
            order_epoch: None,
            order: Vec::new(),
            window: Window::default(),
        }
    }

    /// The settings of the run.
    pub fn settings(&self) -> &CheckedSettings {
        &self.settings
    }

    /// The barcodes of the run.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.weights.len()
    }

    /// Bytes of the model's file: the weights, the record of the barcodes and a header.
    pub fn model_bytes(&self) -> u64 {
        /// Name, shape and place of a tensor in the header.
        const PER_TENSOR: usize = 128;
        let header = PER_TENSOR * self.network.layout().entries().len();
        (size_of_val(&self.weights[..]) + self.corpus.seen().to_bytes().len() + header) as u64
    }

    /// Most bytes that the run takes once batches are `times` as large as they were so far: weights, gradient and two moments, what
    /// passes through the network, the barcodes, and what is gathered while a checkpoint is written.
    pub fn memory_bytes(&self, times: f64) -> u64 {
        /// Weights, gradient, two moments.
        const HELD: usize = 4;
        /// A checkpoint's weights as numbers, and it and the moments twice as bytes.
        const WRITTEN: usize = 7;
        let of_weights = (HELD + WRITTEN) * self.weights.len() * size_of::<f32>();
        self.network.working_bytes(times) + (of_weights + self.corpus.bytes()) as u64
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.counters.steps
    }

    /// Passes over the barcodes, with fractions.
    pub fn epoch(&self) -> f64 {
        self.counters.draws as f64 / self.corpus.len() as f64
    }

    /// Seconds of training, pauses and validations not counted.
    pub fn seconds(&self) -> f64 {
        self.counters.seconds
    }

    /// The course of the run.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The validation with the lowest loss.
    pub fn best(&self) -> Option<Validation> {
        self.best
    }

    /// How much of the run is done, as units done, units in all and their name.
    pub fn done(&self) -> (u64, u64, &'static str) {
        match self.settings.length() {
            RunLength::Minutes(minutes) => ((self.counters.seconds) as u64, (minutes * 60.0).ceil() as u64, "seconds"),
            RunLength::Steps(_) | RunLength::Epochs(_) => (self.counters.steps, self.total_steps(), "steps"),
        }
    }

    /// Whether the run has come to its end, or validation has not improved for as long as the settings allow.
    pub fn is_done(&self) -> bool {
        let patience = self.settings.settings().patience;
        let exhausted = patience > 0 && self.counters.since_best >= patience;
        exhausted
            || match self.settings.length() {
                RunLength::Minutes(minutes) => self.counters.seconds >= minutes * 60.0,
                RunLength::Steps(_) | RunLength::Epochs(_) => self.counters.steps >= self.total_steps(),
            }
    }

    /// Steps of a run that is not measured in minutes.
    fn total_steps(&self) -> u64 {
        let settings = &self.settings;
        settings.length().steps(self.corpus.len(), settings.barcodes_per_step()).unwrap_or_default()
    }

    fn rates(&self) -> Rates {
        let schedule = &self.settings.schedule;
        match self.settings.length() {
            RunLength::Minutes(minutes) => {
                let share = (self.counters.seconds / (minutes * 60.0)).min(1.0);
                schedule.at(share * (NOMINAL_STEPS - 1.0), NOMINAL_STEPS)
            }
            _ => schedule.at(self.counters.steps as f64, self.total_steps() as f64),
        }
    }

    /// One step: as many batches as the settings add up, one change of the weights.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] where the loss or the gradient is not a number; the weights are then as they were before.
    pub fn step(&mut self) -> Result<StepReport, TrainError> {
        let start = Instant::now();
        let rates = self.rates();
        let batch = self.settings.settings().batch;
        let samples = self.draw();
        let counts = self.settings.masking.count(&samples, &self.settings.tokenizer);
        self.gradients.fill(0.0);
        let mut outcome = Outcome::default();
        for samples in samples.chunks(batch) {
            let batch = self.settings.masking.batch(samples, counts, &self.settings.tokenizer);
            let mut rng = self.streams.dropout(self.counters.passes);
            let drops = Drops::new(&self.settings.architecture, self.settings.settings().dropout as f32, &mut rng);
            outcome.add(self.network.run(&self.weights, &batch, &drops, Some(&mut self.gradients)));
            let tokens = batch.token_counts();
            self.window.tokens.encoder += tokens.encoder;
            self.window.tokens.decoder += tokens.decoder;
            self.counters.passes += 1;
        }
        let norm = norm_of(&self.gradients);
        self.check_finite(outcome.loss, "loss")?;
        self.check_finite(norm, "gradient")?;
        let clip = self.settings.settings().clip;
        let factor = if clip > 0.0 { clip_factor(norm, clip) } else { 1.0 };
        self.optimizer.step(&mut self.weights, &self.gradients, factor, rates);
        self.counters.steps += 1;
        let seconds = start.elapsed().as_secs_f64();
        self.counters.seconds += seconds;
        self.window.loss += outcome.loss;
        self.window.right += outcome.right;
        self.window.scored += outcome.scored;
        self.window.steps += 1;
        self.window.sequences += samples.len() as u64;
        self.window.seconds += seconds;
        let is_due = self.counters.steps.is_multiple_of(self.settings.settings().report_every);
        let report = is_due.then(|| self.report(rates, norm));
        Ok(StepReport { step: self.counters.steps, epoch: self.epoch(), report })
    }

    fn check_finite(&self, value: f64, what: &'static str) -> Result<(), TrainError> {
        let checkpoint = self.checkpoint_step;
        if value.is_finite() {
            Ok(())
        } else {
            Err(TrainError::Diverged { step: self.counters.steps + 1, what, checkpoint })
        }
    }

    /// The barcodes of the next step, with what is hidden of each.
    fn draw(&mut self) -> Vec<Sample> {
        let count = self.settings.barcodes_per_step();
        (0..count).map(|_| self.draw_one()).collect()
    }

    fn draw_one(&mut self) -> Sample {
        let draw = self.counters.draws;
        let (epoch, place) = (draw / self.corpus.len() as u64, draw % self.corpus.len() as u64);
        if self.order_epoch != Some(epoch) {
            self.order = self.corpus.order(self.settings.seed(), epoch);
            self.order_epoch = Some(epoch);
        }
        self.counters.draws += 1;
        let index = self.order[place as usize] as usize;
        let tokens = self.corpus.training_tokens(index, draw, &self.settings, &self.streams);
        self.settings.masking.draw(tokens, &self.settings.tokenizer, &mut self.streams.mask(draw))
    }

    fn report(&mut self, rates: Rates, gradient_norm: f64) -> Report {
        let window = std::mem::take(&mut self.window);
        let report = Report {
            step: self.counters.steps,
            epoch: self.epoch(),
            loss: window.loss / window.steps as f64,
            accuracy: window.accuracy(),
            learning_rate: rates.learning_rate,
            gradient_norm,
            sequences_per_second: window.rate(window.sequences),
            encoder_tokens_per_second: window.rate(window.tokens.encoder),
            decoder_tokens_per_second: window.rate(window.tokens.decoder),
            seconds: self.counters.seconds,
        };
        self.history.report(report);
        report
    }

    /// Whether the next validation is due: every so many steps, and at the end.
    pub fn validation_is_due(&self) -> bool {
        let every = self.settings.settings().validate_every;
        let done_already = self.history.validations.last().is_some_and(|last| last.step == self.counters.steps);
        let due = self.counters.steps.is_multiple_of(every) || self.is_done();
        self.counters.steps > 0 && self.validation_barcodes() > 0 && due && !done_already
    }

    fn validation_barcodes(&self) -> usize {
        self.corpus.validation_len().min(self.settings.settings().validation_barcodes)
    }

    /// Loss and accuracy on the barcodes that are set aside, under the same masks every time, without dropout. Answers whether
    /// they are the best so far.
    ///
    /// # Errors
    /// A stop; the run is then as it was before.
    pub fn validate(&mut self, observer: &dyn Observer) -> Result<(Validation, bool), Cancelled> {
        let count = self.validation_barcodes();
        let mut window = Window::default();
        for start in (0..count).step_by(VALIDATION_BATCH) {
            observer.progress(Progress::new("validating", start, count, "barcodes"))?;
            let indices = start..count.min(start + VALIDATION_BATCH);
            let samples: Vec<Sample> = indices.map(|index| self.validation_sample(index)).collect();
            let counts = self.settings.masking.count(&samples, &self.settings.tokenizer);
            let batch = self.settings.masking.batch(&samples, counts, &self.settings.tokenizer);
            let outcome = self.network.run(&self.weights, &batch, &Drops::default(), None);
            window.loss += outcome.loss * outcome.scored as f64;
            window.right += outcome.right;
            window.scored += outcome.scored;
        }
        let loss = window.loss / window.scored.max(1) as f64;
        let validation = Validation { step: self.counters.steps, loss, accuracy: window.accuracy() };
        let better = self.best.is_none_or(|best| loss < best.loss);
        if better {
            self.best = Some(validation);
            self.counters.since_best = 0;
        } else {
            self.counters.since_best += 1;
        }
        self.history.validation(validation);
        Ok((validation, better))
    }

    fn validation_sample(&self, index: usize) -> Sample {
        let tokens = self.corpus.validation_tokens(index, &self.settings.tokenizer);
        self.settings.masking.draw(tokens, &self.settings.tokenizer, &mut self.streams.validation(index as u64))
    }
}
