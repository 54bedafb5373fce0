//! What can be said about session files.

use super::Reading;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `session`
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Read files, check them, and keep specimens, settings and results in one file
    Create(CreateArguments),
    /// What a session holds, and whether the files that it came from have changed
    Info {
        /// The session
        #[arg(value_name = "S.scope")]
        session: PathBuf,
    },
    /// How one session differs from another: specimens, barcodes, labels after all decisions
    Compare {
        /// The one
        #[arg(value_name = "A.scope")]
        first: PathBuf,
        /// The other
        #[arg(value_name = "B.scope")]
        second: PathBuf,
    },
    /// Keep decisions, read as JSON from standard input, one a line; the number of each is written once it is on the disk
    ///
    /// A line is {"kind":"relabel","specimen":"ID","field":"species","new":"NAME","who":"ME","reason":"WHY"}, with the kinds
    /// accept, relabel, exclude, resequence, tag and comment; or {"undo":NUMBER} or {"redo":NUMBER}.
    Decide {
        /// The session
        #[arg(value_name = "S.scope")]
        session: PathBuf,
    },
    /// Write the specimens with the labels in force, and every decision, into a folder
    ///
    /// It gets corrected.fasta, corrected.tsv and changes.csv. The files that the session came from are not touched.
    Export {
        /// The session
        #[arg(value_name = "S.scope")]
        session: PathBuf,
        /// The folder
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
}

/// `session create`
#[derive(Debug, Args)]
pub struct CreateArguments {
    /// Files to read as one dataset
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The session to write; there must be no file of this name
    #[arg(short, long, value_name = "S.scope")]
    pub output: PathBuf,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}
