//! What a run will take, before it begins: size of the model, memory and time, from a few timed steps on its own barcodes.

use super::{Corpora, TrainRequest, all_settings};
use crate::pipeline::PipelineError;
use crate::progress::{Observer, Progress};
use crate::train::{CheckedSettings, Corpus, RunLength, TrainError, TrainSettings, Trainer};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// Barcodes of the first timed steps, which say how many the others can have.
const FEW: usize = 4;
/// Steps that are timed at one size, at most and as long as they take no more than [`SECONDS`].
const STEPS: usize = 3;
/// Seconds that the timed steps of one size should take together.
const SECONDS: f64 = 3.0;
/// Most barcodes that a validation is timed on.
const VALIDATED: usize = 64;

/// What a run will take. Times are those of this machine as it was just then.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Mask ratio of the run.
    pub mask_ratio: f64,
    /// Number of weights.
    pub parameters: usize,
    /// Bytes of the model's file.
    pub model_bytes: u64,
    /// Most bytes that the run takes in memory, beside the program and the open specimens; `None` on a GPU.
    pub memory_bytes: Option<u64>,
    /// Barcodes to train on.
    pub barcodes: usize,
    /// Barcodes that are set aside.
    pub validation_barcodes: usize,
    /// Barcodes of one step.
    pub barcodes_per_step: usize,
    /// Seconds of one step.
    pub seconds_per_step: f64,
    /// Steps of the run, unless it stops early.
    pub steps: u64,
    /// Passes over the barcodes.
    pub epochs: f64,
    /// What it would run on, in words.
    pub device: String,
    /// Seconds that the steps take together.
    pub training_seconds: f64,
    /// Seconds that the validations take together.
    pub validation_seconds: f64,
    /// Steps that were timed.
    pub timed_steps: usize,
    /// Barcodes of each of them.
    pub timed_barcodes: usize,
}

impl Estimate {
    /// Seconds of the whole run.
    pub fn seconds(&self) -> f64 {
        self.training_seconds + self.validation_seconds
    }
}

/// Estimates every run of a request, one for each mask ratio, and writes nothing. A run that would go on is estimated from its
/// beginning.
///
/// Steps are timed at a small batch and at one that is as large as the time allows, up to the run's own; a step's time is taken to
/// grow in a straight line with its barcodes.
///
/// # Errors
/// [`PipelineError::Cancelled`] after a stop, [`PipelineError::Train`], and whatever reading the files says.
pub fn estimate(request: &TrainRequest, observer: &dyn Observer) -> Result<Vec<Estimate>, PipelineError> {
    let runs = all_settings(request)?.checked().map_err(TrainError::from)?;
    let mut corpora = Corpora::new(request);
    runs.iter().map(|settings| of_run(settings, &corpora.of(settings, observer)?, observer)).collect()
}

fn of_run(
    settings: &CheckedSettings,
    corpus: &Arc<Corpus>,
    observer: &dyn Observer,
) -> Result<Estimate, PipelineError> {
    let batch = settings.settings().batch;
    let accumulation = settings.settings().accumulation;
    let few = Timed::of(settings, corpus, batch.min(FEW), observer)?;
    let affordable = (SECONDS / STEPS as f64 / few.seconds.max(1e-6) * few.barcodes as f64) as usize;
    // views come in pairs
    let affordable = affordable - affordable % settings.views();
    let timed = match batch.min(affordable) {
        more if more > few.barcodes => Timed::of(settings, corpus, more, observer)?,
        _ => few.clone(),
    };
    let seconds_per_step = accumulation as f64 * few.extrapolated(&timed, batch);
    let per_step = settings.barcodes_per_step();
    let of_a_pass = corpus.len() * settings.views();
    let (steps, training_seconds) = match settings.length() {
        RunLength::Minutes(minutes) => ((60.0 * minutes / seconds_per_step).ceil().max(1.0) as u64, 60.0 * minutes),
        length => {
            let steps = length.steps(of_a_pass, per_step).unwrap_or_default();
            (steps, steps as f64 * seconds_per_step)
        }
    };
    let validations = if timed.validated == 0 { 0 } else { steps.div_ceil(settings.settings().validate_every) };
    let validated = corpus.validation_len().min(settings.settings().validation_barcodes);
    Ok(Estimate {
        mask_ratio: settings.settings().mask_ratio.0[0],
        parameters: timed.parameters,
        model_bytes: timed.model_bytes,
        memory_bytes: timed.memory_bytes,
        barcodes: corpus.len(),
        validation_barcodes: corpus.validation_len(),
        barcodes_per_step: per_step,
        seconds_per_step,
        steps,
        epochs: steps as f64 * per_step as f64 / of_a_pass as f64,
        device: timed.device,
        training_seconds,
        validation_seconds: validations as f64 * validated as f64 * timed.seconds_per_validated,
        timed_steps: timed.steps,
        timed_barcodes: timed.barcodes,
    })
}

