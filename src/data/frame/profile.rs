//! Base profile of the 658-base COI-5P frame, and the scan that finds where a barcode lies in it.

use super::{FRAME_LENGTH, MIN_OVERLAP};
use crate::data::iupac::base_code;
use std::ops::Range;
use std::sync::OnceLock;

/// Smallest frequency that a base is given at any position, so that a rare base costs much but not everything.
const FREQUENCY_FLOOR: f64 = 0.005;
/// Frequency of each base where the profile does not hold.
const BACKGROUND: f64 = 0.25;
/// Shifts that are scored together: eight registers of eight 16-bit sums.
const BLOCK: usize = 64;
/// Zero columns on both sides of the frame, so that a block of shifts may stick out of it.
const MARGIN: usize = BLOCK;
const COLUMNS: usize = FRAME_LENGTH + 2 * MARGIN;
/// Steps per unit of the rounded log-odds: the largest that keeps any sum over the frame within 16 bits.
const STEPS: f64 = 12.0;
/// Code of a letter that is no single base: it scores 0.
const AMBIGUOUS: u8 = 4;

/// How often each base stands at each position of the COI-5P frame, and what that makes a base worth there.
///
/// The worth of base `b` at position `p` is the log-odds `ln(max(frequency, 0.005) / 0.25)`, from -3.91 to 1.39.
#[derive(Debug, Clone)]
pub struct FrameProfile {
    /// Barcodes with A, C, G, T at each position, `[658][4]`.
    counts: Vec<[u32; 4]>,
    /// Log-odds, `[5][COLUMNS]`, by base (the fifth row is for ambiguous letters) and by position plus [`MARGIN`].
    log_odds: Vec<[f32; COLUMNS]>,
    /// The same in rounded steps.
    steps: Vec<[i16; COLUMNS]>,
}

/// A shift of a barcode along the frame with its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placement {
    /// Frame position of the barcode's first base.
    pub(super) start: i32,
    /// Bases A, C, G, T within the frame.
    pub(super) overlap: u32,
    /// Mean log-odds of those bases.
    pub(super) score: f64,
}

impl Placement {
    /// Whether this placement is to be preferred: higher score, then more overlap, then further left.
    pub(super) fn beats(&self, other: &Self) -> bool {
        (self.score, self.overlap, other.start) > (other.score, other.overlap, self.start)
    }
}

