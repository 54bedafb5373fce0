//! How a result was made: enough to make it again.

use crate::data::dataset::Dataset;
use crate::key::{ContentHash, DatasetId, ModelId};
use crate::seed::Seed;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Version of this program, as in its Cargo.toml.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The git commit that it was built from, or `unknown`.
pub const COMMIT: &str = env!("BARCODESCOPE_COMMIT");

/// The optional parts that this program was built with.
pub fn features() -> Vec<&'static str> {
    [
        (cfg!(feature = "gui"), "gui"),
        (cfg!(feature = "glow"), "glow"),
        (cfg!(feature = "cuda"), "cuda"),
        (cfg!(feature = "metal"), "metal"),
    ]
    .into_iter()
    .filter_map(|(present, name)| present.then_some(name))
    .collect()
}

/// Version, commit and features in one line.
pub fn version_line() -> String {
    let features = features();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    format!("{VERSION} (commit {COMMIT}; features: {features})")
}

/// How a result was made. Every result carries one, and every export writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub version: Cow<'static, str>,
    /// Commit of this program.
    pub commit: Cow<'static, str>,
    /// Seed of every random draw.
    pub seed: Seed,
    /// Name and content hash of the model, where one was used.
    pub model: Option<(String, ModelId)>,
    /// Name and content hash of every dataset that went in.
    pub data: Vec<(String, DatasetId)>,
    /// Name and SHA-256 of every file that went in.
    pub files: Vec<(String, ContentHash)>,
    /// The settings, by name, in the order in which they matter.
    pub settings: Vec<(String, String)>,
}

impl Provenance {
    /// A result of this program on `datasets`, so far without model and settings.
    pub fn new(seed: Seed, datasets: &[&Dataset]) -> Self {
        let mut provenance = Self {
            version: VERSION.into(),
            commit: COMMIT.into(),
            seed,
            model: None,
            data: Vec::new(),
            files: Vec::new(),
            settings: Vec::new(),
        };
        for dataset in datasets {
            let named = (dataset.name().to_owned(), dataset.key());
            if !provenance.data.contains(&named) {
                provenance.data.push(named);
            }
            for file in dataset.files() {
                let name = file.path.file_name().unwrap_or(file.path.as_os_str()).to_string_lossy().into_owned();
                let named = (name, file.sha256);
                if !provenance.files.contains(&named) {
                    provenance.files.push(named);
                }
            }
        }
        provenance
    }

    /// With one more setting.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "values are numbers and literals; borrowing them would only add noise"
    )]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// With the model that was used.
    #[must_use]
    pub fn with_model(mut self, name: &str, id: ModelId) -> Self {
        self.model = Some((name.to_owned(), id));
        self
    }

    /// Model, data and program in a line short enough for a caption.
    pub fn caption(&self) -> String {
        let named = |name: &str, hash: &ContentHash| format!("{name} ({})", hash.short());
        let model = self.model.iter().map(|(name, id)| format!("model {}", named(name, id)));
        let data = self.data.iter().map(|(name, id)| format!("data {}", named(name, id)));
        let program = [format!("seed {}", self.seed.0), format!("Barcodescope {}", self.version)];
        model.chain(data).chain(program).collect::<Vec<_>>().join(" · ")
    }

    /// Every setting in one line.
    pub fn settings_line(&self) -> String {
        self.settings.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("; ")
    }

    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record, SourceFile};

    #[test]
    fn a_dataset_that_is_used_twice_is_named_once() {
        let mut builder = DatasetBuilder::new("survey", Vec::new());
        builder.add_file(SourceFile { path: "folder/survey.csv".into(), sha256: ContentHash::of(b"x") });
        builder.push(Record { id: "a".into(), sequence: b"ACGT".to_vec(), ..Record::default() });
        let dataset = builder.finish();
        let provenance = Provenance::new(Seed(3), &[&dataset, &dataset]).with("k", 5);
        assert_eq!(provenance.data, [("survey".to_owned(), dataset.key())]);
        assert_eq!(provenance.files, [("survey.csv".to_owned(), ContentHash::of(b"x"))]);
        assert_eq!((provenance.setting("k"), provenance.setting("votes")), (Some("5"), None));
        let caption = format!("data survey ({}) · seed 3 · Barcodescope {VERSION}", dataset.key().short());
        assert_eq!((provenance.caption(), provenance.settings_line()), (caption, "k: 5".to_owned()));
    }

    #[test]
    fn the_version_line_names_commit_and_features() {
        let line = version_line();
        assert!(line.contains(VERSION) && line.contains(COMMIT), "{line}");
        assert_eq!(line.contains("gui"), cfg!(feature = "gui"), "{line}");
    }
}
