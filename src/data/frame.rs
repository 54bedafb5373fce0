//! Registration of barcodes to the 658-base COI-5P frame, and reading-frame checks.

/// Which strand of the frame a barcode reads along.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strand {
    /// As given.
    Forward,
    /// Its reverse complement.
    Reverse,
}

/// Where a barcode lies in the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Registration {
    /// Frame position, from 0, of the barcode's first base after turning to `strand`; negative means bases before the frame.
    pub start: i32,
    /// Frame position after its last base.
    pub end: i32,
    /// Mean log-odds per overlapping base.
    pub score: f32,
    /// Strand that fits.
    pub strand: Strand,
}

/// The reverse complement, IUPAC codes included.
pub fn reverse_complement(sequence: &[u8]) -> Vec<u8> {
    let complement = |base: &u8| match base {
        b'A' => b'T',
        b'C' => b'G',
        b'G' => b'C',
        b'T' => b'A',
        b'R' => b'Y',
        b'Y' => b'R',
        b'K' => b'M',
        b'M' => b'K',
        b'B' => b'V',
        b'V' => b'B',
        b'D' => b'H',
        b'H' => b'D',
        &other => other,
    };
    sequence.iter().rev().map(complement).collect()
}
