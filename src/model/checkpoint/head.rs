//! The output layer of a language model: from the encoder's last hidden states to k-mers.
//!
//! | layout | tensors | classes |
//! |---|---|---|
//! | BarcodeMAE's baseline, this program's own (`BertForTokenClassification`) | `classifier` | 4^k k-mers |
//! | BarcodeBERT, Transformers' `BertForMaskedLM` | `cls.predictions`: linear map, GELU, layer norm, linear map | all token ids |
//!
//! Within the program, and in its own files, both have the names of the constants here; the rows of special tokens are left away.

use super::Problem;
use super::assemble::Names;
use super::source::{Described, TensorSource};
use super::tensors::StoredTensor;
use std::collections::BTreeMap;

/// From the width, `[kmers, D]`.
pub(in crate::model) const WEIGHT: &str = "classifier.weight";
/// `[kmers]`.
const BIAS: &str = "classifier.bias";
/// Linear map (`.dense`) and layer norm (`.LayerNorm`) before it, where there are any.
pub(in crate::model) const TRANSFORM: &str = "classifier.transform";
const PREDICTIONS: &str = "cls.predictions";

/// What the output layer has to fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadSize {
    /// Width of the encoder.
    pub(super) width: usize,
    /// Number of special tokens, whose ids come first.
    pub(super) special: usize,
    /// Number of k-mers.
    pub(super) kmers: usize,
}

/// An output layer and the names in the file, without wrappers, that it was read from.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) tensors: BTreeMap<String, StoredTensor>,
    pub(super) used: Vec<String>,
}

/// The output layer, where the file holds one from this encoder to its k-mers. A classifier of another size is one of taxa, and
/// no fault. `words` is the name of the encoder's table of tokens, with which Transformers ties the output's weights.
pub(super) fn read_head(
    source: &mut dyn TensorSource,
    names: &Names,
    size: HeadSize,
    words: &str,
) -> Result<Head, Problem> {
    let HeadSize { width, special, kmers } = size;
    let mut reader = Reader { source, names, head: Head::default() };
    if reader.holds(WEIGHT, &[kmers, width]) && reader.holds(BIAS, &[kmers]) {
        reader.take(WEIGHT, WEIGHT, 0)?;
        reader.take(BIAS, BIAS, 0)?;
        if reader.holds_transform(TRANSFORM, width) {
            reader.take_transform(TRANSFORM)?;
        }
        return Ok(reader.head);
    }
    let rows = special + kmers;
    let decoder = format!("{PREDICTIONS}.decoder.weight");
    let weight = if reader.holds(&decoder, &[rows, width]) { decoder } else { words.to_owned() };
    let biases = [format!("{PREDICTIONS}.bias"), format!("{PREDICTIONS}.decoder.bias")];
    let bias = biases.iter().find(|name| reader.holds(name, &[rows]));
    let transform = format!("{PREDICTIONS}.transform");
    if let Some(bias) = bias
        && reader.holds_transform(&transform, width)
    {
        reader.take_transform(&transform)?;
        reader.take(&weight, WEIGHT, special)?;
        reader.take(bias, BIAS, special)?;
        // the other names of tied tensors
        reader.head.used.extend(biases);
    }
    Ok(reader.head)
}

struct Reader<'a> {
    source: &'a mut dyn TensorSource,
    names: &'a Names,
    head: Head,
}

impl Reader<'_> {
    fn holds(&self, name: &str, expected: &[usize]) -> bool {
        let described = self.names.in_file(name).and_then(|name| self.source.described().get(name));
        matches!(described, Some(Described::Tensor { shape, .. }) if shape == expected)
    }

    fn holds_transform(&self, root: &str, width: usize) -> bool {
        self.holds(&format!("{root}.dense.weight"), &[width, width])
            && ["dense.bias", "LayerNorm.weight", "LayerNorm.bias"]
                .iter()
                .all(|part| self.holds(&format!("{root}.{part}"), &[width]))
    }

    fn take_transform(&mut self, root: &str) -> Result<(), Problem> {
        for part in ["dense.weight", "dense.bias", "LayerNorm.weight", "LayerNorm.bias"] {
            self.take(&format!("{root}.{part}"), &format!("{TRANSFORM}.{part}"), 0)?;
        }
        Ok(())
    }

    /// Reads a tensor without its first rows.
    fn take(&mut self, name: &str, canonical: &str, without: usize) -> Result<(), Problem> {
        let mut tensor = self.names.read(self.source, name)?;
        let values_per_row: usize = tensor.shape[1..].iter().product();
        tensor.values.drain(..without * values_per_row);
        tensor.shape[0] -= without;
        self.head.tensors.insert(canonical.to_owned(), tensor);
        self.head.used.push(name.to_owned());
        Ok(())
    }
}