/// Steps of one size, timed.
#[derive(Debug, Clone)]
struct Timed {
    barcodes: usize,
    steps: usize,
    /// Of one step, at its fastest: what else the machine did meanwhile only makes steps slower.
    seconds: f64,
    validated: usize,
    seconds_per_validated: f64,
    parameters: usize,
    model_bytes: u64,
    /// Of the run with its own batch.
    memory_bytes: Option<u64>,
    device: String,
}

impl Timed {
    fn of(
        settings: &CheckedSettings,
        corpus: &Arc<Corpus>,
        barcodes: usize,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let of_run = settings.settings();
        let trial = TrainSettings {
            batch: barcodes,
            accumulation: 1,
            validation_barcodes: of_run.validation_barcodes.min(VALIDATED).min(barcodes),
            ..of_run.clone()
        };
        let trial = trial.checked().map_err(TrainError::from)?.remove(0);
        let mut trainer = Trainer::new(trial, Arc::clone(corpus))?;
        let tell = |done: usize| observer.progress(Progress::new("timing a few steps", done, STEPS, "steps"));
        tell(0)?;
        // the first step takes its memory
        let first = timed(|| trainer.step())?;
        let mut seconds = Vec::new();
        while seconds.is_empty() || (seconds.len() < STEPS && first + seconds.iter().sum::<f64>() < SECONDS) {
            tell(seconds.len())?;
            seconds.push(timed(|| trainer.step())?);
        }
        tell(STEPS)?;
        let validated = trainer.settings().settings().validation_barcodes.min(corpus.validation_len());
        let validation = if validated > 0 { timed(|| trainer.validate(&crate::progress::Silent))? } else { 0.0 };
        Ok(Self {
            barcodes,
            steps: seconds.len(),
            seconds: seconds.iter().copied().fold(f64::INFINITY, f64::min),
            validated,
            seconds_per_validated: validation / validated.max(1) as f64,
            parameters: trainer.parameters(),
            model_bytes: trainer.model_bytes(),
            memory_bytes: trainer.memory_bytes(of_run.batch as f64 / barcodes as f64),
            device: trainer.device(),
        })
    }

    /// Seconds of a pass with `barcodes` of them, on the line through these and those `more`.
    fn extrapolated(&self, more: &Self, barcodes: usize) -> f64 {
        let by_share = more.seconds * barcodes as f64 / more.barcodes as f64;
        if more.barcodes == barcodes || more.barcodes <= self.barcodes || more.seconds <= self.seconds {
            return by_share;
        }
        let slope = (more.seconds - self.seconds) / (more.barcodes - self.barcodes) as f64;
        (more.seconds + slope * (barcodes - more.barcodes) as f64).min(by_share)
    }
}

