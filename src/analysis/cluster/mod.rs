//! Clusters of embeddings: linkage with a threshold, HDBSCAN, Ward.

mod chain;
mod density;
mod levels;
mod sets;
mod suggest;

pub use suggest::suggest_threshold;

use crate::progress::{Cancelled, Observer};
use chain::{AverageOfMatrix, Between, Means, Merge, agglomerate};
use ndarray::{Array2, ArrayView2, Axis};
use sets::{Sets, linked};
use std::fmt;
use std::str::FromStr;

/// Which pairs of two clusters make their distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Linkage {
    /// The mean over all pairs (UPGMA): clusters stay compact.
    #[default]
    Average,
    /// The nearest pair: clusters are chains of steps below the threshold.
    Single,
}

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Average => "average",
            Self::Single => "single",
        })
    }
}

impl FromStr for Linkage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "average" => Ok(Self::Average),
            "single" => Ok(Self::Single),
            _ => Err(format!("'{text}' is no linkage; known are average, single")),
        }
    }
}

/// How clusters are found.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// Agglomerative up to a cosine distance; `None`: the suggested one.
    Threshold {
        /// Which pairs make the distance of two clusters.
        linkage: Linkage,
        /// Cosine distance, 0 to 2.
        threshold: Option<f32>,
    },
    /// Density-based, with noise; Euclidean between vectors of unit length, which orders pairs as their cosine distance does. In
    /// all dimensions: whitened vectors vary alike in each, so leaving any out would leave out part of what tells groups apart.
    Hdbscan {
        /// Fewest members of a cluster, 2 or more.
        min_size: usize,
    },
    /// Ward's linkage down to a given number, Euclidean between the vectors as they are.
    Ward {
        /// The number of clusters.
        clusters: usize,
    },
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threshold { linkage, threshold } => {
                write!(f, "{linkage} linkage of cosine distances up to ")?;
                match threshold {
                    Some(threshold) => write!(f, "{threshold:.4}"),
                    None => write!(f, "the suggested threshold"),
                }
            }
            Self::Hdbscan { min_size } => {
                write!(f, "HDBSCAN (at least {min_size} members) on vectors of unit length")
            }
            Self::Ward { clusters } => write!(f, "Ward's linkage to {clusters} clusters"),
        }
    }
}

/// Clusters of `N` vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// `[N]`, counted from 0 by first appearance; -1 is noise, which only HDBSCAN knows.
    pub labels: Vec<i32>,
    /// Number of clusters, noise not counted.
    pub found: usize,
    /// The cosine distance that was used, by the threshold recipe.
    pub threshold: Option<f32>,
    /// The suggested threshold, where it was asked for by giving none; `None` too where all vectors are alike.
    pub suggested: Option<f32>,
}

/// Why there are no clusters.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClusterError {
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A value is NaN or infinite.
    #[error("vector {row} holds a value that is no number; leave that record out")]
    NotFinite {
        /// First row with such a value, from 0.
        row: usize,
    },
    /// A setting is out of its range.
    #[error("{setting} is {value}, but must be {allowed}")]
    Setting {
        /// What it is.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What may be given.
        allowed: String,
    },
    /// No threshold was given, and the data suggest none.
    #[error("no gap between nearer and farther barcodes is visible that would suggest a threshold; give one")]
    NoGap,
}

/// Up to so many points the distances of a group are kept as a matrix (600 MB); above it, only the clusters' means are.
const MATRIX_POINTS: usize = 12_000;
/// Cosine distances of equal vectors differ from 0 by so much.
const ROUNDING: f32 = 1e-6;

/// Whether [`Recipe::Ward`] groups so many points in two levels, nearly as one would: beyond 20 000 points, for at most 10 000 clusters. All
/// other grouping is exact.
pub fn ward_takes_two_levels(points: usize, clusters: usize) -> bool {
    levels::are_needed(points, clusters)
}

/// Groups `vectors` `[N,D]` by `recipe`. The time grows with the square of the number of points, but for Ward's linkage of very many, see
/// [`ward_takes_two_levels`].
///
/// # Errors
/// [`ClusterError`]: cancelled, a value that is not finite, a setting out of range.
pub fn cluster(
    vectors: ArrayView2<'_, f32>,
    recipe: &Recipe,
    observer: &dyn Observer,
) -> Result<Clusters, ClusterError> {
    if let Some(row) = vectors.rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite())) {
        return Err(ClusterError::NotFinite { row });
    }
    match *recipe {
        Recipe::Threshold { linkage, threshold } => by_threshold(vectors, linkage, threshold, observer),
        Recipe::Hdbscan { min_size } => by_density(vectors, min_size, observer),
        Recipe::Ward { clusters } => by_number(vectors, clusters, observer),
    }
}

fn setting(setting: &'static str, value: &dyn ToString, allowed: impl Into<String>) -> ClusterError {
    ClusterError::Setting { setting, value: value.to_string(), allowed: allowed.into() }
}

