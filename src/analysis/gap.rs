//! Distances within species and between them: the barcode gap (Hebert et al. 2003; Meyer & Paulay 2005, PLoS Biol. 3: e422), what
//! threshold tells species apart best (after `threshOpt` of spider, Brown et al. 2012, Mol. Ecol. Resour. 12: 562-565), and how far
//! specimens of each rank are from each other.
//!
//! Distances are uncorrected (p) or of Kimura's two parameters (K2P; Kimura 1980, J. Mol. Evol. 16: 111-120), over the positions at which
//! both barcodes have a base, in the common frame; insertions and deletions are not seen.

use crate::progress::{Cancelled, Observer, Progress};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Words of 64 positions that a barcode takes.
const WORDS: usize = 11;
/// Positions at which both must have a base for their distance to mean anything.
pub const MIN_SHARED: u32 = 200;
/// Width of a bin of the histograms.
pub const BIN: f32 = 0.005;
/// Bins of the histograms; the last holds everything beyond.
pub const BINS: usize = 60;

/// How two barcodes are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// Share of differing positions.
    #[default]
    P,
    /// Kimura's two parameters: transitions and transversions are corrected apart.
    K2p,
}

impl Distance {
    /// Both.
    pub const ALL: [Self; 2] = [Self::P, Self::K2p];

    /// The name in files and on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::P => "p-distance",
            Self::K2p => "K2P distance",
        }
    }
}

/// A barcode in the common frame, two bits a base, so that 64 positions are compared at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    low: [u64; WORDS],
    high: [u64; WORDS],
    known: [u64; WORDS],
}

impl Packed {
    /// Packs aligned letters, at most 704; letters other than A, C, G and T are unknown.
    ///
    /// # Panics
    /// When there are more.
    pub fn new(aligned: &[u8]) -> Self {
        assert!(aligned.len() <= 64 * WORDS, "a frame of at most {} positions", 64 * WORDS);
        let mut packed = Self { low: [0; WORDS], high: [0; WORDS], known: [0; WORDS] };
        for (position, letter) in aligned.iter().enumerate() {
            // A and G, C and T differ in the low bit alone: a transition.
            let bits = match letter {
                b'A' => 0,
                b'G' => 1,
                b'C' => 2,
                b'T' => 3,
                _ => continue,
            };
            let (word, bit) = (position / 64, position % 64);
            packed.known[word] |= 1 << bit;
            packed.low[word] |= (bits & 1) << bit;
            packed.high[word] |= (bits >> 1) << bit;
        }
        packed
    }

    /// Positions that both know, and among them transitions and transversions.
    fn compare(&self, other: &Self) -> [u32; 3] {
        let mut counts = [0; 3];
        for word in 0..WORDS {
            let both = self.known[word] & other.known[word];
            let high = (self.high[word] ^ other.high[word]) & both;
            let low = (self.low[word] ^ other.low[word]) & both;
            counts[0] += both.count_ones();
            counts[1] += (low & !high).count_ones();
            counts[2] += high.count_ones();
        }
        counts
    }

    /// The distance to another barcode; `None` where they share fewer than [`MIN_SHARED`] positions, and for K2P where they
    /// differ too much for it to be defined.
    pub fn distance(&self, other: &Self, by: Distance) -> Option<f32> {
        let [shared, transitions, transversions] = self.compare(other);
        if shared < MIN_SHARED {
            return None;
        }
        let of = |count: u32| f64::from(count) / f64::from(shared);
        let (p, q) = (of(transitions), of(transversions));
        match by {
            Distance::P => Some((p + q) as f32),
            Distance::K2p => {
                let (first, second) = (1.0 - 2.0 * p - q, 1.0 - 2.0 * q);
                (first > 0.0 && second > 0.0).then(|| (-0.5 * first.ln() - 0.25 * second.ln()) as f32)
            }
        }
    }
}

/// What is known of one barcode's neighbourhood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// The largest distance to a barcode of its class.
    pub farthest_own: Option<f32>,
    /// The smallest distance to a barcode of its class.
    pub nearest_own: Option<f32>,
    /// The smallest distance to a barcode of another class, and which one that is.
    pub nearest_other: Option<(f32, u32)>,
}

