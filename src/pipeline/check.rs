//! The import report of files.
