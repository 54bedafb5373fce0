//! One writer per session file.
//!
//! The lock is one of the operating system's on a small file beside the session, so that it ends with the process that holds it,
//! however that ends. The file says who holds it. SQLite's own locks would keep readers out, too.

use super::ScopeError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Attempts to lock a file that others remove meanwhile.
const ATTEMPTS: usize = 20;
/// Most letters of a note that are shown.
const NOTE: u64 = 200;

/// The right to write to a session file. Ends when dropped, or with the process.
#[derive(Debug)]
pub(super) struct WriteLock {
    file: File,
    path: PathBuf,
}

impl WriteLock {
    /// The right to write to `session`.
    pub(super) fn take(session: &Path) -> Result<Self, ScopeError> {
        let path = lock_path(session);
        let failed = |source| ScopeError::Unreachable { path: session.to_owned(), source };
        for _ in 0..ATTEMPTS {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(ScopeError::InUse { path: session.to_owned(), holder: note_in(&path) });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            let note = own_note();
            file.set_len(0).and_then(|()| file.write_all(note.as_bytes())).map_err(failed)?;
            // Whoever held it before may have removed the file after it was opened here: a lock on it would keep nobody out.
            // Windows neither removes a file that is open nor lets a locked one be read.
            if note_in(&path).map_or(cfg!(windows), |found| found == note.trim()) {
                return Ok(Self { file, path });
            }
        }
        Err(ScopeError::InUse { path: session.to_owned(), holder: None })
    }

    /// Whether somebody writes to `session` now.
    pub(super) fn is_held(session: &Path) -> bool {
        let Ok(file) = OpenOptions::new().read(true).write(true).open(lock_path(session)) else { return false };
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // The file goes while it is still locked, so that nobody's lock is removed. Where it cannot go, it stays, unlocked.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

fn lock_path(session: &Path) -> PathBuf {
    let mut name = session.as_os_str().to_owned();
    name.push("-lock");
    PathBuf::from(name)
}

/// Different for every lock that is ever taken at a time.
fn own_note() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("process {}, lock {number} of {}\n", std::process::id(), super::now_secs())
}

/// What the holder wrote; `None` where the system does not let others read a locked file.
fn note_in(path: &Path) -> Option<String> {
    let mut note = String::new();
    File::open(path).ok()?.take(NOTE).read_to_string(&mut note).ok()?;
    Some(note.trim().to_owned()).filter(|note| !note.is_empty())
}
