//! The work of the page Review: judging labels, keeping decisions, saving and finding sessions.

use super::error::WorkError;
use crate::analysis::gap::Distance;
use crate::analysis::kmer::KmerShortlist;
use crate::data::dataset::Dataset;
use crate::data::frame::FrameCheck;
use crate::data::import::load;
use crate::jobs::{Output, Reporter};
use crate::pipeline::audit::{Audit, AuditSettings, Contaminants, Suspect, audit_with};
use crate::pipeline::dossier::{Dossier, DossierInput, dossier};
use crate::pipeline::embed::Embedded;
use crate::pipeline::gap::{Gap, gap};
use crate::pipeline::opened::Opened;
use crate::pipeline::review::{Curated, Standing, standing};
use crate::pipeline::scope::{
    Decision, EXTENSION, Entry, KeptResult, ResultName, ScopeFile, SourceState, redoable, undoable,
};
use crate::pipeline::stored::StoredVectors;
use crate::pipeline::tree::{SpecimenTree, specimen_tree};
use crate::pipeline::{Provenance, Side};
use crate::progress::{Observer, Progress};
use crate::seed::Seed;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Labels that are to be judged.
#[derive(Debug, Clone)]
pub struct AuditTask {
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// Their embeddings.
    pub embedded: Arc<Embedded>,
    /// Sequences of contaminants that barcodes are compared with.
    pub contaminants: Option<PathBuf>,
    /// How.
    pub settings: AuditSettings,
}

/// Labels before and after decisions, to be measured.
#[derive(Debug, Clone)]
pub struct StandingTask {
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// Their neighbours.
    pub audit: Arc<Audit>,
    /// What was decided.
    pub entries: Arc<Vec<Entry<Decision>>>,
    /// Seed of the intervals.
    pub seed: Seed,
}

/// A specimen about which everything is to be put together.
#[derive(Debug, Clone)]
pub struct DossierTask {
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// Their embeddings.
    pub embedded: Arc<Embedded>,
    /// Where their barcodes lie.
    pub frames: Arc<Vec<FrameCheck>>,
    /// What was decided.
    pub entries: Arc<Vec<Entry<Decision>>>,
    /// What the rules made of it.
    pub suspect: Option<Suspect>,
    /// The specimen.
    pub row: usize,
    /// The seed of the run, for the record.
    pub seed: Seed,
}

/// Distances that are to be measured.
#[derive(Debug, Clone)]
pub struct GapTask {
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// Their embeddings.
    pub embedded: Arc<Embedded>,
    /// Where their barcodes lie.
    pub frames: Arc<Vec<FrameCheck>>,
    /// What was decided.
    pub entries: Arc<Vec<Entry<Decision>>>,
    /// How barcodes are compared.
    pub distance: Distance,
    /// The seed of the run, for the record.
    pub seed: Seed,
}

/// Specimens that are to be joined to a tree.
#[derive(Debug, Clone)]
pub struct TreeTask {
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// Where their barcodes lie.
    pub frames: Arc<Vec<FrameCheck>>,
    /// Which of them.
    pub rows: Vec<usize>,
    /// How barcodes are compared.
    pub distance: Distance,
}

/// A change of the list of decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Decisions that are one step.
    Step(Vec<Decision>),
    /// The latest step is taken back.
    Undo,
    /// The step that was taken back last is put back.
    Redo,
}

/// Where decisions are kept.
#[derive(Debug, Clone)]
pub enum KeepPlace {
    /// In a session that is open.
    Open(Arc<ScopeFile>),
    /// In this session file, which is made for the first decision.
    At(PathBuf),
}

/// Decisions that are to be kept.
#[derive(Debug, Clone)]
pub struct KeepTask {
    /// Where.
    pub place: KeepPlace,
    /// The specimens that they are about.
    pub opened: Arc<Opened>,
    /// The decisions, in order; without any, those that were kept before are read.
    pub changes: Vec<Change>,
}

/// What is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The session that keeps it; `None` where nothing was decided yet.
    pub file: Option<Arc<ScopeFile>>,
    /// Every decision, the earliest first.
    pub entries: Vec<Entry<Decision>>,
}

/// A session that is to be saved under a name.
#[derive(Debug, Clone)]
pub struct SaveTask {
    /// Where it is kept by now.
    pub from: Option<Arc<ScopeFile>>,
    /// Whether that file may go: it only stood in for this one.
    pub replaces: bool,
    /// Under which name it is to be saved.
    pub to: PathBuf,
    /// The specimens.
    pub opened: Arc<Opened>,
    /// What was made of them.
    pub results: Vec<KeptResult>,
    /// Decisions that are kept nowhere yet.
    pub changes: Vec<Change>,
    /// How everything is made and looked at.
    pub settings: serde_json::Value,
}

