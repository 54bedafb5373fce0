//! The page Review: suspicious labels, decisions about them, and the session file that keeps them.
//!
//! A decision shows at once and is kept by a job; until that has ended it waits in `changes`, so that nothing that was decided is
//! lost when keeping fails. Without a session file of their own, decisions are kept in a file that stands in for one, and are there again
//! when the same specimens are opened.

use super::stage::{Problem, Stage, StageKey};
use super::{Choices, Effect, Page, Session};
use crate::analysis::gap::Distance;
use crate::data::dataset::Dataset;
use crate::jobs::{
    AddTask, AuditTask, Change, DossierTask, GapTask, JobError, JobId, KeepPlace, KeepTask, Kept, Output, Recovery,
    SaveTask, StandingTask, StateTask, Task, TreeTask,
};
use crate::key::ContentHash;
use crate::pipeline::Method;
use crate::pipeline::audit::{Audit, AuditSettings, Suspect};
use crate::pipeline::dossier::Dossier;
use crate::pipeline::gap::Gap;
use crate::pipeline::review::{Curated, Curator, Standing, Verdict};
use crate::pipeline::scope::{Decision, Entry, KeptResult, ResultName, ScopeFile, redoable, undoable};
use crate::pipeline::tree::SpecimenTree;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use crate::pipeline::scope::EXTENSION;

/// A part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum ReviewTab {
    /// Suspicious specimens, one after the other.
    #[default]
    Queue,
    /// BINs and the names in them.
    Bins,
    /// Grades of the species.
    Grades,
    /// Distances within species and between them.
    Distances,
    /// A tree of the selected specimens.
    Tree,
    /// What was decided.
    Decisions,
}

impl ReviewTab {
    /// Every part, in the order of the page.
    pub const ALL: [Self; 6] = [Self::Queue, Self::Bins, Self::Grades, Self::Distances, Self::Tree, Self::Decisions];

    /// Its name on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Queue => "Specimens",
            Self::Bins => "BINs",
            Self::Grades => "Grades of species",
            Self::Distances => "Barcode gap",
            Self::Tree => "Tree",
            Self::Decisions => "Decisions",
        }
    }
}

/// What is asked of the page.
#[derive(Debug, Clone, PartialEq)]
pub enum ReviewCommand {
    /// Turn to a part.
    Show(ReviewTab),
    /// Judge like this.
    Set(AuditSettings),
    /// Compare barcodes with these contaminants, or with none.
    Screen(Option<PathBuf>),
    /// Begin.
    Start,
    /// Say something of a specimen, with a reason.
    Say(usize, Verdict, String),
    /// Take the latest step back.
    Undo,
    /// Put the step back that was taken back last.
    Redo,
    /// Keep decisions that could not be kept.
    KeepAgain,
    /// Decisions are made by this person.
    CallMe(String),
    /// Measure distances within species and between them.
    MeasureGap(Distance),
    /// Join the selected specimens to a tree.
    DrawTree(Distance),
    /// Save everything as a session under this name.
    SaveAs(PathBuf),
    /// Add files to the session that is open.
    AddFiles(Vec<PathBuf>),
}

/// What a session file keeps beside decisions and results: how everything is made, and the models that were trained.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptSettings {
    choices: Choices,
    audit: AuditSettings,
    contaminants: Option<PathBuf>,
    runs: Vec<PathBuf>,
}

