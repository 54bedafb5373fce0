//! Barcodes under each other: only the columns in which some of them differ from the specimen's.

use super::DossierInput;
use super::frame::first_codon;
use crate::analysis::alignment::Aligner;
use crate::data::genetic_code::{GeneticCode, UNKNOWN_AMINO_ACID};
use crate::data::iupac::base_mask;
use crate::data::taxonomy::Field;

/// A column in which some neighbour has another base than the specimen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferingColumn {
    /// Offset in the specimen's barcode, from 0, as it is read.
    pub offset: usize,
    /// Position in the COI-5P frame, from 1; `None` outside of it.
    pub position: Option<i32>,
    /// Which base of its codon it is, 1 to 3; `None` where the frame is not known.
    pub in_codon: Option<u8>,
    /// The specimen's base.
    pub base: u8,
    /// The amino acid of the specimen's codon; `None` where the frame is not known.
    pub amino_acid: Option<u8>,
}

/// A neighbour beside the specimen.
#[derive(Debug, Clone, PartialEq)]
pub struct StackLine {
    /// Its row.
    pub row: usize,
    /// Identity with the specimen, 0 to 1.
    pub identity: f32,
    /// Its letter in each of the columns: `-` for a gap, a blank where it does not reach.
    pub letters: Vec<u8>,
    /// The amino acid of its codon in each of the columns, where that differs from the specimen's.
    pub amino_acids: Vec<Option<u8>>,
    /// Letters that stand between those of the specimen and are not shown.
    pub inserted: usize,
}

/// A specimen and its neighbours under each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stack {
    /// The columns, from left to right.
    pub columns: Vec<DifferingColumn>,
    /// The neighbours.
    pub lines: Vec<StackLine>,
}

/// A neighbour's letters at the offsets of the specimen's barcode.
struct Aligned {
    row: usize,
    identity: f32,
    letters: Vec<u8>,
    inserted: usize,
}

/// What stands where a neighbour does not reach.
const BEYOND: u8 = b' ';

impl Stack {
    pub(super) fn of(input: &DossierInput<'_>, rows: &[usize]) -> Self {
        let own = input.oriented(input.row);
        let mut aligner = Aligner::new();
        let aligned: Vec<Aligned> = rows.iter().map(|&row| align(input, &own, row, &mut aligner)).collect();
        let differs = |offset: usize| {
            aligned.iter().any(|line| line.letters[offset] != BEYOND && !matches(own[offset], line.letters[offset]))
        };
        let reading = Reading::of(input);
        let columns: Vec<DifferingColumn> =
            (0..own.len()).filter(|&offset| differs(offset)).map(|offset| reading.column(&own, offset)).collect();
        let line = |aligned: &Aligned| {
            let amino_acid = |column: &DifferingColumn| {
                let theirs = reading.amino_acid(&aligned.letters, column.offset)?;
                (column.amino_acid != Some(theirs) && theirs != UNKNOWN_AMINO_ACID).then_some(theirs)
            };
            StackLine {
                row: aligned.row,
                identity: aligned.identity,
                letters: columns.iter().map(|column| aligned.letters[column.offset]).collect(),
                amino_acids: columns.iter().map(amino_acid).collect(),
                inserted: aligned.inserted,
            }
        };
        let lines = aligned.iter().map(line).collect();
        Self { columns, lines }
    }
}

fn matches(a: u8, b: u8) -> bool {
    base_mask(a) & base_mask(b) != 0
}

fn align(input: &DossierInput<'_>, own: &[u8], row: usize, aligner: &mut Aligner) -> Aligned {
    let alignment = aligner.align(own, &input.oriented(row));
    let mut letters = Vec::with_capacity(own.len());
    let mut inserted = 0;
    for (place, &[ours, theirs]) in alignment.columns.iter().enumerate() {
        let is_inner = alignment.inner.contains(&place);
        if ours != b'-' {
            letters.push(if theirs == b'-' && !is_inner { BEYOND } else { theirs });
        } else if is_inner {
            inserted += 1;
        }
    }
    Aligned { row, identity: alignment.identity(), letters, inserted }
}

/// How the specimen's barcode is read.
struct Reading {
    code: GeneticCode,
    /// Position of its first base in the frame, from 0.
    start: Option<i32>,
}

impl Reading {
    fn of(input: &DossierInput<'_>) -> Self {
        let code = GeneticCode::of_phylum(input.dataset().label(input.row, Field::Phylum));
        Self { code, start: input.registration(input.row).map(|place| place.start) }
    }

    fn column(&self, own: &[u8], offset: usize) -> DifferingColumn {
        let in_codon = self.start.map(|start| {
            let first = first_codon(start);
            ((offset + 3 - first) % 3 + 1) as u8
        });
        DifferingColumn {
            offset,
            position: self.start.map(|start| start + offset as i32 + 1),
            in_codon,
            base: own[offset],
            amino_acid: self.amino_acid(own, offset),
        }
    }

    /// The amino acid of the codon that an offset is in.
    fn amino_acid(&self, letters: &[u8], offset: usize) -> Option<u8> {
        let first = first_codon(self.start?);
        let begin = offset.checked_sub((offset + 3 - first) % 3)?;
        let codon = letters.get(begin..begin + 3)?;
        let is_whole = codon.iter().all(|&letter| base_mask(letter) != 0);
        is_whole.then(|| self.code.amino_acid([codon[0], codon[1], codon[2]]))
    }
}
