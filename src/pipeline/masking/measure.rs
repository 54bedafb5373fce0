//! Names, groups and drift from vectors.

use super::reading::{Reader, Vectors};
use super::sample::Sample;
use super::work::Work;
use crate::analysis::agreement::agreement;
use crate::analysis::knn::nearest;
use crate::analysis::metrics::{bootstrap_interval, bootstrap_mean_interval};
use crate::analysis::transform::Transform;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::PipelineError;
use crate::pipeline::classify::RESAMPLES;
use crate::pipeline::embed::apply_transform;
use crate::pipeline::error::stop_or;
use crate::pipeline::evaluate::bins::{ami_interval, group_vectors};
use crate::seed::Seed;
use ndarray::{Array2, ArrayView1, Axis};
use std::collections::HashSet;

/// One number about one reading.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) task: &'static str,
    pub(super) metric: &'static str,
    pub(super) value: f64,
    pub(super) ci95: Option<[f64; 2]>,
    pub(super) n: usize,
}

/// Measures the readings of one reader.
pub(super) struct Measure<'a> {
    reader: &'a Reader<'a>,
    sample: &'a Sample,
    /// Fitted on the unmasked references.
    unmasked_transform: Transform,
    /// Unmasked queries under it, `[Q,K]`.
    unmasked_queries: Array2<f32>,
}

impl<'a> Measure<'a> {
    pub(super) fn new(
        reader: &'a Reader<'a>,
        sample: &'a Sample,
        unmasked: &Vectors,
        work: &Work<'_>,
    ) -> Result<Self, PipelineError> {
        let unmasked_transform = fitted(reader, &unmasked.0[0], work)?;
        let unmasked_queries = apply_transform(&unmasked_transform, &unmasked.0[1], work)?;
        Ok(Self { reader, sample, unmasked_transform, unmasked_queries })
    }

    /// All numbers of a reading.
    pub(super) fn all(&self, read: &Vectors, seed: Seed, work: &Work<'_>) -> Result<Vec<Measured>, PipelineError> {
        let transform = fitted(self.reader, &read.0[0], work)?;
        let references = apply_transform(&transform, &read.0[0], work)?;
        let queries = apply_transform(&transform, &read.0[1], work)?;
        let mut measured = self.names(&references, &queries, seed, work)?;
        measured.extend(self.bins(&queries, seed, work)?);
        measured.push(self.drift(&read.0[1], seed, work)?);
        Ok(measured)
    }

    /// Genus by the nearest reference; equally near ones in file order.
    fn names(
        &self,
        references: &Array2<f32>,
        queries: &Array2<f32>,
        seed: Seed,
        work: &Work<'_>,
    ) -> Result<Vec<Measured>, PipelineError> {
        let Sample { references: known, queries: asked, tasks, .. } = self.sample;
        let near = nearest(queries, references, 1, &|_, _| false, work)?;
        let right = |row: usize| {
            let found = near.of(asked.unique_of(row)).next();
            let genus = found.and_then(|(unique, _)| known.label(known.first_row_of(unique as usize), Field::Genus));
            genus.is_some() && genus == asked.label(row, Field::Genus)
        };
        let of_task = |(task, rows): &(&'static str, Vec<usize>)| {
            let hits: Vec<bool> = rows.iter().map(|&row| right(row)).collect();
            Measured {
                task,
                metric: "accuracy",
                value: hits.iter().filter(|&&hit| hit).count() as f64 / hits.len() as f64,
                ci95: bootstrap_interval(&hits, &species(asked, rows), RESAMPLES, seed),
                n: hits.len(),
            }
        };
        Ok(tasks.iter().map(of_task).collect())
    }

