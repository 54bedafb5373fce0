//! What settings say about a model, from whichever file they come.

use crate::data::reading::ReadSettings;
use crate::model::config::EncoderShape;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::path::Path;

/// Settings that count. What is absent follows from the weights or from the published defaults.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) name: Option<String>,
    pub(super) heads: Option<usize>,
    pub(super) decoder_heads: Option<usize>,
    pub(super) k: Option<usize>,
    pub(super) max_bases: Option<usize>,
    pub(super) special_tokens: Option<Vec<String>>,
    pub(super) layer_norm_eps: Option<f64>,
    pub(super) read: Option<ReadSettings>,
    pub(super) causal: Option<bool>,
    pub(super) sha256: Option<String>,
    /// The file beside the weights that holds the record of the training barcodes.
    pub(super) seen: Option<String>,
    /// Dimensions as claimed, by the name of the claim; the weights must agree.
    pub(super) claims: Vec<(&'static str, Dimension, usize)>,
    /// Everything else, kept for the reader.
    pub(super) training: BTreeMap<String, Json>,
}

/// A dimension that settings may claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Vocabulary,
    Layers,
    Width,
    Inner,
    Positions,
    TokenTypes,
}

/// The JSON file beside a checkpoint: this program's own settings, or only the number of heads.
#[derive(Debug, Deserialize)]
struct OwnFile {
    name: Option<String>,
    k: Option<usize>,
    max_len: Option<usize>,
    special_tokens: Option<Vec<String>>,
    encoder: Option<EncoderShape>,
    decoder: Option<EncoderShape>,
    num_attention_heads: Option<usize>,
    layer_norm_eps: Option<f64>,
    activation: Option<String>,
    read: Option<ReadSettings>,
    attention: Option<String>,
    sha256: Option<String>,
    seen: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

impl Settings {
    /// From the text of the JSON file beside a checkpoint.
    pub(super) fn from_own_json(text: &str) -> Result<Self, String> {
        let file: OwnFile = serde_json::from_str(text).map_err(|error| format!("no settings of a model: {error}"))?;
        check_activation(file.activation.as_deref())?;
        let claims = file.encoder.map_or_else(Vec::new, |shape| {
            vec![
                ("encoder.layers", Dimension::Layers, shape.layers),
                ("encoder.width", Dimension::Width, shape.width),
                ("encoder.inner", Dimension::Inner, shape.inner),
                ("encoder.positions", Dimension::Positions, shape.positions),
            ]
        });
        Ok(Self {
            name: file.name,
            heads: file.encoder.map(|shape| shape.heads).or(file.num_attention_heads),
            decoder_heads: file.decoder.map(|shape| shape.heads).or(file.num_attention_heads),
            k: file.k,
            max_bases: file.max_len,
            special_tokens: file.special_tokens,
            layer_norm_eps: file.layer_norm_eps,
            read: file.read,
            causal: file.attention.as_deref().map(is_causal).transpose()?,
            sha256: file.sha256,
            seen: file.seen,
            claims,
            training: file.rest.into_iter().collect(),
        })
    }

    /// From Transformers' settings of a BERT: `config.json`, or the mapping within a published checkpoint.
    pub(super) fn from_bert_config(config: &Map<String, Json>) -> Result<Self, String> {
        let text = |key: &str| config.get(key).and_then(Json::as_str);
        let number = |key: &str| config.get(key).and_then(Json::as_u64).and_then(|value| usize::try_from(value).ok());
        if let Some(other) = text("model_type").filter(|&kind| kind != "bert") {
            return Err(format!("a model of type {other}; only BERT encoders are read"));
        }
        if let Some(other) = text("position_embedding_type").filter(|&kind| kind != "absolute") {
            return Err(format!("positions of type {other}; only learned absolute positions are read"));
        }
        if config.get("is_decoder").and_then(Json::as_bool) == Some(true) {
            return Err("a causal decoder; only encoders are read".to_owned());
        }
        check_activation(text("hidden_act"))?;
        let claimed = [
            ("vocab_size", Dimension::Vocabulary),
            ("num_hidden_layers", Dimension::Layers),
            ("hidden_size", Dimension::Width),
            ("intermediate_size", Dimension::Inner),
            ("max_position_embeddings", Dimension::Positions),
            ("type_vocab_size", Dimension::TokenTypes),
        ];
        let claims = claimed.into_iter().filter_map(|(key, dimension)| Some((key, dimension, number(key)?))).collect();
        Ok(Self {
            heads: number("num_attention_heads"),
            layer_norm_eps: config.get("layer_norm_eps").and_then(Json::as_f64),
            claims,
            ..Self::default()
        })
    }

