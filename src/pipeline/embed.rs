//! Barcodes to embeddings: every different read once, in batches of like length, from the cache where it is known.

use super::cache::Cache;
use super::error::stop_or;
use super::stored::{MemoryBudget, StoredVectors};
use super::{PipelineError, Provenance};
use crate::analysis::knn::VectorSource;
use crate::analysis::transform::Transform;
use crate::data::dataset::Dataset;
use crate::data::frame::{FrameCheck, check_frames};
use crate::data::reading::{Layers, ReadSettings, TransformKind};
use crate::data::seen::SeenBarcodes;
use crate::data::tokens::Tokens;
use crate::key::{ContentHash, DatasetId};
use crate::model::{Model, ModelInfo};
use crate::progress::{Observer, Progress};
use ndarray::Array2;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// What the user chose; `None` is as the model's settings say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EmbedSettings {
    /// Whether barcodes are registered to the COI-5P frame.
    pub register: Option<bool>,
    /// Whose hidden states make the embedding.
    pub layers: Option<Layers>,
    /// What they may take of the memory; `None` is the default.
    pub memory: Option<MemoryBudget>,
}

/// The embeddings of a dataset, before any transform.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// By unique barcode, `[U,D]`.
    pub vectors: StoredVectors,
    /// The dataset.
    pub data: DatasetId,
    /// The model.
    pub model: ModelInfo,
    /// Whether barcodes were registered to the COI-5P frame.
    pub register: bool,
    /// Whose hidden states make the embedding.
    pub layers: Layers,
    /// Whether the model was trained on exactly that barcode, by unique barcode `[U]`; `None` where its file does not tell.
    pub trained_on: Option<Vec<bool>>,
    /// How many different reads were embedded now.
    pub computed: usize,
    /// How many came from the cache.
    pub cached: usize,
    /// Wall time.
    pub seconds: f64,
}

impl Embedded {
    /// The transform to compare vectors under: the one that was chosen, or else what the model's settings ask for, as far as
    /// `barcodes` different barcodes to fit it on allow.
    pub fn transform_for(&self, chosen: Option<TransformKind>, barcodes: usize) -> TransformKind {
        chosen.unwrap_or_else(|| default_transform(self.model.read.transform, barcodes, self.vectors.ncols()))
    }

    /// How many of the specimens `rows` have a barcode that the model was trained on; `None` where its file does not tell.
    pub fn count_trained_on(&self, dataset: &Dataset, rows: &[usize]) -> Option<usize> {
        let known = self.trained_on.as_ref()?;
        Some(rows.iter().filter(|&&row| known[dataset.unique_of(row)]).count())
    }

    /// Writes model and reading into a result's provenance.
    pub fn describe(&self, provenance: Provenance) -> Provenance {
        provenance
            .with_model(&self.model.name, self.model.id)
            .with("model file SHA-256", self.model.sha256)
            .with("register", if self.register { "on" } else { "off" })
            .with("layers", self.layers)
            .with("embeddings kept in", if self.vectors.is_half() { "16 bits" } else { "32 bits" })
    }
}

/// The transform that a model's settings ask for, as far as `barcodes` different barcodes to fit it on allow, for vectors of `width`
/// dimensions.
///
/// Whitening to nearly as many dimensions as there are barcodes makes all of them equally unlike. Measured with the starter on
/// surveys of the benchmark's test splits (species by leave-one-out; all layers, whitened to 512, to 1/16 of the number of
/// barcodes, and not at all): 150 barcodes 35, 92 and 99 %; 600 barcodes 90, 98 and 97 %; 2 000 barcodes 98.2, 98.8 and
/// 96.9 %. So a default of whitening keeps at most one dimension per 16 barcodes, and below 32 dimensions nothing is done.
pub(in crate::pipeline) fn default_transform(asked: TransformKind, barcodes: usize, width: usize) -> TransformKind {
    const BARCODES_PER_DIMENSION: usize = 16;
    const LEAST_DIMENSIONS: usize = 32;
    let TransformKind::Whiten(limit) = asked else { return asked };
    let affordable = barcodes / BARCODES_PER_DIMENSION;
    if affordable < LEAST_DIMENSIONS {
        TransformKind::None
    } else if affordable >= width.min(limit.unwrap_or(usize::MAX)) {
        TransformKind::Whiten(limit)
    } else {
        TransformKind::Whiten(Some(affordable))
    }
}

