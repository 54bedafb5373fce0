//! Grouping specimens and comparing the groups with labels.

use super::embed::Embedded;
use super::error::stop_or;
use super::project::transformed;
use super::{PipelineError, Provenance};
use crate::analysis::agreement::{Agreement, agreement};
use crate::analysis::cluster::{ClusterError, Clusters, Recipe, cluster as clusters_of, ward_takes_two_levels};
use crate::analysis::concordance::{Concordance, concordance};
use crate::analysis::umap::{UmapSettings, umap};
use crate::data::dataset::Dataset;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::{Field, LabelColumn};
use crate::progress::Observer;
use crate::seed::Seed;
use ndarray::ArrayView2;
use std::collections::HashSet;
use std::time::Instant;

/// Which distances are averaged when groups are joined.
pub use crate::analysis::cluster::Linkage;

/// Smallest cluster of HDBSCAN where nobody says otherwise. Of 2, 3 and 5 it agreed best with the BINs of the simulated demo (AMI
/// 0.84, 0.91, 0.84); on 1 648 midges of a real survey it came second (0.68, 0.81, 0.84), leaving half as many out as 5.
pub const HDBSCAN_MIN_SIZE: usize = 3;

/// How groups are found.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// Transform of the embeddings, fitted on the file's unique barcodes; `None` as the model's settings say and
    /// [`Embedded::transform_for`] limits.
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

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            recipe: ClusterRecipe::Threshold { linkage: Linkage::Average, threshold: None },
            against: None,
            transform: None,
            seed: Seed::default(),
        }
    }
}

/// Groups the specimens of a dataset by their embeddings and compares the groups with a label.
///
/// # Errors
/// [`PipelineError::TooFew`] below two different barcodes, [`PipelineError::NoLabels`] when the number of groups is to be that of
/// labels which nobody has, [`PipelineError::Analysis`] when a step fails, and a stop.
pub fn cluster(
    dataset: &Dataset,
    embedded: &Embedded,
    settings: &ClusterSettings,
    observer: &dyn Observer,
) -> Result<Clustering, PipelineError> {
    let start = Instant::now();
    if dataset.unique_len() < 2 {
        return Err(PipelineError::TooFew { what: "grouping", needed: 2, found: dataset.unique_len() });
    }
    let against = settings.against.or_else(|| default_against(dataset));
    if let Some(field) = settings.against.filter(|&field| dataset.labels(field).labelled() == 0) {
        return Err(PipelineError::NoLabels { dataset: dataset.name().to_owned(), field });
    }
    let true_number = against.map(|field| dataset.labels(field).distinct());
    let mut provenance = embedded.describe(Provenance::new(settings.seed, &[dataset]));
    let kind = embedded.transform_for(settings.transform, embedded.vectors.nrows());
    let (vectors, description) = transformed(&embedded.vectors, kind, observer)?;
    provenance = provenance.with("transform", description);
    let (recipe, used_true_number) = match settings.recipe {
        ClusterRecipe::Ward { clusters: None } => {
            let number = true_number.ok_or(PipelineError::NoLabels {
                dataset: dataset.name().to_owned(),
                field: settings.against.unwrap_or(Field::Bin),
            })?;
            (ClusterRecipe::Ward { clusters: Some(number) }, true)
        }
        recipe => (recipe, false),
    };
    let found = groups(vectors.whole().view(), recipe, settings.seed, observer)?;
    let labels: Vec<i32> = (0..dataset.len()).map(|row| found.labels[dataset.unique_of(row)]).collect();
    provenance = describe_recipe(provenance, recipe, used_true_number, found.threshold);
    if let ClusterRecipe::Ward { clusters: Some(clusters) } = recipe
        && ward_takes_two_levels(vectors.nrows(), clusters)
    {
        provenance = provenance.with("linkage is", "approximate, in two levels");
    }
    if let Some(field) = against {
        provenance = provenance.with("compared with", field);
    }
    Ok(Clustering {
        found: number_of_groups(&labels),
        noise: labels.iter().filter(|&&label| label < 0).count(),
        against,
        true_number,
        used_true_number,
        agreement: against.and_then(|field| agreement_with(dataset, field, &labels)),
        concordance: against.map(|field| concordance(&labels, dataset.labels(field), &broader(dataset, field))),
        threshold: found.threshold,
        suggested: found.suggested,
        labels,
        seconds: start.elapsed().as_secs_f64(),
        provenance,
    })
}

