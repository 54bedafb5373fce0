//! From the letters of a file to a normalised barcode.

use super::report::Repair;

/// What a byte of a sequence means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    Base(u8),
    LowerBase(u8),
    Uracil,
    Gap,
    Blank,
    Unknown,
    Invalid,
}

const LETTERS: [Letter; 256] = letters();

const fn letters() -> [Letter; 256] {
    let mut table = [Letter::Invalid; 256];
    let iupac = b"ACGTRYSWKMBDHVN";
    let mut at = 0;
    while at < iupac.len() {
        table[iupac[at] as usize] = Letter::Base(iupac[at]);
        table[iupac[at].to_ascii_lowercase() as usize] = Letter::LowerBase(iupac[at]);
        at += 1;
    }
    table[b'U' as usize] = Letter::Uracil;
    table[b'u' as usize] = Letter::Uracil;
    let gaps = b"-.~";
    at = 0;
    while at < gaps.len() {
        table[gaps[at] as usize] = Letter::Gap;
        at += 1;
    }
    // Line ends and the numbers that GenBank prints before each line of a sequence.
    let blanks = b" \t\r\n\x0b\x0c0123456789";
    at = 0;
    while at < blanks.len() {
        table[blanks[at] as usize] = Letter::Blank;
        at += 1;
    }
    table[b'?' as usize] = Letter::Unknown;
    table
}

/// Collects one sequence piece by piece: upper case, U as T, no gaps or blanks, no trailing N, IUPAC codes kept.
///
/// Holds at most `limit` bases however long the sequence is; [`Self::length`] still counts them all.
#[derive(Debug, Default)]
pub(super) struct Normaliser {
    limit: usize,
    bases: Vec<u8>,
    letters: u64,
    trailing_n: u64,
    acgt: u64,
    lower: bool,
    gaps: bool,
    uracil: bool,
    unknown: u64,
    invalid: u64,
}

impl Normaliser {
    /// Holds up to `limit` bases.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Forgets the sequence, keeps the memory.
    pub(super) fn clear(&mut self) {
        let mut bases = std::mem::take(&mut self.bases);
        bases.clear();
        *self = Self { limit: self.limit, bases, ..Self::default() };
    }

    /// Adds letters as they stand in the file. Blanks at the ends of `raw` (line ends) are no repair.
    pub(super) fn push(&mut self, raw: &[u8]) {
        let raw = raw.trim_ascii();
        if is_plain(raw) {
            self.plain(raw);
            return;
        }
        for &byte in raw {
            match LETTERS[byte as usize] {
                Letter::Base(base) => self.base(base),
                Letter::LowerBase(base) => {
                    self.lower = true;
                    self.base(base);
                }
                Letter::Uracil => {
                    self.uracil = true;
                    self.base(b'T');
                }
                Letter::Gap | Letter::Blank => self.gaps = true,
                Letter::Unknown => {
                    self.unknown += 1;
                    self.base(b'N');
                }
                Letter::Invalid => {
                    self.invalid += 1;
                    self.base(b'N');
                }
            }
        }
    }

    /// Adds upper-case A, C, G and T, which most barcodes have no letters but.
    fn plain(&mut self, bases: &[u8]) {
        if !bases.is_empty() {
            self.letters += bases.len() as u64;
            self.acgt += bases.len() as u64;
            self.trailing_n = 0;
            let room = self.limit.saturating_sub(self.bases.len());
            self.bases.extend_from_slice(&bases[..bases.len().min(room)]);
        }
    }

    fn base(&mut self, base: u8) {
        self.letters += 1;
        self.trailing_n = if base == b'N' { self.trailing_n + 1 } else { 0 };
        self.acgt += u64::from(matches!(base, b'A' | b'C' | b'G' | b'T'));
        if self.bases.len() < self.limit {
            self.bases.push(base);
        }
    }

    /// Bases without trailing N.
    pub(super) fn length(&self) -> u64 {
        self.letters - self.trailing_n
    }

    /// Whether no letter was there at all.
    pub(super) fn is_empty(&self) -> bool {
        self.letters == 0
    }

    /// Letters that are A, C, G or T.
    pub(super) fn acgt(&self) -> u64 {
        self.acgt
    }

    /// Whether more than a tenth of the letters stand for no base.
    pub(super) fn is_not_nucleotides(&self) -> bool {
        self.invalid * 10 > self.letters
    }

    /// The normalised bases; whole only if [`Self::length`] is within the limit.
    pub(super) fn bases(&self) -> &[u8] {
        &self.bases[..self.bases.len().min(usize::try_from(self.length()).unwrap_or(usize::MAX))]
    }

    /// What was put right.
    pub(super) fn repairs(&self) -> impl Iterator<Item = Repair> {
        [
            (self.gaps, Repair::GapsRemoved),
            (self.lower, Repair::LowerCase),
            (self.uracil, Repair::UToT),
            (self.trailing_n > 0, Repair::TrailingN),
            (self.unknown + self.invalid > 0, Repair::LettersReplaced),
        ]
        .into_iter()
        .filter_map(|(is, repair)| is.then_some(repair))
    }
}

