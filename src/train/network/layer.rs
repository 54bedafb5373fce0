//! One transformer layer with its gradient (post-norm, as BERT).
//!
//! Everything between two attentions works on rows alone, so a block of rows passes through all of it while it is in the cache.

use super::attention::Attention;
use super::chosen::Chosen;
use super::parameters::{LayerSpans, NormSpans};
use super::products::{BLOCK_ROWS, Way, add_column_sums, add_rows, lay_out, product, weight_gradient, with_room};
use super::rows::{Dropout, Norm, add, add_bias, gelu, gelu_backward};
use crate::arithmetic::fit;
use crate::arithmetic::product::Right;
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
    /// Rows laid out for the gradients of weights.
    pub(super) laid_out: Vec<Right>,
}

impl Scratch {
    /// Numbers that it has room for.
    pub(super) fn numbers(&self) -> usize {
        let Self { inner, outer, attention_output, attended, joined, sums, laid_out } = self;
        let rows: usize = [inner, outer, attention_output, attended, joined, sums].into_iter().map(Vec::capacity).sum();
        rows + laid_out.iter().map(Right::numbers).sum::<usize>()
    }
}

/// The weights of one layer's maps, laid out for its products with rows.
#[derive(Debug, Default)]
pub(super) struct Factors {
    joined: Right,
    attention_output: Right,
    inner: Right,
    outer: Right,
}

impl Factors {
    /// Numbers that it has room for.
    pub(super) fn numbers(&self) -> usize {
        let Self { joined, attention_output, inner, outer } = self;
        [joined, attention_output, inner, outer].into_iter().map(Right::numbers).sum()
    }

