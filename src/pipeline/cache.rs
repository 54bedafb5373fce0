//! Embeddings kept on disk by content: what was read (tokens), by which model, under which settings.
//!
//! Vectors lie in packs. A pack holds the vectors of one *space* (one model and one way of reading it):
//!
//! | part | bytes |
//! |---|---|
//! | mark `BSCOPE1\n` | 8 |
//! | space | 32 |
//! | width `D`, number of vectors `n`, little-endian `u32` each | 8 |
//! | hash of each read | 32 n |
//! | SHA-256 of all of the above | 32 |
//! | vectors `[n,D]`, little-endian `f32` | 4 n D |
//! | SHA-256 of the vectors | 32 |
//!
//! Nothing is believed unverified: a pack whose hashes do not fit is removed with a warning and its reads are embedded again. Packs
//! are written to a temporary file and renamed, so that a program that is stopped leaves none half written. Nothing that goes
//! wrong here stops the work; it is only slower.

use crate::key::ContentHash;
use crate::progress::{Cancelled, Observer, Progress};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const MARK: &[u8; 8] = b"BSCOPE1\n";
const EXTENSION: &str = "pack";
/// A temporary file that is older than this belongs to no running program.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Vectors on disk, at most [`Cache::LIMIT`] bytes of them; the packs used longest ago go first.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    limit: u64,
    /// Folders of shards, in which vectors are looked for too and never changed.
    shards: Vec<PathBuf>,
}

impl Cache {
    /// Largest size of all packs together: 2 GiB.
    pub const LIMIT: u64 = 2 << 30;
    /// Most vectors in a pack.
    pub const PACK: usize = 2048;

    /// The cache in a folder, which is made when something is stored.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), limit: Self::LIMIT, shards: Vec::new() }
    }

    /// The cache in the user's cache folder; `None` where the system names none.
    pub fn standard() -> Option<Self> {
        let folders = directories::ProjectDirs::from("", "", "barcodescope")?;
        Some(Self::at(folders.cache_dir().join("embeddings")))
    }

    /// The same cache with another limit, in bytes.
    #[must_use]
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// The same cache that also looks into the packs of shards, which it never changes.
    #[must_use]
    pub fn with_shards(mut self, folders: &[PathBuf]) -> Self {
        self.shards.extend_from_slice(folders);
        self
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes every pack. Answers how many bytes were freed.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn clear(&self) -> io::Result<u64> {
        let mut freed = 0;
        for space in self.spaces()? {
            for file in files_in(&space)? {
                let ours = is_pack(&file.path) || is_temporary(&file.path);
                if ours {
                    fs::remove_file(&file.path)?;
                    freed += file.bytes;
                }
            }
            // Only an empty folder goes; whatever else somebody put there stays.
            let _ = fs::remove_dir(&space);
        }
        Ok(freed)
    }

    /// Looks up `wanted` reads of a space and hands every vector found to `found(index, vector)`; answers how many there were.
    ///
    /// # Errors
    /// [`Cancelled`] when the observer asks to stop.
    pub fn load(
        &self,
        space: &ContentHash,
        width: usize,
        wanted: &[ContentHash],
        found: &mut dyn FnMut(usize, &[f32]),
        observer: &dyn Observer,
    ) -> Result<usize, Cancelled> {
        let index: HashMap<&ContentHash, usize> = wanted.iter().enumerate().map(|(at, key)| (key, at)).collect();
        let mut missing = vec![true; wanted.len()];
        let mut count = 0;
        for (path, ours) in self.packs_of(space) {
            observer.progress(Progress::new("looking into the cache", count, wanted.len(), "barcodes"))?;
            if count == wanted.len() {
                break;
            }
            let read = Pack::read(&path, space, width, |keys| {
                keys.iter().any(|key| index.get(key).is_some_and(|&at| missing[at]))
            });
            match read {
                Ok(Some(pack)) => {
                    for (key, vector) in pack.keys.iter().zip(pack.vectors.chunks_exact(width)) {
                        if let Some(&at) = index.get(key)
                            && std::mem::take(&mut missing[at])
                        {
                            found(at, vector);
                            count += 1;
                        }
                    }
                    if ours {
                        touch(&path);
                    }
                }
                Ok(None) => {}
                Err(error) if !ours => {
                    observer.warn(&format!("{} is damaged ({error}); its barcodes are embedded again", path.display()));
                }
                Err(error) => {
                    observer.warn(&format!(
                        "a file of the embedding cache is damaged and was removed ({error}); its barcodes are embedded again"
                    ));
                    let _ = fs::remove_file(&path);
                }
            }
        }
        Ok(count)
    }

    /// The packs of a space, the own ones first, and whether they are.
    fn packs_of(&self, space: &ContentHash) -> Vec<(PathBuf, bool)> {
        let folders = std::iter::once((&self.folder, true)).chain(self.shards.iter().map(|folder| (folder, false)));
        let packs = folders.flat_map(|(folder, ours)| {
            let files = files_in(&folder.join(space.to_string())).unwrap_or_default();
            let mut packs: Vec<PathBuf> =
                files.into_iter().map(|file| file.path).filter(|path| is_pack(path)).collect();
            packs.sort_unstable();
            packs.into_iter().map(move |path| (path, ours))
        });
        packs.collect()
    }

    /// Stores vectors `[n,width]` of a space under the hashes of their reads. What cannot be stored is warned about.
    pub fn store(
        &self,
        space: &ContentHash,
        width: usize,
        keys: &[ContentHash],
        vectors: &[f32],
        observer: &dyn Observer,
    ) {
        debug_assert_eq!(keys.len() * width, vectors.len());
        if keys.is_empty() || width == 0 {
            return;
        }
        let stored = keys
            .chunks(Self::PACK)
            .zip(vectors.chunks(Self::PACK * width))
            .try_for_each(|(keys, vectors)| self.store_pack(space, width, keys, vectors))
            .and_then(|()| self.shrink());
        if let Err(error) = stored {
            observer.warn(&format!("the embedding cache in {} cannot be written: {error}", self.folder.display()));
        }
    }

    fn store_pack(&self, space: &ContentHash, width: usize, keys: &[ContentHash], vectors: &[f32]) -> io::Result<()> {
        let folder = self.space_folder(space);
        fs::create_dir_all(&folder)?;
        let mut header = Vec::with_capacity(48 + 32 * keys.len());
        header.extend_from_slice(MARK);
        header.extend_from_slice(&space.0);
        header.extend_from_slice(&(width as u32).to_le_bytes());
        header.extend_from_slice(&(keys.len() as u32).to_le_bytes());
        keys.iter().for_each(|key| header.extend_from_slice(&key.0));
        let body: Vec<u8> = vectors.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&folder)?;
        file.write_all(&header)?;
        file.write_all(&Sha256::digest(&header))?;
        file.write_all(&body)?;
        file.write_all(&Sha256::digest(&body))?;
        file.flush()?;
        file.persist(folder.join(format!("{}.{EXTENSION}", ContentHash::of(&header))))?;
        Ok(())
    }

    /// Removes the packs used longest ago until the limit holds, and what stopped programs left behind.
    fn shrink(&self) -> io::Result<()> {
        let mut packs = Vec::new();
        for space in self.spaces()? {
            for file in files_in(&space)? {
                if is_pack(&file.path) {
                    packs.push(file);
                } else if is_temporary(&file.path) && file.used.elapsed().is_ok_and(|age| age > ABANDONED) {
                    let _ = fs::remove_file(&file.path);
                }
            }
        }
        packs.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        let mut total: u64 = packs.iter().map(|pack| pack.bytes).sum();
        for pack in packs {
            if total <= self.limit {
                break;
            }
            fs::remove_file(&pack.path)?;
            total -= pack.bytes;
        }
        Ok(())
    }

    fn space_folder(&self, space: &ContentHash) -> PathBuf {
        self.folder.join(space.to_string())
    }

    /// The folders that are named like a space.
    fn spaces(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let named = |path: &Path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir() && named(path)).collect())
    }
}

