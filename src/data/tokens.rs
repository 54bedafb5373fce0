//! Non-overlapping k-mer tokens.
//!
//! As published with BarcodeMAE (arXiv 2502.18405): a barcode of at most 660 bases is cut into non-overlapping k-mers. The
//! special tokens come first, then the 4^k k-mers over A, C, G, T in lexicographic order; a k-mer with any other letter is
//! `[UNK]`. The input is taken as it is (lower case is "any other letter"): the reader of files has normalised it before.

use super::frame::{Registration, Strand, reverse_complement};
use std::borrow::Cow;

/// Bases of the published models' window.
pub const DEFAULT_MAX_BASES: usize = 660;
/// Special tokens of the published BarcodeMAE models, ids 0 and 1.
pub const SPECIAL_TOKENS: [&str; 2] = ["[MASK]", "[UNK]"];
/// Special tokens of the first BarcodeBERT release, ids 0 to 2.
pub const LEGACY_SPECIAL_TOKENS: [&str; 3] = ["[MASK]", "[CLS]", "[UNK]"];

/// A tokenizer that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenizerError {
    /// k is 0 or too large for a table of 4^k k-mers.
    #[error("k-mers of {0} bases are not supported; k must be 1 to {max}", max = Tokenizer::MAX_K)]
    K(usize),
    /// The window holds no k-mer, or more than the frame can.
    #[error("a window of {max_bases} bases does not fit k-mers of {k} bases")]
    Window {
        /// Bases in the window.
        max_bases: usize,
        /// Bases in a k-mer.
        k: usize,
    },
    /// `[MASK]` or `[UNK]` is missing or stands twice.
    #[error("the special tokens {0:?} must be different and hold [MASK] and [UNK]")]
    Special(Vec<String>),
}

/// Cuts barcodes into token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenizer {
    k: usize,
    max_bases: usize,
    special_tokens: Vec<String>,
    mask: u32,
    unknown: u32,
}

/// The tokens of one barcode that count: those with attention 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tokens {
    /// Token ids in order.
    pub ids: Vec<u32>,
    /// Position of the first token; the others follow without gaps.
    pub first_position: u32,
}

/// Tokens, and the bases that they were cut from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokensInPlace<'a> {
    /// The tokens.
    pub tokens: Tokens,
    /// The barcode as it was read: turned to the strand that fits the frame.
    pub bases: Cow<'a, [u8]>,
    /// Index in `bases` of the first base of the first token; the others follow without gaps, k bases each.
    pub first_base: usize,
}

impl Tokenizer {
    /// Longest supported k-mer: 4^10 is a table of a million.
    pub const MAX_K: usize = 10;
    /// Longest supported window, far above any barcode.
    const MAX_WINDOW: usize = 1 << 20;

    /// A tokenizer for k-mers of `k` bases in a window of `max_bases`, with these special tokens in the order of their ids.
    ///
    /// # Errors
    /// [`TokenizerError`] where k, the window or the special tokens make no sense.
    pub fn new<S: AsRef<str>>(k: usize, max_bases: usize, special_tokens: &[S]) -> Result<Self, TokenizerError> {
        if !(1..=Self::MAX_K).contains(&k) {
            return Err(TokenizerError::K(k));
        }
        if max_bases < k || max_bases > Self::MAX_WINDOW {
            return Err(TokenizerError::Window { max_bases, k });
        }
        let names: Vec<String> = special_tokens.iter().map(|name| name.as_ref().to_owned()).collect();
        let id_of = |wanted: &str| names.iter().position(|name| name == wanted).map(|id| id as u32);
        let distinct = names.iter().enumerate().all(|(i, name)| !names[..i].contains(name));
        match (id_of("[MASK]"), id_of("[UNK]")) {
            (Some(mask), Some(unknown)) if distinct => Ok(Self { k, max_bases, special_tokens: names, mask, unknown }),
            _ => Err(TokenizerError::Special(names)),
        }
    }

    /// Bases in a k-mer.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Bases in the window; what lies beyond is not read.
    pub fn max_bases(&self) -> usize {
        self.max_bases
    }

    /// Tokens in the window.
    pub fn max_tokens(&self) -> usize {
        self.max_bases / self.k
    }

    /// Names of the special tokens, by id.
    pub fn special_tokens(&self) -> &[String] {
        &self.special_tokens
    }

    /// Id of `[MASK]`.
    pub fn mask(&self) -> u32 {
        self.mask
    }

