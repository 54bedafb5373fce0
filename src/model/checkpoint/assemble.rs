//! From named tensors and settings to a model: finds the encoder, its dimensions, and what is missing or left over.

use super::Problem;
use super::head::{HeadSize, read_head};
use super::settings::{Dimension, Settings};
use super::source::{Described, TensorError, TensorSource};
use super::tensors::{StoredTensor, bert_tensors};
use crate::data::tokens::{DEFAULT_MAX_BASES, LEGACY_SPECIAL_TOKENS, SPECIAL_TOKENS, Tokenizer};
use crate::key::{ContentHash, ModelId};
use crate::model::config::{
    CheckpointLayout, DEFAULT_HEADS, DEFAULT_LAYER_NORM_EPS, EncoderShape, ModelInfo, Objective, WeightKind,
};
use crate::model::error::Misshapen;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Prefixes that training wrappers put before every name.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];
/// Where the encoder may stand within the names.
const ENCODER_ROOTS: [&str; 4] = ["", "bert.", "encoder.", "encoder.bert."];
/// Where this program's own files keep the decoder.
const DECODER_ROOT: &str = "decoder.bert.";
/// More layers than any BERT has.
const MAX_LAYERS: usize = 512;

/// What is to be put together.
pub(super) struct Parts<'a> {
    pub(super) source: &'a mut dyn TensorSource,
    pub(super) layout: CheckpointLayout,
    pub(super) settings: Settings,
    /// `--heads`.
    pub(super) heads: Option<usize>,
    pub(super) sha256: ContentHash,
    pub(super) path: Option<PathBuf>,
    pub(super) default_name: String,
}

/// The tensors that count, by canonical name, and all that is known about them.
#[derive(Debug, Clone)]
pub(super) struct Assembled {
    pub(super) info: ModelInfo,
    /// Names below the encoder's root.
    pub(super) encoder: BTreeMap<String, StoredTensor>,
    /// Decoder, projection and classifier under their own file's names; empty where the file holds none.
    pub(super) decoder: BTreeMap<String, StoredTensor>,
    /// Output layer to k-mers, under the names of `head.rs`; empty where the file holds none.
    pub(super) head: BTreeMap<String, StoredTensor>,
}

/// Names without wrappers, and the names in the file that they stand for.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    fn of(source: &dyn TensorSource) -> Result<Self, Problem> {
        let mut names = BTreeMap::new();
        for original in source.described().keys() {
            let mut name = original.as_str();
            while let Some(rest) = WRAPPERS.iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
                name = rest;
            }
            if names.insert(name.to_owned(), original.clone()).is_some() {
                return Err(Problem::Damaged(format!("it holds tensor {name} twice")));
            }
        }
        Ok(Self(names))
    }

    /// The name in the file.
    pub(super) fn in_file(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Reads a tensor that is there.
    pub(super) fn read(&self, source: &mut dyn TensorSource, name: &str) -> Result<StoredTensor, Problem> {
        let tensor = source.read(&self.0[name])?;
        if !tensor.values.iter().all(|value| value.is_finite()) {
            return Err(Problem::Damaged(format!("tensor {name} holds values that are no numbers")));
        }
        Ok(tensor)
    }

    /// Where the encoder stands.
    fn encoder_root(&self) -> Option<&'static str> {
        let has =
            |start: String| self.0.range(start.clone()..).next().is_some_and(|(name, _)| name.starts_with(&start));
        ENCODER_ROOTS.into_iter().find(|root| has(format!("{root}embeddings.")) || has(format!("{root}encoder.layer.")))
    }

    /// Number of layers below a root: one more than the largest number.
    fn layers(&self, root: &str) -> usize {
        let prefix = format!("{root}encoder.layer.");
        let numbers = self.0.keys().filter_map(|name| {
            let (number, _) = name.strip_prefix(&prefix)?.split_once('.')?;
            number.parse::<usize>().ok()
        });
        numbers.max().map_or(1, |last| last.saturating_add(1))
    }
}

