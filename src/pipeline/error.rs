//! What can go wrong in a use case, in words a biologist understands.

use super::scope::ScopeError;
use super::shards::ShardError;
use crate::data::import::ImportError;
use crate::data::taxonomy::Field;
use crate::model::ModelError;
use crate::progress::Cancelled;
use crate::train::TrainError;
use std::path::PathBuf;

/// Why a use case gave no result.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The user stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The files could not be read.
    #[error(transparent)]
    Import(ImportError),
    /// The model could not be read or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A run could not begin or go on.
    #[error(transparent)]
    Train(TrainError),
    /// A session could not be read or kept.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Shards of embeddings could not be read.
    #[error(transparent)]
    Shard(ShardError),
    /// There are no specimens where some are needed.
    #[error("{what}: there are no specimens to work on")]
    Empty {
        /// The dataset or the part of it.
        what: String,
    },
    /// No specimen of a split.
    #[error("no specimen of '{dataset}' is in the split '{split}'; {}", known_splits(.known))]
    NoSplit {
        /// The dataset's name.
        dataset: String,
        /// The split asked for.
        split: String,
        /// The splits that it has.
        known: Vec<String>,
    },
    /// No specimen carries the label that is asked for.
    #[error("no specimen of '{dataset}' has a {}; choose another rank, or a file whose specimens have one", .field.title())]
    NoLabels {
        /// The dataset's name.
        dataset: String,
        /// The label.
        field: Field,
    },
    /// No specimen carries a name that could be wrong.
    #[error(
        "no specimen of '{dataset}' has a species or a genus, so there is no label to judge; name the columns that hold them in the column \
         mapping, or open a file with labels"
    )]
    NoNames {
        /// The dataset's name.
        dataset: String,
    },
    /// Too few specimens for what was asked.
    #[error("{what} needs at least {needed} different barcodes, and there are {found}")]
    TooFew {
        /// What was asked.
        what: &'static str,
        /// How many it needs.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// No threshold was given for grouping, and the data suggest none.
    #[error("no gap between nearer and farther barcodes is visible that would suggest a threshold; give one")]
    NoThreshold,
    /// A setting that makes no sense with the data.
    #[error("{0}")]
    Setting(String),
    /// A step of the analysis failed.
    #[error("{step} failed: {cause}")]
    Analysis {
        /// The step.
        step: &'static str,
        /// The cause, as the step tells it.
        cause: String,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

fn known_splits(known: &[String]) -> String {
    if known.is_empty() { "it has no splits".to_owned() } else { format!("it has {}", known.join(", ")) }
}

impl From<ImportError> for PipelineError {
    fn from(error: ImportError) -> Self {
        // However deep the work was when the user stopped it, it is a stop and not a failure.
        match error {
            ImportError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            error => Self::Import(error),
        }
    }
}

impl From<ShardError> for PipelineError {
    fn from(error: ShardError) -> Self {
        match error {
            ShardError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            error => Self::Shard(error),
        }
    }
}

impl From<TrainError> for PipelineError {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            error => Self::Train(error),
        }
    }
}

impl PipelineError {
    /// Whether the user stopped the work.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

/// An error of a step that may also be a stop.
pub(in crate::pipeline) trait StepError: std::error::Error {
    /// Whether the user stopped the step.
    fn is_stop(&self) -> bool;
}

macro_rules! may_stop {
    ($($error:ty),* $(,)?) => {
        $(impl StepError for $error {
            fn is_stop(&self) -> bool {
                matches!(self, Self::Cancelled(_))
            }
        })*
    };
}

may_stop!(
    crate::analysis::cluster::ClusterError,
    crate::analysis::pca::PcaError,
    crate::analysis::transform::TransformError,
    crate::analysis::umap::UmapError,
);

/// A stop stays a stop, anything else is a failed step.
#[expect(clippy::needless_pass_by_value, reason = "callers hand the error over, as `map_err` gives it")]
pub(in crate::pipeline) fn stop_or(error: impl StepError, step: &'static str) -> PipelineError {
    if error.is_stop() {
        PipelineError::Cancelled(Cancelled)
    } else {
        PipelineError::Analysis { step, cause: error.to_string() }
    }
}
