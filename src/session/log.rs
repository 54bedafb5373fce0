//! Everything that was said, kept until the program ends.

use std::time::SystemTime;

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Note,
    /// Look at it.
    Warning,
    /// Something did not work.
    Error,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it came.
    pub at: SystemTime,
    /// How much it matters.
    pub level: Level,
    /// Who says it: a job's name.
    pub from: String,
    /// In plain words.
    pub message: String,
    /// Technical causes, outermost first.
    pub causes: Vec<String>,
}

/// All messages, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Log {
    entries: Vec<Entry>,
}

impl Log {
    /// Adds a message.
    pub fn add(&mut self, level: Level, from: impl Into<String>, message: impl Into<String>, causes: Vec<String>) {
        let entry = Entry { at: SystemTime::now(), level, from: from.into(), message: message.into(), causes };
        self.entries.push(entry);
    }

    /// All messages, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Number of warnings and errors.
    pub fn warnings(&self) -> usize {
        self.entries.iter().filter(|entry| entry.level != Level::Note).count()
    }
}
