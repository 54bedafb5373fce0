//! BIN reconstruction: groups of the query records, made without labels, against their BINs.

use super::{Benchmark, EvaluationRow, MethodRun, species_among};
use crate::analysis::agreement::agreement;
use crate::analysis::cluster::{Recipe, cluster as clusters_of};
use crate::analysis::kmer::{KmerCounts, SHORTLIST_LENGTH};
use crate::analysis::knn::{Neighbours, VectorSource};
use crate::analysis::metrics::harmonic_mean;
use crate::analysis::umap::{NeighbourGraph, UmapSettings, umap_of_graph};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::PipelineError;
use crate::pipeline::classify::RESAMPLES;
use crate::pipeline::cluster::{ClusterRecipe, Linkage, groups, ward_umap};
use crate::pipeline::error::stop_or;
use crate::pipeline::likeness::{Pool, Queries, Reference, SHORTLIST_BY_MODEL, nearest_in_pool, uniques_of};
use crate::pipeline::side::{Method, Side};
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use ndarray::{Array2, ArrayView2, s};
use rand::Rng;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

impl MethodRun<'_> {
    /// BIN reconstruction and the harmonic mean, where there are BINs.
    pub(super) fn bins(
        &self,
        reference: &Reference<'_>,
        results: &mut Vec<EvaluationRow>,
        observer: &dyn Observer,
    ) -> Result<(), PipelineError> {
        let Benchmark { part, with_bin, on, .. } = self.benchmark;
        let column = part.labels(Field::Bin);
        let truth: Vec<u32> = with_bin.iter().filter_map(|&row| column.code(row)).collect();
        if truth.len() < 2 {
            observer.warn("fewer than two records of the query splits have a BIN, so BIN reconstruction is left out");
            return Ok(());
        }
        let true_number = truth.iter().collect::<HashSet<_>>().len();
        let grouped = self.group(reference, true_number, observer)?;
        let row = |task, metric, value, ci95| EvaluationRow {
            task,
            split: format!("{}+{}", on.seen(), on.unseen()),
            method: self.method,
            rank: Field::Bin,
            metric,
            value,
            ci95,
            n: truth.len(),
            n_species: species_among(part, with_bin),
        };
        let mut add = |metric, found: &[u32]| -> Result<(f64, [f64; 2]), PipelineError> {
            let ami = agreement(&truth, found).ami;
            let ci95 = ami_interval(part, with_bin, &truth, found, self.settings.seed, observer)?;
            results.push(row("bin_reconstruction", metric, ami, Some(ci95)));
            Ok((ami, ci95))
        };
        let (ami, ami_ci95) = add("ami", &grouped.with_true_number)?;
        if let Some(found) = &grouped.by_threshold {
            add("ami_threshold", found)?;
            let number = found.iter().collect::<HashSet<_>>().len();
            results.push(row("bin_reconstruction", "clusters_threshold", number as f64, None));
        }
        results.push(row("bin_reconstruction", "clusters_true", true_number as f64, None));
        let genus = results
            .iter()
            .find(|row| (row.task, row.method, row.metric) == ("open_world", self.method, "accuracy"))
            .map(|row| (row.value, row.ci95));
        if let Some((genus, genus_ci95)) = genus {
            let ci95 = genus_ci95.map(|genus| harmonic_interval(genus, ami_ci95));
            let both = row("harmonic_mean", "harmonic_mean", harmonic_mean(genus, ami), ci95);
            results.push(EvaluationRow { rank: Field::Genus, ..both });
        }
        Ok(())
    }
}

/// An interval of the harmonic mean of two scores: both at their lower, both at their upper ends. The mean grows with either, and
/// the queries overlap by an unknown amount; so, to first order, it covers at least what the two do, however they go together.
fn harmonic_interval(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [0, 1].map(|end| harmonic_mean(a[end].max(0.0), b[end].max(0.0)))
}