/// Seconds that some work takes.
fn timed<T, E: Into<PipelineError>>(work: impl FnOnce() -> Result<T, E>) -> Result<f64, PipelineError> {
    let start = Instant::now();
    work().map_err(Into::into)?;
    Ok(start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::simulate::{SimulationSettings, simulated_dataset};
    use crate::pipeline::train::TrainSource;
    use crate::progress::{Cancelled, Silent};
    use crate::train::{Preset, Ratios, TrainChanges};
    use std::path::Path;

    fn request(folder: &Path, settings: TrainSettings) -> TrainRequest {
        let simulated = SimulationSettings { specimens: 60, ..SimulationSettings::default() };
        let dataset = simulated_dataset(&simulated, &Silent).unwrap();
        TrainRequest {
            source: TrainSource::Opened(Arc::new(dataset)),
            folder: folder.join("run"),
            settings: TrainSettings { k: 4, max_bases: 120, validation_share: 0.2, ..settings },
            changes: TrainChanges::default(),
            resume: false,
            sample: None,
        }
    }

    #[test]
    fn every_run_is_estimated_with_its_own_batch_and_nothing_is_written() {
        let home = tempfile::tempdir().unwrap();
        let tiny = Preset::Tiny.settings();
        let settings = TrainSettings { mask_ratio: Ratios(vec![0.25, 0.75]), minutes: 2.0, batch: 16, ..tiny.clone() };
        let by_minutes = estimate(&request(home.path(), settings), &Silent).unwrap();
        assert_eq!(by_minutes.iter().map(|run| run.mask_ratio).collect::<Vec<_>>(), [0.25, 0.75]);
        for run in &by_minutes {
            assert_eq!((run.training_seconds, run.barcodes_per_step, run.device.as_str()), (120.0, 16, "the CPU"));
            assert!(run.validation_barcodes > 0 && run.memory_bytes.unwrap() > run.model_bytes, "{run:?}");
            let weights = (run.parameters * size_of::<f32>()) as u64;
            assert!((weights..weights + 100_000).contains(&run.model_bytes), "{run:?}");
        }
        // a pair of views is two barcodes of a step
        let settings = TrainSettings { contrast: 1.0, minutes: 0.0, epochs: 3.0, batch: 10, accumulation: 2, ..tiny };
        let in_pairs = &estimate(&request(home.path(), settings), &Silent).unwrap()[0];
        assert_eq!(in_pairs.steps, (3.0 * 2.0 * in_pairs.barcodes as f64 / 20.0).ceil() as u64);
        assert!(in_pairs.epochs >= 3.0 && in_pairs.timed_barcodes.is_multiple_of(2), "{in_pairs:?}");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn settings_that_make_no_run_and_stops_are_told() {
        let home = tempfile::tempdir().unwrap();
        let wrong = request(home.path(), TrainSettings { batch: 0, ..Preset::Tiny.settings() });
        assert!(estimate(&wrong, &Silent).unwrap_err().to_string().contains("batch"));
        let stopped = estimate(&request(home.path(), Preset::Tiny.settings()), &Stopping);
        assert!(matches!(stopped, Err(PipelineError::Cancelled(_))));
    }

    struct Stopping;

    impl Observer for Stopping {
        fn progress(&self, _: Progress) -> Result<(), Cancelled> {
            Err(Cancelled)
        }
    }

    fn steps_of(barcodes: usize, seconds: f64) -> Timed {
        Timed {
            barcodes,
            steps: 3,
            seconds,
            validated: 0,
            seconds_per_validated: 0.0,
            parameters: 1,
            model_bytes: 1,
            memory_bytes: None,
            device: "the CPU".into(),
        }
    }

    #[test]
    fn times_grow_in_a_straight_line_from_what_every_step_takes() {
        let (few, more) = (steps_of(4, 1.0), steps_of(16, 2.5));
        assert!(
            (few.extrapolated(&more, 64) - 8.5).abs() < 1e-12,
            "half a second for every step, an eighth per barcode"
        );
        assert_eq!(few.extrapolated(&more, 16), 2.5);
        assert_eq!(few.extrapolated(&few, 8), 2.0, "in proportion where there is one size only");
        assert_eq!(few.extrapolated(&steps_of(8, 0.5), 16), 1.0, "a machine that was busy at first");
    }
}
