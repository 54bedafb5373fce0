//! The masking lab: which models are asked for what, and what came of it.

mod models;

pub use models::Offered;

use super::stage::{Problem, Stage, StageKey};
use super::{Effect, Page, Session};
use crate::jobs::{
    AlongBarcode, JobError, JobId, LabOutput, LabTask, MaskedReadings, ModelSource, Output, Task, TwoMaps,
};
use crate::pipeline::evaluate::EvaluateSettings;
use crate::pipeline::evaluate::compare::Comparison;
use crate::pipeline::masking::MaskingSettings;
use crate::pipeline::reconstruct::{ReconstructSettings, Reconstructions};
use crate::seed::Seed;
use std::path::PathBuf;
use std::sync::Arc;

/// Barcodes whose guesses are counted along the barcode, unless another number is asked for.
const SPECIMENS: usize = 200;

/// A part of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum LabTab {
    /// Masked k-mers of a barcode and what a model guesses.
    #[default]
    Reconstruct,
    /// Names, groups and drift when barcodes are masked.
    Read,
    /// Several models in one table.
    Compare,
    /// Two models' maps.
    Maps,
}

impl LabTab {
    /// Every part, in the order of the page.
    pub const ALL: [Self; 4] = [Self::Reconstruct, Self::Read, Self::Compare, Self::Maps];

    /// Its name on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Reconstruct => "Reconstruction",
            Self::Read => "Reading under masking",
            Self::Compare => "Models compared",
            Self::Maps => "Two maps",
        }
    }
}

/// What is made only when somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LabWork {
    /// Guesses over a sample, along the barcode.
    Along,
    /// Readings of masked barcodes.
    Readings,
    /// Models in one table.
    Comparison,
    /// Two maps.
    Maps,
}

/// What is asked of the lab.
#[derive(Debug, Clone, PartialEq)]
pub enum LabCommand {
    /// Turn to a part.
    Show(LabTab),
    /// Who guesses; `None` is the model in use.
    GuessWith(Option<ModelSource>),
    /// What is masked of a barcode.
    Mask(ReconstructSettings),
    /// How many barcodes are counted along the barcode.
    Sample(usize),
    /// Guess again after a failure.
    GuessAgain,
    /// Take a model into readings and comparison, or out of them.
    Choose(ModelSource, bool),
    /// What is tried of masked readings.
    Set(Box<MaskingSettings>),
    /// Whose maps are laid over each other.
    MapsOf([ModelSource; 2]),
    /// Offer a model file, and choose it.
    Offer(PathBuf),
    /// Make something.
    Start(LabWork),
}

/// The masking lab.
#[derive(Debug)]
pub struct Lab {
    /// The part that is shown.
    pub tab: LabTab,
    /// Who guesses; `None` is the model in use.
    pub guesser: Option<ModelSource>,
    /// What is masked of a barcode.
    pub mask: ReconstructSettings,
    /// How many barcodes are counted along the barcode.
    pub specimens: usize,
    /// What is tried of masked readings.
    pub reading: MaskingSettings,
    /// The guesses of the specimen that is looked at.
    pub guesses: Stage<Reconstructions>,
    /// Guesses over a sample.
    pub along: Stage<AlongBarcode>,
    /// Readings of masked barcodes.
    pub readings: Stage<MaskedReadings>,
    /// Models in one table.
    pub comparison: Stage<Comparison>,
    /// Two maps.
    pub maps: Stage<TwoMaps>,
    /// The models of readings and comparison; `None` until somebody chose.
    chosen: Option<Vec<ModelSource>>,
    /// The models of the maps; `None` until somebody chose.
    map_models: Option<[ModelSource; 2]>,
    /// Files that were opened for the lab.
    opened: Vec<PathBuf>,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new(Seed::default())
    }
}