    /// Takes the weights of `layer`.
    fn lay_out(&mut self, layer: &Layer<'_>, way: Way) {
        let Self { joined, attention_output, inner, outer } = self;
        let LayerSpans { joined: a, attention_output: b, inner: c, outer: d, .. } = layer.spans;
        lay_out([joined, attention_output, inner, outer], [a, b, c, d], layer.weights, way);
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
    /// The rows of its output that are wanted.
    pub(super) chosen: Chosen<'a>,
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

    /// `input` `[N, D]` to `output` `[n, D]`, of the chosen rows.
    pub(super) fn forward(
        &self,
        input: &[f32],
        output: &mut [f32],
        sequences: &[Range<usize>],
        saved: &mut Saved,
        factors: &mut Factors,
        drops: LayerDrops,
    ) {
        let (width, inner_width, spans) = (self.width, self.inner, self.spans);
        factors.lay_out(self, Way::Forward);
        let maps = &*factors;
        let count = input.len() / width;
        let Saved { joined, attended, first, middle, inner, second } = saved;
        let joined = fit(joined, count * 3 * width);
        let blocks = input.par_chunks(BLOCK_ROWS * width).zip(joined.par_chunks_mut(BLOCK_ROWS * 3 * width));
        blocks.for_each(|(rows, joined)| {
            product(rows, &maps.joined, joined);
            add_bias(joined, self.of(&spans.joined.bias));
        });
        let attended = fit(attended, count * width);
        self.attention(drops).forward(joined, attended, sequences);
        self.chosen.gather(attended, width);
        let count = self.chosen.count(count);
        let rows_of = |values| fit(values, count * width).par_chunks_mut(BLOCK_ROWS * width);
        let factors_of = |values| fit(values, count).par_chunks_mut(BLOCK_ROWS);
        let blocks = (
            attended[..count * width].par_chunks(BLOCK_ROWS * width),
            rows_of(&mut first.normal),
            factors_of(&mut first.factors),
            rows_of(middle),
            fit(inner, count * inner_width).par_chunks_mut(BLOCK_ROWS * inner_width),
            rows_of(&mut second.normal),
            factors_of(&mut second.factors),
            output.par_chunks_mut(BLOCK_ROWS * width),
        );
        let blocks = blocks.into_par_iter().enumerate();
        blocks.for_each(|(block, parts)| {
            let (attended, normal, factors, middle, inner, normal_2, factors_2, output) = parts;
            let start = block * BLOCK_ROWS;
            product(attended, &maps.attention_output, middle);
            add_bias(middle, self.of(&spans.attention_output.bias));
            self.chosen.drop_from(drops.attention_output, middle, start, width);
            self.chosen.add(middle, input, start, width);
            norm(self.weights, &spans.attention_norm).forward(middle, normal, factors);
            product(middle, &maps.inner, inner);
            add_bias(inner, self.of(&spans.inner.bias));
            with_room(inner.len(), |activated| {
                gelu(inner, activated);
                product(activated, &maps.outer, output);
            });
            add_bias(output, self.of(&spans.outer.bias));
            self.chosen.drop_from(drops.output, output, start, width);
            add(output, middle);
            norm(self.weights, &spans.output_norm).forward(output, normal_2, factors_2);
        });
    }

    /// `gradient` `[N, D]`, whose first rows are that at the output `[n, D]`, becomes that at the input; the gradients of the weights are
    /// added to `gradients`.
    #[expect(clippy::too_many_arguments, reason = "the forward pass's arguments and the gradients")]
    pub(super) fn backward(
        &self,
        input: &[f32],
        gradient: &mut [f32],
        sequences: &[Range<usize>],
        saved: &mut Saved,
        factors: &mut Factors,
        drops: LayerDrops,
        scratch: &mut Scratch,
        gradients: &mut [f32],
    ) {
        let (width, inner_width, spans) = (self.width, self.inner, self.spans);
        factors.lay_out(self, Way::Back);
        let maps = &*factors;
        let count = input.len() / width;
        let chosen = self.chosen.count(count);
        self.rows_backward(&mut gradient[..chosen * width], saved, maps, drops, scratch, gradients);
        self.chosen.scatter(gradient, width);
        let Scratch { inner, outer, attention_output, attended, joined, laid_out, .. } = scratch;
        let mut add_weights = |out: &[f32], rows: &[f32], inputs: usize, span: &Range<usize>| {
            weight_gradient(out, rows, inputs, &mut gradients[span.clone()], laid_out);
        };
        let joined = fit(joined, count * 3 * width);
        let attended = fit(attended, count * width);
        self.chosen.scatter(attended, width);
        let attention = self.attention(drops);
        // What needs nothing of each other runs together, so that no thread waits for the last task of the others.
        rayon::join(
            || attention.backward(&saved.joined[..count * 3 * width], attended, joined, sequences),
            || {
                let of_outer = &outer[..chosen * width];
                add_weights(of_outer, &saved.inner[..chosen * inner_width], inner_width, &spans.outer.weight);
                let of_inner = &inner[..chosen * inner_width];
                add_weights(of_inner, &saved.middle[..chosen * width], width, &spans.inner.weight);
                let of_output = &attention_output[..chosen * width];
                add_weights(of_output, &saved.attended[..chosen * width], width, &spans.attention_output.weight);
            },
        );
        let blocks = (gradient.par_chunks_mut(BLOCK_ROWS * width), joined.par_chunks(BLOCK_ROWS * 3 * width));
        rayon::join(
            || {
                blocks.into_par_iter().for_each(|(gradient, joined)| {
                    with_room(gradient.len(), |through| {
                        product(joined, &maps.joined, through);
                        add(gradient, through);
                    });
                });
            },
            || add_weights(joined, input, width, &spans.joined.weight),
        );
        add_column_sums(joined, &mut gradients[spans.joined.bias.clone()]);
    }

    /// The part of the gradient between output and attention. `gradient` becomes that at the residual of the first half;
    /// `saved.inner` becomes GELU's output.
    fn rows_backward(
        &self,
        gradient: &mut [f32],
        saved: &mut Saved,
        maps: &Factors,
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
            let start = block * BLOCK_ROWS;
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
            self.chosen.drop_from(drops.output, outer, start, width);
            add_rows(outer, outer_bias);
            product(outer, &maps.outer, inner);
            gelu_backward(activated, inner);
            add_rows(inner, inner_bias);
            product(inner, &maps.inner, attended);
            add(gradient, attended);
            let first_norm = norm(self.weights, &spans.attention_norm);
            first_norm.backward(gradient, &first.0[..rows], &first.1[..count], scale_1, shift_1);
            attention_output.copy_from_slice(gradient);
            self.chosen.drop_from(drops.attention_output, attention_output, start, width);
            add_rows(attention_output, attention_bias);
            product(attention_output, &maps.attention_output, attended);
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