/// Embeds every different barcode of a dataset. Registration needs the frame checks; without them they are made here.
///
/// # Errors
/// [`PipelineError::Cancelled`] and whatever the model says.
pub fn embed(
    dataset: &Dataset,
    frames: Option<&[FrameCheck]>,
    model: &Model,
    settings: &EmbedSettings,
    cache: Option<&Cache>,
    observer: &dyn Observer,
) -> Result<Embedded, PipelineError> {
    let start = Instant::now();
    let defaults: ReadSettings = model.info().read;
    let register = settings.register.unwrap_or(defaults.register);
    let layers = settings.layers.unwrap_or(defaults.layers);
    let reads = Reads::of(dataset, frames, model, register, observer)?;
    let width = model.width(layers);
    let memory = settings.memory.unwrap_or_default();
    let mut vectors = StoredVectors::zeros(reads.distinct.len(), width, dataset.unique_len(), memory);
    let space = space_of(model, layers);
    let mut missing = vec![true; reads.distinct.len()];
    let cached = match cache {
        None => 0,
        Some(cache) => cache.load(
            &space,
            width,
            &reads.keys,
            &mut |at, vector| {
                vectors.set(at, vector);
                missing[at] = false;
            },
            observer,
        )?,
    };
    let mut to_do: Vec<usize> = (0..missing.len()).filter(|&at| missing[at]).collect();
    // Barcodes of like length share a batch, so that hardly anything is padded; long ones first keep the cores busy to the end.
    to_do.sort_by_key(|&at| std::cmp::Reverse(reads.distinct[at].ids.len()));
    for group in to_do.chunks(Cache::PACK) {
        let done = reads.distinct.len() - missing.iter().filter(|&&missing| missing).count();
        let fresh = embed_group(model, layers, &reads.distinct, group, done, observer)?;
        for (&at, vector) in group.iter().zip(fresh.chunks_exact(width)) {
            vectors.set(at, vector);
            missing[at] = false;
        }
        if let Some(cache) = cache {
            let keys: Vec<ContentHash> = group.iter().map(|&at| reads.keys[at]).collect();
            cache.store(&space, width, &keys, &fresh, observer);
        }
    }
    vectors.spread(&reads.of_unique);
    Ok(Embedded {
        vectors,
        data: dataset.key(),
        model: model.info().clone(),
        register,
        layers,
        trained_on: model.seen().map(|seen| which_are_known(dataset, seen)),
        computed: to_do.len(),
        cached,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// The transform that makes vectors of this model comparable, fitted on a dataset's unique barcodes; `None` as the model's
/// settings say and [`Embedded::transform_for`] limits.
///
/// # Errors
/// [`PipelineError::Analysis`] when it cannot be fitted, and a stop.
pub fn fit_transform(
    embedded: &Embedded,
    kind: Option<TransformKind>,
    observer: &dyn Observer,
) -> Result<Transform, PipelineError> {
    let kind = embedded.transform_for(kind, embedded.vectors.nrows());
    Transform::fit(kind, &embedded.vectors, observer).map_err(|error| stop_or(error, "fitting the transform"))
}

/// Vectors `[N,D]` under a transform, `[N,K]`.
///
/// # Errors
/// [`PipelineError::Analysis`] when the vectors are of another reading than the transform, and a stop.
pub fn apply_transform(
    transform: &Transform,
    vectors: &dyn VectorSource,
    observer: &dyn Observer,
) -> Result<Array2<f32>, PipelineError> {
    transform.apply(vectors, observer).map_err(|error| stop_or(error, "transforming"))
}

pub(in crate::pipeline) fn which_are_known(dataset: &Dataset, seen: &SeenBarcodes) -> Vec<bool> {
    (0..dataset.unique_len()).into_par_iter().map(|unique| seen.contains(dataset.unique_sequence(unique))).collect()
}

/// What the model is given: barcodes that differ only in bases which the reading cuts off share a read.
struct Reads {
    distinct: Vec<Tokens>,
    keys: Vec<ContentHash>,
    /// Index into `distinct` of every unique barcode, `[U]`.
    of_unique: Vec<usize>,
}

impl Reads {
    fn of(
        dataset: &Dataset,
        frames: Option<&[FrameCheck]>,
        model: &Model,
        register: bool,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let made;
        let frames = match frames {
            _ if !register => None,
            Some(frames) => Some(frames),
            None => {
                made = check_frames(dataset, observer)?;
                Some(made.as_slice())
            }
        };
        let tokenizer = model.tokenizer();
        let mut reads = Self { distinct: Vec::new(), keys: Vec::new(), of_unique: Vec::new() };
        let mut known: HashMap<ContentHash, usize> = HashMap::new();
        for unique in 0..dataset.unique_len() {
            let sequence = dataset.unique_sequence(unique);
            // What does not look like COI is read as it is; its flag says so.
            let registration =
                frames.and_then(|frames| frames[unique].registration.as_ref()).filter(|found| found.is_coi());
            let tokens = match registration {
                Some(registration) => tokenizer.read_registered(sequence, registration),
                None => tokenizer.read(sequence),
            };
            let key = key_of(&tokens);
            let next = reads.distinct.len();
            let read = *known.entry(key).or_insert(next);
            if read == next {
                reads.distinct.push(tokens);
                reads.keys.push(key);
            }
            reads.of_unique.push(read);
            if unique % 4096 == 0 {
                observer.progress(Progress::new(
                    "cutting barcodes into tokens",
                    unique,
                    dataset.unique_len(),
                    "barcodes",
                ))?;
            }
        }
        Ok(reads)
    }
}

fn key_of(tokens: &Tokens) -> ContentHash {
    let ids: Vec<u8> = tokens.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    ContentHash::of_parts([&tokens.first_position.to_le_bytes()[..], &ids])
}

/// Everything but the read that the vector depends on.
pub(in crate::pipeline) fn space_of(model: &Model, layers: Layers) -> ContentHash {
    let parts =
        [super::provenance::VERSION.to_owned(), model.info().id.to_string(), layers.to_string(), numbers_of(model)];
    ContentHash::of_parts(parts.iter().map(String::as_bytes))
}

/// Device and precision, where they change the numbers: a CPU is a CPU, for whatever reason it was taken.
fn numbers_of(model: &Model) -> String {
    if model.is_on_gpu() { model.device_note().to_owned() } else { "CPU".to_owned() }
}

/// Vectors of the reads `group`, in its order, `[group,width]`.
fn embed_group(
    model: &Model,
    layers: Layers,
    reads: &[Tokens],
    group: &[usize],
    done: usize,
    observer: &dyn Observer,
) -> Result<Vec<f32>, PipelineError> {
    let longest = group.first().map_or(1, |&at| reads[at].ids.len());
    let embedded = AtomicUsize::new(done);
    let embed = |part: &[usize]| -> Result<Array2<f32>, PipelineError> {
        let so_far = embedded.load(Ordering::Relaxed);
        observer.progress(Progress::new("embedding", so_far, reads.len(), "barcodes"))?;
        let vectors = model.embed(&part.iter().map(|&read| &reads[read]).collect::<Vec<_>>(), layers)?;
        embedded.fetch_add(part.len(), Ordering::Relaxed);
        Ok(vectors)
    };
    let batch = batch_size(model, longest);
    let parts: Vec<Array2<f32>> = if model.is_on_gpu() {
        group.chunks(batch).map(embed).collect::<Result<_, _>>()?
    } else {
        // Each core goes on by itself: none waits for another at the end of a batch.
        group.par_chunks(batch / rayon::current_num_threads()).map(embed).collect::<Result<_, _>>()?
    };
    Ok(parts.iter().flatten().copied().collect())
}

/// As many barcodes as take well under the 200 ms within which cancelling must be felt, on ordinary cores; of a large model one for each
/// core, for one alone leaves the others idle and is felt as long.
pub(super) fn batch_size(model: &Model, tokens: usize) -> usize {
    const FLOP_PER_CORE: f64 = 3e9;
    const ON_GPU: usize = 512;
    if model.is_on_gpu() {
        return ON_GPU;
    }
    let shape = &model.info().encoder;
    let (width, inner, tokens) = (shape.width as f64, shape.inner as f64, tokens.max(1) as f64);
    let per_token = 2.0 * shape.layers as f64 * (4.0 * width * width + 2.0 * width * inner + 2.0 * width * tokens);
    let threads = rayon::current_num_threads();
    ((threads as f64 * FLOP_PER_CORE / (per_token * tokens)) as usize).clamp(threads, 32 * threads)
}

#[cfg(test)]
mod tests;
