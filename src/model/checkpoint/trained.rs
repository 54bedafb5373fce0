//! Models of this program's own training.

use super::own::write_whole;
use super::safetensors::{Written, to_bytes};
use super::{Checkpoint, ModelError, SETTINGS_NOTE, StoredTensor, model_id};
use crate::data::reading::ReadSettings;
use crate::data::seen::SeenBarcodes;
use crate::data::tokens::Tokenizer;
use crate::key::ContentHash;
use crate::model::config::{CheckpointLayout, DEFAULT_LAYER_NORM_EPS, EncoderShape, ModelInfo, Objective, WeightKind};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A model as training leaves it.
#[derive(Debug, Clone)]
pub struct Trained<'a> {
    /// What the model is called.
    pub name: &'a str,
    /// Cuts barcodes for it.
    pub tokenizer: &'a Tokenizer,
    /// Dimensions of the encoder.
    pub encoder: EncoderShape,
    /// Dimensions of the decoder, where there is one.
    pub decoder: Option<EncoderShape>,
    /// Whether a token sees only itself and those before it.
    pub causal: bool,
    /// How it reads.
    pub read: ReadSettings,
    /// Name, shape and values of every tensor, under the names of this program's files.
    pub tensors: Vec<(&'a str, &'a [usize], &'a [f32])>,
    /// The barcodes that it was trained on.
    pub seen: Arc<SeenBarcodes>,
    /// What is to be known of the training.
    pub training: BTreeMap<String, serde_json::Value>,
}

impl Checkpoint {
    /// A model that was trained here.
    pub fn trained(trained: Trained<'_>) -> Self {
        let (mut encoder, mut rest) = (BTreeMap::new(), BTreeMap::new());
        for (name, shape, values) in trained.tensors {
            let tensor = StoredTensor { shape: shape.to_vec(), values: values.to_vec(), kind: WeightKind::F32 };
            match name.strip_prefix("encoder.") {
                Some(name) => encoder.insert(name.to_owned(), tensor),
                None => rest.insert(name.to_owned(), tensor),
            };
        }
        let mut info = ModelInfo {
            name: trained.name.to_owned(),
            path: None,
            layout: CheckpointLayout::Own,
            id: ContentHash([0; 32]),
            sha256: ContentHash([0; 32]),
            k: trained.tokenizer.k(),
            max_bases: trained.tokenizer.max_bases(),
            special_tokens: trained.tokenizer.special_tokens().to_vec(),
            encoder: trained.encoder,
            decoder: trained.decoder,
            head: trained.decoder.is_none(),
            objective: trained
                .training
                .get("objective")
                .and_then(|said| said.as_str())
                .map_or_else(Objective::default, Objective::of_key),
            layer_norm_eps: DEFAULT_LAYER_NORM_EPS,
            causal: trained.causal,
            read: trained.read,
            parameters: encoder.values().map(|tensor| tensor.values.len()).sum(),
            weights: WeightKind::F32,
            ignored_tensors: Vec::new(),
            warnings: Vec::new(),
            training: trained.training,
        };
        info.id = model_id(&info, &encoder);
        info.sha256 = info.id;
        let (decoder, head) = if trained.decoder.is_some() { (rest, BTreeMap::new()) } else { (BTreeMap::new(), rest) };
        Self { info, encoder, decoder, head, seen: Some(trained.seen) }
    }

    /// Writes the model as one file that holds its settings too, so that it is replaced in one step, with more rows of numbers
    /// and notes for whoever trains it on. What is written reads back to the same model.
    ///
    /// # Errors
    /// [`ModelError::Io`] where the file can't be written; what stood there before then stays.
    pub fn write_run(
        &self,
        path: &Path,
        numbers: &[(&str, &[f32])],
        notes: &BTreeMap<String, String>,
    ) -> Result<(), ModelError> {
        let mut written = self.written();
        for (name, values) in numbers {
            let tensor = StoredTensor { shape: vec![values.len()], values: values.to_vec(), kind: WeightKind::F32 };
            written.push(Written::tensor((*name).to_owned(), &tensor));
        }
        let mut notes = notes.clone();
        notes.insert(SETTINGS_NOTE.to_owned(), self.settings(None).to_string());
        write_whole(path, &to_bytes(&written, &notes))
    }

    /// Rows of numbers and notes of a file of [`Self::write_run`].
    ///
    /// # Errors
    /// [`ModelError::Io`] and [`ModelError::Damaged`].
    pub fn read_run(path: &Path) -> Result<RunFile, ModelError> {
        let bytes = std::fs::read(path).map_err(|source| ModelError::Io { path: path.to_owned(), source })?;
        let damaged = |error: safetensors::SafeTensorError| ModelError::Damaged {
            path: path.to_owned(),
            what: format!("no safetensors: {error}"),
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let numbers = tensors.tensors().into_iter().filter(|(_, view)| view.dtype() == safetensors::Dtype::F32);
        let numbers = numbers.map(|(name, view)| {
            let values = view.data().as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
            (name, values)
        });
        let notes = metadata.metadata().clone().unwrap_or_default();
        Ok(RunFile { numbers: numbers.collect(), notes: notes.into_iter().collect() })
    }
}

/// A file that a run goes on from.
#[derive(Debug, Clone)]
pub struct RunFile {
    /// All 32-bit tensors, by name, the model's own among them.
    pub numbers: BTreeMap<String, Vec<f32>>,
    /// All notes, by name.
    pub notes: BTreeMap<String, String>,
}
