//! Exact nearest neighbours by cosine.
//!
//! Every query is compared with every reference: tiles of the similarity matrix come from matrix products, and what can still
//! be among the `K` best is scored again by one fixed dot product in 64-bit floats. The products only sift, with a margin that
//! covers their rounding, so the answer does not depend on tiles, blocks or threads: it is that of the brute-force double loop,
//! and equal similarities are decided by the order of the references. Memory is bounded by the blocks, never `[Q,N]`.

use crate::progress::{Cancelled, Observer, Progress};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayBase, Data, Ix2, s};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

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
    let search = Search { queries, references, k, excluded, observer, compared: AtomicU64::new(0) };
    search.progress(0)?;
    let mut panel = Block::default();
    for start in (0..references.len()).step_by(panel_rows(references.dim())) {
        let rows = start..(start + panel_rows(references.dim())).min(references.len());
        panel.load_parallel(references, rows, &|| search.progress(0))?;
        search.against(&panel, &mut found)?;
    }
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

/// References and queries per matrix product; larger ones would push the tile out of the second-level cache.
const TILE: usize = 512;
/// References are read and scaled in panels of at most this many numbers (64 MB).
const PANEL_NUMBERS: usize = 16 << 20;

fn panel_rows(dim: usize) -> usize {
    (PANEL_NUMBERS / dim.max(1)).clamp(TILE, 1 << 16)
}

struct Search<'a> {
    queries: &'a dyn VectorSource,
    references: &'a dyn VectorSource,
    k: usize,
    excluded: &'a (dyn Fn(usize, usize) -> bool + Sync),
    observer: &'a dyn Observer,
    /// Pairs of query and reference so far.
    compared: AtomicU64,
}

impl Search<'_> {
    fn against(&self, panel: &Block, found: &mut Neighbours) -> Result<(), Cancelled> {
        // Few queries are shared out over the threads too; the answer does not depend on it.
        let share = self.queries.len().div_ceil(4 * rayon::current_num_threads());
        let block_rows = share.clamp(32, TILE);
        let index = found.index.as_slice_mut().expect("made in standard order");
        let similarity = found.similarity.as_slice_mut().expect("made in standard order");
        index
            .par_chunks_mut(block_rows * self.k)
            .zip(similarity.par_chunks_mut(block_rows * self.k))
            .enumerate()
            .try_for_each_init(Workspace::default, |workspace, (block, (index, similarity))| {
                let start = block * block_rows;
                let rows = start..(start + block_rows).min(self.queries.len());
                workspace.queries.load(self.queries, rows);
                self.block_against(workspace, panel, index, similarity)
            })
    }

    /// One block of queries against all references of the panel.
    fn block_against(
        &self,
        workspace: &mut Workspace,
        panel: &Block,
        index: &mut [u32],
        similarity: &mut [f32],
    ) -> Result<(), Cancelled> {
        let Workspace { queries, products, candidates, .. } = workspace;
        let dim = self.references.dim();
        candidates.resize_with(queries.len(), Candidates::default);
        let mut best: Vec<Best<'_>> = (index.chunks_exact_mut(self.k).zip(similarity.chunks_exact_mut(self.k)))
            .enumerate()
            .map(|(query, (index, similarity))| Best { index, similarity, sift: Sift::new(dim, queries.length(query)) })
            .collect();
        candidates.iter_mut().zip(&best).for_each(|(candidates, best)| candidates.least = best.least_product());
        for start in (0..panel.len()).step_by(TILE) {
            let tile = start..(start + TILE).min(panel.len());
            products.resize(tile.len() * queries.len(), 0.0);
            matmul(
                MatMut::from_column_major_slice_mut(products, tile.len(), queries.len()),
                Accum::Replace,
                MatRef::from_row_major_slice(&panel.vectors[tile.start * dim..tile.end * dim], tile.len(), dim),
                MatRef::from_column_major_slice(&queries.vectors, dim, queries.len()),
                1.0,
                Par::Seq,
            );
            for (query, products) in products.chunks_exact(tile.len()).enumerate() {
                let pair = Pairing { queries, query, panel };
                self.sift(pair, start, products, &mut candidates[query], &mut best[query]);
            }
            self.progress(tile.len() as u64 * queries.len() as u64)?;
        }
        for (query, best) in best.iter_mut().enumerate() {
            candidates[query].resolve(Pairing { queries, query, panel }, best);
        }
        Ok(())
    }

    /// Picks from the products of one query with the references from `start` what may be among the best.
    fn sift(
        &self,
        pair: Pairing<'_>,
        start: usize,
        products: &[f32],
        candidates: &mut Candidates,
        best: &mut Best<'_>,
    ) {
        const STEP: usize = 16;
        if pair.queries.weights[pair.query].is_nan() {
            return;
        }
        let weights = &pair.panel.weights[start..start + products.len()];
        for (step, (products, weights)) in products.chunks(STEP).zip(weights.chunks(STEP)).enumerate() {
            // Most steps hold nothing; finding that out must not branch per reference.
            let least = candidates.least;
            if !products.iter().zip(weights).fold(false, |any, (product, weight)| any | (product * weight >= least)) {
                continue;
            }
            for (at, (product, weight)) in products.iter().zip(weights).enumerate() {
                let (row, product) = (start + step * STEP + at, product * weight);
                let excluded = || (self.excluded)(pair.queries.first + pair.query, pair.panel.first + row);
                if product >= candidates.least && !excluded() {
                    candidates.push(row as u32, product, pair, best);
                }
            }
        }
    }

    fn progress(&self, pairs: u64) -> Result<(), Cancelled> {
        let compared = self.compared.fetch_add(pairs, Ordering::Relaxed) + pairs;
        let queries = compared / self.references.len() as u64;
        self.observer.progress(Progress::new(
            "finding the nearest neighbours",
            queries as usize,
            self.queries.len(),
            "barcodes",
        ))
    }
}

