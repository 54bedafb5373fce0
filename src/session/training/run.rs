//! One run: what it is doing, and its course.

use super::warning::Warning;
use crate::data::dataset::Dataset;
use crate::jobs::{JobError, JobId, Task, TrainNews};
use crate::pipeline::train::{
    BEST_FILE, GenusAccuracy, RUN_FILE, RunFacts, SampleReading, SampleRequest, TrainRequest, TrainSource,
};
use crate::session::Effect;
use crate::session::stage::Problem;
use crate::train::{Report, TrainChanges, TrainSettings, Validation};
use std::path::PathBuf;
use std::sync::Arc;

/// Points that are kept of a curve; above, every second one goes.
const CURVE: usize = 2000;

/// What a run is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum RunState {
    /// It waits for its turn, reads its barcodes, or learns.
    Going(JobId),
    /// It writes its checkpoint.
    Stopping {
        /// Its job.
        job: JobId,
        /// What comes then.
        then: AfterStop,
    },
    /// What it wrote is being removed.
    Discarding(JobId),
    /// Its checkpoint waits to go on.
    Paused,
    /// It is over, and its model can be used.
    Done,
    /// It ended otherwise; the last good checkpoint, if there is one, is still there.
    Failed(Problem),
}

/// What becomes of a run that was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterStop {
    /// It waits to go on.
    Pause,
    /// It ends, and its model stays.
    Keep,
    /// It is discarded.
    Discard,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it is called, and its folder's name.
    pub name: String,
    /// Where its checkpoints are.
    pub folder: PathBuf,
    /// Its settings, with one mask ratio.
    pub settings: TrainSettings,
    /// What it is doing.
    pub state: RunState,
    /// Whether its curves are shown.
    pub shown: bool,
    /// Weights and barcodes, once they are known.
    pub facts: Option<RunFacts>,
    /// Its course, the earliest first.
    pub reports: Vec<Report>,
    /// Its validations, the earliest first.
    pub validations: Vec<Validation>,
    /// The best of them.
    pub best: Option<Validation>,
    /// The sample as the untrained model saw it.
    pub untrained: Option<Arc<SampleReading>>,
    /// The sample as the model saw it last.
    pub sample: Option<Arc<SampleReading>>,
    /// How many of the sample found their genus nearest, by steps, the untrained model first.
    pub genus: Vec<(u64, GenusAccuracy)>,
    pub(super) dataset: Arc<Dataset>,
    /// Whether its folder was not there before it began.
    pub(super) owns_folder: bool,
}

impl Run {
    pub(super) fn job(&self) -> Option<JobId> {
        match self.state {
            RunState::Going(job) | RunState::Stopping { job, .. } | RunState::Discarding(job) => Some(job),
            RunState::Paused | RunState::Done | RunState::Failed(_) => None,
        }
    }

    /// The model to use: the best by validation where there is one, else as it is.
    pub fn model(&self) -> PathBuf {
        self.folder.join(if self.best.is_some() { BEST_FILE } else { RUN_FILE })
    }

    /// The specimens that it is trained on.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// Whether discarding it removes its folder: one that was there before it began is left alone.
    pub fn owns_folder(&self) -> bool {
        self.owns_folder
    }

    /// Seconds of training that are left at the speed so far, unless it stops early; `None` before the first report.
    pub fn seconds_left(&self) -> Option<f64> {
        let last = self.reports.last()?;
        let of_all = |done: f64, total: f64| (last.seconds * (total / done - 1.0)).max(0.0);
        Some(match &self.settings {
            TrainSettings { minutes, .. } if *minutes > 0.0 => (60.0 * minutes - last.seconds).max(0.0),
            TrainSettings { epochs, .. } if *epochs > 0.0 => of_all(last.epoch, *epochs),
            settings => of_all(last.step as f64, settings.steps as f64),
        })
    }

