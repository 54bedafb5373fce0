//! One BERT with its gradient: embeddings, layers, and what the forward pass leaves for the backward pass.

use super::chosen::Chosen;
use super::layer::{Factors, Layer, LayerDrops, Saved, SavedNorm, Scratch, norm};
use super::parameters::BertSpans;
use super::products::BLOCK_ROWS;
use super::rows::{Dropout, add, drop_from};
use crate::arithmetic::fit;
use rayon::prelude::*;
use std::ops::Range;

/// Positions and extents of packed sequences: the tokens of a batch one after another, without padding.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Places {
    /// Position of every row, `[N]`.
    pub(crate) positions: Vec<u32>,
    /// The rows of every sequence.
    pub(crate) sequences: Vec<Range<usize>>,
}

/// Where a BERT drops: after the embeddings, and within each layer.
#[derive(Debug, Clone, Default)]
pub(super) struct BertDrops {
    pub(super) embeddings: Option<Dropout>,
    pub(super) layers: Vec<LayerDrops>,
}

/// What a forward pass leaves.
#[derive(Debug, Default)]
pub(super) struct Memory {
    embedded: SavedNorm,
    /// The embeddings' output and that of every layer, `[N, D]` each.
    hidden: Vec<Vec<f32>>,
    layers: Vec<Saved>,
    rows: usize,
    /// Rows of the last layer's output.
    output_rows: usize,
    /// Of the layer that is run.
    factors: Factors,
}

impl Memory {
    /// The embeddings of the tokens, to be written before a forward pass, `[N, D]`.
    pub(super) fn input(&mut self, count: usize, width: usize, layers: usize) -> &mut [f32] {
        self.hidden.resize_with(layers + 1, Vec::new);
        self.layers.resize_with(layers, Saved::default);
        self.rows = count;
        self.output_rows = count;
        fit(&mut self.hidden[0], count * width)
    }

    /// Numbers that it has room for.
    pub(super) fn numbers(&self) -> usize {
        let hidden: usize = self.hidden.iter().map(Vec::capacity).sum();
        hidden + self.embedded.numbers() + self.layers.iter().map(Saved::numbers).sum::<usize>()
    }

    /// Numbers that the weights of a layer take, laid out.
    pub(super) fn weight_numbers(&self) -> usize {
        self.factors.numbers()
    }

    /// Values of all rows.
    pub(super) fn input_len(&self, width: usize) -> usize {
        self.rows * width
    }

    /// The last layer's output, `[n, D]`: of its chosen rows.
    pub(super) fn output(&self, width: usize) -> &[f32] {
        self.hidden.last().map_or(&[][..], |last| &last[..self.output_rows * width])
    }
}

/// A BERT in the shape in which it is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bert<'a> {
    pub(super) spans: &'a BertSpans,
    pub(super) weights: &'a [f32],
    pub(super) causal: bool,
    pub(super) drops: &'a BertDrops,
    /// The rows of the last layer's output that are wanted.
    pub(super) chosen: Chosen<'a>,
}

impl Bert<'_> {
    fn width(&self) -> usize {
        self.spans.shape.width
    }

    fn layer(&self, index: usize) -> Layer<'_> {
        let shape = self.spans.shape;
        let is_last = index + 1 == self.spans.layers.len();
        Layer {
            spans: &self.spans.layers[index],
            weights: self.weights,
            width: shape.width,
            inner: shape.inner,
            heads: shape.heads,
            causal: self.causal,
            chosen: if is_last { self.chosen } else { Chosen::default() },
        }
    }

    fn drops(&self, layer: usize) -> LayerDrops {
        self.drops.layers.get(layer).copied().unwrap_or_default()
    }

    /// From the embeddings of the tokens, in [`Memory::input`], to the last layer's output.
    pub(super) fn forward(&self, places: &Places, memory: &mut Memory) {
        let width = self.width();
        let values = memory.rows * width;
        let table = &self.weights[self.spans.positions.clone()];
        let kind = &self.weights[self.spans.types.start..][..width];
        let blocks = (
            memory.hidden[0][..values].par_chunks_mut(BLOCK_ROWS * width),
            places.positions.par_chunks(BLOCK_ROWS),
            fit(&mut memory.embedded.normal, values).par_chunks_mut(BLOCK_ROWS * width),
            fit(&mut memory.embedded.factors, memory.rows).par_chunks_mut(BLOCK_ROWS),
        );
        blocks.into_par_iter().enumerate().for_each(|(block, (rows, positions, normal, factors))| {
            for (row, &position) in rows.chunks_exact_mut(width).zip(positions) {
                add(row, &table[position as usize * width..][..width]);
                add(row, kind);
            }
            norm(self.weights, &self.spans.norm).forward(rows, normal, factors);
            drop_from(self.drops.embeddings, rows, block * BLOCK_ROWS * width);
        });
        for (index, saved) in memory.layers.iter_mut().enumerate() {
            let (before, after) = memory.hidden.split_at_mut(index + 1);
            let (layer, drops) = (self.layer(index), self.drops(index));
            memory.output_rows = layer.chosen.count(memory.rows);
            let output = fit(&mut after[0], memory.output_rows * width);
            let input = &before[index][..values];
            layer.forward(input, output, &places.sequences, saved, &mut memory.factors, drops);
        }
    }

    /// `gradient` `[N, D]`, whose first rows are that at the output, becomes that at the embeddings of the tokens; the gradients of the
    /// weights are added to `gradients`.
    pub(super) fn backward(
        &self,
        places: &Places,
        memory: &mut Memory,
        gradient: &mut [f32],
        scratch: &mut Scratch,
        gradients: &mut [f32],
    ) {
        let width = self.width();
        for (index, saved) in memory.layers.iter_mut().enumerate().rev() {
            let input = &memory.hidden[index][..gradient.len()];
            let (layer, drops) = (self.layer(index), self.drops(index));
            layer.backward(input, gradient, &places.sequences, saved, &mut memory.factors, drops, scratch, gradients);
        }
        drop_from(self.drops.embeddings, gradient, 0);
        self.norm_backward(memory, gradient, gradients);
        let of_positions = &mut gradients[self.spans.positions.clone()];
        for (row, &position) in gradient.chunks_exact(width).zip(&places.positions) {
            add(&mut of_positions[position as usize * width..][..width], row);
        }
        let of_type = &mut gradients[self.spans.types.start..][..width];
        gradient.chunks_exact(width).for_each(|row| add(of_type, row));
    }

    fn norm_backward(&self, memory: &Memory, gradient: &mut [f32], gradients: &mut [f32]) {
        let width = self.width();
        let blocks = (
            gradient.par_chunks_mut(BLOCK_ROWS * width),
            memory.embedded.normal.par_chunks(BLOCK_ROWS * width),
            memory.embedded.factors.par_chunks(BLOCK_ROWS),
        );
        let sums: Vec<(Vec<f32>, Vec<f32>)> = blocks
            .into_par_iter()
            .map(|(gradient, normal, factors)| {
                let (mut scale, mut shift) = (vec![0.0; width], vec![0.0; width]);
                let (normal, factors) = (&normal[..gradient.len()], &factors[..gradient.len() / width]);
                norm(self.weights, &self.spans.norm).backward(gradient, normal, factors, &mut scale, &mut shift);
                (scale, shift)
            })
            .collect();
        for (scale, shift) in &sums {
            add(&mut gradients[self.spans.norm.scale.clone()], scale);
            add(&mut gradients[self.spans.norm.shift.clone()], shift);
        }
    }
}
