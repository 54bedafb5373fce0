//! A run on disk: one safetensors file that is also the model, replaced in one step.
//!
//! Beside the model's own tensors it holds the moments of AdamW, and as notes the settings (as TOML, whose numbers come back to
//! the last bit), the counters and the history.

use super::TrainError;
use super::corpus::Corpus;
use super::history::{History, Validation};
use super::learner::Learner;
use super::network::device::HostState;
use super::objective::Objective;
use super::settings::{CheckedSettings, TrainChanges, TrainSettings};
use super::trainer::{Counters, Trainer};
use crate::model::{Checkpoint, ModelError, RunFile, Trained};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FIRST_MOMENT: &str = "training.first_moment";
const SECOND_MOMENT: &str = "training.second_moment";
const SETTINGS_NOTE: &str = "training.settings";
const PROGRESS_NOTE: &str = "training.progress";

/// What goes on from where, beside weights and moments.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RunProgress {
    counters: Counters,
    best: Option<Validation>,
    history: History,
    /// Hash of the run's barcodes.
    corpus: String,
}

/// A run that was read from disk and can go on.
#[derive(Debug)]
pub struct SavedRun {
    path: PathBuf,
    settings: TrainSettings,
    progress: RunProgress,
    numbers: BTreeMap<String, Vec<f32>>,
}

impl SavedRun {
    /// Reads a checkpoint of [`Trainer::save`].
    ///
    /// # Errors
    /// [`TrainError::NoRun`] where the file is something else, [`TrainError::Model`] where it can't be read.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let no_run = |what: String| TrainError::NoRun { path: path.to_owned(), what };
        let RunFile { numbers, notes } = match Checkpoint::read_run(path) {
            Err(ModelError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(no_run("there is no such file; start a run without --resume".to_owned()));
            }
            other => other?,
        };
        let note = |name: &str| notes.get(name).ok_or_else(|| no_run(format!("it lacks the note {name}")));
        let settings = toml::from_str(note(SETTINGS_NOTE)?);
        let progress = serde_json::from_str(note(PROGRESS_NOTE)?);
        Ok(Self {
            path: path.to_owned(),
            settings: settings.map_err(|error| no_run(format!("its settings are damaged: {error}")))?,
            progress: progress.map_err(|error| no_run(format!("its counters are damaged: {error}")))?,
            numbers,
        })
    }

    /// The run's settings with some changed: length, rates, clipping and the like may change, what data, weights and draws
    /// depend on may not.
    ///
    /// # Errors
    /// [`TrainError::OtherRun`] names what may not change, [`TrainError::Settings`] what makes no sense.
    pub fn settings(&self, changes: &TrainChanges) -> Result<CheckedSettings, TrainError> {
        let one = |settings: &TrainSettings| settings.checked().map(|mut all| all.remove(0));
        let (before, after) = (one(&self.settings)?, one(&self.settings.clone().with(changes))?);
        if before.fixed() == after.fixed() {
            return Ok(after);
        }
        let what =
            format!("it was started with other settings; {} may not change", changed(&before.fixed(), &after.fixed()));
        Err(TrainError::OtherRun { path: self.path.clone(), what })
    }

    /// Steps that the run had taken.
    pub fn steps(&self) -> u64 {
        self.progress.counters.steps
    }

    /// The run as it was when the checkpoint was written.
    ///
    /// # Errors
    /// [`TrainError::OtherRun`] where the barcodes are others, [`TrainError::NoRun`] where numbers are missing.
    pub fn resume(self, settings: CheckedSettings, corpus: Arc<Corpus>) -> Result<Trainer, TrainError> {
        self.resume_on(Learner::new(&settings)?, settings, corpus)
    }

    /// The run as it was when the checkpoint was written, on a device of its own.
    pub(super) fn resume_on(
        mut self,
        learner: Learner,
        settings: CheckedSettings,
        corpus: Arc<Corpus>,
    ) -> Result<Trainer, TrainError> {
        if self.progress.corpus != corpus.key().to_string() {
            let what = "it was started with other barcodes; give the same files in the same order".to_owned();
            return Err(TrainError::OtherRun { path: self.path, what });
        }
        let mut trainer = Trainer::with(learner, settings, corpus);
        let count = trainer.parameters();
        let mut weights = Vec::with_capacity(count);
        for entry in trainer.learner.layout().entries() {
            weights.extend(take(&self.path, &mut self.numbers, &entry.name, entry.span.len())?);
        }
        let first = take(&self.path, &mut self.numbers, FIRST_MOMENT, count)?;
        let second = take(&self.path, &mut self.numbers, SECOND_MOMENT, count)?;
        let state = HostState { weights, first, second };
        trainer.learner.restore(state, self.progress.counters.steps).map_err(|halt| trainer.error(halt))?;
        trainer.counters = self.progress.counters;
        trainer.best = self.progress.best;
        trainer.history = self.progress.history;
        trainer.checkpoint_step = trainer.counters.steps;
        if !trainer.settings.settings().begin_with.is_empty() {
            trainer.also_seen(Checkpoint::open(&self.path, None)?.seen().map(Arc::as_ref));
        }
        Ok(trainer)
    }
}