/// What the page holds.
#[derive(Debug, Default)]
pub struct Reviewing {
    /// The part that is shown.
    pub tab: ReviewTab,
    /// How labels are judged.
    pub settings: AuditSettings,
    /// Sequences of contaminants that barcodes are compared with.
    pub contaminants: Option<PathBuf>,
    /// How they were judged.
    pub audited: Stage<Audit>,
    /// How well names, barcodes and BINs agree: as read, and in force.
    pub standings: Stage<[Standing; 2]>,
    /// Everything about the specimen that is looked at.
    pub dossier: Stage<Dossier>,
    /// Distances within species and between them.
    pub gap: Stage<Gap>,
    /// A tree of specimens that were selected.
    pub tree: Stage<SpecimenTree>,
    /// Why decisions could not be kept.
    pub problem: Option<Problem>,
    /// Decisions about other files that were never saved under a name.
    pub recoveries: Vec<Recovery>,
    /// Where decisions are kept that have no session of their own; `None` nowhere.
    pub stand_in_home: Option<PathBuf>,
    /// For each row its place among the suspects, `[N]`.
    suspect_of_row: Vec<Option<u32>>,
    /// Every decision, kept or not.
    entries: Arc<Vec<Entry<Decision>>>,
    /// The decisions that are kept.
    kept: Vec<Entry<Decision>>,
    /// Changes that are not kept yet, and how many of them a job is keeping.
    changes: Vec<Change>,
    keeping: Option<(JobId, usize)>,
    saving: Option<(JobId, usize)>,
    finding: Option<JobId>,
    /// The settings and the results (by name and key) that the session file has, and the job that is keeping others.
    settings_kept: Option<serde_json::Value>,
    results_kept: HashSet<(ResultName, ContentHash)>,
    keeping_state: Option<JobId>,
    file: Option<Arc<ScopeFile>>,
}

impl Reviewing {
    /// Every decision, the earliest first, also those that are being kept.
    pub fn entries(&self) -> &Arc<Vec<Entry<Decision>>> {
        &self.entries
    }

    /// What was found out about a row; `None` where it was not judged.
    pub fn suspect(&self, row: usize) -> Option<&Suspect> {
        let audit = self.audited.shown()?;
        let at = (*self.suspect_of_row.get(row)?)?;
        audit.suspects.get(at as usize)
    }

    /// Whether there is a step to take back.
    pub fn can_undo(&self) -> bool {
        !undoable(&self.entries).is_empty()
    }

    /// Whether there is a step to put back.
    pub fn can_redo(&self) -> bool {
        !redoable(&self.entries).is_empty()
    }

    /// The session file that keeps the decisions; `None` for one that only stands in.
    pub fn session_file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path()).filter(|path| !self.stands_in(path))
    }

    /// Decisions that are on no disk yet.
    pub fn unkept(&self) -> usize {
        self.changes.len()
    }

    /// Stops what is being made; what was there before stays.
    pub(super) fn set_aside(&mut self, effects: &mut Vec<Effect>) {
        let jobs = [self.audited.job(), self.gap.job(), self.tree.job()];
        effects.extend(jobs.into_iter().flatten().map(Effect::Stop));
        self.audited.abandon();
        self.gap.abandon();
        self.tree.abandon();
    }

    /// Forgets what was about other specimens.
    pub(super) fn start_over(&mut self) {
        *self = Self {
            settings: self.settings,
            contaminants: self.contaminants.take(),
            recoveries: std::mem::take(&mut self.recoveries),
            stand_in_home: self.stand_in_home.take(),
            finding: self.finding,
            ..Self::default()
        };
    }

    /// Takes what a session file holds.
    pub(super) fn take(&mut self, kept: Kept) {
        self.file = kept.file;
        self.kept = kept.entries;
        self.renew_entries();
    }

    /// The job that somebody asked for.
    pub(super) fn job(&self) -> Option<JobId> {
        self.audited.job().or(self.gap.job()).or(self.tree.job())
    }

    pub(super) fn has_job(&self, id: JobId) -> bool {
        self.audited.job() == Some(id)
            || self.standings.job() == Some(id)
            || self.dossier.job() == Some(id)
            || self.gap.job() == Some(id)
            || self.tree.job() == Some(id)
            || self.finding == Some(id)
            || self.keeping_state == Some(id)
            || [self.keeping, self.saving].into_iter().flatten().any(|(job, _)| job == id)
    }

    fn stands_in(&self, path: &Path) -> bool {
        self.stand_in_home.as_deref().is_some_and(|home| path.parent() == Some(home))
    }

    /// The session file has these results now.
    fn note_kept(&mut self, results: &[KeptResult]) {
        for result in results {
            self.results_kept.retain(|(name, _)| *name != result.name);
            self.results_kept.insert((result.name, result.key));
        }
    }

    fn renew_entries(&mut self) {
        let mut entries = self.kept.clone();
        for change in &self.changes {
            make(&mut entries, change);
        }
        self.entries = Arc::new(entries);
    }

    fn number_suspects(&mut self, rows: usize) {
        self.suspect_of_row = vec![None; rows];
        let Some(audit) = self.audited.shown() else { return };
        for (at, suspect) in audit.suspects.iter().enumerate() {
            self.suspect_of_row[suspect.row] = Some(at as u32);
        }
    }
}

