//! Multi-head attention of packed sequences and its gradient: every sequence attends to its own tokens, so there is no padding.
//!
//! The weights are computed again for the gradient: that takes less time than to keep `[heads, L, L]` of every sequence in memory.

use super::products::with_room;
use super::rows::{Dropout, dot};
use crate::arithmetic::vectors::{exp_non_positive, largest_of, sum_of, wide};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// Positions that a sequence and head have for their draws of dropout: more than any window has pairs of tokens.
pub(super) const APART: usize = 1 << 18;

/// How a layer attends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attention {
    pub(super) width: usize,
    pub(super) heads: usize,
    /// Whether a token sees only itself and those before it.
    pub(super) causal: bool,
    pub(super) dropout: Option<Dropout>,
}

/// One sequence: its index, its tokens, and its rows of the queries, keys and values.
#[derive(Clone, Copy)]
struct Sequence<'a> {
    index: usize,
    length: usize,
    joined: &'a [f32],
}

/// Cuts rows of `width` values into the parts of the sequences, which follow each other without gaps.
fn split<'a>(rows: &'a mut [f32], sequences: &[Range<usize>], width: usize) -> Vec<&'a mut [f32]> {
    let mut rest = rows;
    let mut parts = Vec::with_capacity(sequences.len());
    for tokens in sequences {
        let (part, after) = rest.split_at_mut(tokens.len() * width);
        parts.push(part);
        rest = after;
    }
    parts
}

impl Attention {
    /// `joined` `[N, 3D]` (queries, keys, values) to `attended` `[N, D]`.
    pub(super) fn forward(&self, joined: &[f32], attended: &mut [f32], sequences: &[Range<usize>]) {
        self.tasks(joined, attended, sequences, self.width).into_par_iter().for_each(|(sequence, out)| {
            with_room(sequence.length * sequence.length, |table| {
                for head in 0..self.heads {
                    self.weights(sequence, head, table);
                    self.drop(sequence, head, table);
                    let weights = MatRef::from_row_major_slice(table, sequence.length, sequence.length);
                    let out = self.part_mut(out, sequence.length, head, self.width);
                    matmul(out, Accum::Replace, weights, self.part(sequence, 2, head), 1.0, Par::Seq);
                }
            });
        });
    }

    /// From the gradient at `attended` that at `joined`.
    pub(super) fn backward(
        &self,
        joined: &[f32],
        attended_gradient: &[f32],
        joined_gradient: &mut [f32],
        sequences: &[Range<usize>],
    ) {
        let tasks = self.tasks(joined, joined_gradient, sequences, 3 * self.width);
        tasks.into_par_iter().zip(sequences).for_each(|((sequence, joined_gradient), tokens)| {
            let of_sequence = &attended_gradient[tokens.start * self.width..tokens.end * self.width];
            with_room(3 * sequence.length * sequence.length, |room| {
                self.sequence_backward(sequence, of_sequence, joined_gradient, room);
            });
        });
    }

    /// The gradient of one sequence's rows, with room for three tables of `[L, L]`.
    fn sequence_backward(&self, sequence: Sequence<'_>, attended: &[f32], joined: &mut [f32], room: &mut [f32]) {
        let length = sequence.length;
        let (weights, room) = room.split_at_mut(length * length);
        let (gradient, dropped) = room.split_at_mut(length * length);
        for head in 0..self.heads {
            self.weights(sequence, head, weights);
            let out = view(attended, length, head * self.head_width(), self.head_width(), self.width);
            let table = MatMut::from_row_major_slice_mut(gradient, length, length);
            matmul(table, Accum::Replace, out, self.part(sequence, 2, head).transpose(), 1.0, Par::Seq);
            let used = if self.dropout.is_some() {
                dropped.copy_from_slice(weights);
                self.drop(sequence, head, dropped);
                self.drop(sequence, head, gradient);
                &*dropped
            } else {
                &*weights
            };
            let used = MatRef::from_row_major_slice(used, length, length);
            let values = self.part_mut(joined, length, 2 * self.heads + head, 3 * self.width);
            matmul(values, Accum::Replace, used.transpose(), out, 1.0, Par::Seq);
            self.softmax_backward(weights, gradient, length);
            let table = MatRef::from_row_major_slice(gradient, length, length);
            let queries = self.part_mut(joined, length, head, 3 * self.width);
            matmul(queries, Accum::Replace, table, self.part(sequence, 1, head), 1.0, Par::Seq);
            let keys = self.part_mut(joined, length, self.heads + head, 3 * self.width);
            matmul(keys, Accum::Replace, table.transpose(), self.part(sequence, 0, head), 1.0, Par::Seq);
        }
    }

