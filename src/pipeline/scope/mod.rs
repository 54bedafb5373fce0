//! Sessions kept in one file: a `.scope`, an SQLite database.
//!
//! | in it | where |
//! |---|---|
//! | tables, versions, and what is checked before anything is believed | `schema` |
//! | small documents, and columns under their hashes | `parts`, `columns` |
//! | specimens with their import report | `specimens` |
//! | computed results | `results` |
//! | decisions of people, and what undoing takes back | `journal`, [`Decision`], `history` |
//! | the files that specimens came from, and whether they are still the same | `sources` |
//! | one writer per file | `lock` |
//! | two sessions side by side | `compare` |
//!
//! A new session appears under its name when it is whole; after that every change is one transaction that is on the disk when the
//! call answers. A program that is killed at any moment leaves the last answered state.

mod columns;
mod compare;
mod decision;
mod error;
mod history;
mod journal;
mod lock;
mod parts;
mod results;
mod schema;
mod sources;
mod specimens;
#[cfg(test)]
mod tests;

pub use compare::{Comparison, Difference, compare};
pub use decision::{DecidedLabels, Decision, DecisionKind, final_labels, label_in_force};
pub use error::ScopeError;
pub use history::{redoable, undoable};
pub use journal::Entry;
pub use results::{KeptResult, ResultName, ResultValue};
pub use sources::{Source, SourceState};

use super::opened::Opened;
use super::provenance::{COMMIT, VERSION};
use crate::data::dataset::Dataset;
use crate::data::import::ImportOptions;
use crate::files::temporary_beside;
use crate::key::ContentHash;
use lock::WriteLock;
use rusqlite::{Connection, TransactionBehavior};
use schema::Access;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// How the name of a session file ends.
pub const EXTENSION: &str = "scope";

/// Who made a session file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version of the program.
    pub program: String,
    /// Its commit.
    pub commit: String,
    /// When, in seconds since 1970.
    pub created_secs: i64,
}

/// A session file that is open.
#[derive(Debug)]
pub struct ScopeFile {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Held as long as the file is open for writing.
    _lock: Option<WriteLock>,
}

