//! What people decided: a list that only ever grows.
//!
//! An entry that was appended is on the disk before the call answers, so that a program that is killed has lost nothing it said it
//! kept. Undoing adds a line, too: who undid what stays known. Every line holds the hash of the line before, so that none can be
//! changed, moved or taken out from between the others unnoticed.

use super::{ScopeError, ScopeFile, now_secs};
use crate::key::ContentHash;
use rusqlite::{Connection, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::path::Path;

/// The kind of lines that take an entry back.
const UNDO: &str = "undo";
/// The kind of lines that put an entry back.
const REDO: &str = "redo";

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry<T> {
    /// Its number in the journal, ascending.
    pub id: i64,
    /// When it was made, in seconds since 1970.
    pub time_secs: i64,
    /// What kind of decision it is.
    pub kind: String,
    /// The decision.
    pub value: T,
    /// Whether it was taken back.
    pub undone: bool,
}

impl<T> Entry<T> {
    /// When it was made, as date and time in UTC.
    pub fn time(&self) -> String {
        jiff::Timestamp::from_second(self.time_secs).map_or_else(|_| String::new(), |time| time.to_string())
    }
}

/// One line of the table.
struct Line {
    id: i64,
    time: i64,
    kind: String,
    payload: String,
    entry: Option<i64>,
    hash: [u8; 32],
}

/// A line that is to be written.
struct NewLine<'a> {
    kind: &'a str,
    payload: String,
    entry: Option<i64>,
}

impl Line {
    /// Its hash after a line with the hash `before`.
    fn hash_after(&self, before: &[u8; 32]) -> [u8; 32] {
        let entry = self.entry.map(i64::to_le_bytes);
        ContentHash::of_parts([
            &before[..],
            &self.id.to_le_bytes(),
            &self.time.to_le_bytes(),
            self.kind.as_bytes(),
            self.payload.as_bytes(),
            entry.as_ref().map_or(&[][..], |entry| entry),
        ])
        .0
    }
}

impl ScopeFile {
    /// Appends a decision; answers its number once it is on the disk.
    ///
    /// # Errors
    /// [`ScopeError`] when it cannot be kept.
    pub fn append(&self, kind: &str, decision: &impl Serialize) -> Result<i64, ScopeError> {
        let numbers = self.append_all([(kind, decision)])?;
        Ok(numbers[0])
    }

    /// Appends decisions of one step, all or none; answers their numbers once they are on the disk.
    ///
    /// # Errors
    /// [`ScopeError`] when they cannot be kept.
    pub fn append_all<'a, T: Serialize + 'a>(
        &self,
        decisions: impl IntoIterator<Item = (&'a str, &'a T)>,
    ) -> Result<Vec<i64>, ScopeError> {
        let new: Result<Vec<NewLine<'_>>, ScopeError> = decisions
            .into_iter()
            .map(|(kind, decision)| {
                let payload = super::parts::to_json(self.path(), kind, decision)?;
                Ok(NewLine { kind, payload, entry: None })
            })
            .collect();
        self.append_lines(&new?)
    }

    /// Takes decisions back, or puts them back, all or none.
    ///
    /// # Errors
    /// [`ScopeError::NoDecision`] where one of them is not there, and when that cannot be kept.
    pub fn set_undone(&self, entries: &[i64], undone: bool) -> Result<(), ScopeError> {
        let known: HashSet<i64> = lines(&self.connection(), self.path())?
            .into_iter()
            .filter_map(|line| line.entry.is_none().then_some(line.id))
            .collect();
        if let Some(entry) = entries.iter().find(|entry| !known.contains(entry)) {
            let why = format!("there is no decision {entry} to undo or redo");
            return Err(ScopeError::NoDecision { path: self.path().to_owned(), why });
        }
        let kind = if undone { UNDO } else { REDO };
        let line = |&entry: &i64| NewLine { kind, payload: String::new(), entry: Some(entry) };
        self.append_lines(&entries.iter().map(line).collect::<Vec<_>>()).map(drop)
    }

    fn append_lines(&self, new: &[NewLine<'_>]) -> Result<Vec<i64>, ScopeError> {
        let mut connection = self.connection();
        let mut append = || -> rusqlite::Result<Vec<i64>> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let last = transaction.query_row("SELECT id, hash FROM journal ORDER BY id DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            });
            let (mut id, mut before): (i64, [u8; 32]) = match last {
                Err(rusqlite::Error::QueryReturnedNoRows) => (0, [0; 32]),
                last => last?,
            };
            let time = now_secs();
            let mut ids = Vec::with_capacity(new.len());
            for NewLine { kind, payload, entry } in new {
                id += 1;
                let (kind, payload) = ((*kind).to_owned(), payload.clone());
                let mut line = Line { id, time, kind, payload, entry: *entry, hash: [0; 32] };
                line.hash = line.hash_after(&before);
                transaction.execute(
                    "INSERT INTO journal (id, time, kind, payload, entry, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![line.id, line.time, line.kind, line.payload, line.entry, line.hash],
                )?;
                before = line.hash;
                ids.push(id);
            }
            transaction.commit()?;
            Ok(ids)
        };
        append().map_err(|error| ScopeError::of_database(self.path(), error))
    }

    /// All decisions, the earliest first.
    ///
    /// # Errors
    /// [`ScopeError::Damaged`] when the journal was altered, or a decision is none of type `T`.
    pub fn all<T: DeserializeOwned>(&self) -> Result<Vec<Entry<T>>, ScopeError> {
        let lines = lines(&self.connection(), self.path())?;
        let mut entries: Vec<Entry<T>> = Vec::new();
        for line in lines {
            let wrong = |why: String| ScopeError::damaged(self.path(), format!("decision {}: {why}", line.id));
            match line.entry {
                Some(about) => {
                    let found = entries.iter_mut().find(|entry| entry.id == about);
                    let found = found.ok_or_else(|| wrong(format!("there is no decision {about} to undo")))?;
                    found.undone = line.kind == UNDO;
                }
                None => {
                    let value = serde_json::from_str(&line.payload).map_err(|error| wrong(error.to_string()))?;
                    let (id, time_secs) = (line.id, line.time);
                    entries.push(Entry { id, time_secs, kind: line.kind, value, undone: false });
                }
            }
        }
        Ok(entries)
    }
}

/// Every line, checked against the one before it.
fn lines(connection: &Connection, path: &Path) -> Result<Vec<Line>, ScopeError> {
    let read = || -> rusqlite::Result<Vec<Line>> {
        let mut all = connection.prepare("SELECT id, time, kind, payload, entry, hash FROM journal ORDER BY id")?;
        let rows = all.query_map([], |row| {
            Ok(Line {
                id: row.get(0)?,
                time: row.get(1)?,
                kind: row.get(2)?,
                payload: row.get(3)?,
                entry: row.get(4)?,
                hash: row.get(5)?,
            })
        })?;
        rows.collect()
    };
    let lines = read().map_err(|error| ScopeError::of_database(path, error))?;
    let mut before = [0; 32];
    for line in &lines {
        if line.hash_after(&before) != line.hash {
            return Err(ScopeError::damaged(path, format!("decision {} does not fit its hash", line.id)));
        }
        before = line.hash;
    }
    Ok(lines)
}

/// Whether the whole journal is as it was written.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), ScopeError> {
    lines(connection, path).map(drop)
}
