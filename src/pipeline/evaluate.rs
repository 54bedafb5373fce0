//! The benchmark table: model and baselines side by side.
//!
//! - **Closed world**: genus and species of `test` by the nearest neighbour in `train`; the species are known to `train`.
//! - **Open world**: genus of `test_unseen`, whose species no other split has. Queries whose genus `train` lacks count, as wrong.
//! - **BIN reconstruction**: the records of both splits that have a BIN are grouped without labels and compared with the BINs by
//!   adjusted mutual information; by the published recipe, which is told the true number of BINs, and by a threshold, which is
//!   told nothing.
//! - **Harmonic mean** 2AB/(A+B) of open-world genus accuracy and AMI of the published recipe. The formula that the paper used is
//!   not known.

use super::cache::Cache;
use super::classify::{ClassifySettings, RESAMPLES, classify, species_groups};
use super::cluster::{ClusterRecipe, Linkage, groups};
use super::embed::{EmbedSettings, Embedded, embed};
use super::likeness::{KMER, Queries, Reference, nearest_in_pool};
use super::side::{Method, Side};
use super::subset::{rows_of_split, subset};
use super::{PipelineError, Provenance};
use crate::analysis::agreement::agreement;
use crate::analysis::classify::{VoteSettings, Votes};
use crate::analysis::metrics::harmonic_mean;
use crate::data::dataset::Dataset;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::Field;
use crate::model::Model;
use crate::progress::Observer;
use crate::seed::Seed;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::time::Instant;

/// Which splits are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvaluateOn {
    /// `test` and `test_unseen`.
    #[default]
    Test,
    /// `val` and `val_unseen`, for choosing settings.
    Val,
}

impl EvaluateOn {
    /// The split whose species the reference has.
    pub fn seen(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Val => "val",
        }
    }

    /// The split whose species nobody else has.
    pub fn unseen(self) -> &'static str {
        match self {
            Self::Test => "test_unseen",
            Self::Val => "val_unseen",
        }
    }
}

impl FromStr for EvaluateOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "test" => Ok(Self::Test),
            "val" => Ok(Self::Val),
            _ => Err(format!("'{text}' cannot be evaluated on; known are test, val")),
        }
    }
}

/// How the benchmark is run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EvaluateSettings {
    /// Which splits are measured.
    pub on: EvaluateOn,
    /// How barcodes are read.
    pub embed: EmbedSettings,
    /// Transform of the embeddings, fitted on `train`; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// Seed of the untrained encoder, of UMAP and of the bootstrap.
    pub seed: Seed,
}

/// One number of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluationRow {
    /// `closed_world`, `open_world`, `bin_reconstruction` or `harmonic_mean`.
    pub task: &'static str,
    /// The split, or splits, of the queries.
    pub split: String,
    /// The method.
    pub method: Method,
    /// The label that was predicted or reconstructed.
    pub rank: Field,
    /// What was measured: `accuracy`, `balanced_accuracy`, `macro_f1`, `ami_true_number`, `ami_threshold`, …
    pub metric: &'static str,
    /// The value, 0 to 1; a count for `clusters_found`.
    pub value: f64,
    /// 95 % interval by bootstrap over species, where there is one.
    pub ci95: Option<[f64; 2]>,
    /// Number of queries.
    pub n: usize,
    /// Number of different species among them.
    pub n_species: usize,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluationReport {
    /// All numbers.
    pub results: Vec<EvaluationRow>,
    /// Seed of the run.
    pub seed: u64,
    /// Version of this program.
    pub version: &'static str,
    /// Content hash of the model.
    pub model_sha256: String,
    /// SHA-256 of the benchmark file, or of the hashes of several.
    pub data_sha256: String,
    /// Wall time of everything.
    pub seconds: f64,
    /// Wall time of each method, with embedding.
    pub seconds_by_method: Vec<(Method, f64)>,
    /// How it was made.
    pub provenance: Provenance,
    /// What a reader of the numbers must know.
    pub notes: Vec<String>,
}