/// Distances of pairs whose finest common name is of one rank.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Spread {
    /// Pairs.
    pub pairs: u64,
    /// Smallest, mean and largest distance.
    pub least: f32,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub most: f32,
}

impl Spread {
    fn add(&mut self, distance: f32) {
        self.least = if self.pairs == 0 { distance } else { self.least.min(distance) };
        self.most = if self.pairs == 0 { distance } else { self.most.max(distance) };
        self.pairs += 1;
        self.mean += (f64::from(distance) - self.mean) / self.pairs as f64;
    }

    fn join(self, other: Self) -> Self {
        if self.pairs == 0 || other.pairs == 0 {
            return if self.pairs == 0 { other } else { self };
        }
        let pairs = self.pairs + other.pairs;
        Self {
            pairs,
            least: self.least.min(other.least),
            mean: (self.mean * self.pairs as f64 + other.mean * other.pairs as f64) / pairs as f64,
            most: self.most.max(other.most),
        }
    }
}

/// All distances of a set of barcodes, summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct Distances {
    /// Of every barcode, `[N]`.
    pub reach: Vec<Reach>,
    /// Pairs by distance, of one class and of two: bins of [`BIN`].
    pub histogram: [[u64; BINS]; 2],
    /// Pairs by the index of the finest of the given ranks that both share, from the finest on; pairs that share none stand last.
    pub spreads: Vec<Spread>,
}

/// Compares every pair once. `ranks` are the names `[R][N]` of each barcode, the finest rank first, which is the class that
/// distances are told within and between. Barcodes without a name of the finest rank are compared with none.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
///
/// # Panics
/// When there is no rank, or a rank has another number of names than there are barcodes.
pub fn distances(
    barcodes: &[Packed],
    ranks: &[Vec<Option<u32>>],
    by: Distance,
    observer: &dyn Observer,
) -> Result<Distances, Cancelled> {
    assert!(!ranks.is_empty() && ranks.iter().all(|names| names.len() == barcodes.len()), "a name for each barcode");
    let done = AtomicUsize::new(0);
    let histogram = [(); 2].map(|()| [(); BINS].map(|()| AtomicU64::new(0)));
    let rows: Result<Vec<(Reach, Vec<Spread>)>, Cancelled> = (0..barcodes.len())
        .into_par_iter()
        .map(|at| {
            let so_far = done.fetch_add(1, Ordering::Relaxed);
            observer.progress(Progress::new("measuring distances", so_far, barcodes.len(), "barcodes"))?;
            Ok(row(at, barcodes, ranks, by, &histogram))
        })
        .collect();
    let mut reach = Vec::with_capacity(barcodes.len());
    // Joined in the order of the rows, so that means do not depend on the number of threads.
    let mut spreads = vec![Spread::default(); ranks.len() + 1];
    for (one, own) in rows? {
        reach.push(one);
        spreads.iter_mut().zip(own).for_each(|(all, own)| *all = all.join(own));
    }
    Ok(Distances { reach, histogram: histogram.map(|bins| bins.map(AtomicU64::into_inner)), spreads })
}

/// Compares a barcode with all others; pairs with those before it are counted there.
fn row(
    at: usize,
    barcodes: &[Packed],
    ranks: &[Vec<Option<u32>>],
    by: Distance,
    histogram: &[[AtomicU64; BINS]; 2],
) -> (Reach, Vec<Spread>) {
    let mut reach = Reach { farthest_own: None, nearest_own: None, nearest_other: None };
    let mut spreads = vec![Spread::default(); ranks.len() + 1];
    let mut counts = [[0; BINS]; 2];
    let class = &ranks[0];
    if class[at].is_none() {
        return (reach, spreads);
    }
    for other in (0..barcodes.len()).filter(|&other| other != at && class[other].is_some()) {
        let Some(distance) = barcodes[at].distance(&barcodes[other], by) else { continue };
        let is_own = class[at] == class[other];
        if is_own {
            reach.farthest_own = Some(reach.farthest_own.map_or(distance, |known| known.max(distance)));
            reach.nearest_own = Some(reach.nearest_own.map_or(distance, |known| known.min(distance)));
        } else if reach.nearest_other.is_none_or(|(known, _)| distance < known) {
            reach.nearest_other = Some((distance, other as u32));
        }
        if other > at {
            counts[usize::from(!is_own)][bin_of(distance)] += 1;
            let shared = ranks.iter().position(|names| names[at].is_some() && names[at] == names[other]);
            spreads[shared.unwrap_or(ranks.len())].add(distance);
        }
    }
    for (all, own) in histogram.iter().flatten().zip(counts.iter().flatten()).filter(|(_, own)| **own > 0) {
        all.fetch_add(*own, Ordering::Relaxed);
    }
    (reach, spreads)
}

