//! One pass through the network: from a batch to its loss.

use super::bert::Bert;
use super::contrast::compare;
use super::dropout::drop_rows;
use super::gradients::{Choice, cross_entropy, normal, rows_of_table, scaled_by_column, shifted};
use super::padded::Padded;
use crate::train::network::{Architecture, Batch, DecoderRows, Drops, Target};
use candle_core::{DType, Device, Result, Tensor};
use std::collections::HashMap;

/// The encoder's table of tokens.
pub(super) const WORDS_OF_ENCODER: &str = "encoder.embeddings.word_embeddings.weight";

/// Weights on a device in the shape in which they are run.
pub(super) struct Pass<'a> {
    pub(super) architecture: &'a Architecture,
    /// Every tensor by its name.
    pub(super) leaves: HashMap<&'a str, Tensor>,
    pub(super) device: &'a Device,
    /// Numbers of the matrix products.
    pub(super) products: DType,
}

/// What a pass gave, as numbers on the device.
pub(super) struct Measured {
    /// Sum of the weighted cross-entropies of the targets.
    pub(super) loss: Tensor,
    /// Targets that were named rightly.
    pub(super) right: Tensor,
    /// The loss of the views that were compared; 0 where none were.
    pub(super) contrast: Tensor,
    /// Views whose nearest other one was their partner.
    pub(super) found: Tensor,
}

impl Measured {
    /// All four, `[4]`.
    pub(super) fn row(&self) -> Result<Tensor> {
        Tensor::stack(&[self.loss.detach(), self.right.clone(), self.contrast.detach(), self.found.clone()], 0)
    }
}

impl Pass<'_> {
    /// Runs a batch that has targets or views to compare.
    pub(super) fn run(&self, batch: &Batch, drops: &Drops) -> Result<Measured> {
        let padded = Padded::new(&batch.places);
        let encoder = Bert {
            pass: self,
            root: "encoder.",
            shape: self.architecture.encoder,
            causal: self.architecture.causal,
            drops: &drops.encoder,
            padded: &padded,
        };
        let tokens = rows_of_table(self.leaf(WORDS_OF_ENCODER)?, &padded.spread(&batch.ids, self.device)?)?;
        let encoded = encoder.run(&tokens, &batch.places)?;
        let nothing = || -> Result<_> { Ok((self.zero()?, self.zero()?)) };
        let (contrast, found) = match &batch.pairs {
            Some(pairs) => compare(pairs, &encoded, &padded)?,
            None => nothing()?,
        };
        let (loss, right) = match (self.architecture.decoder, &batch.decoder) {
            _ if batch.targets.is_empty() => nothing()?,
            (Some(shape), Some(rows)) => {
                let of_decoder = Padded::new(&rows.places);
                let input = self.decoder_input(&encoded, &padded, rows, &of_decoder)?;
                let decoder = Bert {
                    root: "decoder.bert.",
                    shape,
                    causal: false,
                    drops: &drops.decoder,
                    padded: &of_decoder,
                    ..encoder
                };
                let decoded = decoder.run(&input, &rows.places)?;
                self.loss("decoder.classifier", &decoded, &of_decoder, &batch.targets, drops)?
            }
            _ => self.loss("classifier", &encoded, &padded, &batch.targets, drops)?,
        };
        Ok(Measured { loss, right, contrast, found })
    }

    fn zero(&self) -> Result<Tensor> {
        Tensor::zeros((), DType::F32, self.device)
    }

    /// A tensor by its name in a checkpoint.
    pub(super) fn leaf(&self, name: &str) -> Result<&Tensor> {
        self.leaves.get(name).ok_or_else(|| candle_core::Error::CannotFindTensor { path: name.to_owned() }.bt())
    }

    /// A linear map of rows `[n, in]`, in the numbers of the matrix products.
    pub(super) fn linear(&self, name: &str, rows: &Tensor) -> Result<Tensor> {
        let weight = self.leaf(&format!("{name}.weight"))?.to_dtype(self.products)?;
        let bias = self.leaf(&format!("{name}.bias"))?.to_dtype(self.products)?;
        shifted(&rows.to_dtype(self.products)?.matmul(&weight.t()?)?, &bias)
    }

    /// A layer norm of rows `[n, D]`, in 32 bits.
    pub(super) fn norm(&self, name: &str, rows: &Tensor) -> Result<Tensor> {
        let (scale, shift) = (self.leaf(&format!("{name}.weight"))?, self.leaf(&format!("{name}.bias"))?);
        shifted(&scaled_by_column(&normal(rows)?, scale)?, shift)
    }

    /// What the decoder reads, `[B L, D]`: the encoder's rows, projected, and its own embedding of `[MASK]` for the others.
    fn decoder_input(
        &self,
        encoded: &Tensor,
        padded: &Padded,
        rows: &DecoderRows,
        of_decoder: &Padded,
    ) -> Result<Tensor> {
        let projected = self.linear("projection", encoded)?.to_dtype(DType::F32)?;
        let source = |row: usize| rows.sources[row].map(|source| padded.rows()[source as usize]);
        let chosen: Vec<Option<u32>> = of_decoder.packed().iter().map(|row| row.and_then(source)).collect();
        let is_masked = |row: &Option<usize>| row.is_some_and(|row| rows.sources[row].is_none());
        let masked: Vec<f32> = of_decoder.packed().iter().map(|row| f32::from(u8::from(is_masked(row)))).collect();
        let masked = Tensor::from_vec(masked, (chosen.len(), 1), self.device)?;
        let words = self.leaf("decoder.bert.embeddings.word_embeddings.weight")?;
        let mask = words.narrow(0, self.architecture.mask as usize, 1)?;
        Choice::new(&chosen, projected.dim(0)?, self.device)?.of(&projected)? + masked.matmul(&mask)?
    }

    /// Loss of the targets among the last hidden rows, and how many were named rightly.
    fn loss(
        &self,
        name: &str,
        hidden: &Tensor,
        padded: &Padded,
        targets: &[Target],
        drops: &Drops,
    ) -> Result<(Tensor, Tensor)> {
        let chosen: Vec<Option<u32>> = targets.iter().map(|target| Some(padded.rows()[target.row as usize])).collect();
        let rows = Choice::new(&chosen, hidden.dim(0)?, self.device)?.of(hidden)?;
        let order: Vec<Option<usize>> = (0..targets.len()).map(Some).collect();
        let scores = self.linear(name, &drop_rows(&rows, drops.head, &order)?)?.to_dtype(DType::F32)?;
        let column = (targets.len(), 1);
        let classes: Vec<u32> = targets.iter().map(|target| target.class).collect();
        let classes = Tensor::from_vec(classes, column, self.device)?;
        let weights: Vec<f32> = targets.iter().map(|target| target.weight).collect();
        let counts: Vec<f32> = targets.iter().map(|target| f32::from(u8::from(target.scored))).collect();
        let named = scores.detach().argmax_keepdim(1)?.eq(&classes)?.to_dtype(DType::F32)?;
        let right = (named * Tensor::from_vec(counts, column, self.device)?)?.sum_all()?;
        let loss = cross_entropy(&scores, &classes, Tensor::from_vec(weights, column, self.device)?)?;
        Ok((loss, right))
    }
}