    /// Groups of the queries that have a BIN, where there are two of them.
    fn bins(&self, queries: &Array2<f32>, seed: Seed, work: &Work<'_>) -> Result<Vec<Measured>, PipelineError> {
        let asked = &self.sample.queries;
        let column = asked.labels(Field::Bin);
        let rows: Vec<usize> = (0..asked.len()).filter(|&row| column.code(row).is_some()).collect();
        let truth: Vec<u32> = rows.iter().filter_map(|&row| column.code(row)).collect();
        let uniques: Vec<usize> = {
            let with_bin: HashSet<usize> = rows.iter().map(|&row| asked.unique_of(row)).collect();
            (0..asked.unique_len()).filter(|unique| with_bin.contains(unique)).collect()
        };
        if uniques.len() < 2 {
            return Ok(Vec::new());
        }
        let vectors = queries.select(Axis(0), &uniques);
        let true_number = truth.iter().collect::<HashSet<_>>().len();
        let (with_number, by_threshold) = group_vectors(vectors.view(), true_number, &self.reader.name, seed, work)?;
        let mut measured = Vec::new();
        for (metric, groups) in [("ami", Some(with_number)), ("ami_threshold", by_threshold)] {
            let Some(groups) = groups else { continue };
            let place = |row: usize| uniques.partition_point(|&unique| unique < asked.unique_of(row));
            let found: Vec<u32> = rows.iter().map(|&row| groups[place(row)] as u32).collect();
            measured.push(Measured {
                task: "bin_reconstruction",
                metric,
                value: agreement(&truth, &found).ami,
                ci95: Some(ami_interval(asked, &rows, &truth, &found, seed, work)?),
                n: rows.len(),
            });
        }
        Ok(measured)
    }

    /// How far the queries are from their unmasked selves.
    fn drift(&self, masked: &Array2<f32>, seed: Seed, work: &Work<'_>) -> Result<Measured, PipelineError> {
        let asked = &self.sample.queries;
        let masked = apply_transform(&self.unmasked_transform, masked, work)?;
        let pairs = masked.rows().into_iter().zip(self.unmasked_queries.rows());
        let by_unique: Vec<f64> = pairs.map(|(masked, unmasked)| cosine_distance(masked, unmasked)).collect();
        let rows: Vec<usize> = (0..asked.len()).collect();
        let distances: Vec<f64> = rows.iter().map(|&row| by_unique[asked.unique_of(row)]).collect();
        Ok(Measured {
            task: "drift",
            metric: "cosine_distance",
            value: distances.iter().sum::<f64>() / distances.len() as f64,
            ci95: bootstrap_mean_interval(&distances, &species(asked, &rows), RESAMPLES, seed),
            n: distances.len(),
        })
    }
}

fn fitted(reader: &Reader<'_>, references: &Array2<f32>, work: &Work<'_>) -> Result<Transform, PipelineError> {
    Transform::fit(reader.transform, references, work)
        .map_err(|error| stop_or(error, "fitting the transform on masked references"))
}

/// Species of rows as numbers; a specimen without one is a group of its own.
fn species(dataset: &Dataset, rows: &[usize]) -> Vec<u32> {
    let column = dataset.labels(Field::Species);
    let own = |row: usize| (column.distinct() + row) as u32;
    rows.iter().map(|&row| column.code(row).unwrap_or_else(|| own(row))).collect()
}

/// 0 for the same direction, 2 for opposite ones; 1 where one of them is the zero vector, which is like nothing.
fn cosine_distance(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    if a == b {
        return 0.0;
    }
    let dot = |a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { (1.0 - dot(a, b) / lengths).max(0.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn distances_of_directions() {
        let distance = |a: [f32; 2], b: [f32; 2]| cosine_distance(array![a[0], a[1]].view(), array![b[0], b[1]].view());
        assert_eq!(distance([0.3, 0.1], [0.3, 0.1]), 0.0);
        assert!((distance([1.0, 0.0], [3.0, 3.0]) - (1.0 - 0.5f64.sqrt())).abs() < 1e-12);
        assert_eq!((distance([1.0, 0.0], [0.0, 2.0]), distance([1.0, 0.0], [-2.0, 0.0])), (1.0, 2.0));
        assert_eq!(distance([0.0, 0.0], [0.0, 2.0]), 1.0);
    }
}
