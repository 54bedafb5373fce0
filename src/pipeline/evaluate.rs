//! The benchmark table: model and baselines side by side.
//!
//! - **Closed world**: genus and species of `test` by the nearest neighbour in `train`; the species are known to `train`.
//! - **Open world**: genus of `test_unseen`, whose species no other split has. Queries whose genus `train` lacks count, as wrong.
//! - **BIN reconstruction**: the records of both splits that have a BIN are grouped without labels and compared with the BINs by
//!   adjusted mutual information; by the published recipe, which is told the true number of BINs, and by a threshold, which is
//!   told nothing.
//! - **Harmonic mean** 2AB/(A+B) of open-world genus accuracy and AMI of the published recipe. The formula that the paper used is
//!   not known.

pub(in crate::pipeline) mod bins;
pub mod compare;
mod drawn;

use super::cache::Cache;
use super::classify::{ClassifySettings, RESAMPLES, classify};
use super::embed::{EmbedSettings, Embedded, embed};
use super::likeness::Reference;
use super::side::{Method, Side};
use super::subset::{rows_of_split, subset};
use super::{PipelineError, Provenance};
use crate::analysis::classify::{VoteSettings, Votes};
use crate::analysis::kmer::SHORTLIST_LENGTH;
use crate::data::dataset::Dataset;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::Field;
use crate::key::ContentHash;
use crate::model::Model;
use crate::progress::Observer;
use crate::seed::Seed;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::str::FromStr;
use std::time::{Duration, Instant};

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

/// How much of a split the model knows from its training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrainedOn {
    /// The split.
    pub split: &'static str,
    /// Number of its specimens.
    pub queries: usize,
    /// How many of them have exactly a barcode that the model was trained on.
    pub trained_on: usize,
}

/// What it takes to name 1 000 barcodes of the split of unseen species when the reference is ready.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// The method.
    pub method: Method,
    /// Seconds of embedding; `None` for methods without embeddings, and where all of them came from the cache.
    pub embedding: Option<f64>,
    /// Seconds of the search, and of the alignment with the one neighbour that is found.
    pub naming: f64,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluationReport {
    /// All numbers.
    pub results: Vec<EvaluationRow>,
    /// How many queries of each split the model was trained on; empty where its file does not tell.
    pub trained_on: Vec<TrainedOn>,
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
    /// What 1 000 more barcodes cost each method.
    pub costs: Vec<Cost>,
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
    let (mut seconds_by_method, mut costs) = (Vec::new(), Vec::new());
    let mut provenance = Provenance::new(settings.seed, &[dataset]);
    let of_model = embed(&benchmark.part, None, model, &settings.embed, cache, observer)?;
    let embedding_took = start.elapsed();
    for method in Method::ALL {
        let began = Instant::now();
        let untrained = match method {
            Method::Random => {
                let encoder = model.random_like(settings.seed)?;
                Some(embed(&benchmark.part, None, &encoder, &settings.embed, cache, observer)?)
            }
            _ => None,
        };
        let reads = method.reads_with_model();
        let embedded = if reads { Some(&of_model) } else { untrained.as_ref() };
        let run = MethodRun { benchmark: &benchmark, method, embedded, settings };
        let (transform, naming) = run.measure(&mut results, observer)?;
        let embedding = embedded.filter(|embedded| embedded.computed > 0);
        costs.push(Cost {
            method,
            embedding: embedding.map(|embedded| 1000.0 * embedded.seconds / embedded.computed as f64),
            naming,
        });
        if method == Method::Model {
            provenance = of_model.describe(provenance).with("transform", transform.unwrap_or_default());
        }
        // Some methods share the embeddings, and each would have had to make them.
        let took = began.elapsed() + if reads { embedding_took } else { Duration::ZERO };
        seconds_by_method.push((method, took.as_secs_f64()));
    }
    let trained_on = benchmark.trained_on(&of_model);
    provenance = provenance
        .with("k", 1)
        .with("shortlist of align", SHORTLIST_LENGTH)
        .with("bootstrap over species", format!("{RESAMPLES} resamples"));
    Ok(EvaluationReport {
        results,
        trained_on,
        seed: settings.seed.0,
        version: super::provenance::VERSION,
        model_sha256: model.info().sha256.to_string(),
        data_sha256: data_hash(dataset),
        seconds: start.elapsed().as_secs_f64(),
        seconds_by_method,
        costs,
        provenance,
        notes: NOTES.map(str::to_owned).to_vec(),
    })
}

