//! Training as a use case: files in, models and runs on disk out.
//!
//! Every run has a folder: `run.safetensors` goes on to the same bits after any end, `best.safetensors` is the model with the
//! lowest validation loss, `model.safetensors` the one at the end. Each is also a model that every command opens. Several mask
//! ratios have a folder each, `ratio-0.25` and so on. `settings.toml` is the run file: all settings, as they were used.
//!
//! [`estimate`] says before what a run will take, a [`SampleReading`] on the way what the model knows by now, and [`discard`] takes
//! a run from disk again.

mod discard;
mod estimate;
mod sample;

pub use discard::discard;
pub use estimate::{Estimate, estimate};
pub use sample::{GenusAccuracy, SAMPLE, SampleReading, SampleRequest};

#[cfg(test)]
mod tests;

use super::PipelineError;
use super::export::write_text;
use crate::data::dataset::Dataset;
use crate::data::frame::check_frames;
use crate::data::import::{ImportOptions, PartReader, load_in_parts};
use crate::progress::{Cancelled, Observer, Progress};
use crate::train::{
    CheckedSettings, Corpus, CorpusBuilder, Report, SavedRun, TrainChanges, TrainError, TrainSettings, Trainer,
    Validation,
};
use sample::Watched;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Records of a file that are held at a time with their names and labels.
const RECORDS_OF_A_PART: usize = 50_000;

/// The file that a run goes on from.
pub const RUN_FILE: &str = "run.safetensors";
/// The settings of all runs in a folder.
pub const SETTINGS_FILE: &str = "settings.toml";
/// The model with the lowest validation loss.
pub const BEST_FILE: &str = "best.safetensors";
/// The model at the end.
pub const MODEL_FILE: &str = "model.safetensors";

/// Watches a run, beside what every observer sees.
pub trait TrainObserver: Observer {
    /// A run begins or goes on.
    fn began(&self, _run: &RunFacts) {}

    /// Means of the last few steps.
    fn reported(&self, _report: &Report) {}

    /// A validation, and whether it is the best so far.
    fn validated(&self, _validation: &Validation, _best: bool) {}

    /// The sample as the model sees it by now.
    fn looked(&self, _reading: &SampleReading) {}
}

impl TrainObserver for crate::progress::Silent {}

/// Where the barcodes come from.
#[derive(Debug, Clone)]
pub enum TrainSource {
    /// Files and how they are read: one after another and part by part, so that of their names and labels little is held at a
    /// time. Tables without sequences give labels, as splits, to the records of the others.
    Files(Vec<PathBuf>, ImportOptions),
    /// Specimens that are open.
    Opened(Arc<Dataset>),
}

/// What is trained, from what, and where to.
#[derive(Debug, Clone)]
pub struct TrainRequest {
    /// The barcodes.
    pub source: TrainSource,
    /// The folder of the run.
    pub folder: PathBuf,
    /// The settings that changes are made to; a run that goes on has its own.
    pub settings: TrainSettings,
    /// What the user changes.
    pub changes: TrainChanges,
    /// Whether the run in the folder goes on.
    pub resume: bool,
    /// How the run is watched on a sample of specimens that are open; `None` where nobody looks. It changes nothing of the run.
    pub sample: Option<SampleRequest>,
}

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunFacts {
    /// Its folder.
    pub folder: PathBuf,
    /// What it runs on, in words, as "the CPU" or "a CUDA GPU in bf16".
    pub device: String,
    /// Its mask ratio.
    pub mask_ratio: f64,
    /// Number of weights.
    pub parameters: usize,
    /// Barcodes that it trains on.
    pub barcodes: usize,
    /// Barcodes that were set aside.
    pub validation_barcodes: usize,
    /// The step that it goes on from; 0 where it begins.
    pub from_step: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainOutcome {
    /// What it is.
    pub run: RunFacts,
    /// The model.
    pub model: PathBuf,
    /// Steps taken.
    pub steps: u64,
    /// Passes over the barcodes.
    pub epochs: f64,
    /// Means of the last few steps.
    pub last: Option<Report>,
    /// The best validation.
    pub best: Option<Validation>,
    /// Whether validation did not improve any more.
    pub stopped_early: bool,
}

/// Trains one model for each mask ratio. When the watcher stops it, the run is written first, so that it can go on.
///
/// # Errors
/// [`PipelineError::Cancelled`] after a stop, [`PipelineError::Train`], and whatever reading the files says.
pub fn train(request: &TrainRequest, observer: &dyn TrainObserver) -> Result<Vec<TrainOutcome>, PipelineError> {
    let settings = all_settings(request)?;
    let runs = settings.checked().map_err(TrainError::from)?;
    let several = runs.len() > 1;
    let folder_of = |settings: &CheckedSettings| match several {
        true => request.folder.join(format!("ratio-{}", settings.settings().mask_ratio.0[0])),
        false => request.folder.clone(),
    };
    let mut opened = Vec::new();
    for checked in runs {
        let folder = folder_of(&checked);
        opened.push(Run::open(request, checked, &folder)?);
    }
    write_settings(&request.folder, &settings)?;
    let mut corpora = Corpora::new(request);
    let mut outcomes = Vec::new();
    for run in opened {
        let corpus = corpora.of(&run.settings, observer)?;
        outcomes.push(run.train(corpus, request, observer)?);
    }
    Ok(outcomes)
}

/// The settings of all runs of a request: those that it brings, or those in the folder where its runs go on, changed.
fn all_settings(request: &TrainRequest) -> Result<TrainSettings, PipelineError> {
    let path = request.folder.join(SETTINGS_FILE);
    let base = match std::fs::read_to_string(&path) {
        Ok(text) if request.resume => toml::from_str(&text).map_err(|error| {
            PipelineError::Setting(format!("{} is damaged: {}", path.display(), error.to_string().trim_end()))
        })?,
        _ => request.settings.clone(),
    };
    Ok(base.with(&request.changes))
}

fn write_settings(folder: &Path, settings: &TrainSettings) -> Result<(), PipelineError> {
    let text = toml::to_string(settings).expect("settings are numbers, words and lists");
    write_text(&folder.join(SETTINGS_FILE), &text)
}

/// The barcodes of the runs of a request.
struct Corpora<'a> {
    request: &'a TrainRequest,
    last: Option<(CheckedSettings, Arc<Corpus>)>,
}