    /// What somebody should know about its course.
    pub fn warnings(&self) -> Vec<Warning> {
        Warning::of(&self.reports, &self.validations, self.best, &self.genus)
    }

    pub(super) fn take(&mut self, news: TrainNews) {
        match news {
            TrainNews::Began(facts) => self.facts = Some(facts),
            TrainNews::Reported(report) => push(&mut self.reports, report),
            TrainNews::Validated(validation, best) => {
                push(&mut self.validations, validation);
                if best {
                    self.best = Some(validation);
                }
            }
            TrainNews::Looked(reading) => {
                if let Some(genus) = reading.genus {
                    push(&mut self.genus, (reading.step, genus));
                }
                if reading.untrained {
                    self.untrained = Some(Arc::clone(&reading));
                }
                self.sample = Some(reading);
            }
        }
    }

    /// Begins, or goes on from its checkpoint where there may be one.
    pub(super) fn begin(&mut self, effects: &mut Vec<Effect>) {
        let before = self.sample.as_ref().map(|reading| Arc::clone(&reading.places));
        let request = TrainRequest {
            source: TrainSource::Opened(Arc::clone(&self.dataset)),
            folder: self.folder.clone(),
            settings: self.settings.clone(),
            changes: TrainChanges::default(),
            resume: self.facts.is_some(),
            sample: Some(SampleRequest { before, ..SampleRequest::default() }),
        };
        let job = JobId::next();
        self.state = RunState::Going(job);
        effects.push(Effect::Start(job, Box::new(Task::Train(Box::new(request)))));
    }

    pub(super) fn end(&mut self, outcome: Result<(), JobError>) {
        self.state = match (&self.state, outcome) {
            (_, Ok(())) => RunState::Done,
            (RunState::Stopping { then, .. }, Err(JobError::Cancelled { .. })) if self.facts.is_some() => match then {
                AfterStop::Pause => RunState::Paused,
                AfterStop::Keep | AfterStop::Discard => RunState::Done,
            },
            (_, Err(error)) => RunState::Failed(Problem::from(&error)),
        };
    }
}

fn push<T>(curve: &mut Vec<T>, point: T) {
    if curve.len() >= CURVE {
        let mut keep = false;
        curve.retain(|_| {
            keep = !keep;
            keep
        });
    }
    curve.push(point);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::DatasetBuilder;

    #[test]
    fn the_time_that_is_left_follows_from_the_length_and_the_speed() {
        let mut run = Run {
            name: "run-1".into(),
            folder: "models/run-1".into(),
            settings: TrainSettings { minutes: 5.0, ..TrainSettings::default() },
            state: RunState::Paused,
            shown: true,
            facts: None,
            reports: Vec::new(),
            validations: Vec::new(),
            best: None,
            untrained: None,
            sample: None,
            genus: Vec::new(),
            dataset: Arc::new(DatasetBuilder::new("none", Vec::new()).finish()),
            owns_folder: true,
        };
        assert_eq!(run.seconds_left(), None);
        run.reports.push(Report {
            step: 100,
            epoch: 4.0,
            loss: 1.0,
            accuracy: 0.5,
            contrast_loss: None,
            partners_found: None,
            learning_rate: 1e-3,
            gradient_norm: 1.0,
            sequences_per_second: 1.0,
            encoder_tokens_per_second: 1.0,
            decoder_tokens_per_second: 1.0,
            seconds: 60.0,
        });
        let mut left = |minutes, epochs, steps| {
            run.settings = TrainSettings { minutes, epochs, steps, ..TrainSettings::default() };
            run.seconds_left()
        };
        assert_eq!(left(5.0, 0.0, 0), Some(240.0));
        assert_eq!(left(0.0, 10.0, 0), Some(90.0));
        assert_eq!(left(0.0, 0.0, 150), Some(30.0));
        assert_eq!(left(0.5, 0.0, 0), Some(0.0), "a length that was passed");
    }
}