/// What one thread needs; reused from block to block.
#[derive(Default)]
struct Workspace {
    queries: Block,
    /// Products of the queries with one tile of references, `[queries, tile]`.
    products: Vec<f32>,
    /// What may be among the best of each query.
    candidates: Vec<Candidates>,
}

/// One query and the panel of references that it is compared with.
#[derive(Clone, Copy)]
struct Pairing<'a> {
    queries: &'a Block,
    query: usize,
    panel: &'a Block,
}

/// References of one panel that may be among the best of one query, in ascending order, to be scored again.
#[derive(Default)]
struct Candidates {
    rows: Vec<u32>,
    products: Vec<f32>,
    /// The least product that still matters.
    least: f32,
}

impl Candidates {
    fn push(&mut self, row: u32, product: f32, pair: Pairing<'_>, best: &mut Best<'_>) {
        let limit = 3 * best.index.len() + 64;
        self.rows.push(row);
        self.products.push(product);
        if self.rows.len() == limit {
            self.prune(best);
            // Many references that are alike up to rounding: only their exact similarities decide.
            if self.rows.len() > limit / 2 + best.index.len() / 2 {
                self.resolve(pair, best);
            }
        }
    }

    /// Drops what lies so far below the `K`-th best product that rounding cannot explain it.
    fn prune(&mut self, best: &Best<'_>) {
        let kth = best.index.len() - 1;
        let product = *self.products.clone().select_nth_unstable_by(kth, |a, b| b.total_cmp(a)).1;
        let least = best.sift.least_equal(product).max(self.least);
        let mut keep = self.products.iter().map(|&product| product >= least);
        self.rows.retain(|_| keep.next() == Some(true));
        self.products.retain(|&product| product >= least);
        self.least = least;
    }

    /// Scores every candidate exactly and offers it.
    fn resolve(&mut self, pair: Pairing<'_>, best: &mut Best<'_>) {
        let Pairing { queries, query, panel } = pair;
        let possible = self.rows.iter().zip(&self.products).filter(|&(_, &product)| product >= self.least);
        for (&row, _) in possible {
            best.offer((panel.first + row as usize) as u32, queries.cosine(query, panel, row as usize));
        }
        self.rows.clear();
        self.products.clear();
        self.least = best.least_product().max(self.least);
    }
}

/// How far a product from the matrix kernel may lie below the similarity that it stands for, and so what must be scored again.
#[derive(Clone, Copy)]
struct Sift {
    margin: f64,
    query_length: f64,
}

impl Sift {
    fn new(dim: usize, query_length: f64) -> Self {
        // A dot product of D terms in f32, in any order, is off by at most D * 2^-24 of the product of the lengths
        // (Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1); the rest is for scaling and rounding.
        Self { margin: (dim + 16) as f64 * f64::from(f32::EPSILON) / 2.0 * 1.01, query_length }
    }

    /// The least weighted product that can belong to a similarity of at least `similarity`.
    fn least_product(self, similarity: f32) -> f32 {
        (((f64::from(similarity) - self.margin) * self.query_length) as f32).next_down()
    }