/// Reads the encoder, and of an own file the decoder too.
pub(super) fn assemble(parts: Parts<'_>) -> Result<Assembled, Problem> {
    let Parts { source, layout, settings, heads, sha256, path, default_name } = parts;
    let names = Names::of(source)?;
    refuse_added_tokens(&names)?;
    let root = names.encoder_root().ok_or_else(|| no_encoder(&names))?;
    let mut warnings = Vec::new();

    let bert = measure(source, &names, root)?;
    check_claims(&settings, &bert)?;
    let words = read_words(&bert, layout, &settings)?;
    if words.max_tokens() > bert.shape.positions {
        let what = format!(
            "{} bases make {} tokens, the model has {} positions",
            words.max_bases(),
            words.max_tokens(),
            bert.shape.positions
        );
        return Err(Problem::Settings(what));
    }
    let encoder_shape = EncoderShape { heads: choose_heads(&settings, heads, &bert, &mut warnings)?, ..bert.shape };
    let mut used: Vec<String> = bert.tensors.iter().map(|(name, _)| format!("{root}{name}")).collect();
    let encoder = read_all(source, &names, root, &bert.tensors)?;

    let (mut decoder_shape, mut decoder) = (None, BTreeMap::new());
    if layout == CheckpointLayout::Own && names.0.keys().any(|name| name.starts_with(DECODER_ROOT)) {
        let found = measure(source, &names, DECODER_ROOT)?;
        let heads = settings.decoder_heads.unwrap_or(encoder_shape.heads);
        decoder_shape = Some(EncoderShape { heads, ..found.shape });
        let wanted = decoder_tensors(&found, &encoder_shape, words.vocabulary() - words.special_tokens().len());
        check_present(source, &names, "", &wanted)?;
        check_shapes(source, &names, "", &wanted)?;
        decoder = read_all(source, &names, "", &wanted)?;
        used.extend(wanted.into_iter().map(|(name, _)| name));
    }
    let mut head = BTreeMap::new();
    if decoder.is_empty() {
        let special = words.special_tokens().len();
        let size = HeadSize { width: encoder_shape.width, special, kmers: words.vocabulary() - special };
        let found = read_head(source, &names, size, &format!("{root}embeddings.word_embeddings.weight"))?;
        head = found.tensors;
        used.extend(found.used);
    }

    let ignored_tensors = left_over(&names, &used, &mut warnings);
    let layer_norm_eps = settings.layer_norm_eps.unwrap_or(DEFAULT_LAYER_NORM_EPS);
    if !(layer_norm_eps > 0.0 && layer_norm_eps < 1.0) {
        return Err(Problem::Settings(format!("layer norm's epsilon {layer_norm_eps} makes no sense")));
    }
    let objective = objective_of(layout, &settings, decoder_shape.is_some(), !head.is_empty());
    let mut info = ModelInfo {
        name: settings.name.unwrap_or(default_name),
        path,
        layout,
        id: ContentHash([0; 32]),
        sha256,
        k: words.k(),
        max_bases: words.max_bases(),
        special_tokens: words.special_tokens().to_vec(),
        encoder: encoder_shape,
        decoder: decoder_shape,
        head: !head.is_empty(),
        objective,
        layer_norm_eps,
        causal: settings.causal.unwrap_or(objective == Objective::Causal),
        read: settings.read.unwrap_or_default(),
        parameters: encoder.values().map(|tensor| tensor.values.len()).sum(),
        weights: encoder
            .values()
            .map(|tensor| tensor.kind)
            .max_by_key(|kind| *kind == WeightKind::F32)
            .unwrap_or(WeightKind::F32),
        ignored_tensors,
        warnings,
        training: settings.training,
    };
    info.id = model_id(&info, &encoder);
    Ok(Assembled { info, encoder, decoder, head })
}

