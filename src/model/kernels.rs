//! The parts of the encoder between the matrix products, for the CPU.
//!
//! candle's own operations for these run on one core, or compute an error function and an exponential value by value; at the
//! widths used here they take longer than the matrix products. These work in place, row by row, with the widest vectors that
//! the processor has. They are called from several threads, each with its own rows, and use no threads themselves.

use candle_core::{CpuStorage, CustomOp1, InplaceOp2, Layout, Result, Shape, bail};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::Arch;
use std::ops::Range;

/// Lanes of independent sums: enough for the widest vectors, and the same on every machine.
const LANES: usize = 16;

/// `exp(x)` for `x <= 0`, to 2e-7 relative; below -87 it is 0.
///
/// Cody and Waite's reduction to `|r| <= ln(2) / 2`, then the exponential series.
#[inline(always)]
fn exp_non_positive(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Adding and taking it off rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x < -87.0 { -87.0 } else { x };
    let whole = clamped * std::f32::consts::LOG2_E + ROUND - ROUND;
    let r = clamped - whole * LN_2_HIGH - whole * LN_2_LOW;
    let series =
        1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    let power = f32::from_bits(((whole as i32 + 127) as u32) << 23);
    if x < -87.0 { 0.0 } else { series * power }
}

/// The error function to 3e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, formula 7.1.26.
#[inline(always)]
fn erf(x: f32) -> f32 {
    const P: f32 = 0.327_591_1;
    const A: [f32; 5] = [0.254_829_6, -0.284_496_72, 1.421_413_8, -1.453_152_1, 1.061_405_4];
    let size = x.abs();
    let t = 1.0 / (1.0 + P * size);
    let series = t * (A[0] + t * (A[1] + t * (A[2] + t * (A[3] + t * A[4]))));
    (1.0 - series * exp_non_positive(-size * size)).copysign(x)
}

/// Adds `bias` to every row and applies GELU by the error function, `x (1 + erf(x / sqrt 2)) / 2`.
fn bias_gelu(rows: &mut [f32], bias: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(bias.len()) {
                for (value, bias) in row.iter_mut().zip(bias) {
                    let x = *value + bias;
                    *value = 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
                }
            }
        },
    );
}

/// Adds `bias` to every row.
fn add_bias(rows: &mut [f32], bias: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
            }
        },
    );
}

/// The sum of `f` over a row, in lanes, so that it is both fast and accurate.
#[inline(always)]
fn sum_of(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in whole {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += f(value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&value| f(value)).sum::<f32>()
}

/// Layer norm over the last dimension of `rows`, in place, in two passes (mean first, then variance).
#[inline(always)]
fn normalise(row: &mut [f32], scale: &[f32], shift: &[f32], eps: f32) {
    let count = row.len() as f32;
    let mean = sum_of(row, |value| value) / count;
    let variance = sum_of(row, |value| (value - mean) * (value - mean)) / count;
    let factor = 1.0 / (variance + eps).sqrt();
    for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
        *value = (*value - mean) * factor * scale + shift;
    }
}

/// `rows = layer norm(rows + bias + residual)`.
fn add_and_normalise(rows: &mut [f32], residual: &[f32], norm: &AddAndNormalise) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let width = norm.scale.len();
            for (row, residual) in rows.chunks_exact_mut(width).zip(residual.chunks_exact(width)) {
                for ((value, residual), bias) in row.iter_mut().zip(residual).zip(&norm.bias) {
                    *value += residual + bias;
                }
                normalise(row, &norm.scale, &norm.shift, norm.eps);
            }
        },
    );
}

/// Softmax of every row of `scores`, scaled by `scale` before.
fn softmax_rows(scores: &mut [f32], width: usize, scale: f32) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in scores.chunks_exact_mut(width) {
                let largest =
                    row.iter().fold(f32::NEG_INFINITY, |largest, &score| if score > largest { score } else { largest });
                for score in row.iter_mut() {
                    *score = exp_non_positive((*score - largest) * scale);
                }
                let total = 1.0 / sum_of(row, |weight| weight);
                row.iter_mut().for_each(|weight| *weight *= total);
            }
        },
    );
}

