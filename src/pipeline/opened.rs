//! Specimens that are open, with what their reading found.

use crate::data::dataset::Dataset;
use crate::data::import::{ImportOptions, ImportReport};
use std::path::PathBuf;
use std::sync::Arc;

/// A file that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Where it came from; empty for the demo.
    pub paths: Vec<PathBuf>,
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// How it was read: column mapping, markers, lengths.
    pub reading: ImportOptions,
    /// What the reader found.
    pub report: ImportReport,
}

impl Opened {
    /// Whether the specimens are made up: the demo is no file of the user's.
    pub fn is_simulated(&self) -> bool {
        self.paths.is_empty()
    }
}
