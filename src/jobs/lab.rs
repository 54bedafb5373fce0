//! The work of the masking lab.

use super::error::WorkError;
use super::work::Workshop;
use crate::data::dataset::Dataset;
use crate::data::frame::FrameCheck;
use crate::jobs::{Kind, Output, Reporter};
use crate::model::Model;
use crate::pipeline::PipelineError;
use crate::pipeline::embed::embed;
use crate::pipeline::evaluate::EvaluateSettings;
use crate::pipeline::evaluate::compare::{Comparison, compare};
use crate::pipeline::masking::{MaskingPoint, MaskingReport, MaskingSettings, masking, summary};
use crate::pipeline::overlay::{DEFAULT_NEIGHBOURS, MapPair, map_pair};
use crate::pipeline::project::ProjectSettings;
use crate::pipeline::reconstruct::{
    PositionScore, ReconstructSettings, Reconstructions, by_position, reconstruct, sample_rows,
};
use crate::seed::Seed;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// The one in the program.
    Bundled,
    /// A file, or a folder of the Hugging Face layout.
    File(PathBuf),
    /// None at all: an encoder of the other model's shape with random weights.
    Untrained,
}

/// One piece of work of the lab.
#[derive(Debug, Clone)]
pub enum LabTask {
    /// Let a model guess the masked k-mers of one specimen.
    Guess {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// The one whose barcode is masked.
        row: usize,
        /// Who guesses.
        model: ModelSource,
        /// What is masked.
        settings: ReconstructSettings,
    },
    /// The same over a sample, by position.
    GuessAlong {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Most of them that are drawn.
        specimens: usize,
        /// Who guesses.
        model: ModelSource,
        /// What is masked.
        settings: ReconstructSettings,
    },
    /// Measure readings of masked barcodes.
    Read {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Who reads.
        models: Vec<ModelSource>,
        /// What is tried.
        settings: MaskingSettings,
    },
    /// Measure models by the tasks of the benchmark.
    Compare {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Which models.
        models: Vec<ModelSource>,
        /// How.
        settings: EvaluateSettings,
    },
    /// Lay the maps of two models over each other.
    Overlay {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Where their barcodes lie, where that is known.
        frames: Option<Arc<Vec<FrameCheck>>>,
        /// The models; the second may be an untrained one.
        models: [ModelSource; 2],
        /// How each map is laid out.
        settings: ProjectSettings,
    },
}

/// Guesses along the barcode, over a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct AlongBarcode {
    /// Who guessed.
    pub model: String,
    /// The guesses.
    pub found: Reconstructions,
    /// The same by position.
    pub scores: Vec<PositionScore>,
    /// 95 % interval of the share of right guesses, by bootstrap over barcodes.
    pub ci95: Option<[f64; 2]>,
}

/// Readings of masked barcodes, and the means of the mask draws.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskedReadings {
    /// Everything that was measured.
    pub report: MaskingReport,
    /// One point of a curve each.
    pub points: Vec<MaskingPoint>,
}

/// Two maps and whose they are.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoMaps {
    /// Names of the models.
    pub models: [String; 2],
    /// The maps.
    pub pair: MapPair,
    /// The rows, those whose neighbours changed most first, `[N]`.
    pub most_changed: Vec<u32>,
    /// Places of either map, shared with what draws them, `[N]`.
    pub places: [Arc<Vec<[f32; 2]>>; 2],
}

/// What came of a [`LabTask`].
#[derive(Debug)]
pub enum LabOutput {
    /// Of [`LabTask::Guess`].
    Guessed(Arc<Reconstructions>),
    /// Of [`LabTask::GuessAlong`].
    GuessedAlong(Arc<AlongBarcode>),
    /// Of [`LabTask::Read`].
    Read(Arc<MaskedReadings>),
    /// Of [`LabTask::Compare`].
    Compared(Arc<Comparison>),
    /// Of [`LabTask::Overlay`].
    Overlaid(Arc<TwoMaps>),
}

impl LabTask {
    /// How the job shares the machine: one barcode is no work to wait for.
    pub fn kind(&self) -> Kind {
        if matches!(self, Self::Guess { .. }) { Kind::Light } else { Kind::Heavy }
    }

    /// The job's name in the status bar and the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Guess { .. } | Self::GuessAlong { .. } => "Guessing masked k-mers",
            Self::Read { .. } => "Reading masked barcodes",
            Self::Compare { .. } => "Comparing models",
            Self::Overlay { .. } => "Laying two maps over each other",
        }
    }
}

