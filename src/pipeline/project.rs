//! Barcodes to a map.

use super::embed::Embedded;
use super::error::stop_or;
use super::stored::StoredVectors;
use super::{PipelineError, Provenance};
use crate::analysis::kmer::KmerCounts;
use crate::analysis::knn::{EXACT_POINTS, VectorSource};
use crate::analysis::pca::pca;
use crate::analysis::transform::{Transform, Transformed};
use crate::analysis::umap::{Metric, Start, UmapSettings, umap};
use crate::data::dataset::Dataset;
use crate::data::reading::TransformKind;
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use ndarray::{Array2, ArrayView2, Axis};
use rand::seq::index::sample;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

/// How barcodes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectMethod {
    /// Uniform manifold approximation and projection (McInnes et al. 2018).
    #[default]
    Umap,
    /// The first two principal components.
    Pca,
}

impl fmt::Display for ProjectMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Umap => "umap",
            Self::Pca => "pca",
        })
    }
}

impl FromStr for ProjectMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "umap" => Ok(Self::Umap),
            "pca" => Ok(Self::Pca),
            _ => Err(format!("'{text}' is no projection; known are umap, pca")),
        }
    }
}

/// What the map is made from.
#[derive(Debug, Clone, Copy)]
pub enum ProjectSource<'a> {
    /// 6-mer counts: quick, no model needed.
    Kmers,
    /// The model's embeddings.
    Embedded(&'a Embedded),
}

/// What a map was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// 6-mer counts.
    Kmers,
    /// The model's embeddings.
    Model,
}

/// How a map is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectSettings {
    /// UMAP or PCA.
    pub method: ProjectMethod,
    /// Neighbours of each barcode in UMAP's graph, itself included.
    pub neighbours: usize,
    /// How close UMAP may lay points together.
    pub min_dist: f32,
    /// How UMAP measures likeness.
    pub metric: Metric,
    /// Transform of the embeddings, fitted on the file's unique barcodes; `None` as the model's settings say and
    /// [`Embedded::transform_for`] limits.
    pub transform: Option<TransformKind>,
    /// Rounds of UMAP; `None` as many as its authors' program takes.
    pub epochs: Option<usize>,
    /// Seed of the layout.
    pub seed: Seed,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            method: ProjectMethod::Umap,
            neighbours: 15,
            min_dist: 0.1,
            metric: Metric::Cosine,
            transform: None,
            epochs: None,
            seed: Seed::default(),
        }
    }
}

