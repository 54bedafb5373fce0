//! One transformer layer with its gradient (post-norm, as BERT).
//!
//! Everything between two attentions works on rows alone, so a block of rows passes through all of it while it is in the cache.

use super::attention::Attention;
use super::fit;
use super::parameters::{LayerSpans, NormSpans};
use super::products::{BLOCK_ROWS, add_column_sums, add_rows, input_gradient, product, weight_gradient};
use super::rows::{Dropout, Norm, add, add_bias, drop_from, gelu, gelu_backward};
use rayon::prelude::*;
use std::ops::Range;

/// What the gradient needs of the forward pass, per row.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// Queries, keys and values `[N, 3D]`.
    joined: Vec<f32>,
    /// `[N, D]`.
    attended: Vec<f32>,
    first: SavedNorm,
    /// After the first norm, `[N, D]`.
    middle: Vec<f32>,
    /// Before GELU, `[N, inner]`.
    inner: Vec<f32>,
    second: SavedNorm,
}

/// A layer norm's rows before scale and shift `[N, D]`, and their factors `[N]`.
#[derive(Debug, Default)]
pub(super) struct SavedNorm {
    pub(super) normal: Vec<f32>,
    pub(super) factors: Vec<f32>,
}

impl SavedNorm {
    /// Numbers that it has room for.
    pub(super) fn numbers(&self) -> usize {
        self.normal.capacity() + self.factors.capacity()
    }
}

impl Saved {
    /// Numbers that it has room for.
    pub(super) fn numbers(&self) -> usize {
        let Self { joined, attended, first, middle, inner, second } = self;
        let rows: usize = [joined, attended, middle, inner].into_iter().map(Vec::capacity).sum();
        rows + first.numbers() + second.numbers()
    }
}

/// Room for gradients that no layer keeps.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    inner: Vec<f32>,
    outer: Vec<f32>,
    attention_output: Vec<f32>,
    attended: Vec<f32>,
    joined: Vec<f32>,
    sums: Vec<f32>,
}

impl Scratch {
    /// Numbers that it has room for.
    pub(super) fn numbers(&self) -> usize {
        let Self { inner, outer, attention_output, attended, joined, sums } = self;
        [inner, outer, attention_output, attended, joined, sums].into_iter().map(Vec::capacity).sum()
    }
}

/// A layer in the shape in which it is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) spans: &'a LayerSpans,
    pub(super) weights: &'a [f32],
    pub(super) width: usize,
    pub(super) inner: usize,
    pub(super) heads: usize,
    pub(super) causal: bool,
}

/// Where a layer drops.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LayerDrops {
    pub(super) attention: Option<Dropout>,
    pub(super) attention_output: Option<Dropout>,
    pub(super) output: Option<Dropout>,
}

pub(super) fn norm<'a>(weights: &'a [f32], spans: &NormSpans) -> Norm<'a> {
    Norm { scale: &weights[spans.scale.clone()], shift: &weights[spans.shift.clone()] }
}

