//! Nearest neighbours by cosine: exact, and nearly so among very many points ([`nearest_others`]).
//!
//! Every query is compared with every reference: tiles of the similarity matrix come from matrix products, and what can still
//! be among the `K` best is scored again by one fixed dot product in 64-bit floats. The products only sift, with a margin that
//! covers their rounding, so the answer does not depend on tiles, blocks or threads: it is that of the brute-force double loop,
//! and equal similarities are decided by the order of the references. Memory is bounded by the blocks, never `[Q,N]`.

mod block;
mod cells;
mod search;
#[cfg(test)]
mod tests;

use crate::progress::{Cancelled, Observer, Progress};
pub use cells::{EXACT_POINTS, nearest_others};
use ndarray::{Array2, ArrayBase, Data, Ix2, s};
use rayon::prelude::*;
use search::Search;
use std::collections::HashSet;
use std::ops::Range;

/// Vectors `[N,D]` that are handed out block by block, stored or computed on the way.
pub trait VectorSource: Sync {
    /// Number of vectors, `N`.
    fn len(&self) -> usize;

    /// Number of dimensions, `D`.
    fn dim(&self) -> usize;

    /// Writes the vectors `rows`, one after the other, into `out` `[rows.len() * D]`, overwriting what is there.
    fn fill(&self, rows: Range<usize>, out: &mut [f32]);

    /// Whether there are no vectors.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S: Data<Elem = f32> + Sync> VectorSource for ArrayBase<S, Ix2>
where
    Self: Sync,
{
    fn len(&self) -> usize {
        self.nrows()
    }

    fn dim(&self) -> usize {
        self.ncols()
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f32]) {
        out.iter_mut().zip(self.slice(s![rows, ..])).for_each(|(to, &from)| *to = from);
    }
}

/// The vectors `rows` of a source, `[rows,D]`.
pub(crate) fn rows_of(source: &dyn VectorSource, rows: Range<usize>) -> Array2<f32> {
    let mut found = Array2::zeros((rows.len(), source.dim()));
    source.fill(rows, found.as_slice_mut().expect("made in standard order"));
    found
}

/// All vectors of a source, `[N,D]`, block by block on all cores: for those that are computed on the way.
pub(crate) fn collected(
    source: &dyn VectorSource,
    stage: &'static str,
    observer: &dyn Observer,
) -> Result<Array2<f32>, Cancelled> {
    const BLOCK_ROWS: usize = 256;
    let (rows, width) = (source.len(), source.dim());
    let mut found = Array2::zeros((rows, width));
    let numbers = found.as_slice_mut().expect("made in standard order");
    numbers.par_chunks_mut((BLOCK_ROWS * width).max(1)).enumerate().try_for_each(|(block, out)| {
        let start = block * BLOCK_ROWS;
        observer.progress(Progress::new(stage, start, rows, "barcodes"))?;
        source.fill(start..start + out.len() / width, out);
        Ok(())
    })?;
    Ok(found)
}

/// Some vectors of a source, in the order of `rows`: the labelled references, the specimens of one split.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    source: &'a dyn VectorSource,
    rows: &'a [u32],
}

impl<'a> Rows<'a> {
    /// The vectors `rows` of `source`; a row may occur several times.
    pub fn new(source: &'a dyn VectorSource, rows: &'a [u32]) -> Self {
        Self { source, rows }
    }
}

impl VectorSource for Rows<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn dim(&self) -> usize {
        self.source.dim()
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f32]) {
        let (wanted, dim) = (&self.rows[rows], self.dim());
        let mut done = 0;
        // Runs of consecutive rows, which are the rule, cost one call.
        for run in wanted.chunk_by(|&a, &b| a.checked_add(1) == Some(b)) {
            let first = run[0] as usize;
            self.source.fill(first..first + run.len(), &mut out[done * dim..(done + run.len()) * dim]);
            done += run.len();
        }
    }
}

