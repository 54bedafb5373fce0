//! Grouping specimens and comparing the groups with labels.

use super::{PipelineError, Provenance};
use crate::analysis::agreement::Agreement;
use crate::analysis::concordance::Concordance;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::Field;
use crate::seed::Seed;

/// Which distances are averaged when groups are joined.
pub use crate::analysis::cluster::Linkage;

/// How groups are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClusterRecipe {
    /// Joins barcodes nearer than a cosine distance; `None` takes the suggested one.
    Threshold {
        /// Average or single linkage.
        linkage: Linkage,
        /// Cosine distance.
        threshold: Option<f32>,
    },
    /// Dense regions of any shape; the rest is noise.
    Hdbscan {
        /// Smallest group.
        min_size: usize,
    },
    /// The published recipe: UMAP to 50 dimensions (15 neighbours), then Ward's linkage into a given number of groups.
    Ward {
        /// How many; `None` takes the true number of labels, which no real survey knows.
        clusters: Option<usize>,
    },
}

/// How specimens are grouped, and with what the groups are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterSettings {
    /// How groups are found.
    pub recipe: ClusterRecipe,
    /// The label to compare with; `None` for BINs where there are any, else species.
    pub against: Option<Field>,
    /// Transform of the embeddings, fitted on the file's unique barcodes; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// Seed of UMAP.
    pub seed: Seed,
}

/// Groups of specimens.
#[derive(Debug, Clone)]
pub struct Clustering {
    /// Group of each specimen, `[N]`, from 0; -1 for noise. Specimens with the same barcode share a group.
    pub labels: Vec<i32>,
    /// Number of groups.
    pub found: usize,
    /// Specimens that belong to no group.
    pub noise: usize,
    /// The label that the groups were compared with.
    pub against: Option<Field>,
    /// Number of different labels among the specimens.
    pub true_number: Option<usize>,
    /// Whether the number of groups was taken from the labels.
    pub used_true_number: bool,
    /// Agreement with the labels, over the specimens that have one.
    pub agreement: Option<Agreement>,
    /// Which labels and groups match, split, merge or mix.
    pub concordance: Option<Concordance>,
    /// The distance at which groups were cut.
    pub threshold: Option<f32>,
    /// The distance that the data suggest.
    pub suggested: Option<f32>,
    /// Wall time, without embedding.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}
