//! Tiles of the similarity matrix, and what is picked from them.

use super::block::Block;
use super::{Neighbours, VectorSource};
use crate::arithmetic::product::{Left, Right, Table, product};
use crate::progress::{Cancelled, Observer, Progress};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// References per matrix product; more of them and their products would push each other out of the second-level cache.
pub(super) const TILE: usize = 512;
/// Queries per matrix product at most, for the same reason.
const QUERIES: usize = 224;
/// References are read and scaled in panels of at most this many numbers (64 MB).
const PANEL_NUMBERS: usize = 16 << 20;

pub(super) fn panel_rows(dim: usize) -> usize {
    (PANEL_NUMBERS / dim.max(1)).clamp(TILE, 1 << 16)
}

/// One search under way.
pub(super) struct Search<'a> {
    queries: &'a dyn VectorSource,
    references: &'a dyn VectorSource,
    k: usize,
    excluded: &'a (dyn Fn(usize, usize) -> bool + Sync),
    observer: &'a dyn Observer,
    /// Pairs of query and reference so far.
    compared: AtomicU64,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        queries: &'a dyn VectorSource,
        references: &'a dyn VectorSource,
        k: usize,
        excluded: &'a (dyn Fn(usize, usize) -> bool + Sync),
        observer: &'a dyn Observer,
    ) -> Self {
        Self { queries, references, k, excluded, observer, compared: AtomicU64::new(0) }
    }

    /// Finds the nearest of all references, panel by panel. There must be queries, references and a `k` from 1.
    pub(super) fn run(&self, found: &mut Neighbours) -> Result<(), Cancelled> {
        let (all, step) = (self.references.len(), panel_rows(self.references.dim()));
        let (mut panel, mut tiles) = (Block::default(), Vec::new());
        for start in (0..all).step_by(step) {
            let rows = start..(start + step).min(all);
            panel.load_parallel(self.references, rows, &|| self.progress(0))?;
            let dim = self.references.dim();
            tiles.resize_with(panel.len().div_ceil(TILE), Right::default);
            tiles.par_iter_mut().enumerate().for_each(|(tile, packed)| {
                let rows = tile * TILE..((tile + 1) * TILE).min(panel.len());
                let vectors = &panel.vectors[rows.start * dim..rows.end * dim];
                packed.pack_columns(Table::with_stride(vectors, [rows.len(), dim], dim));
            });
            self.against(&panel, &tiles, found)?;
        }
        Ok(())
    }

    fn against(&self, panel: &Block, tiles: &[Right], found: &mut Neighbours) -> Result<(), Cancelled> {
        // Few queries are shared out over the threads too; the answer does not depend on it.
        let share = self.queries.len().div_ceil(4 * rayon::current_num_threads());
        let block_rows = share.clamp(32, QUERIES);
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
                self.block_against(workspace, (panel, tiles), index, similarity)
            })
    }

    /// One block of queries against all references of the panel.
    fn block_against(
        &self,
        workspace: &mut Workspace,
        (panel, tiles): (&Block, &[Right]),
        index: &mut [u32],
        similarity: &mut [f32],
    ) -> Result<(), Cancelled> {
        let Workspace { queries, packed, products, candidates } = workspace;
        let dim = self.references.dim();
        candidates.resize_with(queries.len(), Candidates::default);
        let mut best: Vec<Best<'_>> = (index.chunks_exact_mut(self.k).zip(similarity.chunks_exact_mut(self.k)))
            .enumerate()
            .map(|(query, (index, similarity))| Best { index, similarity, sift: Sift::new(dim, queries.length(query)) })
            .collect();
        candidates.iter_mut().zip(&best).for_each(|(candidates, best)| candidates.least = best.least_product());
        packed.pack(Table::with_stride(&queries.vectors, [queries.len(), dim], dim));
        for (start, tile) in (0..).step_by(TILE).zip(tiles) {
            products.resize(tile.columns() * queries.len(), 0.0);
            product(packed, tile, products, tile.columns());
            for (query, products) in products.chunks_exact(tile.columns()).enumerate() {
                let pair = Pairing { queries, query, panel };
                self.sift(pair, start, products, &mut candidates[query], &mut best[query]);
            }
            self.progress(tile.columns() as u64 * queries.len() as u64)?;
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
    packed: Left,
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
