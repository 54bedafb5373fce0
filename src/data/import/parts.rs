//! Reading files part by part, for work that needs every record once and no dataset of them all.

use super::collect::Collector;
use super::lines::Meter;
use super::{FileReport, ImportError, ImportOptions, Inspection, Reading, check_files, inspect, text_columns, warn};
use crate::data::dataset::Dataset;
use crate::progress::{Cancelled, Observer};
use std::path::PathBuf;

/// Takes the records of files part by part.
pub trait PartReader {
    /// The next records of a file, each part a dataset of its own: an id that another part has is not renamed.
    ///
    /// # Errors
    /// [`Cancelled`] ends the reading.
    fn part(&mut self, records: &Dataset) -> Result<(), Cancelled>;

    /// The file has no more records.
    fn end_of_file(&mut self);
}

/// Reads files one after another, at most `most` records at a time, so that memory does not grow with them. Tables without a
/// sequence column give labels to the records of the others, and are held whole.
///
/// # Errors
/// As [`super::load`], for each file with sequences by itself.
pub fn load_in_parts(
    paths: &[PathBuf],
    options: &ImportOptions,
    most: usize,
    observer: &dyn Observer,
    reader: &mut dyn PartReader,
) -> Result<(), ImportError> {
    let files = paths.iter().map(|path| inspect(path, options)).collect::<Result<Vec<_>, _>>()?;
    check_files(&files, options)?;
    let text_columns = text_columns(&files);
    let total = files.iter().map(Inspection::bytes_to_read).sum();
    let mut collector = Collector::new(String::new(), text_columns.clone(), options);
    let reading = Reading { meter: Meter::new(observer, total), text_columns, options };
    reading.meter.stage("reading the labels");
    for table in files.iter().filter(|file| !file.has_sequences()) {
        let report = reading.label_table(0, table, &mut collector)?;
        end_of_file(&mut collector, report, observer);
    }
    for file in files.iter().filter(|file| file.has_sequences()) {
        let mut after_each = |collector: &mut Collector<'_>| {
            // what was put right is told by `check`; here it is not kept
            collector.report.entries.clear();
            if collector.builder.len() >= most { Ok(reader.part(&collector.finish_part())?) } else { Ok(()) }
        };
        let report = reading.records(0, file, &mut collector, &mut after_each)?;
        if !collector.builder.is_empty() {
            reader.part(&collector.finish_part())?;
        }
        reader.end_of_file();
        if report.records_kept == 0 {
            collector.report.files.push(report);
            return Err(ImportError::NothingUsable(Box::new(collector.report)));
        }
        end_of_file(&mut collector, report, observer);
    }
    Ok(())
}

/// Tells what there is to tell of a file, and begins the report of the next one.
fn end_of_file(collector: &mut Collector<'_>, file: FileReport, observer: &dyn Observer) {
    let mut report = std::mem::take(&mut collector.report);
    report.records_kept = file.records_kept;
    report.files.push(file);
    warn(&report, observer);
}