fn by_threshold(
    vectors: ArrayView2<'_, f32>,
    linkage: Linkage,
    threshold: Option<f32>,
    observer: &dyn Observer,
) -> Result<Clusters, ClusterError> {
    if let Some(given) = threshold.filter(|given| !(0.0..=2.0).contains(given)) {
        return Err(setting("the threshold", &given, "a cosine distance from 0 to 2"));
    }
    let suggested = if threshold.is_none() { suggest_threshold(vectors, observer)? } else { None };
    let unit = unit_rows(vectors);
    // One cluster at any threshold, and no gap to suggest one from.
    let alike = |unit: &Array2<f32>| unit.rows().into_iter().all(|row| 1.0 - row.dot(&unit.row(0)) <= ROUNDING);
    let threshold = match threshold.or(suggested) {
        Some(threshold) => threshold,
        None if unit.nrows() < 2 || alike(&unit) => 0.0,
        None => return Err(ClusterError::NoGap),
    };
    let mut sets = linked(unit.view(), threshold + ROUNDING, observer)?;
    if linkage == Linkage::Average {
        sets = within_links(&unit, &sets.members(), threshold + ROUNDING, observer)?;
    }
    let labels = sets.labels().into_iter().map(|label| label as i32);
    Ok(Clusters { threshold: Some(threshold), suggested, ..Clusters::of(labels) })
}

/// Average linkage within each group that single linkage holds together at the same height. A mean of distances is at most
/// `highest` only if one of them is, so no cluster of average linkage reaches beyond such a group: the result is that of
/// average linkage over all.
fn within_links(
    unit: &Array2<f32>,
    groups: &[Vec<usize>],
    highest: f32,
    observer: &dyn Observer,
) -> Result<Sets, ClusterError> {
    let mut sets = Sets::new(unit.nrows());
    for group in groups.iter().filter(|group| group.len() > 1) {
        let members = unit.select(Axis(0), group);
        let merges = if group.len() <= MATRIX_POINTS {
            agglomerate(&mut AverageOfMatrix::new(cosine_distances(&members, observer)?), highest, observer)?
        } else {
            agglomerate(&mut Means::new(members.view(), Between::AverageCosine), highest, observer)?
        };
        merges.iter().for_each(|merge| {
            sets.join(group[merge.a], group[merge.b]);
        });
    }
    Ok(sets)
}

/// `1 - cos` of all pairs, `[N,N]`.
fn cosine_distances(unit: &Array2<f32>, observer: &dyn Observer) -> Result<Array2<f32>, Cancelled> {
    use rayon::prelude::*;
    const ROWS: usize = 64;
    let mut distances = Array2::zeros((unit.nrows(), unit.nrows()));
    let blocks: Vec<_> =
        distances.axis_chunks_iter_mut(Axis(0), ROWS).zip(unit.axis_chunks_iter(Axis(0), ROWS)).collect();
    blocks.into_par_iter().enumerate().try_for_each(|(block, (mut out, rows))| {
        let at = crate::progress::Progress::new("measuring distances", block * ROWS, unit.nrows(), "barcodes");
        observer.progress(at)?;
        out.assign(&rows.dot(&unit.t()));
        out.mapv_inplace(|product| (1.0 - product).max(0.0));
        Ok(())
    })?;
    Ok(distances)
}

fn by_number(vectors: ArrayView2<'_, f32>, clusters: usize, observer: &dyn Observer) -> Result<Clusters, ClusterError> {
    let points = vectors.nrows();
    if points == 0 {
        return Ok(Clusters::of(std::iter::empty()));
    }
    if !(1..=points).contains(&clusters) {
        return Err(setting("the number of clusters", &clusters, format!("from 1 to the {points} barcodes")));
    }
    let mut sets = if levels::are_needed(points, clusters) {
        levels::ward(vectors, clusters, levels::GROUPS, observer)?
    } else {
        ward(vectors, clusters, observer)?
    };
    Ok(Clusters::of(sets.labels().into_iter().map(|label| label as i32)))
}

/// Ward's linkage of all pairs.
fn ward(vectors: ArrayView2<'_, f32>, clusters: usize, observer: &dyn Observer) -> Result<Sets, Cancelled> {
    let points = vectors.nrows();
    let mut merges = agglomerate(&mut Means::new(vectors, Between::Ward), f32::INFINITY, observer)?;
    merges.sort_by(|a: &Merge, b| a.height.total_cmp(&b.height));
    let mut sets = Sets::new(points);
    merges[..points - clusters].iter().for_each(|merge| {
        sets.join(merge.a, merge.b);
    });
    Ok(sets)
}

fn by_density(
    vectors: ArrayView2<'_, f32>,
    min_size: usize,
    observer: &dyn Observer,
) -> Result<Clusters, ClusterError> {
    if min_size < 2 {
        return Err(setting("the smallest cluster", &min_size, "2 or more members"));
    }
    let unit = unit_rows(vectors);
    Ok(Clusters::of(density::hdbscan(unit.view(), min_size, min_size, observer)?.into_iter()))
}

impl Clusters {
    /// Numbers the clusters by first appearance.
    fn of(labels: impl Iterator<Item = i32>) -> Self {
        let mut number = std::collections::HashMap::new();
        let labels: Vec<i32> = labels
            .map(|label| {
                let next = number.len() as i32;
                if label < 0 { -1 } else { *number.entry(label).or_insert(next) }
            })
            .collect();
        Self { labels, found: number.len(), threshold: None, suggested: None }
    }
}

/// Every vector at unit length; zeros stay.
fn unit_rows(vectors: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut unit = vectors.as_standard_layout().into_owned();
    for mut row in unit.rows_mut() {
        let length = row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.mapv_inplace(|value| (f64::from(value) / length) as f32);
        }
    }
    unit
}

#[cfg(test)]
mod tests;