impl Lab {
    /// A lab in which nothing was asked yet.
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            tab: LabTab::default(),
            guesser: None,
            mask: ReconstructSettings { seed, ..ReconstructSettings::default() },
            specimens: SPECIMENS,
            reading: MaskingSettings { seed, ..MaskingSettings::default() },
            guesses: Stage::Empty,
            along: Stage::Empty,
            readings: Stage::Empty,
            comparison: Stage::Empty,
            maps: Stage::Empty,
            chosen: None,
            map_models: None,
            opened: Vec::new(),
        }
    }

    /// The job that makes something.
    pub fn job_of(&self, work: LabWork) -> Option<JobId> {
        match work {
            LabWork::Along => self.along.job(),
            LabWork::Readings => self.readings.job(),
            LabWork::Comparison => self.comparison.job(),
            LabWork::Maps => self.maps.job(),
        }
    }

    /// The long job that is running or waits for its turn; that of the part that is shown comes first.
    pub fn job(&self) -> Option<JobId> {
        let shown = match self.tab {
            LabTab::Reconstruct => LabWork::Along,
            LabTab::Read => LabWork::Readings,
            LabTab::Compare => LabWork::Comparison,
            LabTab::Maps => LabWork::Maps,
        };
        let all = [shown, LabWork::Along, LabWork::Readings, LabWork::Comparison, LabWork::Maps];
        all.into_iter().find_map(|work| self.job_of(work))
    }

    /// Whether a job is the lab's.
    pub(super) fn has_job(&self, job: JobId) -> bool {
        self.jobs().contains(&Some(job))
    }

    fn jobs(&self) -> [Option<JobId>; 5] {
        [self.guesses.job(), self.along.job(), self.readings.job(), self.comparison.job(), self.maps.job()]
    }

    /// Stops whatever is being made; what was there before stays.
    pub(super) fn set_aside(&mut self, effects: &mut Vec<Effect>) {
        for job in self.jobs().into_iter().flatten() {
            effects.push(Effect::Stop(job));
        }
        let Self { guesses, along, readings, comparison, maps, .. } = self;
        set_aside(guesses);
        set_aside(along);
        set_aside(readings);
        set_aside(comparison);
        set_aside(maps);
    }

    /// Forgets what was made of other specimens; what is to be asked stays.
    pub(super) fn start_over(&mut self) {
        self.guesses = Stage::Empty;
        self.along = Stage::Empty;
        self.readings = Stage::Empty;
        self.comparison = Stage::Empty;
        self.maps = Stage::Empty;
    }

    /// Takes the end of a job of the lab. An output of another kind changes nothing.
    pub(super) fn end(&mut self, job: JobId, outcome: Result<Output, JobError>) {
        match outcome {
            Ok(Output::Lab(output)) => {
                match output {
                    LabOutput::Guessed(value) => self.guesses.finish(job, Ok(value)),
                    LabOutput::GuessedAlong(value) => self.along.finish(job, Ok(value)),
                    LabOutput::Read(value) => self.readings.finish(job, Ok(value)),
                    LabOutput::Compared(value) => self.comparison.finish(job, Ok(value)),
                    LabOutput::Overlaid(value) => self.maps.finish(job, Ok(value)),
                };
            }
            Ok(_) => {}
            Err(error) => {
                let problem = Problem::from(&error);
                self.guesses.finish(job, Err(problem.clone()));
                self.along.finish(job, Err(problem.clone()));
                self.readings.finish(job, Err(problem.clone()));
                self.comparison.finish(job, Err(problem.clone()));
                self.maps.finish(job, Err(problem));
            }
        }
    }
}

fn set_aside<T>(stage: &mut Stage<T>) {
    if stage.job().is_some() {
        stage.abandon();
    }
}

impl Session {
    pub(super) fn obey_lab(&mut self, command: LabCommand, effects: &mut Vec<Effect>) {
        match command {
            LabCommand::Show(tab) => self.lab.tab = tab,
            LabCommand::GuessWith(model) => self.lab.guesser = model,
            LabCommand::Mask(settings) => self.lab.mask = settings,
            LabCommand::Sample(specimens) => self.lab.specimens = specimens,
            LabCommand::GuessAgain => {
                if self.lab.guesses.problem().is_some() {
                    self.lab.guesses.abandon();
                }
            }
            LabCommand::Choose(model, chosen) => self.choose(model, chosen),
            LabCommand::Set(settings) => self.lab.reading = *settings,
            LabCommand::MapsOf(models) => self.lab.map_models = Some(models),
            LabCommand::Offer(path) => self.offer(path),
            LabCommand::Start(work) => self.start_lab(work, effects),
        }
    }

    fn choose(&mut self, model: ModelSource, chosen: bool) {
        let mut models = self.lab_chosen();
        models.retain(|known| *known != model);
        if chosen {
            models.push(model);
        }
        self.lab.chosen = Some(models);
    }

    fn offer(&mut self, path: PathBuf) {
        let model = ModelSource::File(path.clone());
        if !self.lab_models().iter().any(|offered| offered.source == model) {
            self.lab.opened.push(path);
        }
        match self.lab.tab {
            LabTab::Reconstruct => self.lab.guesser = Some(model),
            LabTab::Read | LabTab::Compare => self.choose(model, true),
            LabTab::Maps => self.lab.map_models = Some([self.lab_map_models()[0].clone(), model]),
        }
    }