    /// The least weighted product that can belong to a similarity as high as that behind the weighted product `product`.
    fn least_equal(self, product: f32) -> f32 {
        ((f64::from(product) - 2.0 * self.margin * self.query_length) as f32).next_down()
    }
}

/// The best references of one query so far, best first.
struct Best<'a> {
    index: &'a mut [u32],
    similarity: &'a mut [f32],
    sift: Sift,
}

impl Best<'_> {
    fn least_product(&self) -> f32 {
        self.sift.least_product(self.similarity[self.similarity.len() - 1])
    }

    /// Takes a reference in if it is better than the last. References come in ascending order, so equals go behind.
    fn offer(&mut self, index: u32, similarity: f32) {
        let at = self.similarity.partition_point(|&other| other >= similarity);
        if at < self.index.len() {
            self.index[at..].rotate_right(1);
            self.similarity[at..].rotate_right(1);
            self.index[at] = index;
            self.similarity[at] = similarity;
        }
    }
}

/// Consecutive vectors of a source, each scaled by a power of two, which is exact, to a length between 1 and 2.
#[derive(Default)]
struct Block {
    /// Row of the first vector in its source.
    first: usize,
    vectors: Vec<f32>,
    /// Squared lengths after scaling.
    squares: Vec<f64>,
    /// One over the length after scaling; 0 for a vector of zeros, NaN for one that is not finite.
    weights: Vec<f32>,
}

/// Vectors that are read and scaled as one piece of work.
const LOAD_ROWS: usize = 64;

impl Block {
    fn len(&self) -> usize {
        self.weights.len()
    }

    fn resize(&mut self, rows: &Range<usize>, dim: usize) {
        self.first = rows.start;
        self.vectors.resize(rows.len() * dim, 0.0);
        self.squares.resize(rows.len(), 0.0);
        self.weights.resize(rows.len(), 0.0);
    }

    fn load(&mut self, source: &dyn VectorSource, rows: Range<usize>) {
        self.resize(&rows, source.dim());
        source.fill(rows, &mut self.vectors);
        scale(source.dim(), &mut self.vectors, &mut self.squares, &mut self.weights);
    }

    fn load_parallel(
        &mut self,
        source: &dyn VectorSource,
        rows: Range<usize>,
        may_go_on: &(dyn Fn() -> Result<(), Cancelled> + Sync),
    ) -> Result<(), Cancelled> {
        let dim = source.dim();
        self.resize(&rows, dim);
        let first = self.first;
        // Without dimensions there is nothing to read, and chunks of no numbers do not exist.
        if dim == 0 {
            return Ok(());
        }
        self.vectors
            .par_chunks_mut(LOAD_ROWS * dim)
            .zip(self.squares.par_chunks_mut(LOAD_ROWS))
            .zip(self.weights.par_chunks_mut(LOAD_ROWS))
            .enumerate()
            .try_for_each(|(part, ((vectors, squares), weights))| {
                let start = first + part * LOAD_ROWS;
                source.fill(start..start + weights.len(), vectors);
                scale(dim, vectors, squares, weights);
                may_go_on()
            })
    }

    /// Length after scaling; 1 for a vector of zeros, whose products are zeros too.
    fn length(&self, row: usize) -> f64 {
        if self.squares[row] == 0.0 { 1.0 } else { self.squares[row].sqrt() }
    }

    fn vector(&self, row: usize) -> &[f32] {
        let dim = self.vectors.len() / self.len();
        &self.vectors[row * dim..(row + 1) * dim]
    }

    fn cosine(&self, row: usize, other: &Self, other_row: usize) -> f32 {
        let squares = self.squares[row] * other.squares[other_row];
        if squares == 0.0 {
            return 0.0;
        }
        let cosine = dot(self.vector(row), other.vector(other_row)) / squares.sqrt();
        cosine.clamp(-1.0, 1.0) as f32
    }
}

fn scale(dim: usize, vectors: &mut [f32], squares: &mut [f64], weights: &mut [f32]) {
    for ((vector, square), weight) in vectors.chunks_exact_mut(dim.max(1)).zip(squares).zip(weights) {
        *square = dot(vector, vector);
        if !square.is_finite() {
            vector.fill(0.0);
            (*square, *weight) = (0.0, f32::NAN);
        } else if *square == 0.0 {
            *weight = 0.0;
        } else {
            let factor = power_of_two_below(square.sqrt()).recip();
            vector.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
            *square = dot(vector, vector);
            *weight = square.sqrt().recip() as f32;
        }
    }
}

