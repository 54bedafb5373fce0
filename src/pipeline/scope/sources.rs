//! The files that specimens came from: whether they still are where and what they were.

use crate::data::dataset::Dataset;
use crate::key::ContentHash;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes that are hashed at a time.
const BLOCK: usize = 1 << 20;

/// A file that specimens came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Where it lay.
    pub path: PathBuf,
    /// Its content.
    pub sha256: ContentHash,
}

/// What became of a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// It is as it was read.
    Unchanged,
    /// Its content is another.
    Changed,
    /// It lies beside the session now, unchanged.
    Moved(PathBuf),
    /// It is not there.
    Missing,
    /// It is there and cannot be read.
    Unreadable(String),
}

impl Source {
    /// What became of it, found by reading it whole; a file that is gone is looked for beside the session.
    pub fn state(&self, session: &Path) -> SourceState {
        match hash_of(&self.path) {
            Ok(hash) if hash == self.sha256 => SourceState::Unchanged,
            Ok(_) => SourceState::Changed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.beside(session),
            Err(error) => SourceState::Unreadable(error.to_string()),
        }
    }

    fn beside(&self, session: &Path) -> SourceState {
        let Some(name) = self.path.file_name() else { return SourceState::Missing };
        let candidate = session.with_file_name(name);
        match hash_of(&candidate) {
            Ok(hash) if hash == self.sha256 => SourceState::Moved(candidate),
            _ => SourceState::Missing,
        }
    }
}

/// The sources of a dataset, under whole paths, so that they are found from any folder.
pub(super) fn of(dataset: &Dataset) -> Vec<Source> {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    dataset.files().iter().map(|file| Source { path: whole(&file.path), sha256: file.sha256 }).collect()
}

fn hash_of(path: &Path) -> io::Result<ContentHash> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(ContentHash(hasher.finalize().into())),
            read => hasher.update(&block[..read]),
        }
    }
}
