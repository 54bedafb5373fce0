//! Models in training: the settings of the next run, and the runs of this session with their courses.

mod run;
mod warning;

pub use run::{AfterStop, Run, RunState};
pub use warning::Warning;

use super::log::Level;
use super::stage::{Problem, Stage, StageKey};
use super::{Command, Effect, Session};
use crate::jobs::{JobError, JobId, Output, Task};
use crate::pipeline::train::{Estimate, TrainRequest, TrainSource};
use crate::train::{Objective, Preset, Ratios, TrainChanges, TrainSettings};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is asked of training.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainCommand {
    /// Change the settings of the next run.
    Set(Box<TrainSettings>),
    /// Take the settings of a preset.
    Preset(Preset),
    /// Name the next run.
    Name(String),
    /// Time a few steps, to say what the next run will take.
    Estimate,
    /// Begin, one run for each mask ratio.
    Start,
    /// Write a checkpoint and wait.
    Pause(usize),
    /// Go on from the checkpoint.
    GoOn(usize),
    /// Write a checkpoint, and let the model be as it is.
    StopAndKeep(usize),
    /// Stop, remove what the run wrote, and take it off the list.
    Discard(usize),
    /// Show the curves of a run, or not.
    ShowCurves(usize, bool),
    /// Read the open specimens with the model of a run.
    Use(usize),
}

/// Models in training.
#[derive(Debug)]
pub struct Training {
    /// Settings of the next run.
    pub settings: TrainSettings,
    /// Name of the next run.
    pub name: String,
    /// Where runs are kept.
    pub home: PathBuf,
    /// The runs of this session, the first one first.
    pub runs: Vec<Run>,
    /// What the next run will take, one estimate for each mask ratio.
    pub estimate: Stage<Vec<Estimate>>,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            settings: Preset::Laptop.settings(),
            name: "run-1".into(),
            home: "models".into(),
            runs: Vec::new(),
            estimate: Stage::Empty,
        }
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
        self.estimate.job() == Some(job) || self.runs.iter().any(|run| run.job() == Some(job))
    }

    fn of_job(&mut self, job: JobId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.job() == Some(job))
    }

    /// The run that learns just now.
    pub fn learning(&self) -> Option<&Run> {
        self.runs.iter().find(|run| matches!(run.state, RunState::Going(_)) && run.facts.is_some())
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
            TrainCommand::Estimate => self.estimate_training(effects),
            TrainCommand::Start => self.start_training(effects),
            TrainCommand::Pause(index) => stop(training, index, AfterStop::Pause, effects),
            TrainCommand::StopAndKeep(index) => stop(training, index, AfterStop::Keep, effects),
            TrainCommand::Discard(index) => self.discard_run(index, effects),
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
                owns_folder: !folder.exists(),
                name,
                folder,
                settings: TrainSettings { mask_ratio: Ratios(vec![ratio]), ..self.training.settings.clone() },
                state: RunState::Paused,
                shown: true,
                facts: None,
                reports: Vec::new(),
                validations: Vec::new(),
                best: None,
                untrained: None,
                sample: None,
                genus: Vec::new(),
                dataset: Arc::clone(&opened.dataset),
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

    /// Takes the end of a run, of an estimate, or of what removes a run.
    pub(super) fn end_training(&mut self, job: JobId, outcome: Result<Output, JobError>, effects: &mut Vec<Effect>) {
        if self.training.estimate.job() == Some(job) {
            match outcome {
                Ok(Output::Estimated(estimates)) => self.training.estimate.finish(job, Ok(estimates)),
                Ok(_) => false,
                Err(error) => self.training.estimate.finish(job, Err(Problem::from(&error))),
            };
            return;
        }
        let Some(index) = self.training.runs.iter().position(|run| run.job() == Some(job)) else { return };
        let run = &mut self.training.runs[index];
        match (run.state.clone(), outcome) {
            (RunState::Discarding(_), Ok(Output::Discarded(gone))) => {
                if !gone {
                    let text = format!("{} holds other files and stays", run.folder.display());
                    self.log.add(Level::Note, "Discarding", text, Vec::new());
                }
                self.forget_run(index, effects);
            }
            (RunState::Stopping { then: AfterStop::Discard, .. }, outcome) => {
                run.end(outcome.map(|_| ()));
                self.discard_run(index, effects);
            }
            (_, outcome) => run.end(outcome.map(|_| ())),
        }
    }

    /// Of which settings and specimens an estimate would be now.
    fn estimate_key(&self) -> Option<StageKey> {
        let data = self.dataset()?.dataset.key().to_string();
        Some(StageKey::of([data.as_bytes(), format!("{:?}", self.training.settings).as_bytes()]))
    }

    /// Whether the estimate is of the settings as they are.
    pub fn estimate_is_current(&self) -> bool {
        self.training.estimate.key().is_some_and(|key| self.estimate_key() == Some(key))
    }

    fn estimate_training(&mut self, effects: &mut Vec<Effect>) {
        let (Some(opened), Some(key)) = (self.dataset().cloned(), self.estimate_key()) else { return };
        if self.training.settings.checked().is_err() {
            return;
        }
        let training = &mut self.training;
        effects.extend(training.estimate.job().map(Effect::Stop));
        let request = TrainRequest {
            source: TrainSource::Opened(Arc::clone(&opened.dataset)),
            folder: training.home.join(&training.name),
            settings: training.settings.clone(),
            changes: TrainChanges::default(),
            resume: false,
            sample: None,
        };
        let job = JobId::next();
        training.estimate.begin(job, key);
        effects.push(Effect::Start(job, Box::new(Task::Estimate(Box::new(request)))));
    }

    /// Stops a run where it goes, then removes what it wrote.
    fn discard_run(&mut self, index: usize, effects: &mut Vec<Effect>) {
        let Some(run) = self.training.runs.get_mut(index) else { return };
        match run.state {
            RunState::Going(_) | RunState::Stopping { .. } => {
                stop(&mut self.training, index, AfterStop::Discard, effects);
            }
            RunState::Discarding(_) => {}
            RunState::Paused | RunState::Done | RunState::Failed(_) if run.owns_folder => {
                let job = JobId::next();
                run.state = RunState::Discarding(job);
                effects.push(Effect::Start(job, Box::new(Task::Discard { folder: run.folder.clone() })));
            }
            RunState::Paused | RunState::Done | RunState::Failed(_) => {
                let text = format!("{} was there before the run and stays", run.folder.display());
                self.log.add(Level::Note, "Discarding", text, Vec::new());
                self.forget_run(index, effects);
            }
        }
    }

    /// Takes a run off the list. Where its model is in use and gone, the bundled one takes its place.
    fn forget_run(&mut self, index: usize, effects: &mut Vec<Effect>) {
        let run = self.training.runs.remove(index);
        let is_used = self.model_file().is_some_and(|file| file.starts_with(&run.folder));
        if is_used && run.owns_folder {
            self.obey(Command::UseModel(None), effects);
        }
    }
}

fn stop(training: &mut Training, index: usize, then: AfterStop, effects: &mut Vec<Effect>) {
    let Some(run) = training.runs.get_mut(index) else { return };
    match run.state {
        RunState::Going(job) => {
            run.state = RunState::Stopping { job, then };
            effects.push(Effect::Stop(job));
        }
        RunState::Stopping { job, .. } => run.state = RunState::Stopping { job, then },
        RunState::Paused if then == AfterStop::Keep => run.state = RunState::Done,
        _ => {}
    }
}
