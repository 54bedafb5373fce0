//! Models in training: the settings of the next run, and the runs of this session with their courses.

use super::stage::Problem;
use super::{Command, Effect, Session};
use crate::jobs::{JobError, JobId, Output, Task, TrainNews};
use crate::pipeline::train::{BEST_FILE, RUN_FILE, RunFacts, TrainRequest, TrainSource};
use crate::train::{Objective, Preset, Ratios, Report, TrainChanges, TrainSettings, Validation};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Points that are kept of a curve; above, every second one goes.
const CURVE: usize = 2000;
/// Validations without improvement after which somebody should look.
const STALLED: usize = 5;
/// A loss that is so many times the lowest one is on its way up.
const DIVERGING: f64 = 1.5;

/// What is asked of training.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainCommand {
    /// Change the settings of the next run.
    Set(Box<TrainSettings>),
    /// Take the settings of a preset.
    Preset(Preset),
    /// Name the next run.
    Name(String),
    /// Begin, one run for each mask ratio.
    Start,
    /// Write a checkpoint and wait.
    Pause(usize),
    /// Go on from the checkpoint.
    GoOn(usize),
    /// Write a checkpoint, and let the model be as it is.
    StopAndKeep(usize),
    /// Show the curves of a run, or not.
    ShowCurves(usize, bool),
    /// Read the open specimens with the model of a run.
    Use(usize),
}

/// What a run is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum RunState {
    /// It waits for its turn, reads its barcodes, or learns.
    Going(JobId),
    /// It writes its checkpoint, then it pauses, or ends if `keep`.
    Stopping {
        /// Its job.
        job: JobId,
        /// Whether it ends there.
        keep: bool,
    },
    /// Its checkpoint waits to go on.
    Paused,
    /// It is over, and its model can be used.
    Done,
    /// It ended otherwise; the last good checkpoint, if there is one, is still there.
    Failed(Problem),
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
    source: TrainSource,
}

impl Run {
    fn job(&self) -> Option<JobId> {
        match self.state {
            RunState::Going(job) | RunState::Stopping { job, .. } => Some(job),
            RunState::Paused | RunState::Done | RunState::Failed(_) => None,
        }
    }

    /// The model to use: the best by validation where there is one, else as it is.
    pub fn model(&self) -> PathBuf {
        self.folder.join(if self.best.is_some() { BEST_FILE } else { RUN_FILE })
    }

