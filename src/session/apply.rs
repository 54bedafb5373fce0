//! The one function that changes the session.

use super::columns::ColumnKey;
use super::log::Level;
use super::look::Look;
use super::overview::Overview;
use super::stage::{Problem, Stage, StageKey};
use super::steps::Step;
use super::{Command, Effect, Input, Page, Session};
use crate::data::dataset::Dataset;
use crate::jobs::{ColumnQuestion, Event, FirstRows, JobError, JobId, Opened, OpenedSession, Output, Task};
use crate::pipeline::Method;
use std::path::PathBuf;
use std::sync::Arc;

/// Takes an input and answers what has to happen outside.
pub fn apply(session: &mut Session, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    match input {
        Input::Command(command) => session.obey(command, &mut effects),
        Input::Job(Event::Warned { job, message, .. }) => session.log.add(Level::Warning, job, message, Vec::new()),
        Input::Job(Event::Told { id, news: Output::FirstRows(rows) }) => session.see_first_rows(id, rows),
        Input::Job(Event::Told { id, news }) => session.hear(id, news),
        Input::Job(Event::Ended { id, outcome }) => session.end(id, outcome, &mut effects),
    }
    session.go_on(&mut effects);
    session.look_around(&mut effects);
    session.guess_focus(&mut effects);
    session.measure_labels(&mut effects);
    session.keep_state(&mut effects);
    session.put_dossier_together(&mut effects);
    effects
}

impl Session {
    pub(super) fn obey(&mut self, command: Command, effects: &mut Vec<Effect>) {
        match command {
            Command::Open(_) | Command::OpenDemo | Command::NameColumns(_) => self.obey_opening(command, effects),
            Command::Show(page) => self.page = page,
            Command::Select(..) | Command::FocusOn(_) | Command::Clear | Command::Back | Command::Forward => {
                self.obey_selecting(command);
            }
            Command::ColourBy(_)
            | Command::Filter(..)
            | Command::ClearFilters
            | Command::Search(_)
            | Command::Light(_) => self.obey_looking(command),
            Command::ClassifyAt(rank) => self.choices.rank = Some(rank),
            Command::Compare(method) => self.choices.compare.push(method),
            Command::NameBy(method) => self.name_by(method),
            Command::ClusterBy(recipe) => self.choices.recipe = recipe,
            Command::CompareClustersWith(field) => self.choices.compare_with = field,
            Command::MapWith(settings) => self.choices.map = settings,
            Command::Retry(step) => {
                if self.results.stage(step).problem().is_some() {
                    self.results.stage_mut(step).abandon();
                }
            }
            Command::Stop(job) => effects.push(Effect::Stop(job)),
            Command::Export(what, path) => {
                if let Some(what) = self.export(what) {
                    let job = JobId::next();
                    self.saving.push(job);
                    effects.push(Effect::Start(job, Box::new(Task::Export { what, path })));
                }
            }
            Command::PutNoticeAway => self.notice = None,
            Command::UseModel(_)
            | Command::SetShade(_)
            | Command::SetStill(_)
            | Command::SetZoom(_)
            | Command::SetMemory(_) => {
                self.obey_setting(command);
                effects.push(Effect::SaveSettings);
            }
            Command::Train(command) => self.obey_training(command, effects),
            Command::Lab(command) => self.obey_lab(command, effects),
            Command::Discover(command) => self.obey_discover(command, effects),
            Command::Review(command) => self.obey_review(command, effects),
            Command::Note(message) => self.log.add(Level::Note, "Barcodescope", message, Vec::new()),
        }
    }

