//! What there is to do and what comes of it: plain descriptions that hold shared data.

use super::discover::{DiscoverTask, Discovered};
use super::export::Export;
use super::lab::{LabOutput, LabTask};
use super::review::{
    AddTask, AuditTask, DossierTask, GapTask, KeepTask, Kept, OpenedSession, Recovery, SaveTask, StandingTask,
    StateTask, TreeTask,
};
use super::runner::Kind;
use crate::data::dataset::Dataset;
use crate::data::frame::FrameCheck;
use crate::data::import::ColumnMapping;
use crate::key::ModelId;
use crate::model::ModelInfo;
use crate::pipeline::Method;
use crate::pipeline::audit::Audit;
use crate::pipeline::classify::{Classification, ClassifySettings};
use crate::pipeline::cluster::{ClusterSettings, Clustering};
use crate::pipeline::dossier::Dossier;
use crate::pipeline::embed::Embedded;
use crate::pipeline::gap::Gap;
use crate::pipeline::opened::Opened;
use crate::pipeline::project::{ProjectSettings, Projection};
use crate::pipeline::recommend::{RecommendSettings, Recommendation};
use crate::pipeline::review::Standing;
use crate::pipeline::stored::MemoryBudget;
use crate::pipeline::train::{Estimate, RunFacts, SampleReading, TrainOutcome, TrainRequest};
use crate::pipeline::tree::SpecimenTree;
use crate::seed::Seed;
use crate::train::{Report, Validation};
use std::path::PathBuf;
use std::sync::Arc;

/// A table whose columns have to be named before it can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnQuestion {
    /// All files that are being opened.
    pub paths: Vec<PathBuf>,
    /// The table in question.
    pub table: PathBuf,
    /// Its column names.
    pub header: Vec<String>,
    /// Its first rows.
    pub sample: Vec<Vec<String>>,
    /// What the columns seem to be.
    pub guess: ColumnMapping,
}

impl ColumnQuestion {
    /// Rows that are shown.
    pub const SAMPLE: usize = 5;

    /// What a table's column names are remembered by.
    pub fn header_key(header: &[String]) -> String {
        header.join("\t")
    }
}

/// The beginning of a file, to be looked at while the rest is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRows {
    /// The file.
    pub file: PathBuf,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// Its first rows, or records.
    pub rows: Vec<Vec<String>>,
}

impl FirstRows {
    /// Rows that are shown.
    pub const MOST: usize = 20;
    /// Columns that are shown: a table may have thousands, and the window has to go on.
    pub const COLUMNS: usize = 40;
    /// Letters that are kept of a cell, which may hold megabytes.
    pub const LETTERS: usize = 200;
}

/// The specimens nearest to one.
#[derive(Debug, Clone, PartialEq)]
pub struct Closest {
    /// The specimen.
    pub row: usize,
    /// Whether cosines are those of the model's embeddings, otherwise of 6-mer counts.
    pub by_model: bool,
    /// Nearest first.
    pub neighbours: Vec<Near>,
}

/// One specimen near another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// Its row.
    pub row: usize,
    /// Cosine of the two.
    pub cosine: f32,
    /// Identity of the two barcodes, 0 to 1.
    pub identity: f32,
}

/// How specimens are to be named.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Against {
    /// Each by all others.
    Others,
    /// Those outside of the split `train` by those in it.
    TrainingSplit,
}

impl Against {
    /// The name of the split that holds the labelled reference, as in BIOSCAN-5M.
    pub const TRAINING_SPLIT: &'static str = "train";
}

