//! Corrected copies, and the list of what was changed.

use super::Curated;
use crate::pipeline::PipelineError;
use crate::pipeline::export::{write_fasta, write_records, write_rows};
use crate::pipeline::scope::{Decision, Entry};
use std::path::Path;

/// The corrected specimens as FASTA: `>id|species or genus|BIN`. Those left out are not in it.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_corrected_fasta(path: &Path, curated: &Curated<'_>) -> Result<(), PipelineError> {
    let copy = curated.copy();
    write_fasta(path, &copy, &(0..copy.len()).collect::<Vec<_>>())
}

/// The corrected specimens as a table with all columns, and what was decided about each in the last. Those left out are not in it.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_corrected_table(path: &Path, curated: &Curated<'_>) -> Result<(), PipelineError> {
    let copy = curated.copy();
    write_records(path, &copy, &(0..copy.len()).collect::<Vec<_>>(), &[])
}

/// `number,time,who,id,decision,field,old,new,reason,taken_back`: every decision in its order; times in UTC.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_changes(path: &Path, entries: &[Entry<Decision>]) -> Result<(), PipelineError> {
    let rows = entries.iter().map(|entry| {
        let Decision { kind, specimen, field, old, new, who, reason, .. } = &entry.value;
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            entry.id.to_string(),
            entry.time(),
            who.clone(),
            specimen.clone(),
            kind.key().to_owned(),
            field.map_or_else(String::new, |field| field.key().to_owned()),
            or_empty(old),
            or_empty(new),
            reason.clone(),
            if entry.undone { "yes" } else { "no" }.to_owned(),
        ]
    });
    let header = ["number", "time", "who", "id", "decision", "field", "old", "new", "reason", "taken_back"];
    write_rows(path, &header, rows)
}
