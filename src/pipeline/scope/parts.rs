//! Documents and parts of a session file: everything under its hash, so that nothing altered is believed.
//!
//! A *document* is a little JSON. A *part* is many columns: compressed, in blocks, with the hashes of what it was made from.

use super::ScopeError;
use crate::key::{ContentHash, DatasetId};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Read;
use std::path::Path;

/// Bytes of a block.
const BLOCK: usize = 16 << 20;
/// Most bytes of a part.
const LARGEST_PART: u64 = 4 << 30;
/// Real columns are never compressed more than so many times.
const MOST_COMPRESSED: u64 = 2000;
/// The quickest level that still halves barcodes.
const LEVEL: i32 = 1;

/// A part as it was read.
#[derive(Debug)]
pub(super) struct Part {
    /// What it was made from.
    pub(super) key: ContentHash,
    /// Its columns.
    pub(super) bytes: Vec<u8>,
}

fn document_hash(name: &str, json: &str) -> ContentHash {
    ContentHash::of_parts([b"document", name.as_bytes(), json.as_bytes()])
}

/// Writes a document where it says something new.
pub(super) fn write_document(connection: &Connection, name: &str, json: &str) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO document (name, json, hash) VALUES (?1, ?2, ?3) \
         ON CONFLICT (name) DO UPDATE SET json = ?2, hash = ?3 WHERE hash <> ?3",
        params![name, json, document_hash(name, json).0],
    )?;
    Ok(())
}

/// The JSON of a document.
pub(super) fn to_json(path: &Path, name: &str, value: &impl Serialize) -> Result<String, ScopeError> {
    serde_json::to_string(value).map_err(|source| ScopeError::Unstorable {
        path: path.to_owned(),
        what: name.to_owned(),
        source,
    })
}

/// Reads a document that every session has.
pub(super) fn read_document<T: DeserializeOwned>(
    connection: &Connection,
    path: &Path,
    name: &str,
) -> Result<T, ScopeError> {
    let found = find_document(connection, path, name)?;
    found.ok_or_else(|| ScopeError::damaged(path, format!("it does not say what its {name} is")))
}

/// Reads a document that a session may have.
pub(super) fn find_document<T: DeserializeOwned>(
    connection: &Connection,
    path: &Path,
    name: &str,
) -> Result<Option<T>, ScopeError> {
    let found: Option<(String, Vec<u8>)> = connection
        .query_row("SELECT json, hash FROM document WHERE name = ?1", [name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(|error| ScopeError::of_database(path, error))?;
    let Some((json, hash)) = found else { return Ok(None) };
    if hash != document_hash(name, &json).0 {
        return Err(ScopeError::damaged(path, format!("its {name} does not fit its hash")));
    }
    serde_json::from_str(&json)
        .map(Some)
        .map_err(|error| ScopeError::damaged(path, format!("its {name} makes no sense: {error}")))
}

/// Takes all parts out. To be called within a transaction.
pub(super) fn remove_all(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("DELETE FROM block; DELETE FROM part;")
}

fn part_hash(name: &str, key: &ContentHash, data: &DatasetId, bytes: u64, packed: &[u8]) -> ContentHash {
    ContentHash::of_parts([name.as_bytes(), &key.0, &data.0, &bytes.to_le_bytes(), packed])
}

/// Writes a part in place of the one of its name. To be called within a transaction.
pub(super) fn write_part(
    connection: &Connection,
    path: &Path,
    name: &str,
    key: &ContentHash,
    data: &DatasetId,
    bytes: &[u8],
) -> Result<(), ScopeError> {
    let size = bytes.len() as u64;
    if size > LARGEST_PART {
        let (path, what) = (path.to_owned(), name.to_owned());
        return Err(ScopeError::TooLarge { path, what, bytes: size, limit: LARGEST_PART });
    }
    let packed = zstd::bulk::compress(bytes, LEVEL)
        .map_err(|source| ScopeError::Unreachable { path: path.to_owned(), source })?;
    let write = || -> rusqlite::Result<()> {
        connection.execute("DELETE FROM block WHERE part = ?1", [name])?;
        connection.execute(
            "INSERT OR REPLACE INTO part (name, key, data, bytes, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![name, key.0, data.0, size as i64, part_hash(name, key, data, size, &packed).0],
        )?;
        let mut insert = connection.prepare("INSERT INTO block (part, number, content) VALUES (?1, ?2, ?3)")?;
        for (number, block) in packed.chunks(BLOCK).enumerate() {
            insert.execute(params![name, number as i64, block])?;
        }
        Ok(())
    };
    write().map_err(|error| ScopeError::of_database(path, error))
}

/// Reads a part; `None` where the file has none of this name.
pub(super) fn read_part(connection: &Connection, path: &Path, name: &str) -> Result<Option<Part>, ScopeError> {
    let failed = |error| ScopeError::of_database(path, error);
    type Row = ([u8; 32], [u8; 32], i64, [u8; 32]);
    let row: Option<Row> = connection
        .query_row("SELECT key, data, bytes, hash FROM part WHERE name = ?1", [name], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()
        .map_err(failed)?;
    let Some((key, data, bytes, hash)) = row else { return Ok(None) };
    let packed = read_blocks(connection, name).map_err(failed)?;
    let (key, data) = (ContentHash(key), ContentHash(data));
    let wrong = |why: &str| ScopeError::damaged(path, format!("{name}: {why}"));
    let size = u64::try_from(bytes).map_err(|_| wrong("its size makes no sense"))?;
    if part_hash(name, &key, &data, size, &packed).0 != hash {
        return Err(wrong("it does not fit its hash"));
    }
    // The size is settled before anything is allocated, so that a small file cannot ask for all memory.
    if size > LARGEST_PART || size > MOST_COMPRESSED * (packed.len() as u64 + 1024) {
        return Err(wrong("its size makes no sense"));
    }
    let mut unpacked = Vec::with_capacity(size as usize);
    zstd::stream::read::Decoder::new(packed.as_slice())
        .and_then(|decoder| decoder.take(size + 1).read_to_end(&mut unpacked))
        .map_err(|error| wrong(&error.to_string()))?;
    if unpacked.len() as u64 != size {
        return Err(wrong("it is shorter or longer than it says"));
    }
    Ok(Some(Part { key, bytes: unpacked }))
}

fn read_blocks(connection: &Connection, name: &str) -> rusqlite::Result<Vec<u8>> {
    let mut blocks = connection.prepare("SELECT content FROM block WHERE part = ?1 ORDER BY number")?;
    let mut rows = blocks.query([name])?;
    let mut packed = Vec::new();
    while let Some(row) = rows.next()? {
        packed.extend_from_slice(row.get_ref(0)?.as_blob()?);
    }
    Ok(packed)
}
