//! What can be asked of the session, and what it asks of the outside.

use super::columns::ColumnKey;
use super::discover::DiscoverCommand;
use super::export::Exported;
use super::masking::LabCommand;
use super::review::ReviewCommand;
use super::search::Taxon;
use super::selection::{Mode, Rows};
use super::settings::Shade;
use super::steps::Step;
use super::training::TrainCommand;
use crate::data::import::ColumnMapping;
use crate::data::taxonomy::Field;
use crate::jobs::{Event, JobId, Output, Task};
use crate::pipeline::Method;
use crate::pipeline::cluster::ClusterRecipe;
use crate::pipeline::project::ProjectSettings;
use crate::pipeline::stored::MemoryBudget;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A page of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Page {
    /// What was read.
    Dataset,
    /// The map.
    #[default]
    Atlas,
    /// Names.
    Classify,
    /// Groups.
    Clusters,
    /// Reading barcodes with k-mers masked.
    Masking,
    /// Which labels are wrong.
    Review,
    /// What is new.
    Discover,
    /// Models in training.
    Train,
}

impl Page {
    /// Every page, in the order of the navigation.
    pub const ALL: [Self; 8] = [
        Self::Dataset,
        Self::Atlas,
        Self::Classify,
        Self::Clusters,
        Self::Review,
        Self::Discover,
        Self::Masking,
        Self::Train,
    ];

    /// Its name in the navigation.
    pub fn title(self) -> &'static str {
        match self {
            Self::Dataset => "Dataset",
            Self::Atlas => "Atlas",
            Self::Classify => "Classify",
            Self::Clusters => "Clusters",
            Self::Masking => "Masking",
            Self::Review => "Review",
            Self::Discover => "Discover",
            Self::Train => "Train",
        }
    }
}

/// What a person asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Open files as one dataset.
    Open(Vec<PathBuf>),
    /// Open the simulated demo.
    OpenDemo,
    /// Answer the question about the columns of a table; `None` gives up opening it.
    NameColumns(Option<ColumnMapping>),
    /// Turn to a page.
    Show(Page),
    /// Select specimens.
    Select(Rows, Mode),
    /// Turn the specimen panel to a row; a row that is not selected becomes the selection.
    FocusOn(usize),
    /// Select nothing, light nothing.
    Clear,
    /// The selection before.
    Back,
    /// The selection after.
    Forward,
    /// Colour the map by a column, or not at all.
    ColourBy(Option<ColumnKey>),
    /// Keep only the specimens with these values in a column; `None` takes the filter away.
    Filter(ColumnKey, Option<BTreeSet<String>>),
    /// Take all filters away.
    ClearFilters,
    /// Type into the search box.
    Search(String),
    /// Light up a taxon, or nothing.
    Light(Option<Taxon>),
    /// Use a model file; `None` is the bundled model.
    UseModel(Option<PathBuf>),
    /// Name specimens at another rank.
    ClassifyAt(Field),
    /// Also name specimens by this method, though it takes long.
    Compare(Method),
    /// Show the names of this method.
    NameBy(Method),
    /// Group specimens in another way.
    ClusterBy(ClusterRecipe),
    /// Compare groups with another label; `None` chooses one.
    CompareClustersWith(Option<Field>),
    /// Lay out the map in another way.
    MapWith(ProjectSettings),
    /// Make a result again that failed or was stopped.
    Retry(Step),
    /// Stop a job.
    Stop(JobId),
    /// Write something to a file.
    Export(Exported, PathBuf),
    /// Put the notice about the last export away.
    PutNoticeAway,
    /// Light or dark.
    SetShade(Shade),
    /// Whether points jump to their new places rather than walk.
    SetStill(bool),
    /// Size of everything.
    SetZoom(f32),
    /// What embeddings may take of the memory.
    SetMemory(MemoryBudget),
    /// Of models in training.
    Train(TrainCommand),
    /// Of the masking lab.
    Lab(LabCommand),
    /// Of the page Review.
    Review(ReviewCommand),
    /// Of the page Discover.
    Discover(DiscoverCommand),
    /// Write something into the log.
    Note(String),
}

/// What reaches the session.
#[derive(Debug)]
pub enum Input {
    /// A person asks.
    Command(Command),
    /// A job tells.
    Job(Event<Output>),
}

/// What the session asks of the outside.
#[derive(Debug)]
pub enum Effect {
    /// Run a task; its end comes back as [`Input::Job`].
    Start(JobId, Box<Task>),
    /// Stop a job.
    Stop(JobId),
    /// The settings changed: write them to disk.
    SaveSettings,
}
