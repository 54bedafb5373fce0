//! Naming queries by a labelled reference, or each specimen by the others.

use super::likeness::{Pool, Queries, Reference, SHORTLIST_BY_MODEL, nearest_in_pool, uniques_of};
use super::side::{Method, Side};
use super::{PipelineError, Provenance};
use crate::analysis::alignment::Aligner;
use crate::analysis::classify::{VoteSettings, Votes, vote};
use crate::analysis::kmer::{COUNTED_K, SHORTLIST_K, SHORTLIST_LENGTH};
use crate::analysis::knn::Neighbours;
use crate::analysis::metrics::{Intervals, Scores, bootstrap_interval, bootstrap_intervals, scores};
use crate::data::dataset::Dataset;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::Field;
use crate::progress::{Observer, Progress};
use crate::seed::Seed;
use ndarray::Array2;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How specimens are named.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifySettings {
    /// The label to predict.
    pub rank: Field,
    /// How likeness is measured.
    pub method: Method,
    /// How many neighbours vote, and how.
    pub vote: VoteSettings,
    /// Transform of the embeddings, fitted on the reference; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// How many neighbours of each query are kept to be looked at; at least `vote.k` are.
    pub neighbours: usize,
    /// Whether references with exactly the query's barcode are left out.
    pub set_aside_identical: bool,
    /// Seed of the bootstrap.
    pub seed: Seed,
}

impl Default for ClassifySettings {
    fn default() -> Self {
        Self {
            rank: Field::Genus,
            method: Method::Model,
            vote: VoteSettings { k: 1, votes: Votes::Uniform },
            transform: None,
            neighbours: 10,
            set_aside_identical: false,
            seed: Seed::default(),
        }
    }
}

/// What was found for one query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpecimenCall {
    /// Row in the query's dataset.
    pub row: usize,
    /// Its own label, as an index into [`Classification::names`].
    pub label: Option<u32>,
    /// The predicted label; `None` where no reference could be compared.
    pub predicted: Option<u32>,
    /// Share of the votes; with one neighbour its cosine, or identity for `align` and `both`.
    pub score: f32,
    /// Likeness of the best reference with the predicted label minus that of the best with any other; `None` where there is no
    /// other label.
    pub margin: Option<f32>,
    /// Row in the reference's dataset of the nearest reference with the predicted label.
    pub neighbour: Option<usize>,
    /// Cosine with that neighbour; `None` for `align` and `both`.
    pub cosine: Option<f32>,
    /// Identity with that neighbour, 0 to 1.
    pub identity: Option<f32>,
}

impl SpecimenCall {
    /// Whether the prediction agrees with the label; `None` where there is no label to compare with.
    pub fn correct(&self) -> Option<bool> {
        self.label.map(|label| self.predicted == Some(label))
    }
}

/// Predicted labels with everything that they rest on.
#[derive(Debug, Clone)]
pub struct Classification {
    /// The label that was predicted.
    pub rank: Field,
    /// How likeness was measured.
    pub method: Method,
    /// All names of the reference, then those that only queries have.
    pub names: Vec<String>,
    /// One call per query, in file order.
    pub calls: Vec<SpecimenCall>,
    /// Rows in the reference's dataset of the nearest references, `[Q,K]`, `u32::MAX` where there are fewer.
    pub neighbours: Array2<u32>,
    /// Their cosine (identity for `align` and `both`), `[Q,K]`.
    pub similarity: Array2<f32>,
    /// Metrics over the queries that have a label; `None` where none has.
    pub scores: Option<Scores>,
    /// 95 % interval of the accuracy by bootstrap over species.
    pub interval: Option<[f64; 2]>,
    /// Number of reference specimens that have the label.
    pub references: usize,
    /// Whether a reference has each name, other than a specimen of that name itself; without it, none can be named right.
    pub nameable: Vec<bool>,
    /// How many of the queries the model was trained on; `None` where there is no model or its file does not tell.
    pub trained_on: Option<usize>,
    /// Wall time, without embedding.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}

impl Classification {
    /// The name behind a code.
    pub fn name(&self, code: u32) -> &str {
        &self.names[code as usize]
    }