    /// Id of `[UNK]`.
    pub fn unknown(&self) -> u32 {
        self.unknown
    }

    /// Whether an id stands for no k-mer.
    pub fn is_special(&self, id: u32) -> bool {
        (id as usize) < self.special_tokens.len()
    }

    /// The k-mer of an id; `None` for a special token and for ids beyond the vocabulary.
    pub fn kmer(&self, id: u32) -> Option<Vec<u8>> {
        let rank = (id as usize).checked_sub(self.special_tokens.len()).filter(|rank| rank >> (2 * self.k) == 0)?;
        Some((0..self.k).rev().map(|place| b"ACGT"[rank >> (2 * place) & 3]).collect())
    }

    /// Number of token ids: special tokens and 4^k k-mers.
    pub fn vocabulary(&self) -> usize {
        self.special_tokens.len() + (1 << (2 * self.k))
    }

    /// Id of one k-mer, or of `[UNK]` where it holds another letter than A, C, G, T or is no k-mer.
    fn id(&self, kmer: &[u8]) -> u32 {
        let rank = kmer.iter().try_fold(0u32, |rank, base| {
            let digit = match base {
                b'A' => 0,
                b'C' => 1,
                b'G' => 2,
                b'T' => 3,
                _ => return None,
            };
            Some(rank << 2 | digit)
        });
        match rank {
            Some(rank) if kmer.len() == self.k => rank + self.special_tokens.len() as u32,
            _ => self.unknown,
        }
    }

    /// Ids of the whole k-mers of `sequence`, at most `limit` of them.
    fn ids(&self, sequence: &[u8], limit: usize) -> Vec<u32> {
        sequence.chunks_exact(self.k).take(limit).map(|kmer| self.id(kmer)).collect()
    }

    /// All token ids of the window and their attention, `[max_tokens]` each, of the sequence without its first `offset` bases.
    ///
    /// The k-mer that straddles the end of the sequence is padding too: `[UNK]` with attention 0.
    pub fn padded(&self, sequence: &[u8], offset: usize) -> (Vec<u32>, Vec<u8>) {
        let rest = sequence.get(offset..).unwrap_or_default();
        let mut ids = self.ids(rest, self.max_tokens());
        let mut attention = vec![1; ids.len()];
        ids.resize(self.max_tokens(), self.unknown);
        attention.resize(self.max_tokens(), 0);
        (ids, attention)
    }

    /// The tokens of the sequence as it is, first base first, as published models read. Empty below k bases.
    pub fn read(&self, sequence: &[u8]) -> Tokens {
        Tokens { ids: self.ids(sequence, self.max_tokens()), first_position: 0 }
    }

    /// The tokens of a sequence whose place in the barcode frame is known.
    ///
    /// The sequence is turned to the strand of `at`; bases before the frame, or before the first k-mer boundary of the frame,
    /// are cut; every token takes the position that it has in the frame; tokens past the window are dropped. Two barcodes of
    /// one specimen that start at different bases then share their tokens. Where less than one k-mer is left, the sequence is
    /// read as it is.
    pub fn read_registered(&self, sequence: &[u8], at: &Registration) -> Tokens {
        let (bases, first_token) = self.registered_part(sequence, at);
        self.read_from(&bases, first_token)
    }