    fn start_lab(&mut self, work: LabWork, effects: &mut Vec<Effect>) {
        let Some((key, task)) = self.lab_due(work) else { return };
        effects.extend(self.lab.job_of(work).map(Effect::Stop));
        let job = JobId::next();
        match work {
            LabWork::Along => self.lab.along.begin(job, key),
            LabWork::Readings => self.lab.readings.begin(job, key),
            LabWork::Comparison => self.lab.comparison.begin(job, key),
            LabWork::Maps => self.lab.maps.begin(job, key),
        }
        effects.push(Effect::Start(job, Box::new(Task::Lab(Box::new(task)))));
    }

    /// What would be made, and from what; `None` without specimens or models.
    fn lab_due(&self, work: LabWork) -> Option<(StageKey, LabTask)> {
        let dataset = Arc::clone(&self.dataset()?.dataset);
        let (settings, models, task) = match work {
            LabWork::Along => {
                let (model, settings, specimens) = (self.lab_guesser(), self.lab.mask, self.lab.specimens);
                let text = format!("{specimens} {settings:?}");
                (text, vec![model.clone()], LabTask::GuessAlong { dataset, specimens, model, settings })
            }
            LabWork::Readings => {
                let (models, settings) = (self.lab_chosen(), self.lab.reading.clone());
                (format!("{settings:?}"), models.clone(), LabTask::Read { dataset, models, settings })
            }
            LabWork::Comparison => {
                let models = self.lab_chosen();
                let settings = EvaluateSettings { seed: self.choices.seed, ..EvaluateSettings::default() };
                (format!("{settings:?}"), models.clone(), LabTask::Compare { dataset, models, settings })
            }
            LabWork::Maps => {
                let (models, settings) = (self.lab_map_models(), self.choices.map);
                let frames = self.results.frames.ready().map(|made| Arc::clone(&made.value));
                (format!("{settings:?}"), models.to_vec(), LabTask::Overlay { dataset, frames, models, settings })
            }
        };
        if models.is_empty() {
            return None;
        }
        Some((self.lab_key(&format!("{work:?} {settings}"), &models)?, task))
    }

    fn lab_key(&self, what: &str, models: &[ModelSource]) -> Option<StageKey> {
        let data = self.dataset()?.dataset.key().to_string();
        let models: Vec<String> = models.iter().map(|model| self.revision(model)).collect();
        Some(StageKey::of([data.as_str(), what, &models.join("\n")].map(str::as_bytes)))
    }

    /// Whether what is shown was made from other choices than those of now.
    pub fn lab_is_outdated(&self, work: LabWork) -> bool {
        let made = match work {
            LabWork::Along => self.lab.along.ready().map(|made| made.key),
            LabWork::Readings => self.lab.readings.ready().map(|made| made.key),
            LabWork::Comparison => self.lab.comparison.ready().map(|made| made.key),
            LabWork::Maps => self.lab.maps.ready().map(|made| made.key),
        };
        made.is_some_and(|made| Some(made) != self.lab_due(work).map(|(key, _)| key))
    }

    /// Why something cannot be made as it is asked for, in a sentence; `None` where it can.
    pub fn lab_obstacle(&self, work: LabWork) -> Option<String> {
        match work {
            LabWork::Readings | LabWork::Comparison if self.lab_chosen().is_empty() => {
                Some("Choose at least one model.".to_owned())
            }
            LabWork::Readings => self.lab.reading.checked().err().map(|error| error.to_string()),
            LabWork::Maps => {
                let [first, second] = self.lab_map_models();
                (first == second).then(|| "Choose two different models.".to_owned())
            }
            LabWork::Along | LabWork::Comparison => None,
        }
    }

    /// Lets the model guess the specimen that is looked at, while that part of the lab is shown.
    pub(super) fn guess_focus(&mut self, effects: &mut Vec<Effect>) {
        if self.page != Page::Masking || self.lab.tab != LabTab::Reconstruct || self.data.job().is_some() {
            return;
        }
        let (model, settings) = (self.lab_guesser(), self.lab.mask);
        let wanted = self.selection.focus().filter(|_| self.can_guess(&model) != Some(false)).zip(self.dataset());
        let Some((row, opened)) = wanted else {
            effects.extend(self.lab.guesses.job().map(Effect::Stop));
            self.lab.guesses = Stage::Empty;
            return;
        };
        let dataset = Arc::clone(&opened.dataset);
        let Some(key) = self.lab_key(&format!("guess {row} {settings:?}"), std::slice::from_ref(&model)) else {
            return;
        };
        if self.lab.guesses.key() == Some(key) {
            return;
        }
        effects.extend(self.lab.guesses.job().map(Effect::Stop));
        let job = JobId::next();
        self.lab.guesses.begin(job, key);
        let task = LabTask::Guess { dataset, row, model, settings };
        effects.push(Effect::Start(job, Box::new(Task::Lab(Box::new(task)))));
    }
}