impl FrameProfile {
    /// The profile that comes with the program.
    ///
    /// It was counted over 25 080 public barcodes of invertebrates that are exactly 658 bases long.
    pub fn bundled() -> &'static Self {
        static BUNDLED: OnceLock<FrameProfile> = OnceLock::new();
        BUNDLED.get_or_init(|| {
            let counts = parse_counts(include_str!("../../../assets/coi5p_profile.tsv"));
            Self::from_counts(counts.expect("the bundled table is whole, as a test shows"))
        })
    }

    /// Counts the bases of those barcodes that are exactly 658 letters long; all others are skipped.
    pub fn from_barcodes<'a>(barcodes: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut counts = vec![[0; 4]; FRAME_LENGTH];
        for barcode in barcodes.filter(|barcode| barcode.len() == FRAME_LENGTH) {
            for (at, &letter) in counts.iter_mut().zip(barcode) {
                if let Some(base) = base_code(letter) {
                    at[base] += 1;
                }
            }
        }
        Self::from_counts(counts)
    }

    fn from_counts(counts: Vec<[u32; 4]>) -> Self {
        let mut log_odds = vec![[0.0; COLUMNS]; 5];
        let mut steps = vec![[0; COLUMNS]; 5];
        for (position, at) in counts.iter().enumerate() {
            let total = f64::from(at.iter().sum::<u32>());
            for (base, &count) in at.iter().enumerate() {
                let frequency = if total > 0.0 { f64::from(count) / total } else { BACKGROUND };
                let worth = (frequency.max(FREQUENCY_FLOOR) / BACKGROUND).ln();
                log_odds[base][MARGIN + position] = worth as f32;
                steps[base][MARGIN + position] = (worth * STEPS).round() as i16;
            }
        }
        Self { counts, log_odds, steps }
    }

    /// How many of the counted barcodes have A, C, G, T at each position, `[658][4]`.
    pub fn counts(&self) -> &[[u32; 4]] {
        &self.counts
    }

    /// The most frequent base at each position.
    pub fn consensus(&self) -> Vec<u8> {
        let most = |at: &[u32; 4]| (0..4).rev().max_by_key(|&base| at[base]).unwrap_or(0);
        self.counts.iter().map(|at| b"ACGT"[most(at)]).collect()
    }

    /// The profile as the text of its asset: one line per position with the counts of A, C, G and T.
    pub fn to_table(&self) -> String {
        let mut table = String::from(
            "# Bases per position of the 658-base COI-5P frame, counted over public barcodes.\nA\tC\tG\tT\n",
        );
        for [a, c, g, t] in &self.counts {
            table.push_str(&format!("{a}\t{c}\t{g}\t{t}\n"));
        }
        table
    }

    /// The best placement on the strand as given; `None` where no shift has [`MIN_OVERLAP`] bases within the frame.
    ///
    /// All shifts are scored in rounded 16-bit steps first, which is cheap; those that could still be best within the rounding
    /// error are scored again exactly, so that the result is that of [`Self::best_placement_plain`].
    pub(super) fn best_placement(&self, sequence: &[u8], scratch: &mut Scratch) -> Option<Placement> {
        scratch.read(sequence);
        let shifts = scratch.shifts()?;
        let mut sums = std::mem::take(&mut scratch.sums);
        self.rounded_sums(&scratch.codes, shifts.clone(), &mut sums);
        let rounded = || {
            let all = shifts.clone().zip(&sums).map(|(start, &sum)| (start, f64::from(sum), scratch.overlap(start)));
            let enough = all.filter(|&(_, _, overlap)| overlap >= MIN_OVERLAP as u32);
            enough.map(|(start, sum, overlap)| (start, sum / f64::from(overlap)))
        };
        let highest = rounded().map(|(_, score)| score).fold(f64::NEG_INFINITY, f64::max);
        // Every base is at most half a step off, on either side of the comparison: one step per base in all.
        let near = rounded().filter(|&(_, score)| score >= highest - 1.0 - 1e-6);
        let best = near.filter_map(|(start, _)| self.placement(scratch, start)).reduce(preferred);
        scratch.sums = sums;
        best
    }

    /// [`Self::best_placement`] by scoring every shift exactly: the plain twin that tests compare with.
    #[cfg(test)]
    pub(super) fn best_placement_plain(&self, sequence: &[u8]) -> Option<Placement> {
        let mut scratch = Scratch::default();
        scratch.read(sequence);
        scratch.shifts()?.filter_map(|start| self.placement(&scratch, start)).reduce(preferred)
    }

    /// Exact score of one shift.
    fn placement(&self, scratch: &Scratch, start: i32) -> Option<Placement> {
        let overlap = scratch.overlap(start);
        if (overlap as usize) < MIN_OVERLAP {
            return None;
        }
        let within = scratch.within_frame(start);
        let first_column = (start + within.start as i32) as usize + MARGIN;
        let worth = |(step, &code): (usize, &u8)| f64::from(self.log_odds[code as usize][first_column + step]);
        let sum: f64 = scratch.codes[within].iter().enumerate().map(worth).sum();
        Some(Placement { start, overlap, score: sum / f64::from(overlap) })
    }

    /// Sums of the rounded log-odds for all `shifts`. A base that meets a block of shifts adds one row of the table to it:
    /// loops without branches or gathers, which compilers turn into vector instructions. Eight bases at a time keep the sums
    /// in registers.
    fn rounded_sums(&self, codes: &[u8], shifts: Range<i32>, sums: &mut Vec<i16>) {
        sums.clear();
        let mut first = shifts.start;
        while first < shifts.end {
            let last = first + BLOCK as i32 - 1;
            let from = ((-last).max(0) as usize).min(codes.len());
            let until = (FRAME_LENGTH as i32 - first).clamp(from as i32, codes.len() as i32) as usize;
            let column = (from as i32 + first + MARGIN as i32) as usize;
            let (eights, rest) = codes[from..until].as_chunks::<8>();
            let mut block = [0_i16; BLOCK];
            for (index, eight) in eights.iter().enumerate() {
                let rows: [&[i16; BLOCK]; 8] =
                    std::array::from_fn(|k| self.block_of_steps(eight[k], column + 8 * index + k));
                for (shift, sum) in block.iter_mut().enumerate() {
                    *sum += rows.iter().map(|row| row[shift]).sum::<i16>();
                }
            }
            for (index, &code) in rest.iter().enumerate() {
                let row = self.block_of_steps(code, column + 8 * eights.len() + index);
                block.iter_mut().zip(row).for_each(|(sum, step)| *sum += step);
            }
            sums.extend_from_slice(&block);
            first += BLOCK as i32;
        }
    }

    fn block_of_steps(&self, code: u8, column: usize) -> &[i16; BLOCK] {
        self.steps[code as usize][column..].first_chunk().expect("the margin is as wide as a block")
    }
}

