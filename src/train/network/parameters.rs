//! All weights in one row of numbers, and where each tensor stands in it.
//!
//! One row keeps what is done to all weights alike (clipping, AdamW, checkpoints) to plain loops. Tensors that are used together
//! stand together: query, key and value of a layer are one matrix `[3D, D]` for the products.

use super::Architecture;
use crate::model::EncoderShape;
use crate::seed::Seed;
use rand_distr::{Distribution, Normal};
use std::ops::Range;

/// Standard deviation of BERT's initial weights (Devlin et al. 2019).
const INITIAL_DEVIATION: f32 = 0.02;
/// Token types of Transformers' BERT; only the first is ever read.
const TOKEN_TYPES: usize = 2;

/// One tensor among all weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Name in a checkpoint of this program.
    pub(crate) name: String,
    /// Row-major shape.
    pub(crate) shape: Vec<usize>,
    /// Where its values stand.
    pub(crate) span: Range<usize>,
}

/// Where every tensor of a network stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    entries: Vec<Entry>,
    /// Number of weights.
    pub(super) count: usize,
}

impl Layout {
    fn add(&mut self, name: String, shape: &[usize]) -> Range<usize> {
        let span = self.count..self.count + shape.iter().product::<usize>();
        self.count = span.end;
        self.entries.push(Entry { name, shape: shape.to_vec(), span: span.clone() });
        span
    }

    /// Tensors of one shape that stand side by side, as one span.
    fn joined(&mut self, names: [String; 3], shape: &[usize]) -> Range<usize> {
        let spans = names.map(|name| self.add(name, shape));
        spans[0].start..spans[2].end
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> LinearSpans {
        LinearSpans {
            weight: self.add(format!("{name}.weight"), &[outputs, inputs]),
            bias: self.add(format!("{name}.bias"), &[outputs]),
        }
    }

    fn norm(&mut self, name: &str, width: usize) -> NormSpans {
        NormSpans {
            scale: self.add(format!("{name}.weight"), &[width]),
            shift: self.add(format!("{name}.bias"), &[width]),
        }
    }

    /// All tensors, in the order of their values.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Initial weights as BERT's: N(0, 0.02), biases 0, scales of layer norms 1. Every tensor has a stream of its own, so that
    /// encoders of one shape begin alike under every objective.
    pub(crate) fn initial(&self, seed: Seed) -> Vec<f32> {
        let normal = Normal::new(0.0, INITIAL_DEVIATION).expect("a positive deviation");
        let mut values = vec![0.0; self.count];
        for Entry { name, span, .. } in &self.entries {
            let values = &mut values[span.clone()];
            if name.ends_with("LayerNorm.weight") {
                values.fill(1.0);
            } else if !name.ends_with(".bias") {
                let mut rng = seed.stream(&format!("train/weights/{name}"));
                values.iter_mut().for_each(|value| *value = normal.sample(&mut rng));
            }
        }
        values
    }
}

/// A linear map: weight `[out, in]`, bias `[out]`.
#[derive(Debug, Clone)]
pub(super) struct LinearSpans {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
}

/// A layer norm: scale and shift `[D]`.
#[derive(Debug, Clone)]
pub(super) struct NormSpans {
    pub(super) scale: Range<usize>,
    pub(super) shift: Range<usize>,
}

/// One transformer layer.
#[derive(Debug, Clone)]
pub(super) struct LayerSpans {
    /// Query, key and value as one map to `[3D]`.
    pub(super) joined: LinearSpans,
    pub(super) attention_output: LinearSpans,
    pub(super) attention_norm: NormSpans,
    pub(super) inner: LinearSpans,
    pub(super) outer: LinearSpans,
    pub(super) output_norm: NormSpans,
}

/// One BERT: embeddings and layers.
#[derive(Debug, Clone)]
pub(super) struct BertSpans {
    pub(super) shape: EncoderShape,
    pub(super) words: Range<usize>,
    pub(super) positions: Range<usize>,
    pub(super) types: Range<usize>,
    pub(super) norm: NormSpans,
    pub(super) layers: Vec<LayerSpans>,
}

impl BertSpans {
    fn new(layout: &mut Layout, root: &str, shape: EncoderShape, vocabulary: usize) -> Self {
        let width = shape.width;
        let mut table = |name: &str, rows: usize| layout.add(format!("{root}embeddings.{name}.weight"), &[rows, width]);
        let words = table("word_embeddings", vocabulary);
        let positions = table("position_embeddings", shape.positions);
        let types = table("token_type_embeddings", TOKEN_TYPES);
        let norm = layout.norm(&format!("{root}embeddings.LayerNorm"), width);
        let layers =
            (0..shape.layers).map(|index| LayerSpans::new(layout, &format!("{root}encoder.layer.{index}"), shape));
        Self { shape, words, positions, types, norm, layers: layers.collect() }
    }
}

impl LayerSpans {
    fn new(layout: &mut Layout, root: &str, shape: EncoderShape) -> Self {
        let EncoderShape { width, inner, .. } = shape;
        let part = |kind: &str| ["query", "key", "value"].map(|part| format!("{root}.attention.self.{part}.{kind}"));
        Self {
            joined: LinearSpans {
                weight: layout.joined(part("weight"), &[width, width]),
                bias: layout.joined(part("bias"), &[width]),
            },
            attention_output: layout.linear(&format!("{root}.attention.output.dense"), width, width),
            attention_norm: layout.norm(&format!("{root}.attention.output.LayerNorm"), width),
            inner: layout.linear(&format!("{root}.intermediate.dense"), inner, width),
            outer: layout.linear(&format!("{root}.output.dense"), width, inner),
            output_norm: layout.norm(&format!("{root}.output.LayerNorm"), width),
        }
    }
}

/// The decoder of a masked autoencoder with the projection before it.
#[derive(Debug, Clone)]
pub(super) struct DecoderSpans {
    pub(super) projection: LinearSpans,
    pub(super) bert: BertSpans,
}

/// Every tensor of a network.
#[derive(Debug, Clone)]
pub(super) struct NetworkSpans {
    pub(super) encoder: BertSpans,
    pub(super) decoder: Option<DecoderSpans>,
    /// From the last hidden states to the classes.
    pub(super) head: LinearSpans,
}

impl NetworkSpans {
    /// Lays out the tensors of a network under the names of this program's checkpoints.
    pub(super) fn new(architecture: &Architecture) -> (Layout, Self) {
        let mut layout = Layout::default();
        let &Architecture { encoder, decoder, vocabulary, classes, .. } = architecture;
        let of_encoder = BertSpans::new(&mut layout, "encoder.", encoder, vocabulary);
        let of_decoder = decoder.map(|shape| DecoderSpans {
            projection: layout.linear("projection", shape.width, encoder.width),
            bert: BertSpans::new(&mut layout, "decoder.bert.", shape, vocabulary),
        });
        let head = match decoder {
            Some(shape) => layout.linear("decoder.classifier", classes, shape.width),
            None => layout.linear("classifier", classes, encoder.width),
        };
        (layout, Self { encoder: of_encoder, decoder: of_decoder, head })
    }
}