    /// From the run's settings within a published checkpoint (`config`): refuses the variants that read otherwise.
    pub(super) fn from_run(run: &Map<String, Json>) -> Result<Self, String> {
        let number = |key: &str| run.get(key).and_then(Json::as_u64).and_then(|value| usize::try_from(value).ok());
        let is_set = |key: &str| run.get(key).is_some_and(truthy);
        if let Some(other) = run.get("tokenizer").and_then(Json::as_str).filter(|&kind| kind != "kmer") {
            return Err(format!("its tokenizer is '{other}' (a BPE tokeniser or another); only k-mers are read"));
        }
        if is_set("tokenize_n_nucleotide") {
            return Err("it was trained with tokenize_n_nucleotide, whose k-mers hold N as a fifth letter".to_owned());
        }
        if is_set("use_cls_token") || is_set("enable_cls_taxonomy") {
            return Err("a CLS variant (use_cls_token): it reads through an added [CLS] token".to_owned());
        }
        if is_set("jumbo") {
            return Err("a jumbo variant: it reads through several wide CLS tokens".to_owned());
        }
        if number("n_registers").is_some_and(|count| count > 0) {
            return Err("a variant with register tokens (n_registers)".to_owned());
        }
        let (k, stride) = (number("k_mer"), number("stride"));
        if let (Some(k), Some(stride)) = (k, stride)
            && k != stride
        {
            return Err(format!(
                "its k-mers of {k} bases overlap (stride {stride}); only non-overlapping ones are read"
            ));
        }
        Ok(Self {
            name: run.get("run_name").and_then(Json::as_str).map(str::to_owned),
            heads: number("n_heads"),
            k,
            max_bases: number("max_len"),
            ..Self::default()
        })
    }

    /// These settings, with those of `other` where these are silent.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            heads: self.heads.or(other.heads),
            decoder_heads: self.decoder_heads.or(other.decoder_heads),
            k: self.k.or(other.k),
            max_bases: self.max_bases.or(other.max_bases),
            special_tokens: self.special_tokens.or(other.special_tokens),
            layer_norm_eps: self.layer_norm_eps.or(other.layer_norm_eps),
            read: self.read.or(other.read),
            causal: self.causal.or(other.causal),
            sha256: self.sha256.or(other.sha256),
            seen: self.seen.or(other.seen),
            claims: self.claims.into_iter().chain(other.claims).collect(),
            training: other.training.into_iter().chain(self.training).collect(),
        }
    }
}

fn truthy(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(flag) => *flag,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(_) | Json::Object(_) => true,
    }
}

fn is_causal(attention: &str) -> Result<bool, String> {
    match attention {
        "full" => Ok(false),
        "causal" => Ok(true),
        other => Err(format!("attention {other}; only full and causal attention are computed")),
    }
}

fn check_activation(name: Option<&str>) -> Result<(), String> {
    match name {
        None | Some("gelu" | "gelu_erf") => Ok(()),
        Some(other) => Err(format!("activation {other}; only GELU by the error function is computed")),
    }
}

/// Settings beside `weights`, and the path that they were read from: `FILE.json`, and for safetensors first `NAME.json`.
pub(super) fn beside(weights: &Path) -> Vec<std::path::PathBuf> {
    let mut appended = weights.as_os_str().to_owned();
    appended.push(".json");
    let appended = std::path::PathBuf::from(appended);
    match weights.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("safetensors") => {
            vec![weights.with_extension("json"), appended]
        }
        _ => vec![appended],
    }
}
