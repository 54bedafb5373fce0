//! Shapes and settings of a model, and everything that is known about one.

use crate::data::reading::ReadSettings;
use crate::data::tokens::Tokenizer;
use crate::key::{ContentHash, ModelId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Layer norm's epsilon in BERT and in every published checkpoint.
pub(super) const DEFAULT_LAYER_NORM_EPS: f64 = 1e-12;
/// Attention heads of the published checkpoints, where nothing says otherwise.
pub(super) const DEFAULT_HEADS: usize = 12;

/// Dimensions of one BERT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EncoderShape {
    /// Number of transformer layers.
    pub layers: usize,
    /// Width of the hidden states, `D`.
    pub width: usize,
    /// Width inside the feed-forward blocks.
    pub inner: usize,
    /// Attention heads; they divide the width.
    pub heads: usize,
    /// Number of learned positions.
    pub positions: usize,
}

impl fmt::Display for EncoderShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layers, width, inner, heads, positions } = self;
        write!(f, "{layers} layers, width {width}, inner {inner}, {heads} heads, {positions} positions")
    }
}

/// Whose way of writing a checkpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointLayout {
    /// `torch.save` of BarcodeMAE's pre-training: the encoder of a masked autoencoder.
    BarcodeMae,
    /// The same script's encoder-only baseline.
    BarcodeMlm,
    /// A bare state dict, as the first BarcodeBERT release.
    LegacyBarcodeBert,
    /// A folder with `config.json` and the weights beside it.
    HuggingFace,
    /// This program's own: safetensors with a JSON file beside them.
    Own,
}

impl fmt::Display for CheckpointLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BarcodeMae => "BarcodeMAE checkpoint",
            Self::BarcodeMlm => "BarcodeMAE's encoder-only checkpoint",
            Self::LegacyBarcodeBert => "legacy BarcodeBERT state dict",
            Self::HuggingFace => "Hugging Face folder",
            Self::Own => "Barcodescope safetensors",
        })
    }
}

/// What a model was trained to do; it decides how its encoder sees a barcode and how its guesses are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Masked autoencoder: the encoder never sees `[MASK]`, a decoder fills in what is masked.
    Mae,
    /// Masked language model: `[MASK]` in the encoder's input, an output layer on top of it.
    Mlm,
    /// Causal language model: every token attends to itself and to those before it, the next k-mer is guessed.
    Causal,
    /// The file does not tell.
    #[default]
    Unknown,
}

impl Objective {
    /// The name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Mae => "mae",
            Self::Mlm => "mlm",
            Self::Causal => "causal",
            Self::Unknown => "unknown",
        }
    }

    /// From its name in files; any other text is an objective that this program does not know.
    pub(super) fn of_key(text: &str) -> Self {
        let known = [Self::Mae, Self::Mlm, Self::Causal];
        known.into_iter().find(|objective| objective.key() == text).unwrap_or_default()
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// How the weights are stored in the file. They are computed with in 32 bits on the CPU, whatever the file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightKind {
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// IEEE single precision.
    F32,
}

/// Everything that is known about a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInfo {
    /// What the model is called.
    pub name: String,
    /// The file that it was read from; none for the bundled and for randomly initialised ones.
    pub path: Option<PathBuf>,
    /// Whose way of writing the file has.
    pub layout: CheckpointLayout,
    /// Hash of the encoder's weights and of the settings that change what it computes.
    pub id: ModelId,
    /// Hash of the weights file.
    pub sha256: ContentHash,
    /// Bases in a k-mer.
    pub k: usize,
    /// Bases that are read of a barcode.
    pub max_bases: usize,
    /// Special tokens, by id.
    pub special_tokens: Vec<String>,
    /// Dimensions of the encoder.
    pub encoder: EncoderShape,
    /// Dimensions of the masked autoencoder's decoder, where the file holds one.
    pub decoder: Option<EncoderShape>,
    /// Whether the file holds an output layer from the encoder to k-mers, as language models have.
    pub head: bool,
    /// What the model was trained to do.
    pub objective: Objective,
    /// Layer norm's epsilon.
    pub layer_norm_eps: f64,
    /// Whether a token sees only itself and those before it: a causal language model.
    pub causal: bool,
    /// How the model reads by default.
    pub read: ReadSettings,
    /// Number of the encoder's weights.
    pub parameters: usize,
    /// How the file stores them.
    pub weights: WeightKind,
    /// Tensors that are known and not needed: poolers, classifiers of taxa, position numbers.
    pub ignored_tensors: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// What the checkpoint says about its training, as it says it.
    pub training: BTreeMap<String, serde_json::Value>,
}

impl ModelInfo {
    /// Cuts barcodes for this model.
    pub fn tokenizer(&self) -> Tokenizer {
        Tokenizer::new(self.k, self.max_bases, &self.special_tokens)
            .expect("k, window and tokens were checked when read")
    }
}
