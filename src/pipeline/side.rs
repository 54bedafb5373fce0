//! What is compared with what, and by which method.

use super::PipelineError;
use super::embed::Embedded;
use crate::data::dataset::Dataset;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How likeness of two barcodes is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Cosine of the model's embeddings.
    #[default]
    Model,
    /// Percent identity of the alignment with the references that are nearest by the model's embeddings.
    Both,
    /// Cosine of the model's embeddings under a head that was fitted to the genera of the reference.
    Fitted,
    /// Cosine of overlapping 6-mer counts.
    Kmer,
    /// Percent identity of the alignment with the 256 references that share most k-mers.
    Align,
    /// Cosine of embeddings by a randomly initialised encoder of the model's shape, read as the model reads.
    Random,
}

impl Method {
    /// Every method: the model first, alone, together with alignment and with the reference's labels, then the baselines.
    pub const ALL: [Self; 6] = [Self::Model, Self::Both, Self::Fitted, Self::Kmer, Self::Align, Self::Random];

    /// The name on the command line and in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Both => "both",
            Self::Fitted => "fitted",
            Self::Kmer => "kmer",
            Self::Align => "align",
            Self::Random => "random",
        }
    }

    /// The name in the window and in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::Model => "the model",
            Self::Both => "model and alignment",
            Self::Fitted => "model fitted to genera",
            Self::Kmer => "6-mer counts",
            Self::Align => "alignment",
            Self::Random => "untrained encoder",
        }
    }

    /// Whether it needs embeddings.
    pub fn embeds(self) -> bool {
        self.reads_with_model() || self == Self::Random
    }

    /// Whether it needs embeddings by the model itself.
    pub fn reads_with_model(self) -> bool {
        matches!(self, Self::Model | Self::Both | Self::Fitted)
    }

    /// Whether likeness is percent identity.
    pub fn aligns(self) -> bool {
        matches!(self, Self::Both | Self::Align)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|method| method.key() == text)
            .ok_or_else(|| format!("'{text}' is no method; known are {}", Self::ALL.map(Self::key).join(", ")))
    }
}

/// One side of a comparison: specimens of a dataset, with their embeddings where the method needs them.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The dataset.
    pub dataset: &'a Dataset,
    /// The rows that take part, in file order; `None` for all.
    pub rows: Option<&'a [usize]>,
    /// Embeddings of the dataset's unique barcodes, `[U,D]`.
    pub embedded: Option<&'a Embedded>,
}

impl<'a> Side<'a> {
    /// All specimens of a dataset.
    pub fn all(dataset: &'a Dataset, embedded: Option<&'a Embedded>) -> Self {
        Self { dataset, rows: None, embedded }
    }

    /// Some specimens of a dataset.
    pub fn of_rows(dataset: &'a Dataset, rows: &'a [usize], embedded: Option<&'a Embedded>) -> Self {
        Self { dataset, rows: Some(rows), embedded }
    }

    /// The rows that take part.
    pub fn row_list(&self) -> Vec<usize> {
        self.rows.map_or_else(|| (0..self.dataset.len()).collect(), <[usize]>::to_vec)
    }

    /// The embeddings.
    ///
    /// # Errors
    /// [`PipelineError::Setting`] when there are none.
    pub(crate) fn vectors(&self) -> Result<&'a Embedded, PipelineError> {
        self.embedded.ok_or_else(|| {
            PipelineError::Setting(format!("'{}' has to be embedded before it can be compared", self.dataset.name()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read_back_from_their_keys() {
        for method in Method::ALL {
            assert_eq!(method.key().parse(), Ok(method));
        }
        assert!("blast".parse::<Method>().unwrap_err().contains("align"));
    }
}
