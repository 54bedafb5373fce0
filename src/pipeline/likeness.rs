//! The nearest labelled references of query barcodes, by any method, exact, ties to the earlier reference.

use super::PipelineError;
use super::error::stop_or;
use super::head::Head;
use super::side::{Method, Side};
use crate::analysis::alignment::Aligner;
use crate::analysis::kmer::{KmerCounts, KmerShortlist, SHORTLIST_LENGTH};
use crate::analysis::knn::{Neighbours, Rows, nearest};
use crate::analysis::transform::Transform;
use crate::data::dataset::Dataset;
use crate::data::reading::TransformKind;
use crate::pipeline::stored::StoredVectors;
use crate::progress::{Observer, Progress};
use ndarray::Array2;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The specimens of a reference, made ready for one method: embeddings transformed, with the transform to be used on queries.
pub struct Reference<'a> {
    pub(in crate::pipeline) method: Method,
    pub(in crate::pipeline) side: Side<'a>,
    /// Rows in file order.
    pub(in crate::pipeline) rows: Vec<usize>,
    /// Transformed vectors by unique barcode of the dataset, `[U,D]`, for methods that embed.
    vectors: Option<StoredVectors>,
    transform: Option<Transform>,
    /// What was fitted to the labels, for the method that does so.
    head: Option<Head>,
}

impl<'a> Reference<'a> {
    /// Makes a reference ready. `transform` is fitted on its unique barcodes; `None` takes the model's default.
    ///
    /// # Errors
    /// [`PipelineError::Empty`] without specimens, [`PipelineError::Setting`] without the embeddings that the method needs,
    /// [`PipelineError::Analysis`] when the transform or the head cannot be fitted, and a stop.
    pub fn new(
        method: Method,
        side: Side<'a>,
        transform: Option<TransformKind>,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let rows = side.row_list();
        if rows.is_empty() {
            return Err(PipelineError::Empty { what: format!("the reference '{}'", side.dataset.name()) });
        }
        let mut reference = Self { method, side, rows, vectors: None, transform: None, head: None };
        if method.embeds() {
            let embedded = side.vectors()?;
            let uniques = uniques_of(side.dataset, &reference.rows);
            let kind = embedded.transform_for(transform, uniques.len());
            let fitted_on = as_u32(&uniques);
            let fitted = Transform::fit(kind, &Rows::new(&embedded.vectors, &fitted_on), observer)
                .map_err(|error| stop_or(error, "fitting the transform"))?;
            let vectors = embedded.vectors.transformed(&fitted, observer)?;
            if method == Method::Fitted {
                reference.head = Some(Head::fit(side.dataset, &reference.rows, &uniques, &vectors, observer)?);
            }
            reference.vectors = Some(vectors);
            reference.transform = Some(fitted);
        }
        Ok(reference)
    }

    /// The same specimens, with vectors made comparable in the same way, for another method. The methods that embed by the model may
    /// take turns; others need no vectors.
    pub(in crate::pipeline) fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// How vectors were made comparable.
    pub fn describe_transform(&self) -> Option<String> {
        self.transform.as_ref().map(Transform::describe)
    }

    /// What was fitted to the labels.
    pub(in crate::pipeline) fn describe_head(&self) -> Option<String> {
        self.head.as_ref().map(Head::describe)
    }

    /// Vectors under what was fitted to the labels of the whole reference; the same vectors where nothing was.
    pub(in crate::pipeline) fn under_head(
        &self,
        vectors: Array2<f32>,
        observer: &dyn Observer,
    ) -> Result<Array2<f32>, PipelineError> {
        match &self.head {
            Some(head) => head.apply(None, &vectors, observer),
            None => Ok(vectors),
        }
    }

    /// Vectors of a side's unique barcodes under this reference's transform, `[U,D]`; `None` for methods without embeddings.
    pub(in crate::pipeline) fn query_vectors(
        &self,
        query: &Side<'_>,
        observer: &dyn Observer,
    ) -> Result<Option<Cow<'_, StoredVectors>>, PipelineError> {
        let Some(transform) = &self.transform else { return Ok(None) };
        if std::ptr::eq(query.dataset, self.side.dataset) {
            return Ok(self.vectors.as_ref().map(Cow::Borrowed));
        }
        let (ours, theirs) = (self.side.vectors()?, query.vectors()?);
        if (ours.model.id, ours.layers, ours.register) != (theirs.model.id, theirs.layers, theirs.register) {
            return Err(PipelineError::Setting(
                "reference and query were embedded by different models or readings and cannot be compared".to_owned(),
            ));
        }
        Ok(Some(Cow::Owned(theirs.vectors.transformed(transform, observer)?)))
    }
}

