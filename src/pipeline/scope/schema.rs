//! The tables of a session file, and what is checked before anything in it is believed.
//!
//! A session file may come from anybody. Nothing in it is run: a file whose schema differs from this one by a letter (a view, a
//! trigger, another table) is none of ours, and SQLite is told to distrust it all the same.

use super::ScopeError;
use crate::pipeline::provenance::VERSION;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// The format that this program writes.
pub(super) const FORMAT: i64 = 1;
/// SQLite's application id of a session: `BSCP`.
const APPLICATION: i32 = i32::from_be_bytes(*b"BSCP");
/// Largest value in a table, in bytes.
pub(super) const LARGEST_VALUE: i32 = 256 << 20;
/// How long a reader or writer waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// The tables, exactly as SQLite keeps their text.
const TABLES: [(&str, &str); 4] = [
    ("document", "CREATE TABLE document (name TEXT PRIMARY KEY, json TEXT NOT NULL, hash BLOB NOT NULL) STRICT"),
    (
        "part",
        "CREATE TABLE part (name TEXT PRIMARY KEY, key BLOB NOT NULL, data BLOB NOT NULL, bytes INTEGER NOT NULL, \
         hash BLOB NOT NULL) STRICT",
    ),
    (
        "block",
        "CREATE TABLE block (part TEXT NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL, \
         PRIMARY KEY (part, number)) STRICT",
    ),
    (
        "journal",
        "CREATE TABLE journal (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL, \
         entry INTEGER, hash BLOB NOT NULL) STRICT",
    ),
];

/// Tables whose loss no hash would show: they are checked row by row when a file is opened. The large ones are hashed.
const CHECKED: [&str; 3] = ["document", "part", "journal"];

/// Whether a connection may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// An empty session in a new file.
pub(super) fn create(path: &Path) -> Result<Connection, ScopeError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let make = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection, Access::Write)?;
        let tables: Vec<&str> = TABLES.iter().map(|(_, text)| *text).collect();
        connection.execute_batch(&format!(
            "BEGIN; {}; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT",
            tables.join("; ")
        ))?;
        Ok(connection)
    };
    make().map_err(|error| ScopeError::of_database(path, error))
}

/// A session that is there, checked as far as can be done without reading it whole.
pub(super) fn open(path: &Path, access: Access) -> Result<Connection, ScopeError> {
    // A file that a killed program left needs writing to be read: SQLite undoes what was half written.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reading = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| ScopeError::of_database(path, error);
    let connection = match Connection::open_with_flags(path, flags) {
        Err(_) if access == Access::Read => Connection::open_with_flags(path, reading),
        opened => opened,
    };
    let connection = connection.map_err(failed)?;
    prepare(&connection, access).map_err(failed)?;
    check(&connection, path)?;
    Ok(connection)
}

fn prepare(connection: &Connection, access: Access) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(setting, on)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST_VALUE)?;
    // Every commit is on the disk before it is answered, the name of the journal in its folder, too; and between two commits the
    // session is one whole file that can be copied.
    connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY")?;
    match access {
        Access::Write => connection.execute_batch("PRAGMA synchronous = EXTRA"),
        Access::Read => connection.execute_batch("PRAGMA query_only = ON"),
    }
}

fn check(connection: &Connection, path: &Path) -> Result<(), ScopeError> {
    let failed = |error| ScopeError::of_database(path, error);
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    if number("application_id")? != i64::from(APPLICATION) {
        return Err(ScopeError::NotASession { path: path.to_owned() });
    }
    let format = number("user_version")?;
    if format > FORMAT {
        return Err(ScopeError::Newer {
            path: path.to_owned(),
            format,
            program: program_of(connection).unwrap_or_else(|| "of a later version".to_owned()),
            known: FORMAT,
            known_program: VERSION,
        });
    }
    if format < 1 {
        return Err(ScopeError::damaged(path, format!("there is no format {format}")));
    }
    check_tables(connection, path)?;
    for table in CHECKED {
        let said: String =
            connection.query_row(&format!("PRAGMA quick_check({table})"), [], |row| row.get(0)).map_err(failed)?;
        if said != "ok" {
            return Err(ScopeError::damaged(path, said));
        }
    }
    Ok(())
}

/// The tables must be ours to the letter, and nothing else may be there.
fn check_tables(connection: &Connection, path: &Path) -> Result<(), ScopeError> {
    let read = || -> rusqlite::Result<Vec<(String, Option<String>)>> {
        let mut all = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY rowid")?;
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    let mut expected = TABLES.to_vec();
    for (name, text) in read().map_err(|error| ScopeError::of_database(path, error))? {
        // SQLite's own index of a primary key has no text.
        let Some(text) = text else { continue };
        let known = expected.iter().position(|(table, own)| *table == name && *own == text);
        match known {
            Some(at) => drop(expected.remove(at)),
            None => return Err(ScopeError::damaged(path, "it holds tables that no session has")),
        }
    }
    match expected.first() {
        None => Ok(()),
        Some((table, _)) => Err(ScopeError::damaged(path, format!("the table {table} is missing"))),
    }
}

/// The version of the program that wrote a file of a later format, where it still says so as this one does.
fn program_of(connection: &Connection) -> Option<String> {
    let json: String =
        connection.query_row("SELECT json FROM document WHERE name = 'about'", [], |row| row.get(0)).ok()?;
    let about: serde_json::Value = serde_json::from_str(&json).ok()?;
    Some(about.get("program")?.as_str()?.chars().take(40).collect())
}