/// What the settings say that the model was trained to do, or what the layout and the parts in the file tell.
fn objective_of(layout: CheckpointLayout, settings: &Settings, decoder: bool, head: bool) -> Objective {
    let said = settings.training.get("objective").and_then(serde_json::Value::as_str).map(Objective::of_key);
    match (said, layout) {
        (Some(objective), _) => objective,
        (None, CheckpointLayout::BarcodeMae) => Objective::Mae,
        (None, CheckpointLayout::BarcodeMlm) => Objective::Mlm,
        (None, _) if decoder => Objective::Mae,
        (None, CheckpointLayout::LegacyBarcodeBert | CheckpointLayout::HuggingFace) if head => Objective::Mlm,
        (None, _) => Objective::Unknown,
    }
}

/// Hash of the weights and of the settings that change what the encoder computes from a barcode.
pub(in crate::model) fn model_id(info: &ModelInfo, encoder: &BTreeMap<String, StoredTensor>) -> ModelId {
    let mut settings = serde_json::json!({
        "k": info.k, "max_bases": info.max_bases, "special_tokens": info.special_tokens,
        "encoder": info.encoder, "layer_norm_eps": info.layer_norm_eps,
    });
    if info.causal {
        settings["attention"] = "causal".into();
    }
    let mut parts = vec![settings.to_string().into_bytes()];
    for (name, tensor) in encoder {
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        parts.extend([name.clone().into_bytes(), ContentHash::of(&bytes).0.to_vec()]);
    }
    ContentHash::of_parts(parts.iter().map(Vec::as_slice))
}

/// A BERT as found in a file: its dimensions (heads are not in the weights) and the tensors that it must have.
struct Bert {
    shape: EncoderShape,
    vocabulary: usize,
    token_types: usize,
    tensors: Vec<(String, Vec<usize>)>,
}

/// Dimensions of the BERT below `root`; every tensor is there and fits them.
fn measure(source: &dyn TensorSource, names: &Names, root: &str) -> Result<Bert, Problem> {
    let layers = names.layers(root);
    if layers > MAX_LAYERS {
        return Err(Problem::Unsupported(format!("it claims {layers} layers")));
    }
    let empty = EncoderShape { layers, width: 0, inner: 0, heads: 0, positions: 0 };
    check_present(source, names, root, &bert_tensors(&empty, 0, 0))?;
    let table = |name: &str| match &source.described()[&names.0[&format!("{root}{name}")]] {
        Described::Tensor { shape, .. } if shape.len() == 2 && !shape.contains(&0) => Ok((shape[0], shape[1])),
        other => Err(Problem::Misshapen(vec![Misshapen {
            name: format!("{root}{name}"),
            expected: Vec::new(),
            found: format!("{}, no table", show(other)),
        }])),
    };
    let (vocabulary, width) = table("embeddings.word_embeddings.weight")?;
    let (positions, _) = table("embeddings.position_embeddings.weight")?;
    let (token_types, _) = table("embeddings.token_type_embeddings.weight")?;
    let (inner, _) = table("encoder.layer.0.intermediate.dense.weight")?;
    let shape = EncoderShape { positions, inner, width, ..empty };
    let tensors = bert_tensors(&shape, vocabulary, token_types);
    check_shapes(source, names, root, &tensors)?;
    Ok(Bert { shape, vocabulary, token_types, tensors })
}

fn decoder_tensors(decoder: &Bert, encoder: &EncoderShape, classes: usize) -> Vec<(String, Vec<usize>)> {
    let below = decoder.tensors.iter().map(|(name, shape)| (format!("{DECODER_ROOT}{name}"), shape.clone()));
    let width = decoder.shape.width;
    let head = head_tensors("decoder.classifier", classes, width);
    below.chain(head).chain(head_tensors("projection", width, encoder.width)).collect()
}

/// Weight and bias of a linear map.
fn head_tensors(name: &str, outputs: usize, inputs: usize) -> [(String, Vec<usize>); 2] {
    [(format!("{name}.weight"), vec![outputs, inputs]), (format!("{name}.bias"), vec![outputs])]
}

fn check_present(
    source: &dyn TensorSource,
    names: &Names,
    root: &str,
    wanted: &[(String, Vec<usize>)],
) -> Result<(), Problem> {
    debug_assert_eq!(source.described().len(), names.0.len());
    let missing: Vec<String> =
        wanted.iter().map(|(name, _)| format!("{root}{name}")).filter(|name| !names.0.contains_key(name)).collect();
    if missing.is_empty() { Ok(()) } else { Err(Problem::Missing(missing)) }
}

