//! The import report of files.

use super::PipelineError;
use crate::data::dataset::Dataset;
use crate::data::frame::FrameCheck;
use crate::data::import::{ImportOptions, ImportReport};
use serde::Serialize;
use std::collections::BTreeMap;

/// A file set that was read and checked.
#[derive(Debug)]
pub struct Checked {
    /// The specimens that were kept.
    pub dataset: Dataset,
    /// What the reader found.
    pub import: ImportReport,
    /// Where each unique barcode lies in the COI-5P frame, `[U]`.
    pub frames: Vec<FrameCheck>,
    /// Everything counted.
    pub report: CheckReport,
}

/// What a file set holds; read = kept + left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Records found in the files.
    pub records_read: usize,
    /// Records that can be worked with.
    pub records_kept: usize,
    /// Records that were left out, by reason.
    pub left_out: BTreeMap<String, usize>,
    /// What was put right, by kind.
    pub repaired: BTreeMap<String, usize>,
    /// Kept records with something unusual, by kind.
    pub flagged: BTreeMap<String, usize>,
    /// Different barcodes among the kept records.
    pub unique_barcodes: usize,
    /// Kept records whose barcode an earlier record has, too.
    pub duplicates: usize,
    /// Shortest, median and longest barcode, in bases.
    pub lengths: Option<[usize; 3]>,
    /// Kept records that carry each label, and how many different names.
    pub labels: BTreeMap<String, LabelCount>,
}

/// How many records carry a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LabelCount {
    /// Records with a value.
    pub records: usize,
    /// Different values.
    pub distinct: usize,
}
