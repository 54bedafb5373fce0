//! What most commands begin with: files, model, cache.

use super::CommandError;
#[cfg(feature = "gui")]
use super::WindowWish;
use super::args::{Common, Reading, Switch};
use super::watch::Watch;
use crate::data::dataset::Dataset;
use crate::data::import::{ImportOptions, ImportReport, load};
use crate::model::{DeviceChoice, Model, OpenOptions, find_models};
use crate::pipeline::cache::Cache;
use crate::pipeline::embed::{EmbedSettings, Embedded, embed};
use crate::pipeline::shards::folders_in;
use crate::pipeline::stored::MemoryBudget;
use crate::seed::Seed;
use std::path::{Path, PathBuf};

/// Stands for the model in the program among several.
const BUNDLED: &str = "bundled";

impl Common {
    pub(super) fn seed(&self) -> Seed {
        self.seed.map_or_else(Seed::default, Seed)
    }

    /// Where the model runs.
    pub(super) fn device(&self) -> DeviceChoice {
        self.device.unwrap_or_default()
    }

    /// Whether what was said can be done at all.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        if let Some(folder) = &self.shards {
            folders_in(folder)?;
        }
        Ok(())
    }

    /// Where embeddings are kept; `None` where they are not.
    pub(super) fn cache(&self) -> Option<Cache> {
        if self.no_cache {
            return None;
        }
        let cache = self.cache_dir.clone().map(Cache::at).or_else(Cache::standard)?;
        // A folder without shards was refused by `check`.
        let shards = self.shards.as_deref().map(folders_in).and_then(Result::ok).unwrap_or_default();
        Some(cache.with_shards(&shards))
    }

    pub(super) fn embed_settings(&self) -> EmbedSettings {
        EmbedSettings {
            register: self.register.map(|switch| switch == Switch::On),
            layers: self.layers,
            memory: self.memory.map(|megabytes| MemoryBudget { megabytes }),
        }
    }

    /// The model that was asked for, else the bundled one.
    pub(super) fn open_model(&self, watch: &Watch) -> Result<Model, CommandError> {
        self.open(self.model.as_deref(), watch)
    }

    /// Several models by path or name, [`BUNDLED`] for the one in the program; without any, that of [`Self::open_model`].
    pub(super) fn open_models(&self, wanted: &[PathBuf], watch: &Watch) -> Result<Vec<Model>, CommandError> {
        if wanted.is_empty() {
            return Ok(vec![self.open_model(watch)?]);
        }
        let named = |wanted: &PathBuf| (wanted.as_os_str() != BUNDLED || wanted.exists()).then_some(wanted.clone());
        wanted.iter().map(|wanted| self.open(named(wanted).as_deref(), watch)).collect()
    }

    fn open(&self, wanted: Option<&Path>, watch: &Watch) -> Result<Model, CommandError> {
        let model = match wanted {
            None => Model::bundled(&self.device())?,
            Some(wanted) => {
                let precision = self.precision.unwrap_or_default();
                let options = OpenOptions { heads: self.heads, device: self.device(), precision };
                Model::open(&self.find_model(wanted)?, &options)?
            }
        };
        for warning in &model.info().warnings {
            crate::progress::Observer::warn(watch, warning);
        }
        watch.remark(&format!("model: {} ({})", model.info().name, model.device_note()));
        Ok(model)
    }

    /// The path of a checkpoint or folder, or of the one in the model folders that has this name.
    pub(super) fn find_model(&self, wanted: &Path) -> Result<PathBuf, CommandError> {
        if wanted.exists() {
            return Ok(wanted.to_owned());
        }
        let known = find_models(self.models.as_deref());
        let named = |path: &&PathBuf| {
            path.file_stem() == Some(wanted.as_os_str()) || path.file_name() == Some(wanted.as_os_str())
        };
        known.iter().find(named).cloned().ok_or_else(|| {
            let names: Vec<String> =
                known.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
            let known = if names.is_empty() { "none are there".to_owned() } else { names.join(", ") };
            CommandError::Other(format!(
                "'{}' is neither a file nor the name of a model in the model folders ({known})",
                wanted.display()
            ))
        })
    }
}

impl Reading {
    pub(super) fn options(&self) -> Result<ImportOptions, CommandError> {
        let mut options = ImportOptions::default();
        if let Some(map) = &self.map {
            let mapping = map.parse().map_err(|error| CommandError::Usage(format!("--map: {error}")))?;
            options.mapping = Some(mapping);
        }
        if let Some(markers) = &self.markers {
            options.markers.clone_from(markers);
        }
        options.min_length = self.min_length.unwrap_or(options.min_length);
        options.max_length = self.max_length.unwrap_or(options.max_length);
        if options.min_length > options.max_length {
            return Err(CommandError::Usage("--min-length is above --max-length".to_owned()));
        }
        Ok(options)
    }

    /// Reads files as one dataset.
    pub(super) fn load(&self, files: &[PathBuf], watch: &Watch) -> Result<(Dataset, ImportReport), CommandError> {
        let (dataset, report) = load(files, &self.options()?, watch)?;
        let left_out = report.records_read - report.records_kept;
        watch.remark(&format!(
            "{}: {} records, {} kept, {left_out} left out",
            dataset.name(),
            report.records_read,
            report.records_kept,
        ));
        Ok((dataset, report))
    }
}

/// Embeds a dataset as the common settings say.
pub(super) fn embed_with(
    common: &Common,
    model: &Model,
    dataset: &Dataset,
    watch: &Watch,
) -> Result<Embedded, CommandError> {
    let embedded = embed(dataset, None, model, &common.embed_settings(), common.cache().as_ref(), watch)?;
    watch.remark(&format!(
        "{} different barcodes of {}: {} embedded in {:.1} s, {} known from before",
        dataset.unique_len(),
        dataset.name(),
        embedded.computed,
        embedded.seconds,
        embedded.cached,
    ));
    Ok(embedded)
}

/// What the window is told.
#[cfg(feature = "gui")]
pub(super) fn ui_options(wish: &WindowWish) -> crate::ui::UiOptions {
    let common = &wish.common;
    crate::ui::UiOptions {
        files: wish.files.clone(),
        // A name that leads to no model is told of in the window, when it is opened.
        model: common.model.as_ref().map(|wanted| common.find_model(wanted).unwrap_or_else(|_| wanted.clone())),
        models: find_models(common.models.as_deref()),
        seed: common.seed(),
        workshop: crate::jobs::WorkshopOptions {
            device: common.device(),
            precision: common.precision.unwrap_or_default(),
            heads: common.heads,
            reading: common.embed_settings(),
            cache: common.cache(),
        },
    }
}

/// Whether there is anything to show a window on.
///
/// # Errors
/// What is missing, in a few words.
#[cfg(feature = "gui")]
pub(super) fn display() -> Result<(), String> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if cfg!(all(unix, not(target_os = "macos"))) && !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return Err("there is no display".to_owned());
    }
    Ok(())
}
