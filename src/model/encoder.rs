//! A BERT (Devlin et al. 2019, as in Transformers' `BertModel`) and its pooled embeddings.
//!
//! Sequences are packed: the tokens of a batch stand one after another in `[N, D]`, without padding, so nothing is computed
//! that does not count and no sequence sees another.

use super::config::EncoderShape;
use super::kernels::with_values;
use super::layers::{Attending, Embeddings, FeedForward, Linear, Output, Weights, attention, is_fused};
use super::padding::Padding;
use crate::data::masking::MaskMode;
use crate::data::reading::Layers;
use crate::data::tokens::Tokens;
use candle_core::{DType, Device, Result, Tensor};
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
    dtype: DType,
}

impl Encoder {
    /// Moves the weights to the device. Names and shapes were checked when the checkpoint was read.
    pub(super) fn new(weights: &Weights<'_>, shape: EncoderShape, eps: f64, causal: bool) -> Result<Self> {
        let layer = |index: usize| {
            let name = |part: &str| format!("encoder.layer.{index}.{part}");
            Ok(Layer {
                query_key_value: Linear::joined(weights, &QUERY_KEY_VALUE.map(name))?,
                attention_output: Output::new(weights, &name("attention.output"), eps)?,
                feed_forward: FeedForward::new(weights, &format!("encoder.layer.{index}"), eps)?,
            })
        };
        Ok(Self {
            embeddings: Embeddings::new(weights, eps)?,
            layers: (0..shape.layers).map(layer).collect::<Result<_>>()?,
            shape,
            causal,
            device: weights.device.clone(),
            dtype: weights.dtype,
        })
    }

    /// The device that it runs on.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Writes the embedding of every barcode into its row of `out`, `[B, width]` row-major, with `width` that of `layers`.
    pub(super) fn embed(&self, batch: &[Given], layers: Layers, out: &mut [f32]) -> Result<()> {
        let packed = self.pack(batch)?;
        match &packed.padding {
            None => self.embed_here(&packed, layers, out),
            Some(padding) => self.embed_there(&packed, padding, layers, out),
        }
    }

    /// On the CPU: layer by layer into its place.
    fn embed_here(&self, packed: &Packed, layers: Layers, out: &mut [f32]) -> Result<()> {
        let width = self.shape.width;
        let joined = width * self.depths(layers).count();
        self.read(packed, |depth, hidden| {
            let Some(at) = self.depths(layers).position(|wanted| wanted == depth) else { return Ok(()) };
            let at = at * width..(at + 1) * width;
            mean_pool(hidden, packed, out.chunks_exact_mut(joined).map(|row| &mut row[at.clone()]))
        })?;
        self.finish(layers, out);
        Ok(())
    }

    /// On another device: the means are taken there, and all come back at once.
    fn embed_there(&self, packed: &Packed, padding: &Padding, layers: Layers, out: &mut [f32]) -> Result<()> {
        let mut means = Vec::new();
        self.read(packed, |depth, hidden| {
            if self.depths(layers).contains(&depth) {
                means.push(padding.means(hidden)?);
            }
            Ok(())
        })?;
        out.copy_from_slice(&Tensor::cat(&means, 1)?.flatten_all()?.to_vec1::<f32>()?);
        self.finish(layers, out);
        Ok(())
    }

    /// The depths whose means make an embedding: 0 is the embedding layer, `L` the last layer.
    fn depths(&self, layers: Layers) -> std::ops::RangeInclusive<usize> {
        match layers {
            Layers::Last => self.shape.layers..=self.shape.layers,
            Layers::All => 0..=self.shape.layers,
        }
    }

    /// Gives each of several depths the same weight.
    fn finish(&self, layers: Layers, out: &mut [f32]) {
        if layers == Layers::All {
            out.chunks_exact_mut(self.shape.width).for_each(scale_to_unit_length);
        }
    }

    /// A batch as this encoder reads it.
    pub(super) fn pack(&self, batch: &[Given]) -> Result<Packed> {
        let sequences = batch.iter().scan(0, |end, given| {
            let start = *end;
            *end += given.ids.len();
            Some(start..*end)
        });
        let sequences: Vec<Range<usize>> = sequences.collect();
        let pooled: Vec<bool> = batch.iter().flat_map(|given| given.pooled.iter().copied()).collect();
        let padding = (!is_fused(&self.device, self.dtype))
            .then(|| Padding::new(&sequences, &pooled, self.causal, &self.device, self.dtype))
            .transpose()?;
        Ok(Packed {
            ids: Tensor::from_iter(batch.iter().flat_map(|given| given.ids.iter().copied()), &self.device)?,
            positions: Tensor::from_iter(batch.iter().flat_map(|given| given.positions.iter().copied()), &self.device)?,
            pooled,
            sequences,
            padding,
        })
    }

