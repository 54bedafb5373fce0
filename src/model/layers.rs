//! The layers of a BERT: linear maps, layer norm, attention, on any device.

use super::checkpoint::StoredTensor;
use super::kernels::{self, AddAndNormalise, NormWeights, PackedAttention, PackedLinear, Project, ProjectAndNormalise};
use super::padding::Padding;
use candle_core::{D, DType, Device, Result, Tensor};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Takes tensors by name, moves them to a device and joins them.
pub(super) struct Weights<'a> {
    pub(super) tensors: &'a BTreeMap<String, StoredTensor>,
    /// What stands before every name.
    pub(super) root: &'a str,
    pub(super) device: &'a Device,
    pub(super) dtype: DType,
}

impl Weights<'_> {
    fn stored(&self, name: &str) -> &StoredTensor {
        &self.tensors[&format!("{}{name}", self.root)]
    }

    /// A tensor as it is.
    pub(super) fn tensor(&self, name: &str) -> Result<Tensor> {
        let stored = self.stored(name);
        Tensor::from_slice(&stored.values, stored.shape.as_slice(), self.device)?.to_dtype(self.dtype)
    }
}

/// Whether the CPU's own way of computing a half layer at once is taken; candle's operations are for everything else.
pub(super) fn is_fused(device: &Device, dtype: DType) -> bool {
    device.is_cpu() && dtype == DType::F32
}

/// Several linear maps of one input, computed as one.
#[derive(Debug, Clone)]
pub(super) enum Linear {
    /// For the CPU's own way.
    Packed(Arc<PackedLinear>),
    /// For candle's operations.
    Tensors {
        /// `[in, out]`.
        weight: Tensor,
        /// `[out]`.
        bias: Tensor,
    },
}

impl Linear {
    /// The maps called `names`, their outputs side by side.
    pub(super) fn joined(weights: &Weights<'_>, names: &[String]) -> Result<Self> {
        let names = |kind: &'static str| names.iter().map(move |name| format!("{name}.{kind}"));
        if is_fused(weights.device, weights.dtype) {
            let part = |name: String| weights.stored(&name).values.as_slice();
            let all = |kind| names(kind).map(part).collect::<Vec<_>>().concat();
            return Ok(Self::Packed(Arc::new(PackedLinear::new(&all("weight"), all("bias")))));
        }
        let part = |kind| names(kind).map(|name| weights.tensor(&name)).collect::<Result<Vec<_>>>();
        let weight = Tensor::cat(&part("weight")?, 0)?.t()?.contiguous()?;
        Ok(Self::Tensors { weight, bias: Tensor::cat(&part("bias")?, 0)? })
    }

    /// `[N, in]` to `[N, out]`.
    pub(super) fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        match self {
            Self::Packed(linear) => rows.apply_op1_no_bwd(&Project(linear)),
            Self::Tensors { weight, bias } => rows.matmul(weight)?.broadcast_add(bias),
        }
    }
}

/// Layer norm over the width.
#[derive(Debug, Clone)]
pub(super) struct LayerNorm {
    scale: Tensor,
    shift: Tensor,
    eps: f32,
}

impl LayerNorm {
    pub(super) fn new(weights: &Weights<'_>, name: &str, eps: f64) -> Result<Self> {
        Ok(Self {
            scale: weights.tensor(&format!("{name}.weight"))?,
            shift: weights.tensor(&format!("{name}.bias"))?,
            eps: eps as f32,
        })
    }

    fn weights(&self) -> NormWeights<'_> {
        NormWeights { scale: &self.scale, shift: &self.shift, eps: self.eps }
    }

    /// Normalises every row of the sum of two tensors, in at least 32 bits.
    pub(super) fn forward_sum(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        if is_fused(a.device(), a.dtype()) {
            return a.apply_op2_no_bwd(b, &AddAndNormalise { norm: self.weights() });
        }
        let rows = (a + b)?;
        let dtype = rows.dtype();
        if matches!(dtype, DType::BF16 | DType::F16) {
            // One pass in 32 bits. It takes the variance from sums, which in 32 bits themselves would cost digits.
            return candle_nn::ops::layer_norm(&rows, &self.scale, &self.shift, self.eps);
        }
        let rows = if dtype == DType::F64 { rows } else { rows.to_dtype(DType::F32)? };
        let centred = rows.broadcast_sub(&rows.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normal = centred.broadcast_div(&(variance + f64::from(self.eps))?.sqrt()?)?.to_dtype(dtype)?;
        normal.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)
    }
}