    /// Number of queries whose label no reference could have given them.
    pub fn unnameable(&self) -> usize {
        let labels = self.calls.iter().filter_map(|call| call.label);
        labels.filter(|&label| !self.nameable[label as usize]).count()
    }

    /// Row and similarity of the nearest references of query number `index`, the nearest first.
    pub fn nearest(&self, index: usize) -> impl Iterator<Item = (usize, f32)> {
        let rows = self.neighbours.row(index).to_vec();
        let similarity = self.similarity.row(index).to_vec();
        rows.into_iter().zip(similarity).filter(|(row, _)| *row != u32::MAX).map(|(row, value)| (row as usize, value))
    }
}

impl Classification {
    /// 95 % intervals of all metrics by bootstrap over species; `None` where no query has a label.
    ///
    /// # Errors
    /// A stop.
    pub fn intervals(
        &self,
        query: &Dataset,
        resamples: usize,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Option<Intervals>, PipelineError> {
        let species = query.labels(Field::Species);
        let truth: Vec<Option<u32>> = self.calls.iter().map(|call| call.label).collect();
        let predicted: Vec<Option<u32>> = self.calls.iter().map(|call| call.predicted).collect();
        let groups: Vec<Option<u32>> = self.calls.iter().map(|call| species.code(call.row)).collect();
        Ok(bootstrap_intervals(&truth, &predicted, &groups, resamples, seed, observer)?)
    }
}

/// Names the specimens of `query` by the labelled specimens of a reference. References without the label are skipped; queries
/// without it are predicted and left out of the metrics.
///
/// # Errors
/// [`PipelineError::NoLabels`] when no reference has the label, [`PipelineError::Empty`] without queries, and a stop.
pub fn classify(
    reference: &Reference<'_>,
    query: Side<'_>,
    settings: &ClassifySettings,
    observer: &dyn Observer,
) -> Result<Classification, PipelineError> {
    run(reference, query, false, settings, observer)
}

/// Names every specimen by the others.
///
/// # Errors
/// As [`classify`].
pub fn leave_one_out(
    side: Side<'_>,
    settings: &ClassifySettings,
    observer: &dyn Observer,
) -> Result<Classification, PipelineError> {
    let reference = Reference::new(settings.method, side, settings.transform, observer)?;
    run(&reference, side, true, settings, observer)
}

/// Neighbours asked for at least, so that most queries see a reference with another label at once.
const LOOK_AHEAD: usize = 16;

fn run(
    reference: &Reference<'_>,
    query: Side<'_>,
    each_by_the_others: bool,
    settings: &ClassifySettings,
    observer: &dyn Observer,
) -> Result<Classification, PipelineError> {
    let start = Instant::now();
    let dataset = reference.side.dataset;
    let query_rows = query.row_list();
    if query_rows.is_empty() {
        return Err(PipelineError::Empty { what: format!("the queries '{}'", query.dataset.name()) });
    }
    let column = dataset.labels(settings.rank);
    let pool = Pool::new(dataset, &reference.rows, |row| column.code(row).is_some());
    if pool.len() == 0 {
        return Err(PipelineError::NoLabels { dataset: dataset.name().to_owned(), field: settings.rank });
    }
    let vectors = reference.query_vectors(&query, observer)?;
    let queries = Queries {
        dataset: query.dataset,
        uniques: uniques_of(query.dataset, &query_rows),
        vectors: vectors.as_deref(),
    };
    let identical = settings.set_aside_identical.then(|| pool.identical_to(&queries.sequences()));
    let set_aside = |at: usize, candidate: usize| {
        identical.as_ref().is_some_and(|identical| identical[at] == Some(candidate as u32))
    };
    let kept = settings.vote.k.max(settings.neighbours).max(1);
    let asked = if settings.method == Method::Align { SHORTLIST_LENGTH } else { (kept + 1).max(LOOK_AHEAD) };
    let hits = nearest_in_pool(reference, &pool, &queries, asked.min(pool.len()), &set_aside, observer)?;

    let at_of_unique: HashMap<usize, usize> =
        queries.uniques.iter().enumerate().map(|(at, &unique)| (unique, at)).collect();
    let places: Vec<usize> = query_rows.iter().map(|&row| at_of_unique[&query.dataset.unique_of(row)]).collect();
    let alone = |row: usize| each_by_the_others.then_some(row as u32);
    let neighbours = expand(&hits, &pool, &query_rows, &places, kept, alone);
    let labels: Vec<Option<u32>> = (0..dataset.len()).map(|row| column.code(row)).collect();
    let votes = vote(&neighbours, &labels, &settings.vote);

    let (names, truth) = common_names(dataset, query.dataset, settings.rank, &query_rows);
    let mut calls: Vec<SpecimenCall> = query_rows
        .iter()
        .zip(votes)
        .zip(&truth)
        .map(|((&row, call), &label)| SpecimenCall {
            row,
            label,
            predicted: call.predicted,
            score: call.score,
            margin: None,
            neighbour: call.predicted.map(|_| call.neighbour as usize),
            cosine: call.predicted.filter(|_| !settings.method.aligns()).map(|_| call.similarity),
            identity: call.predicted.filter(|_| settings.method.aligns()).map(|_| call.similarity),
        })
        .collect();
    let search = Search { reference, pool: &pool, queries: &queries, labels: &labels, set_aside: &set_aside };
    search.fill_margins(&mut calls, &hits, &places, each_by_the_others, observer)?;
    fill_identities(&mut calls, query.dataset, dataset, observer)?;

    let predicted: Vec<Option<u32>> = calls.iter().map(|call| call.predicted).collect();
    let labelled = truth.iter().any(Option::is_some);
    let metrics = labelled.then(|| scores(&truth, &predicted, &names));
    let species = query.dataset.labels(Field::Species);
    let groups: Vec<Option<u32>> = query_rows.iter().map(|&row| species.code(row)).collect();
    let interval = accuracy_interval(&calls, &groups, settings.seed);
    let nameable = nameable(&pool, &labels, names.len(), each_by_the_others);
    Ok(Classification {
        rank: settings.rank,
        method: settings.method,
        names,
        calls,
        neighbours: neighbours.index,
        similarity: neighbours.similarity,
        scores: metrics,
        interval,
        references: pool.specimens(),
        nameable,
        trained_on: query.embedded.and_then(|embedded| embedded.count_trained_on(query.dataset, &query_rows)),
        seconds: start.elapsed().as_secs_f64(),
        provenance: provenance(reference, &query, each_by_the_others, settings),
    })
}

/// The nearest reference *specimens* of every query specimen from its nearest reference barcodes, `[Q,kept]`: equally near ones
/// in file order, and never the specimen itself.
fn expand(
    hits: &Neighbours,
    pool: &Pool<'_>,
    query_rows: &[usize],
    places: &[usize],
    kept: usize,
    alone: impl Fn(usize) -> Option<u32>,
) -> Neighbours {
    let mut neighbours = Neighbours {
        index: Array2::from_elem((query_rows.len(), kept), u32::MAX),
        similarity: Array2::from_elem((query_rows.len(), kept), f32::NEG_INFINITY),
    };
    for (query, (&row, &at)) in query_rows.iter().zip(places).enumerate() {
        let (found, similarity) = (hits.index.row(at), hits.similarity.row(at));
        let own = alone(row);
        let mut filled = 0;
        let mut next = 0;
        while filled < kept && next < found.len() && found[next] != u32::MAX {
            let tied = (next..found.len())
                .take_while(|&rank| found[rank] != u32::MAX && similarity[rank] == similarity[next])
                .count();
            let mut rows: Vec<u32> = (next..next + tied)
                .flat_map(|rank| pool.rows[found[rank] as usize].iter().copied())
                .filter(|&candidate| Some(candidate) != own)
                .collect();
            rows.sort_unstable();
            for candidate in rows.into_iter().take(kept - filled) {
                neighbours.index[[query, filled]] = candidate;
                neighbours.similarity[[query, filled]] = similarity[next];
                filled += 1;
            }
            next += tied;
        }
    }
    neighbours
}

/// Names of the reference by their codes, then those that only queries have; and the queries' labels in these codes.
fn common_names(
    reference: &Dataset,
    query: &Dataset,
    rank: Field,
    query_rows: &[usize],
) -> (Vec<String>, Vec<Option<u32>>) {
    let mut names = reference.labels(rank).names().to_vec();
    let mut code_of: HashMap<String, u32> =
        names.iter().enumerate().map(|(code, name)| (name.clone(), code as u32)).collect();
    let truth = query_rows
        .iter()
        .map(|&row| {
            let name = query.label(row, rank)?;
            Some(*code_of.entry(name.to_owned()).or_insert_with(|| {
                names.push(name.to_owned());
                names.len() as u32 - 1
            }))
        })
        .collect();
    (names, truth)
}

/// Whether a reference has each of a number of names, other than a specimen of that name itself where each is named by the others.
fn nameable(pool: &Pool<'_>, labels: &[Option<u32>], names: usize, each_by_the_others: bool) -> Vec<bool> {
    let mut references = vec![0usize; names];
    let of_references = pool.rows.iter().flatten().filter_map(|&row| labels[row as usize]);
    of_references.for_each(|label| references[label as usize] += 1);
    references.into_iter().map(|number| number > usize::from(each_by_the_others)).collect()
}

/// What is needed to look for references once more.
struct Search<'a> {
    reference: &'a Reference<'a>,
    pool: &'a Pool<'a>,
    queries: &'a Queries<'a>,
    /// Label of every row of the reference's dataset.
    labels: &'a [Option<u32>],
    set_aside: &'a (dyn Fn(usize, usize) -> bool + Sync),
}

impl Search<'_> {
    /// Margins: similarity of the best reference with the predicted label minus that of the best with any other.
    fn fill_margins(
        &self,
        calls: &mut [SpecimenCall],
        hits: &Neighbours,
        places: &[usize],
        each_by_the_others: bool,
        observer: &dyn Observer,
    ) -> Result<(), PipelineError> {
        let complete = hits.index.ncols() == self.pool.len() || self.reference.method.aligns();
        let mut unresolved = Vec::new();
        for (query, call) in calls.iter_mut().enumerate() {
            let (Some(predicted), Some(best)) = (call.predicted, call.cosine.or(call.identity)) else { continue };
            let own = each_by_the_others.then_some(call.row as u32);
            let found = hits.index.row(places[query]);
            let other = found
                .iter()
                .take_while(|&&candidate| candidate != u32::MAX)
                .position(|&candidate| self.answers_otherwise(candidate as usize, predicted, own));
            match other {
                Some(rank) => call.margin = Some(best - hits.similarity[[places[query], rank]]),
                None if !complete => unresolved.push(query),
                None => {}
            }
        }
        if unresolved.is_empty() {
            return Ok(());
        }
        // All neighbours seen so far have the predicted label: look once more, only among the others.
        let again = Queries {
            dataset: self.queries.dataset,
            uniques: unresolved.iter().map(|&query| self.queries.uniques[places[query]]).collect(),
            vectors: self.queries.vectors,
        };
        let excluded = |at: usize, candidate: usize| {
            let query = unresolved[at];
            let call = &calls[query];
            let own = each_by_the_others.then_some(call.row as u32);
            (self.set_aside)(places[query], candidate)
                || !call.predicted.is_some_and(|predicted| self.answers_otherwise(candidate, predicted, own))
        };
        let others = nearest_in_pool(self.reference, self.pool, &again, 1, &excluded, observer)?;
        for (at, &query) in unresolved.iter().enumerate() {
            let best = calls[query].cosine.or(calls[query].identity);
            if others.index[[at, 0]] != u32::MAX {
                calls[query].margin = best.map(|best| best - others.similarity[[at, 0]]);
            }
        }
        Ok(())
    }

