//! Embeddings of one dataset by many jobs: each embeds a share of the barcodes, and the shards are read back as one.
//!
//! Which share a barcode is in is told by its hash, so that equal barcodes are embedded by one job only and no job needs to know of
//! another. A shard is a manifest (`shard-0003-of-0010.shard`, JSON) beside a folder of the same name with packs of the embedding
//! cache, which hold vectors by what was read. Packs appear one by one, each whole: a job that is stopped goes on where it was. The
//! manifest comes last, with the hash of each pack.

use super::PipelineError;
use super::cache::Cache;
use super::embed::{EmbedSettings, Embedded, embed, space_of};
use super::export::{write_error, write_json};
use super::subset::subset;
use crate::data::dataset::Dataset;
use crate::data::reading::Layers;
use crate::key::{ContentHash, ModelId};
use crate::model::Model;
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Why shards cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// Stopped by the observer.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A file that is no manifest of a shard.
    #[error("{} is no shard of embeddings: {why}", .path.display())]
    NoShard {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Two shards that do not go together.
    #[error(
        "{} and {} are of different files, models, readings or versions; open shards of one run together",
        .one.display(),
        .other.display()
    )]
    Mixed {
        /// A shard.
        one: PathBuf,
        /// Another one.
        other: PathBuf,
    },
    /// The file that shards were made from is gone.
    #[error("the file '{}', from which the shards were made, is neither there nor beside them; put it beside them", .path.display())]
    SourceGone {
        /// Where it was.
        path: PathBuf,
    },
    /// Nothing to read.
    #[error("{what} holds no shards")]
    None {
        /// Where they were looked for.
        what: String,
    },
}

/// How a shard's manifest ends.
pub const EXTENSION: &str = "shard";
/// Version of the manifest.
const FORMAT: u32 = 1;
/// No manifest is larger, in bytes.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// One of several shares: `3/10` is the third of ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    number: u32,
    of: u32,
}

impl Share {
    /// Whether a barcode is in this share.
    pub fn holds(&self, barcode: &[u8]) -> bool {
        let hash = ContentHash::of(barcode).0;
        let start = u64::from_le_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]);
        start % u64::from(self.of) == u64::from(self.number - 1)
    }

    /// Name of its folder and, with the ending, of its manifest.
    fn stem(&self) -> String {
        format!("shard-{:04}-of-{:04}", self.number, self.of)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(format!("'{text}' is no share; 3/10 is the third of ten")),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A file with its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashedFile {
    /// Of a source: where it was read. Of a pack: its place in the shard's folder.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub sha256: ContentHash,
}

/// A shard's manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// Which share it is.
    pub share: Share,
    /// The files that were read.
    pub sources: Vec<HashedFile>,
    /// The model's name.
    pub model: String,
    /// Its weights and settings.
    pub model_id: ModelId,
    /// Whether barcodes were registered.
    pub register: bool,
    /// Whose hidden states make the embedding.
    pub layers: Layers,
    /// Different barcodes in this share.
    pub barcodes: usize,
    /// The packs in the shard's folder.
    pub packs: Vec<HashedFile>,
    /// Seed and version, as every result has them.
    pub seed: u64,
    /// The program's version.
    pub version: String,
}

/// What became of a share.
#[derive(Debug, Clone)]
pub struct ShareDone {
    /// Where its manifest is.
    pub manifest: PathBuf,
    /// Different barcodes in it.
    pub barcodes: usize,
    /// How many were embedded now.
    pub computed: usize,
    /// Whether it had been finished before, and is whole.
    pub was_done: bool,
}