/// A map: one point per specimen.
#[derive(Debug, Clone)]
pub struct Projection {
    /// By row, `[N]`. Specimens with the same barcode share a point.
    pub points: Arc<Vec<[f32; 2]>>,
    /// UMAP or PCA.
    pub method: ProjectMethod,
    /// What it was made from.
    pub source: Source,
    /// Share of the variance that each axis holds, for PCA.
    pub explained: Option<[f64; 2]>,
    /// Wall time.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}

/// Lays out the specimens of a dataset in two dimensions. While UMAP runs, `observer.picture` gets the points by row.
///
/// # Errors
/// [`PipelineError::Empty`] without specimens, [`PipelineError::Analysis`] when the projection fails, and a stop.
pub fn project(
    dataset: &Dataset,
    source: ProjectSource<'_>,
    settings: &ProjectSettings,
    observer: &dyn Observer,
) -> Result<Projection, PipelineError> {
    let start = Instant::now();
    if dataset.is_empty() {
        return Err(PipelineError::Empty { what: dataset.name().to_owned() });
    }
    let mut provenance = Provenance::new(settings.seed, &[dataset]);
    let mut transform = None;
    let (vectors, source) = match source {
        ProjectSource::Kmers => {
            let vectors = reduced_kmers(dataset, settings.seed, observer)?;
            provenance = provenance
                .with("vectors", "6-mer counts")
                .with("reduced to", format!("{} principal components", vectors.ncols()));
            (Cow::Owned(vectors.into()), Source::Kmers)
        }
        ProjectSource::Embedded(embedded) => {
            provenance = embedded.describe(provenance);
            let kind = embedded.transform_for(settings.transform, embedded.vectors.nrows());
            // Of very many vectors there is no second copy: they are transformed whenever they are asked for.
            if settings.method == ProjectMethod::Umap && embedded.vectors.nrows() > EXACT_POINTS {
                transform = Some(fit(&embedded.vectors, kind, observer)?);
                (Cow::Borrowed(&embedded.vectors), Source::Model)
            } else {
                let (vectors, description) = transformed(&embedded.vectors, kind, observer)?;
                provenance = provenance.with("transform", description);
                (vectors, Source::Model)
            }
        }
    };
    provenance = provenance.with("projection", settings.method);
    let by_row = ByRow { dataset, observer };
    let (unique_points, explained) = match settings.method {
        ProjectMethod::Umap => {
            let umap_settings = UmapSettings {
                neighbours: settings.neighbours,
                min_dist: settings.min_dist,
                components: 2,
                metric: settings.metric,
                epochs: settings.epochs,
                seed: settings.seed,
                start: Start::Spectral,
            };
            provenance = provenance
                .with("neighbours", settings.neighbours)
                .with("min_dist", settings.min_dist)
                .with("epochs", umap_settings.epochs_for(dataset.unique_len()))
                .with("metric", metric_name(settings.metric));
            let lay_out = |source: &dyn VectorSource| {
                umap(source, &umap_settings, &by_row).map_err(|error| stop_or(error, "the projection"))
            };
            let points = match &transform {
                None => lay_out(&*vectors)?,
                Some(transform) => {
                    provenance = provenance.with("transform", transform.describe());
                    let source =
                        Transformed::new(transform, &*vectors).map_err(|error| stop_or(error, "transforming"))?;
                    lay_out(&source)?
                }
            };
            (points_of(points.view()), None)
        }
        ProjectMethod::Pca => {
            let found = pca(vectors.whole().view(), 2, observer).map_err(|error| stop_or(error, "the projection"))?;
            let share = |axis: usize| found.explained_ratio.get(axis).copied().unwrap_or(0.0);
            (points_of(found.padded(2).view()), Some([share(0), share(1)]))
        }
    };
    Ok(Projection {
        points: Arc::new(spread(dataset, &unique_points)),
        method: settings.method,
        source,
        explained,
        seconds: start.elapsed().as_secs_f64(),
        provenance,
    })
}

fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Cosine => "cosine",
        Metric::Euclidean => "euclidean",
    }
}

fn fit(vectors: &StoredVectors, kind: TransformKind, observer: &dyn Observer) -> Result<Transform, PipelineError> {
    Transform::fit(kind, vectors, observer).map_err(|error| stop_or(error, "fitting the transform"))
}

/// The vectors under a transform that is fitted on themselves, and its description.
pub(super) fn transformed<'a>(
    vectors: &'a StoredVectors,
    kind: TransformKind,
    observer: &dyn Observer,
) -> Result<(Cow<'a, StoredVectors>, String), PipelineError> {
    if kind == TransformKind::None {
        return Ok((Cow::Borrowed(vectors), "not transformed".to_owned()));
    }
    let transform = fit(vectors, kind, observer)?;
    Ok((Cow::Owned(vectors.transformed(&transform, observer)?), transform.describe()))
}

/// Components that 6-mer counts are reduced to before they are laid out.
const KMER_COMPONENTS: usize = 50;
/// Barcodes that the components are fitted on: enough for a first map, and it stays a matter of seconds.
const KMER_SAMPLE: usize = 2000;

/// 6-mer counts of the unique barcodes, each scaled to unit length, as principal components of a sample, `[U, <= 50]`.
fn reduced_kmers(dataset: &Dataset, seed: Seed, observer: &dyn Observer) -> Result<Array2<f32>, PipelineError> {
    let sequences: Vec<&[u8]> = (0..dataset.unique_len()).map(|unique| dataset.unique_sequence(unique)).collect();
    let counts = KmerCounts::new(sequences.iter().copied());
    let width = counts.dim();
    let mut chosen =
        sample(&mut seed.stream("project/kmer-sample"), counts.len(), counts.len().min(KMER_SAMPLE)).into_vec();
    chosen.sort_unstable();
    let mut sampled = Array2::zeros((chosen.len(), width));
    for (&at, mut row) in chosen.iter().zip(sampled.rows_mut()) {
        let row = row.as_slice_mut().expect("rows of a fresh array are contiguous");
        counts.fill(at..at + 1, row);
        to_unit_length(row);
    }
    let found = pca(sampled.view(), KMER_COMPONENTS.min(chosen.len()), observer)
        .map_err(|error| stop_or(error, "reducing the 6-mer counts"))?;
    let components = found.components.mapv(|value| value as f32);
    let mean = found.mean.mapv(|value| value as f32);
    let offset = components.dot(&mean);
    let mut reduced = Array2::zeros((counts.len(), components.nrows()));
    const BLOCK: usize = 512;
    for (block, mut out) in reduced.axis_chunks_iter_mut(Axis(0), BLOCK).enumerate() {
        observer.progress(Progress::new("counting 6-mers", block * BLOCK, sequences.len(), "barcodes"))?;
        let first = block * BLOCK;
        let mut rows = Array2::zeros((out.nrows(), width));
        counts.fill(first..first + out.nrows(), rows.as_slice_mut().expect("a fresh array is contiguous"));
        rows.rows_mut().into_iter().for_each(|mut row| {
            to_unit_length(row.as_slice_mut().expect("rows of a fresh array are contiguous"));
        });
        out.assign(&(rows.dot(&components.t()) - &offset));
    }
    Ok(reduced)
}