/// The settings that differ, by name.
fn changed(before: &TrainSettings, after: &TrainSettings) -> String {
    let table = |settings: &TrainSettings| toml::Table::try_from(settings).unwrap_or_default();
    let (before, after) = (table(before), table(after));
    let names: Vec<&str> =
        after.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, _)| name.as_str()).collect();
    names.join(", ")
}

fn take(
    path: &Path,
    numbers: &mut BTreeMap<String, Vec<f32>>,
    name: &str,
    count: usize,
) -> Result<Vec<f32>, TrainError> {
    let found = numbers.remove(name).filter(|values| values.len() == count);
    found.ok_or_else(|| TrainError::NoRun {
        path: path.to_owned(),
        what: format!("tensor {name} is missing or misshapen"),
    })
}

impl Trainer {
    /// Writes the run, from which it can go on to the same bits, and which is its model too.
    ///
    /// # Errors
    /// [`TrainError::Write`], or [`TrainError::Diverged`] where a GPU has only now told it; what stood there before then stays.
    pub fn save(&mut self, path: &Path) -> Result<(), TrainError> {
        let progress = RunProgress {
            counters: self.counters,
            best: self.best,
            history: self.history.clone(),
            corpus: self.corpus.key().to_string(),
        };
        let settings = toml::to_string(self.settings.settings()).expect("settings are numbers, words and lists");
        let progress = serde_json::to_string(&progress).expect("counters and history are numbers");
        let notes = BTreeMap::from([(SETTINGS_NOTE.to_owned(), settings), (PROGRESS_NOTE.to_owned(), progress)]);
        let numbers = self.learner.numbers().map_err(|halt| self.error(halt))?;
        let moments = [(FIRST_MOMENT, &*numbers.first), (SECOND_MOMENT, &*numbers.second)];
        write(path, self.model(path, &numbers.weights).write_run(path, &moments, &notes))?;
        self.checkpoint_step = self.counters.steps;
        Ok(())
    }

    /// Writes the model alone.
    ///
    /// # Errors
    /// [`TrainError::Write`], or [`TrainError::Diverged`] where a GPU has only now told it; what stood there before then stays.
    pub fn save_model(&self, path: &Path) -> Result<(), TrainError> {
        let numbers = self.learner.numbers().map_err(|halt| self.error(halt))?;
        write(path, self.model(path, &numbers.weights).write_run(path, &[], &BTreeMap::new()))
    }

    /// The model as it is now, to read with.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] or [`TrainError::Device`] where a GPU has only now told it.
    pub fn reader(&self) -> Result<Checkpoint, TrainError> {
        let numbers = self.learner.numbers().map_err(|halt| self.error(halt))?;
        Ok(self.checkpoint("in training", &numbers.weights))
    }

    /// The model with random weights, as it would be without any training, to read with.
    pub fn untrained_reader(&self) -> Checkpoint {
        self.checkpoint("untrained", &self.learner.layout().initial(self.settings.seed()))
    }

    /// The model with these weights.
    fn model(&self, path: &Path, weights: &[f32]) -> Checkpoint {
        let stem = path.parent().and_then(Path::file_name).or(path.file_stem()).unwrap_or_default();
        self.checkpoint(&stem.to_string_lossy(), weights)
    }

    fn checkpoint(&self, name: &str, weights: &[f32]) -> Checkpoint {
        let architecture = &self.settings.architecture;
        let entries = self.learner.layout().entries().iter();
        Checkpoint::trained(Trained {
            name,
            tokenizer: &self.settings.tokenizer,
            encoder: architecture.encoder,
            decoder: architecture.decoder,
            causal: architecture.causal,
            read: self.settings.read(),
            tensors: entries
                .map(|entry| (entry.name.as_str(), entry.shape.as_slice(), &weights[entry.span.clone()]))
                .collect(),
            seen: Arc::clone(&self.seen),
            training: self.described(),
        })
    }

    /// What is to be known of the training, for the model's settings.
    fn described(&self) -> BTreeMap<String, serde_json::Value> {
        let settings = self.settings.settings();
        let trained_on = serde_json::json!({
            "barcodes": self.corpus.len(),
            "steps": self.counters.steps,
            "sequences_seen": self.counters.draws,
            "epochs": self.epoch(),
            "seconds": self.counters.seconds.round(),
            "best_validation": self.best,
            "settings": settings,
        });
        let mut described = BTreeMap::from([
            ("objective".to_owned(), settings.objective.to_string().into()),
            ("trained_on".to_owned(), trained_on),
        ]);
        if settings.objective != Objective::Causal {
            described.insert("mask_ratio".to_owned(), settings.mask_ratio.0[0].into());
        }
        described
    }
}

fn write(path: &Path, written: Result<(), ModelError>) -> Result<(), TrainError> {
    written.map_err(|error| match error {
        ModelError::Io { source, .. } => TrainError::Write { path: path.to_owned(), source },
        other => TrainError::Model(other),
    })
}