const NOTES: [&str; 8] = [
    "Intervals: 95 %, by bootstrap over species (1 000 resamples); percentiles for the metrics of names, 1.96 standard deviations \
     for AMI.",
    "Open world: queries whose genus the reference lacks are in the denominator.",
    "bin_reconstruction: 'ami' and 'harmonic_mean' use the published recipe (UMAP to 50 dimensions, 15 neighbours, Ward), which is \
     told the true number of BINs; 'ami_threshold' is average linkage cut at a distance that the data suggest, told nothing.",
    "Harmonic mean 2AB/(A+B) of open-world genus accuracy and AMI; the paper does not state the formula that it used. Its interval \
     has both at their lower and both at their upper ends.",
    "align: the best identity among the 256 references that share most k-mers. Its BIN reconstruction lays out the neighbours by \
     identity, and cuts single linkage over them.",
    "both: the best identity among the 16 references that are nearest by the model's embeddings. Its BIN reconstruction is that of \
     align, over these neighbours.",
    "fitted: the model's embeddings under a linear head (within-class whitening) fitted to the genera of the reference.",
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

    fn trained_on(&self, embedded: &Embedded) -> Vec<TrainedOn> {
        let splits = [(self.on.seen(), &self.seen), (self.on.unseen(), &self.unseen)];
        let known = splits.into_iter().filter_map(|(split, rows)| {
            let trained_on = embedded.count_trained_on(&self.part, rows)?;
            Some(TrainedOn { split, queries: rows.len(), trained_on })
        });
        known.collect()
    }
}

struct MethodRun<'a> {
    benchmark: &'a Benchmark,
    method: Method,
    embedded: Option<&'a Embedded>,
    settings: &'a EvaluateSettings,
}

impl MethodRun<'_> {
    /// Adds all numbers of the method; answers how vectors were made comparable, and how many seconds it takes to name 1 000 barcodes of
    /// unseen species.
    fn measure(
        &self,
        results: &mut Vec<EvaluationRow>,
        observer: &dyn Observer,
    ) -> Result<(Option<String>, f64), PipelineError> {
        let Benchmark { part, train, seen, unseen, on, .. } = self.benchmark;
        let side = Side::of_rows(part, train, self.embedded);
        let reference = Reference::new(self.method, side, self.settings.transform, observer)?;
        let mut naming = 0.0;
        for (task, split, rows, rank) in [
            ("closed_world", on.seen(), seen, Field::Genus),
            ("closed_world", on.seen(), seen, Field::Species),
            ("open_world", on.unseen(), unseen, Field::Genus),
        ] {
            // The last one counts: that of unseen species.
            let seconds = self.accuracy(&reference, task, split, rows, rank, results, observer)?;
            naming = 1000.0 * seconds / rows.len() as f64;
        }
        self.bins(&reference, results, observer)?;
        Ok((reference.describe_transform(), naming))
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
    ) -> Result<f64, PipelineError> {
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
        let Some(scores) = &found.scores else { return Ok(found.seconds) };
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
        Ok(found.seconds)
    }
}

fn species_among(dataset: &Dataset, rows: &[usize]) -> usize {
    let column = dataset.labels(Field::Species);
    rows.iter().filter_map(|&row| column.code(row)).collect::<HashSet<_>>().len()
}