/// Decisions as text, for keys.
fn decided_text(entries: &[Entry<Decision>]) -> Vec<String> {
    entries.iter().map(|entry| format!("{:?} {}", entry.value, entry.undone)).collect()
}

/// Makes a change as the session file will; numbers are those that it would give if nobody had ever taken anything back.
fn make(entries: &mut Vec<Entry<Decision>>, change: &Change) {
    match change {
        Change::Undo => {
            let step = undoable(entries);
            set_undone(entries, &step, true);
        }
        Change::Redo => {
            let step = redoable(entries);
            set_undone(entries, &step, false);
        }
        Change::Step(step) => {
            for decision in step {
                let id = entries.last().map_or(1, |last| last.id + 1);
                let kind = decision.kind.key().to_owned();
                entries.push(Entry { id, time_secs: 0, kind, value: decision.clone(), undone: false });
            }
        }
    }
}

fn set_undone(entries: &mut [Entry<Decision>], numbers: &[i64], undone: bool) {
    entries.iter_mut().filter(|entry| numbers.contains(&entry.id)).for_each(|entry| entry.undone = undone);
}

impl Session {
    pub(super) fn obey_review(&mut self, command: ReviewCommand, effects: &mut Vec<Effect>) {
        match command {
            ReviewCommand::Show(tab) => self.reviewing.tab = tab,
            ReviewCommand::Set(settings) => self.reviewing.settings = settings,
            ReviewCommand::Screen(path) => self.reviewing.contaminants = path,
            ReviewCommand::Start => self.start_audit(effects),
            ReviewCommand::Say(row, verdict, reason) => self.say(row, &verdict, &reason, effects),
            ReviewCommand::Undo if self.reviewing.can_undo() => self.change(Change::Undo, effects),
            ReviewCommand::Redo if self.reviewing.can_redo() => self.change(Change::Redo, effects),
            ReviewCommand::Undo | ReviewCommand::Redo => {}
            ReviewCommand::KeepAgain => self.keep_changes(effects),
            ReviewCommand::CallMe(name) => {
                self.settings.curator = name;
                effects.push(Effect::SaveSettings);
            }
            ReviewCommand::MeasureGap(distance) => self.measure_gap(distance, effects),
            ReviewCommand::DrawTree(distance) => self.draw_tree(distance, effects),
            ReviewCommand::SaveAs(path) => self.save_session(path, effects),
            ReviewCommand::AddFiles(paths) => self.add_files(paths, effects),
        }
    }

