//! Exact nearest neighbours by cosine.

use crate::progress::{Cancelled, Observer, Progress};
use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use std::ops::Range;

/// `N` vectors of length `D` that can be had a block at a time.
pub trait VectorSource: Sync {
    /// Number of vectors.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Their length.
    fn dim(&self) -> usize;
    /// Writes the vectors `rows` into `out`, `[rows.len(), dim]` row by row.
    fn fill(&self, rows: Range<usize>, out: &mut [f32]);
}

impl VectorSource for ArrayView2<'_, f32> {
    fn len(&self) -> usize {
        self.nrows()
    }

    fn dim(&self) -> usize {
        self.ncols()
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f32]) {
        self.slice(s![rows, ..]).iter().zip(out).for_each(|(value, to)| *to = *value);
    }
}

impl VectorSource for Array2<f32> {
    fn len(&self) -> usize {
        self.nrows()
    }

    fn dim(&self) -> usize {
        self.ncols()
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f32]) {
        self.view().fill(rows, out);
    }
}

/// The nearest references of every query, most similar first.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// `[Q,K]`, `u32::MAX` where there are fewer.
    pub index: Array2<u32>,
    /// Cosine, `[Q,K]`, `-inf` where there are fewer.
    pub similarity: Array2<f32>,
}

fn unit(source: &dyn VectorSource, rows: Range<usize>) -> Array2<f32> {
    let mut block = Array2::zeros((rows.len(), source.dim()));
    source.fill(rows, block.as_slice_mut().expect("freshly made"));
    for mut row in block.rows_mut() {
        let length = row.dot(&row).sqrt();
        if length > 0.0 {
            row /= length;
        }
    }
    block
}

/// The `k` most similar references of every query by cosine, without those that are `excluded(query, reference)`; ties go to the
/// earlier reference.
///
/// # Errors
/// [`Cancelled`].
pub fn nearest(
    queries: &dyn VectorSource,
    references: &dyn VectorSource,
    k: usize,
    excluded: &(dyn Fn(usize, usize) -> bool + Sync),
    observer: &dyn Observer,
) -> Result<Neighbours, Cancelled> {
    let all = unit(references, 0..references.len());
    let mut found = Neighbours {
        index: Array2::from_elem((queries.len(), k), u32::MAX),
        similarity: Array2::from_elem((queries.len(), k), f32::NEG_INFINITY),
    };
    for start in (0..queries.len()).step_by(256) {
        observer.progress(Progress::new("finding neighbours", start, queries.len(), "vectors"))?;
        let end = (start + 256).min(queries.len());
        let similarity = unit(queries, start..end).dot(&all.t());
        let rows: Vec<Vec<(f32, u32)>> = similarity
            .rows()
            .into_iter()
            .enumerate()
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|(row, similarity)| {
                let mut all: Vec<(f32, u32)> = similarity
                    .iter()
                    .enumerate()
                    .filter(|&(reference, _)| !excluded(start + row, reference))
                    .map(|(reference, &similarity)| (similarity, reference as u32))
                    .collect();
                all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                all.truncate(k);
                all
            })
            .collect();
        for (row, best) in rows.iter().enumerate() {
            for (column, &(similarity, reference)) in best.iter().enumerate() {
                found.index[[start + row, column]] = reference;
                found.similarity[[start + row, column]] = similarity;
            }
        }
    }
    Ok(found)
}
