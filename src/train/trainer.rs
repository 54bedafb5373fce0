//! A run, step by step.

use super::TrainError;
use super::corpus::Corpus;
use super::history::{History, Report, Validation, Window};
use super::learner::{Halt, Learner, Readings};
use super::network::device::HostState;
use super::network::{Drops, Outcome, Pairs};
use super::objective::{Sample, Streams};
use super::schedule::Rates;
use super::settings::{CheckedSettings, RunLength};
use crate::data::seen::SeenBarcodes;
use crate::model::Checkpoint;
use crate::progress::{Observer, Progress};
use serde::{Deserialize, Serialize};
use std::path::Path;
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
    /// What the model was trained on, here and before.
    pub(super) seen: Arc<SeenBarcodes>,
    pub(super) learner: Learner,
    pub(super) counters: Counters,
    pub(super) history: History,
    pub(super) best: Option<Validation>,
    /// Step of the last checkpoint that was written; 0 before the first.
    pub(super) checkpoint_step: u64,
    streams: Streams,
    /// The pass over the barcodes that `order` is for.
    order_epoch: Option<u64>,
    order: Vec<u32>,
    window: Window,
}

impl Trainer {
    /// A new model with random weights, on the device that the settings name.
    ///
    /// # Errors
    /// [`TrainError::Model`] where that device is not there, [`TrainError::Device`] where it refuses.
    pub fn new(settings: CheckedSettings, corpus: Arc<Corpus>) -> Result<Self, TrainError> {
        let learner = Learner::new(&settings)?;
        Ok(Self::with(learner, settings, corpus))
    }

    /// A run that has not begun.
    pub(super) fn with(learner: Learner, settings: CheckedSettings, corpus: Arc<Corpus>) -> Self {
        Self {
            streams: Streams::new(settings.seed()),
            settings,
            seen: Arc::new(corpus.seen().clone()),
            corpus,
            learner,
            counters: Counters::default(),
            history: History::default(),
            best: None,
            checkpoint_step: 0,
            order_epoch: None,
            order: Vec::new(),
            window: Window::default(),
        }
    }

    /// Takes the weights of a trained model of the same shape, and its record of training barcodes.
    ///
    /// # Errors
    /// [`TrainError::Model`] where it can't be read, [`TrainError::OtherShape`] where a weight is missing or misshapen.
    pub fn begin_with(&mut self, path: &Path) -> Result<(), TrainError> {
        let model = Checkpoint::open(path, None)?;
        let mut weights = vec![0.0; self.parameters()];
        for entry in self.learner.layout().entries() {
            let found = model.weights_of(&entry.name).filter(|(shape, _)| *shape == entry.shape);
            let Some((_, values)) = found else {
                return Err(TrainError::OtherShape { path: path.to_owned(), weight: entry.name.clone() });
            };
            weights[entry.span.clone()].copy_from_slice(values);
        }
        let zeros = vec![0.0; weights.len()];
        let state = HostState { weights, first: zeros.clone(), second: zeros };
        self.learner.restore(state, 0).map_err(|halt| self.error(halt))?;
        self.also_seen(model.seen().map(Arc::as_ref));
        Ok(())
    }

