//! Why files could not be read at all.

use super::mapping::Role;
use super::report::ImportReport;
use crate::progress::Cancelled;
use std::path::PathBuf;

/// Why no dataset came of the files.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The watcher asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// No file was given.
    #[error("no file was given")]
    NoFiles,
    /// The file is missing, is a folder, or cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file holds nothing.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is neither FASTA nor a table.
    #[error("{}: {found}; expected a FASTA file or a table, plain, gzip or zstd", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is instead, and where known what to do about it.
        found: String,
    },
    /// A compressed file is damaged before the first whole record.
    #[error("{}: the compressed file is damaged or cut off before the first whole record ({problem}); get it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decompressor says.
        problem: String,
    },
    /// A table with more columns than any table of barcodes has.
    #[error("{}: the first line has {columns} columns, more than the {limit} that a table of barcodes may have", path.display())]
    TooManyColumns {
        /// The file.
        path: PathBuf,
        /// Its columns.
        columns: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The column mapping names a column that no file has.
    #[error("the mapping {role}={column} names a column that no file has; columns are: {}", columns.join(", "))]
    UnknownColumn {
        /// What the column was meant to hold.
        role: Role,
        /// The column's name as given.
        column: String,
        /// The columns that there are.
        columns: Vec<String>,
    },
    /// Only tables without a sequence column were given.
    #[error(
        "{}: no column holds sequences (columns: {}); open it together with the file that holds the sequences, or name the \
         sequence column in the column mapping",
        path.display(), listed(columns)
    )]
    NoSequences {
        /// The first of the tables.
        path: PathBuf,
        /// Its columns.
        columns: Vec<String>,
    },
    /// Records were read and none was kept.
    #[error("{}: {}", paths_text(.0), .0.why_nothing_was_kept())]
    NothingUsable(Box<ImportReport>),
}

/// Names in a sentence: the first few, and how many more there are.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

fn paths_text(report: &ImportReport) -> String {
    report.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_many_columns_is_not_listed_whole() {
        let columns: Vec<String> = (1..=10).map(|number| format!("c{number}")).collect();
        let said = ImportError::NoSequences { path: "a.tsv".into(), columns }.to_string();
        assert!(said.contains("c8 and 2 more") && !said.contains("c9"), "{said}");
        assert_eq!(listed(&["a".into(), "b".into()]), "a, b");
    }
}
