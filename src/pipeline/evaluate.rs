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
use super::classify::{ClassifySettings, RESAMPLES, classify};
use super::cluster::{ClusterRecipe, Linkage, groups, ward_umap};
use super::embed::{EmbedSettings, Embedded, embed};
use super::error::stop_or;
use super::likeness::{Pool, Queries, Reference, nearest_in_pool, uniques_of};
use super::side::{Method, Side};
use super::subset::{rows_of_split, subset};
use super::{PipelineError, Provenance};
use crate::analysis::agreement::agreement;
use crate::analysis::classify::{VoteSettings, Votes};
use crate::analysis::cluster::{Recipe, cluster as clusters_of};
use crate::analysis::kmer::{KmerCounts, SHORTLIST_LENGTH};
use crate::analysis::knn::{Neighbours, VectorSource};
use crate::analysis::metrics::harmonic_mean;
use crate::analysis::umap::{NeighbourGraph, UmapSettings, umap_of_graph};
use crate::data::dataset::Dataset;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::Field;
use crate::key::ContentHash;
use crate::model::Model;
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use ndarray::{Array2, ArrayView2, Axis, s};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
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

/// Measures model and baselines on a dataset with the splits `train`, `test` and `test_unseen` (or `val` and `val_unseen`).
///
/// # Errors
/// [`PipelineError::NoSplit`] when a split is missing, whatever the steps say, and a stop.
pub fn evaluate(
    dataset: &Dataset,
    model: &Model,
    settings: &EvaluateSettings,
    cache: Option<&Cache>,
    observer: &dyn Observer,
) -> Result<EvaluationReport, PipelineError> {
    let start = Instant::now();
    let benchmark = Benchmark::of(dataset, settings.on)?;
    let mut results = Vec::new();
    let mut seconds_by_method = Vec::new();
    let mut provenance = Provenance::new(settings.seed, &[dataset]);
    for method in Method::ALL {
        let began = Instant::now();
        let untrained;
        let embedded = match method {
            Method::Model => Some(embed(&benchmark.part, None, model, &settings.embed, cache, observer)?),
            Method::Random => {
                untrained = model.random_like(settings.seed)?;
                Some(embed(&benchmark.part, None, &untrained, &settings.embed, cache, observer)?)
            }
            Method::Kmer | Method::Align => None,
        };
        let run = MethodRun { benchmark: &benchmark, method, embedded: embedded.as_ref(), settings };
        let transform = run.measure(&mut results, observer)?;
        if let (Method::Model, Some(embedded)) = (method, &embedded) {
            provenance = embedded.describe(provenance).with("transform", transform.unwrap_or_default());
        }
        seconds_by_method.push((method, began.elapsed().as_secs_f64()));
    }
    provenance = provenance
        .with("k", 1)
        .with("shortlist of align", SHORTLIST_LENGTH)
        .with("bootstrap over species", format!("{RESAMPLES} resamples"));
    Ok(EvaluationReport {
        results,
        seed: settings.seed.0,
        version: super::provenance::VERSION,
        model_sha256: model.info().sha256.to_string(),
        data_sha256: data_hash(dataset),
        seconds: start.elapsed().as_secs_f64(),
        seconds_by_method,
        provenance,
        notes: NOTES.map(str::to_owned).to_vec(),
    })
}

const NOTES: [&str; 5] = [
    "Open world: queries whose genus the reference lacks are in the denominator.",
    "bin_reconstruction: 'ami' and 'harmonic_mean' use the published recipe (UMAP to 50 dimensions, 15 neighbours, Ward), which is \
     told the true number of BINs; 'ami_threshold' is average linkage cut at a distance that the data suggest, told nothing.",
    "Harmonic mean 2AB/(A+B) of open-world genus accuracy and AMI; the paper does not state the formula that it used.",
    "align: the best identity among the 256 references that share most k-mers. Its BIN reconstruction lays out the neighbours by \
     identity, and cuts single linkage over them.",
    "random: a randomly initialised encoder of the model's shape, read as the model reads.",
];

/// SHA-256 of the file; of the hashes of several files; of the content where there is no file.
fn data_hash(dataset: &Dataset) -> String {
    match dataset.files() {
        [] => dataset.key().to_string(),
        [file] => file.sha256.to_string(),
        files => ContentHash::of_parts(files.iter().map(|file| &file.sha256.0[..])).to_string(),
    }
}