    fn obey_opening(&mut self, command: Command, effects: &mut Vec<Effect>) {
        match command {
            Command::Open(paths) if !paths.is_empty() => self.open(paths, effects),
            Command::OpenDemo => self.begin_opening(Task::OpenDemo { seed: self.choices.seed }, effects),
            Command::NameColumns(answer) => {
                let Some(question) = self.question.take() else { return };
                if let Some(mapping) = answer {
                    self.settings.remember_mapping(ColumnQuestion::header_key(&question.header), mapping.to_string());
                    effects.push(Effect::SaveSettings);
                    self.open(question.paths, effects);
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, paths: Vec<PathBuf>, effects: &mut Vec<Effect>) {
        // A mapping that no longer makes sense is asked for again.
        let mappings = self
            .settings
            .mappings
            .iter()
            .filter_map(|(header, mapping)| Some((header.clone(), mapping.parse().ok()?)))
            .collect();
        self.begin_opening(Task::Open { paths, mappings }, effects);
    }

    /// Opening comes first: whatever is being made is set aside, and begins again if the file cannot be opened.
    pub(super) fn begin_opening(&mut self, task: Task, effects: &mut Vec<Effect>) {
        self.first_rows = None;
        effects.extend(self.data.job().map(Effect::Stop));
        self.set_steps_aside(effects);
        self.lab.set_aside(effects);
        self.discovering.set_aside(effects);
        self.reviewing.set_aside(effects);
        self.question = None;
        let job = JobId::next();
        self.data.begin(job, StageKey::of([format!("{task:?}").as_bytes()]));
        effects.push(Effect::Start(job, Box::new(task)));
    }

    fn set_steps_aside(&mut self, effects: &mut Vec<Effect>) {
        for step in Step::ALL {
            if let Some(job) = self.results.stage(step).job() {
                effects.push(Effect::Stop(job));
                self.results.stage_mut(step).abandon();
            }
        }
    }

    fn obey_selecting(&mut self, command: Command) {
        match command {
            Command::Select(rows, mode) => self.selection.select(&rows, mode),
            Command::FocusOn(row) => self.selection.focus_on(row),
            Command::Clear => {
                self.selection.clear();
                if let Some(opened) = self.data.shown() {
                    self.look.light(&opened.dataset, None);
                }
            }
            Command::Back => self.selection.back(),
            Command::Forward => self.selection.forward(),
            _ => {}
        }
    }

    fn obey_looking(&mut self, command: Command) {
        let Some(opened) = self.dataset().cloned() else { return };
        match command {
            Command::ColourBy(column) => {
                let values = column.and_then(|column| self.values(column));
                if column.is_none() || values.is_some() {
                    self.look.colour_by(values);
                }
            }
            Command::Filter(column, keep) => {
                let filter = keep.and_then(|keep| Some((self.values(column)?, keep)));
                self.look.filter(opened.dataset.len(), column, filter);
            }
            Command::ClearFilters => self.look.clear_filters(),
            Command::Search(text) => self.look.search(&opened.dataset, text),
            Command::Light(taxon) => self.look.light(&opened.dataset, taxon),
            _ => {}
        }
    }

    fn obey_setting(&mut self, command: Command) {
        match command {
            Command::UseModel(path) => {
                self.choices.model = None;
                self.settings.model = path;
            }
            Command::SetShade(shade) => self.settings.shade = shade,
            Command::SetStill(still) => self.settings.still = still,
            Command::SetZoom(zoom) => self.settings.zoom = Some(zoom),
            Command::SetMemory(memory) => self.settings.memory = memory,
            _ => {}
        }
    }

    /// The end of a job. A job that nothing waits for any more, because it was superseded, changes nothing.
    fn end(&mut self, id: JobId, outcome: Result<Output, JobError>, effects: &mut Vec<Effect>) {
        if let Err(error) = &outcome
            && !error.is_cancelled()
            && self.waits_for(id)
        {
            let problem = Problem::from(error);
            self.log.add(Level::Error, job_name(error), problem.message, problem.causes);
        }
        if self.data.job() == Some(id) {
            self.end_opening(id, outcome, effects);
        } else if self.closest.job() == Some(id) {
            match outcome {
                Ok(Output::Closest(closest)) => self.closest.finish(id, Ok(closest)),
                Ok(_) => false,
                Err(error) => self.closest.finish(id, Err(Problem::from(&error))),
            };
        } else if let Some(at) = self.saving.iter().position(|&job| job == id) {
            self.saving.remove(at);
            match outcome {
                Ok(Output::Saved(path)) => {
                    self.log.add(Level::Note, "Export", format!("saved {}", path.display()), Vec::new());
                    self.notice = Some(Ok(path));
                }
                Ok(_) => {}
                Err(error) => self.notice = Some(Err(Problem::from(&error))),
            }
        } else if let Some(step) = self.results.step_of(id) {
            self.end_step(step, id, outcome);
        } else if self.lab.has_job(id) {
            self.lab.end(id, outcome);
        } else if self.discovering.found.job() == Some(id) {
            self.end_discovering(id, outcome);
        } else if self.reviewing.has_job(id) {
            self.end_review(id, outcome, effects);
        } else {
            self.end_training(id, outcome, effects);
        }
    }

    fn waits_for(&self, id: JobId) -> bool {
        self.data.job() == Some(id)
            || self.closest.job() == Some(id)
            || self.saving.contains(&id)
            || self.results.step_of(id).is_some()
            || self.training.has_job(id)
            || self.lab.has_job(id)
            || self.discovering.found.job() == Some(id)
            || self.reviewing.has_job(id)
    }

    fn end_opening(&mut self, id: JobId, outcome: Result<Output, JobError>, effects: &mut Vec<Effect>) {
        self.first_rows = None;
        match outcome {
            Ok(Output::Opened(opened)) => {
                self.data.finish(id, Ok(Arc::clone(&opened)));
                self.start_over(&opened);
                self.look_for_decisions(effects);
                self.settings.opened(&opened.paths);
                effects.push(Effect::SaveSettings);
            }
            Ok(Output::SessionOpened(found)) => {
                let OpenedSession { opened, kept, results, settings } = *found;
                self.data.finish(id, Ok(Arc::clone(&opened)));
                self.start_over(&opened);
                self.take_session(kept, results, settings);
                self.count_flags(&opened.dataset);
                // A file that only stood in for a session is found again by its specimens.
                let session = self.reviewing.session_file().map(|path| vec![path.to_owned()]);
                self.settings.opened(session.as_ref().unwrap_or(&opened.paths));
                effects.push(Effect::SaveSettings);
            }
            Ok(Output::ColumnsUnknown(question)) => {
                self.data.abandon();
                self.question = Some(*question);
            }
            Ok(_) => {}
            Err(error) => {
                self.data.finish(id, Err(Problem::from(&error)));
            }
        }
    }

    /// Shows the beginning of the file that is being opened; another's is of no use any more.
    fn see_first_rows(&mut self, id: JobId, rows: FirstRows) {
        if self.data.job() == Some(id) {
            self.first_rows = Some(rows);
        }
    }

    /// Other specimens: nothing that was made of the ones before may stay, except the model.
    fn start_over(&mut self, opened: &Opened) {
        self.results.start_over();
        self.lab.start_over();
        self.discovering.start_over();
        self.reviewing.start_over();
        self.selection.reset();
        self.closest = Stage::Empty;
        self.training.estimate = Stage::Empty;
        self.overview = Overview::of(&opened.dataset);
        self.count_flags(&opened.dataset);
        self.look = Look::first(&opened.dataset, self.look.revision);
        self.choices.rank = None;
        self.choices.compare_with = None;
        self.choices.compare.clear();
        if self.page == Page::Dataset {
            self.page = Page::Atlas;
        }
    }

    fn end_step(&mut self, step: Step, id: JobId, outcome: Result<Output, JobError>) {
        let Some(opened) = self.dataset().cloned() else { return };
        match outcome {
            Ok(output) => {
                if self.results.deliver(step, id, output, opened.dataset.len()) {
                    self.renew_columns(step, &opened.dataset);
                    if step == Step::Frames {
                        self.count_flags(&opened.dataset);
                    }
                }
            }
            Err(error) => self.results.stage_mut(step).fail(id, Problem::from(&error)),
        }
    }

    /// Shows the names of another method everywhere; one that waits to be asked is asked.
    fn name_by(&mut self, method: Method) {
        let Some(opened) = self.dataset().cloned() else { return };
        if self.waits_to_be_asked(method) {
            self.choices.compare.push(method);
        }
        self.results.name_by(method, opened.dataset.len());
        self.renew_columns(Step::Names(method), &opened.dataset);
    }

    fn renew_columns(&mut self, step: Step, dataset: &Dataset) {
        let column = match step {
            Step::Names(method) if method == self.results.naming() => ColumnKey::Predicted,
            Step::Clusters => ColumnKey::Cluster,
            Step::Frames => ColumnKey::Flags,
            _ => return,
        };
        if self.look.uses(column)
            && let Some(values) = self.results.values(dataset, column)
        {
            self.look.renew(dataset.len(), &values);
        }
    }

    /// Starts the next step that is due, and stops one whose result is no longer wanted.
    fn go_on(&mut self, effects: &mut Vec<Effect>) {
        if self.data.job().is_some() {
            return;
        }
        if let Some(step) = self.running() {
            let wanted = self.due(step).map(|due| due.key);
            if self.results.stage(step).key() == wanted {
                return;
            }
            effects.extend(self.results.stage(step).job().map(Effect::Stop));
            self.results.stage_mut(step).abandon();
        }
        for step in Step::ALL {
            let Some(due) = self.due(step) else { continue };
            if self.results.stage(step).key() == Some(due.key) {
                continue;
            }
            if step == Step::KmerMap && self.results.model_map.shown().is_some() {
                continue;
            }
            let job = JobId::next();
            self.results.stage_mut(step).begin(job, due.key);
            effects.push(Effect::Start(job, Box::new(due.task)));
            return;
        }
    }

    /// Finds the neighbours of the specimen in the panel, by the best vectors there are.
    fn look_around(&mut self, effects: &mut Vec<Effect>) {
        let (Some(opened), Some(row)) = (self.dataset().cloned(), self.selection.focus()) else {
            effects.extend(self.closest.job().map(Effect::Stop));
            self.closest = Stage::Empty;
            return;
        };
        let embedding = self.results.embedding.ready().cloned();
        let by = embedding.as_ref().map(|made| made.key.text()).unwrap_or_default();
        let data = opened.dataset.key().to_string();
        let key = StageKey::of([data.as_bytes(), by.as_bytes(), &row.to_le_bytes()]);
        if self.closest.key() == Some(key) {
            return;
        }
        effects.extend(self.closest.job().map(Effect::Stop));
        let job = JobId::next();
        self.closest.begin(job, key);
        let embedded = embedding.map(|made| made.value);
        let task = Task::FindClosest { dataset: Arc::clone(&opened.dataset), embedded, row };
        effects.push(Effect::Start(job, Box::new(task)));
    }
}

fn job_name(error: &JobError) -> String {
    let (JobError::Cancelled { job } | JobError::Failed { job, .. } | JobError::Panicked { job, .. }) = error;
    job.clone()
}
