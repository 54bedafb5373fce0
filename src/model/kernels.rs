//! The halves of a BERT layer as candle operations for the CPU.
//!
//! candle's own operations run on one core each, pass over memory once each, and compute an error function and an exponential
//! value by value; at the widths used here that takes longer than the matrix products. These do a half layer at a time for
//! some rows, with the widest vectors that the processor has. They use no threads themselves: the caller splits the batch.

use crate::arithmetic::product::{Left, Right, Table, product};
use crate::arithmetic::vectors::{erf, exp_non_positive, largest_of, sum_of, wide};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Rows that pass through a layer's half together: enough for the matrix product's speed, few enough for the cache.
const BLOCK_ROWS: usize = 112;

/// Adds `bias` to every row.
struct AddBias<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
}

impl WithSimd for AddBias<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            row.iter_mut().zip(self.bias).for_each(|(value, bias)| *value += bias);
        }
    }
}

/// Adds `bias` to every row and applies GELU by the error function, `x (1 + erf(x / sqrt 2)) / 2`.
struct BiasGelu<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
}

impl WithSimd for BiasGelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in row.iter_mut().zip(self.bias) {
                let x = *value + bias;
                *value = 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
            }
        }
    }
}

/// Scale, shift and epsilon of a layer norm.
#[derive(Debug, Clone, Copy)]
struct Norm<'a> {
    scale: &'a [f32],
    shift: &'a [f32],
    eps: f32,
}

impl Norm<'_> {
    /// Normalises one row in place, in two passes: mean first, then variance.
    #[inline(always)]
    fn apply(&self, row: &mut [f32]) {
        let count = row.len() as f32;
        let mean = sum_of(row, |value| value) / count;
        let variance = sum_of(row, |value| (value - mean) * (value - mean)) / count;
        let factor = 1.0 / (variance + self.eps).sqrt();
        for ((value, scale), shift) in row.iter_mut().zip(self.scale).zip(self.shift) {
            *value = (*value - mean) * factor * scale + shift;
        }
    }
}

/// `rows = norm(rows + bias + residual)`.
struct AddAndNorm<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
    residual: &'a [f32],
    norm: Norm<'a>,
}

impl WithSimd for AddAndNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.bias.len();
        for (row, residual) in self.rows.chunks_exact_mut(width).zip(self.residual.chunks_exact(width)) {
            for ((value, residual), bias) in row.iter_mut().zip(residual).zip(self.bias) {
                *value += residual + bias;
            }
            self.norm.apply(row);
        }
    }
}

/// Softmax of every row of `scores`, `[n, width]`, scaled by `scale` before.
struct Softmax<'a> {
    scores: &'a mut [f32],
    width: usize,
    scale: f32,
    /// Whether row `i` has `i + 1` scores that count.
    causal: bool,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (at, row) in self.scores.chunks_exact_mut(self.width).enumerate() {
            let (row, later) = row.split_at_mut(if self.causal { at + 1 } else { self.width });
            later.fill(0.0);
            let largest = largest_of(row);
            row.iter_mut().for_each(|score| *score = exp_non_positive((*score - largest) * self.scale));
            let share = 1.0 / sum_of(row, |weight| weight);
            row.iter_mut().for_each(|weight| *weight *= share);
        }
    }
}

/// Multi-head attention of packed sequences: `qkv` is `[N, 3D]` (queries, keys, values), the answer `[N, D]`. Every sequence
/// attends to its own tokens, so there is no padding.
fn attend(qkv: &[f32], attended: &mut [f32], width: usize, attention: &PackedAttention<'_>) {
    let &PackedAttention { heads, sequences, causal } = attention;
    let head_width = width / heads;
    let scale = 1.0 / (head_width as f32).sqrt();
    let longest = sequences.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    let mut scores = vec![0.0; longest * longest];
    let (mut left, mut right) = (Left::default(), Right::default());
    for tokens in sequences {
        let length = tokens.len();
        let scores = &mut scores[..length * length];
        for head in 0..heads {
            let view = |part: usize| {
                let start = tokens.start * 3 * width + part * width + head * head_width;
                Table::with_stride(&qkv[start..], [length, head_width], 3 * width)
            };
            left.pack(view(0));
            right.pack_columns(view(1));
            product(&left, &right, scores, length);
            wide(Softmax { scores, width: length, scale, causal });
            left.pack(Table::new(scores, length));
            right.pack_rows(view(2));
            product(&left, &right, &mut attended[tokens.start * width + head * head_width..], width);
        }
    }
}