/// The unique barcodes of rows, each once, in order of first appearance.
pub(in crate::pipeline) fn uniques_of(dataset: &Dataset, rows: &[usize]) -> Vec<usize> {
    let mut seen = vec![false; dataset.unique_len()];
    rows.iter()
        .map(|&row| dataset.unique_of(row))
        .filter(|&unique| !std::mem::replace(&mut seen[unique], true))
        .collect()
}

/// The references that can answer: barcodes that at least one labelled specimen has.
pub(in crate::pipeline) struct Pool<'a> {
    dataset: &'a Dataset,
    /// Unique barcodes, in order of the first labelled row that has them.
    uniques: Vec<usize>,
    /// The labelled rows of each, ascending.
    pub(in crate::pipeline) rows: Vec<Vec<u32>>,
}

impl<'a> Pool<'a> {
    /// The rows for which `labelled` holds.
    pub(in crate::pipeline) fn new(dataset: &'a Dataset, rows: &[usize], labelled: impl Fn(usize) -> bool) -> Self {
        let eligible: Vec<usize> = rows.iter().copied().filter(|&row| labelled(row)).collect();
        let uniques = uniques_of(dataset, &eligible);
        let place: HashMap<usize, usize> = uniques.iter().enumerate().map(|(at, &unique)| (unique, at)).collect();
        let mut by_unique = vec![Vec::new(); uniques.len()];
        eligible.iter().for_each(|&row| by_unique[place[&dataset.unique_of(row)]].push(row as u32));
        Self { dataset, uniques, rows: by_unique }
    }

    pub(in crate::pipeline) fn len(&self) -> usize {
        self.uniques.len()
    }

    pub(in crate::pipeline) fn specimens(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    fn sequences(&self) -> Vec<&'a [u8]> {
        self.uniques.iter().map(|&unique| self.dataset.unique_sequence(unique)).collect()
    }

    /// For each of the query barcodes, the reference with exactly the same letters.
    pub(in crate::pipeline) fn identical_to(&self, queries: &[&[u8]]) -> Vec<Option<u32>> {
        let place: HashMap<&[u8], u32> =
            self.sequences().into_iter().enumerate().map(|(at, sequence)| (sequence, at as u32)).collect();
        queries.iter().map(|query| place.get(query).copied()).collect()
    }
}

/// The queries: unique barcodes of the query's rows.
pub(in crate::pipeline) struct Queries<'a> {
    pub(in crate::pipeline) dataset: &'a Dataset,
    pub(in crate::pipeline) uniques: Vec<usize>,
    /// Transformed vectors by unique barcode of the dataset, where the method embeds.
    pub(in crate::pipeline) vectors: Option<&'a StoredVectors>,
}

impl<'a> Queries<'a> {
    pub(in crate::pipeline) fn sequences(&self) -> Vec<&'a [u8]> {
        self.uniques.iter().map(|&unique| self.dataset.unique_sequence(unique)).collect()
    }
}

/// References nearest by the embeddings that are aligned with a query. Chosen from 8, 16, 32, 64 and 256 on `val_unseen` of the
/// benchmark (`models/EXPERIMENTS.md`): with more of them identity alone decides, and the embeddings say nothing.
pub const SHORTLIST_BY_MODEL: usize = 16;

/// The `k` nearest references of every query barcode, as indices into the pool, `[Q,k]`. `excluded(query, reference)` are
/// passed over.
pub(in crate::pipeline) fn nearest_in_pool(
    reference: &Reference<'_>,
    pool: &Pool<'_>,
    queries: &Queries<'_>,
    k: usize,
    excluded: &(dyn Fn(usize, usize) -> bool + Sync),
    observer: &dyn Observer,
) -> Result<Neighbours, PipelineError> {
    match reference.method {
        Method::Model | Method::Random => nearest_by_vectors(reference, pool, queries, k, excluded, observer),
        Method::Fitted => nearest_under_head(reference, pool, queries, k, excluded, observer),
        Method::Both => {
            let length = k.max(SHORTLIST_BY_MODEL).min(pool.len());
            let near = nearest_by_vectors(reference, pool, queries, length, excluded, observer)?;
            most_identical(pool, queries, k, observer, || (), |(), at, _| near.of(at).map(|(place, _)| place).collect())
        }
        Method::Kmer => {
            let references = KmerCounts::new(pool.sequences());
            let queries = KmerCounts::new(queries.sequences());
            Ok(nearest(&queries, &references, k, excluded, observer)?)
        }
        Method::Align => {
            observer.progress(Progress::new("aligning", 0, queries.uniques.len(), "barcodes"))?;
            let shortlist = KmerShortlist::new(&pool.sequences(), observer)?;
            most_identical(
                pool,
                queries,
                k,
                observer,
                || shortlist.search(),
                |search, at, query| {
                    search.most_shared(query, SHORTLIST_LENGTH, |candidate| excluded(at, candidate as usize))
                },
            )
        }
    }
}

