//! UMAP: uniform manifold approximation and projection (McInnes, Healy & Melville 2018, arXiv 1802.03426).
//!
//! Neighbours are exact up to [`EXACT_POINTS`](super::knn::EXACT_POINTS) points and nearly so beyond, and the map is the same for the same seed whatever the number of threads. The graph agrees with
//! umap-learn's number by number; the layout follows its schedule in an order of its own (see `layout.rs`).

mod ab;
mod forces;
mod graph;
mod layout;
mod spectral;
mod springs;
mod trust;

pub use ab::fit_ab;
pub use graph::{FuzzyGraph, NeighbourGraph, smooth_distances};
pub use trust::{TrustError, trustworthiness};

use super::knn::{VectorSource, rows_of};
use super::pca::{PcaError, pca};
use crate::progress::{Cancelled, Observer};
use crate::seed::Seed;
use ndarray::{Array2, Axis};
use rand::Rng;
use rand::RngCore;
use rand_distr::StandardNormal;
use std::str::FromStr;

/// How far apart two vectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// `1 - cos`: direction only.
    #[default]
    Cosine,
    /// Length of the difference.
    Euclidean,
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "cosine" => Ok(Self::Cosine),
            "euclidean" => Ok(Self::Euclidean),
            _ => Err(format!("'{text}' is no metric; known are cosine, euclidean")),
        }
    }
}

/// Where the points are before the first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Leading eigenvectors of the graph; where the graph falls apart, around the principal components of each part.
    Spectral,
    /// The first principal components. On 6-mers of real barcodes the more trustworthy start of the two, in umap-learn as here,
    /// and it keeps the large groups in place (Kobak & Linderman 2021, Nature Biotechnology 39).
    #[default]
    Pca,
}

/// How a map is made. The defaults are umap-learn's, but for metric and start.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct UmapSettings {
    /// Size of the neighbourhood, the point itself included (n_neighbors); at least 2.
    pub neighbours: usize,
    /// How close points may come on the map, 0 to 1.
    pub min_dist: f32,
    /// Dimensions of the map, 1 to 50.
    pub components: usize,
    /// How far apart two vectors are.
    pub metric: Metric,
    /// Rounds of moving every point; `None`: 500 up to 10 000 points, 200 above.
    pub epochs: Option<usize>,
    /// Seed of the negative samples and of the start.
    pub seed: Seed,
    /// Where the points are before the first step.
    pub start: Start,
}

impl Default for UmapSettings {
    fn default() -> Self {
        Self {
            neighbours: 15,
            min_dist: 0.1,
            components: 2,
            metric: Metric::Cosine,
            epochs: None,
            seed: Seed::default(),
            start: Start::Pca,
        }
    }
}

/// Why there is no map.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UmapError {
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A setting is out of its range.
    #[error("{setting} is {value}, but must be {allowed}")]
    Setting {
        /// Its name on the command line.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What may be given.
        allowed: &'static str,
    },
    /// A value is NaN or infinite.
    #[error("vector {row} holds a value that is no number; leave that record out")]
    NotFinite {
        /// First row with such a value, from 0.
        row: usize,
    },
    /// Neighbours or anchors are of another number of points.
    #[error("the neighbours are of {neighbours} points, the vectors {vectors}")]
    Mismatch {
        /// Rows of the neighbour graph.
        neighbours: usize,
        /// Rows of the vectors.
        vectors: usize,
    },
}

impl UmapSettings {
    /// The number of epochs for `points` points.
    pub fn epochs_for(&self, points: usize) -> usize {
        self.epochs.unwrap_or(if points <= 10_000 { 500 } else { 200 })
    }

    fn check(&self) -> Result<(), UmapError> {
        let error =
            |setting, value: &dyn ToString, allowed| UmapError::Setting { setting, value: value.to_string(), allowed };
        if self.neighbours < 2 {
            return Err(error("the number of neighbours", &self.neighbours, "2 or more"));
        }
        if !(0.0..=1.0).contains(&self.min_dist) {
            return Err(error("the minimal distance", &self.min_dist, "from 0 to 1"));
        }
        if !(1..=layout::MAX_COMPONENTS).contains(&self.components) {
            return Err(error("the number of dimensions", &self.components, "from 1 to 50"));
        }
        Ok(())
    }
}

/// A map `[N,components]` of `vectors` `[N,D]`. While it is laid out, `observer` gets a picture ten times a second.
///
/// Fewer vectors than neighbours are taken with all the neighbours there are; one vector lies at the origin.
///
/// # Errors
/// [`UmapError`]: cancelled, a setting out of range, a value that is not finite.
pub fn umap(
    vectors: &dyn VectorSource,
    settings: &UmapSettings,
    observer: &dyn Observer,
) -> Result<Array2<f32>, UmapError> {
    settings.check()?;
    let others = settings.others(vectors.len());
    check_finite(vectors)?;
    let neighbours = match settings.metric {
        Metric::Cosine => NeighbourGraph::cosine(vectors, others, settings.seed, observer)?,
        Metric::Euclidean => NeighbourGraph::euclidean(rows_of(vectors, 0..vectors.len()).view(), others, observer)?,
    };
    umap_of_graph(&neighbours, vectors, settings, observer)
}

