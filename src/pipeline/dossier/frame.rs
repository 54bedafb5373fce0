//! Length and reading frame of a barcode.

use super::DossierInput;
use crate::analysis::alignment::align;
use crate::data::dataset::Flags;
use crate::data::frame::{FIRST_CODON, FRAME_LENGTH, Strand};
use crate::data::genetic_code::{GeneticCode, STOP};
use crate::data::iupac::base_code;
use crate::data::taxonomy::Field;
use crate::pipeline::check::flags_of;
use crate::pipeline::discover::breaks_frame;

/// Length and reading frame of a barcode.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameFacts {
    /// Its letters.
    pub length: usize,
    /// The median length of the others.
    pub usual_length: usize,
    /// Letters that are not A, C, G or T.
    pub ambiguous: usize,
    /// First and last position in the 658-base COI-5P frame, from 1; `None` where it does not lie in it.
    pub place: Option<[i32; 2]>,
    /// Whether it is written from the other strand.
    pub is_reversed: bool,
    /// Positions in the frame, from 1, of codons that stop, where it is read in the frame.
    pub stops: Vec<i32>,
    /// Whether a gap beside the most identical specimen is not a multiple of three bases long.
    pub breaks_frame: bool,
    /// What reader and frame check saw.
    pub flags: Flags,
}

impl FrameFacts {
    pub(super) fn of(input: &DossierInput<'_>, nearest: Option<usize>) -> Self {
        let dataset = input.dataset();
        let sequence = dataset.sequence(input.row);
        let mut lengths: Vec<usize> =
            (0..dataset.unique_len()).map(|unique| dataset.unique_sequence(unique).len()).collect();
        lengths.sort_unstable();
        let place = input.registration(input.row);
        Self {
            length: sequence.len(),
            usual_length: lengths.get(lengths.len() / 2).copied().unwrap_or(0),
            ambiguous: sequence.iter().filter(|&&letter| base_code(letter).is_none()).count(),
            place: place.map(|place| [place.start.max(0) + 1, place.end.min(FRAME_LENGTH as i32)]),
            is_reversed: place.is_some_and(|place| place.strand == Strand::Reverse),
            stops: stops(input),
            breaks_frame: nearest
                .is_some_and(|nearest| breaks_frame(&align(&input.oriented(input.row), &input.oriented(nearest)))),
            flags: flags_of(dataset, input.frames, input.row),
        }
    }
}

/// Offset of the first whole codon in a barcode whose first base has this position in the frame.
pub(super) fn first_codon(start: i32) -> usize {
    (FIRST_CODON as i32 - start).rem_euclid(3) as usize
}

fn stops(input: &DossierInput<'_>) -> Vec<i32> {
    let Some(place) = input.registration(input.row) else { return Vec::new() };
    let code = GeneticCode::of_phylum(input.dataset().label(input.row, Field::Phylum));
    let offset = first_codon(place.start);
    let protein = code.translate(&input.oriented(input.row), offset);
    let stops = protein.iter().enumerate().filter(|(_, amino_acid)| **amino_acid == STOP);
    stops.map(|(codon, _)| place.start + (offset + 3 * codon) as i32 + 1).collect()
}

impl FrameFacts {
    /// What there is to say, a sentence each.
    pub fn told(&self) -> Vec<String> {
        let mut told = vec![format!("{} letters; the median of the file is {}.", self.length, self.usual_length)];
        told.push(match self.place {
            Some([first, last]) => format!("It covers positions {first} to {last} of the 658-base COI-5P frame."),
            None => "It does not lie in the COI-5P frame.".to_owned(),
        });
        if self.is_reversed {
            told.push("It is written from the other strand.".to_owned());
        }
        if self.ambiguous > 0 {
            told.push(format!("{} letters are not A, C, G or T.", self.ambiguous));
        }
        if !self.stops.is_empty() {
            let positions: Vec<String> = self.stops.iter().map(ToString::to_string).collect();
            told.push(format!("Stop codons at {}.", positions.join(", ")));
        }
        if self.breaks_frame {
            told.push("A gap beside the most identical specimen breaks the reading frame.".to_owned());
        }
        if self.stops.is_empty() && !self.breaks_frame && self.place.is_some() {
            told.push("Its reading frame is open.".to_owned());
        }
        told
    }
}