/// The records that take part, as a dataset of their own, so that nothing else is embedded.
struct Benchmark {
    part: Dataset,
    train: Vec<usize>,
    seen: Vec<usize>,
    unseen: Vec<usize>,
    /// Records of both query splits that have a BIN.
    with_bin: Vec<usize>,
    on: EvaluateOn,
}

impl Benchmark {
    fn of(dataset: &Dataset, on: EvaluateOn) -> Result<Self, PipelineError> {
        let mut rows = Vec::new();
        for split in ["train", on.seen(), on.unseen()] {
            rows.extend(rows_of_split(dataset, split)?);
        }
        rows.sort_unstable();
        let part = subset(dataset, dataset.name(), &rows);
        let split = |name: &str| part.rows_in_split(name);
        let (train, seen, unseen) = (split("train"), split(on.seen()), split(on.unseen()));
        let bins = part.labels(Field::Bin);
        let mut with_bin: Vec<usize> =
            seen.iter().chain(&unseen).copied().filter(|&row| bins.code(row).is_some()).collect();
        with_bin.sort_unstable();
        Ok(Self { part, train, seen, unseen, with_bin, on })
    }
}

struct MethodRun<'a> {
    benchmark: &'a Benchmark,
    method: Method,
    embedded: Option<&'a Embedded>,
    settings: &'a EvaluateSettings,
}

impl MethodRun<'_> {
    /// Adds all numbers of the method; answers how vectors were made comparable.
    fn measure(
        &self,
        results: &mut Vec<EvaluationRow>,
        observer: &dyn Observer,
    ) -> Result<Option<String>, PipelineError> {
        let Benchmark { part, train, seen, unseen, on, .. } = self.benchmark;
        let side = Side::of_rows(part, train, self.embedded);
        let reference = Reference::new(self.method, side, self.settings.transform, observer)?;
        for (task, split, rows, rank) in [
            ("closed_world", on.seen(), seen, Field::Genus),
            ("closed_world", on.seen(), seen, Field::Species),
            ("open_world", on.unseen(), unseen, Field::Genus),
        ] {
            self.accuracy(&reference, task, split, rows, rank, results, observer)?;
        }
        self.bins(&reference, results, observer)?;
        Ok(reference.describe_transform())
    }

    #[expect(clippy::too_many_arguments, reason = "one row of the table above, spelled out")]
    fn accuracy(
        &self,
        reference: &Reference<'_>,
        task: &'static str,
        split: &str,
        rows: &[usize],
        rank: Field,
        results: &mut Vec<EvaluationRow>,
        observer: &dyn Observer,
    ) -> Result<(), PipelineError> {
        let part = &self.benchmark.part;
        let settings = ClassifySettings {
            rank,
            method: self.method,
            vote: VoteSettings { k: 1, votes: Votes::Uniform },
            neighbours: 1,
            seed: self.settings.seed,
            ..ClassifySettings::default()
        };
        let found = classify(reference, Side::of_rows(part, rows, self.embedded), &settings, observer)?;
        let Some(scores) = &found.scores else { return Ok(()) };
        let labelled: Vec<usize> =
            found.calls.iter().filter(|call| call.label.is_some()).map(|call| call.row).collect();
        let intervals = found.intervals(part, RESAMPLES, self.settings.seed, observer)?;
        for (metric, value, ci95) in [
            ("accuracy", scores.accuracy, intervals.map(|intervals| intervals.accuracy)),
            ("balanced_accuracy", scores.balanced_accuracy, intervals.map(|intervals| intervals.balanced_accuracy)),
            ("macro_f1", scores.macro_f1, intervals.map(|intervals| intervals.macro_f1)),
        ] {
            results.push(EvaluationRow {
                task,
                split: split.to_owned(),
                method: self.method,
                rank,
                metric,
                value,
                ci95,
                n: labelled.len(),
                n_species: species_among(part, &labelled),
            });
        }
        Ok(())
    }

    /// BIN reconstruction and the harmonic mean, where there are BINs.
    fn bins(
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
        let mut add = |metric, found: &[u32]| -> Result<f64, PipelineError> {
            let ami = agreement(&truth, found).ami;
            let ci95 = self.ami_interval(&truth, found, observer)?;
            results.push(row("bin_reconstruction", metric, ami, Some(ci95)));
            Ok(ami)
        };
        let ami = add("ami", &grouped.with_true_number)?;
        if let Some(found) = &grouped.by_threshold {
            add("ami_threshold", found)?;
            let number = found.iter().collect::<HashSet<_>>().len();
            results.push(row("bin_reconstruction", "clusters_threshold", number as f64, None));
        }
        results.push(row("bin_reconstruction", "clusters_true", true_number as f64, None));
        let genus = results
            .iter()
            .find(|row| (row.task, row.method, row.metric) == ("open_world", self.method, "accuracy"))
            .map(|row| row.value);
        if let Some(genus) = genus {
            let both = row("harmonic_mean", "harmonic_mean", harmonic_mean(genus, ami), None);
            results.push(EvaluationRow { rank: Field::Genus, ..both });
        }
        Ok(())
    }

    /// 95 % interval of an AMI by bootstrap over species.
    fn ami_interval(&self, truth: &[u32], found: &[u32], observer: &dyn Observer) -> Result<[f64; 2], PipelineError> {
        let Benchmark { part, with_bin, .. } = self.benchmark;
        let species = part.labels(Field::Species);
        // Records of a species are drawn together; a record without one stands for itself.
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); species.distinct()];
        for (at, &row) in with_bin.iter().enumerate() {
            match species.code(row) {
                Some(code) => members[code as usize].push(at),
                None => members.push(vec![at]),
            }
        }
        members.retain(|members| !members.is_empty());
        let mut values = (0..RESAMPLES as u64)
            .into_par_iter()
            .map(|draw| {
                observer.progress(Progress::new("resampling species", draw as usize, RESAMPLES, "resamples"))?;
                let mut rng = self.settings.seed.stream_at("evaluate/ami", draw);
                let drawn: Vec<usize> = (0..members.len())
                    .flat_map(|_| members[rng.random_range(0..members.len())].iter().copied())
                    .collect();
                let of = |labels: &[u32]| -> Vec<u32> { drawn.iter().map(|&at| labels[at]).collect() };
                Ok(agreement(&of(truth), &of(found)).ami)
            })
            .collect::<Result<Vec<f64>, Cancelled>>()?;
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        Ok([at(0.025), at(0.975)])
    }
}