impl ScopeFile {
    /// Keeps specimens, how they were read, and results in a new file, and leaves it open for writing.
    ///
    /// # Errors
    /// [`ScopeError::Exists`] where there is a file of this name, and when it cannot be written; then none is left.
    pub fn create(path: &Path, opened: &Opened, results: &[KeptResult]) -> Result<Self, ScopeError> {
        let lock = WriteLock::take(path)?;
        if path.exists() {
            return Err(ScopeError::Exists { path: path.to_owned() });
        }
        let unreachable = |source| ScopeError::Unreachable { path: path.to_owned(), source };
        let unfinished = temporary_beside(path).map_err(unreachable)?.into_temp_path();
        write_all(&unfinished, path, opened, results)?;
        unfinished.persist_noclobber(path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => ScopeError::Exists { path: path.to_owned() },
            _ => unreachable(error.error),
        })?;
        let connection = Mutex::new(schema::open(path, Access::Write)?);
        Ok(Self { path: path.to_owned(), connection, _lock: Some(lock) })
    }

    /// Opens a session for writing.
    ///
    /// # Errors
    /// [`ScopeError::InUse`] while another window writes to it, and when it is no session, damaged, or of a later version.
    pub fn open(path: &Path) -> Result<Self, ScopeError> {
        ensure_file(path)?;
        let lock = WriteLock::take(path)?;
        Self::checked(path, Access::Write, Some(lock))
    }

    /// Opens a session for reading, also while another window writes to it.
    ///
    /// # Errors
    /// When it is no session, damaged, or of a later version.
    pub fn read(path: &Path) -> Result<Self, ScopeError> {
        ensure_file(path)?;
        Self::checked(path, Access::Read, None)
    }

    fn checked(path: &Path, access: Access, lock: Option<WriteLock>) -> Result<Self, ScopeError> {
        let connection = schema::open(path, access)?;
        journal::check(&connection, path)?;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection), _lock: lock })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a program writes to a session now.
    pub fn is_in_use(path: &Path) -> bool {
        WriteLock::is_held(path)
    }

    /// Who made it.
    ///
    /// # Errors
    /// [`ScopeError::Damaged`].
    pub fn about(&self) -> Result<About, ScopeError> {
        parts::read_document(&self.connection(), &self.path, ABOUT)
    }

    /// How its files were read: column mapping, markers, lengths.
    ///
    /// # Errors
    /// [`ScopeError::Damaged`].
    pub fn reading(&self) -> Result<ImportOptions, ScopeError> {
        parts::read_document(&self.connection(), &self.path, READING)
    }

    /// The files that its specimens came from.
    ///
    /// # Errors
    /// [`ScopeError::Damaged`].
    pub fn sources(&self) -> Result<Vec<Source>, ScopeError> {
        parts::read_document(&self.connection(), &self.path, SOURCES)
    }

    /// Its specimens.
    ///
    /// # Errors
    /// [`ScopeError::Damaged`].
    pub fn specimens(&self) -> Result<Opened, ScopeError> {
        let part = parts::read_part(&self.connection(), &self.path, specimens::PART)?;
        let part = part.ok_or_else(|| ScopeError::damaged(&self.path, "it holds no specimens"))?;
        specimens::decode(&self.path, &part.bytes, &part.key, self.reading()?)
    }

    /// Keeps other specimens in place of those that it has, with the files that they came from; decisions stay, results, which were about the
    /// others, go.
    ///
    /// # Errors
    /// When they cannot be written; then the old ones are still there.
    pub fn replace_specimens(&self, opened: &Opened) -> Result<(), ScopeError> {
        let failed = |error| ScopeError::of_database(&self.path, error);
        let bytes = specimens::encode(opened).map_err(|source| ScopeError::Unstorable {
            path: self.path.clone(),
            what: specimens::PART.to_owned(),
            source,
        })?;
        let documents = [
            (READING, parts::to_json(&self.path, READING, &opened.reading)?),
            (SOURCES, parts::to_json(&self.path, SOURCES, &sources::of(&opened.dataset))?),
        ];
        let key = opened.dataset.key();
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        for (name, json) in &documents {
            parts::write_document(&transaction, name, json).map_err(failed)?;
        }
        parts::remove_all(&transaction).map_err(failed)?;
        parts::write_part(&transaction, &self.path, specimens::PART, &key, &key, &bytes)?;
        transaction.commit().map_err(failed)
    }

    /// Settings of the program that made it, where they were kept.
    ///
    /// # Errors
    /// [`ScopeError::Damaged`].
    pub fn settings(&self) -> Result<Option<serde_json::Value>, ScopeError> {
        parts::find_document(&self.connection(), &self.path, SETTINGS)
    }

    /// Keeps settings in place of those that it has.
    ///
    /// # Errors
    /// When they cannot be written; then the old ones are still there.
    pub fn keep_settings(&self, settings: &serde_json::Value) -> Result<(), ScopeError> {
        let json = parts::to_json(&self.path, SETTINGS, settings)?;
        parts::write_document(&self.connection(), SETTINGS, &json)
            .map_err(|error| ScopeError::of_database(&self.path, error))
    }

    /// A result about its specimens, where it was kept.
    ///
    /// # Errors
    /// [`ScopeError::Damaged`].
    pub fn result(&self, name: ResultName, dataset: &Dataset) -> Result<Option<KeptResult>, ScopeError> {
        let part = parts::read_part(&self.connection(), &self.path, &name.key())?;
        let Some(part) = part else { return Ok(None) };
        let value = ResultValue::decode(&self.path, name, &part.bytes, dataset)?;
        Ok(Some(KeptResult { name, key: part.key, value }))
    }

    /// Keeps a result in place of the one of its name.
    ///
    /// # Errors
    /// When it cannot be written; then the old one is still there.
    pub fn keep(&self, result: &KeptResult, dataset: &Dataset) -> Result<(), ScopeError> {
        let mut connection = self.connection();
        let failed = |error| ScopeError::of_database(&self.path, error);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        write_result(&transaction, &self.path, result, dataset)?;
        transaction.commit().map_err(failed)
    }

    /// Copies the session with its whole journal to a new file, and opens that for writing.
    ///
    /// # Errors
    /// [`ScopeError::Exists`] where there is a file of this name, and when it cannot be written; then none is left.
    pub fn copy_to(&self, path: &Path) -> Result<Self, ScopeError> {
        let lock = WriteLock::take(path)?;
        if path.exists() {
            return Err(ScopeError::Exists { path: path.to_owned() });
        }
        let unreachable = |source| ScopeError::Unreachable { path: path.to_owned(), source };
        let unfinished = temporary_beside(path).map_err(unreachable)?.into_temp_path();
        let name = unfinished.to_str().ok_or_else(|| {
            let why = "its name is not Unicode";
            unreachable(std::io::Error::new(std::io::ErrorKind::InvalidInput, why))
        })?;
        let failed = |error| ScopeError::of_database(path, error);
        self.connection().execute("VACUUM INTO ?1", [name]).map_err(failed)?;
        unfinished.persist_noclobber(path).map_err(|error| unreachable(error.error))?;
        Self::checked(path, Access::Write, Some(lock))
    }

    /// A thread that panicked while it held the connection has rolled its transaction back: the file is whole.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ABOUT: &str = "about";
