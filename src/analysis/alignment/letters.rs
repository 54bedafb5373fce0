//! Sequences as the small numbers that the alignment computes with.

use crate::data::iupac::base_code;

/// Code of an ambiguous letter. Bases are 0 to 3, so that this bit tells them apart.
pub(super) const AMBIGUOUS_CODE: u8 = 4;
/// Cells of the matrix that are computed together.
pub(super) const LANES: usize = 16;

/// Code of every byte.
const CODE: [u8; 256] = {
    let mut codes = [AMBIGUOUS_CODE; 256];
    let mut byte = 0;
    while byte < 256 {
        if let Some(base) = base_code(byte as u8) {
            codes[byte] = base as u8;
        }
        byte += 1;
    }
    codes
};

/// The codes of a sequence, followed by [`LANES`] that stand for nothing: groups of cells may stick out of the matrix.
#[derive(Debug, Default)]
pub(super) struct Codes {
    padded: Vec<u8>,
    /// Whether any letter is ambiguous.
    pub(super) has_ambiguous: bool,
}

impl Codes {
    /// Takes the place of what was there before.
    pub(super) fn read(&mut self, letters: impl Iterator<Item = u8>) {
        self.padded.clear();
        self.padded.extend(letters.map(|letter| CODE[letter as usize]));
        self.has_ambiguous = self.padded.iter().fold(0, |all, code| all | code) & AMBIGUOUS_CODE != 0;
        self.padded.extend([0; LANES]);
    }

    pub(super) fn len(&self) -> usize {
        self.padded.len().saturating_sub(LANES)
    }

    pub(super) fn letters(&self) -> &[u8] {
        &self.padded[..self.len()]
    }

    pub(super) fn padded(&self) -> &[u8] {
        &self.padded
    }
}