/// 95 % interval of the AMI of `rows` of a dataset by bootstrap over species: the value and 1.96 standard deviations of the
/// resampled values. Their percentiles would not do: a resample repeats some species and lacks others, has fewer groups, and so a
/// higher AMI.
pub(in crate::pipeline) fn ami_interval(
    dataset: &Dataset,
    rows: &[usize],
    truth: &[u32],
    found: &[u32],
    seed: Seed,
    observer: &dyn Observer,
) -> Result<[f64; 2], PipelineError> {
    let ami = agreement(truth, found).ami;
    let species = dataset.labels(Field::Species);
    // Records of a species are drawn together; a record without one stands for itself.
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); species.distinct()];
    for (at, &row) in rows.iter().enumerate() {
        match species.code(row) {
            Some(code) => members[code as usize].push(at),
            None => members.push(vec![at]),
        }
    }
    members.retain(|members| !members.is_empty());
    let values = (0..RESAMPLES as u64)
        .into_par_iter()
        .map(|draw| {
            observer.progress(Progress::new("resampling species", draw as usize, RESAMPLES, "resamples"))?;
            let mut rng = seed.stream_at("evaluate/ami", draw);
            let drawn: Vec<usize> =
                (0..members.len()).flat_map(|_| members[rng.random_range(0..members.len())].iter().copied()).collect();
            let of = |labels: &[u32]| -> Vec<u32> { drawn.iter().map(|&at| labels[at]).collect() };
            Ok(agreement(&of(truth), &of(found)).ami)
        })
        .collect::<Result<Vec<f64>, Cancelled>>()?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    let reach = 1.96 * variance.sqrt();
    Ok([ami - reach, (ami + reach).min(1.0)])
}

/// Groups of the records that have a BIN.
struct Grouped {
    with_true_number: Vec<u32>,
    /// `None` where the data suggest no threshold.
    by_threshold: Option<Vec<u32>>,
}

/// Distance at which alignment neighbours are joined: 2.2 %, where BOLD's RESL begins (Ratnasingham & Hebert 2013).
const ALIGNMENT_THRESHOLD: f32 = 0.022;

impl MethodRun<'_> {
    fn group(
        &self,
        reference: &Reference<'_>,
        true_number: usize,
        observer: &dyn Observer,
    ) -> Result<Grouped, PipelineError> {
        let Benchmark { part, with_bin, .. } = self.benchmark;
        let uniques = uniques_of(part, with_bin);
        let place: HashMap<usize, usize> = uniques.iter().enumerate().map(|(at, &unique)| (unique, at)).collect();
        let by_row = |groups: &[i32]| -> Vec<u32> {
            with_bin.iter().map(|&row| groups[place[&part.unique_of(row)]] as u32).collect()
        };
        let (with_number, by_threshold) = match self.method {
            Method::Both | Method::Align => self.group_by_alignment(reference, true_number, observer)?,
            Method::Kmer => {
                let sequences: Vec<&[u8]> = uniques.iter().map(|&unique| part.unique_sequence(unique)).collect();
                let counts = KmerCounts::new(sequences.iter().copied());
                let mut vectors = Array2::zeros((counts.len(), counts.dim()));
                counts.fill(0..counts.len(), vectors.as_slice_mut().expect("a fresh array is contiguous"));
                group_vectors(vectors.view(), true_number, self.method.title(), self.settings.seed, observer)?
            }
            Method::Model | Method::Fitted | Method::Random => {
                let side = Side::of_rows(part, with_bin, self.embedded);
                let vectors = reference
                    .query_vectors(&side, observer)?
                    .ok_or_else(|| PipelineError::Setting("the specimens have to be embedded first".to_owned()))?;
                let vectors = reference.under_head(vectors.select(&uniques), observer)?;
                group_vectors(vectors.view(), true_number, self.method.title(), self.settings.seed, observer)?
            }
        };
        Ok(Grouped { with_true_number: by_row(&with_number), by_threshold: by_threshold.map(|groups| by_row(&groups)) })
    }

    /// The same from alignments: neighbours by identity are laid out and grouped; single linkage over them is cut.
    fn group_by_alignment(
        &self,
        reference: &Reference<'_>,
        true_number: usize,
        observer: &dyn Observer,
    ) -> Result<(Vec<i32>, Option<Vec<i32>>), PipelineError> {
        let Benchmark { part, with_bin, .. } = self.benchmark;
        let pool = Pool::new(part, with_bin, |_| true);
        let vectors = reference.query_vectors(&Side::of_rows(part, with_bin, self.embedded), observer)?;
        let queries = Queries { dataset: part, uniques: uniques_of(part, with_bin), vectors: vectors.as_deref() };
        let itself = |query: usize, other: usize| query == other;
        let length = if self.method == Method::Both { SHORTLIST_BY_MODEL } else { SHORTLIST_LENGTH };
        let near = nearest_in_pool(reference, &pool, &queries, length.min(pool.len()), &itself, observer)?;
        let mut joined = DisjointSets::new(pool.len());
        for query in 0..pool.len() {
            let close = near.of(query).filter(|(_, identity)| 1.0 - identity <= ALIGNMENT_THRESHOLD);
            close.for_each(|(other, _)| joined.join(query, other as usize));
        }
        let sequences = queries.sequences();
        let (graph, settings) = ward_graph(&near, self.settings.seed);
        let reduced = umap_of_graph(&graph, &KmerCounts::new(sequences.iter().copied()), &settings, observer)
            .map_err(|error| stop_or(error, "reducing the alignments"))?;
        let recipe = Recipe::Ward { clusters: true_number.clamp(1, pool.len()) };
        let with_number = clusters_of(reduced.view(), &recipe, observer).map_err(|error| stop_or(error, "grouping"))?;
        Ok((with_number.labels, Some(joined.labels())))
    }
}