fn check_shapes(
    source: &dyn TensorSource,
    names: &Names,
    root: &str,
    wanted: &[(String, Vec<usize>)],
) -> Result<(), Problem> {
    let misshapen = wanted.iter().filter_map(|(name, expected)| {
        let name = format!("{root}{name}");
        let described = &source.described()[&names.0[&name]];
        let fits = matches!(described, Described::Tensor { shape, .. } if shape == expected);
        (!fits).then(|| Misshapen { name, expected: expected.clone(), found: show(described) })
    });
    let misshapen: Vec<Misshapen> = misshapen.collect();
    if misshapen.is_empty() { Ok(()) } else { Err(Problem::Misshapen(misshapen)) }
}

fn show(described: &Described) -> String {
    match described {
        Described::Tensor { shape, .. } => format!("{shape:?}"),
        Described::Other(what) => what.clone(),
    }
}

fn read_all(
    source: &mut dyn TensorSource,
    names: &Names,
    root: &str,
    wanted: &[(String, Vec<usize>)],
) -> Result<BTreeMap<String, StoredTensor>, Problem> {
    let mut tensors = BTreeMap::new();
    for (name, _) in wanted {
        tensors.insert(name.clone(), names.read(source, &format!("{root}{name}"))?);
    }
    Ok(tensors)
}

fn check_claims(settings: &Settings, bert: &Bert) -> Result<(), Problem> {
    let found = |dimension: Dimension| match dimension {
        Dimension::Vocabulary => bert.vocabulary,
        Dimension::Layers => bert.shape.layers,
        Dimension::Width => bert.shape.width,
        Dimension::Inner => bert.shape.inner,
        Dimension::Positions => bert.shape.positions,
        Dimension::TokenTypes => bert.token_types,
    };
    match settings.claims.iter().find(|(_, dimension, claimed)| found(*dimension) != *claimed) {
        None => Ok(()),
        Some((name, dimension, claimed)) => {
            let weights = found(*dimension);
            Err(Problem::Settings(format!("its settings say {name} = {claimed}, its weights have {weights}")))
        }
    }
}

/// k and the special tokens, from the size of the vocabulary and from settings.
fn read_words(bert: &Bert, layout: CheckpointLayout, settings: &Settings) -> Result<Tokenizer, Problem> {
    let k_with = |special: usize| {
        let kmers = bert.vocabulary.checked_sub(special)?;
        (1..=Tokenizer::MAX_K).find(|&k| kmers == 1 << (2 * k))
    };
    let (k, special_tokens) = match &settings.special_tokens {
        Some(names) => (k_with(names.len()), names.clone()),
        None if k_with(SPECIAL_TOKENS.len()).is_some() => {
            (k_with(SPECIAL_TOKENS.len()), SPECIAL_TOKENS.map(str::to_owned).to_vec())
        }
        None => {
            let k = k_with(LEGACY_SPECIAL_TOKENS.len());
            if k.is_some() && layout != CheckpointLayout::LegacyBarcodeBert {
                let what = "a CLS variant: its vocabulary has three special tokens, where this layout has two";
                return Err(Problem::Unsupported(what.to_owned()));
            }
            (k, LEGACY_SPECIAL_TOKENS.map(str::to_owned).to_vec())
        }
    };
    let k = k.ok_or_else(|| unknown_vocabulary(bert.vocabulary))?;
    if let Some(claimed) = settings.k.filter(|&claimed| claimed != k) {
        return Err(Problem::Settings(format!("its settings say k = {claimed}, its vocabulary is that of k = {k}")));
    }
    let max_bases = settings.max_bases.unwrap_or(DEFAULT_MAX_BASES);
    Tokenizer::new(k, max_bases, &special_tokens).map_err(|error| Problem::Settings(error.to_string()))
}