fn bin_of(distance: f32) -> usize {
    ((distance / BIN) as usize).min(BINS - 1)
}

/// What a threshold gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct ThresholdError {
    /// The threshold.
    pub threshold: f32,
    /// Barcodes that are farther than that from every other of their class.
    pub split: usize,
    /// Barcodes that are not farther than that from one of another class.
    pub lumped: usize,
}

/// What every threshold from 0 to the end of the histograms gets wrong, in steps of a fifth of a bin. Barcodes alone in their class
/// cannot be split and do not count.
pub fn threshold_errors(reach: &[Reach]) -> Vec<ThresholdError> {
    const STEPS: usize = 5;
    let counted: Vec<(f32, Option<f32>)> = reach
        .iter()
        .filter_map(|one| Some((one.nearest_own?, one.nearest_other.map(|(distance, _)| distance))))
        .collect();
    (0..=STEPS * BINS)
        .map(|step| {
            let threshold = step as f32 * BIN / STEPS as f32;
            let split = counted.iter().filter(|(own, _)| *own > threshold).count();
            let lumped = counted.iter().filter(|(_, other)| other.is_some_and(|other| other <= threshold)).count();
            ThresholdError { threshold, split, lumped }
        })
        .collect()
}

/// The thresholds that get least wrong: from the first to the last of those with the fewest errors; `None` of nothing.
pub fn best_thresholds(errors: &[ThresholdError]) -> Option<[ThresholdError; 2]> {
    let wrong = |error: &ThresholdError| error.split + error.lumped;
    let least = errors.iter().map(wrong).min()?;
    let first = errors.iter().find(|error| wrong(error) == least)?;
    let last = errors.iter().rev().find(|error| wrong(error) == least)?;
    Some([*first, *last])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use proptest::prelude::*;

    fn barcode(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut letters: Vec<u8> = b"ACGT".iter().copied().cycle().take(400).collect();
        changes.iter().for_each(|&(position, letter)| letters[position] = letter);
        letters
    }

    #[test]
    fn known_distances() {
        let plain = Packed::new(&barcode(&[]));
        // A to G is a transition, A to C a transversion; position 0 is an A, 4 is one, too.
        let other = Packed::new(&barcode(&[(0, b'G'), (4, b'C')]));
        assert_eq!(plain.compare(&other), [400, 1, 1]);
        assert_eq!(plain.distance(&other, Distance::P), Some(2.0 / 400.0));
        let (p, q) = (1.0 / 400.0_f64, 1.0 / 400.0_f64);
        let k2p = -0.5 * (1.0 - 2.0 * p - q).ln() - 0.25 * (1.0 - 2.0 * q).ln();
        assert!((f64::from(plain.distance(&other, Distance::K2p).unwrap()) - k2p).abs() < 1e-7);
        assert_eq!(plain.distance(&Packed::new(&barcode(&[])[..199]), Distance::P), None, "too little in common");
        assert_eq!(plain.distance(&Packed::new(&[b'N'; 400]), Distance::P), None);
    }

    #[test]
    fn a_gap_and_its_best_thresholds() {
        let far: Vec<(usize, u8)> = (0..40).map(|at| (4 * at, b'C')).collect();
        let barcodes: Vec<Packed> = [vec![], vec![(1, b'T')], far.clone(), [far, vec![(1, b'T')]].concat()]
            .iter()
            .map(|c| Packed::new(&barcode(c)))
            .collect();
        let species = vec![Some(0), Some(0), Some(1), Some(1)];
        let genus = vec![Some(0); 4];
        let found = distances(&barcodes, &[species, genus], Distance::P, &Silent).unwrap();
        assert_eq!(found.spreads.iter().map(|spread| spread.pairs).collect::<Vec<_>>(), [2, 4, 0]);
        assert!((found.spreads[0].mean - 1.0 / 400.0).abs() < 1e-9);
        assert!(found.reach.iter().all(|one| one.farthest_own == Some(1.0 / 400.0)));
        assert_eq!(found.reach[0].nearest_other, Some((40.0 / 400.0, 2)));
        let [first, last] = best_thresholds(&threshold_errors(&found.reach)).unwrap();
        assert_eq!((first.split, first.lumped), (0, 0));
        assert!(first.threshold >= 1.0 / 400.0 && last.threshold < 40.0 / 400.0);
    }

    #[test]
    fn degenerate_sets() {
        let none = distances(&[], &[vec![]], Distance::P, &Silent).unwrap();
        assert!(none.reach.is_empty());
        let errors = threshold_errors(&none.reach);
        assert_eq!(best_thresholds(&errors).map(|[first, last]| (first.threshold, last.split)), Some((0.0, 0)));
        let nameless =
            distances(&vec![Packed::new(&barcode(&[])); 2], &[vec![None, None]], Distance::P, &Silent).unwrap();
        assert_eq!(nameless.histogram.iter().flatten().sum::<u64>(), 0);
        assert!(best_thresholds(&[]).is_none());
    }

    proptest! {
        #[test]
        fn packed_counts_are_those_of_the_letters(
            a in proptest::collection::vec(proptest::sample::select(b"ACGTN-".to_vec()), 658),
            b in proptest::collection::vec(proptest::sample::select(b"ACGTN-".to_vec()), 658),
        ) {
            let is_base = |letter: u8| b"ACGT".contains(&letter);
            let pairs: Vec<(u8, u8)> =
                a.iter().copied().zip(b.iter().copied()).filter(|&(a, b)| is_base(a) && is_base(b)).collect();
            let is_transition = |&&(a, b): &&(u8, u8)| matches!((a, b), (b'A', b'G') | (b'G', b'A') | (b'C', b'T') | (b'T', b'C'));
            let transitions = pairs.iter().filter(is_transition).count();
            let differing = pairs.iter().filter(|(a, b)| a != b).count();
            let found = Packed::new(&a).compare(&Packed::new(&b));
            prop_assert_eq!(found, [pairs.len() as u32, transitions as u32, (differing - transitions) as u32]);
        }

        #[test]
        fn sums_over_pairs_are_those_of_all_pairs_one_by_one(
            changes in proptest::collection::vec((proptest::collection::vec(0usize..400, 0..30), proptest::option::of(0u32..4)), 0..12)
        ) {
            let barcodes: Vec<Packed> = changes
                .iter()
                .map(|(places, _)| Packed::new(&barcode(&places.iter().map(|&at| (at, b'C')).collect::<Vec<_>>())))
                .collect();
            let class: Vec<Option<u32>> = changes.iter().map(|(_, class)| *class).collect();
            let found = distances(&barcodes, std::slice::from_ref(&class), Distance::P, &Silent).unwrap();
            let mut histogram = [[0; BINS]; 2];
            for a in 0..barcodes.len() {
                let mut nearest = f32::INFINITY;
                for b in 0..barcodes.len() {
                    let (Some(ours), Some(theirs)) = (class[a], class[b]) else { continue };
                    let distance = barcodes[a].distance(&barcodes[b], Distance::P).unwrap();
                    if a < b {
                        histogram[usize::from(ours != theirs)][bin_of(distance)] += 1;
                    }
                    if ours != theirs {
                        nearest = nearest.min(distance);
                    }
                }
                prop_assert_eq!(found.reach[a].nearest_other.map_or(f32::INFINITY, |(distance, _)| distance), nearest);
            }
            prop_assert_eq!(found.histogram, histogram);
        }
    }
}
