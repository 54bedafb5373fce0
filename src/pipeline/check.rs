//! The import report of files, with the place of every barcode in the COI-5P frame.

use super::{PipelineError, Provenance};
use crate::data::dataset::{Dataset, Flags};
use crate::data::frame::{FrameCheck, Registration, Strand, check_frames};
use crate::data::import::{Event, ImportOptions, ImportReport, load};
use crate::progress::Observer;
use crate::seed::Seed;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Files that were read and checked.
#[derive(Debug)]
pub struct Checked {
    /// The specimens that were kept.
    pub dataset: Dataset,
    /// Where each unique barcode lies in the COI-5P frame, `[U]`.
    pub frames: Vec<FrameCheck>,
    /// Everything counted.
    pub report: CheckReport,
}

/// What files hold; read = kept + left out.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// What the reader found; its flags include those of the frame checks.
    #[serde(flatten)]
    pub import: ImportReport,
    /// Records whose barcode an earlier record has, too.
    pub duplicates: usize,
    /// Records that look like COI.
    pub looks_like_coi: usize,
    /// Records that begin at the first base of the frame.
    pub starts_at_frame: usize,
    /// How it was made.
    pub provenance: Provenance,
}

/// Reads files as one dataset and checks every barcode against the COI-5P frame.
///
/// # Errors
/// What the reader says, and a stop.
pub fn check(files: &[PathBuf], options: &ImportOptions, observer: &dyn Observer) -> Result<Checked, PipelineError> {
    let (dataset, import) = load(files, options, observer)?;
    let frames = check_frames(&dataset, observer)?;
    let report = report_on(&dataset, import, &frames);
    Ok(Checked { dataset, frames, report })
}

/// Joins what the reader and the frame checks found.
pub fn report_on(dataset: &Dataset, mut import: ImportReport, frames: &[FrameCheck]) -> CheckReport {
    let mut flagged: BTreeMap<Cow<'static, str>, usize> = BTreeMap::new();
    let (mut looks_like_coi, mut starts_at_frame) = (0, 0);
    for row in 0..dataset.len() {
        for name in flags_of(dataset, frames, row).names() {
            *flagged.entry(name.into()).or_default() += 1;
        }
        let place = frames[dataset.unique_of(row)].registration.as_ref().filter(|place| place.is_coi());
        looks_like_coi += usize::from(place.is_some());
        starts_at_frame += usize::from(place.is_some_and(|place| place.start == 0));
    }
    import.flagged = flagged;
    CheckReport {
        import,
        duplicates: dataset.len() - dataset.unique_len(),
        looks_like_coi,
        starts_at_frame,
        provenance: Provenance::new(Seed::default(), &[dataset]),
    }
}

/// Everything unusual about a specimen: what the reader saw and what the frame check saw.
pub fn flags_of(dataset: &Dataset, frames: &[FrameCheck], row: usize) -> Flags {
    dataset.flags(row) | frames[dataset.unique_of(row)].flags
}

/// One line of the record table.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRow {
    /// The id: that of the dataset for kept records, that of the file for others.
    pub id: String,
    /// The file's name as given.
    pub file: String,
    /// Line of the record's first letter, from 1; `None` where the whole file is meant.
    pub line: Option<u32>,
    /// `kept`, `left_out`, or `repaired` for a line that is no record of its own.
    pub status: &'static str,
    /// Why it was left out, or what was put right.
    pub reason: String,
    /// Bases.
    pub length: usize,
    /// Place in the COI-5P frame.
    pub place: Option<Registration>,
    /// What is unusual.
    pub flags: Flags,
}

impl CheckRow {
    /// `+`, `-`, or nothing where the place is not known.
    pub fn strand(&self) -> &'static str {
        match self.place.as_ref().map(|place| place.strand) {
            Some(Strand::Forward) => "+",
            Some(Strand::Reverse) => "-",
            None => "",
        }
    }
}

/// Every record read, in file order. `kept` is what came of them, where anything did.
pub fn rows(import: &ImportReport, kept: Option<(&Dataset, &[FrameCheck])>) -> Vec<CheckRow> {
    let file_name =
        |file: u32| import.files.get(file as usize).map_or_else(String::new, |file| file.path.display().to_string());
    let mut rows: Vec<((u32, u32), CheckRow)> = Vec::new();
    let mut place_of: HashMap<(u32, u32), usize> = HashMap::new();
    if let Some((dataset, frames)) = kept {
        for row in 0..dataset.len() {
            let origin = dataset.origin(row);
            place_of.insert((origin.file, origin.line), rows.len());
            let made = CheckRow {
                id: dataset.id(row).to_owned(),
                file: file_name(origin.file),
                line: Some(origin.line),
                status: "kept",
                reason: String::new(),
                length: dataset.sequence(row).len(),
                place: frames[dataset.unique_of(row)].registration,
                flags: flags_of(dataset, frames, row),
            };
            rows.push(((origin.file, origin.line), made));
        }
    }
    for entry in &import.entries {
        let at = (entry.file, entry.line);
        let reason = entry.event.reason();
        if let (Event::Repaired(_), Some(&index)) = (entry.event, place_of.get(&at)) {
            let told = &mut rows[index].1.reason;
            if !told.is_empty() {
                told.push(';');
            }
            told.push_str(reason);
            continue;
        }
        let made = CheckRow {
            id: entry.id.clone(),
            file: file_name(entry.file),
            line: (entry.line > 0).then_some(entry.line),
            status: entry.event.status(),
            reason: reason.to_owned(),
            length: entry.length as usize,
            place: None,
            flags: Flags::NONE,
        };
        rows.push((at, made));
    }
    rows.sort_by_key(|(at, _)| *at);
    rows.into_iter().map(|(_, row)| row).collect()
}