/// One piece of work.
#[derive(Debug, Clone)]
pub enum Task {
    /// Read files.
    Open {
        /// Which.
        paths: Vec<PathBuf>,
        /// How to read the columns of unknown tables, by their header line.
        mappings: Vec<(String, ColumnMapping)>,
    },
    /// Simulate the demo.
    OpenDemo {
        /// Seed of the simulation.
        seed: Seed,
    },
    /// Look where the barcodes lie in the COI-5P frame.
    CheckFrames {
        /// The specimens.
        dataset: Arc<Dataset>,
    },
    /// Read a model.
    LoadModel {
        /// Its file; `None` is the bundled one.
        path: Option<PathBuf>,
    },
    /// Embed the barcodes.
    Embed {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Where their barcodes lie.
        frames: Arc<Vec<FrameCheck>>,
        /// A model that was loaded before.
        model: ModelId,
        /// What they may take of the memory.
        memory: MemoryBudget,
    },
    /// Lay the specimens out on a map.
    Map {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Their embeddings; `None` maps 6-mer counts.
        embedded: Option<Arc<Embedded>>,
        /// How.
        settings: ProjectSettings,
    },
    /// Name the specimens.
    Classify {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Their embeddings, for the model.
        embedded: Option<Arc<Embedded>>,
        /// Where their barcodes lie, for the untrained encoder, which reads as the model does.
        frames: Arc<Vec<FrameCheck>>,
        /// The model, whose shape the untrained encoder has.
        model: Option<ModelId>,
        /// By whom they are named.
        against: Against,
        /// How.
        settings: ClassifySettings,
    },
    /// Ask the reference which method names it best.
    Recommend {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Their embeddings.
        embedded: Arc<Embedded>,
        /// Which of them are the reference.
        against: Against,
        /// How.
        settings: RecommendSettings,
    },
    /// Group the specimens.
    Cluster {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Their embeddings.
        embedded: Arc<Embedded>,
        /// How.
        settings: ClusterSettings,
    },
    /// Write something to a file.
    Export {
        /// What.
        what: Export,
        /// Where to.
        path: PathBuf,
    },
    /// Train a model.
    Train(Box<TrainRequest>),
    /// Time a few steps of a training, to say what it will take.
    Estimate(Box<TrainRequest>),
    /// Remove what a run wrote.
    Discard {
        /// Its folder.
        folder: PathBuf,
    },
    /// Work of the masking lab.
    Lab(Box<LabTask>),
    /// Find what is new.
    Discover(Box<DiscoverTask>),
    /// Judge labels.
    Audit(Box<AuditTask>),
    /// Measure labels before and after decisions.
    Measure(Box<StandingTask>),
    /// Put together everything about one specimen.
    Dossier(Box<DossierTask>),
    /// Measure distances within species and between them.
    Gap(Box<GapTask>),
    /// Join specimens to a tree.
    Tree(Box<TreeTask>),
    /// Keep decisions.
    Keep(Box<KeepTask>),
    /// Save a session under a name.
    SaveSession(Box<SaveTask>),
    /// Add files to a session.
    AddFiles(Box<AddTask>),
    /// Keep in a session how everything is made, and results that it has not.
    KeepState(Box<StateTask>),
    /// Look for decisions that were never saved under a name.
    FindRecoveries {
        /// Where they would be.
        folder: PathBuf,
    },
    /// Find the specimens nearest to one.
    FindClosest {
        /// The specimens.
        dataset: Arc<Dataset>,
        /// Their embeddings; `None` compares 6-mer counts.
        embedded: Option<Arc<Embedded>>,
        /// The specimen.
        row: usize,
    },
}

impl Task {
    /// How the job shares the machine.
    pub fn kind(&self) -> Kind {
        match self {
            Self::FindClosest { .. }
            | Self::Dossier(_)
            | Self::Tree(_)
            | Self::Measure(_)
            | Self::FindRecoveries { .. } => Kind::Light,
            Self::Export { .. } | Self::Discard { .. } | Self::Keep(_) | Self::SaveSession(_) | Self::KeepState(_) => {
                Kind::Write
            }
            Self::Train(_) => Kind::Training,
            Self::Estimate(_) => Kind::Trial,
            Self::Lab(task) => task.kind(),
            _ => Kind::Heavy,
        }
    }

    /// The job's name in the status bar and the log.
    pub fn name(&self) -> String {
        match self {
            Self::Open { paths, .. } => format!("Opening {}", file_names(paths)),
            Self::OpenDemo { .. } => "Simulating the demo".to_owned(),
            Self::CheckFrames { .. } => "Checking reading frames".to_owned(),
            Self::LoadModel { .. } => "Loading the model".to_owned(),
            Self::Embed { .. } => "Embedding the barcodes".to_owned(),
            Self::Map { embedded: None, .. } => "Mapping 6-mer counts".to_owned(),
            Self::Map { .. } => "Mapping the embeddings".to_owned(),
            Self::Classify { settings, .. } => format!("Naming specimens by {}", settings.method.title()),
            Self::Recommend { .. } => "Comparing methods on the reference".to_owned(),
            Self::Cluster { .. } => "Clustering".to_owned(),
            Self::Export { path, .. } => format!("Saving {}", file_names(std::slice::from_ref(path))),
            Self::Train(request) => format!("Training {}", file_names(std::slice::from_ref(&request.folder))),
            Self::Estimate(_) => "Estimating a training".to_owned(),
            Self::Discard { folder } => format!("Discarding {}", file_names(std::slice::from_ref(folder))),
            Self::FindClosest { .. } => "Finding nearest specimens".to_owned(),
            Self::Lab(task) => task.name().to_owned(),
            Self::Discover(_) => "Looking for what is new".to_owned(),
            Self::Audit(_) => "Judging labels".to_owned(),
            Self::Measure(_) => "Measuring labels".to_owned(),
            Self::Gap(_) => "Measuring distances".to_owned(),
            Self::Tree(_) => "Joining a tree".to_owned(),
            Self::Dossier(_) => "Putting a dossier together".to_owned(),
            Self::Keep(_) => "Keeping decisions".to_owned(),
            Self::SaveSession(task) => format!("Saving {}", file_names(std::slice::from_ref(&task.to))),
            Self::AddFiles(task) => format!("Adding {}", file_names(&task.paths)),
            Self::KeepState(_) => "Keeping results".to_owned(),
            Self::FindRecoveries { .. } => "Looking for unsaved decisions".to_owned(),
        }
    }