const TEMPORARY: &str = ".unfinished-";

struct CacheFile {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

fn files_in(folder: &Path) -> io::Result<Vec<CacheFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Another program may have removed the file since; then there is nothing to list.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            files.push(CacheFile { path: entry.path(), bytes: metadata.len(), used });
        }
    }
    Ok(files)
}

fn is_pack(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == EXTENSION)
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(TEMPORARY))
}

/// Marks a pack as just used. Where the file system refuses, the pack is only removed sooner.
fn touch(path: &Path) {
    if let Ok(file) = fs::File::options().append(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

struct Pack {
    keys: Vec<ContentHash>,
    vectors: Vec<f32>,
}

impl Pack {
    /// Reads and verifies a pack; `None` when `useful` says that none of its reads is wanted.
    fn read(
        path: &Path,
        space: &ContentHash,
        width: usize,
        useful: impl Fn(&[ContentHash]) -> bool,
    ) -> Result<Option<Self>, String> {
        let mut file = fs::File::open(path).map_err(|error| error.to_string())?;
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        let mut header = read_exactly(&mut file, 48)?;
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let count = number(44) as usize;
        if &header[..8] != MARK || header[8..40] != space.0 || number(40) as usize != width {
            return Err("it is of another model or version".to_owned());
        }
        // The length is settled before anything is allocated, so that a damaged count cannot ask for all memory.
        let body_bytes = (count as u64) * (width as u64) * 4;
        if length != 48 + 32 * count as u64 + 32 + body_bytes + 32 {
            return Err("its length is wrong".to_owned());
        }
        header.extend(read_exactly(&mut file, 32 * count)?);
        if read_exactly(&mut file, 32)? != Sha256::digest(&header).as_slice() {
            return Err("its index does not fit its hash".to_owned());
        }
        let keys: Vec<ContentHash> = header[48..].as_chunks::<32>().0.iter().map(|key| ContentHash(*key)).collect();
        if !useful(&keys) {
            return Ok(None);
        }
        let body = read_exactly(&mut file, body_bytes as usize)?;
        if read_exactly(&mut file, 32)? != Sha256::digest(&body).as_slice() {
            return Err("its vectors do not fit their hash".to_owned());
        }
        let vectors = body.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok(Some(Self { keys, vectors }))
    }
}

fn read_exactly(file: &mut fs::File, bytes: usize) -> Result<Vec<u8>, String> {
    let mut block = vec![0; bytes];
    file.read_exact(&mut block).map_err(|error| error.to_string())?;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::sync::Mutex;

    const WIDTH: usize = 3;

    #[derive(Default)]
    struct Warnings(Mutex<Vec<String>>);

    impl Observer for Warnings {
        fn progress(&self, _: Progress) -> Result<(), Cancelled> {
            Ok(())
        }

        fn warn(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }

    fn keys(range: std::ops::Range<u32>) -> Vec<ContentHash> {
        range.map(|index| ContentHash::of(&index.to_le_bytes())).collect()
    }

    fn vectors(range: std::ops::Range<u32>) -> Vec<f32> {
        range.flat_map(|index| [index as f32, index as f32 + 0.25, -1.5]).collect()
    }

    fn load(cache: &Cache, space: &ContentHash, range: std::ops::Range<u32>, observer: &dyn Observer) -> Vec<Vec<f32>> {
        let wanted = keys(range);
        let mut all = vec![Vec::new(); wanted.len()];
        let count = cache.load(space, WIDTH, &wanted, &mut |at, vector| all[at] = vector.to_vec(), observer).unwrap();
        assert_eq!(count, all.iter().filter(|vector| !vector.is_empty()).count());
        all
    }

    fn packs(cache: &Cache) -> Vec<PathBuf> {
        let spaces = cache.spaces().unwrap();
        spaces.iter().flat_map(|space| files_in(space).unwrap()).map(|file| file.path).collect()
    }

    #[test]
    fn what_was_stored_is_found_under_its_space_only() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("new"));
        let space = ContentHash::of(b"model a");
        assert_eq!(load(&cache, &space, 0..2, &Silent), [Vec::<f32>::new(), Vec::new()]);
        cache.store(&space, WIDTH, &keys(0..5000), &vectors(0..5000), &Silent);
        assert_eq!(packs(&cache).len(), 3);
        let found = load(&cache, &space, 4990..5010, &Silent);
        assert_eq!(found[0], [4990.0, 4990.25, -1.5]);
        assert_eq!(found[10], [0.0; 0]);
        assert_eq!(load(&cache, &ContentHash::of(b"model b"), 0..2, &Silent), [Vec::<f32>::new(), Vec::new()]);
        assert!(cache.clear().unwrap() > 5000 * 12);
        assert_eq!(load(&cache, &space, 0..1, &Silent), [Vec::<f32>::new()]);
    }

    #[test]
    fn a_pack_that_was_altered_anywhere_is_removed_and_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let space = ContentHash::of(b"model");
        cache.store(&space, WIDTH, &keys(0..3), &vectors(0..3), &Silent);
        let path = packs(&cache)[0].clone();
        let whole = fs::read(&path).unwrap();
        let mut damaged: Vec<Vec<u8>> = (0..whole.len())
            .map(|at| {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                bytes
            })
            .collect();
        damaged.extend([0, 7, 47, 60, whole.len() - 1].map(|length| whole[..length].to_vec()));
        damaged.push([&whole[..], b"more"].concat());
        for bytes in damaged {
            fs::write(&path, &bytes).unwrap();
            let warnings = Warnings::default();
            assert_eq!(load(&cache, &space, 0..1, &warnings), [Vec::<f32>::new()]);
            assert_eq!(warnings.0.lock().unwrap().len(), 1);
            assert!(!path.exists());
        }
    }

    #[test]
    fn the_packs_used_longest_ago_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let space = ContentHash::of(b"model");
        let cache = Cache::at(folder.path());
        for start in [0, 10, 20] {
            cache.store(&space, WIDTH, &keys(start..start + 10), &vectors(start..start + 10), &Silent);
            for path in packs(&cache) {
                let file = fs::File::options().append(true).open(&path).unwrap();
                let age = file.metadata().unwrap().modified().unwrap().elapsed().unwrap_or_default();
                file.set_modified(SystemTime::now() - age - Duration::from_secs(100)).unwrap();
            }
        }
        load(&cache, &space, 0..1, &Silent);
        let size = fs::metadata(&packs(&cache)[0]).unwrap().len();
        cache.clone().with_limit(2 * size).shrink().unwrap();
        let left = |start: u32| !load(&cache, &space, start..start + 1, &Silent)[0].is_empty();
        assert_eq!([left(0), left(10), left(20)], [true, false, true]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let warnings = Warnings::default();
        Cache::at(&file).store(&ContentHash::of(b"m"), WIDTH, &keys(0..1), &vectors(0..1), &warnings);
        assert!(warnings.0.lock().unwrap()[0].contains("cannot be written"));
    }
}