fn check_finite(vectors: &dyn VectorSource) -> Result<(), UmapError> {
    const ROWS: usize = 1024;
    for start in (0..vectors.len()).step_by(ROWS) {
        let block = rows_of(vectors, start..(start + ROWS).min(vectors.len()));
        if let Some(at) = block.rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite())) {
            return Err(UmapError::NotFinite { row: start + at });
        }
    }
    Ok(())
}

impl UmapSettings {
    /// How many neighbours besides itself each of `points` points has.
    pub fn others(&self, points: usize) -> usize {
        (self.neighbours - 1).min(points.saturating_sub(1))
    }
}

/// A map `[N,components]` from neighbours that are already known (by any measure); `vectors`, which are asked for their
/// principal components only, place what the graph does not connect. `settings.metric` and `settings.neighbours` are not read.
///
/// # Errors
/// [`UmapError`]: cancelled, a setting out of range, numbers of points that differ, a value that is not finite.
pub fn umap_of_graph(
    neighbours: &NeighbourGraph,
    vectors: &dyn VectorSource,
    settings: &UmapSettings,
    observer: &dyn Observer,
) -> Result<Array2<f32>, UmapError> {
    settings.check()?;
    let points = neighbours.index.nrows();
    if points != vectors.len() {
        return Err(UmapError::Mismatch { neighbours: points, vectors: vectors.len() });
    }
    if points < 2 {
        return Ok(Array2::zeros((points, settings.components)));
    }
    let graph = FuzzyGraph::from_neighbours(neighbours);
    let start = start_of(&graph, vectors, settings, observer)?;
    let (a, b) = fit_ab(f64::from(settings.min_dist));
    let descent = layout::Descent {
        curve: forces::Curve { a: a as f32, b: b as f32 },
        epochs: settings.epochs_for(points),
        key: settings.seed.stream("umap/negative-samples").next_u64(),
    };
    Ok(layout::optimise(&graph, &start, &descent, observer)?)
}

/// The start, every axis from 0 to 10, with a little noise so that no two points coincide.
fn start_of(
    graph: &FuzzyGraph,
    vectors: &dyn VectorSource,
    settings: &UmapSettings,
    observer: &dyn Observer,
) -> Result<Array2<f32>, UmapError> {
    let need_anchors = settings.start == Start::Pca || graph.parts().1 > 1;
    let anchors = if need_anchors {
        anchors(vectors, settings, observer)?
    } else {
        Array2::zeros((graph.points(), settings.components))
    };
    let mut start = match settings.start {
        Start::Pca => anchors,
        Start::Spectral => spectral::spectral(graph, anchors.view(), settings.seed, observer)?,
    };
    let mut rng = settings.seed.stream("umap/noise");
    let size = start.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let scale = if size > 0.0 { 10.0 / size } else { 1.0 };
    start.mapv_inplace(|value| value * scale + 1e-4 * rng.sample::<f64, _>(StandardNormal));
    for mut axis in start.axis_iter_mut(Axis(1)) {
        let (low, high) =
            axis.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
        axis.mapv_inplace(|value| 10.0 * (value - low) / (high - low).max(f64::MIN_POSITIVE));
    }
    Ok(start.mapv(|value| value as f32))
}

/// The first principal components `[N,components]`, largest entry 1 in size, of the vectors or, where these are long or many,
/// of a random projection of them (Johnson-Lindenstrauss), which needs no more than a block of them at a time.
fn anchors(
    vectors: &dyn VectorSource,
    settings: &UmapSettings,
    observer: &dyn Observer,
) -> Result<Array2<f64>, UmapError> {
    const ROWS: usize = 1024;
    const PROJECTED: usize = 128;
    let (points, dim) = (vectors.len(), vectors.dim());
    let mut reduced = Array2::<f32>::zeros((points, dim.min(PROJECTED)));
    let mut rng = settings.seed.stream("umap/random-projection");
    let turn = (dim > PROJECTED)
        .then(|| Array2::<f32>::from_shape_fn((dim, PROJECTED), |_| rng.sample::<f32, _>(StandardNormal)));
    for (block, mut out) in reduced.axis_chunks_iter_mut(Axis(0), ROWS).enumerate() {
        let first = block * ROWS;
        let mut rows = rows_of(vectors, first..first + out.nrows());
        if settings.metric == Metric::Cosine {
            for mut row in rows.rows_mut() {
                let length = row.dot(&row).sqrt();
                if length > 0.0 {
                    row /= length;
                }
            }
        }
        out.assign(&turn.as_ref().map_or_else(|| rows.clone(), |turn| rows.dot(turn)));
        observer.progress(crate::progress::Progress::new("laying out the map", first, points, "points"))?;
    }
    let found =
        pca(reduced.view(), settings.components.min(reduced.ncols()), observer).map_err(|error| match error {
            PcaError::NotFinite { row, .. } => UmapError::NotFinite { row },
            PcaError::Cancelled(cancelled) => cancelled.into(),
            // Neither empty nor divergent: the rows were counted, and finite numbers of f32 converge in f64.
            PcaError::Empty { .. } | PcaError::NotConverged => UmapError::NotFinite { row: 0 },
        })?;
    let mut anchors = found.padded(settings.components).mapv(f64::from);
    let size = anchors.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    if size > 0.0 {
        anchors /= size;
    }
    Ok(anchors)
}

#[cfg(test)]
mod tests;
