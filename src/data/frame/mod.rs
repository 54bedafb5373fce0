//! Registration of barcodes to the 658-base COI-5P frame, and what can be checked once a barcode lies in it.
//!
//! k-mers that do not overlap make a model blind to a shift by one base, and about half of all published barcodes do not start
//! at the first base of the frame. Sliding a barcode over the base profile of the frame finds its start: every shift with at
//! least 100 overlapping bases is scored on both strands, without insertions or deletions, by the mean log-odds per overlapping
//! base (natural logarithm, against 0.25 for each base). Letters other than A, C, G and T neither score nor count.
//!
//! # Where the threshold stands
//! Scores per base of real sequences (natural logarithms), and what [`FrameProfile::MIN_SCORE`] = -0.4 makes of them:
//!
//! | sequences | n | lowest | 1 % | median | 99 % | highest | called COI |
//! |---|---|---|---|---|---|---|---|
//! | invertebrate barcodes of 400 to 1 000 bases | 143 615 | -1.19 | -0.20 | 1.00 | 1.14 | 1.17 | 99.43 % |
//! | the same, bases shuffled | 9 575 | -1.35 | -1.23 | -1.03 | -0.77 | -0.55 | 0.00 % |
//! | the first 100 of those | 9 222 | -1.17 | -1.06 | -0.84 | -0.57 | -0.36 | 0.02 % |
//! | COI-3P, the other half of the gene (beetles) | 1 477 | -0.90 | -0.83 | -0.68 | -0.63 | -0.57 | 0.00 % |
//! | cytochrome b (frogs) | 500 | -1.32 | -1.32 | -1.22 | -1.09 | -1.09 | 0.00 % |
//! | COI of Proteobacteria | 4 550 | -1.55 | -1.46 | -1.14 | 0.42 | 0.47 | 19.45 % |
//!
//! The fifth of the bacterial sequences that passes covers the barcode region of the same gene and lies in the frame like any
//! other; no threshold tells them from divergent animals (barcodes of single orders go down to -0.3). Barcodes between -0.6 and
//! -0.3 still lie where their neighbours lie; below that the best shift is mostly chance. The mean is used rather than the sum
//! because a sum below zero favours whichever shift overlaps least.
//!
//! Of the labelled benchmark barcodes 51.1 % start at frame base 0, of the unlabelled ones 18.6 %.

mod profile;

pub use super::iupac::reverse_complement;
pub use profile::FrameProfile;

use super::dataset::{Dataset, Flags};
use super::genetic_code::GeneticCode;
use super::taxonomy::Field;
use crate::progress::{Cancelled, Observer, Progress};
use profile::{Placement, Scratch};
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of bases of the COI-5P barcode frame, the region between the primers of Folmer et al. (1994).
pub const FRAME_LENGTH: usize = 658;
/// Frame position of the first base of the first whole codon: the frame starts with the last base of one.
pub const FIRST_CODON: usize = 1;
/// Fewest bases that must lie within the frame for a shift to be considered.
pub const MIN_OVERLAP: usize = 100;
/// Barcodes that one task checks between two reports.
const CHUNK: usize = 256;

/// On which strand a barcode fits the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strand {
    /// As it stands in the file.
    Forward,
    /// As its reverse complement.
    Reverse,
}

/// Where a barcode lies in the frame.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Registration {
    /// 0-based frame position of the barcode's first base, after turning to `strand`; negative where bases stand before the
    /// frame.
    pub start: i32,
    /// Frame position after the barcode's last base; more than 658 where bases stand behind the frame.
    pub end: i32,
    /// Mean log-odds per overlapping base.
    pub score: f32,
    /// The strand that fits.
    pub strand: Strand,
}

impl Registration {
    /// Whether the barcode fits well enough to be COI-5P: a score of [`FrameProfile::MIN_SCORE`] or more.
    pub fn is_coi(&self) -> bool {
        self.score >= FrameProfile::MIN_SCORE
    }

    /// The barcode as it is to be read: turned to the strand that fits where it is COI, else as it stands.
    pub fn oriented<'a>(&self, sequence: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        match self.strand {
            Strand::Reverse if self.is_coi() => reverse_complement(sequence).into(),
            _ => sequence.into(),
        }
    }

    /// The barcode as it lies in the frame, `-` where it has no base: [`FRAME_LENGTH`] letters. Bases beside the frame are left out.
    pub fn aligned(&self, sequence: &[u8]) -> Vec<u8> {
        let mut aligned = vec![b'-'; FRAME_LENGTH];
        for (offset, &letter) in self.oriented(sequence).iter().enumerate() {
            let position = usize::try_from(self.start + offset as i32).ok();
            if let Some(column) = position.and_then(|position| aligned.get_mut(position)) {
                *column = letter;
            }
        }
        aligned
    }
}

