//! The work of the page Discover.

use super::error::WorkError;
use crate::data::dataset::Dataset;
use crate::data::frame::FrameCheck;
use crate::jobs::{Output, Reporter};
use crate::pipeline::Side;
use crate::pipeline::discover::{DiscoverSettings, Discovery, Divided, Division, darkness, discover};
use crate::pipeline::embed::Embedded;
use std::sync::Arc;

/// What is to be discovered, and how.
#[derive(Debug, Clone)]
pub struct DiscoverTask {
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// Their embeddings.
    pub embedded: Arc<Embedded>,
    /// Where their barcodes lie.
    pub frames: Arc<Vec<FrameCheck>>,
    /// Which of them are compared with which.
    pub division: Division,
    /// How.
    pub settings: DiscoverSettings,
}

/// What was discovered in the open file.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// What was found.
    pub discovery: Discovery,
    /// What was compared with what.
    pub divided: Divided,
    /// For each row the index of its finding, `[N]`; `None` for what was not asked about.
    pub finding_of_row: Vec<Option<u32>>,
    /// For each row how many of its nearest barcodes the reference has not, `[N]`.
    pub darkness: Vec<Option<u8>>,
}

impl Discovered {
    /// A discovery in a dataset of `rows` specimens.
    pub fn new(discovery: Discovery, divided: Divided, darkness: Vec<Option<u8>>, rows: usize) -> Self {
        let mut finding_of_row = vec![None; rows];
        for (at, finding) in discovery.findings.iter().enumerate() {
            finding_of_row[finding.row] = Some(at as u32);
        }
        Self { discovery, divided, finding_of_row, darkness }
    }
}

/// Does the work.
pub(super) fn run(task: &DiscoverTask, observer: &dyn Reporter<Output>) -> Result<Discovered, WorkError> {
    let DiscoverTask { dataset, embedded, frames, division, settings } = task;
    let divided = division.divide(dataset)?;
    let side = |rows| Side::of_rows(dataset, rows, Some(&**embedded));
    let (reference, query) = (side(&divided.reference), side(&divided.query));
    let discovery = discover(reference, query, Some(frames), settings, observer)?;
    let darkness = darkness(reference, &divided.query, observer)?;
    Ok(Discovered::new(discovery, divided, darkness, dataset.len()))
}
