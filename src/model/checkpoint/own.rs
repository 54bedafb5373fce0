//! This program's own layout: safetensors with a JSON file beside them.

use super::safetensors::{Written, to_bytes};
use super::{Checkpoint, ModelError, SEEN_TENSOR};
use crate::files::temporary_beside;
use crate::key::ContentHash;
use crate::model::config::Objective;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

impl Checkpoint {
    /// Writes the model as safetensors, and its settings as JSON beside them (`model.safetensors` and `model.json`); returns
    /// the path of the settings. Encoder, projection, decoder and the output layer to k-mers are kept, poolers are not. What is
    /// written reads back to the same model.
    ///
    /// # Errors
    /// [`ModelError::Io`] where a file can't be written; nothing half-written stays. [`ModelError::Settings`] where the name
    /// does not end in `.safetensors`.
    pub fn write(&self, path: &Path) -> Result<PathBuf, ModelError> {
        if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("safetensors")) {
            let what = "the name of the new file must end in .safetensors".to_owned();
            return Err(ModelError::Settings { path: path.to_owned(), what });
        }
        let weights = to_bytes(&self.written(), &BTreeMap::new());
        let settings =
            serde_json::to_string_pretty(&self.settings(Some(&weights))).expect("a JSON value is written as JSON");
        let settings_path = path.with_extension("json");
        write_whole(path, &weights)?;
        write_whole(&settings_path, settings.as_bytes())?;
        Ok(settings_path)
    }

    /// Everything that a file of the model holds.
    pub(super) fn written(&self) -> Vec<Written<'_>> {
        let encoder = self.encoder.iter().map(|(name, tensor)| Written::tensor(format!("encoder.{name}"), tensor));
        let decoder = self.decoder.iter().map(|(name, tensor)| Written::tensor(name.clone(), tensor));
        let head = self.head.iter().map(|(name, tensor)| Written::tensor(name.clone(), tensor));
        let seen = self.seen.iter().map(|seen| Written::bytes(SEEN_TENSOR, seen.to_bytes()));
        encoder.chain(decoder).chain(head).chain(seen).collect()
    }

    /// The model's settings as they stand beside its weights, with the hash of the weights file where it is known.
    pub(super) fn settings(&self, weights: Option<&[u8]>) -> Json {
        let info = &self.info;
        let mut settings = json!({
            "name": info.name,
            "k": info.k,
            "max_len": info.max_bases,
            "special_tokens": info.special_tokens,
            "encoder": info.encoder,
            "decoder": info.decoder,
            "layer_norm_eps": info.layer_norm_eps,
            "activation": "gelu_erf",
            "read": info.read,
        });
        let map = settings.as_object_mut().expect("a map was written above");
        if info.objective != Objective::Unknown {
            map.insert("objective".to_owned(), info.objective.key().into());
        }
        for (key, value) in &info.training {
            map.entry(key.clone()).or_insert_with(|| value.clone());
        }
        if info.causal {
            map.insert("attention".to_owned(), "causal".into());
        }
        if let Some(weights) = weights {
            map.insert("sha256".to_owned(), ContentHash::of(weights).to_string().into());
        }
        settings
    }
}

/// Writes a file in one step: whoever looks sees the old one or the new one.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let io = |source| ModelError::Io { path: path.to_owned(), source };
    let mut file = temporary_beside(path).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    // a name that points to nothing after a power cut would be worse than an old model
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}