/// A linear map, then the residual, then layer norm: the end of both halves of a BERT layer.
#[derive(Debug, Clone)]
pub(super) struct Output {
    linear: Linear,
    norm: LayerNorm,
}

impl Output {
    pub(super) fn new(weights: &Weights<'_>, name: &str, eps: f64) -> Result<Self> {
        Ok(Self {
            linear: Linear::joined(weights, &[format!("{name}.dense")])?,
            norm: LayerNorm::new(weights, &format!("{name}.LayerNorm"), eps)?,
        })
    }

    pub(super) fn forward(&self, rows: &Tensor, residual: &Tensor) -> Result<Tensor> {
        if let Linear::Packed(linear) = &self.linear {
            let norm = self.norm.weights();
            return rows.apply_op1_no_bwd(&ProjectAndNormalise { linear, norm, residual });
        }
        self.norm.forward_sum(&self.linear.forward(rows)?, residual)
    }
}

/// The feed-forward half of a BERT layer.
#[derive(Debug, Clone)]
pub(super) struct FeedForward {
    inner: Linear,
    output: Output,
}

impl FeedForward {
    pub(super) fn new(weights: &Weights<'_>, layer: &str, eps: f64) -> Result<Self> {
        Ok(Self {
            inner: Linear::joined(weights, &[format!("{layer}.intermediate.dense")])?,
            output: Output::new(weights, &format!("{layer}.output"), eps)?,
        })
    }

    pub(super) fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        if let (Linear::Packed(inner), Linear::Packed(outer)) = (&self.inner, &self.output.linear) {
            let norm = self.output.norm.weights();
            return rows.apply_op1_no_bwd(&kernels::FeedForward { inner, outer, norm });
        }
        self.output.forward(&self.inner.forward(rows)?.gelu_erf()?, rows)
    }
}

/// The sum of a token's embeddings, normalised.
#[derive(Debug, Clone)]
pub(super) struct Embeddings {
    words: Tensor,
    /// Positions, with token type 0 added.
    positions: Tensor,
    norm: LayerNorm,
}

impl Embeddings {
    pub(super) fn new(weights: &Weights<'_>, eps: f64) -> Result<Self> {
        let token_type = weights.tensor("embeddings.token_type_embeddings.weight")?.narrow(0, 0, 1)?;
        let positions = weights.tensor("embeddings.position_embeddings.weight")?;
        Ok(Self {
            words: weights.tensor("embeddings.word_embeddings.weight")?,
            positions: positions.broadcast_add(&token_type)?,
            norm: LayerNorm::new(weights, "embeddings.LayerNorm", eps)?,
        })
    }

    /// `[N]` token ids and positions to `[N, D]`.
    pub(super) fn forward(&self, ids: &Tensor, positions: &Tensor) -> Result<Tensor> {
        self.forward_rows(&self.words.index_select(ids, 0)?, positions)
    }

    /// Rows `[N, D]` in place of the embeddings of words, and positions `[N]`, to `[N, D]`.
    pub(super) fn forward_rows(&self, rows: &Tensor, positions: &Tensor) -> Result<Tensor> {
        self.norm.forward_sum(rows, &self.positions.index_select(positions, 0)?)
    }

    /// The embedding of one word, `[1, D]`.
    pub(super) fn word(&self, id: u32) -> Result<Tensor> {
        self.words.narrow(0, id as usize, 1)
    }
}