/// The values of a contiguous 32-bit tensor.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("a contiguous tensor of 32-bit floats is needed"),
    }
}

/// Shows the values of a tensor on the CPU, without copying them.
pub(super) fn with_values<T>(tensor: &Tensor, look: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => look(values(storage, layout)?),
        _ => bail!("a tensor on the CPU is needed"),
    }
}

/// A linear map, laid out for products.
#[derive(Debug)]
pub(super) struct PackedLinear {
    /// `[in, out]`.
    weight: Right,
    /// `[out]`.
    bias: Vec<f32>,
}

impl PackedLinear {
    /// From `weight` `[out, in]`, row-major, and `bias` `[out]`.
    pub(super) fn new(weight: &[f32], bias: Vec<f32>) -> Self {
        let inputs = weight.len().checked_div(bias.len()).unwrap_or(0);
        Self { weight: Right::of_columns(Table::new(weight, inputs)), bias }
    }

    fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `out = rows weight`, without the bias: `rows` `[n, in]`, `out` `[n, outputs]`; `left` is memory to work in.
    fn product(&self, rows: &[f32], inputs: usize, left: &mut Left, out: &mut [f32]) {
        left.pack(Table::new(rows, inputs));
        product(left, &self.weight, out, self.outputs());
    }
}

/// Scale `[D]`, shift `[D]` and epsilon of a layer norm.
#[derive(Debug, Clone, Copy)]
pub(super) struct NormWeights<'a> {
    pub(super) scale: &'a Tensor,
    pub(super) shift: &'a Tensor,
    pub(super) eps: f32,
}

impl NormWeights<'_> {
    fn with<T>(&self, look: impl FnOnce(Norm<'_>) -> Result<T>) -> Result<T> {
        let eps = self.eps;
        with_values(self.scale, |scale| with_values(self.shift, |shift| look(Norm { scale, shift, eps })))
    }
}

/// A linear map, `[N, in]` to `[N, out]`.
pub(super) struct Project<'a>(pub(super) &'a PackedLinear);

impl CustomOp1 for Project<'_> {
    fn name(&self) -> &'static str {
        "project"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (count, inputs) = layout.shape().dims2()?;
        let (input, outputs) = (values(input, layout)?, self.0.outputs());
        let (mut left, mut out) = (Left::default(), vec![0.0; count * outputs]);
        for (rows, out) in input.chunks(BLOCK_ROWS * inputs).zip(out.chunks_mut(BLOCK_ROWS * outputs)) {
            self.0.product(rows, inputs, &mut left, out);
            wide(AddBias { rows: out, bias: &self.0.bias });
        }
        Ok((CpuStorage::F32(out), Shape::from((count, outputs))))
    }
}

/// A linear map, the residual `[N, D]` added, layer norm: `[N, in]` to `[N, D]`.
pub(super) struct ProjectAndNormalise<'a> {
    pub(super) linear: &'a PackedLinear,
    pub(super) norm: NormWeights<'a>,
    pub(super) residual: &'a Tensor,
}

impl CustomOp1 for ProjectAndNormalise<'_> {
    fn name(&self) -> &'static str {
        "project-and-normalise"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (count, inputs) = layout.shape().dims2()?;
        let input = values(input, layout)?;
        let forward = |norm: Norm<'_>, residual: &[f32]| {
            let width = self.linear.outputs();
            let (mut left, mut out) = (Left::default(), vec![0.0; count * width]);
            let blocks = input.chunks(BLOCK_ROWS * inputs).zip(residual.chunks(BLOCK_ROWS * width));
            for ((rows, residual), out) in blocks.zip(out.chunks_mut(BLOCK_ROWS * width)) {
                self.linear.product(rows, inputs, &mut left, out);
                wide(AddAndNorm { rows: out, bias: &self.linear.bias, residual, norm });
            }
            Ok((CpuStorage::F32(out), Shape::from((count, width))))
        };
        self.norm.with(|norm| with_values(self.residual, |residual| forward(norm, residual)))
    }
}

/// The feed-forward half of a layer: a linear map, GELU, a linear map back, the input added, layer norm. `[N, D]` to `[N, D]`;
/// what lies between never leaves the cache.
pub(super) struct FeedForward<'a> {
    pub(super) inner: &'a PackedLinear,
    pub(super) outer: &'a PackedLinear,
    pub(super) norm: NormWeights<'a>,
}