impl AlongBarcode {
    /// Guesses with their scores.
    pub fn new(model: String, found: Reconstructions, seed: Seed) -> Self {
        let ci95 = found.interval(seed);
        Self { model, scores: by_position(&found), ci95, found }
    }

    /// Share of right guesses of always guessing the most frequent k-mer of a position.
    pub fn bar(&self) -> f64 {
        let [right, all] = [|score: &PositionScore| score.most_frequent, |score: &PositionScore| score.masked]
            .map(|count| self.scores.iter().map(count).sum::<usize>());
        right as f64 / all.max(1) as f64
    }
}

impl From<MaskingReport> for MaskedReadings {
    fn from(report: MaskingReport) -> Self {
        Self { points: summary(&report.rows), report }
    }
}

impl TwoMaps {
    /// Two maps with the order of their changes.
    pub fn new(models: [String; 2], pair: MapPair) -> Self {
        let most_changed = pair.most_changed().into_iter().map(|row| row as u32).collect();
        let places = [Arc::new(pair.first.clone()), Arc::new(pair.second.clone())];
        Self { models, pair, most_changed, places }
    }
}

impl Workshop {
    /// Does a piece of the lab's work.
    pub(super) fn lab(&self, task: LabTask, observer: &dyn Reporter<Output>) -> Result<LabOutput, WorkError> {
        match task {
            LabTask::Guess { dataset, row, model, settings } => {
                let settings = ReconstructSettings { register: self.options().reading.register, ..settings };
                let model = self.source(&model)?;
                Ok(LabOutput::Guessed(Arc::new(reconstruct(&dataset, &[row], &model, &settings, observer)?)))
            }
            LabTask::GuessAlong { dataset, specimens, model, settings } => {
                let settings = ReconstructSettings { register: self.options().reading.register, ..settings };
                let model = self.source(&model)?;
                let all: Vec<usize> = (0..dataset.len()).collect();
                let rows = sample_rows(&all, specimens, settings.seed);
                let found = reconstruct(&dataset, &rows, &model, &settings, observer)?;
                let along = AlongBarcode::new(model.info().name.clone(), found, settings.seed);
                Ok(LabOutput::GuessedAlong(Arc::new(along)))
            }
            LabTask::Read { dataset, models, settings } => {
                let models = self.sources(&models)?;
                let settings = MaskingSettings { embed: self.options().reading, ..settings };
                Ok(LabOutput::Read(Arc::new(masking(&dataset, &models, &settings, observer)?.into())))
            }
            LabTask::Compare { dataset, models, settings } => {
                let models = self.sources(&models)?;
                let settings = EvaluateSettings { embed: self.options().reading, ..settings };
                let cache = self.options().cache.as_ref();
                Ok(LabOutput::Compared(Arc::new(compare(&dataset, &models, &settings, cache, observer)?)))
            }
            LabTask::Overlay { dataset, frames, models, settings } => {
                let first = self.source(&models[0])?;
                let second = match &models[1] {
                    ModelSource::Untrained => Arc::new(first.random_like(settings.seed)?),
                    source => self.source(source)?,
                };
                let (reading, cache) = (&self.options().reading, self.options().cache.as_ref());
                let read = |model: &Model| {
                    embed(&dataset, frames.as_deref().map(Vec::as_slice), model, reading, cache, observer)
                };
                let embedded = [read(&first)?, read(&second)?];
                let pair = map_pair(&dataset, [&embedded[0], &embedded[1]], DEFAULT_NEIGHBOURS, &settings, observer)?;
                let names = [first, second].map(|model| model.info().name.clone());
                Ok(LabOutput::Overlaid(Arc::new(TwoMaps::new(names, pair))))
            }
        }
    }

    fn sources(&self, sources: &[ModelSource]) -> Result<Vec<Model>, WorkError> {
        sources.iter().map(|source| Ok(Model::clone(&*self.source(source)?))).collect()
    }

    /// A model for this once; the one in use is there already.
    fn source(&self, source: &ModelSource) -> Result<Arc<Model>, WorkError> {
        let path = match source {
            ModelSource::Bundled => None,
            ModelSource::File(path) => Some(path.as_path()),
            ModelSource::Untrained => {
                let text = "an untrained encoder has the shape of a model, so one is needed first".to_owned();
                return Err(PipelineError::Setting(text).into());
            }
        };
        match self.in_use(path) {
            Some(model) => Ok(model),
            None => Ok(Arc::new(self.open_model(path)?)),
        }
    }
}