fn nearest_by_vectors(
    reference: &Reference<'_>,
    pool: &Pool<'_>,
    queries: &Queries<'_>,
    k: usize,
    excluded: &(dyn Fn(usize, usize) -> bool + Sync),
    observer: &dyn Observer,
) -> Result<Neighbours, PipelineError> {
    let (Some(ours), Some(theirs)) = (&reference.vectors, queries.vectors) else {
        return Err(PipelineError::Setting("the specimens have to be embedded first".to_owned()));
    };
    let (our_rows, their_rows) = (as_u32(&pool.uniques), as_u32(&queries.uniques));
    let (references, queries) = (Rows::new(ours, &our_rows), Rows::new(theirs, &their_rows));
    Ok(nearest(&queries, &references, k, excluded, observer)?)
}

/// As [`nearest_by_vectors`], each query under the head that was fitted without it.
fn nearest_under_head(
    reference: &Reference<'_>,
    pool: &Pool<'_>,
    queries: &Queries<'_>,
    k: usize,
    excluded: &(dyn Fn(usize, usize) -> bool + Sync),
    observer: &dyn Observer,
) -> Result<Neighbours, PipelineError> {
    let (Some(ours), Some(theirs), Some(head)) = (&reference.vectors, queries.vectors, &reference.head) else {
        return Err(PipelineError::Setting("the specimens have to be embedded and the head fitted first".to_owned()));
    };
    let ours = ours.select(&pool.uniques);
    let in_reference = std::ptr::eq(queries.dataset, reference.side.dataset);
    let mut found = Neighbours {
        index: Array2::from_elem((queries.uniques.len(), k), u32::MAX),
        similarity: Array2::from_elem((queries.uniques.len(), k), f32::NEG_INFINITY),
    };
    for (places, fitted) in head.shares(&queries.uniques, in_reference) {
        let uniques: Vec<usize> = places.iter().map(|&at| queries.uniques[at]).collect();
        let references = head.apply(fitted, &ours, observer)?;
        let asked = head.apply(fitted, &theirs.select(&uniques), observer)?;
        let all = |matrix: &Array2<f32>| (0..matrix.nrows() as u32).collect::<Vec<_>>();
        let (reference_rows, asked_rows) = (all(&references), all(&asked));
        let not = |at: usize, candidate: usize| excluded(places[at], candidate);
        let near =
            nearest(&Rows::new(&asked, &asked_rows), &Rows::new(&references, &reference_rows), k, &not, observer)?;
        for (at, &place) in places.iter().enumerate() {
            found.index.row_mut(place).assign(&near.index.row(at));
            found.similarity.row_mut(place).assign(&near.similarity.row(at));
        }
    }
    Ok(found)
}

fn as_u32(rows: &[usize]) -> Vec<u32> {
    rows.iter().map(|&row| row as u32).collect()
}

/// The `k` references of each query's shortlist that are most identical with it; equally identical ones in the order of the
/// pool. `shortlisted(state, at, query)` names the places in the pool to be aligned with query number `at`.
fn most_identical<S>(
    pool: &Pool<'_>,
    queries: &Queries<'_>,
    k: usize,
    observer: &dyn Observer,
    state: impl Fn() -> S + Sync + Send,
    shortlisted: impl Fn(&mut S, usize, &[u8]) -> Vec<u32> + Sync + Send,
) -> Result<Neighbours, PipelineError> {
    let (references, sequences) = (pool.sequences(), queries.sequences());
    let done = AtomicUsize::new(0);
    let found: Vec<Vec<(u32, f32)>> = sequences
        .par_iter()
        .enumerate()
        .map_init(
            || (Aligner::new(), state()),
            |(aligner, state), (at, query)| {
                let now = done.load(Ordering::Relaxed);
                observer.progress(Progress::new("aligning", now, sequences.len(), "barcodes"))?;
                let mut hits: Vec<(u32, f32)> = shortlisted(state, at, query)
                    .into_iter()
                    .map(|candidate| (candidate, aligner.identity(query, references[candidate as usize])))
                    .collect();
                hits.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                hits.truncate(k);
                done.fetch_add(1, Ordering::Relaxed);
                Ok(hits)
            },
        )
        .collect::<Result<_, PipelineError>>()?;
    let mut neighbours = Neighbours {
        index: Array2::from_elem((found.len(), k), u32::MAX),
        similarity: Array2::from_elem((found.len(), k), f32::NEG_INFINITY),
    };
    for (query, hits) in found.into_iter().enumerate() {
        for (rank, (reference, identity)) in hits.into_iter().enumerate() {
            neighbours.index[[query, rank]] = reference;
            neighbours.similarity[[query, rank]] = identity;
        }
    }
    Ok(neighbours)
}