/// The largest power of two that is not above `value`, a normal positive number.
fn power_of_two_below(value: f64) -> f64 {
    const MANTISSA: u64 = (1 << (f64::MANTISSA_DIGITS - 1)) - 1;
    f64::from_bits(value.to_bits() & !MANTISSA)
}

/// Dot product in f64 in one fixed order, the same for every pair of vectors on every machine.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut sums = [0.0f64; LANES];
    let (a_steps, b_steps) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 =
        a_steps.remainder().iter().zip(b_steps.remainder()).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    for (a, b) in a_steps.zip(b_steps) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::seed::Seed;
    use ndarray::{ArrayView2, array};
    use proptest::prelude::*;
    use rand::Rng;

    /// The double loop, with its own arithmetic.
    fn brute(
        queries: ArrayView2<f32>,
        references: ArrayView2<f32>,
        k: usize,
        excluded: &dyn Fn(usize, usize) -> bool,
    ) -> Neighbours {
        let mut found = Neighbours::nothing(queries.nrows(), k);
        for (q, query) in queries.rows().into_iter().enumerate() {
            let mut all: Vec<(f32, usize)> = Vec::new();
            for (r, reference) in references.rows().into_iter().enumerate() {
                let sum = |a: ndarray::ArrayView1<f32>, b: ndarray::ArrayView1<f32>| -> f64 {
                    a.iter().zip(b).fold(0.0, |sum, (&a, &b)| sum + f64::from(a) * f64::from(b))
                };
                let lengths = (sum(query, query) * sum(reference, reference)).sqrt();
                let similarity = if lengths == 0.0 { 0.0 } else { sum(query, reference) / lengths };
                let usable = query.iter().chain(reference).all(|value| value.is_finite());
                if usable && !excluded(q, r) {
                    all.push((similarity as f32, r));
                }
            }
            all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            for (at, (similarity, r)) in all.into_iter().take(k).enumerate() {
                found.index[[q, at]] = r as u32;
                found.similarity[[q, at]] = similarity;
            }
        }
        found
    }

    fn all(queries: &Array2<f32>, references: &Array2<f32>, k: usize) -> Neighbours {
        nearest(queries, references, k, &|_, _| false, &Silent).unwrap()
    }

    fn random(rows: usize, dim: usize, name: &str) -> Array2<f32> {
        let mut rng = Seed(3).stream(name);
        Array2::from_shape_simple_fn((rows, dim), || rng.random_range(-1.0..1.0))
    }

    #[test]
    fn finds_what_the_double_loop_finds_across_tiles_and_blocks() {
        let references = random(2 * TILE + 77, 33, "references");
        let queries = random(TILE + 9, 33, "queries");
        let found = all(&queries, &references, 7);
        assert_eq!(found, brute(queries.view(), references.view(), 7, &|_, _| false));
    }

    #[test]
    fn finds_what_the_double_loop_finds_across_panels() {
        let references = random(panel_rows(3) + 1000, 3, "references");
        let queries = random(5, 3, "queries");
        assert_eq!(all(&queries, &references, 20), brute(queries.view(), references.view(), 20, &|_, _| false));
    }

    /// All similarities lie within the rounding of the matrix kernel; only the second scoring can tell them apart.
    #[test]
    fn tells_apart_what_the_matrix_product_cannot() {
        let mut rng = Seed(5).stream("near");
        let base = random(1, 768, "base");
        let mut near = |rows| {
            let reach = Array2::from_shape_simple_fn((rows, 1), || rng.random_range(1e-5f32..2e-3));
            &base + Array2::from_shape_fn((rows, 768), |(row, _)| rng.random_range(-1.0..1.0) * reach[[row, 0]])
        };
        let (references, queries) = (near(1200), near(20));
        assert_eq!(all(&queries, &references, 5), brute(queries.view(), references.view(), 5, &|_, _| false));
    }

    #[test]
    fn identical_vectors_are_equally_similar_wherever_they_stand_and_the_earlier_wins() {
        let mut references = random(3 * TILE + 5, 101, "references");
        let copy = references.row(3).to_owned();
        let places = [3, 4, TILE - 1, TILE, 2 * TILE + 3, 3 * TILE + 4];
        places.into_iter().for_each(|place| references.row_mut(place).assign(&copy));
        // A copy of another length is just as similar: halving is exact.
        references.row_mut(TILE).mapv_inplace(|value| value / 2.0);
        let mut query = copy.to_shape((1, 101)).unwrap().to_owned();
        query[[0, 0]] += 0.1;
        let found = all(&query, &references, places.len());
        assert_eq!(found.index.row(0).to_vec(), places.map(|place| place as u32));
        assert!(found.similarity.iter().all(|&similarity| similarity == found.similarity[[0, 0]]));
        assert_eq!(all(&references, &references, 1).similarity.row(3)[0], 1.0);
    }

    #[test]
    fn threads_change_nothing() {
        let references = random(900, 20, "references");
        let queries = random(700, 20, "queries");
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| all(&queries, &references, 4))
        };
        assert_eq!(with(1), with(5));
    }

    #[test]
    fn a_specimen_left_out_finds_the_others() {
        let vectors = random(300, 8, "vectors");
        let found = nearest(&vectors, &vectors, 299, &|q, r| q == r, &Silent).unwrap();
        assert_eq!(found, brute(vectors.view(), vectors.view(), 299, &|q, r| q == r));
        assert!((0..300).all(|row| found.of(row).count() == 299 && found.of(row).all(|(r, _)| r as usize != row)));
    }

    #[test]
    fn searches_among_chosen_rows_and_names_them_by_their_own_number() {
        let vectors = random(60, 5, "vectors");
        let rows: Vec<u32> = (0..60).filter(|row| row % 7 < 3).collect();
        let odd = |_: usize, r: usize| r % 2 == 1;
        let found = nearest_among(&vectors, &vectors, &rows, 30, &odd, &Silent).unwrap();
        let not_chosen = |_: usize, r: usize| r % 7 >= 3 || r % 2 == 1;
        assert_eq!(found, brute(vectors.view(), vectors.view(), 30, &not_chosen));
    }

    #[test]
    fn zeros_are_similar_to_nothing_and_what_is_not_finite_is_never_chosen() {
        let references = array![[f32::NAN, 1.0], [0.0, 0.0], [-1.0, 0.0], [f32::INFINITY, 0.0], [1e-42, 1e-42]];
        let queries = array![[3e38, 0.0], [0.0, 0.0], [f32::NAN, 0.0]];
        let found = all(&queries, &references, 4);
        let none = Neighbours::NONE;
        assert_eq!(found.index, array![[4, 1, 2, none], [1, 2, 4, none], [none; 4]]);
        let half = 0.5f32.sqrt();
        let least = f32::NEG_INFINITY;
        assert_eq!(found.similarity, array![[half, 0.0, -1.0, least], [0.0, 0.0, 0.0, least], [least; 4]]);
    }

    #[test]
    fn empty_sides_and_no_dimensions_are_answered() {
        let some = random(3, 4, "some");
        let none = Array2::zeros((0, 4));
        assert_eq!(all(&none, &some, 2).index.dim(), (0, 2));
        assert_eq!(all(&some, &none, 2).index, Array2::from_elem((3, 2), Neighbours::NONE));
        assert_eq!(all(&some, &some, 0).index.dim(), (3, 0));
        let flat = Array2::zeros((2, 0));
        assert_eq!(all(&flat, &flat, 1).index, array![[0], [0]]);
    }

    #[test]
    fn stops_when_told_to() {
        struct Stop;
        impl Observer for Stop {
            fn progress(&self, at: Progress) -> Result<(), Cancelled> {
                if at.done > 0 { Err(Cancelled) } else { Ok(()) }
            }
        }
        let vectors = random(2000, 4, "vectors");
        assert_eq!(nearest(&vectors, &vectors, 1, &|_, _| false, &Stop), Err(Cancelled));
    }

    proptest! {
        /// Small whole numbers give many exact ties, zeros and copies.
        #[test]
        fn agrees_with_the_double_loop(
            (dim, values, references) in (1usize..20).prop_flat_map(|dim| {
                (Just(dim), prop::collection::vec(prop_oneof![20 => (-2i8..3).prop_map(f32::from), 1 => Just(f32::NAN)], dim * 60), 0usize..60)
            }),
            k in 0usize..12,
            out in 1usize..9,
        ) {
            let vectors = Array2::from_shape_vec((60, dim), values).unwrap();
            let (queries, references) = (vectors.slice(s![references.., ..]), vectors.slice(s![..references, ..]));
            let excluded = |q: usize, r: usize| (q + r) % out == 1;
            let found = nearest(&queries, &references, k, &excluded, &Silent).unwrap();
            prop_assert_eq!(found, brute(queries, references, k, &excluded));
        }
    }
}
