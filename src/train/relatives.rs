//! The nearest relatives of every barcode, found without labels.
//!
//! Barcodes that stand in one frame are compared base by base. What differs by less than a few per cent is mostly of the same
//! species, what differs by more than some 15 % is seldom of the same genus (Hebert et al. 2003, Proc. R. Soc. B 270, for COI-5P);
//! between the two lie relatives whose common features a model should see.

use crate::arithmetic::vectors::wide;
use crate::progress::{Cancelled, Observer, Progress};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::{Range, RangeInclusive};

/// Relatives that are kept of each barcode.
const KEPT: usize = 4;
/// Barcodes that share fewer known bases are not compared.
const LEAST_SHARED: u32 = 300;
/// Barcodes between two questions whether to go on.
const AT_ONCE: usize = 1024;
/// Barcodes that pass over all others together, so that those are fetched once for all of them.
const TOGETHER: usize = 32;
/// Barcodes whose bits are counted in one go: one word of each fills the widest vectors.
const LANES: usize = 8;

/// Barcodes in one frame as three planes of bits: both bits of every base, and whether it is known.
#[derive(Debug, Clone)]
pub(super) struct Planes {
    /// Words of each plane of a barcode.
    words: usize,
    /// For every barcode, word by word: low bit, high bit, known.
    bits: Vec<[u64; 3]>,
}

impl Planes {
    /// No barcodes yet, in a frame of so many bases.
    pub(super) fn new(bases: usize) -> Self {
        Self { words: bases.div_ceil(64).max(1), bits: Vec::new() }
    }

    /// Takes a barcode whose first letter stands at `start` of the frame.
    pub(super) fn push(&mut self, letters: &[u8], start: usize) {
        let from = self.bits.len();
        self.bits.resize(from + self.words, [0; 3]);
        for (at, letter) in letters.iter().enumerate().map(|(at, letter)| (start + at, letter)) {
            let Some(code) = b"ACGT".iter().position(|base| base == letter) else { continue };
            if let Some([low, high, known]) = self.bits[from..].get_mut(at / 64) {
                *low |= (code as u64 & 1) << (at % 64);
                *high |= (code as u64 >> 1) << (at % 64);
                *known |= 1 << (at % 64);
            }
        }
    }

    fn len(&self) -> usize {
        self.bits.len() / self.words
    }

    fn barcode(&self, index: usize) -> &[[u64; 3]] {
        &self.bits[index * self.words..][..self.words]
    }

    /// Bases that are known in both.
    fn shared(&self, a: usize, b: usize) -> u32 {
        self.barcode(a).iter().zip(self.barcode(b)).map(|(a, b)| (a[2] & b[2]).count_ones()).sum()
    }

    /// For every barcode the nearest others whose share of differing bases lies in `distances`, the nearest first, at most four;
    /// of equally near ones the first.
    pub(super) fn relatives(
        &self,
        distances: &RangeInclusive<f64>,
        observer: &dyn Observer,
    ) -> Result<Vec<Vec<u32>>, Cancelled> {
        let mut relatives = Vec::with_capacity(self.len());
        for start in (0..self.len()).step_by(AT_ONCE) {
            observer.progress(Progress::new("looking for relatives", start, self.len(), "barcodes"))?;
            let end = self.len().min(start + AT_ONCE);
            let blocks: Vec<usize> = (start..end).step_by(TOGETHER).collect();
            let found: Vec<Vec<Vec<u32>>> = blocks
                .into_par_iter()
                .map(|block| self.relatives_of(block..end.min(block + TOGETHER), distances))
                .collect();
            relatives.extend(found.into_iter().flatten());
        }
        Ok(relatives)
    }

    fn relatives_of(&self, block: Range<usize>, distances: &RangeInclusive<f64>) -> Vec<Vec<u32>> {
        let mut nearest = vec![Vec::with_capacity(KEPT + 1); block.len()];
        wide(Comparing { planes: self, block, distances, nearest: &mut nearest });
        nearest.into_iter().map(|found| found.into_iter().map(|(_, other)| other).collect()).collect()
    }

    /// The words of `LANES` barcodes side by side, the first of which is `first`; lanes without a barcode are of the first.
    fn side_by_side(&self, first: usize, end: usize) -> Vec<[[u64; LANES]; 3]> {
        let lane = |lane: usize| if first + lane < end { first + lane } else { first };
        let barcodes: [&[[u64; 3]]; LANES] = std::array::from_fn(|at| self.barcode(lane(at)));
        (0..self.words)
            .map(|word| std::array::from_fn(|plane| std::array::from_fn(|at| barcodes[at][word][plane])))
            .collect()
    }
}

/// A block of barcodes held against all, several at a time; run by [`wide`].
struct Comparing<'a> {
    planes: &'a Planes,
    block: Range<usize>,
    distances: &'a RangeInclusive<f64>,
    /// Of every barcode of the block, the nearest so far with their distances.
    nearest: &'a mut [Vec<(f64, u32)>],
}

