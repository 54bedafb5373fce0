//! Overlapping k-mers: barcodes as vectors of counts, and the references that share most of them.
//!
//! A k-mer is a window of `k` letters; windows with any other letter than A, C, G and T are skipped.

use super::knn::VectorSource;
use crate::data::iupac::base_code;
use crate::progress::{Cancelled, Observer, Progress};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::ops::Range;

/// Length of the k-mers of [`KmerCounts`], as of the published baselines.
pub const COUNTED_K: usize = 6;
/// Length of the k-mers by which [`KmerShortlist`] looks for references: vsearch's default word length.
pub const SHORTLIST_K: usize = 8;
/// How many references are aligned with a query.
pub const SHORTLIST_LENGTH: usize = 256;
/// Number of different k-mers of the shortlist.
const SHORTLIST_KMERS: usize = 1 << (2 * SHORTLIST_K);
/// References of one block of the index, whose numbers fit 16 bits.
const BLOCK: usize = 1 << 16;
/// References whose k-mers one task collects between two reports.
const CHUNK: usize = 1_024;

/// Calls `visit` with the number of every k-mer of `sequence` from left to right: its bases as digits 0 to 3 for A, C, G, T.
fn for_each_kmer(sequence: &[u8], k: usize, mut visit: impl FnMut(usize)) {
    let mask = (1 << (2 * k)) - 1;
    let (mut number, mut length) = (0, 0);
    for &letter in sequence {
        match base_code(letter) {
            Some(base) => {
                number = ((number << 2) | base) & mask;
                length += 1;
                if length >= k {
                    visit(number);
                }
            }
            None => length = 0,
        }
    }
}

/// The different k-mers of `sequence`, in ascending order.
fn distinct_kmers(sequence: &[u8], k: usize) -> Vec<usize> {
    let mut kmers = Vec::with_capacity(sequence.len());
    for_each_kmer(sequence, k, |kmer| kmers.push(kmer));
    kmers.sort_unstable();
    kmers.dedup();
    kmers
}

/// How many different k-mers two sequences share.
pub fn shared_kmers(a: &[u8], b: &[u8], k: usize) -> usize {
    let (a, b) = (distinct_kmers(a, k), distinct_kmers(b, k));
    a.iter().filter(|kmer| b.binary_search(kmer).is_ok()).count()
}

/// Barcodes as counts of their k-mers, `[N, 4^k]`, computed when asked for and never held together.
#[derive(Debug, Clone)]
pub struct KmerCounts<'a> {
    barcodes: Vec<&'a [u8]>,
    k: usize,
}

impl<'a> KmerCounts<'a> {
    /// Counts of overlapping 6-mers.
    pub fn new(barcodes: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::with_k(barcodes, COUNTED_K)
    }

    /// Counts of overlapping k-mers, for `k` from 1 to 8; others are brought to the nearest of these.
    pub fn with_k(barcodes: impl IntoIterator<Item = &'a [u8]>, k: usize) -> Self {
        Self { barcodes: barcodes.into_iter().collect(), k: k.clamp(1, 8) }
    }

    /// Length of the k-mers.
    pub fn k(&self) -> usize {
        self.k
    }
}

impl VectorSource for KmerCounts<'_> {
    fn len(&self) -> usize {
        self.barcodes.len()
    }

    fn dim(&self) -> usize {
        1 << (2 * self.k)
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f32]) {
        out.fill(0.0);
        for (barcode, counts) in self.barcodes[rows].iter().zip(out.chunks_exact_mut(self.dim())) {
            for_each_kmer(barcode, self.k, |kmer| counts[kmer] += 1.0);
        }
    }
}

/// Finds the references that share most different 8-mers with a query, by an index from k-mers to references: 2 bytes for every
/// different k-mer of every reference.
#[derive(Debug)]
pub struct KmerShortlist {
    references: usize,
    blocks: Vec<Block>,
}

/// The index of up to 65 536 references.
#[derive(Debug)]
struct Block {
    first: usize,
    references: usize,
    /// Where the references of each k-mer start in `holders`, `[4^8 + 1]`.
    starts: Vec<u32>,
    /// The references that have each k-mer, in ascending order, counted from `first`.
    holders: Vec<u16>,
}

impl KmerShortlist {
    /// Indexes `references`.
    ///
    /// # Errors
    /// [`Cancelled`] when the observer says so.
    pub fn new(references: &[&[u8]], observer: &dyn Observer) -> Result<Self, Cancelled> {
        let blocks: Result<Vec<Block>, Cancelled> = references
            .chunks(BLOCK)
            .enumerate()
            .map(|(index, block)| Block::new(index * BLOCK, block, references.len(), observer))
            .collect();
        Ok(Self { references: references.len(), blocks: blocks? })
    }