/// BINs where there are any, else species, else genera.
pub fn default_against(dataset: &Dataset) -> Option<Field> {
    [Field::Bin, Field::Species, Field::Genus].into_iter().find(|&field| dataset.labels(field).labelled() > 0)
}

/// The ranks above a label with their columns, the broadest first; above a BIN stand all of them.
fn broader(dataset: &Dataset, field: Field) -> Vec<(Field, &LabelColumn)> {
    Field::RANKS.into_iter().filter(|&rank| rank < field).map(|rank| (rank, dataset.labels(rank))).collect()
}

/// Dimensions, and neighbours, of UMAP in the published recipe.
const WARD_DIMENSIONS: usize = 50;
const WARD_NEIGHBOURS: usize = 15;

/// Groups of vectors `[U,D]` under a recipe whose number, if it needs one, is given.
pub(in crate::pipeline) fn groups(
    vectors: ArrayView2<'_, f32>,
    recipe: ClusterRecipe,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Clusters, PipelineError> {
    let failed = |error| match error {
        ClusterError::NoGap => PipelineError::NoThreshold,
        error => stop_or(error, "grouping"),
    };
    match recipe {
        ClusterRecipe::Threshold { linkage, threshold } => {
            clusters_of(vectors, &Recipe::Threshold { linkage, threshold }, observer).map_err(failed)
        }
        ClusterRecipe::Hdbscan { min_size } => {
            clusters_of(vectors, &Recipe::Hdbscan { min_size }, observer).map_err(failed)
        }
        ClusterRecipe::Ward { clusters } => {
            let clusters = clusters.ok_or_else(|| PipelineError::Setting("Ward's recipe needs a number".to_owned()))?;
            let reduced =
                umap(&vectors, &ward_umap(seed), observer).map_err(|error| stop_or(error, "reducing the vectors"))?;
            let clusters = clusters.clamp(1, vectors.nrows());
            clusters_of(reduced.view(), &Recipe::Ward { clusters }, observer).map_err(failed)
        }
    }
}

/// UMAP as the published recipe has it.
pub(in crate::pipeline) fn ward_umap(seed: Seed) -> UmapSettings {
    UmapSettings { neighbours: WARD_NEIGHBOURS, components: WARD_DIMENSIONS, seed, ..UmapSettings::default() }
}

fn number_of_groups(labels: &[i32]) -> usize {
    labels.iter().filter(|&&label| label >= 0).collect::<HashSet<_>>().len()
}

/// Agreement of groups with a label over the specimens that have it; a specimen in no group is a group of its own.
pub(in crate::pipeline) fn agreement_with(dataset: &Dataset, field: Field, groups: &[i32]) -> Option<Agreement> {
    let column = dataset.labels(field);
    let mut next = groups.iter().copied().max().unwrap_or(-1).max(-1) + 1;
    let (truth, found): (Vec<u32>, Vec<u32>) = groups
        .iter()
        .enumerate()
        .filter_map(|(row, &group)| {
            let label = column.code(row)?;
            let group = if group >= 0 {
                group
            } else {
                next += 1;
                next - 1
            };
            Some((label, group as u32))
        })
        .unzip();
    (!truth.is_empty()).then(|| agreement(&truth, &found))
}

fn describe_recipe(
    provenance: Provenance,
    recipe: ClusterRecipe,
    used_true_number: bool,
    threshold: Option<f32>,
) -> Provenance {
    match recipe {
        ClusterRecipe::Threshold { linkage, threshold: asked } => provenance
            .with("recipe", "threshold")
            .with("linkage", linkage)
            .with("cosine distance", threshold.map_or_else(String::new, |value| format!("{value:.4}")))
            .with("threshold is", if asked.is_some() { "given" } else { "suggested by the data" }),
        ClusterRecipe::Hdbscan { min_size } => provenance.with("recipe", "hdbscan").with("smallest group", min_size),
        ClusterRecipe::Ward { clusters } => provenance
            .with("recipe", "ward")
            .with("umap dimensions", WARD_DIMENSIONS)
            .with("umap neighbours", WARD_NEIGHBOURS)
            .with("groups asked for", clusters.unwrap_or_default())
            .with(
                "number of groups is",
                if used_true_number { "the true one, taken from the labels" } else { "given" },
            ),
    }
}
