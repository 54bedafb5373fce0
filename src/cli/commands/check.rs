//! `check`

use super::super::args::{CheckArguments, Common};
use super::super::watch::Watch;
use super::{CommandError, facts, print};
use crate::data::import::ImportError;
use crate::pipeline::PipelineError;
use crate::pipeline::check::{CheckReport, check as check_files, rows};
use crate::pipeline::export::write_check;
use std::fmt::Write;

pub(super) fn check(arguments: &CheckArguments, common: &Common, watch: &Watch) -> Result<u8, CommandError> {
    let options = arguments.reading.options()?;
    match check_files(&arguments.files, &options, watch) {
        Ok(checked) => {
            if let Some(path) = &arguments.output {
                write_check(path, &rows(&checked.report.import, Some((&checked.dataset, &checked.frames))))?;
            }
            if common.json {
                facts(common, watch, &checked.report)?;
            } else {
                print(watch, &in_words(&checked.report))?;
            }
            Ok(0)
        }
        // The report is what was asked for, also when it says that nothing can be used.
        Err(PipelineError::Import(ImportError::NothingUsable(report))) => {
            if let Some(path) = &arguments.output {
                write_check(path, &rows(&report, None))?;
            }
            facts(common, watch, &report)?;
            Err(PipelineError::Import(ImportError::NothingUsable(report)).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn in_words(report: &CheckReport) -> String {
    let import = &report.import;
    let mut text = format!(
        "{} records read, {} kept, {} left out\n",
        import.records_read,
        import.records_kept,
        import.left_out_total()
    );
    let mut counted = |what: &str, kind: &str, count: usize| {
        let _ = writeln!(text, "  {what}: {} {count}", kind.replace('_', " "));
    };
    import.left_out.iter().for_each(|(reason, &count)| counted("left out", reason.key(), count));
    import.repaired.iter().for_each(|(repair, &count)| counted("repaired", repair.key(), count));
    import.flagged.iter().for_each(|(flag, &count)| counted("flagged", flag, count));
    let _ = writeln!(text, "{} different barcodes, {} repeats", import.unique_barcodes, report.duplicates);
    let lengths = &import.lengths;
    let _ = writeln!(text, "{} to {} bases, median {}", lengths.shortest, lengths.longest, lengths.median);
    let _ = writeln!(text, "{} of {} look like COI", report.looks_like_coi, import.records_kept);
    for (field, count) in &import.labels {
        let _ = writeln!(text, "  {}: {} records, {} names", field.title(), count.labelled, count.distinct);
    }
    text
}