impl Layer<'_> {
    fn of(&self, span: &Range<usize>) -> &[f32] {
        &self.weights[span.clone()]
    }

    fn attention(&self, drops: LayerDrops) -> Attention {
        Attention { width: self.width, heads: self.heads, causal: self.causal, dropout: drops.attention }
    }

    /// `input` `[N, D]` to `output` `[N, D]`.
    pub(super) fn forward(
        &self,
        input: &[f32],
        output: &mut [f32],
        sequences: &[Range<usize>],
        saved: &mut Saved,
        drops: LayerDrops,
    ) {
        let (width, inner_width, spans) = (self.width, self.inner, self.spans);
        let count = input.len() / width;
        let Saved { joined, attended, first, middle, inner, second } = saved;
        let joined = fit(joined, count * 3 * width);
        let blocks = input.par_chunks(BLOCK_ROWS * width).zip(joined.par_chunks_mut(BLOCK_ROWS * 3 * width));
        blocks.for_each(|(rows, joined)| {
            product(rows, self.of(&spans.joined.weight), width, joined);
            add_bias(joined, self.of(&spans.joined.bias));
        });
        let attended = fit(attended, count * width);
        self.attention(drops).forward(joined, attended, sequences);
        let rows_of = |values| fit(values, count * width).par_chunks_mut(BLOCK_ROWS * width);
        let factors_of = |values| fit(values, count).par_chunks_mut(BLOCK_ROWS);
        let blocks = (
            input.par_chunks(BLOCK_ROWS * width),
            attended.par_chunks(BLOCK_ROWS * width),
            rows_of(&mut first.normal),
            factors_of(&mut first.factors),
            rows_of(middle),
            fit(inner, count * inner_width).par_chunks_mut(BLOCK_ROWS * inner_width),
            rows_of(&mut second.normal),
            factors_of(&mut second.factors),
            output.par_chunks_mut(BLOCK_ROWS * width),
        );
        let blocks = blocks.into_par_iter().enumerate();
        blocks.for_each_init(Vec::new, |activated, (block, parts)| {
            let (input, attended, normal, factors, middle, inner, normal_2, factors_2, output) = parts;
            let start = block * BLOCK_ROWS * width;
            product(attended, self.of(&spans.attention_output.weight), width, middle);
            add_bias(middle, self.of(&spans.attention_output.bias));
            drop_from(drops.attention_output, middle, start);
            add(middle, input);
            norm(self.weights, &spans.attention_norm).forward(middle, normal, factors);
            product(middle, self.of(&spans.inner.weight), width, inner);
            add_bias(inner, self.of(&spans.inner.bias));
            let activated = fit(activated, inner.len());
            gelu(inner, activated);
            product(activated, self.of(&spans.outer.weight), inner_width, output);
            add_bias(output, self.of(&spans.outer.bias));
            drop_from(drops.output, output, start);
            add(output, middle);
            norm(self.weights, &spans.output_norm).forward(output, normal_2, factors_2);
        });
    }

    /// `gradient` `[N, D]` at the output becomes that at the input; the gradients of the weights are added to `gradients`.
    #[expect(clippy::too_many_arguments, reason = "the forward pass's arguments and the gradients")]
    pub(super) fn backward(
        &self,
        input: &[f32],
        gradient: &mut [f32],
        sequences: &[Range<usize>],
        saved: &mut Saved,
        drops: LayerDrops,
        scratch: &mut Scratch,
        gradients: &mut [f32],
    ) {
        let (width, inner_width, spans) = (self.width, self.inner, self.spans);
        self.rows_backward(gradient, saved, drops, scratch, gradients);
        let count = input.len() / width;
        let Scratch { inner, outer, attention_output, attended, joined, .. } = scratch;
        let mut add_weights = |out: &[f32], rows: &[f32], inputs: usize, span: &Range<usize>| {
            weight_gradient(out, rows, inputs, &mut gradients[span.clone()]);
        };
        add_weights(&outer[..count * width], &saved.inner[..count * inner_width], inner_width, &spans.outer.weight);
        add_weights(&inner[..count * inner_width], &saved.middle[..count * width], width, &spans.inner.weight);
        let attended_rows = &saved.attended[..count * width];
        add_weights(&attention_output[..count * width], attended_rows, width, &spans.attention_output.weight);
        let (joined_rows, joined) = (&saved.joined[..count * 3 * width], fit(joined, count * 3 * width));
        self.attention(drops).backward(joined_rows, &attended[..count * width], joined, sequences);
        add_weights(joined, input, width, &spans.joined.weight);
        add_column_sums(joined, &mut gradients[spans.joined.bias.clone()]);
        let blocks = (gradient.par_chunks_mut(BLOCK_ROWS * width), joined.par_chunks(BLOCK_ROWS * 3 * width));
        blocks.into_par_iter().for_each_init(Vec::new, |through, (gradient, joined)| {
            let through = fit(through, gradient.len());
            input_gradient(joined, self.of(&spans.joined.weight), width, through);
            add(gradient, through);
        });
    }

    /// The part of the gradient between output and attention. `gradient` becomes that at the residual of the first half;
    /// `saved.inner` becomes GELU's output.
    fn rows_backward(
        &self,
        gradient: &mut [f32],
        saved: &mut Saved,
        drops: LayerDrops,
        scratch: &mut Scratch,
        gradients: &mut [f32],
    ) {
        let (width, inner_width, spans) = (self.width, self.inner, self.spans);
        let count = gradient.len() / width;
        let sums = self.sums();
        let sums_width = sums.iter().map(|span| span.len()).sum::<usize>();
        let blocks = count.div_ceil(BLOCK_ROWS);
        let rows_of = |values| fit(values, count * width).par_chunks_mut(BLOCK_ROWS * width);
        let inner_of = |values| fit(values, count * inner_width).par_chunks_mut(BLOCK_ROWS * inner_width);
        let partial = fit(&mut scratch.sums, blocks * sums_width);
        partial.fill(0.0);
        let parts = (
            gradient.par_chunks_mut(BLOCK_ROWS * width),
            inner_of(&mut saved.inner),
            saved.first.normal.par_chunks(BLOCK_ROWS * width).zip(saved.first.factors.par_chunks(BLOCK_ROWS)),
            saved.second.normal.par_chunks(BLOCK_ROWS * width).zip(saved.second.factors.par_chunks(BLOCK_ROWS)),
            inner_of(&mut scratch.inner),
            rows_of(&mut scratch.outer),
            rows_of(&mut scratch.attention_output),
            rows_of(&mut scratch.attended),
            partial.par_chunks_mut(sums_width),
        );
        parts.into_par_iter().enumerate().for_each(|(block, parts)| {
            let (gradient, activated, first, second, inner, outer, attention_output, attended, partial) = parts;
            let rows = gradient.len();
            let count = rows / width;
            let start = block * BLOCK_ROWS * width;
            let mut rest = partial;
            let mut sums = sums.each_ref().map(|span| {
                let (sum, after) = std::mem::take(&mut rest).split_at_mut(span.len());
                rest = after;
                sum
            });
            let [scale_2, shift_2, outer_bias, inner_bias, scale_1, shift_1, attention_bias] = &mut sums;
            let second_norm = norm(self.weights, &spans.output_norm);
            second_norm.backward(gradient, &second.0[..rows], &second.1[..count], scale_2, shift_2);
            outer.copy_from_slice(gradient);
            drop_from(drops.output, outer, start);
            add_rows(outer, outer_bias);
            input_gradient(outer, self.of(&spans.outer.weight), inner_width, inner);
            gelu_backward(activated, inner);
            add_rows(inner, inner_bias);
            input_gradient(inner, self.of(&spans.inner.weight), width, attended);
            add(gradient, attended);
            let first_norm = norm(self.weights, &spans.attention_norm);
            first_norm.backward(gradient, &first.0[..rows], &first.1[..count], scale_1, shift_1);
            attention_output.copy_from_slice(gradient);
            drop_from(drops.attention_output, attention_output, start);
            add_rows(attention_output, attention_bias);
            input_gradient(attention_output, self.of(&spans.attention_output.weight), width, attended);
        });
        for partial in scratch.sums[..blocks * sums_width].chunks_exact(sums_width) {
            let mut rest = partial;
            for span in &sums {
                let (sum, after) = rest.split_at(span.len());
                add_rows(sum, &mut gradients[(*span).clone()]);
                rest = after;
            }
        }
    }

    /// The tensors whose gradients are sums over rows, in the order in which `rows_backward` meets them.
    fn sums(&self) -> [&Range<usize>; 7] {
        let spans = self.spans;
        [
            &spans.output_norm.scale,
            &spans.output_norm.shift,
            &spans.outer.bias,
            &spans.inner.bias,
            &spans.attention_norm.scale,
            &spans.attention_norm.shift,
            &spans.attention_output.bias,
        ]
    }
}