impl<'a> Corpora<'a> {
    fn new(request: &'a TrainRequest) -> Self {
        Self { request, last: None }
    }

    /// The barcodes of a run. Runs that differ in their masks alone share them.
    fn of(&mut self, settings: &CheckedSettings, observer: &dyn Observer) -> Result<Arc<Corpus>, PipelineError> {
        let shared = self.last.take().filter(|(known, _)| same_barcodes(known, settings));
        let corpus = match shared {
            Some((_, corpus)) => corpus,
            None => Arc::new(read_corpus(self.request, settings, observer)?),
        };
        self.last = Some((settings.clone(), Arc::clone(&corpus)));
        Ok(corpus)
    }
}

fn same_barcodes(a: &CheckedSettings, b: &CheckedSettings) -> bool {
    let key = |settings: &CheckedSettings| {
        let settings = settings.settings();
        let shares = (settings.validation_share.to_bits(), settings.validation_split.clone());
        (settings.k, settings.max_bases, settings.register, settings.splits.0.clone(), shares)
    };
    key(a) == key(b)
}

fn read_corpus(
    request: &TrainRequest,
    settings: &CheckedSettings,
    observer: &dyn Observer,
) -> Result<Corpus, PipelineError> {
    let register = settings.settings().register;
    let mut reader = CorpusReader { builder: CorpusBuilder::new(settings), register, observer };
    match &request.source {
        TrainSource::Files(files, import) => load_in_parts(files, import, RECORDS_OF_A_PART, observer, &mut reader)?,
        TrainSource::Opened(dataset) => {
            reader.part(dataset)?;
            reader.end_of_file();
        }
    }
    let mut corpus = reader.builder.finish()?;
    corpus.find_partners(settings, observer)?;
    Ok(corpus)
}

/// Takes the barcodes of a run from its files.
struct CorpusReader<'a> {
    builder: CorpusBuilder<'a>,
    register: bool,
    observer: &'a dyn Observer,
}

impl PartReader for CorpusReader<'_> {
    fn part(&mut self, records: &Dataset) -> Result<(), Cancelled> {
        let frames = if self.register { Some(check_frames(records, self.observer)?) } else { None };
        self.builder.add_part(records, frames.as_deref());
        Ok(())
    }

    fn end_of_file(&mut self) {
        self.builder.end_file();
    }
}

/// A run that is about to begin or to go on.
struct Run {
    folder: PathBuf,
    settings: CheckedSettings,
    saved: Option<SavedRun>,
}