const READING: &str = "reading";
const SOURCES: &str = "sources";
const SETTINGS: &str = "settings";

/// Writes a session into the empty file `unfinished`; errors name `path`, where it is to stand.
fn write_all(unfinished: &Path, path: &Path, opened: &Opened, results: &[KeptResult]) -> Result<(), ScopeError> {
    let failed = |error| ScopeError::of_database(path, error);
    let unstorable = |what: &str| {
        let (path, what) = (path.to_owned(), what.to_owned());
        move |source| ScopeError::Unstorable { path, what, source }
    };
    let mut connection = schema::create(unfinished)?;
    let transaction = connection.transaction().map_err(failed)?;
    let about = About { program: VERSION.to_owned(), commit: COMMIT.to_owned(), created_secs: now_secs() };
    let documents = [
        (ABOUT, parts::to_json(path, ABOUT, &about)?),
        (READING, parts::to_json(path, READING, &opened.reading)?),
        (SOURCES, parts::to_json(path, SOURCES, &sources::of(&opened.dataset))?),
    ];
    for (name, json) in &documents {
        parts::write_document(&transaction, name, json).map_err(failed)?;
    }
    let key = opened.dataset.key();
    let bytes = specimens::encode(opened).map_err(unstorable(specimens::PART))?;
    parts::write_part(&transaction, path, specimens::PART, &key, &key, &bytes)?;
    for result in results {
        write_result(&transaction, path, result, &opened.dataset)?;
    }
    transaction.commit().map_err(failed)?;
    connection.close().map_err(|(_, error)| failed(error))
}

/// Writes a result. To be called within a transaction.
fn write_result(
    connection: &Connection,
    path: &Path,
    result: &KeptResult,
    dataset: &Dataset,
) -> Result<(), ScopeError> {
    let name = result.name.key();
    let bytes = result.value.encode().map_err(|source| ScopeError::Unstorable {
        path: path.to_owned(),
        what: name.clone(),
        source,
    })?;
    parts::write_part(connection, path, &name, &result.key, &dataset.key(), &bytes)
}

/// SQLite would make a file that is missing.
fn ensure_file(path: &Path) -> Result<(), ScopeError> {
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_file() => Ok(()),
        Ok(_) => Err(ScopeError::NotASession { path: path.to_owned() }),
        Err(source) => Err(ScopeError::Unreachable { path: path.to_owned(), source }),
    }
}

fn now_secs() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The key of the frame checks of some specimens: nothing but the barcodes goes into them.
pub fn frames_key(dataset: &Dataset) -> ContentHash {
    ContentHash::of_parts([b"frames".as_slice(), &dataset.key().0])
}
