//! The BERT encoder (Devlin et al. 2019, as in Transformers' `BertModel`) and its pooled embeddings.
//!
//! Sequences are packed: the tokens of a batch stand one after another in `[N, D]`, without padding, so nothing is computed
//! that does not count and no sequence sees another.

use super::checkpoint::StoredTensor;
use super::config::{EncoderShape, ModelInfo};
use super::kernels::with_values;
use super::layers::{Embeddings, FeedForward, Linear, Output, Weights, attention};
use crate::data::reading::Layers;
use crate::data::tokens::Tokens;
use candle_core::{DType, Device, Result, Tensor};
use std::collections::BTreeMap;
use std::ops::Range;

/// Names of a layer's parts, below `encoder.layer.N`.
const QUERY_KEY_VALUE: [&str; 3] = ["attention.self.query", "attention.self.key", "attention.self.value"];

/// One transformer layer.
#[derive(Debug, Clone)]
struct Layer {
    query_key_value: Linear,
    attention_output: Output,
    feed_forward: FeedForward,
}

/// A BERT encoder on a device.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    embeddings: Embeddings,
    layers: Vec<Layer>,
    shape: EncoderShape,
    causal: bool,
    device: Device,
}

impl Encoder {
    /// Moves the weights to the device. Names and shapes were checked when the checkpoint was read.
    pub(super) fn new(
        tensors: &BTreeMap<String, StoredTensor>,
        info: &ModelInfo,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        let (shape, eps) = (info.encoder, info.layer_norm_eps);
        let weights = Weights { tensors, device, dtype };
        let layer = |index: usize| {
            let name = |part: &str| format!("encoder.layer.{index}.{part}");
            Ok(Layer {
                query_key_value: Linear::joined(&weights, &QUERY_KEY_VALUE.map(name))?,
                attention_output: Output::new(&weights, &name("attention.output"), eps)?,
                feed_forward: FeedForward::new(&weights, &format!("encoder.layer.{index}"), eps)?,
            })
        };
        Ok(Self {
            embeddings: Embeddings::new(&weights, eps)?,
            layers: (0..shape.layers).map(layer).collect::<Result<_>>()?,
            shape,
            causal: info.causal,
            device: device.clone(),
        })
    }

    /// The device that it runs on.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Writes the embedding of every barcode into its row of `out`, `[B, width]` row-major, with `width` that of `layers`.
    pub(super) fn embed(&self, batch: &[&Tokens], layers: Layers, out: &mut [f32]) -> Result<()> {
        let packed = Packed::new(batch, &self.device)?;
        let width = self.shape.width;
        let joined = match layers {
            Layers::Last => width,
            Layers::All => width * (self.shape.layers + 1),
        };
        self.forward(&packed, |depth, hidden| {
            let at = match layers {
                Layers::Last if depth == self.shape.layers => 0,
                Layers::Last => return Ok(()),
                Layers::All => depth * width,
            };
            let parts = out.chunks_exact_mut(joined).map(|row| &mut row[at..at + width]);
            mean_pool(hidden, &packed.sequences, parts)?;
            if layers == Layers::All {
                out.chunks_exact_mut(joined).for_each(|row| scale_to_unit_length(&mut row[at..at + width]));
            }
            Ok(())
        })
    }

    /// Shows the hidden states `[N, D]` of every depth: 0 is the embedding layer, `L` the last layer.
    fn forward(&self, packed: &Packed, mut show: impl FnMut(usize, &Tensor) -> Result<()>) -> Result<()> {
        let mut hidden = self.embeddings.forward(&packed.ids, &packed.positions)?;
        show(0, &hidden)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let joined = layer.query_key_value.forward(&hidden)?;
            let attended = attention(&joined, self.shape.heads, &packed.sequences, self.causal)?;
            let attended = layer.attention_output.forward(&attended, &hidden)?;
            hidden = layer.feed_forward.forward(&attended)?;
            show(index + 1, &hidden)?;
        }
        Ok(())
    }
}

/// Token ids and positions of several barcodes, one after another.
struct Packed {
    ids: Tensor,
    positions: Tensor,
    sequences: Vec<Range<usize>>,
}

impl Packed {
    fn new(batch: &[&Tokens], device: &Device) -> Result<Self> {
        let ids = batch.iter().flat_map(|tokens| tokens.ids.iter().copied());
        let positions =
            batch.iter().flat_map(|tokens| (0..tokens.ids.len() as u32).map(|at| tokens.first_position + at));
        let sequences = batch.iter().scan(0, |end, tokens| {
            let start = *end;
            *end += tokens.ids.len();
            Some(start..*end)
        });
        Ok(Self {
            ids: Tensor::from_iter(ids, device)?,
            positions: Tensor::from_iter(positions, device)?,
            sequences: sequences.collect(),
        })
    }
}

/// The mean over each sequence's tokens.
fn mean_pool<'a>(hidden: &Tensor, sequences: &[Range<usize>], out: impl Iterator<Item = &'a mut [f32]>) -> Result<()> {
    let hidden = hidden.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
    let width = hidden.dim(1)?;
    with_values(&hidden, |hidden| {
        for (tokens, mean) in sequences.iter().zip(out) {
            mean.fill(0.0);
            for row in hidden[tokens.start * width..tokens.end * width].chunks_exact(width) {
                mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            let share = 1.0 / tokens.len() as f32;
            mean.iter_mut().for_each(|sum| *sum *= share);
        }
        Ok(())
    })
}

/// Scales a vector to unit length; the zero vector stays.
fn scale_to_unit_length(vector: &mut [f32]) {
    let length = vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checkpoint::Checkpoint;

    /// GPUs are served by candle's operations; in 64 bits on the CPU they are a twin of the CPU's own.
    #[test]
    fn the_way_of_gpus_agrees_with_the_way_of_the_cpu() {
        let checkpoint = Checkpoint::bundled();
        let info = checkpoint.info();
        let on = |dtype| Encoder::new(checkpoint.encoder(), info, &Device::Cpu, dtype).unwrap();
        let batch: Vec<Tokens> = [(3, 50), (0, 1), (0, 110), (109, 1), (17, 64)]
            .map(|(first_position, length)| Tokens {
                ids: (0..length).map(|i| i * 37 % 4098).collect(),
                first_position,
            })
            .into();
        let batch: Vec<&Tokens> = batch.iter().collect();
        for (layers, width) in [(Layers::Last, 256), (Layers::All, 1280)] {
            let embed = |dtype| {
                let mut vectors = vec![0.0f32; batch.len() * width];
                on(dtype).embed(&batch, layers, &mut vectors).unwrap();
                vectors
            };
            let (fused, twin) = (embed(DType::F32), embed(DType::F64));
            for (row, (fused, twin)) in fused.chunks(width).zip(twin.chunks(width)).enumerate() {
                let largest = twin.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
                let difference = fused.iter().zip(twin).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
                assert!(difference < 1e-5 * largest, "{layers}, row {row}: {difference:e} of {largest}");
            }
        }
    }

    #[test]
    fn the_zero_vector_has_no_direction() {
        let mut vector = [0.0; 3];
        scale_to_unit_length(&mut vector);
        assert_eq!(vector, [0.0; 3]);
        let mut vector = [3.0, 0.0, -4.0];
        scale_to_unit_length(&mut vector);
        assert_eq!(vector, [0.6, 0.0, -0.8]);
    }
}
