//! The two genetic codes that animal mitochondria are read with, as far as a barcode needs them.
//!
//! The tables are NCBI's translation tables 2 and 5 (<https://www.ncbi.nlm.nih.gov/Taxonomy/Utils/wprintgc.cgi>).

/// How codons become amino acids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GeneticCode {
    /// NCBI table 2, vertebrate mitochondrial: AGA and AGG stop.
    VertebrateMitochondrial,
    /// NCBI table 5, invertebrate mitochondrial: AGA and AGG are serine.
    InvertebrateMitochondrial,
}

/// What [`GeneticCode::translate`] writes for a stop codon.
pub const STOP: u8 = b'*';
/// What [`GeneticCode::translate`] writes for a codon whose letters leave the amino acid open.
pub const UNKNOWN_AMINO_ACID: u8 = b'X';

/// Bases in the order of NCBI's tables: the first base of the codon changes slowest.
const TABLE_ORDER: [u8; 4] = *b"TCAG";

impl GeneticCode {
    /// The code of an animal of this phylum: vertebrate for chordates, invertebrate for all others and where nothing is known.
    pub fn of_phylum(phylum: Option<&str>) -> Self {
        match phylum {
            Some(name) if name.eq_ignore_ascii_case("chordata") => Self::VertebrateMitochondrial,
            _ => Self::InvertebrateMitochondrial,
        }
    }

    /// The 64 amino acids in NCBI's order (T, C, A, G).
    const fn amino_acids(self) -> &'static [u8; 64] {
        match self {
            Self::VertebrateMitochondrial => b"FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIMMTTTTNNKKSS**VVVVAAAADDEEGGGG",
            Self::InvertebrateMitochondrial => b"FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIMMTTTTNNKKSSSSVVVVAAAADDEEGGGG",
        }
    }

    /// The amino acid of a codon of upper-case IUPAC letters; [`STOP`] for a stop, [`UNKNOWN_AMINO_ACID`] where its ambiguous
    /// letters allow several.
    pub fn amino_acid(self, codon: [u8; 3]) -> u8 {
        let table = self.amino_acids();
        let masks = codon.map(super::iupac::base_mask);
        let mut found = None;
        for (index, &amino_acid) in table.iter().enumerate() {
            let letters =
                [index >> 4, (index >> 2) & 3, index & 3].map(|base| super::iupac::base_mask(TABLE_ORDER[base]));
            if letters.iter().zip(masks).all(|(letter, mask)| letter & mask != 0) {
                match found {
                    None => found = Some(amino_acid),
                    Some(other) if other != amino_acid => return UNKNOWN_AMINO_ACID,
                    Some(_) => {}
                }
            }
        }
        found.unwrap_or(UNKNOWN_AMINO_ACID)
    }

    /// The protein of `sequence` read from its base `offset`; an incomplete last codon is left out.
    pub fn translate(self, sequence: &[u8], offset: usize) -> Vec<u8> {
        codons(sequence, offset).map(|codon| self.amino_acid(codon)).collect()
    }

    /// Whether `sequence` has a stop codon when read from its base `offset`. A codon with ambiguous letters stops only where
    /// all of its readings do.
    pub fn has_stop(self, sequence: &[u8], offset: usize) -> bool {
        codons(sequence, offset).any(|codon| self.may_stop(codon) && self.amino_acid(codon) == STOP)
    }

    /// Cheap test that spares nearly all codons the look-up: stops start with TA, in the vertebrate code with AG too.
    fn may_stop(self, codon: [u8; 3]) -> bool {
        let stops_at_a = self == Self::VertebrateMitochondrial;
        (codon[0] == b'T' && codon[1] == b'A') || (stops_at_a && codon[0] == b'A' && codon[1] == b'G')
    }
}

fn codons(sequence: &[u8], offset: usize) -> impl Iterator<Item = [u8; 3]> {
    sequence.get(offset..).unwrap_or(&[]).as_chunks::<3>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVERTEBRATE: GeneticCode = GeneticCode::InvertebrateMitochondrial;
    const VERTEBRATE: GeneticCode = GeneticCode::VertebrateMitochondrial;

    #[test]
    fn translates_the_start_of_the_barcode_frame() {
        // Frame base 1 of the barcode region starts a codon: T L Y F I F G I W in most insects.
        assert_eq!(INVERTEBRATE.translate(b"AACTTTATATTTTATTTTTGGAATTTGAGC", 1), b"TLYFIFGIW");
        assert_eq!(INVERTEBRATE.translate(b"ATAATGTGATGG", 0), b"MMWW");
        assert_eq!(INVERTEBRATE.translate(b"AG", 0), b"");
        assert_eq!(INVERTEBRATE.translate(b"AG", 9), b"");
    }

    #[test]
    fn the_codes_differ_in_aga_and_agg_only() {
        for (first, second) in INVERTEBRATE.amino_acids().chunks(4).zip(VERTEBRATE.amino_acids().chunks(4)) {
            assert!(first == second || (first, second) == (b"SSSS", b"SS**"));
        }
        assert_eq!(INVERTEBRATE.translate(b"AGAAGGAGTAGC", 0), b"SSSS");
        assert_eq!(VERTEBRATE.translate(b"AGAAGGAGTAGC", 0), b"**SS");
        assert_eq!(GeneticCode::of_phylum(Some("Chordata")), VERTEBRATE);
        assert_eq!(GeneticCode::of_phylum(Some("Arthropoda")), INVERTEBRATE);
        assert_eq!(GeneticCode::of_phylum(None), INVERTEBRATE);
    }

    #[test]
    fn ambiguous_codons_count_only_when_all_readings_agree() {
        assert_eq!(INVERTEBRATE.translate(b"TARTANGGNNNN", 0), b"*XGX");
        assert!(INVERTEBRATE.has_stop(b"GGGTAR", 0));
        assert!(!INVERTEBRATE.has_stop(b"GGGTAN", 0));
        assert!(VERTEBRATE.has_stop(b"AGR", 0) && !INVERTEBRATE.has_stop(b"AGR", 0));
    }

    #[test]
    fn the_quick_test_for_stops_agrees_with_translation() {
        let letters = b"ACGTRYSWKMBDHVN-";
        for code in [INVERTEBRATE, VERTEBRATE] {
            for codon in letters.iter().flat_map(|&a| letters.iter().flat_map(move |&b| letters.map(|c| [a, b, c]))) {
                assert_eq!(code.has_stop(&codon, 0), code.amino_acid(codon) == STOP, "{codon:?}");
            }
        }
    }
}
