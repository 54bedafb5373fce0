//! What is remembered between two runs of the program.

use crate::pipeline::stored::MemoryBudget;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Recent files that are kept.
const RECENT: usize = 8;
/// Column mappings that are kept.
const MAPPINGS: usize = 50;

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shade {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// Settings of the user. Fields that a file lacks have their default, fields that this version does not know are ignored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light or dark.
    pub shade: Shade,
    /// Size of everything, 1 is normal.
    pub zoom: Option<f32>,
    /// Whether points walk to their new places.
    pub still: bool,
    /// What embeddings may take of the memory before they are kept in 16 bits.
    pub memory: MemoryBudget,
    /// Files opened before, latest first; those opened together stand together.
    pub recent: Vec<Vec<PathBuf>>,
    /// The model file in use; `None` is the bundled one.
    pub model: Option<PathBuf>,
    /// Who decides about labels.
    pub curator: String,
    /// How the columns of unknown tables were read, by their header line.
    pub mappings: BTreeMap<String, String>,
}

impl Settings {
    /// Puts the files opened just now on top of the recent ones.
    pub fn opened(&mut self, paths: &[PathBuf]) {
        if paths.is_empty() {
            return;
        }
        self.recent.retain(|known| known != paths);
        self.recent.insert(0, paths.to_vec());
        self.recent.truncate(RECENT);
    }

    /// Remembers how the columns of a table with this header line are read.
    pub fn remember_mapping(&mut self, header: String, mapping: String) {
        if self.mappings.len() >= MAPPINGS && !self.mappings.contains_key(&header) {
            self.mappings.pop_first();
        }
        self.mappings.insert(header, mapping);
    }

    /// The settings in `file`; the defaults where there is no such file yet or it cannot be read.
    ///
    /// # Errors
    /// A sentence for the log when the file is there and does not make sense.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(format!("the settings in {} cannot be read: {error}", file.display())),
        };
        serde_json::from_str(&text).map_err(|error| {
            format!("the settings in {} do not make sense, so the defaults hold: {error}", file.display())
        })
    }

    /// Writes the settings, by a temporary file and a rename.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn write(&self, file: &Path) -> std::io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut temporary, self)?;
        temporary.persist(file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/settings.json");
        assert_eq!(Settings::read(&file), Ok(Settings::default()));
        let mut settings = Settings { shade: Shade::Dark, ..Settings::default() };
        settings.opened(&["a.fasta".into()]);
        settings.remember_mapping("x\ty".into(), "id=x,sequence=y".into());
        settings.write(&file).unwrap();
        assert_eq!(Settings::read(&file), Ok(settings));
        std::fs::write(&file, "{\"shade\": \"dark\", \"later\": 1}").unwrap();
        assert_eq!(Settings::read(&file).unwrap().shade, Shade::Dark, "other versions' files are read");
        std::fs::write(&file, "[").unwrap();
        assert!(Settings::read(&file).unwrap_err().contains("settings.json"));
    }

    #[test]
    fn recent_files_are_few_and_the_latest_comes_first() {
        let mut settings = Settings::default();
        for number in 0..20 {
            settings.opened(&[format!("{number}.fasta").into()]);
        }
        settings.opened(&["15.fasta".into()]);
        settings.opened(&[]);
        assert_eq!(settings.recent.len(), RECENT);
        assert_eq!(settings.recent[0], [PathBuf::from("15.fasta")]);
        assert_eq!(settings.recent[1], [PathBuf::from("19.fasta")]);
    }
}