/// The `K` nearest references of every query, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// Reference rows `[Q,K]`; [`Neighbours::NONE`] where a query has fewer than `K`.
    pub index: Array2<u32>,
    /// Cosine similarities `[Q,K]`, -1 to 1; negative infinity where a query has fewer than `K`.
    pub similarity: Array2<f32>,
}

impl Neighbours {
    /// Stands in [`Self::index`] where there is no neighbour.
    pub const NONE: u32 = u32::MAX;

    /// `queries` queries that have found nothing yet.
    fn nothing(queries: usize, k: usize) -> Self {
        Self {
            index: Array2::from_elem((queries, k), Self::NONE),
            similarity: Array2::from_elem((queries, k), f32::NEG_INFINITY),
        }
    }

    /// Reference and similarity of the neighbours of `query`, best first.
    pub fn of(&self, query: usize) -> impl Iterator<Item = (u32, f32)> {
        let found = self.index.row(query).into_iter().zip(self.similarity.row(query));
        found.map(|(&index, &similarity)| (index, similarity)).take_while(|&(index, _)| index != Self::NONE)
    }

    /// How much of every query's neighbourhood another list keeps, `[Q]`: members of both over members of either (Jaccard), 1
    /// where neither has any.
    ///
    /// # Panics
    /// When the lists differ in their number of queries.
    pub fn overlap(&self, other: &Self) -> Vec<f64> {
        assert_eq!(self.index.nrows(), other.index.nrows(), "both lists are of the same queries");
        let members = |list: &Self, query: usize| list.of(query).map(|(index, _)| index).collect::<HashSet<u32>>();
        let of_query = |query: usize| {
            let (ours, theirs) = (members(self, query), members(other, query));
            let both = ours.intersection(&theirs).count();
            let either = ours.len() + theirs.len() - both;
            if either == 0 { 1.0 } else { both as f64 / either as f64 }
        };
        (0..self.index.nrows()).map(of_query).collect()
    }
}

/// The `k` references with the highest cosine similarity to every query, exactly; equal similarities go to the earlier reference.
///
/// A reference `r` with `excluded(q, r)` is no neighbour of query `q`; for leave-one-out, `|q, r| q == r`. The similarity is the
/// dot product over the product of the lengths, computed in f64 and rounded to f32, so that identical vectors have exactly 1 and
/// give identical similarities wherever they stand. A vector of zeros has similarity 0 to everything; a vector with NaN or an
/// infinity neither is nor has a neighbour.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
///
/// # Panics
/// If queries and references differ in their number of dimensions, or there are more than `u32::MAX` references.
pub fn nearest(
    queries: &dyn VectorSource,
    references: &dyn VectorSource,
    k: usize,
    excluded: &(dyn Fn(usize, usize) -> bool + Sync),
    observer: &dyn Observer,
) -> Result<Neighbours, Cancelled> {
    assert!(
        queries.is_empty() || references.is_empty() || queries.dim() == references.dim(),
        "queries and references differ in dimensions"
    );
    assert!(references.len() < Neighbours::NONE as usize, "too many references to be counted in 32 bits");
    let mut found = Neighbours::nothing(queries.len(), k);
    if k == 0 || queries.is_empty() || references.is_empty() {
        return Ok(found);
    }
    Search::new(queries, references, k, excluded, observer).run(&mut found)?;
    Ok(found)
}

/// Like [`nearest`] among the references `rows` (ascending) only, for example those that carry a label; the neighbours and the
/// second argument of `excluded` are rows of `references`.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
pub fn nearest_among(
    queries: &dyn VectorSource,
    references: &dyn VectorSource,
    rows: &[u32],
    k: usize,
    excluded: &(dyn Fn(usize, usize) -> bool + Sync),
    observer: &dyn Observer,
) -> Result<Neighbours, Cancelled> {
    let excluded_row = |query: usize, at: usize| excluded(query, rows[at] as usize);
    let mut found = nearest(queries, &Rows::new(references, rows), k, &excluded_row, observer)?;
    found.index.iter_mut().filter(|at| **at != Neighbours::NONE).for_each(|at| *at = rows[*at as usize]);
    Ok(found)
}
