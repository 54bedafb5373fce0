//! What makes guesses of masked k-mers: the decoder of a masked autoencoder, or the output layer of a language model.

use super::checkpoint::{Checkpoint, HEAD_TRANSFORM, HEAD_WEIGHT};
use super::device::ChosenDevice;
use super::encoder::{Encoder, Given, Packed};
use super::layers::{LayerNorm, Linear, Weights};
use crate::data::masking::MaskMode;
use crate::data::tokens::Tokens;
use candle_core::{Result, Tensor};

/// The part of a model that guesses k-mers.
#[derive(Debug, Clone)]
pub(super) enum Guesser {
    /// Of a masked autoencoder.
    Decoder(Decoder),
    /// Of a masked language model.
    Masked(Head),
    /// Of a causal language model.
    Causal(Head),
}

impl Guesser {
    /// The part that the checkpoint holds; `None` where it holds the encoder alone.
    pub(super) fn new(checkpoint: &Checkpoint, chosen: &ChosenDevice) -> Result<Option<Self>> {
        let info = checkpoint.info();
        let weights = |tensors, root| Weights { tensors, root, device: &chosen.device, dtype: chosen.dtype };
        if let Some(shape) = info.decoder {
            let (outside, bert) = (weights(checkpoint.decoder(), ""), weights(checkpoint.decoder(), "decoder.bert."));
            return Ok(Some(Self::Decoder(Decoder {
                projection: Linear::joined(&outside, &["projection".to_owned()])?,
                bert: Encoder::new(&bert, shape, info.layer_norm_eps, false)?,
                output: Linear::joined(&outside, &["decoder.classifier".to_owned()])?,
            })));
        }
        if !info.head {
            return Ok(None);
        }
        let head = Head::new(&weights(checkpoint.head(), ""), info.layer_norm_eps)?;
        Ok(Some(if info.causal { Self::Causal(head) } else { Self::Masked(head) }))
    }

    /// Scores (logits) of every k-mer at the masked positions of some barcodes, one barcode after the other, `[M, 4^k]`. Of every
    /// barcode at least one token is masked and one is not.
    pub(super) fn logits(&self, encoder: &Encoder, batch: &[(&Tokens, &[bool])], mask: u32) -> Result<Tensor> {
        let given = |mode| -> Vec<Given> {
            batch.iter().map(|(tokens, masked)| Given::masked(tokens, masked, mode, mask)).collect()
        };
        match self {
            Self::Decoder(decoder) => {
                let seen = encoder.pack(&given(MaskMode::Drop))?;
                let whole = decoder.bert.pack(&given(MaskMode::Combined))?;
                decoder.logits(&encoder.last_hidden(&seen)?, &whole, batch, mask)
            }
            Self::Masked(head) => {
                let packed = encoder.pack(&given(MaskMode::Combined))?;
                head.forward(&select(&encoder.last_hidden(&packed)?, masked_rows(batch))?)
            }
            Self::Causal(head) => {
                let whole: Vec<Given> = batch.iter().map(|(tokens, _)| Given::whole(tokens)).collect();
                let packed = encoder.pack(&whole)?;
                // the state of a token tells what comes after it
                let before = masked_rows(batch).map(|row| row - 1);
                head.forward(&select(&encoder.last_hidden(&packed)?, before)?)
            }
        }
    }
}

/// Whether each token of a batch is masked, one barcode after the other.
fn masks<'a>(batch: &'a [(&Tokens, &[bool])]) -> impl Iterator<Item = bool> + 'a {
    batch.iter().flat_map(|(_, masked)| masked.iter().copied())
}

/// Rows of the masked tokens of a packed batch.
fn masked_rows<'a>(batch: &'a [(&Tokens, &[bool])]) -> impl Iterator<Item = u32> + 'a {
    masks(batch).zip(0..).filter(|(masked, _)| *masked).map(|(_, row)| row)
}

fn select(rows: &Tensor, wanted: impl Iterator<Item = u32>) -> Result<Tensor> {
    rows.index_select(&Tensor::from_iter(wanted, rows.device())?, 0)
}

/// Projection, second BERT and output layer of a masked autoencoder.
#[derive(Debug, Clone)]
pub(super) struct Decoder {
    projection: Linear,
    bert: Encoder,
    output: Linear,
}

impl Decoder {
    /// `encoded`: the encoder's last hidden states of the seen tokens `[S, D]`; `whole`: all tokens of the batch.
    fn logits(&self, encoded: &Tensor, whole: &Packed, batch: &[(&Tokens, &[bool])], mask: u32) -> Result<Tensor> {
        let projected = self.projection.forward(encoded)?;
        let seen = projected.dim(0)? as u32;
        // behind the seen tokens stands the decoder's own embedding of [MASK], for every masked one
        let rows = Tensor::cat(&[projected, self.bert.word(mask)?], 0)?;
        let sources = masks(batch).scan(0, |next, masked| {
            let source = if masked { seen } else { *next };
            *next += u32::from(!masked);
            Some(source)
        });
        let hidden = self.bert.last_hidden_of_rows(&select(&rows, sources)?, whole)?;
        self.output.forward(&select(&hidden, masked_rows(batch))?)
    }
}

/// The output layer of a language model.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// Linear map and layer norm, as `BertForMaskedLM` has them.
    transform: Option<(Linear, LayerNorm)>,
    output: Linear,
}

impl Head {
    fn new(weights: &Weights<'_>, eps: f64) -> Result<Self> {
        let (dense, norm) = (format!("{HEAD_TRANSFORM}.dense"), format!("{HEAD_TRANSFORM}.LayerNorm"));
        let transform = if weights.tensors.contains_key(&format!("{dense}.weight")) {
            Some((Linear::joined(weights, &[dense])?, LayerNorm::new(weights, &norm, eps)?))
        } else {
            None
        };
        let name = HEAD_WEIGHT.trim_end_matches(".weight").to_owned();
        Ok(Self { transform, output: Linear::joined(weights, &[name])? })
    }

    /// `[M, D]` to `[M, 4^k]`.
    fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        match &self.transform {
            None => self.output.forward(hidden),
            Some((dense, norm)) => {
                let rows = dense.forward(hidden)?.gelu_erf()?;
                self.output.forward(&norm.forward_sum(&rows, &rows.zeros_like()?)?)
            }
        }
    }
}