/// What a session is to keep beside decisions.
#[derive(Debug, Clone)]
pub struct StateTask {
    /// The session.
    pub file: Arc<ScopeFile>,
    /// Its specimens.
    pub dataset: Arc<Dataset>,
    /// How everything is made and looked at.
    pub settings: serde_json::Value,
    /// Results that it has not yet.
    pub results: Vec<KeptResult>,
}

/// Files that are to be added to a session.
#[derive(Debug, Clone)]
pub struct AddTask {
    /// The session.
    pub file: Arc<ScopeFile>,
    /// Its specimens.
    pub opened: Arc<Opened>,
    /// The files.
    pub paths: Vec<PathBuf>,
}

/// A session that was opened.
#[derive(Debug)]
pub struct OpenedSession {
    /// Its specimens.
    pub opened: Arc<Opened>,
    /// Its decisions.
    pub kept: Kept,
    /// Its results.
    pub results: Vec<KeptResult>,
    /// How everything was made and looked at, where it says so.
    pub settings: Option<serde_json::Value>,
}

/// Decisions about a file that were never saved under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Where they are.
    pub path: PathBuf,
    /// What the specimens are called.
    pub name: String,
    /// How many there are in force.
    pub decisions: usize,
    /// When the last was made, in UTC.
    pub when: String,
}

pub(super) fn judge(task: &AuditTask, observer: &dyn Observer) -> Result<Output, WorkError> {
    let side = Side::all(&task.dataset, Some(&task.embedded));
    let contaminants = task.contaminants.as_deref().map(|path| Contaminants::read(path, observer)).transpose()?;
    Ok(Output::Audited(Arc::new(audit_with(side, contaminants.as_ref(), &task.settings, observer)?)))
}

/// The labels as they were read, and as they are in force.
pub(super) fn measure(task: &StandingTask) -> [Standing; 2] {
    let StandingTask { dataset, audit, entries, seed } = task;
    let before: &[Entry<Decision>] = &[];
    [before, entries].map(|entries| standing(audit, &Curated::new(dataset, entries), *seed))
}

pub(super) fn put_together(
    task: &DossierTask,
    vectors: &StoredVectors,
    shortlist: &KmerShortlist,
    observer: &dyn Observer,
) -> Result<Dossier, WorkError> {
    let curated = Curated::new(&task.dataset, &task.entries);
    let (frames, suspect, row) = (task.frames.as_slice(), task.suspect.as_ref(), task.row);
    let input = DossierInput { curated: &curated, vectors, shortlist, frames, suspect, row };
    let provenance = task.embedded.describe(Provenance::new(task.seed, &[&task.dataset]));
    Ok(dossier(&input, provenance, observer)?)
}

pub(super) fn measure_gap(task: &GapTask, vectors: &StoredVectors, observer: &dyn Observer) -> Result<Gap, WorkError> {
    let curated = Curated::new(&task.dataset, &task.entries);
    let provenance = task.embedded.describe(Provenance::new(task.seed, &[&task.dataset]));
    Ok(gap(&curated, &task.frames, Some(vectors), task.distance, provenance, observer)?)
}

pub(super) fn join(task: &TreeTask, observer: &dyn Observer) -> Result<SpecimenTree, WorkError> {
    Ok(specimen_tree(&task.dataset, &task.frames, &task.rows, task.distance, observer)?)
}

pub(super) fn keep(task: &KeepTask) -> Result<Kept, WorkError> {
    let file = match &task.place {
        KeepPlace::Open(file) => Arc::clone(file),
        KeepPlace::At(path) if path.exists() => Arc::new(ScopeFile::open(path)?),
        KeepPlace::At(_) if task.changes.is_empty() => return Ok(Kept { file: None, entries: Vec::new() }),
        KeepPlace::At(path) => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            Arc::new(ScopeFile::create(path, &task.opened, &[])?)
        }
    };
    make(&file, &task.opened.dataset, &task.changes)?;
    Ok(Kept { entries: file.all()?, file: Some(file) })
}

fn make(file: &ScopeFile, dataset: &Dataset, changes: &[Change]) -> Result<(), WorkError> {
    for change in changes {
        match change {
            Change::Step(step) => drop(file.decide_step(dataset, step)?),
            Change::Undo => file.set_undone(&undoable(&file.all()?), true)?,
            Change::Redo => file.set_undone(&redoable(&file.all()?), false)?,
        }
    }
    Ok(())
}