    fn head_width(&self) -> usize {
        self.width / self.heads
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_width() as f32).sqrt()
    }

    fn tasks<'a>(
        &self,
        joined: &'a [f32],
        out: &'a mut [f32],
        sequences: &[Range<usize>],
        out_width: usize,
    ) -> Vec<(Sequence<'a>, &'a mut [f32])> {
        let parts = split(out, sequences, out_width).into_iter().zip(sequences).enumerate();
        let tasks = parts.map(|(index, (out, tokens))| {
            let joined = &joined[tokens.start * 3 * self.width..tokens.end * 3 * self.width];
            (Sequence { index, length: tokens.len(), joined }, out)
        });
        tasks.collect()
    }

    /// Queries (0), keys (1) or values (2) of a head, `[L, D / heads]`.
    fn part<'a>(&self, sequence: Sequence<'a>, kind: usize, head: usize) -> MatRef<'a, f32> {
        let start = kind * self.width + head * self.head_width();
        view(sequence.joined, sequence.length, start, self.head_width(), 3 * self.width)
    }

    /// Columns of the `index`-th head width of rows `[L, row_width]`.
    fn part_mut<'a>(&self, rows: &'a mut [f32], length: usize, index: usize, row_width: usize) -> MatMut<'a, f32> {
        let start = index * self.head_width();
        let end = (length.max(1) - 1) * row_width + start + self.head_width();
        let columns = if length == 0 { &mut [][..] } else { &mut rows[start..end] };
        // faer 0.24's row-major twin of this mixes up its two strides
        MatMut::from_column_major_slice_with_stride_mut(columns, self.head_width(), length, row_width).transpose_mut()
    }

    /// How much every token attends to every other, `[L, L]`: softmax of the scaled products of queries and keys.
    fn weights(&self, sequence: Sequence<'_>, head: usize, table: &mut [f32]) {
        let length = sequence.length;
        let (queries, keys) = (self.part(sequence, 0, head), self.part(sequence, 1, head));
        matmul(
            MatMut::from_row_major_slice_mut(table, length, length),
            Accum::Replace,
            queries,
            keys.transpose(),
            1.0,
            Par::Seq,
        );
        let scale = self.scale();
        wide(|| {
            for (at, row) in table.chunks_exact_mut(length.max(1)).enumerate() {
                let (row, unseen) = row.split_at_mut(if self.causal { at + 1 } else { length });
                unseen.fill(0.0);
                let largest = largest_of(row);
                row.iter_mut().for_each(|score| *score = exp_non_positive((*score - largest) * scale));
                let share = 1.0 / sum_of(row, |weight| weight);
                row.iter_mut().for_each(|weight| *weight *= share);
            }
        });
    }

    fn drop(&self, sequence: Sequence<'_>, head: usize, table: &mut [f32]) {
        if let Some(dropout) = self.dropout {
            dropout.apply(table, (sequence.index * self.heads + head) * APART);
        }
    }

    /// From weights and the gradient at them that at the products of queries and keys.
    fn softmax_backward(&self, weights: &[f32], gradient: &mut [f32], length: usize) {
        let scale = self.scale();
        wide(|| {
            let rows = weights.chunks_exact(length.max(1)).zip(gradient.chunks_exact_mut(length.max(1)));
            for (weights, gradient) in rows {
                let along = dot(weights, gradient);
                for (value, weight) in gradient.iter_mut().zip(weights) {
                    *value = weight * (*value - along) * scale;
                }
            }
        });
    }
}

/// Columns `start..start + width` of rows `[count, row_width]`.
fn view(rows: &[f32], count: usize, start: usize, width: usize, row_width: usize) -> MatRef<'_, f32> {
    let columns = if count == 0 { &[][..] } else { &rows[start..(count - 1) * row_width + start + width] };
    MatRef::from_row_major_slice_with_stride(columns, count, width, row_width)
}