/// Who attends to whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attending<'a> {
    pub(super) heads: usize,
    /// Whether a token attends only to itself and to those before it.
    pub(super) causal: bool,
    /// The rows of each sequence.
    pub(super) sequences: &'a [Range<usize>],
    /// The same, padded, for candle's operations; `None` for the CPU's own way.
    pub(super) padding: Option<&'a Padding>,
}

/// Multi-head attention of packed sequences, `[N, 3D]` to `[N, D]`.
pub(super) fn attention(qkv: &Tensor, attending: &Attending<'_>) -> Result<Tensor> {
    let &Attending { heads, causal, sequences, padding } = attending;
    match padding {
        None => qkv.apply_op1_no_bwd(&PackedAttention { heads, causal, sequences }),
        Some(padding) => padded_attention(qkv, heads, padding),
    }
}

/// The same with the sequences padded to one length.
fn padded_attention(qkv: &Tensor, heads: usize, padding: &Padding) -> Result<Tensor> {
    let ((batch, length), width) = (padding.shape(), qkv.dim(1)? / 3);
    let head_width = width / heads;
    let split = padding.pad(qkv)?.reshape((batch, length, 3, heads, head_width))?.permute((2, 0, 3, 1, 4))?;
    let part = |index: usize| split.get(index)?.contiguous();
    // The queries are the fewest numbers that can be scaled.
    let queries = (part(0)? * (1.0 / (head_width as f64).sqrt()))?;
    let scores = queries.matmul(&part(1)?.t()?)?.broadcast_add(padding.bias())?;
    let weights = candle_nn::ops::softmax_last_dim(&scores)?;
    let attended = weights.matmul(&part(2)?)?.transpose(1, 2)?.contiguous()?.reshape((batch * length, width))?;
    padding.pack(&attended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::Rng;

    #[test]
    fn packed_and_padded_attention_agree_with_the_formula() {
        [false, true].into_iter().for_each(assert_attention);
    }

    fn assert_attention(causal: bool) {
        let (heads, head_width, lengths) = (3, 8, [5usize, 1, 9, 2]);
        let width = heads * head_width;
        let mut start = 0;
        let sequences: Vec<Range<usize>> = lengths
            .iter()
            .map(|length| {
                start += length;
                start - length..start
            })
            .collect();
        let mut rng = Seed(3).stream("attention");
        let values: Vec<f32> = (0..start * 3 * width).map(|_| rng.random_range(-2.0..2.0)).collect();
        let qkv = Tensor::from_slice(&values, (start, 3 * width), &Device::Cpu).unwrap();
        let padding = Padding::new(&sequences, &vec![true; start], causal, &Device::Cpu, DType::F32).unwrap();
        let [packed, padded] = [None, Some(&padding)].map(|padding| {
            let attending = Attending { heads, causal, sequences: &sequences, padding };
            attention(&qkv, &attending).unwrap().to_vec2::<f32>().unwrap()
        });
        for (row, head) in (0..start).flat_map(|row| (0..heads).map(move |head| (row, head))) {
            let tokens = sequences.iter().find(|tokens| tokens.contains(&row)).unwrap();
            let tokens = if causal { tokens.start..row + 1 } else { tokens.clone() };
            let at = |row: usize, part: usize, i: usize| {
                f64::from(values[row * 3 * width + part * width + head * head_width + i])
            };
            let scores: Vec<f64> = tokens
                .clone()
                .map(|other| (0..head_width).map(|i| at(row, 0, i) * at(other, 1, i)).sum::<f64>())
                .map(|dot| (dot / (head_width as f64).sqrt()).exp())
                .collect();
            let total: f64 = scores.iter().sum();
            for i in 0..head_width {
                let expected: f64 =
                    tokens.clone().zip(&scores).map(|(other, score)| score / total * at(other, 2, i)).sum();
                for (kind, answer) in [("packed", &packed), ("padded", &padded)] {
                    let found = f64::from(answer[row][head * head_width + i]);
                    assert!(
                        (found - expected).abs() < 2e-6,
                        "{kind}, causal {causal}, {row} {head} {i}: {found} {expected}"
                    );
                }
            }
        }
    }
}