impl WithSimd for Comparing<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { planes, block, distances, nearest } = self;
        let most = (distances.end() * (planes.words * 64) as f64) as u64;
        let groups: Vec<_> = block.clone().step_by(LANES).map(|first| planes.side_by_side(first, block.end)).collect();
        for other in 0..planes.len() {
            let letters = planes.barcode(other);
            for ((group, nearest), first) in
                groups.iter().zip(nearest.chunks_mut(LANES)).zip(block.clone().step_by(LANES))
            {
                let differing = differing(group, letters);
                if differing.iter().all(|&differing| differing > most) {
                    continue;
                }
                for (lane, nearest) in nearest.iter_mut().enumerate() {
                    if differing[lane] > most || first + lane == other {
                        continue;
                    }
                    let shared = planes.shared(first + lane, other);
                    let distance = differing[lane] as f64 / f64::from(shared.max(1));
                    let is_nearer = nearest.len() < KEPT || nearest.last().is_some_and(|last| distance < last.0);
                    if shared >= LEAST_SHARED && distances.contains(&distance) && is_nearer {
                        let place = nearest.partition_point(|known| known.0 <= distance);
                        nearest.insert(place, (distance, other as u32));
                        nearest.truncate(KEPT);
                    }
                }
            }
        }
    }
}

/// Differing known bases of each barcode of a group and another one.
#[inline(always)]
fn differing(group: &[[[u64; LANES]; 3]], other: &[[u64; 3]]) -> [u64; LANES] {
    let mut counts = [0; LANES];
    for ([lows, highs, knowns], [low, high, known]) in group.iter().zip(other) {
        for (lane, count) in counts.iter_mut().enumerate() {
            let differ = ((lows[lane] ^ low) | (highs[lane] ^ high)) & knowns[lane] & known;
            *count += u64::from(differ.count_ones());
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::seed::Seed;
    use rand::Rng;
    use rand::seq::IndexedRandom;

    /// Barcodes in families of ten that differ by up to a quarter, some without their first bases, some with unknown ones.
    fn barcodes() -> Vec<(Vec<u8>, usize)> {
        let mut rng = Seed(5).stream("barcodes");
        let letter = |rng: &mut rand_chacha::ChaCha8Rng| *b"ACGT".choose(rng).unwrap();
        let mut barcodes = Vec::new();
        for family in 0..12 {
            let ancestor: Vec<u8> = (0..658).map(|_| letter(&mut rng)).collect();
            for member in 0..10 {
                let rate = f64::from(member) * 0.025;
                let mutate = |base: &u8| if rng.random_bool(rate) { letter(&mut rng) } else { *base };
                let mut letters: Vec<u8> = ancestor.iter().map(mutate).collect();
                if member == 3 {
                    letters[40..60].fill(b'N');
                }
                let start = if (family + member) % 4 == 0 { 30 * member as usize } else { 0 };
                barcodes.push((letters[start..].to_vec(), start));
            }
        }
        barcodes
    }

    #[test]
    fn the_nearest_within_the_limits_are_found_as_by_comparing_letter_by_letter() {
        let barcodes = barcodes();
        let mut planes = Planes::new(660);
        barcodes.iter().for_each(|(letters, start)| planes.push(letters, *start));
        let distances = 0.03..=0.15;
        let found = planes.relatives(&distances, &Silent).unwrap();
        let base = |index: usize, at: usize| {
            let (letters, start) = &barcodes[index];
            at.checked_sub(*start).and_then(|at| letters.get(at)).copied().filter(|base| *base != b'N')
        };
        for (index, found) in found.iter().enumerate() {
            let mut expected: Vec<(f64, u32)> = Vec::new();
            for other in (0..barcodes.len()).filter(|&other| other != index) {
                let shared: Vec<bool> = (0..658).filter_map(|at| Some(base(index, at)? != base(other, at)?)).collect();
                let distance = shared.iter().filter(|&&differs| differs).count() as f64 / shared.len() as f64;
                if shared.len() >= 300 && distances.contains(&distance) {
                    expected.push((distance, other as u32));
                }
            }
            expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let expected: Vec<u32> = expected.into_iter().take(KEPT).map(|(_, other)| other).collect();
            assert_eq!(*found, expected, "of barcode {index}");
        }
        assert!(found.iter().any(|found| found.len() == KEPT) && found.iter().any(Vec::is_empty));
    }

    #[test]
    fn few_barcodes_and_short_ones_have_no_relatives() {
        assert!(Planes::new(660).relatives(&(0.0..=0.15), &Silent).unwrap().is_empty());
        let mut planes = Planes::new(660);
        planes.push(&[b'A'; 658], 0);
        planes.push(&[b'A'; 200], 0);
        planes.push(&[b'N'; 658], 0);
        assert_eq!(planes.relatives(&(0.0..=0.15), &Silent).unwrap(), vec![Vec::<u32>::new(); 3]);
    }
}
