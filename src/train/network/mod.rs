//! The transformer that is trained, on the CPU in 32 bits: forward and backward by hand. Its twin for GPUs is in `device`.
//!
//! | objective | what runs |
//! |---|---|
//! | masked autoencoder | encoder on the seen tokens alone, projection, decoder on all positions, output layer on the targets |
//! | masked or causal language model | encoder on all tokens, output layer on the targets |
//! | contrast, beside each of them | means of the encoder's last layer over the sequences, compared with one another |
//!
//! candle's operations are made for reading: some of its fused ones have no gradient, and its graph allocates every intermediate
//! anew and adds up gradients on one core. Here memory is taken once and used again in every step, a block of rows passes through
//! half a layer while it is in the cache, and the sums over rows are taken in a fixed order, so that a run can be repeated bit
//! for bit on any number of threads.

mod attention;
mod bert;
mod chosen;
mod contrast;
pub(crate) mod device;
mod head;
mod layer;
mod parameters;
mod products;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use bert::Places;
pub(crate) use contrast::{Matches, Pairs};
pub(crate) use head::{Outcome, Target};
pub(crate) use parameters::Layout;

use crate::arithmetic::fit;
use crate::arithmetic::product::Right;
use crate::model::EncoderShape;
use bert::{Bert, BertDrops, Memory};
use chosen::Chosen;
use head::{Head, HeadScratch};
use layer::{LayerDrops, Scratch};
use parameters::{DecoderSpans, NetworkSpans};
use products::{BLOCK_ROWS, Way, add_column_sums, lay_out, product, weight_gradient};
use rand::RngCore;
use rayon::prelude::*;
use rows::{Dropout, add, add_bias};

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Architecture {
    pub(crate) encoder: EncoderShape,
    /// Of a masked autoencoder alone.
    pub(crate) decoder: Option<EncoderShape>,
    /// Number of token ids.
    pub(crate) vocabulary: usize,
    /// Number of k-mers, which the output layer tells apart.
    pub(crate) classes: usize,
    /// Id of `[MASK]`.
    pub(crate) mask: u32,
    /// Whether a token sees only itself and those before it.
    pub(crate) causal: bool,
    /// Whether the encoder's embedding of `[MASK]` gets no gradient, as in the published code.
    pub(crate) frozen_mask: bool,
}

/// What a network is shown in one pass.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Batch {
    /// Token ids that the encoder reads, `[N]`.
    pub(crate) ids: Vec<u32>,
    /// Where they stand.
    pub(crate) places: Places,
    /// Of a masked autoencoder: every position of every sequence.
    pub(crate) decoder: Option<DecoderRows>,
    /// What must be named, as rows of the last part.
    pub(crate) targets: Vec<Target>,
    /// Where sequences are views of one another: how they are compared.
    pub(crate) pairs: Option<Pairs>,
}

/// What the decoder reads.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DecoderRows {
    /// The encoder's row for every position that it has seen; `None` stands for `[MASK]`.
    pub(crate) sources: Vec<Option<u32>>,
    /// Where they stand.
    pub(crate) places: Places,
}

/// The draws of one pass with dropout.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drops {
    encoder: BertDrops,
    decoder: BertDrops,
    head: Option<Dropout>,
}

impl Drops {
    /// Drops the share `rate` at every place where BERT does; nothing at 0.
    pub(crate) fn new(architecture: &Architecture, rate: f32, rng: &mut impl RngCore) -> Self {
        if rate <= 0.0 {
            return Self::default();
        }
        let mut site = || Some(Dropout::new(rate, rng.next_u32()));
        let mut bert = |layers: usize| BertDrops {
            embeddings: site(),
            layers: (0..layers)
                .map(|_| LayerDrops { attention: site(), attention_output: site(), output: site() })
                .collect(),
        };
        let encoder = bert(architecture.encoder.layers);
        let decoder = bert(architecture.decoder.map_or(0, |shape| shape.layers));
        Self { encoder, decoder, head: site() }
    }
}

/// A network's shape and its working memory. The weights are the caller's.
#[derive(Debug)]
pub(crate) struct Network {
    architecture: Architecture,
    layout: Layout,
    spans: NetworkSpans,
    memory: Workspace,
}