fn unknown_vocabulary(vocabulary: usize) -> Problem {
    let with_n =
        (1..=Tokenizer::MAX_K as u32).any(|k| vocabulary.checked_sub(SPECIAL_TOKENS.len()) == Some(5usize.pow(k)));
    Problem::Unsupported(if with_n {
        "it was trained with tokenize_n_nucleotide, whose k-mers hold N as a fifth letter".to_owned()
    } else {
        format!("its vocabulary of {vocabulary} tokens is no set of k-mers; BPE tokenisers and others are not read")
    })
}

fn choose_heads(
    settings: &Settings,
    asked: Option<usize>,
    bert: &Bert,
    warnings: &mut Vec<String>,
) -> Result<usize, Problem> {
    let heads = match (settings.heads, asked) {
        (Some(heads), Some(asked)) if heads != asked => {
            warnings.push(format!("--heads {asked} is not used: the settings say {heads} heads"));
            heads
        }
        (Some(heads), _) | (None, Some(heads)) => heads,
        (None, None) => {
            warnings.push(format!(
                "the file does not say how many attention heads the model has; {DEFAULT_HEADS} are assumed. Give --heads, or \
                 write {{\"num_attention_heads\": N}} into FILE.json beside it"
            ));
            DEFAULT_HEADS
        }
    };
    let width = bert.shape.width;
    if heads == 0 || !width.is_multiple_of(heads) {
        return Err(Problem::Settings(format!(
            "{heads} attention heads do not divide the width of {width}; give the right number with --heads"
        )));
    }
    Ok(heads)
}

/// Variants that read through tokens that this program does not add.
fn refuse_added_tokens(names: &Names) -> Result<(), Problem> {
    let variant = names.0.keys().find_map(|name| {
        let has = |word: &str| name.contains(word);
        if has("register_tokens") {
            Some("a variant with register tokens")
        } else if has("jumbo") {
            Some("a jumbo variant: it reads through several wide CLS tokens")
        } else if has("cls_token") {
            Some("a CLS variant: it reads through an added [CLS] token")
        } else {
            None
        }
    });
    variant.map_or(Ok(()), |what| Err(Problem::Unsupported(what.to_owned())))
}

fn no_encoder(names: &Names) -> Problem {
    let first: Vec<&str> = names.0.keys().take(3).map(String::as_str).collect();
    Problem::NotACheckpoint(format!(
        "its tensors are not those of a BERT encoder (it starts with {})",
        first.join(", ")
    ))
}

/// The tensors that are known and not needed; the others make a warning. What a run keeps to go on is no part of the model.
fn left_over(names: &Names, used: &[String], warnings: &mut Vec<String>) -> Vec<String> {
    let used: std::collections::HashSet<&str> = used.iter().map(String::as_str).collect();
    let of_run = |name: &str| name.starts_with(super::RUN_PREFIX);
    let rest = names.0.keys().map(String::as_str).filter(|name| !used.contains(name) && !of_run(name));
    let (known, unknown): (Vec<&str>, Vec<&str>) = rest.partition(|name| is_known(name));
    if !unknown.is_empty() {
        const SHOWN: usize = 8;
        let more = if unknown.len() > SHOWN { format!(" and {} more", unknown.len() - SHOWN) } else { String::new() };
        let shown = unknown[..unknown.len().min(SHOWN)].join(", ");
        warnings.push(format!("{} tensors are unknown and were not used: {shown}{more}", unknown.len()));
    }
    known.into_iter().map(str::to_owned).collect()
}

/// Poolers, heads, decoders and buffers of BERT models.
fn is_known(name: &str) -> bool {
    const PARTS: [&str; 5] = ["pooler", "classifier", "cls", "position_ids", "token_type_ids"];
    const DECODERS: [&str; 3] = ["decoder", "projection", "projection_layer"];
    let mut parts = name.split('.');
    parts.next().is_some_and(|first| DECODERS.contains(&first)) || name.split('.').any(|part| PARTS.contains(&part))
}

impl From<TensorError> for Problem {
    fn from(error: TensorError) -> Self {
        Self::Damaged(error.to_string())
    }
}