    /// Adds what the weights were trained on before.
    pub(super) fn also_seen(&mut self, before: Option<&SeenBarcodes>) {
        if let Some(before) = before {
            self.seen = Arc::new(self.seen.and(before));
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

    /// What it runs on, in words, as "the CPU" or "a CUDA GPU in bf16".
    pub fn device(&self) -> String {
        self.learner.device()
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.learner.parameters()
    }

    /// Bytes of the model's file: the weights, the record of the barcodes and a header.
    pub fn model_bytes(&self) -> u64 {
        /// Name, shape and place of a tensor in the header.
        const PER_TENSOR: usize = 128;
        let header = PER_TENSOR * self.learner.layout().entries().len();
        (self.parameters() * size_of::<f32>() + self.seen.to_bytes().len() + header) as u64
    }

    /// Most bytes that the run takes once batches are `times` as large as they were so far: weights, gradient and two moments, what
    /// passes through the network, the barcodes, and what is gathered while a checkpoint is written. `None` on a GPU, whose memory
    /// is the driver's.
    pub fn memory_bytes(&self, times: f64) -> Option<u64> {
        /// Weights, gradient, two moments.
        const HELD: usize = 4;
        /// A checkpoint's weights as numbers, and it and the moments twice as bytes.
        const WRITTEN: usize = 7;
        let of_weights = (HELD + WRITTEN) * self.parameters() * size_of::<f32>();
        let working = self.learner.working_bytes(times)?;
        Some(working + (of_weights + self.corpus.bytes()) as u64)
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.counters.steps
    }

    /// Passes over the barcodes, with fractions.
    pub fn epoch(&self) -> f64 {
        self.counters.draws as f64 / (self.corpus.len() * self.settings.views()) as f64
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
        let draws = self.corpus.len() * settings.views();
        settings.length().steps(draws, settings.barcodes_per_step()).unwrap_or_default()
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
    /// [`TrainError::Diverged`] where the loss or the gradient is not a number: on the CPU the weights are then as they were
    /// before, a GPU tells it at the next report. [`TrainError::Device`] where a GPU refuses.
    pub fn step(&mut self) -> Result<StepReport, TrainError> {
        let start = Instant::now();
        let rates = self.rates();
        let batch = self.settings.settings().batch;
        let (barcodes, samples): (Vec<u32>, Vec<Sample>) = self.draw().into_iter().unzip();
        let counts = self.settings.masking.count(&samples, &self.settings.tokenizer);
        for (samples, barcodes) in samples.chunks(batch).zip(barcodes.chunks(batch)) {
            let mut batch = self.settings.masking.batch(samples, counts, &self.settings.tokenizer);
            batch.pairs = self.pairs(barcodes);
            let mut rng = self.streams.dropout(self.counters.passes);
            let drops = Drops::new(&self.settings.architecture, self.settings.settings().dropout as f32, &mut rng);
            self.learner.learn(&batch, &drops).map_err(|halt| self.error(halt))?;
            let tokens = batch.token_counts();
            self.window.tokens.encoder += tokens.encoder;
            self.window.tokens.decoder += tokens.decoder;
            self.counters.passes += 1;
        }
        self.learner.step(self.settings.settings().clip, rates).map_err(|halt| self.error(halt))?;
        let is_due = (self.counters.steps + 1).is_multiple_of(self.settings.settings().report_every);
        let readings = if is_due { Some(self.learner.read().map_err(|halt| self.error(halt))?) } else { None };
        self.counters.steps += 1;
        let seconds = start.elapsed().as_secs_f64();
        self.counters.seconds += seconds;
        self.window.steps += 1;
        self.window.sequences += samples.len() as u64;
        self.window.seconds += seconds;
        let report = readings.map(|readings| self.report(rates, readings));
        Ok(StepReport { step: self.counters.steps, epoch: self.epoch(), report })
    }

    /// Why the next step, or what follows from it, can't be had.
    pub(super) fn error(&self, halt: Halt) -> TrainError {
        let (step, checkpoint) = (self.counters.steps + 1, self.checkpoint_step);
        match halt {
            Halt::NotFinite(what) => TrainError::Diverged { step, what, checkpoint },
            Halt::Device(source) => TrainError::Device(source),
        }
    }

    /// The barcodes of the next step, with what is hidden of each.
    fn draw(&mut self) -> Vec<(u32, Sample)> {
        let count = self.settings.barcodes_per_step();
        (0..count).map(|_| self.draw_one()).collect()
    }

    fn draw_one(&mut self) -> (u32, Sample) {
        let draw = self.counters.draws;
        let views = self.settings.views() as u64;
        let turn = draw / views;
        let (epoch, place) = (turn / self.corpus.len() as u64, turn % self.corpus.len() as u64);
        if self.order_epoch != Some(epoch) {
            self.order = self.corpus.order(self.settings.seed(), epoch);
            self.order_epoch = Some(epoch);
        }
        self.counters.draws += 1;
        let mut barcode = self.order[place as usize];
        if !draw.is_multiple_of(views) {
            barcode = self.corpus.partners().draw(barcode, &mut self.streams.partner(draw));
        }
        let tokens = self.corpus.training_tokens(barcode as usize, draw, &self.settings, &self.streams);
        let sample = self.settings.masking.draw(tokens, &self.settings.tokenizer, &mut self.streams.mask(draw));
        (barcode, sample)
    }

    /// How the barcodes of a batch are compared, where they are.
    fn pairs(&self, barcodes: &[u32]) -> Option<Pairs> {
        let settings = self.settings.settings();
        self.settings.contrasts().then(|| Pairs {
            weight: (settings.contrast / settings.accumulation as f64) as f32,
            temperature: settings.temperature as f32,
            groups: barcodes.iter().map(|&barcode| self.corpus.partners().group(barcode)).collect(),
        })
    }

    fn report(&mut self, rates: Rates, readings: Readings) -> Report {
        let Readings { outcome, gradient_norm } = readings;
        let mut window = std::mem::take(&mut self.window);
        window.add(outcome);
        let report = Report {
            step: self.counters.steps,
            epoch: self.epoch(),
            loss: window.loss / window.steps as f64,
            accuracy: window.accuracy(),
            contrast_loss: self.settings.contrasts().then(|| window.matches.loss / window.steps as f64),
            partners_found: self.settings.contrasts().then(|| window.matched()),
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
    /// [`TrainError::Cancelled`] on a stop, [`TrainError::Device`] where a GPU refuses; the run is then as it was before.
    pub fn validate(&mut self, observer: &dyn Observer) -> Result<(Validation, bool), TrainError> {
        let count = self.validation_barcodes();
        let mut window = Window::default();
        for start in (0..count).step_by(VALIDATION_BATCH) {
            observer.progress(Progress::new("validating", start, count, "barcodes"))?;
            let indices = start..count.min(start + VALIDATION_BATCH);
            let samples: Vec<Sample> = indices.map(|index| self.validation_sample(index)).collect();
            let counts = self.settings.masking.count(&samples, &self.settings.tokenizer);
            let batch = self.settings.masking.batch(&samples, counts, &self.settings.tokenizer);
            let outcome = self.learner.examine(&batch).map_err(|halt| self.error(halt))?;
            window.add(Outcome { loss: outcome.loss * outcome.scored as f64, ..outcome });
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