fn preferred(a: Placement, b: Placement) -> Placement {
    if b.beats(&a) { b } else { a }
}

/// Buffers of one scan, kept from barcode to barcode.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    codes: Vec<u8>,
    /// Number of unambiguous bases before each letter, one entry more than letters.
    bases_before: Vec<u32>,
    sums: Vec<i16>,
}

impl Scratch {
    fn read(&mut self, sequence: &[u8]) {
        self.codes.clear();
        self.codes.extend(sequence.iter().map(|&letter| base_code(letter).map_or(AMBIGUOUS, |base| base as u8)));
        self.bases_before.clear();
        self.bases_before.push(0);
        let mut bases = 0;
        self.bases_before.extend(self.codes.iter().map(|&code| {
            bases += u32::from(code != AMBIGUOUS);
            bases
        }));
    }

    /// The shifts at which enough letters lie within the frame.
    fn shifts(&self) -> Option<Range<i32>> {
        let length = i32::try_from(self.codes.len()).ok()?;
        let overlap = MIN_OVERLAP as i32;
        (length >= overlap).then(|| overlap - length..FRAME_LENGTH as i32 - overlap + 1)
    }

    /// The letters that lie within the frame when the first letter stands at `start`.
    fn within_frame(&self, start: i32) -> Range<usize> {
        let from = (-start).max(0) as usize;
        let until = (FRAME_LENGTH as i32 - start).min(self.codes.len() as i32) as usize;
        from..until
    }

    /// How many bases A, C, G, T lie within the frame at this shift.
    fn overlap(&self, start: i32) -> u32 {
        let within = self.within_frame(start);
        self.bases_before[within.end] - self.bases_before[within.start]
    }
}

/// Reads what [`FrameProfile::to_table`] writes; `None` where it is not whole.
fn parse_counts(table: &str) -> Option<Vec<[u32; 4]>> {
    let rows = table.lines().filter(|line| !line.starts_with('#')).skip(1);
    let counts: Option<Vec<[u32; 4]>> = rows
        .map(|line| {
            let numbers: Result<Vec<u32>, _> = line.split('\t').map(str::parse).collect();
            numbers.ok()?.try_into().ok()
        })
        .collect();
    counts.filter(|counts| counts.len() == FRAME_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_back_and_a_damaged_one_refused() {
        let bundled = FrameProfile::bundled();
        let table = bundled.to_table();
        assert_eq!(parse_counts(&table).as_deref(), Some(bundled.counts()));
        assert_eq!(parse_counts(&table[..table.len() - 10]), None);
        assert_eq!(parse_counts(&table.replacen('\t', ",", 1)).map(|counts| counts.len()), Some(FRAME_LENGTH));
        assert_eq!(parse_counts(&table.replace('1', "x")), None);
        assert_eq!(parse_counts(""), None);
    }

    #[test]
    fn rounded_sums_stay_within_sixteen_bits() {
        let steps = &FrameProfile::bundled().steps;
        let worst: i32 =
            (0..COLUMNS).map(|column| steps.iter().map(|row| i32::from(row[column]).abs()).max().unwrap_or(0)).sum();
        assert!(worst < i32::from(i16::MAX), "{worst}");
        // A profile can be no worse than the floor everywhere.
        let floor = (FREQUENCY_FLOOR / BACKGROUND).ln().abs() * STEPS;
        assert!((floor + 0.5) * (FRAME_LENGTH as f64) < f64::from(i16::MAX));
    }

    #[test]
    fn counts_and_log_odds_are_those_of_the_barcodes() {
        let all_a = vec![b'A'; FRAME_LENGTH];
        let mut mixed = all_a.clone();
        mixed[0] = b'C';
        mixed[1] = b'N';
        let short = vec![b'G'; FRAME_LENGTH - 1];
        let profile = FrameProfile::from_barcodes([&all_a[..], &mixed, &short].into_iter());
        assert_eq!(profile.counts()[..3], [[1, 1, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0]]);
        assert_eq!(profile.log_odds[0][MARGIN], (0.5_f32 / 0.25).ln());
        assert_eq!(profile.log_odds[3][MARGIN], (0.005_f32 / 0.25).ln());
        assert_eq!(profile.log_odds[0][MARGIN + 2], 4.0_f32.ln());
        assert!(profile.consensus()[1..].iter().all(|&base| base == b'A'));
        let empty = FrameProfile::from_barcodes([].into_iter());
        assert!(empty.log_odds.iter().flatten().all(|&worth| worth == 0.0));
    }
}