/// Multi-head attention of packed sequences: `qkv` is `[N, 3D]` (queries, keys, values), the answer `[N, D]`. Every sequence
/// attends to its own tokens, so there is no padding and no mask.
fn attend(qkv: &[f32], attended: &mut [f32], width: usize, heads: usize, sequences: &[Range<usize>]) {
    let head_width = width / heads;
    let scale = 1.0 / (head_width as f32).sqrt();
    let longest = sequences.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    let mut scores = vec![0.0; longest * longest];
    for tokens in sequences {
        let length = tokens.len();
        let scores = &mut scores[..length * length];
        for head in 0..heads {
            let view = |part: usize| {
                let start = tokens.start * 3 * width + part * width + head * head_width;
                let end = (tokens.end - 1) * 3 * width + part * width + (head + 1) * head_width;
                MatRef::from_row_major_slice_with_stride(&qkv[start..end], length, head_width, 3 * width)
            };
            let answer_start = tokens.start * width + head * head_width;
            let answer_end = (tokens.end - 1) * width + (head + 1) * head_width;
            // faer 0.24's row-major twin of this mixes up its two strides
            let answer = MatMut::from_column_major_slice_with_stride_mut(
                &mut attended[answer_start..answer_end],
                head_width,
                length,
                width,
            )
            .transpose_mut();
            let table = MatMut::from_row_major_slice_mut(scores, length, length);
            matmul(table, Accum::Replace, view(0), view(1).transpose(), 1.0, Par::Seq);
            softmax_rows(scores, length, scale);
            let table = MatRef::from_row_major_slice(scores, length, length);
            matmul(answer, Accum::Replace, table, view(2), 1.0, Par::Seq);
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

fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("a contiguous tensor of 32-bit floats is needed"),
    }
}

/// In place: `[N, D]` plus the bias `[D]`.
pub(super) struct AddBias;

impl InplaceOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(&self, rows: &mut CpuStorage, l1: &Layout, bias: &CpuStorage, l2: &Layout) -> Result<()> {
        add_bias(values_mut(rows, l1)?, values(bias, l2)?);
        Ok(())
    }
}

/// In place: GELU of `[N, D]` plus the bias `[D]`.
pub(super) struct BiasGelu;

impl InplaceOp2 for BiasGelu {
    fn name(&self) -> &'static str {
        "bias-gelu"
    }

    fn cpu_fwd(&self, rows: &mut CpuStorage, l1: &Layout, bias: &CpuStorage, l2: &Layout) -> Result<()> {
        bias_gelu(values_mut(rows, l1)?, values(bias, l2)?);
        Ok(())
    }
}

/// In place: layer norm of `[N, D]` plus a bias `[D]` plus the residual `[N, D]`.
#[derive(Debug, Clone)]
pub(super) struct AddAndNormalise {
    pub(super) bias: Vec<f32>,
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
    pub(super) eps: f32,
}

impl InplaceOp2 for AddAndNormalise {
    fn name(&self) -> &'static str {
        "add-and-normalise"
    }

    fn cpu_fwd(&self, rows: &mut CpuStorage, l1: &Layout, residual: &CpuStorage, l2: &Layout) -> Result<()> {
        add_and_normalise(values_mut(rows, l1)?, values(residual, l2)?, self);
        Ok(())
    }
}

/// Attention of packed sequences, `[N, 3D]` to `[N, D]`.
pub(super) struct PackedAttention<'a> {
    pub(super) heads: usize,
    /// The rows of each sequence.
    pub(super) sequences: &'a [Range<usize>],
}