/// Whether all letters are upper-case A, C, G or T; without a branch per letter, for this is asked of every one.
fn is_plain(letters: &[u8]) -> bool {
    const STEP: usize = 64;
    letters.chunks(STEP).all(|step| {
        step.iter().fold(true, |all, &letter| {
            all & ((letter == b'A') | (letter == b'C') | (letter == b'G') | (letter == b'T'))
        })
    })
}

/// Whether a cell of a table holds no letters but those of sequences, however few.
pub(super) fn may_be_sequence(cell: &str) -> bool {
    cell.trim().bytes().all(|byte| match LETTERS[byte as usize] {
        Letter::Blank => byte.is_ascii_whitespace(),
        Letter::Invalid => false,
        Letter::Base(_) | Letter::LowerBase(_) | Letter::Uracil | Letter::Gap | Letter::Unknown => true,
    })
}

/// Whether a cell of a table looks like a sequence: at least 20 letters, no others than IUPAC codes, four fifths A, C, G, T, U or N.
pub(super) fn looks_like_sequence(cell: &str) -> bool {
    let (mut plain, mut letters) = (0usize, 0usize);
    for &byte in cell.trim().as_bytes() {
        match LETTERS[byte as usize] {
            Letter::Base(base) | Letter::LowerBase(base) => {
                letters += 1;
                plain += usize::from(matches!(base, b'A' | b'C' | b'G' | b'T' | b'N'));
            }
            Letter::Uracil => {
                letters += 1;
                plain += 1;
            }
            Letter::Gap | Letter::Unknown => {}
            Letter::Blank if byte.is_ascii_whitespace() => {}
            Letter::Blank | Letter::Invalid => return false,
        }
    }
    letters >= 20 && plain * 5 >= letters * 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normalised(raw: &str) -> (String, Vec<Repair>) {
        let mut normaliser = Normaliser::new(100);
        normaliser.push(raw.as_bytes());
        (String::from_utf8(normaliser.bases().to_vec()).unwrap(), normaliser.repairs().collect())
    }

    #[test]
    fn letters_are_normalised_as_the_rules_say() {
        assert_eq!(normalised("ACGT\r\n"), ("ACGT".into(), vec![]));
        assert_eq!(
            normalised("acgu-A C.GT~"),
            ("ACGTACGT".into(), vec![Repair::GapsRemoved, Repair::LowerCase, Repair::UToT])
        );
        assert_eq!(normalised("NNRYANN--"), ("NNRYA".into(), vec![Repair::GapsRemoved, Repair::TrailingN]));
        assert_eq!(normalised("A?C*G"), ("ANCNG".into(), vec![Repair::LettersReplaced]));
        assert_eq!(normalised("NNN").0, "");
        assert_eq!(normalised(""), (String::new(), vec![]));
    }

    #[test]
    fn an_endless_sequence_takes_bounded_memory_and_is_counted_whole() {
        let mut normaliser = Normaliser::new(100);
        (0..1000).for_each(|_| normaliser.push(b"ACGTN"));
        assert_eq!(normaliser.length(), 4999);
        assert_eq!(normaliser.acgt(), 4000);
        assert_eq!(normaliser.bases().len(), 100);
        normaliser.clear();
        assert!(normaliser.is_empty());
    }

    #[test]
    fn a_protein_is_no_sequence_of_nucleotides() {
        let mut normaliser = Normaliser::new(100);
        normaliser.push(b"MLFSTWKELIQPEFLIPEELIQ");
        assert!(normaliser.is_not_nucleotides());
        assert!(!looks_like_sequence("MLFSTWKELIQPEFLIPEELIQ"));
        assert!(!looks_like_sequence("Animalia"));
        assert!(!looks_like_sequence("ACGT"));
        assert!(looks_like_sequence("----ACGTACGTNNACGTACGTacgtacgtry"));
    }

    proptest! {
        #[test]
        fn plain_bases_are_taken_as_one_by_one(
            pieces in proptest::collection::vec("[ACGT]{0,90}|[ACGTNacgu-]{0,4}", 0..6), limit in 0usize..200,
        ) {
            let mut whole = Normaliser::new(limit);
            pieces.iter().for_each(|piece| whole.push(piece.as_bytes()));
            let bases = pieces.concat().replace('-', "").to_ascii_uppercase().replace('U', "T");
            let held = bases.trim_end_matches('N').as_bytes();
            proptest::prop_assert_eq!(whole.acgt(), bases.bytes().filter(|&base| base != b'N').count() as u64);
            proptest::prop_assert_eq!(whole.length(), held.len() as u64);
            proptest::prop_assert_eq!(whole.bases(), &held[..held.len().min(limit)]);
        }

        #[test]
        fn pieces_do_not_matter_and_letters_are_only_iupac(raw in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
            let cut = cut.min(raw.len());
            let mut whole = Normaliser::new(1000);
            whole.push(&raw);
            let mut pieces = Normaliser::new(1000);
            pieces.push(&raw[..cut]);
            pieces.push(&raw[cut..]);
            prop_assert_eq!(whole.bases(), pieces.bases());
            prop_assert!(whole.bases().iter().all(|base| b"ACGTRYSWKMBDHVN".contains(base)));
            prop_assert!(whole.bases().last() != Some(&b'N'));
            prop_assert_eq!(whole.length() as usize, whole.bases().len());
        }
    }
}