/// Embeds one share of a dataset's barcodes into a folder, going on where an earlier try was stopped. A share that is there already,
/// of the same files by the same model and reading, is checked by the hashes of its packs and left as it is.
///
/// # Errors
/// [`PipelineError::Write`] when the folder cannot be written to, whatever the model says, and a stop.
pub fn embed_share(
    dataset: &Dataset,
    model: &Model,
    settings: &EmbedSettings,
    share: Share,
    folder: &Path,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<ShareDone, PipelineError> {
    let manifest = folder.join(format!("{}.{EXTENSION}", share.stem()));
    let packs = folder.join(share.stem());
    std::fs::create_dir_all(&packs).map_err(|error| write_error(&packs, error))?;
    let rows: Vec<usize> = first_rows(dataset).filter(|&row| share.holds(dataset.sequence(row))).collect();
    let defaults = model.info().read;
    let mut wanted = Manifest {
        format: FORMAT,
        share,
        sources: sources_of(dataset),
        model: model.info().name.clone(),
        model_id: model.info().id,
        register: settings.register.unwrap_or(defaults.register),
        layers: settings.layers.unwrap_or(defaults.layers),
        barcodes: rows.len(),
        packs: Vec::new(),
        seed: seed.0,
        version: super::provenance::VERSION.to_owned(),
    };
    if read_manifest(&manifest).is_ok_and(|found| found.is_of(&wanted) && found.is_whole(&packs)) {
        return Ok(ShareDone { manifest, barcodes: rows.len(), computed: 0, was_done: true });
    }
    let mut computed = 0;
    if !rows.is_empty() {
        let part = subset(dataset, dataset.name(), &rows);
        let cache = Cache::at(&packs).with_limit(u64::MAX);
        let Embedded { computed: made, .. } = embed(&part, None, model, settings, Some(&cache), observer)?;
        computed = made;
    }
    let space = space_of(model, wanted.layers).to_string();
    wanted.packs = hashes_in(&packs, &space, observer)?;
    write_json(&manifest, &wanted)?;
    Ok(ShareDone { manifest, barcodes: rows.len(), computed, was_done: false })
}

/// A row for each unique barcode.
fn first_rows(dataset: &Dataset) -> impl Iterator<Item = usize> {
    let mut seen = vec![false; dataset.unique_len()];
    (0..dataset.len()).filter(move |&row| !std::mem::replace(&mut seen[dataset.unique_of(row)], true))
}

fn sources_of(dataset: &Dataset) -> Vec<HashedFile> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    dataset.files().iter().map(|file| HashedFile { path: absolute(&file.path), sha256: file.sha256 }).collect()
}

fn hashes_in(folder: &Path, space: &str, observer: &dyn Observer) -> Result<Vec<HashedFile>, PipelineError> {
    let Ok(entries) = std::fs::read_dir(folder.join(space)) else { return Ok(Vec::new()) };
    let mut names: Vec<PathBuf> =
        entries.filter_map(|entry| Some(Path::new(space).join(entry.ok()?.file_name()))).collect();
    names.retain(|name| name.extension().is_some_and(|ending| ending == "pack"));
    names.sort_unstable();
    let total = names.len();
    let hashed = names.into_iter().enumerate().map(|(at, path)| {
        observer.progress(Progress::new("checking the shard", at, total, "files"))?;
        let whole = folder.join(&path);
        let sha256 = hash_of(&whole).map_err(|error| write_error(&whole, error))?;
        Ok(HashedFile { path, sha256 })
    });
    hashed.collect()
}

fn hash_of(path: &Path) -> std::io::Result<ContentHash> {
    Ok(ContentHash::of(&std::fs::read(path)?))
}

impl Manifest {
    /// Whether it is of the same files, model, reading and share.
    fn is_of(&self, other: &Self) -> bool {
        self.share == other.share && self.barcodes == other.barcodes && self.goes_with(other)
    }

    /// Whether two shards are of one dataset and comparable.
    fn goes_with(&self, other: &Self) -> bool {
        let hashes = |manifest: &Self| manifest.sources.iter().map(|file| file.sha256).collect::<Vec<_>>();
        hashes(self) == hashes(other)
            && (self.model_id, self.register, self.layers, self.share.of)
                == (other.model_id, other.register, other.layers, other.share.of)
            && self.version == other.version
    }

    /// Whether every pack is there and as it was written.
    fn is_whole(&self, folder: &Path) -> bool {
        self.packs.iter().all(|pack| hash_of(&folder.join(&pack.path)).is_ok_and(|hash| hash == pack.sha256))
    }
}

/// Reads a manifest.
fn read_manifest(path: &Path) -> Result<Manifest, ShardError> {
    let wrong = |why: &str| ShardError::NoShard { path: path.to_owned(), why: why.to_owned() };
    let size = std::fs::metadata(path).map_err(|error| wrong(&error.to_string()))?.len();
    if size > LARGEST_MANIFEST {
        return Err(wrong("it is too large"));
    }
    let bytes = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| wrong(&error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(wrong(&format!("its format is {}, this version reads {FORMAT}", manifest.format)));
    }
    Ok(manifest)
}