    /// What [`Self::read_registered`] reads of a sequence: its bases from the first k-mer boundary of the frame on, and the
    /// position of their first token. The whole sequence and 0 where less than one k-mer is left.
    pub fn registered_part<'a>(&self, sequence: &'a [u8], at: &Registration) -> (Cow<'a, [u8]>, u32) {
        let (mut bases, first_base, first_token) = self.place(sequence, at);
        match &mut bases {
            Cow::Borrowed(bases) => *bases = &bases[first_base..],
            Cow::Owned(bases) => drop(bases.drain(..first_base)),
        }
        (bases, first_token)
    }

    /// The tokens as [`Self::read_registered`] reads them, or as [`Self::read`] does without a registration, and the bases that
    /// they were cut from.
    pub fn read_in_place<'a>(&self, sequence: &'a [u8], at: Option<&Registration>) -> TokensInPlace<'a> {
        let (bases, first_base, first_token) = at.map_or((sequence.into(), 0, 0), |at| self.place(sequence, at));
        TokensInPlace { tokens: self.read_from(&bases[first_base..], first_token), bases, first_base }
    }

    /// A sequence turned to the strand of its registration, the index of the first base of its first k-mer in the frame, and the
    /// position of that k-mer. The sequence as it is where less than one k-mer is left.
    fn place<'a>(&self, sequence: &'a [u8], at: &Registration) -> (Cow<'a, [u8]>, usize, u32) {
        let bases: Cow<'a, [u8]> = match at.strand {
            Strand::Forward => sequence.into(),
            Strand::Reverse => reverse_complement(sequence).into(),
        };
        let start = at.start.max(0) as usize;
        let first_token = start.div_ceil(self.k);
        let cut = usize::try_from((first_token * self.k) as i64 - i64::from(at.start)).unwrap_or(usize::MAX);
        let left = bases.len().saturating_sub(cut) / self.k;
        if left == 0 || first_token >= self.max_tokens() {
            return (sequence.into(), 0, 0);
        }
        (bases, cut, first_token as u32)
    }

    /// The tokens of bases whose first token has a known position.
    pub fn read_from(&self, bases: &[u8], first_token: u32) -> Tokens {
        let limit = self.max_tokens().saturating_sub(first_token as usize);
        Tokens { ids: self.ids(bases, limit), first_position: first_token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokenizer(k: usize) -> Tokenizer {
        Tokenizer::new(k, DEFAULT_MAX_BASES, &SPECIAL_TOKENS).unwrap()
    }

    fn at(start: i32, strand: Strand) -> Registration {
        Registration { start, end: 0, score: 1.0, strand }
    }

    #[test]
    fn kmers_are_numbered_in_lexicographic_order_after_the_special_tokens() {
        let tokenizer = Tokenizer::new(2, 8, &SPECIAL_TOKENS).unwrap();
        let (ids, attention) = tokenizer.padded(b"AAACTT", 0);
        assert_eq!(ids, [2, 3, 17, 1]);
        assert_eq!(attention, [1, 1, 1, 0]);
        let legacy = Tokenizer::new(2, 8, &LEGACY_SPECIAL_TOKENS).unwrap();
        assert_eq!(legacy.padded(b"AAACTTNA", 0).0, [3, 4, 18, 2]);
        assert_eq!((legacy.vocabulary(), legacy.mask(), legacy.unknown()), (19, 0, 2));
    }

    #[test]
    fn sequences_at_and_around_the_window_and_k() {
        let tokenizer = tokenizer(6);
        for (length, expected) in [(0, 0), (5, 0), (6, 1), (11, 1), (658, 109), (660, 110), (2000, 110)] {
            let sequence = vec![b'A'; length];
            assert_eq!(tokenizer.read(&sequence).ids, vec![2; expected], "{length} bases");
            let (ids, attention) = tokenizer.padded(&sequence, 0);
            assert_eq!((ids.len(), attention.len()), (110, 110));
            assert_eq!(attention.iter().map(|&a| usize::from(a)).sum::<usize>(), expected);
        }
        assert_eq!(tokenizer.padded(b"ACGTAC", 7).1, [0; 110]);
    }

    #[test]
    fn what_makes_no_tokenizer_is_refused() {
        let new = |k, window, special: &[&str]| Tokenizer::new(k, window, special);
        assert_eq!(new(0, 660, &SPECIAL_TOKENS), Err(TokenizerError::K(0)));
        assert_eq!(new(11, 660, &SPECIAL_TOKENS), Err(TokenizerError::K(11)));
        assert!(matches!(new(6, 5, &SPECIAL_TOKENS), Err(TokenizerError::Window { .. })));
        assert!(matches!(new(6, usize::MAX, &SPECIAL_TOKENS), Err(TokenizerError::Window { .. })));
        for special in [&["[MASK]"][..], &["[UNK]"], &[], &["[MASK]", "[UNK]", "[UNK]"]] {
            assert!(matches!(new(6, 660, special), Err(TokenizerError::Special(_))), "{special:?}");
        }
    }

    #[test]
    fn registered_reading_cuts_to_the_frame_and_keeps_its_positions() {
        let tokenizer = Tokenizer::new(3, 12, &SPECIAL_TOKENS).unwrap();
        let whole = tokenizer.read(b"AAACCCGGGTTT");
        let cases: [(&[u8], i32, &[u32], u32); 7] = [
            (b"AAACCCGGGTTT", 0, &whole.ids, 0),
            (b"TGAAACCCGGGTTT", -2, &whole.ids, 0),  // bases before the frame
            (b"AACCCGGGTTT", 1, &whole.ids[1..], 1), // to the next boundary
            (b"CCCGGGTTT", 3, &whole.ids[1..], 1),   // on a boundary
            (b"CGGGTTTAAAA", 5, &whole.ids[2..], 2), // past the window
            (b"TTTTTTAAACCCGGGTTTCCCCC", -6, &whole.ids, 0), // both ends over
            (b"GGG", 6, &whole.ids[2..3], 2),
        ];
        for (sequence, start, ids, first_position) in cases {
            let expected = Tokens { ids: ids.to_vec(), first_position };
            let name = String::from_utf8_lossy(sequence);
            assert_eq!(tokenizer.read_registered(sequence, &at(start, Strand::Forward)), expected, "{name}");
            let turned = reverse_complement(sequence);
            assert_eq!(tokenizer.read_registered(&turned, &at(start, Strand::Reverse)), expected, "{name} reversed");
        }
    }

    #[test]
    fn a_barcode_with_less_than_one_kmer_in_the_frame_is_read_as_it_is() {
        let tokenizer = Tokenizer::new(3, 12, &SPECIAL_TOKENS).unwrap();
        let sequence = b"AAAC";
        let cases = [
            (1, Strand::Forward),
            (12, Strand::Forward),
            (4000, Strand::Reverse),
            (-2, Strand::Forward),
            (-9, Strand::Reverse),
        ];
        for (start, strand) in cases {
            assert_eq!(tokenizer.read_registered(sequence, &at(start, strand)), tokenizer.read(sequence), "{start}");
        }
        for start in [i32::MIN, i32::MAX] {
            assert_eq!(tokenizer.read_registered(b"", &at(start, Strand::Reverse)), Tokens::default());
        }
    }

    #[test]
    fn ids_lead_back_to_their_kmers_and_tokens_to_their_bases() {
        for special in [&SPECIAL_TOKENS[..], &LEGACY_SPECIAL_TOKENS[..]] {
            let tokenizer = Tokenizer::new(3, DEFAULT_MAX_BASES, special).unwrap();
            for id in 0..tokenizer.vocabulary() as u32 {
                assert_eq!(tokenizer.is_special(id), (id as usize) < special.len());
                match tokenizer.kmer(id) {
                    None => assert!(tokenizer.is_special(id)),
                    Some(kmer) => assert_eq!(tokenizer.id(&kmer), id),
                }
            }
            assert_eq!(tokenizer.kmer(tokenizer.vocabulary() as u32), None);
        }
        let tokenizer = tokenizer(4);
        let sequence = b"TTGACCANAGTGGTCATTACGAGTT";
        for at in [
            None,
            Some(at(0, Strand::Forward)),
            Some(at(6, Strand::Reverse)),
            Some(at(-3, Strand::Reverse)),
            Some(at(9, Strand::Forward)),
            Some(at(700, Strand::Forward)),
        ] {
            let found = tokenizer.read_in_place(sequence, at.as_ref());
            let expected = at.map_or_else(|| tokenizer.read(sequence), |at| tokenizer.read_registered(sequence, &at));
            assert_eq!(found.tokens, expected);
            for (index, &id) in found.tokens.ids.iter().enumerate() {
                let bases = &found.bases[found.first_base + 4 * index..][..4];
                assert_eq!(tokenizer.id(bases), id, "{at:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn two_copies_of_a_barcode_share_every_token_that_both_hold(
            barcode in "[ACGTN]{60,90}", k in 1usize..7, cut_a in 0usize..20, cut_b in 0usize..20, before in "[ACGT]{0,9}",
        ) {
            let tokenizer = Tokenizer::new(k, 90, &SPECIAL_TOKENS).unwrap();
            let read = |cut: usize, before: &str| {
                let sequence = format!("{before}{}", &barcode[cut..]);
                tokenizer.read_registered(sequence.as_bytes(), &at(cut as i32 - before.len() as i32, Strand::Forward))
            };
            let (a, b) = (read(cut_a, ""), read(cut_b, if cut_b == 0 { &before } else { "" }));
            let token_at = |tokens: &Tokens, position: u32| {
                position.checked_sub(tokens.first_position).and_then(|i| tokens.ids.get(i as usize).copied())
            };
            let later = cut_a.max(cut_b).div_ceil(k);
            for position in later..barcode.len() / k {
                let expected = tokenizer.id(&barcode.as_bytes()[position * k..(position + 1) * k]);
                prop_assert_eq!(token_at(&a, position as u32), Some(expected));
                prop_assert_eq!(token_at(&b, position as u32), Some(expected));
            }
        }
    }
}