    /// The method of a classification.
    pub fn method(&self) -> Option<Method> {
        match self {
            Self::Classify { settings, .. } => Some(settings.method),
            _ => None,
        }
    }
}

fn file_names(paths: &[PathBuf]) -> String {
    let name = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    match paths {
        [] => "nothing".to_owned(),
        [one] => name(one),
        [first, others @ ..] => format!("{} and {} more", name(first), others.len()),
    }
}

/// What came of a [`Task`].
#[derive(Debug)]
pub enum Output {
    /// Of [`Task::Open`] and [`Task::OpenDemo`].
    Opened(Arc<Opened>),
    /// Of [`Task::Open`], on the way.
    FirstRows(FirstRows),
    /// Of [`Task::Open`], when a table's columns are unknown.
    ColumnsUnknown(Box<ColumnQuestion>),
    /// Of [`Task::CheckFrames`], `[U]`.
    Frames(Arc<Vec<FrameCheck>>),
    /// Of [`Task::LoadModel`].
    Model {
        /// What is known about the model.
        info: Arc<ModelInfo>,
        /// Where it runs, and why there.
        note: String,
    },
    /// Of [`Task::Embed`].
    Embedded(Arc<Embedded>),
    /// Of [`Task::Map`].
    Map(Arc<Projection>),
    /// Of [`Task::Classify`].
    Calls(Arc<Classification>),
    /// Of [`Task::Recommend`].
    Recommended(Arc<Recommendation>),
    /// Of [`Task::Cluster`].
    Clusters(Arc<Clustering>),
    /// Of [`Task::FindClosest`].
    Closest(Arc<Closest>),
    /// Of [`Task::Export`]: the file.
    Saved(PathBuf),
    /// Of [`Task::Train`], on the way.
    Training(TrainNews),
    /// Of [`Task::Train`].
    Trained(Vec<TrainOutcome>),
    /// Of [`Task::Estimate`], one for each run.
    Estimated(Arc<Vec<Estimate>>),
    /// Of [`Task::Discard`]: whether the folder is gone; it stays where there is something else in it.
    Discarded(bool),
    /// Of [`Task::Lab`].
    Lab(LabOutput),
    /// Of [`Task::Discover`].
    Discovered(Arc<Discovered>),
    /// Of [`Task::Open`], when it was a session, and of [`Task::AddFiles`].
    SessionOpened(Box<OpenedSession>),
    /// Of [`Task::Audit`].
    Audited(Arc<Audit>),
    /// Of [`Task::Measure`]: as read, and in force.
    Measured(Arc<[Standing; 2]>),
    /// Of [`Task::Dossier`].
    Dossier(Arc<Dossier>),
    /// Of [`Task::Gap`].
    Gap(Arc<Gap>),
    /// Of [`Task::Tree`].
    Tree(Arc<SpecimenTree>),
    /// Of [`Task::Keep`].
    Kept(Kept),
    /// Of [`Task::SaveSession`].
    SessionSaved(Kept),
    /// Of [`Task::KeepState`].
    StateKept,
    /// Of [`Task::FindRecoveries`].
    Recoveries(Vec<Recovery>),
}

/// What a model in training shows.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainNews {
    /// It begins or goes on.
    Began(RunFacts),
    /// Means of the last few steps.
    Reported(Report),
    /// A validation, and whether it is the best so far.
    Validated(Validation, bool),
    /// The sample as the model sees it by now.
    Looked(Arc<SampleReading>),
}