impl FrameProfile {
    /// Score per base below which a sequence is not taken for COI-5P; the module's documentation says why it stands here.
    pub const MIN_SCORE: f32 = -0.4;

    /// Finds the strand and shift with the highest score; ties go to more overlap, then to the forward strand, then to the
    /// smaller start. `None` where fewer than [`MIN_OVERLAP`] bases can overlap the frame.
    pub fn register(&self, sequence: &[u8]) -> Option<Registration> {
        self.register_with(sequence, &mut Scratch::default())
    }

    fn register_with(&self, sequence: &[u8], scratch: &mut Scratch) -> Option<Registration> {
        let forward = self.best_placement(sequence, scratch);
        let reverse = self.best_placement(&reverse_complement(sequence), scratch);
        better_strand(forward, reverse, sequence.len())
    }
}

fn better_strand(forward: Option<Placement>, reverse: Option<Placement>, length: usize) -> Option<Registration> {
    let (placement, strand) = match (forward, reverse) {
        (Some(forward), Some(reverse)) if (reverse.score, reverse.overlap) > (forward.score, forward.overlap) => {
            (reverse, Strand::Reverse)
        }
        (Some(forward), _) => (forward, Strand::Forward),
        (None, reverse) => (reverse?, Strand::Reverse),
    };
    let end = placement.start + length as i32;
    Some(Registration { start: placement.start, end, score: placement.score as f32, strand })
}

/// What the frame tells about one barcode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameCheck {
    /// Where it lies; `None` where it is too short to tell.
    pub registration: Option<Registration>,
    /// Any of [`Flags::REVERSE_COMPLEMENT`], [`Flags::NOT_COI`] and [`Flags::STOP_CODON`]. A barcode too short to be
    /// registered gets neither of the first two.
    pub flags: Flags,
}

/// Registers every unique barcode of `dataset` with the bundled profile and checks it, `[U]`.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
pub fn check_frames(dataset: &Dataset, observer: &dyn Observer) -> Result<Vec<FrameCheck>, Cancelled> {
    let total = dataset.unique_len();
    let done = AtomicUsize::new(0);
    observer.progress(Progress::new("checking the barcode frame", 0, total, "barcodes"))?;
    let chunks: Vec<Vec<FrameCheck>> = (0..total.div_ceil(CHUNK))
        .into_par_iter()
        .map_init(Scratch::default, |scratch, chunk| {
            let uniques = chunk * CHUNK..total.min((chunk + 1) * CHUNK);
            let checked: Vec<FrameCheck> = uniques.map(|unique| check_unique(dataset, unique, scratch)).collect();
            let so_far = done.fetch_add(checked.len(), Ordering::Relaxed) + checked.len();
            observer.progress(Progress::new("checking the barcode frame", so_far, total, "barcodes"))?;
            Ok(checked)
        })
        .collect::<Result<_, Cancelled>>()?;
    Ok(chunks.into_iter().flatten().collect())
}

fn check_unique(dataset: &Dataset, unique: usize, scratch: &mut Scratch) -> FrameCheck {
    let code = GeneticCode::of_phylum(dataset.label(dataset.first_row_of(unique), Field::Phylum));
    check_barcode(dataset.unique_sequence(unique), code, scratch)
}

fn check_barcode(sequence: &[u8], code: GeneticCode, scratch: &mut Scratch) -> FrameCheck {
    let registration = FrameProfile::bundled().register_with(sequence, scratch);
    let mut flags = Flags::NONE;
    let oriented = match &registration {
        Some(registration) => {
            if !registration.is_coi() {
                flags |= Flags::NOT_COI;
            } else if registration.strand == Strand::Reverse {
                flags |= Flags::REVERSE_COMPLEMENT;
            }
            registration.oriented(sequence)
        }
        None => sequence.into(),
    };
    if (0..3).all(|offset| code.has_stop(&oriented, offset)) {
        flags |= Flags::STOP_CODON;
    }
    FrameCheck { registration, flags }
}

#[cfg(test)]
mod tests;