    /// The specimens with the labels in force.
    pub fn curated(&self) -> Option<Curated<'_>> {
        let dataset: &Dataset = &self.dataset()?.dataset;
        Some(Curated::new(dataset, &self.reviewing.entries))
    }

    /// What would be made, and from what; `None` while something is missing.
    fn due_audit(&self) -> Option<(StageKey, AuditTask)> {
        let dataset = Arc::clone(&self.dataset()?.dataset);
        let embedded = self.results.embedding.ready()?;
        let settings = AuditSettings { seed: self.choices.seed, ..self.reviewing.settings };
        let contaminants = self.reviewing.contaminants.clone();
        let how = format!("{settings:?} {contaminants:?}");
        let key = StageKey::of([embedded.key.text().as_bytes(), how.as_bytes()]);
        Some((key, AuditTask { dataset, embedded: Arc::clone(&embedded.value), contaminants, settings }))
    }

    /// Whether what is shown was made from other choices than those of now.
    pub fn audit_is_outdated(&self) -> bool {
        let made = self.reviewing.audited.ready().map(|made| made.key);
        made.is_some_and(|made| Some(made) != self.due_audit().map(|(key, _)| key))
    }

    fn start_audit(&mut self, effects: &mut Vec<Effect>) {
        let Some((key, task)) = self.due_audit() else { return };
        effects.extend(self.reviewing.audited.job().map(Effect::Stop));
        let job = JobId::next();
        self.reviewing.audited.begin(job, key);
        effects.push(Effect::Start(job, Box::new(Task::Audit(Box::new(task)))));
    }

    fn measure_gap(&mut self, distance: Distance, effects: &mut Vec<Effect>) {
        let (Some(opened), Some(embedded)) = (self.dataset().cloned(), self.results.embedding.ready().cloned()) else {
            return;
        };
        let Some(frames) = self.results.frames.ready().map(|made| Arc::clone(&made.value)) else { return };
        let entries = Arc::clone(&self.reviewing.entries);
        let settings = format!("gap {distance:?} {}", decided_text(&entries).join(" "));
        let key = StageKey::of([embedded.key.text().as_bytes(), settings.as_bytes()]);
        let job = JobId::next();
        self.reviewing.gap.begin(job, key);
        let (dataset, embedded, seed) = (Arc::clone(&opened.dataset), embedded.value, self.choices.seed);
        let task = GapTask { dataset, embedded, frames, entries, distance, seed };
        effects.push(Effect::Start(job, Box::new(Task::Gap(Box::new(task)))));
    }

    fn draw_tree(&mut self, distance: Distance, effects: &mut Vec<Effect>) {
        let (Some(opened), Some(frames)) = (self.dataset().cloned(), self.results.frames.ready().cloned()) else {
            return;
        };
        let rows: Vec<usize> = self.selection.rows().iter().collect();
        let settings = format!("tree {distance:?} {rows:?}");
        let key = StageKey::of([frames.key.text().as_bytes(), settings.as_bytes()]);
        let job = JobId::next();
        self.reviewing.tree.begin(job, key);
        let task = TreeTask { dataset: Arc::clone(&opened.dataset), frames: frames.value, rows, distance };
        effects.push(Effect::Start(job, Box::new(Task::Tree(Box::new(task)))));
    }

    fn say(&mut self, row: usize, verdict: &Verdict, reason: &str, effects: &mut Vec<Effect>) {
        let Some(curated) = self.curated() else { return };
        let step = verdict.decisions(&curated, row, Curator { who: &self.settings.curator, reason });
        if !step.is_empty() {
            self.change(Change::Step(step), effects);
        }
    }

    fn change(&mut self, change: Change, effects: &mut Vec<Effect>) {
        self.reviewing.changes.push(change);
        self.reviewing.renew_entries();
        self.keep_changes(effects);
    }

    /// Where decisions are kept.
    fn place(&self) -> Option<KeepPlace> {
        if let Some(file) = &self.reviewing.file {
            return Some(KeepPlace::Open(Arc::clone(file)));
        }
        let home = self.reviewing.stand_in_home.as_ref()?;
        let key = self.dataset()?.dataset.key();
        Some(KeepPlace::At(home.join(format!("{key}.{EXTENSION}"))))
    }

    fn keep_changes(&mut self, effects: &mut Vec<Effect>) {
        if self.reviewing.keeping.is_some() || self.reviewing.saving.is_some() || self.reviewing.changes.is_empty() {
            return;
        }
        self.start_keeping(effects);
    }

    /// Decisions that were made about these specimens before, and kept without a session of their own, are read.
    pub(super) fn look_for_decisions(&mut self, effects: &mut Vec<Effect>) {
        if self.reviewing.file.is_none() {
            self.start_keeping(effects);
        }
    }

    fn start_keeping(&mut self, effects: &mut Vec<Effect>) {
        let (Some(place), Some(opened)) = (self.place(), self.dataset().cloned()) else { return };
        let changes = self.reviewing.changes.clone();
        let job = JobId::next();
        self.reviewing.keeping = Some((job, changes.len()));
        self.reviewing.problem = None;
        effects.push(Effect::Start(job, Box::new(Task::Keep(Box::new(KeepTask { place, opened, changes })))));
    }

    fn save_session(&mut self, to: PathBuf, effects: &mut Vec<Effect>) {
        let Some(opened) = self.dataset().cloned() else { return };
        if self.reviewing.saving.is_some() || self.reviewing.keeping.is_some() {
            return;
        }
        let to = if to.extension().is_none() { to.with_extension(EXTENSION) } else { to };
        let from = self.reviewing.file.clone();
        let replaces = from.as_ref().is_some_and(|file| self.reviewing.stands_in(file.path()));
        let changes = self.reviewing.changes.clone();
        let job = JobId::next();
        self.reviewing.saving = Some((job, changes.len()));
        let (results, settings) = (self.results.to_keep(), self.settings_to_keep());
        self.reviewing.note_kept(&results);
        self.reviewing.settings_kept = Some(settings.clone());
        let task = SaveTask { from, replaces, to, opened, results, changes, settings };
        effects.push(Effect::Start(job, Box::new(Task::SaveSession(Box::new(task)))));
    }

    /// Looks for decisions that were never saved under a name.
    pub fn look_for_recoveries(&mut self, folder: PathBuf) -> Effect {
        let job = JobId::next();
        self.reviewing.finding = Some(job);
        self.reviewing.stand_in_home = Some(folder.clone());
        Effect::Start(job, Box::new(Task::FindRecoveries { folder }))
    }

    /// Takes what a session held when it was opened.
    pub(super) fn take_session(&mut self, kept: Kept, results: Vec<KeptResult>, settings: Option<serde_json::Value>) {
        self.reviewing.take(kept);
        self.reviewing.note_kept(&results);
        self.results.restore(results);
        let Some(settings) = settings else { return };
        match serde_json::from_value::<KeptSettings>(settings.clone()) {
            Ok(KeptSettings { choices, audit, contaminants, runs }) => {
                // A model that was used then is used again where it still is found.
                self.choices = choices;
                self.reviewing.settings = audit;
                self.reviewing.contaminants = contaminants;
                let models = runs.into_iter().map(|folder| folder.join("model.safetensors"));
                let new: Vec<PathBuf> = models.filter(|path| !self.models.contains(path)).collect();
                self.models.extend(new);
                self.reviewing.settings_kept = Some(settings);
            }
            Err(error) => {
                let text = format!("the settings of the session do not make sense, so the usual ones hold: {error}");
                self.log.add(super::log::Level::Warning, "Review", text, Vec::new());
            }
        }
    }

    fn settings_to_keep(&self) -> serde_json::Value {
        let kept = KeptSettings {
            choices: self.choices.clone(),
            audit: self.reviewing.settings,
            contaminants: self.reviewing.contaminants.clone(),
            runs: self.training.runs.iter().map(|run| run.folder.clone()).collect(),
        };
        serde_json::to_value(kept).unwrap_or_default()
    }

    /// Keeps settings and results in the session that is open when they have changed.
    pub(super) fn keep_state(&mut self, effects: &mut Vec<Effect>) {
        let reviewing = &self.reviewing;
        if reviewing.session_file().is_none() || reviewing.keeping_state.is_some() || reviewing.saving.is_some() {
            return;
        }
        let (Some(file), Some(opened)) = (reviewing.file.clone(), self.dataset().cloned()) else { return };
        let settings = self.settings_to_keep();
        let mut results = self.results.to_keep();
        results.retain(|result| !reviewing.results_kept.contains(&(result.name, result.key)));
        if reviewing.settings_kept.as_ref() == Some(&settings) && results.is_empty() {
            return;
        }
        let job = JobId::next();
        self.reviewing.keeping_state = Some(job);
        self.reviewing.settings_kept = Some(settings.clone());
        self.reviewing.note_kept(&results);
        let task = StateTask { file, dataset: Arc::clone(&opened.dataset), settings, results };
        effects.push(Effect::Start(job, Box::new(Task::KeepState(Box::new(task)))));
    }

    /// Adds files to the session that is open.
    fn add_files(&mut self, paths: Vec<PathBuf>, effects: &mut Vec<Effect>) {
        let (Some(file), Some(opened)) = (self.reviewing.file.clone(), self.dataset().cloned()) else { return };
        let is_idle = self.reviewing.keeping.is_none() && self.reviewing.saving.is_none();
        if self.reviewing.session_file().is_some() && is_idle && self.reviewing.changes.is_empty() {
            self.begin_opening(Task::AddFiles(Box::new(AddTask { file, opened, paths })), effects);
        }
    }

    /// Measures labels in force, where they or the audit have changed.
    pub(super) fn measure_labels(&mut self, effects: &mut Vec<Effect>) {
        let (Some(opened), Some(audit)) = (self.dataset().cloned(), self.reviewing.audited.ready().cloned()) else {
            return;
        };
        let entries = Arc::clone(&self.reviewing.entries);
        let parts: Vec<String> = std::iter::once(audit.key.text()).chain(decided_text(&entries)).collect();
        let key = StageKey::of(parts.iter().map(String::as_bytes));
        if self.reviewing.standings.key() == Some(key) {
            return;
        }
        effects.extend(self.reviewing.standings.job().map(Effect::Stop));
        let job = JobId::next();
        self.reviewing.standings.begin(job, key);
        let dataset = Arc::clone(&opened.dataset);
        let task = StandingTask { dataset, audit: audit.value, entries, seed: self.choices.seed };
        effects.push(Effect::Start(job, Box::new(Task::Measure(Box::new(task)))));
    }

    /// Puts together everything about the specimen that is looked at, while the page is shown.
    pub(super) fn put_dossier_together(&mut self, effects: &mut Vec<Effect>) {
        if self.page != Page::Review {
            return;
        }
        let Some((key, task)) = self.due_dossier() else { return };
        if self.reviewing.dossier.key() == Some(key) {
            return;
        }
        effects.extend(self.reviewing.dossier.job().map(Effect::Stop));
        let job = JobId::next();
        self.reviewing.dossier.begin(job, key);
        effects.push(Effect::Start(job, Box::new(Task::Dossier(Box::new(task)))));
    }

    fn due_dossier(&self) -> Option<(StageKey, DossierTask)> {
        let dataset = Arc::clone(&self.dataset()?.dataset);
        let row = self.selection.focus()?;
        let embedded = self.results.embedding.ready()?;
        let frames = Arc::clone(&self.results.frames.ready()?.value);
        let entries = Arc::clone(&self.reviewing.entries);
        let suspect = self.reviewing.suspect(row).cloned();
        let audited = self.reviewing.audited.ready().map(|made| made.key.text()).unwrap_or_default();
        let decided = format!("{row} {}", decided_text(&entries).join(" "));
        let key = StageKey::of([embedded.key.text().as_bytes(), audited.as_bytes(), decided.as_bytes()]);
        let (embedded, seed) = (Arc::clone(&embedded.value), self.choices.seed);
        Some((key, DossierTask { dataset, embedded, frames, entries, suspect, row, seed }))
    }

    /// What each method says of a specimen, as far as it was asked: the method, the name, and how sure it is.
    pub fn opinions(&self, row: usize) -> Vec<[String; 3]> {
        let of = |method: Method| {
            let names = self.results.names(method).shown()?;
            let call = names.calls.iter().find(|call| call.row == row)?;
            let name = call.predicted.map_or("nothing", |code| names.name(code));
            let identity = call.identity.map(|identity| format!("{:.1} % identical to its nearest", 100.0 * identity));
            let cosine = call.cosine.map(|cosine| format!("cosine {cosine:.3}"));
            let margin = call.margin.map(|margin| format!("{margin:.3} ahead of the next name"));
            let sure: Vec<String> = [identity, cosine, margin].into_iter().flatten().collect();
            Some([format!("{} ({})", method.title(), names.rank.title()), name.to_owned(), sure.join(", ")])
        };
        [Method::Model, Method::Both, Method::Kmer, Method::Align].into_iter().filter_map(of).collect()
    }

    /// Takes the end of a job of the page. An output of another kind changes nothing.
    pub(super) fn end_review(&mut self, id: JobId, outcome: Result<Output, JobError>, effects: &mut Vec<Effect>) {
        let reviewing = &mut self.reviewing;
        if reviewing.keeping.is_some_and(|(job, _)| job == id) {
            let done = reviewing.keeping.take().map_or(0, |(_, done)| done);
            self.end_keeping(done, outcome, effects);
        } else if reviewing.saving.is_some_and(|(job, _)| job == id) {
            let done = reviewing.saving.take().map_or(0, |(_, done)| done);
            self.end_saving(done, outcome, effects);
        } else if reviewing.keeping_state == Some(id) {
            reviewing.keeping_state = None;
        } else if reviewing.finding == Some(id) {
            reviewing.finding = None;
            if let Ok(Output::Recoveries(found)) = outcome {
                reviewing.recoveries = found;
            }
        } else {
            match outcome {
                Ok(Output::Audited(found)) => {
                    reviewing.audited.finish(id, Ok(found));
                    let rows = self.dataset().map_or(0, |opened| opened.dataset.len());
                    self.reviewing.number_suspects(rows);
                }
                Ok(Output::Dossier(found)) => drop(reviewing.dossier.finish(id, Ok(found))),
                Ok(Output::Gap(found)) => drop(reviewing.gap.finish(id, Ok(found))),
                Ok(Output::Tree(found)) => drop(reviewing.tree.finish(id, Ok(found))),
                Ok(Output::Measured(found)) => drop(reviewing.standings.finish(id, Ok(found))),
                Ok(_) => {}
                Err(error) => {
                    let problem = Problem::from(&error);
                    reviewing.audited.finish(id, Err(problem.clone()));
                    reviewing.standings.finish(id, Err(problem.clone()));
                    reviewing.dossier.finish(id, Err(problem.clone()));
                    reviewing.gap.finish(id, Err(problem.clone()));
                    reviewing.tree.finish(id, Err(problem));
                }
            }
        }
    }

    fn end_keeping(&mut self, done: usize, outcome: Result<Output, JobError>, effects: &mut Vec<Effect>) {
        match outcome {
            Ok(Output::Kept(kept)) => {
                let came_back = done == 0 && kept.entries.iter().any(|entry| !entry.undone);
                self.reviewing.changes.drain(..done);
                self.reviewing.take(kept);
                if came_back {
                    let count = self.reviewing.entries.iter().filter(|entry| !entry.undone).count();
                    let text = format!("{count} decisions made on these specimens before are back (page Review)");
                    self.log.add(super::log::Level::Note, "Review", text, Vec::new());
                }
                self.keep_changes(effects);
            }
            Ok(_) => {}
            Err(error) => self.reviewing.problem = Some(Problem::from(&error)),
        }
    }

    fn end_saving(&mut self, done: usize, outcome: Result<Output, JobError>, effects: &mut Vec<Effect>) {
        match outcome {
            Ok(Output::SessionSaved(kept)) => {
                self.reviewing.changes.drain(..done);
                let path = kept.file.as_ref().map(|file| file.path().to_owned());
                self.reviewing.take(kept);
                if let Some(path) = path {
                    self.settings.opened(std::slice::from_ref(&path));
                    effects.push(Effect::SaveSettings);
                    self.notice = Some(Ok(path));
                }
            }
            Ok(_) => {}
            Err(error) => self.notice = Some(Err(Problem::from(&error))),
        }
        self.keep_changes(effects);
    }
}

#[cfg(test)]
mod tests;