/// Memory that is taken once and used again in every pass.
#[derive(Debug, Default)]
struct Workspace {
    encoder: Memory,
    decoder: Memory,
    /// Of the map between encoder and decoder.
    projection: Right,
    projected: Vec<f32>,
    gradient: Vec<f32>,
    encoder_gradient: Vec<f32>,
    scratch: Scratch,
    head: HeadScratch,
}

impl Network {
    pub(crate) fn new(architecture: Architecture) -> Self {
        let (layout, spans) = NetworkSpans::new(&architecture);
        Self { architecture, layout, spans, memory: Workspace::default() }
    }

    /// Where every tensor stands among the weights.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes of working memory for a pass over `times` as many rows as in the largest pass so far, from the buffers that it took.
    pub(crate) fn working_bytes(&self, times: f64) -> u64 {
        let Workspace { encoder, decoder, projection, projected, gradient, encoder_gradient, scratch, head } =
            &self.memory;
        let [of_rows, logits] = head.numbers();
        let rows = encoder.numbers() + decoder.numbers() + scratch.numbers() + of_rows;
        let rows = rows + projected.capacity() + gradient.capacity() + encoder_gradient.capacity();
        let most_logits = HeadScratch::most_logits(self.architecture.classes) as f64;
        let of_weights =
            encoder.weight_numbers() + decoder.weight_numbers() + projection.numbers() + head.weight_numbers();
        let numbers =
            of_weights as f64 + rows as f64 * times + (logits as f64 * times).min(most_logits.max(logits as f64));
        (numbers * size_of::<f32>() as f64) as u64
    }

    /// Loss of a batch. With `gradients`, those of all weights are added to them.
    pub(crate) fn run(
        &mut self,
        weights: &[f32],
        batch: &Batch,
        drops: &Drops,
        gradients: Option<&mut [f32]>,
    ) -> Outcome {
        let Self { architecture, spans, memory, .. } = self;
        let named = chosen::rows_of(&batch.targets);
        // What compares views, and a decoder, read all of the encoder's last rows.
        let encoder_names = batch.decoder.is_none() && batch.pairs.is_none();
        let encoder = Bert {
            spans: &spans.encoder,
            weights,
            causal: architecture.causal,
            drops: &drops.encoder,
            chosen: if encoder_names { Chosen::of(&named) } else { Chosen::default() },
        };
        let width = architecture.encoder.width;
        let input = memory.encoder.input(batch.ids.len(), width, architecture.encoder.layers);
        let words = &weights[spans.encoder.words.clone()];
        for (row, &id) in input.chunks_exact_mut(width).zip(&batch.ids) {
            row.copy_from_slice(&words[id as usize * width..][..width]);
        }
        encoder.forward(&batch.places, &mut memory.encoder);
        let head_width = spans.head.weight.len() / spans.head.bias.len();
        let head = Head { spans: &spans.head, weights, width: head_width, dropout: drops.head };
        let decoding = spans.decoder.as_ref().zip(batch.decoder.as_ref()).map(|(spans, rows)| Decoding {
            spans,
            rows,
            bert: Bert {
                spans: &spans.bert,
                weights,
                causal: false,
                drops: &drops.decoder,
                chosen: Chosen::of(&named),
            },
            mask: architecture.mask,
            encoder_width: width,
        });
        if let Some(decoding) = &decoding {
            decoding.forward(memory);
        }
        let Workspace { encoder: of_encoder, decoder: of_decoder, gradient, head: head_scratch, .. } = memory;
        let (last, last_bert) = match &decoding {
            Some(decoding) => (&*of_decoder, &decoding.bert),
            None => (&*of_encoder, &encoder),
        };
        let hidden = last.output(head_width);
        let rows: Vec<usize> = batch.targets.iter().map(|target| last_bert.chosen.place(target.row)).collect();
        let compare = |gradient: Option<&mut [f32]>, encoded: &Memory| {
            let run = |pairs: &Pairs| pairs.run(encoded.output(width), width, &batch.places.sequences, gradient);
            batch.pairs.as_ref().map(run).unwrap_or_default()
        };
        let Some(gradients) = gradients else {
            let matches = compare(None, of_encoder);
            return Outcome { matches, ..head.run(hidden, &rows, &batch.targets, head_scratch, None) };
        };
        let at_hidden = &mut fit(gradient, last.input_len(head_width))[..hidden.len()];
        let outcome = head.run(hidden, &rows, &batch.targets, head_scratch, Some((at_hidden, &mut *gradients)));
        if let Some(decoding) = &decoding {
            decoding.backward(memory, gradients);
            std::mem::swap(&mut memory.gradient, &mut memory.encoder_gradient);
        }
        let at_tokens = &mut memory.gradient[..batch.ids.len() * width];
        let matches = compare(Some(&mut *at_tokens), &memory.encoder);
        encoder.backward(&batch.places, &mut memory.encoder, at_tokens, &mut memory.scratch, gradients);
        let of_words = &mut gradients[spans.encoder.words.clone()];
        for (row, &id) in at_tokens.chunks_exact(width).zip(&batch.ids) {
            if !(architecture.frozen_mask && id == architecture.mask) {
                add(&mut of_words[id as usize * width..][..width], row);
            }
        }
        Outcome { matches, ..outcome }
    }
}