    /// Whether some specimen with this reference barcode, other than the query itself, has another label than `predicted`.
    fn answers_otherwise(&self, candidate: usize, predicted: u32, own: Option<u32>) -> bool {
        self.pool.rows[candidate]
            .iter()
            .any(|&row| Some(row) != own && self.labels[row as usize].is_some_and(|label| label != predicted))
    }
}

/// Identity of every query with its neighbour, where it is not known yet.
fn fill_identities(
    calls: &mut [SpecimenCall],
    query: &Dataset,
    reference: &Dataset,
    observer: &dyn Observer,
) -> Result<(), PipelineError> {
    let total = calls.len();
    let done = AtomicUsize::new(0);
    calls.par_iter_mut().try_for_each_init(Aligner::new, |aligner, call| {
        let at = done.fetch_add(1, Ordering::Relaxed);
        observer.progress(Progress::new("aligning with the neighbours", at, total, "specimens"))?;
        if let (None, Some(neighbour)) = (call.identity, call.neighbour) {
            call.identity = Some(aligner.identity(query.sequence(call.row), reference.sequence(neighbour)));
        }
        Ok(())
    })
}

/// Resamples of the bootstrap.
pub(in crate::pipeline) const RESAMPLES: usize = 1000;

fn accuracy_interval(calls: &[SpecimenCall], species: &[Option<u32>], seed: Seed) -> Option<[f64; 2]> {
    let unnamed = species.iter().flatten().max().map_or(0, |&most| most + 1);
    let labelled = calls.iter().zip(species).enumerate().filter_map(|(at, (call, species))| {
        // A specimen without a species is a group of its own.
        Some((call.correct()?, species.unwrap_or(unnamed + at as u32)))
    });
    let (correct, groups): (Vec<bool>, Vec<u32>) = labelled.unzip();
    bootstrap_interval(&correct, &groups, RESAMPLES, seed)
}

