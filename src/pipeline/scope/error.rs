//! Why a session file cannot be read or written.

use std::path::{Path, PathBuf};

/// Why a session file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// There is no such file, or it cannot be reached.
    #[error("cannot reach the session {}: {source}", .path.display())]
    Unreachable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{} is no session of Barcodescope", .path.display())]
    NotASession {
        /// The file.
        path: PathBuf,
    },
    /// The file was altered by something else than this program.
    #[error("the session {} is damaged: {what}; a copy of it, or the files that it was made from, can still be opened", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A later version of the program wrote it.
    #[error(
        "the session {} was written by Barcodescope {program}, which keeps sessions in format {format}; this version ({known_program}) \
         knows formats up to {known}: open it with the newer version", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Format of the file.
        format: i64,
        /// The program that wrote it.
        program: String,
        /// The latest format that this program knows.
        known: i64,
        /// The version of this program.
        known_program: &'static str,
    },
    /// Another window writes to it.
    #[error("the session {} is open in another window{}; close it there, or save it there under another name", .path.display(), .holder.as_deref().map(|who| format!(" ({who})")).unwrap_or_default())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who holds it, where that can be told.
        holder: Option<String>,
    },
    /// More than a session can hold.
    #[error("the session {} cannot hold {what}: {bytes} bytes are more than the limit of {limit}", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What is too large.
        what: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Something that has no place in a file, such as a path of no letters.
    #[error("the session {} cannot hold its {what}: {source}", .path.display())]
    Unstorable {
        /// The file.
        path: PathBuf,
        /// What has no place.
        what: String,
        /// The cause.
        source: serde_json::Error,
    },
    /// There is a file of this name.
    #[error("there is already a file {}; choose another name", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A decision about nothing that is there.
    #[error("the session {} cannot take the decision: {why}", .path.display())]
    NoDecision {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The disk, or SQLite, refuses.
    #[error("cannot read or write the session {}: {source}", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
}

impl ScopeError {
    /// The error of an operation on `path`: a malformed file is damaged or none of ours, anything else is told as it is.
    pub(super) fn of_database(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(NotADatabase) => Self::NotASession { path },
            Some(DatabaseCorrupt) => Self::Damaged { path, what: source.to_string() },
            _ if is_of_content(&source) => Self::Damaged { path, what: source.to_string() },
            _ => Self::Database { path, source },
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}

/// Whether a value has another type or range than this program ever writes.
fn is_of_content(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(error, FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..))
}
