//! The IUPAC letters of nucleotides as sets of bases.
//!
//! Letters: IUPAC-IUB, Cornish-Bowden (1985), Nucleic Acids Research 13: 3021.

/// Bit of A in [`base_mask`].
pub const A: u8 = 1;
/// Bit of C in [`base_mask`].
pub const C: u8 = 2;
/// Bit of G in [`base_mask`].
pub const G: u8 = 4;
/// Bit of T in [`base_mask`].
pub const T: u8 = 8;

/// Set of bases of every byte; 0 where the byte is no upper-case IUPAC letter.
const MASKS: [u8; 256] = {
    let mut masks = [0; 256];
    masks[b'A' as usize] = A;
    masks[b'C' as usize] = C;
    masks[b'G' as usize] = G;
    masks[b'T' as usize] = T;
    masks[b'R' as usize] = A | G;
    masks[b'Y' as usize] = C | T;
    masks[b'S' as usize] = C | G;
    masks[b'W' as usize] = A | T;
    masks[b'K' as usize] = G | T;
    masks[b'M' as usize] = A | C;
    masks[b'B' as usize] = C | G | T;
    masks[b'D' as usize] = A | G | T;
    masks[b'H' as usize] = A | C | T;
    masks[b'V' as usize] = A | C | G;
    masks[b'N' as usize] = A | C | G | T;
    masks
};

/// Letter of every set of bases; a gap for the empty set.
const LETTERS: [u8; 16] = *b"-ACMGRSVTWYHKDBN";

/// The bases that an upper-case IUPAC letter stands for, as bits [`A`], [`C`], [`G`], [`T`]; 0 for any other byte.
pub const fn base_mask(letter: u8) -> u8 {
    MASKS[letter as usize]
}

/// 0 to 3 for A, C, G, T; `None` for every other byte, ambiguous letters among them.
pub const fn base_code(letter: u8) -> Option<usize> {
    match letter {
        b'A' => Some(0),
        b'C' => Some(1),
        b'G' => Some(2),
        b'T' => Some(3),
        _ => None,
    }
}

/// The letter that pairs with `letter`; ambiguous letters pair with the set of their complements, other bytes stay.
pub const fn complement(letter: u8) -> u8 {
    let mask = base_mask(letter);
    if mask == 0 {
        return letter;
    }
    // A and T, C and G are mirror images in the four bits.
    LETTERS[(mask.reverse_bits() >> 4) as usize]
}

/// The other strand of `sequence`, read in its own direction.
pub fn reverse_complement(sequence: &[u8]) -> Vec<u8> {
    sequence.iter().rev().map(|&letter| complement(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_sets_of_bases_are_one_to_one() {
        for (mask, letter) in LETTERS.into_iter().enumerate().skip(1) {
            assert_eq!(base_mask(letter) as usize, mask);
        }
        assert_eq!([b'-', b'a', b'X', b'U', 0].map(base_mask), [0; 5]);
        assert_eq!(b"ACGTN".map(base_code), [Some(0), Some(1), Some(2), Some(3), None]);
    }

    #[test]
    fn the_other_strand_pairs_every_letter() {
        assert_eq!(reverse_complement(b"ACGTRYSWKMBDHVN-"), b"-NBDHVKMWSRYACGT");
        assert_eq!(reverse_complement(&reverse_complement(b"AACCGTRYNBDHV")), b"AACCGTRYNBDHV");
        assert_eq!(reverse_complement(b""), b"");
    }
}
