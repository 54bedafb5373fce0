//! The whole job as a report with pictures: the demo without a window.

use super::cache::Cache;
use super::check::{CheckReport, report_on};
use super::classify::{Classification, ClassifySettings, leave_one_out};
use super::cluster::{ClusterRecipe, ClusterSettings, Clustering, Linkage, cluster};
use super::embed::{EmbedSettings, Embedded, embed};
use super::export::{write_classification, write_clusters, write_error, write_file, write_projection, write_text};
use super::methods::methods_paragraph;
use super::project::{ProjectMethod, ProjectSettings, ProjectSource, Projection, project};
use super::side::{Method, Side};
use super::{PipelineError, Provenance};
use crate::data::dataset::Dataset;
use crate::data::frame::{FrameCheck, check_frames};
use crate::data::import::{ImportOptions, load};
use crate::data::reading::TransformKind;
use crate::data::simulate::{SimulationSettings, write_csv};
use crate::data::taxonomy::Field;
use crate::model::Model;
use crate::progress::Observer;
use crate::seed::Seed;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How the report is made.
#[derive(Debug, Clone)]
pub struct DemoSettings {
    /// Where it goes; made where it does not exist.
    pub folder: PathBuf,
    /// How many specimens are simulated.
    pub specimens: usize,
    /// How barcodes are read.
    pub embed: EmbedSettings,
    /// Transform of the embeddings; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// Seed of everything.
    pub seed: Seed,
}

/// What was written, and the main numbers.
#[derive(Debug, Clone, Serialize)]
pub struct DemoReport {
    /// The page to open.
    pub page: PathBuf,
    /// Whether the barcodes are simulated.
    pub simulated: bool,
    /// Specimens.
    pub specimens: usize,
    /// Share named right, each specimen by the others, by label and method.
    pub accuracy: Vec<(Field, Method, f64)>,
    /// Groups found and agreement with the labels, by recipe.
    pub clusters: Vec<(String, usize, Option<f64>)>,
    /// Wall time.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}
