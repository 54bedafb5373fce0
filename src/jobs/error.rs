//! How a job can end badly.

use std::error::Error;

/// What a piece of work may fail with.
pub type WorkError = Box<dyn Error + Send + Sync>;

/// Why a job did not deliver.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Somebody asked it to stop.
    #[error("{job} was cancelled")]
    Cancelled {
        /// Name of the job.
        job: String,
    },
    /// The work itself says why.
    #[error("{job} failed")]
    Failed {
        /// Name of the job.
        job: String,
        /// The work's own error.
        source: WorkError,
    },
    /// A fault in the program: the work panicked.
    #[error("{job} stopped because of a fault in the program: {message}")]
    Panicked {
        /// Name of the job.
        job: String,
        /// What the panic said.
        message: String,
    },
}

impl JobError {
    /// Whether the job ended because somebody asked it to.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled { .. })
    }
}

/// The text of a panic, where it has one.
pub(super) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it gave no reason".to_owned())
}