fn to_unit_length(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

/// Passes on progress, and pictures of unique barcodes as pictures of specimens.
struct ByRow<'a> {
    dataset: &'a Dataset,
    observer: &'a dyn Observer,
}

impl Observer for ByRow<'_> {
    fn progress(&self, at: Progress) -> Result<(), Cancelled> {
        self.observer.progress(at)
    }

    fn warn(&self, message: &str) {
        self.observer.warn(message);
    }

    fn picture(&self, points: &Arc<Vec<[f32; 2]>>) {
        if points.len() == self.dataset.unique_len() {
            self.observer.picture(&Arc::new(spread(self.dataset, points)));
        }
    }
}

fn spread(dataset: &Dataset, unique_points: &[[f32; 2]]) -> Vec<[f32; 2]> {
    (0..dataset.len()).map(|row| unique_points[dataset.unique_of(row)]).collect()
}

fn points_of(points: ArrayView2<'_, f32>) -> Vec<[f32; 2]> {
    points.rows().into_iter().map(|point| [point[0], point[1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};
    use crate::data::reading::Layers;
    use crate::model::Checkpoint;
    use crate::progress::Silent;
    use rand::Rng;

    /// As many different barcodes as need no second copy of their vectors.
    #[test]
    fn a_map_of_very_many_is_that_of_their_transformed_vectors() {
        let points = EXACT_POINTS + 100;
        let mut builder = DatasetBuilder::new("test", Vec::new());
        let letter = |number: usize, place: u32| b"ACGT"[number / 4usize.pow(place) % 4];
        for row in 0..points {
            let sequence = (0..7).map(|place| letter(row, place)).collect();
            builder.push(Record { id: format!("s{row}"), sequence, ..Record::default() });
        }
        let dataset = builder.finish();
        let mut rng = Seed(3).stream("project test");
        let group = |row: usize| (row % 40) as f32;
        let vectors = Array2::from_shape_fn((points, 5), |(row, axis)| {
            (group(row) * (axis + 1) as f32).sin() * 10f32.powi(axis as i32) + rng.random_range(-0.1..0.1)
        });
        let embedded = Embedded {
            vectors: vectors.clone().into(),
            data: dataset.key(),
            model: Checkpoint::bundled().info().clone(),
            register: false,
            layers: Layers::Last,
            trained_on: None,
            computed: points,
            cached: 0,
            seconds: 0.0,
        };
        let kind = TransformKind::Whiten(Some(4));
        let settings = ProjectSettings { transform: Some(kind), epochs: Some(2), ..ProjectSettings::default() };
        let map = project(&dataset, ProjectSource::Embedded(&embedded), &settings, &Silent).unwrap();
        let transform = Transform::fit(kind, &vectors, &Silent).unwrap();
        let whitened = transform.apply(&vectors, &Silent).unwrap();
        let plain = UmapSettings { epochs: Some(2), start: Start::Spectral, ..UmapSettings::default() };
        let twin = umap(&whitened, &plain, &Silent).unwrap();
        let worst =
            map.points.iter().zip(twin.rows()).fold(0.0f32, |worst, (point, twin)| {
                worst.max((point[0] - twin[0]).abs()).max((point[1] - twin[1]).abs())
            });
        assert!(worst < 0.01, "on a map ten wide: {worst}");
        assert!(format!("{:?}", map.provenance).contains(&transform.describe()));
    }
}