/// Saves a session: a copy of the one that stood in for it, or a new one.
pub(super) fn save(task: &SaveTask, observer: &dyn Observer) -> Result<Kept, WorkError> {
    observer.progress(Progress::new("writing the session", 0, task.results.len() + 1, "parts"))?;
    let file = match &task.from {
        Some(from) => from.copy_to(&task.to)?,
        None => ScopeFile::create(&task.to, &task.opened, &[])?,
    };
    for (done, result) in task.results.iter().enumerate() {
        observer.progress(Progress::new("writing the session", done + 1, task.results.len() + 1, "parts"))?;
        file.keep(result, &task.opened.dataset)?;
    }
    file.keep_settings(&task.settings)?;
    make(&file, &task.opened.dataset, &task.changes)?;
    if let Some(from) = task.from.as_ref().filter(|_| task.replaces) {
        // Where the system does not let an open file go it is offered again, with nothing in it that is not saved.
        let _ = std::fs::remove_file(from.path());
    }
    Ok(Kept { entries: file.all()?, file: Some(Arc::new(file)) })
}

pub(super) fn keep_state(task: &StateTask) -> Result<(), WorkError> {
    task.file.keep_settings(&task.settings)?;
    for result in &task.results {
        task.file.keep(result, &task.dataset)?;
    }
    Ok(())
}

/// Opens a session, and warns where a file that it came from is not what it was.
pub(super) fn open(path: &Path, observer: &dyn Reporter<Output>) -> Result<OpenedSession, WorkError> {
    observer.progress(Progress::new("opening the session", 0, 1, "sessions"))?;
    let file = ScopeFile::open(path)?;
    let opened = Arc::new(file.specimens()?);
    for source in file.sources()? {
        let name = source.path.display();
        match source.state(path) {
            SourceState::Unchanged | SourceState::Moved(_) => {}
            SourceState::Changed => observer.warn(&format!("{name} has changed since this session read it")),
            SourceState::Missing => {
                observer.warn(&format!("{name} is not there any more; the session has what was read"));
            }
            SourceState::Unreadable(why) => observer.warn(&format!("{name} cannot be read: {why}")),
        }
    }
    let results: Result<Vec<Option<KeptResult>>, _> =
        ResultName::ALL.into_iter().map(|name| file.result(name, &opened.dataset)).collect();
    let results = results?.into_iter().flatten().collect();
    let settings = file.settings()?;
    let kept = Kept { entries: file.all()?, file: Some(Arc::new(file)) };
    Ok(OpenedSession { opened, kept, results, settings })
}

/// Reads the files of a session anew together with others, so that ids, labels and reports are those of one dataset, and keeps what was read
/// in the session. Barcodes that were embedded before are found in the cache.
pub(super) fn add(task: &AddTask, observer: &dyn Reporter<Output>) -> Result<OpenedSession, WorkError> {
    let AddTask { file, opened, paths } = task;
    let mut all = Vec::new();
    for source in file.sources()? {
        let name = source.path.display();
        all.push(match source.state(file.path()) {
            SourceState::Unchanged => source.path,
            SourceState::Moved(path) => path,
            _ => return Err(format!("{name} is not what this session read, so nothing can be added to it").into()),
        });
    }
    all.extend(paths.iter().cloned());
    let reading = opened.reading.clone();
    let (dataset, report) = load(&all, &reading, observer)?;
    let is_as_it_was = |row: usize| {
        let found = dataset.row_of(opened.dataset.id(row));
        found.is_some_and(|now| dataset.sequence(now) == opened.dataset.sequence(row))
    };
    if let Some(row) = (0..opened.dataset.len()).find(|&row| !is_as_it_was(row)) {
        let id = opened.dataset.id(row);
        return Err(format!("specimen {id} of the session would be another one with these files").into());
    }
    let more = Opened { paths: all, dataset: Arc::new(dataset), reading, report };
    file.replace_specimens(&more)?;
    let kept = Kept { entries: file.all()?, file: Some(Arc::clone(file)) };
    Ok(OpenedSession { opened: Arc::new(more), kept, results: Vec::new(), settings: file.settings()? })
}

/// Sessions in a folder that nobody writes to and that hold decisions, the latest first. Those that cannot be read are told of.
pub(super) fn find_recoveries(folder: &Path, observer: &dyn Observer) -> Vec<Recovery> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == EXTENSION));
    let mut found: Vec<Recovery> = files
        .filter(|path| !ScopeFile::is_in_use(path))
        .filter_map(|path| match recovery(&path) {
            Ok(found) => found,
            Err(error) => {
                observer.warn(&format!("decisions in {} cannot be recovered: {error}", path.display()));
                None
            }
        })
        .collect();
    found.sort_by(|a, b| b.when.cmp(&a.when).then_with(|| a.path.cmp(&b.path)));
    found
}

fn recovery(path: &Path) -> Result<Option<Recovery>, WorkError> {
    let file = ScopeFile::read(path)?;
    let entries = file.all::<Decision>()?;
    let in_force: Vec<&Entry<Decision>> = entries.iter().filter(|entry| !entry.undone).collect();
    let Some(last) = in_force.last() else { return Ok(None) };
    let name = file.specimens()?.dataset.name().to_owned();
    Ok(Some(Recovery { path: path.to_owned(), name, decisions: in_force.len(), when: last.time() }))
}

#[cfg(test)]
mod tests;
