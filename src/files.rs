//! Files that appear under their names only when they are whole.

use std::io;
use std::path::Path;
use tempfile::NamedTempFile;

/// An empty temporary file in the folder of `path`, with the permissions of any new file; to be renamed to `path` when it is
/// whole, and removed when it is dropped before.
///
/// # Errors
/// When the folder is not there or cannot be written to.
pub fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".barcodescope-").suffix(".unfinished");
    // Temporary files are for this user alone otherwise, and would stay so under their new name.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_file_lies_beside_its_target_and_goes_unless_it_is_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("table.csv");
        let dropped = temporary_beside(&target).unwrap();
        let kept = temporary_beside(&target).unwrap();
        assert_eq!(kept.path().parent(), Some(folder.path()));
        let name = dropped.path().to_owned();
        drop(dropped);
        assert!(!name.exists());
        kept.persist(&target).unwrap();
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["table.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_they_may_read_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let ordinary = std::fs::File::create(folder.path().join("ordinary")).unwrap();
        let temporary = temporary_beside(&folder.path().join("new")).unwrap();
        let mode = |file: &std::fs::File| file.metadata().unwrap().permissions().mode();
        assert_eq!(mode(temporary.as_file()), mode(&ordinary));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(temporary_beside(&folder.path().join("gone/table.csv")).is_err());
    }
}