    /// What somebody should know about its course.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        let lowest = self.reports.iter().map(|report| report.loss).fold(f64::INFINITY, f64::min);
        if self.reports.last().is_some_and(|last| last.loss.is_nan() || last.loss > DIVERGING * lowest) {
            warnings.push("The loss is rising: the learning rate may be too high.");
        }
        let since_best =
            self.validations.iter().rev().take_while(|known| Some(known.step) != self.best.map(|b| b.step));
        if self.best.is_some() && since_best.count() >= STALLED {
            let loss_before = |step: u64| self.reports.iter().rev().find(|report| report.step <= step).map(|r| r.loss);
            let learns = self.best.and_then(|best| loss_before(best.step)).zip(self.reports.last());
            warnings.push(match learns {
                Some((then, now)) if now.loss < then => {
                    "The loss on barcodes set aside rises while that on the others falls: the model learns them by heart."
                }
                _ => "No improvement for some time: the model may have learned what it can.",
            });
        }
        warnings
    }

    fn take(&mut self, news: TrainNews) {
        match news {
            TrainNews::Began(facts) => self.facts = Some(facts),
            TrainNews::Reported(report) => push(&mut self.reports, report),
            TrainNews::Validated(validation, best) => {
                push(&mut self.validations, validation);
                if best {
                    self.best = Some(validation);
                }
            }
        }
    }

    /// Begins, or goes on from its checkpoint where there may be one.
    fn begin(&mut self, effects: &mut Vec<Effect>) {
        let request = TrainRequest {
            source: self.source.clone(),
            folder: self.folder.clone(),
            settings: self.settings.clone(),
            changes: TrainChanges::default(),
            resume: self.facts.is_some(),
        };
        let job = JobId::next();
        self.state = RunState::Going(job);
        effects.push(Effect::Start(job, Box::new(Task::Train(Box::new(request)))));
    }

    fn end(&mut self, outcome: Result<(), JobError>) {
        self.state = match (&self.state, outcome) {
            (_, Ok(())) => RunState::Done,
            (RunState::Stopping { keep, .. }, Err(JobError::Cancelled { .. })) if self.facts.is_some() => {
                if *keep {
                    RunState::Done
                } else {
                    RunState::Paused
                }
            }
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

/// Models in training.
#[derive(Debug, Clone)]
pub struct Training {
    /// Settings of the next run.
    pub settings: TrainSettings,
    /// Name of the next run.
    pub name: String,
    /// Where runs are kept.
    pub home: PathBuf,
    /// The runs of this session, the first one first.
    pub runs: Vec<Run>,
}

impl Default for Training {
    fn default() -> Self {
        Self { settings: Preset::Laptop.settings(), name: "run-1".into(), home: "models".into(), runs: Vec::new() }
    }
}

impl Training {
    /// Why the next run cannot begin, in a sentence; `None` where it can.
    pub fn obstacle(&self) -> Option<String> {
        let is_name =
            !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !is_name || self.name.starts_with('.') {
            return Some("The name needs letters, digits, - and _ only.".to_owned());
        }
        let is_taken = |folder: PathBuf| self.runs.iter().any(|run| run.folder == folder);
        if self.folders().into_iter().any(|(_, folder, _)| is_taken(folder)) {
            return Some("There is a run of this name.".to_owned());
        }
        self.settings.checked().err().map(|error| error.to_string())
    }

    /// Name, folder and mask ratio of each run that would begin.
    fn folders(&self) -> Vec<(String, PathBuf, f64)> {
        let ratios = &self.settings.mask_ratio.0;
        let one = ratios.len() < 2 || self.settings.objective == Objective::Causal;
        let several = if one { &ratios[..ratios.len().min(1)] } else { &ratios[..] };
        let named = |&ratio: &f64| {
            let name = if one { self.name.clone() } else { format!("{}-{ratio}", self.name) };
            let folder = self.home.join(&name);
            (name, folder, ratio)
        };
        several.iter().map(named).collect()
    }

    /// A name that no run has.
    fn next_name(&self) -> String {
        let taken =
            |name: &str| self.runs.iter().any(|run| run.name.starts_with(name)) || self.home.join(name).exists();
        (1..).map(|number| format!("run-{number}")).find(|name| !taken(name)).unwrap_or_default()
    }

    /// Whether a job trains a model.
    pub(super) fn has_job(&self, job: JobId) -> bool {
        self.runs.iter().any(|run| run.job() == Some(job))
    }

    fn of_job(&mut self, job: JobId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.job() == Some(job))
    }

    /// Runs that are not over.
    pub fn going(&self) -> usize {
        self.runs.iter().filter(|run| run.job().is_some()).count()
    }
}

impl Session {
    /// Where runs are kept from now on.
    pub fn keep_runs_in(&mut self, home: &Path) {
        self.training.home = home.to_owned();
        self.training.name = self.training.next_name();
    }

    pub(super) fn obey_training(&mut self, command: TrainCommand, effects: &mut Vec<Effect>) {
        let training = &mut self.training;
        match command {
            TrainCommand::Set(settings) => training.settings = *settings,
            TrainCommand::Preset(preset) => {
                training.settings = training.settings.keeping_place(preset.settings());
            }
            TrainCommand::Name(name) => training.name = name,
            TrainCommand::Start => self.start_training(effects),
            TrainCommand::Pause(index) => stop(training, index, false, effects),
            TrainCommand::StopAndKeep(index) => stop(training, index, true, effects),
            TrainCommand::GoOn(index) => {
                if let Some(run) = training.runs.get_mut(index).filter(|run| run.job().is_none()) {
                    run.begin(effects);
                }
            }
            TrainCommand::ShowCurves(index, shown) => {
                training.runs.get_mut(index).into_iter().for_each(|run| run.shown = shown);
            }
            TrainCommand::Use(index) => {
                if let Some(model) = training.runs.get(index).map(Run::model) {
                    self.obey(Command::UseModel(Some(model)), effects);
                }
            }
        }
    }

    fn start_training(&mut self, effects: &mut Vec<Effect>) {
        let Some(opened) = self.dataset().cloned() else { return };
        if self.training.obstacle().is_some() {
            return;
        }
        for (name, folder, ratio) in self.training.folders() {
            let mut run = Run {
                name,
                folder,
                settings: TrainSettings { mask_ratio: Ratios(vec![ratio]), ..self.training.settings.clone() },
                state: RunState::Paused,
                shown: true,
                facts: None,
                reports: Vec::new(),
                validations: Vec::new(),
                best: None,
                source: TrainSource::Opened(Arc::clone(&opened.dataset)),
            };
            run.begin(effects);
            self.training.runs.push(run);
        }
        self.training.name = self.training.next_name();
    }

    /// Takes what a model in training shows. News of a job that nobody waits for changes nothing.
    pub(super) fn hear(&mut self, job: JobId, news: Output) {
        if let (Output::Training(news), Some(run)) = (news, self.training.of_job(job)) {
            run.take(news);
        }
    }

    /// Takes the end of a run.
    pub(super) fn end_training(&mut self, job: JobId, outcome: Result<Output, JobError>) {
        if let Some(run) = self.training.of_job(job) {
            run.end(outcome.map(|_| ()));
        }
    }
}

fn stop(training: &mut Training, index: usize, keep: bool, effects: &mut Vec<Effect>) {
    let Some(run) = training.runs.get_mut(index) else { return };
    match run.state {
        RunState::Going(job) => {
            run.state = RunState::Stopping { job, keep };
            effects.push(Effect::Stop(job));
        }
        RunState::Paused if keep => run.state = RunState::Done,
        _ => {}
    }
}