impl CustomOp1 for PackedAttention<'_> {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, joined) = layout.shape().dims2()?;
        let width = joined / 3;
        let mut attended = vec![0.0; rows * width];
        attend(values(qkv, layout)?, &mut attended, width, self.heads, self.sequences);
        Ok((CpuStorage::F32(attended), Shape::from((rows, width))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error function by its series (small x) and its continued fraction (large x), in 64 bits.
    fn erf_exact(x: f64) -> f64 {
        let size = x.abs();
        let value = if size < 3.0 {
            let (mut term, mut sum, mut n) = (size, size, 0.0);
            while term.abs() > 1e-18 {
                n += 1.0;
                term *= -size * size / n;
                sum += term / (2.0 * n + 1.0);
            }
            sum * 2.0 / std::f64::consts::PI.sqrt()
        } else {
            let mut fraction = 0.0;
            for n in (1..=60).rev() {
                fraction = f64::from(n) / 2.0 / (size + fraction);
            }
            1.0 - (-size * size).exp() / (std::f64::consts::PI.sqrt() * (size + fraction))
        };
        value.copysign(x)
    }

    #[test]
    fn erf_and_exp_are_accurate_everywhere() {
        assert!((erf_exact(0.5) - 0.520_499_877_813_046_5).abs() < 1e-15);
        assert!((erf_exact(3.5) - 0.999_999_256_901_628).abs() < 1e-12);
        let (mut worst_erf, mut worst_exp) = (0.0f64, 0.0f64);
        for step in -120_000..=120_000 {
            let x = step as f32 * 1e-4;
            worst_erf = worst_erf.max((f64::from(erf(x)) - erf_exact(f64::from(x))).abs());
            let negative = -x.abs() * 7.0;
            let exact = f64::from(negative).exp();
            worst_exp = worst_exp.max((f64::from(exp_non_positive(negative)) / exact - 1.0).abs());
        }
        assert!(worst_erf < 5e-7, "{worst_erf:e}");
        assert!(worst_exp < 3e-7, "{worst_exp:e}");
        assert_eq!(exp_non_positive(0.0), 1.0);
        assert_eq!(exp_non_positive(-88.0), 0.0);
        assert_eq!(exp_non_positive(f32::NEG_INFINITY), 0.0);
        assert!(exp_non_positive(f32::NAN).is_nan() && erf(f32::NAN).is_nan());
        assert_eq!((erf(f32::INFINITY), erf(f32::NEG_INFINITY)), (1.0, -1.0));
    }

    #[test]
    fn gelu_and_layer_norm_do_what_their_formulas_say() {
        let bias = [0.5, -1.0, 0.25];
        let mut rows = vec![-3.0, -0.5, 0.0, 0.5, 2.0, 6.0];
        let expected: Vec<f64> = (0..6)
            .map(|i| f64::from(rows[i] + bias[i % 3]))
            .map(|x| 0.5 * x * (1.0 + erf_exact(x / std::f64::consts::SQRT_2)))
            .collect();
        bias_gelu(&mut rows, &bias);
        for (value, expected) in rows.iter().zip(expected) {
            assert!((f64::from(*value) - expected).abs() < 1e-6, "{value} {expected}");
        }

        let width = 37;
        let make = |seed: usize| -> Vec<f32> { (0..2 * width).map(|i| ((i * 7 + seed) % 11) as f32 - 4.0).collect() };
        let norm = AddAndNormalise {
            bias: make(1)[..width].to_vec(),
            scale: make(2)[..width].to_vec(),
            shift: make(3)[..width].to_vec(),
            eps: 1e-12,
        };
        let (before, residual) = (make(4), make(5));
        let mut rows = before.clone();
        add_and_normalise(&mut rows, &residual, &norm);
        for row in 0..2 {
            let sum: Vec<f64> = (0..width)
                .map(|i| f64::from(before[row * width + i] + residual[row * width + i] + norm.bias[i]))
                .collect();
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
        let norm = AddAndNormalise { bias: vec![0.0; 4], scale: vec![1.0; 4], shift: vec![0.5; 4], eps: 1e-12 };
        let mut rows = vec![3.0; 4];
        add_and_normalise(&mut rows, &[1.0; 4], &norm);
        assert_eq!(rows, [0.5; 4]);
    }
}
