//! The nearest relatives of every barcode, found without labels.
//!
//! Barcodes that stand in one frame are compared base by base. What differs by less than a few per cent is mostly of the same
//! species, what differs by more than some 15 % is seldom of the same genus (Hebert et al. 2003, Proc. R. Soc. B 270, for COI-5P);
//! between the two lie relatives whose common features a model should see.

use crate::progress::{Cancelled, Observer, Progress};
use rayon::prelude::*;
use std::ops::RangeInclusive;

/// Relatives that are kept of each barcode.
const KEPT: usize = 4;
/// Barcodes that share fewer known bases are not compared.
const LEAST_SHARED: u32 = 300;
/// Barcodes between two questions whether to go on.
const AT_ONCE: usize = 1024;
/// Barcodes that pass over all others together, so that those are fetched once for all of them.
const TOGETHER: usize = 32;

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

    /// Differing and shared known bases of two barcodes; `None` as soon as more than `most` differ.
    fn compare(&self, a: &[[u64; 3]], b: &[[u64; 3]], most: u32) -> Option<(u32, u32)> {
        let mut differing = 0;
        for (a, b) in a.iter().zip(b) {
            differing += (((a[0] ^ b[0]) | (a[1] ^ b[1])) & a[2] & b[2]).count_ones();
            if differing > most {
                return None;
            }
        }
        // few pairs come here: what they share is counted for them alone
        let shared = a.iter().zip(b).map(|(a, b)| (a[2] & b[2]).count_ones()).sum();
        Some((differing, shared))
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

    fn relatives_of(&self, block: std::ops::Range<usize>, distances: &RangeInclusive<f64>) -> Vec<Vec<u32>> {
        let most = (distances.end() * (self.words * 64) as f64) as u32;
        let mut nearest: Vec<Vec<(f64, u32)>> = vec![Vec::with_capacity(KEPT + 1); block.len()];
        for other in 0..self.len() {
            let letters = self.barcode(other);
            for (index, nearest) in block.clone().zip(&mut nearest) {
                let Some((differing, shared)) = self.compare(self.barcode(index), letters, most) else { continue };
                let distance = f64::from(differing) / f64::from(shared.max(1));
                let is_nearer = nearest.len() < KEPT || nearest.last().is_some_and(|last| distance < last.0);
                if shared >= LEAST_SHARED && index != other && distances.contains(&distance) && is_nearer {
                    let place = nearest.partition_point(|known| known.0 <= distance);
                    nearest.insert(place, (distance, other as u32));
                    nearest.truncate(KEPT);
                }
            }
        }
        nearest.into_iter().map(|found| found.into_iter().map(|(_, other)| other).collect()).collect()
    }
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
