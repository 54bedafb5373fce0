//! The container of `torch.save`: a zip archive without compression.
//!
//! Only what PyTorch writes is read: stored entries, optionally with 64-bit sizes, found through the central directory and
//! checked against their CRC-32. Nothing is allocated by what the archive claims before the claim was held against the length
//! of the file, and all entries together can't be read for more than a few times the length of the file, so overlapping
//! entries and compressed bombs end in an error.

use super::Problem;
use flate2::Crc;
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

/// Largest table of contents that is read: room for half a million entries.
const MAX_DIRECTORY_BYTES: u64 = 64 << 20;
/// How many bytes may be read per byte of the file: an entry may be read again, entries that overlap without end may not.
const READ_FACTOR: u64 = 4;
const END_RECORD: &[u8; 4] = b"PK\x05\x06";
const END_RECORD_BYTES: usize = 22;
const MAX_COMMENT_BYTES: usize = 0xffff;
const WIDE_LOCATOR: &[u8; 4] = b"PK\x06\x07";
const WIDE_LOCATOR_BYTES: usize = 20;
const WIDE_END_RECORD: &[u8; 4] = b"PK\x06\x06";
const WIDE_END_RECORD_BYTES: usize = 56;
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const LOCAL_HEADER: &[u8; 4] = b"PK\x03\x04";
const LOCAL_HEADER_BYTES: usize = 30;

/// An entry of the table of contents.
#[derive(Debug, Clone, Copy)]
struct Entry {
    header_at: u64,
    size: u64,
    crc: u32,
}

/// An open archive.
#[derive(Debug)]
pub(super) struct Archive<R> {
    reader: R,
    length: u64,
    entries: HashMap<String, Entry>,
    /// Bytes that may still be read from entries.
    budget: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the table of contents.
    pub(super) fn open(mut reader: R) -> Result<Self, Problem> {
        let length = reader.seek(SeekFrom::End(0)).map_err(Problem::Io)?;
        let (directory_at, directory_bytes) = find_directory(&mut reader, length)?;
        let in_file = directory_at.checked_add(directory_bytes).is_some_and(|end| end <= length);
        if !in_file || directory_bytes > MAX_DIRECTORY_BYTES {
            return Err(damaged("its table of contents points outside of the file"));
        }
        let directory = read_at(&mut reader, directory_at, directory_bytes)?;
        Ok(Self { reader, length, entries: parse_directory(&directory)?, budget: length.saturating_mul(READ_FACTOR) })
    }

    /// Names of all entries, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is such an entry.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The bytes of an entry of at most `limit` bytes.
    pub(super) fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Problem> {
        let Some(&entry) = self.entries.get(name) else {
            return Err(damaged(&format!("it has no part {name}")));
        };
        if entry.size > limit {
            return Err(damaged(&format!("its part {name} is too large ({} bytes)", entry.size)));
        }
        let header = read_at(&mut self.reader, entry.header_at, LOCAL_HEADER_BYTES as u64)?;
        if !header.starts_with(LOCAL_HEADER) {
            return Err(damaged(&format!("there is no part {name} where the table of contents puts it")));
        }
        let names_bytes = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        let data_at = entry.header_at + LOCAL_HEADER_BYTES as u64 + names_bytes;
        if data_at.checked_add(entry.size).is_none_or(|end| end > self.length) {
            return Err(damaged(&format!("it ends within its part {name}")));
        }
        let left = self.budget.checked_sub(entry.size);
        self.budget = left.ok_or_else(|| damaged("its parts overlap: together they are longer than the file"))?;
        let data = read_at(&mut self.reader, data_at, entry.size)?;
        let mut crc = Crc::new();
        crc.update(&data);
        if crc.sum() != entry.crc {
            return Err(damaged(&format!("the checksum of its part {name} is wrong: the file was altered or cut")));
        }
        Ok(data)
    }
}