fn provenance(
    reference: &Reference<'_>,
    query: &Side<'_>,
    each_by_the_others: bool,
    settings: &ClassifySettings,
) -> Provenance {
    let mut provenance = Provenance::new(settings.seed, &[reference.side.dataset, query.dataset]);
    if let (true, Some(embedded)) = (settings.method.embeds(), reference.side.embedded) {
        provenance = embedded.describe(provenance);
    }
    provenance = provenance.with("rank", settings.rank).with("method", settings.method);
    if let Some(transform) = reference.describe_transform() {
        provenance = provenance.with("transform", transform);
    }
    match settings.method {
        Method::Kmer => provenance = provenance.with("k-mer length", COUNTED_K),
        Method::Align => {
            let shortlist = format!("the {SHORTLIST_LENGTH} references that share most {SHORTLIST_K}-mers");
            provenance = provenance.with("aligned with", shortlist);
        }
        Method::Both => {
            let shortlist = format!("the {SHORTLIST_BY_MODEL} references that are nearest by the embeddings");
            provenance = provenance.with("aligned with", shortlist);
        }
        Method::Fitted => {
            provenance = provenance.with("head", reference.describe_head().unwrap_or_default());
        }
        Method::Model | Method::Random => {}
    }
    let votes = match settings.vote.votes {
        Votes::Uniform => "uniform".to_owned(),
        Votes::Softmax { temperature } => format!("softmax, temperature {temperature}"),
    };
    provenance
        .with("k", settings.vote.k)
        .with("votes", votes)
        .with("compared with", if each_by_the_others { "all other specimens" } else { "the reference" })
        .with("identical barcodes", if settings.set_aside_identical { "set aside" } else { "allowed" })
}

#[cfg(test)]
mod tests;