    /// Number of references.
    pub fn len(&self) -> usize {
        self.references
    }

    /// Whether there are no references.
    pub fn is_empty(&self) -> bool {
        self.references == 0
    }

    /// The `n` references that share most different k-mers with `query`, the best first, ties to the earlier reference; all of
    /// them where there are fewer. For many queries keep a [`ShortlistSearch`].
    pub fn most_shared(&self, query: &[u8], n: usize) -> Vec<u32> {
        self.search().most_shared(query, n, |_| false)
    }

    /// A search with its own counters: one per thread.
    pub fn search(&self) -> ShortlistSearch<'_> {
        ShortlistSearch { index: self, counts: vec![0; self.references] }
    }
}

impl Block {
    fn new(first: usize, references: &[&[u8]], total: usize, observer: &dyn Observer) -> Result<Self, Cancelled> {
        let kmers_of = |reference: &&[u8]| -> Vec<u16> {
            distinct_kmers(reference, SHORTLIST_K).into_iter().map(|kmer| kmer as u16).collect()
        };
        let mut kmers: Vec<Vec<u16>> = Vec::with_capacity(references.len());
        for chunk in references.chunks(CHUNK) {
            observer.progress(Progress::new("indexing the references", first + kmers.len(), total, "barcodes"))?;
            kmers.par_extend(chunk.par_iter().map(kmers_of));
        }
        let mut starts = vec![0_u32; SHORTLIST_KMERS + 1];
        kmers.iter().flatten().for_each(|&kmer| starts[kmer as usize + 1] += 1);
        for kmer in 0..SHORTLIST_KMERS {
            starts[kmer + 1] += starts[kmer];
        }
        let mut next = starts.clone();
        let mut holders = vec![0; starts[SHORTLIST_KMERS] as usize];
        for (reference, kmers) in kmers.iter().enumerate() {
            for &kmer in kmers {
                let at = &mut next[kmer as usize];
                holders[*at as usize] = reference as u16;
                *at += 1;
            }
        }
        Ok(Self { first, references: references.len(), starts, holders })
    }

    fn holders_of(&self, kmer: usize) -> &[u16] {
        &self.holders[self.starts[kmer] as usize..self.starts[kmer + 1] as usize]
    }
}

/// A [`KmerShortlist`] with counters for one query at a time.
#[derive(Debug)]
pub struct ShortlistSearch<'a> {
    index: &'a KmerShortlist,
    /// Different k-mers shared with the query, `[N]`.
    counts: Vec<u16>,
}