/// The decoder of a masked autoencoder on one batch.
struct Decoding<'a> {
    spans: &'a DecoderSpans,
    rows: &'a DecoderRows,
    bert: Bert<'a>,
    mask: u32,
    encoder_width: usize,
}

impl Decoding<'_> {
    fn width(&self) -> usize {
        self.spans.bert.shape.width
    }

    /// Where the decoder's own embedding of `[MASK]` stands among the weights.
    fn mask_row(&self) -> std::ops::Range<usize> {
        let start = self.spans.bert.words.start + self.mask as usize * self.width();
        start..start + self.width()
    }

    fn forward(&self, memory: &mut Workspace) {
        let (width, weights) = (self.width(), self.bert.weights);
        let encoded = memory.encoder.output(self.encoder_width);
        let projected = fit(&mut memory.projected, encoded.len() / self.encoder_width * width);
        let blocks =
            (encoded.par_chunks(BLOCK_ROWS * self.encoder_width), projected.par_chunks_mut(BLOCK_ROWS * width));
        lay_out([&mut memory.projection], [&self.spans.projection], weights, Way::Forward);
        blocks.into_par_iter().for_each(|(rows, out)| {
            product(rows, &memory.projection, out);
            add_bias(out, &weights[self.spans.projection.bias.clone()]);
        });
        let mask = &weights[self.mask_row()];
        let input = memory.decoder.input(self.rows.sources.len(), width, self.spans.bert.shape.layers);
        for (row, source) in input.chunks_exact_mut(width).zip(&self.rows.sources) {
            row.copy_from_slice(source.map_or(mask, |source| &projected[source as usize * width..][..width]));
        }
        self.bert.forward(&self.rows.places, &mut memory.decoder);
    }

    /// From the gradient at the decoder's output, in `memory.gradient`, to that at the encoder's, in `memory.encoder_gradient`.
    fn backward(&self, memory: &mut Workspace, gradients: &mut [f32]) {
        let width = self.width();
        let Workspace { encoder, decoder, projection: factor, projected, gradient, encoder_gradient, scratch, .. } =
            memory;
        let gradient = &mut gradient[..self.rows.sources.len() * width];
        self.bert.backward(&self.rows.places, decoder, gradient, scratch, gradients);
        let encoded = encoder.output(self.encoder_width);
        let at_projected = fit(projected, encoded.len() / self.encoder_width * width);
        let of_mask = &mut gradients[self.mask_row()];
        for (row, source) in gradient.chunks_exact(width).zip(&self.rows.sources) {
            match source {
                Some(source) => at_projected[*source as usize * width..][..width].copy_from_slice(row),
                None => add(of_mask, row),
            }
        }
        let projection = &self.spans.projection;
        let of_weight = &mut gradients[projection.weight.clone()];
        weight_gradient(at_projected, encoded, self.encoder_width, of_weight, &mut scratch.laid_out);
        add_column_sums(at_projected, &mut gradients[projection.bias.clone()]);
        lay_out([&mut *factor], [projection], self.bert.weights, Way::Back);
        let at_encoded = fit(encoder_gradient, encoded.len());
        let blocks =
            (at_projected.par_chunks(BLOCK_ROWS * width), at_encoded.par_chunks_mut(BLOCK_ROWS * self.encoder_width));
        blocks.into_par_iter().for_each(|(out, rows)| product(out, factor, rows));
    }
}