/// Groups of the records that have a BIN.
struct Grouped {
    with_true_number: Vec<u32>,
    /// `None` where the data suggest no threshold.
    by_threshold: Option<Vec<u32>>,
}

fn species_among(dataset: &Dataset, rows: &[usize]) -> usize {
    let column = dataset.labels(Field::Species);
    rows.iter().filter_map(|&row| column.code(row)).collect::<HashSet<_>>().len()
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
            Method::Align => self.group_by_alignment(reference, true_number, observer)?,
            Method::Kmer => {
                let sequences: Vec<&[u8]> = uniques.iter().map(|&unique| part.unique_sequence(unique)).collect();
                let counts = KmerCounts::new(sequences.iter().copied());
                let mut vectors = Array2::zeros((counts.len(), counts.dim()));
                counts.fill(0..counts.len(), vectors.as_slice_mut().expect("a fresh array is contiguous"));
                self.group_vectors(vectors.view(), true_number, observer)?
            }
            Method::Model | Method::Random => {
                let side = Side::of_rows(part, with_bin, self.embedded);
                let vectors = reference.query_vectors(&side, observer)?.unwrap_or_default();
                let vectors = vectors.select(Axis(0), &uniques);
                self.group_vectors(vectors.view(), true_number, observer)?
            }
        };
        Ok(Grouped { with_true_number: by_row(&with_number), by_threshold: by_threshold.map(|groups| by_row(&groups)) })
    }

    /// Groups of vectors: the published recipe, and average linkage at the distance that the data suggest.
    fn group_vectors(
        &self,
        vectors: ArrayView2<'_, f32>,
        true_number: usize,
        observer: &dyn Observer,
    ) -> Result<(Vec<i32>, Option<Vec<i32>>), PipelineError> {
        let seed = self.settings.seed;
        let published = ClusterRecipe::Ward { clusters: Some(true_number) };
        let with_number = groups(vectors, published, seed, observer)?.labels;
        let threshold = ClusterRecipe::Threshold { linkage: Linkage::Average, threshold: None };
        let by_threshold = match groups(vectors, threshold, seed, observer) {
            Ok(found) => Some(found.labels),
            Err(PipelineError::NoThreshold) => {
                observer.warn(&format!(
                    "{}: {}, so that number is left out",
                    self.method.title(),
                    PipelineError::NoThreshold
                ));
                None
            }
            Err(error) => return Err(error),
        };
        Ok((with_number, by_threshold))
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
        let queries = Queries { dataset: part, uniques: uniques_of(part, with_bin), vectors: None };
        let itself = |query: usize, other: usize| query == other;
        let near = nearest_in_pool(reference, &pool, &queries, SHORTLIST_LENGTH.min(pool.len()), &itself, observer)?;
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