impl Run {
    /// Looks at the folder: a run that is there is neither lost nor taken for another. Where runs go on, one of several that had
    /// not begun yet begins.
    fn open(request: &TrainRequest, settings: CheckedSettings, folder: &Path) -> Result<Self, PipelineError> {
        let path = folder.join(RUN_FILE);
        if path.exists() && !request.resume {
            return Err(PipelineError::Setting(format!(
                "{} holds a run already: go on with it by --resume, or name another folder with --out",
                folder.display()
            )));
        }
        let is_new = !request.resume || (folder != request.folder && !path.exists());
        if is_new {
            std::fs::create_dir_all(folder)
                .map_err(|source| PipelineError::Write { path: folder.to_owned(), source })?;
            return Ok(Self { folder: folder.to_owned(), settings, saved: None });
        }
        let saved = SavedRun::open(&path)?;
        let mut changes = request.changes.clone();
        changes.mask_ratio = changes.mask_ratio.map(|_| settings.settings().mask_ratio.clone());
        let settings = saved.settings(&changes)?;
        Ok(Self { folder: folder.to_owned(), settings, saved: Some(saved) })
    }

    fn train(
        self,
        corpus: Arc<Corpus>,
        request: &TrainRequest,
        observer: &dyn TrainObserver,
    ) -> Result<TrainOutcome, PipelineError> {
        let Self { folder, settings, saved } = self;
        let mut trainer = match saved {
            Some(saved) => saved.resume(settings, corpus)?,
            None => begin(settings, corpus)?,
        };
        let facts = RunFacts {
            device: trainer.device(),
            mask_ratio: trainer.settings().settings().mask_ratio.0[0],
            parameters: trainer.parameters(),
            barcodes: trainer.corpus().len(),
            validation_barcodes: trainer.corpus().validation_len(),
            from_step: trainer.steps(),
            folder: folder.clone(),
        };
        observer.began(&facts);
        let run_file = folder.join(RUN_FILE);
        match steps(&mut trainer, &folder, request, observer) {
            Ok(()) => trainer.save(&run_file)?,
            Err(PipelineError::Cancelled(stop)) => {
                trainer.save(&run_file)?;
                return Err(stop.into());
            }
            Err(error) => return Err(error),
        }
        let model = folder.join(MODEL_FILE);
        trainer.save_model(&model)?;
        let (done, total, _) = trainer.done();
        Ok(TrainOutcome {
            run: facts,
            model,
            steps: trainer.steps(),
            epochs: trainer.epoch(),
            last: trainer.history().reports.last().copied(),
            best: trainer.best(),
            stopped_early: done < total,
        })
    }
}

/// A new model, with the weights of another where the settings name one.
fn begin(settings: CheckedSettings, corpus: Arc<Corpus>) -> Result<Trainer, TrainError> {
    let start = settings.settings().begin_with.clone();
    let mut trainer = Trainer::new(settings, corpus)?;
    if !start.is_empty() {
        trainer.begin_with(Path::new(&start))?;
    }
    Ok(trainer)
}

/// Steps, validations, looks and checkpoints until the run is done.
fn steps(
    trainer: &mut Trainer,
    folder: &Path,
    request: &TrainRequest,
    observer: &dyn TrainObserver,
) -> Result<(), PipelineError> {
    let between = Duration::from_secs_f64(60.0 * trainer.settings().settings().checkpoint_minutes);
    let run_file = folder.join(RUN_FILE);
    let mut written = Instant::now();
    let mut watched = match (&request.sample, &request.source) {
        (Some(sample), TrainSource::Opened(dataset)) => {
            or_none(Watched::begin(sample, dataset, trainer, observer), observer)?
        }
        _ => None,
    };
    while !trainer.is_done() {
        tell(trainer, observer)?;
        let step = trainer.step()?;
        if let Some(report) = &step.report {
            observer.reported(report);
        }
        if trainer.validation_is_due() {
            let (validation, best) = trainer.validate(observer)?;
            observer.validated(&validation, best);
            if best {
                trainer.save_model(&folder.join(BEST_FILE))?;
            }
        }
        if let Some(watching) = &mut watched
            && or_none(watching.look(trainer, observer), observer)?.is_none()
        {
            watched = None;
        }
        if written.elapsed() >= between {
            trainer.save(&run_file)?;
            written = Instant::now();
        }
    }
    Ok(())
}

/// A run does not end because it could not be looked at: that is a warning. A stop is a stop.
fn or_none<T>(looked: Result<T, PipelineError>, observer: &dyn Observer) -> Result<Option<T>, PipelineError> {
    match looked {
        Ok(value) => Ok(Some(value)),
        Err(PipelineError::Cancelled(stop)) => Err(stop.into()),
        Err(error) => {
            observer.warn(&format!("the run goes on, but its sample is not shown any more: {error}"));
            Ok(None)
        }
    }
}

fn tell(trainer: &Trainer, observer: &dyn Observer) -> Result<(), Cancelled> {
    let (done, total, unit) = trainer.done();
    observer.progress(Progress { stage: "training", done, total: Some(total), unit })
}
