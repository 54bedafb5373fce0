//! Taking a run from disk again.

use super::{BEST_FILE, MODEL_FILE, RUN_FILE, SETTINGS_FILE};
use crate::pipeline::PipelineError;
use std::io::ErrorKind;
use std::path::Path;

/// Removes what a run wrote: its models, its checkpoint and its settings, and then its folder, unless somebody put something else
/// there. Answers whether the folder is gone.
///
/// # Errors
/// [`PipelineError::Write`] where a file can't be removed; those before it are gone then.
pub fn discard(folder: &Path) -> Result<bool, PipelineError> {
    for name in [MODEL_FILE, BEST_FILE, RUN_FILE, SETTINGS_FILE] {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => return Err(PipelineError::Write { path, source }),
            _ => {}
        }
    }
    // only an empty folder can be removed so: what else is in it stays, with it
    match std::fs::remove_dir(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(source) => Err(PipelineError::Write { path: folder.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_run_writes_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("run-1");
        let fill = || {
            std::fs::create_dir_all(&folder).unwrap();
            for name in [RUN_FILE, BEST_FILE, SETTINGS_FILE] {
                std::fs::write(folder.join(name), "numbers").unwrap();
            }
        };
        fill();
        assert!(discard(&folder).unwrap() && !folder.exists() && home.path().exists());
        assert!(discard(&folder).unwrap(), "there is nothing to remove any more");

        fill();
        std::fs::create_dir(folder.join("figures")).unwrap();
        std::fs::write(folder.join("notes.txt"), "mine").unwrap();
        assert!(!discard(&folder).unwrap());
        let mut left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["figures", "notes.txt"]);
    }

    #[test]
    fn what_cannot_be_removed_is_named() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(BEST_FILE)).unwrap();
        let message = discard(home.path()).unwrap_err().to_string();
        assert!(message.contains(BEST_FILE), "{message}");
    }
}