/// Groups of vectors `[U,D]`: the published recipe, and average linkage at the distance that the data suggest (`None`, and a
/// warning about `whose` vectors, where they suggest none).
pub(in crate::pipeline) fn group_vectors(
    vectors: ArrayView2<'_, f32>,
    true_number: usize,
    whose: &str,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<(Vec<i32>, Option<Vec<i32>>), PipelineError> {
    let published = ClusterRecipe::Ward { clusters: Some(true_number) };
    let with_number = groups(vectors, published, seed, observer)?.labels;
    let threshold = ClusterRecipe::Threshold { linkage: Linkage::Average, threshold: None };
    let by_threshold = match groups(vectors, threshold, seed, observer) {
        Ok(found) => Some(found.labels),
        Err(PipelineError::NoThreshold) => {
            observer.warn(&format!("{whose}: {}, so that number is left out", PipelineError::NoThreshold));
            None
        }
        Err(error) => return Err(error),
    };
    Ok((with_number, by_threshold))
}

/// The neighbour graph of the published recipe from neighbours that are already known.
fn ward_graph(near: &Neighbours, seed: Seed) -> (NeighbourGraph, UmapSettings) {
    let settings = ward_umap(seed);
    let others = settings.others(near.index.nrows());
    // Where there is no neighbour the identity is minus infinity, and so the distance infinite.
    let graph = NeighbourGraph {
        index: near.index.slice(s![.., ..others]).to_owned(),
        distance: near.similarity.slice(s![.., ..others]).mapv(|identity| 1.0 - identity),
    };
    (graph, settings)
}

/// Which things belong together, however indirectly.
struct DisjointSets {
    parent: Vec<usize>,
}

impl DisjointSets {
    fn new(things: usize) -> Self {
        Self { parent: (0..things).collect() }
    }

    fn root(&mut self, mut thing: usize) -> usize {
        while self.parent[thing] != thing {
            self.parent[thing] = self.parent[self.parent[thing]];
            thing = self.parent[thing];
        }
        thing
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    /// Number of the set of each thing, in order of first appearance.
    fn labels(mut self) -> Vec<i32> {
        let mut number = HashMap::new();
        (0..self.parent.len())
            .map(|thing| {
                let next = number.len() as i32;
                *number.entry(self.root(thing)).or_insert(next)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_indirectly_is_one_set() {
        let mut sets = DisjointSets::new(6);
        for (a, b) in [(4, 5), (1, 3), (3, 4)] {
            sets.join(a, b);
        }
        assert_eq!(sets.labels(), [0, 1, 2, 1, 1, 1]);
    }
}