impl CustomOp1 for FeedForward<'_> {
    fn name(&self) -> &'static str {
        "feed-forward"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (count, width) = layout.shape().dims2()?;
        let input = values(input, layout)?;
        self.norm.with(|norm| {
            let inner_width = self.inner.outputs();
            let mut between = vec![0.0; BLOCK_ROWS.min(count) * inner_width];
            let (mut left, mut out) = (Left::default(), vec![0.0; count * width]);
            for (rows, out) in input.chunks(BLOCK_ROWS * width).zip(out.chunks_mut(BLOCK_ROWS * width)) {
                let between = &mut between[..rows.len() / width * inner_width];
                self.inner.product(rows, width, &mut left, between);
                wide(BiasGelu { rows: between, bias: &self.inner.bias });
                self.outer.product(between, inner_width, &mut left, out);
                wide(AddAndNorm { rows: out, bias: &self.outer.bias, residual: rows, norm });
            }
            Ok((CpuStorage::F32(out), Shape::from((count, width))))
        })
    }
}

/// Layer norm of the sum of two tensors `[N, D]`.
pub(super) struct AddAndNormalise<'a> {
    pub(super) norm: NormWeights<'a>,
}

impl CustomOp2 for AddAndNormalise<'_> {
    fn name(&self) -> &'static str {
        "add-and-normalise"
    }

    fn cpu_fwd(&self, a: &CpuStorage, l1: &Layout, b: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut sum = values(a, l1)?.to_vec();
        let no_bias = vec![0.0; l1.shape().dims2()?.1];
        self.norm.with(|norm| {
            wide(AddAndNorm { rows: &mut sum, bias: &no_bias, residual: values(b, l2)?, norm });
            Ok(())
        })?;
        Ok((CpuStorage::F32(sum), l1.shape().clone()))
    }
}

/// Attention of packed sequences, `[N, 3D]` to `[N, D]`.
pub(super) struct PackedAttention<'a> {
    pub(super) heads: usize,
    /// The rows of each sequence.
    pub(super) sequences: &'a [Range<usize>],
    /// Whether a token sees only itself and those before it.
    pub(super) causal: bool,
}

impl CustomOp1 for PackedAttention<'_> {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, joined) = layout.shape().dims2()?;
        let width = joined / 3;
        let mut attended = vec![0.0; rows * width];
        attend(values(qkv, layout)?, &mut attended, width, self);
        Ok((CpuStorage::F32(attended), Shape::from((rows, width))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::vectors::tests::erf_exact;

    #[test]
    fn gelu_and_layer_norm_do_what_their_formulas_say() {
        let bias = [0.5, -1.0, 0.25];
        let mut rows = vec![-3.0, -0.5, 0.0, 0.5, 2.0, 6.0];
        let expected: Vec<f64> = (0..6)
            .map(|i| f64::from(rows[i] + bias[i % 3]))
            .map(|x| 0.5 * x * (1.0 + erf_exact(x / std::f64::consts::SQRT_2)))
            .collect();
        wide(BiasGelu { rows: &mut rows, bias: &bias });
        for (value, expected) in rows.iter().zip(expected) {
            assert!((f64::from(*value) - expected).abs() < 1e-6, "{value} {expected}");
        }

        let width = 37;
        let make = |seed: usize| -> Vec<f32> { (0..2 * width).map(|i| ((i * 7 + seed) % 11) as f32 - 4.0).collect() };
        let (bias, scale, shift) = (make(1), make(2), make(3));
        let norm = Norm { scale: &scale[..width], shift: &shift[..width], eps: 1e-12 };
        let (before, residual) = (make(4), make(5));
        let mut rows = before.clone();
        wide(AddAndNorm { rows: &mut rows, bias: &bias[..width], residual: &residual, norm });
        for row in 0..2 {
            let sum: Vec<f64> =
                (0..width).map(|i| f64::from(before[row * width + i] + residual[row * width + i] + bias[i])).collect();
            let mean = sum.iter().sum::<f64>() / width as f64;
            let variance = sum.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / width as f64;
            for i in 0..width {
                let expected =
                    (sum[i] - mean) / (variance + 1e-12).sqrt() * f64::from(norm.scale[i]) + f64::from(norm.shift[i]);
                assert!((f64::from(rows[row * width + i]) - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_constant_row_is_normalised_by_epsilon_alone() {
        let norm = Norm { scale: &[1.0; 4], shift: &[0.5; 4], eps: 1e-12 };
        let mut rows = vec![3.0; 4];
        wide(AddAndNorm { rows: &mut rows, bias: &[0.0; 4], residual: &[1.0; 4], norm });
        assert_eq!(rows, [0.5; 4]);
    }
}
