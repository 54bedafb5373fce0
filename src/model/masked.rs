//! Reading barcodes some of whose tokens are hidden, and guessing what is hidden.

use super::encoder::Given;
use super::{BARCODES_PER_TASK, Model, ModelError};
use crate::data::masking::MaskMode;
use crate::data::reading::Layers;
use crate::data::tokens::Tokens;
use candle_core::DType;
use ndarray::Array2;
use rayon::prelude::*;

/// A barcode some of whose tokens are hidden.
#[derive(Debug, Clone, Copy)]
pub struct MaskedTokens<'a> {
    /// All of its tokens, as they are.
    pub tokens: &'a Tokens,
    /// Whether each is masked, `[T]`.
    pub masked: &'a [bool],
}

impl Model {
    /// The embeddings of some masked barcodes, `[B, width]`, untransformed. Each depends on its own barcode and mask alone; with
    /// nothing masked, `drop` and `combined` read as [`Self::embed`] does.
    ///
    /// # Errors
    /// As [`Self::embed`]; [`ModelError::Mask`] for a mask of another length than the barcode, and where it leaves nothing to
    /// take the mean of: all tokens masked with `drop`, none with `mask`.
    pub fn embed_masked(
        &self,
        batch: &[MaskedTokens<'_>],
        mode: MaskMode,
        layers: Layers,
    ) -> Result<Array2<f32>, ModelError> {
        self.check(batch.iter().map(|barcode| barcode.tokens))?;
        let mask = self.tokenizer.mask();
        let mut given = Vec::with_capacity(batch.len());
        for (row, MaskedTokens { tokens, masked }) in batch.iter().enumerate() {
            check_length(row, tokens, masked)?;
            let read = Given::masked(tokens, masked, mode, mask);
            if !read.pooled.contains(&true) {
                let what = if mode == MaskMode::Drop {
                    "all tokens are masked, so none is left"
                } else {
                    "no token is masked"
                };
                return Err(ModelError::Mask { row, what: format!("{what} to take the mean of with '{mode}'") });
            }
            given.push(read);
        }
        self.embed_given(&given, layers)
    }

    /// Whether the model can guess masked k-mers: its file holds a decoder, or an output layer.
    pub fn can_guess(&self) -> bool {
        self.guesser.is_some()
    }

    /// Logarithms of the probability of every k-mer, in the order of their ids, at the masked positions of every barcode,
    /// `[M, 4^k]` each.
    ///
    /// A masked autoencoder and a masked language model see the other tokens of the barcode. A causal one sees what comes before
    /// each masked token as it is, and guesses none at the start.
    ///
    /// # Errors
    /// [`ModelError::NoGuesses`] for a model that holds its encoder alone; as [`Self::embed`]; [`ModelError::Mask`] for a mask of
    /// another length than the barcode, that masks all of it, or the first token for a causal model.
    pub fn guess(&self, batch: &[MaskedTokens<'_>]) -> Result<Vec<Array2<f32>>, ModelError> {
        let guesser = self.guesser.as_ref().ok_or_else(|| ModelError::NoGuesses { model: self.info.name.clone() })?;
        self.check(batch.iter().map(|barcode| barcode.tokens))?;
        let causal = self.info.causal;
        for (row, MaskedTokens { tokens, masked }) in batch.iter().enumerate() {
            check_length(row, tokens, masked)?;
            let wrong = |what: &str| Err(ModelError::Mask { row, what: what.to_owned() });
            if !masked.contains(&false) {
                return wrong("all tokens are masked, so there is nothing to guess from");
            }
            if causal && masked[0] {
                return wrong("the first token is masked, and a causal model has nothing before it to guess from");
            }
        }
        let part = |part: &[MaskedTokens<'_>]| -> Result<Vec<Array2<f32>>, ModelError> {
            let some: Vec<_> = part.iter().map(|barcode| (barcode.tokens, barcode.masked)).collect();
            let counts: Vec<usize> = part.iter().map(|barcode| masked_count(barcode.masked)).collect();
            if counts.iter().all(|&count| count == 0) {
                return Ok(counts.iter().map(|_| Array2::zeros((0, self.kmers()))).collect());
            }
            let logits = guesser.logits(&self.encoder, &some, self.tokenizer.mask())?;
            let values = logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            Ok(split(values, &counts, self.kmers()))
        };
        if self.is_on_gpu() {
            return part(batch);
        }
        let parts = batch.par_chunks(BARCODES_PER_TASK).map(part).collect::<Result<Vec<_>, _>>()?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// Number of k-mers, 4^k.
    fn kmers(&self) -> usize {
        self.tokenizer.vocabulary() - self.tokenizer.special_tokens().len()
    }
}

fn check_length(row: usize, tokens: &Tokens, masked: &[bool]) -> Result<(), ModelError> {
    if tokens.ids.len() == masked.len() {
        return Ok(());
    }
    let what = format!("its mask is for {} tokens, it has {}", masked.len(), tokens.ids.len());
    Err(ModelError::Mask { row, what })
}

fn masked_count(masked: &[bool]) -> usize {
    masked.iter().filter(|&&masked| masked).count()
}

/// Scores `[M, classes]` of several barcodes, parted and turned into logarithms of probabilities.
fn split(mut values: Vec<f32>, counts: &[usize], classes: usize) -> Vec<Array2<f32>> {
    values.chunks_exact_mut(classes).for_each(to_log_probabilities);
    let mut rest = values.as_slice();
    let parts = counts.iter().map(|&count| {
        let (part, behind) = rest.split_at(count * classes);
        rest = behind;
        Array2::from_shape_vec((count, classes), part.to_vec()).expect("one row per masked token was computed")
    });
    parts.collect()
}

fn to_log_probabilities(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|&score| f64::from(score - largest).exp()).sum();
    let level = f64::from(largest) + sum.ln();
    scores.iter_mut().for_each(|score| *score = (f64::from(*score) - level) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probabilities_are_those_of_softmax() {
        let mut scores = [1.0, 3.0, -2.0, 3.0];
        to_log_probabilities(&mut scores);
        let sum = 1f64.exp() + 2.0 * 3f64.exp() + (-2f64).exp();
        for (found, score) in scores.iter().zip([1.0, 3.0, -2.0, 3.0]) {
            assert!((f64::from(*found) - (score - sum.ln())).abs() < 1e-6);
        }
        let mut large = [1000.0, 0.0];
        to_log_probabilities(&mut large);
        assert_eq!(large, [0.0, -1000.0]);
    }
}