    /// The embedding of one word, `[1, D]`.
    pub(super) fn word(&self, id: u32) -> Result<Tensor> {
        self.embeddings.word(id)
    }

    /// The last hidden states of all tokens, `[N, D]`.
    pub(super) fn last_hidden(&self, packed: &Packed) -> Result<Tensor> {
        self.read(packed, |_, _| Ok(()))
    }

    /// The last hidden states of `rows` `[N, D]`, which stand where the embeddings of words do.
    pub(super) fn last_hidden_of_rows(&self, rows: &Tensor, packed: &Packed) -> Result<Tensor> {
        self.forward(self.embeddings.forward_rows(rows, &packed.positions)?, packed, |_, _| Ok(()))
    }

    fn read(&self, packed: &Packed, show: impl FnMut(usize, &Tensor) -> Result<()>) -> Result<Tensor> {
        self.forward(self.embeddings.forward(&packed.ids, &packed.positions)?, packed, show)
    }

    /// Shows the hidden states `[N, D]` of every depth (0 is the embedding layer, `L` the last layer) and answers the last.
    fn forward(
        &self,
        mut hidden: Tensor,
        packed: &Packed,
        mut show: impl FnMut(usize, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let Packed { sequences, padding, .. } = packed;
        let (heads, causal) = (self.shape.heads, self.causal);
        let attending = Attending { heads, causal, sequences, padding: padding.as_ref() };
        show(0, &hidden)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let joined = layer.query_key_value.forward(&hidden)?;
            let attended = attention(&joined, &attending)?;
            let attended = layer.attention_output.forward(&attended, &hidden)?;
            hidden = layer.feed_forward.forward(&attended)?;
            show(index + 1, &hidden)?;
        }
        Ok(hidden)
    }
}

/// What the encoder is given of one barcode, `[T]` each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) ids: Vec<u32>,
    pub(super) positions: Vec<u32>,
    /// Whether each token counts in the mean.
    pub(super) pooled: Vec<bool>,
}

impl Given {
    /// All tokens of a barcode.
    pub(super) fn whole(tokens: &Tokens) -> Self {
        let length = tokens.ids.len();
        let positions = (0..length as u32).map(|at| tokens.first_position + at);
        Self { ids: tokens.ids.clone(), positions: positions.collect(), pooled: vec![true; length] }
    }

    /// A barcode some of whose tokens are `masked`, `[T]`.
    pub(super) fn masked(tokens: &Tokens, masked: &[bool], mode: MaskMode, mask: u32) -> Self {
        let mut given = Self::whole(tokens);
        if mode == MaskMode::Drop {
            let mut seen = masked.iter().map(|masked| !masked);
            given.ids.retain(|_| seen.next() == Some(true));
            let mut seen = masked.iter().map(|masked| !masked);
            given.positions.retain(|_| seen.next() == Some(true));
            given.pooled.truncate(given.ids.len());
            return given;
        }
        given.ids.iter_mut().zip(masked).filter(|(_, masked)| **masked).for_each(|(id, _)| *id = mask);
        if mode == MaskMode::Mask {
            given.pooled.copy_from_slice(masked);
        }
        given
    }
}

/// Tokens of several barcodes, one after another.
pub(super) struct Packed {
    ids: Tensor,
    positions: Tensor,
    pooled: Vec<bool>,
    pub(super) sequences: Vec<Range<usize>>,
    /// The sequences, padded, where candle's operations are taken.
    padding: Option<Padding>,
}