/// Shards that were opened together.
#[derive(Debug, Clone)]
pub struct Shards {
    /// The files to read, the same for all, with the hashes that they had.
    pub sources: Vec<HashedFile>,
    /// The folders with their packs.
    pub folders: Vec<PathBuf>,
    /// What somebody who opens them should know.
    pub remarks: Vec<String>,
}

/// Whether a path names a shard.
pub fn is_shard(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(EXTENSION))
}

/// Reads the manifests of shards and checks that they belong together and that their packs are as they were written. A source that is no
/// longer where it was is looked for beside the manifests. Damaged packs and missing shards are told of in the remarks: their barcodes are
/// embedded when they are needed.
///
/// # Errors
/// [`ShardError`]: a file that is no manifest, shards of different datasets or models, a source that is not found; a stop.
pub fn read_shards(paths: &[PathBuf], observer: &dyn Observer) -> Result<Shards, ShardError> {
    let mut manifests = Vec::with_capacity(paths.len());
    let mut shards = Shards { sources: Vec::new(), folders: Vec::new(), remarks: Vec::new() };
    for (at, path) in paths.iter().enumerate() {
        observer.progress(Progress::new("checking the shards", at, paths.len(), "shards"))?;
        let manifest = read_manifest(path)?;
        let folder = path.with_extension("");
        if !manifest.is_whole(&folder) {
            let share = manifest.share;
            shards.remarks.push(format!(
                "shard {share} is damaged or incomplete; run its job again, or let the missing be embedded now"
            ));
        }
        shards.folders.push(folder);
        manifests.push(manifest);
    }
    let Some(first) = manifests.first() else {
        return Err(ShardError::None { what: "an empty list".to_owned() });
    };
    if let Some(at) = manifests.iter().position(|other| !other.goes_with(first)) {
        return Err(ShardError::Mixed { one: paths[0].clone(), other: paths[at].clone() });
    }
    let there: BTreeSet<u32> = manifests.iter().map(|manifest| manifest.share.number).collect();
    let missing: Vec<String> =
        (1..=first.share.of).filter(|number| !there.contains(number)).map(|n| n.to_string()).collect();
    if !missing.is_empty() {
        let (missing, of) = (missing.join(", "), first.share.of);
        shards.remarks.push(format!("shards {missing} of {of} are missing; their barcodes are embedded when needed"));
    }
    shards.sources = first.sources.iter().map(|source| found(source, &paths[0])).collect::<Result<_, _>>()?;
    Ok(shards)
}

impl Shards {
    /// Which of the files that were read are not what they were when the shards were made.
    pub fn changed(&self, dataset: &Dataset) -> Vec<String> {
        let as_it_was = |hash: &ContentHash| self.sources.iter().any(|source| source.sha256 == *hash);
        let changed = dataset.files().iter().filter(|file| !as_it_was(&file.sha256));
        let told = changed.map(|file| {
            let path = file.path.display();
            format!(
                "{path} has changed since the shards were made; barcodes that they do not hold are embedded when needed"
            )
        });
        told.collect()
    }
}

/// A source where it was, or beside a manifest.
fn found(source: &HashedFile, manifest: &Path) -> Result<HashedFile, ShardError> {
    let HashedFile { path, sha256 } = source;
    let beside = path.file_name().map(|name| manifest.with_file_name(name));
    let there = [Some(path.clone()), beside].into_iter().flatten().find(|path| path.exists());
    let path = there.ok_or_else(|| ShardError::SourceGone { path: path.clone() })?;
    Ok(HashedFile { path, sha256: *sha256 })
}

/// The folders of packs of every shard in a folder.
///
/// # Errors
/// [`ShardError::None`] when the folder holds none.
pub fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, ShardError> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut manifests: Vec<PathBuf> = entries.filter(|path| is_shard(path)).collect();
    manifests.sort_unstable();
    if manifests.is_empty() {
        return Err(ShardError::None { what: folder.display().to_string() });
    }
    Ok(manifests.into_iter().map(|path| path.with_extension("")).collect())
}

#[cfg(test)]
mod tests;
