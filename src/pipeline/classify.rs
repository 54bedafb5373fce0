//! Naming queries by a labelled reference, or each specimen by the others.

use super::side::{Method, Side};
use super::{PipelineError, Provenance};
use crate::analysis::classify::{VoteSettings, Votes};
use crate::analysis::metrics::Scores;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::Field;
use crate::seed::Seed;
use ndarray::Array2;

/// How specimens are named.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifySettings {
    /// The label to predict.
    pub rank: Field,
    /// How likeness is measured.
    pub method: Method,
    /// How many neighbours vote, and how.
    pub vote: VoteSettings,
    /// Transform of the embeddings, fitted on the reference; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// How many neighbours of each query are kept to be looked at; at least `vote.k` are.
    pub neighbours: usize,
    /// Whether references with exactly the query's barcode are left out.
    pub set_aside_identical: bool,
    /// Seed of the bootstrap.
    pub seed: Seed,
}

impl Default for ClassifySettings {
    fn default() -> Self {
        Self {
            rank: Field::Genus,
            method: Method::Model,
            vote: VoteSettings { k: 1, votes: Votes::Uniform },
            transform: None,
            neighbours: 10,
            set_aside_identical: false,
            seed: Seed::default(),
        }
    }
}

/// What was found for one query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpecimenCall {
    /// Row in the query's dataset.
    pub row: usize,
    /// Its own label, as an index into [`Classification::names`].
    pub label: Option<u32>,
    /// The predicted label; `None` where no reference could be compared.
    pub predicted: Option<u32>,
    /// Share of the votes; with one neighbour its cosine, or identity for `align`.
    pub score: f32,
    /// Likeness of the best reference with the predicted label minus that of the best with any other; `None` where there is no
    /// other label.
    pub margin: Option<f32>,
    /// Row in the reference's dataset of the nearest reference with the predicted label.
    pub neighbour: Option<usize>,
    /// Cosine with that neighbour; `None` for `align`.
    pub cosine: Option<f32>,
    /// Identity with that neighbour, 0 to 1.
    pub identity: Option<f32>,
}

impl SpecimenCall {
    /// Whether the prediction agrees with the label; `None` where there is no label to compare with.
    pub fn correct(&self) -> Option<bool> {
        self.label.map(|label| self.predicted == Some(label))
    }
}

/// Predicted labels with everything that they rest on.
#[derive(Debug, Clone)]
pub struct Classification {
    /// The label that was predicted.
    pub rank: Field,
    /// How likeness was measured.
    pub method: Method,
    /// All names of the reference, then those that only queries have.
    pub names: Vec<String>,
    /// One call per query, in file order.
    pub calls: Vec<SpecimenCall>,
    /// Rows in the reference's dataset of the nearest references, `[Q,K]`, `u32::MAX` where there are fewer.
    pub neighbours: Array2<u32>,
    /// Their cosine (identity for `align`), `[Q,K]`.
    pub similarity: Array2<f32>,
    /// Metrics over the queries that have a label; `None` where none has.
    pub scores: Option<Scores>,
    /// 95 % interval of the accuracy by bootstrap over species.
    pub interval: Option<[f64; 2]>,
    /// Number of reference specimens that have the label.
    pub references: usize,
    /// Wall time, without embedding.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}