/// The mean over each sequence's tokens that count.
fn mean_pool<'a>(hidden: &Tensor, packed: &Packed, out: impl Iterator<Item = &'a mut [f32]>) -> Result<()> {
    let hidden = hidden.to_dtype(DType::F32)?;
    let width = hidden.dim(1)?;
    with_values(&hidden, |hidden| {
        for (tokens, mean) in packed.sequences.iter().zip(out) {
            mean.fill(0.0);
            let mut counted = 0;
            for at in tokens.clone().filter(|&at| packed.pooled[at]) {
                mean.iter_mut().zip(&hidden[at * width..(at + 1) * width]).for_each(|(sum, value)| *sum += value);
                counted += 1;
            }
            let share = 1.0 / counted as f32;
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

    #[test]
    fn means_taken_on_a_device_are_those_taken_here() {
        let counts = [vec![true; 3], vec![true], vec![true, false, false, true]];
        let pooled = counts.concat();
        let sequences = vec![0..3, 3..4, 4..8];
        let hidden =
            Tensor::from_iter((0..16).map(|at| (at * at) as f32), &Device::Cpu).unwrap().reshape((8, 2)).unwrap();
        let padding = Padding::new(&sequences, &pooled, false, &Device::Cpu, DType::F32).unwrap();
        let there = padding.means(&hidden).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let none = || Tensor::zeros(0, DType::U32, &Device::Cpu).unwrap();
        let packed = Packed { ids: none(), positions: none(), pooled, sequences, padding: None };
        let mut here = [0.0f32; 6];
        mean_pool(&hidden, &packed, here.chunks_exact_mut(2)).unwrap();
        assert_eq!(here[4..], [(64.0 + 196.0) / 2.0, (81.0 + 225.0) / 2.0]);
        for (here, there) in here.iter().zip(there) {
            assert!((here - there).abs() <= 1e-4, "{here} {there}");
        }
    }

    /// In 16 bits a layer norm is candle's own: it must do what the two passes do, as far as 16 bits tell.
    #[test]
    fn in_16_bits_the_embeddings_are_nearly_the_same() {
        let checkpoint = Checkpoint::bundled();
        let info = checkpoint.info();
        let batch: Vec<Given> = [(3, 50), (0, 1), (17, 64)]
            .map(|(first_position, length)| Tokens {
                ids: (0..length).map(|i| i * 37 % 4098).collect(),
                first_position,
            })
            .iter()
            .map(Given::whole)
            .collect();
        let embed = |dtype| {
            let weights = Weights { tensors: checkpoint.encoder(), root: "", device: &Device::Cpu, dtype };
            let encoder = Encoder::new(&weights, info.encoder, info.layer_norm_eps, false).unwrap();
            let mut vectors = vec![0.0f32; batch.len() * 256];
            encoder.embed(&batch, Layers::Last, &mut vectors).unwrap();
            vectors
        };
        for (exact, short) in embed(DType::F32).chunks(256).zip(embed(DType::BF16).chunks(256)) {
            let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let cosine = product(exact, short) / (product(exact, exact) * product(short, short)).sqrt();
            assert!(cosine > 0.999, "{cosine}");
        }
    }

    /// GPUs are served by candle's operations; in 64 bits on the CPU they are a twin of the CPU's own.
    #[test]
    fn the_way_of_gpus_agrees_with_the_way_of_the_cpu() {
        let checkpoint = Checkpoint::bundled();
        let info = checkpoint.info();
        let on = |dtype, causal| {
            let weights = Weights { tensors: checkpoint.encoder(), root: "", device: &Device::Cpu, dtype };
            Encoder::new(&weights, info.encoder, info.layer_norm_eps, causal).unwrap()
        };
        let batch: Vec<Tokens> = [(3, 50), (0, 1), (0, 110), (109, 1), (17, 64)]
            .map(|(first_position, length)| Tokens {
                ids: (0..length).map(|i| i * 37 % 4098).collect(),
                first_position,
            })
            .into();
        let batch: Vec<Given> = batch.iter().map(Given::whole).collect();
        for (layers, width, causal) in [(Layers::Last, 256, false), (Layers::All, 768, false), (Layers::All, 768, true)]
        {
            let embed = |dtype| {
                let mut vectors = vec![0.0f32; batch.len() * width];
                on(dtype, causal).embed(&batch, layers, &mut vectors).unwrap();
                vectors
            };
            let (fused, twin) = (embed(DType::F32), embed(DType::F64));
            for (row, (fused, twin)) in fused.chunks(width).zip(twin.chunks(width)).enumerate() {
                let largest = twin.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
                let difference = fused.iter().zip(twin).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
                assert!(
                    difference < 1e-5 * largest,
                    "{layers}, causal {causal}, row {row}: {difference:e} of {largest}"
                );
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