/// Position and length of the table of contents.
fn find_directory<R: Read + Seek>(reader: &mut R, length: u64) -> Result<(u64, u64), Problem> {
    let tail_bytes = length.min((END_RECORD_BYTES + MAX_COMMENT_BYTES + WIDE_LOCATOR_BYTES) as u64);
    let tail = read_at(reader, length - tail_bytes, tail_bytes)?;
    // the record's comment must reach the end of the file exactly
    let found = (0..tail.len().saturating_sub(END_RECORD_BYTES - 1)).rev().find(|&at| {
        tail[at..].starts_with(END_RECORD) && at + END_RECORD_BYTES + usize::from(u16_at(&tail, at + 20)) == tail.len()
    });
    let Some(at) = found else {
        return Err(damaged("its table of contents is missing: the file was cut short"));
    };
    let (bytes, position) = (u32_at(&tail, at + 12), u32_at(&tail, at + 16));
    let locator = at.checked_sub(WIDE_LOCATOR_BYTES).filter(|&locator| tail[locator..].starts_with(WIDE_LOCATOR));
    let Some(locator) = locator else {
        return Ok((u64::from(position), u64::from(bytes)));
    };
    let record_at = u64_at(&tail, locator + 8);
    if record_at.checked_add(WIDE_END_RECORD_BYTES as u64).is_none_or(|end| end > length) {
        return Err(damaged("its table of contents points outside of the file"));
    }
    let record = read_at(reader, record_at, WIDE_END_RECORD_BYTES as u64)?;
    if !record.starts_with(WIDE_END_RECORD) {
        return Err(damaged("its table of contents is missing"));
    }
    Ok((u64_at(&record, 48), u64_at(&record, 40)))
}

fn parse_directory(directory: &[u8]) -> Result<HashMap<String, Entry>, Problem> {
    let mut entries = HashMap::new();
    let mut rest = directory;
    while !rest.is_empty() {
        if rest.len() < ENTRY_BYTES || !rest.starts_with(ENTRY) {
            return Err(damaged("its table of contents is broken"));
        }
        let (name_bytes, extra_bytes) = (usize::from(u16_at(rest, 28)), usize::from(u16_at(rest, 30)));
        let comment_bytes = usize::from(u16_at(rest, 32));
        let end = ENTRY_BYTES + name_bytes + extra_bytes + comment_bytes;
        if rest.len() < end {
            return Err(damaged("its table of contents is broken"));
        }
        let name = String::from_utf8_lossy(&rest[ENTRY_BYTES..ENTRY_BYTES + name_bytes]).into_owned();
        let extra = &rest[ENTRY_BYTES + name_bytes..ENTRY_BYTES + name_bytes + extra_bytes];
        let entry = parse_entry(rest, extra, &name)?;
        if entries.insert(name.clone(), entry).is_some() {
            return Err(damaged(&format!("it has two parts {name}")));
        }
        rest = &rest[end..];
    }
    Ok(entries)
}

fn parse_entry(fixed: &[u8], extra: &[u8], name: &str) -> Result<Entry, Problem> {
    const ENCRYPTED: u16 = 1;
    const WIDE: u32 = u32::MAX;
    if u16_at(fixed, 8) & ENCRYPTED != 0 || u16_at(fixed, 10) != 0 {
        return Err(Problem::NotACheckpoint(format!(
            "its part {name} is compressed or encrypted, which torch.save does not do; unpack it, and save it with torch.save"
        )));
    }
    let (packed, size, header_at) = (u32_at(fixed, 20), u32_at(fixed, 24), u32_at(fixed, 42));
    let mut wide = wide_sizes(extra).into_iter();
    let mut widened = |narrow: u32| -> Result<u64, Problem> {
        if narrow != WIDE {
            return Ok(u64::from(narrow));
        }
        wide.next().ok_or_else(|| damaged(&format!("the size of its part {name} is missing")))
    };
    // in the order in which the 64-bit field holds those that need it
    let (size, packed, header_at) = (widened(size)?, widened(packed)?, widened(header_at)?);
    if size != packed {
        return Err(damaged(&format!("its part {name} has two sizes")));
    }
    Ok(Entry { header_at, size, crc: u32_at(fixed, 16) })
}

/// The 64-bit numbers of an entry's extra field.
fn wide_sizes(mut extra: &[u8]) -> Vec<u64> {
    const WIDE_FIELD: u16 = 1;
    while extra.len() >= 4 {
        let (tag, bytes) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some(field) = extra.get(4..4 + bytes) else { break };
        if tag == WIDE_FIELD {
            return field.as_chunks::<8>().0.iter().map(|&number| u64::from_le_bytes(number)).collect();
        }
        extra = &extra[4 + bytes..];
    }
    Vec::new()
}

/// `bytes` bytes from `at`; both were held against the length of the file.
fn read_at<R: Read + Seek>(reader: &mut R, at: u64, bytes: u64) -> Result<Vec<u8>, Problem> {
    reader.seek(SeekFrom::Start(at)).map_err(Problem::Io)?;
    let mut data = Vec::new();
    let read = reader.by_ref().take(bytes).read_to_end(&mut data).map_err(Problem::Io)?;
    if read as u64 == bytes { Ok(data) } else { Err(damaged("it is cut short")) }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn damaged(what: &str) -> Problem {
    Problem::Damaged(what.to_owned())
}