impl ShortlistSearch<'_> {
    /// How many different k-mers every reference shares with `query`, `[N]`.
    pub fn shared(&mut self, query: &[u8]) -> &[u16] {
        let kmers = distinct_kmers(query, SHORTLIST_K);
        self.counts.fill(0);
        for block in &self.index.blocks {
            let counts = &mut self.counts[block.first..block.first + block.references];
            for &kmer in &kmers {
                // There are 65 536 k-mers, and nobody shares all of them but one.
                block
                    .holders_of(kmer)
                    .iter()
                    .for_each(|&holder| counts[holder as usize] = counts[holder as usize].saturating_add(1));
            }
        }
        &self.counts
    }

    /// The `n` references that share most k-mers with `query` among those that `is_excluded` leaves, as
    /// [`KmerShortlist::most_shared`].
    pub fn most_shared(&mut self, query: &[u8], n: usize, is_excluded: impl Fn(u32) -> bool) -> Vec<u32> {
        let shared = self.shared(query);
        let mut numbers_with = vec![0_usize; shared.iter().max().map_or(0, |&most| most as usize + 1)];
        let kept = |&reference: &u32| !is_excluded(reference);
        let all = 0..shared.len() as u32;
        all.clone().filter(kept).for_each(|reference| numbers_with[shared[reference as usize] as usize] += 1);
        // The smallest count that is not sure to be left out.
        let mut enough = 0;
        let least = (0..numbers_with.len()).rev().find(|&count| {
            enough += numbers_with[count];
            enough >= n
        });
        let candidates =
            all.filter(|&reference| shared[reference as usize] as usize >= least.unwrap_or(0)).filter(kept);
        let mut found: Vec<u32> = candidates.collect();
        found.sort_by_key(|&reference| Reverse(shared[reference as usize]));
        found.truncate(n);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::seed::Seed;
    use proptest::prelude::*;
    use rand::Rng;
    use std::collections::HashMap;

    #[test]
    fn counts_are_those_of_the_windows() {
        let barcodes: [&[u8]; 4] = [b"ACGTACG", b"ACNGT", b"", b"AAAA"];
        let counts = KmerCounts::with_k(barcodes, 2);
        assert_eq!((counts.len(), counts.dim(), counts.k()), (4, 16, 2));
        let mut out = vec![9.0; 3 * 16];
        counts.fill(0..3, &mut out);
        // AC = 1, CG = 6, GT = 11, TA = 12.
        let nonzero: HashMap<usize, f32> = out.iter().copied().enumerate().filter(|&(_, count)| count != 0.0).collect();
        assert_eq!(nonzero, HashMap::from([(1, 2.0), (6, 2.0), (11, 1.0), (12, 1.0), (16 + 1, 1.0), (16 + 11, 1.0)]));
        let mut last = vec![0.0; 16];
        counts.fill(3..4, &mut last);
        assert_eq!((last[0], last.iter().sum::<f32>()), (3.0, 3.0));
        assert_eq!(KmerCounts::new(barcodes).dim(), 4096);
    }

    #[test]
    fn shared_kmers_are_counted_once() {
        assert_eq!(shared_kmers(b"AAAAAA", b"AAAA", 2), 1);
        assert_eq!(shared_kmers(b"ACGT", b"ACGA", 2), 2);
        assert_eq!(shared_kmers(b"ACGT", b"ANCG", 2), 1);
        assert_eq!(shared_kmers(b"", b"ACGT", 2), 0);
    }

    fn by_counting(references: &[&[u8]], query: &[u8], n: usize, is_excluded: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut all: Vec<u32> = (0..references.len() as u32).filter(|&reference| !is_excluded(reference)).collect();
        all.sort_by_cached_key(|&reference| Reverse(shared_kmers(references[reference as usize], query, SHORTLIST_K)));
        all.truncate(n);
        all
    }

    #[test]
    fn shortlists_are_those_of_counting_with_every_reference() {
        let mut rng = Seed(21).stream("shortlists");
        let root: Vec<u8> = (0..300).map(|_| b"ACGT"[rng.random_range(0..4)]).collect();
        let barcodes: Vec<Vec<u8>> = (0..400)
            .map(|_| {
                let rate = rng.random_range(0.0..0.3);
                let mutate = |&base: &u8| if rng.random_bool(rate) { b"ACGTN"[rng.random_range(0..5)] } else { base };
                root.iter().map(mutate).collect()
            })
            .collect();
        let references: Vec<&[u8]> = barcodes[..300].iter().map(Vec::as_slice).collect();
        let index = KmerShortlist::new(&references, &Silent).unwrap();
        let mut search = index.search();
        for query in barcodes[290..310].iter().chain([&Vec::new()]) {
            for n in [0, 1, 20, 256, 300, 500] {
                assert_eq!(index.most_shared(query, n), by_counting(&references, query, n, |_| false));
                let odd = |reference: u32| reference % 2 == 1;
                assert_eq!(search.most_shared(query, n, odd), by_counting(&references, query, n, odd));
            }
        }
    }

    #[test]
    fn references_beyond_one_block_are_found() {
        let mut rng = Seed(22).stream("many references");
        let barcodes: Vec<Vec<u8>> =
            (0..BLOCK + 500).map(|_| (0..40).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()).collect();
        let references: Vec<&[u8]> = barcodes.iter().map(Vec::as_slice).collect();
        let index = KmerShortlist::new(&references, &Silent).unwrap();
        for wanted in [0, BLOCK - 1, BLOCK, BLOCK + 499] {
            assert_eq!(index.most_shared(references[wanted], 1), [wanted as u32]);
        }
        assert_eq!(index.len(), BLOCK + 500);
    }

    #[test]
    fn no_references_give_no_shortlist() {
        let index = KmerShortlist::new(&[], &Silent).unwrap();
        assert!(index.is_empty() && index.most_shared(b"ACGTACGTACGT", 5).is_empty());
    }

    proptest! {
        #[test]
        fn sharing_is_mutual(a in "[ACGTN]{0,60}", b in "[ACGTN]{0,60}", k in 1_usize..8) {
            let shared = shared_kmers(a.as_bytes(), b.as_bytes(), k);
            prop_assert_eq!(shared, shared_kmers(b.as_bytes(), a.as_bytes(), k));
            prop_assert!(shared <= distinct_kmers(a.as_bytes(), k).len());
        }
    }
}
