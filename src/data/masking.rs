//! Which tokens of a barcode are hidden from a model, and how it is read then.
//!
//! Only k-mers are ever hidden: special tokens (`[UNK]`) tell nothing that could be taken away. Of a barcode's maskable tokens
//! exactly round(ratio x number) are masked, halves rounded up.

use super::tokens::{Tokenizer, Tokens};
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What stands where a token is masked, and over which tokens the embedding is the mean. The names are those of the published
/// code (arXiv 2502.18405).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskMode {
    /// Masked tokens are left out of encoder and mean; the others keep their positions.
    Drop,
    /// `[MASK]` is put in; the mean is over all tokens.
    Combined,
    /// `[MASK]` is put in; the mean is over the masked positions only.
    Mask,
}

impl MaskMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Drop, Self::Combined, Self::Mask];

    /// The name on the command line and in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Combined => "combined",
            Self::Mask => "mask",
        }
    }

    /// What it does, in a line.
    pub fn title(self) -> &'static str {
        match self {
            Self::Drop => "masked tokens left out",
            Self::Combined => "[MASK] put in, mean over all tokens",
            Self::Mask => "[MASK] put in, mean over the masked positions",
        }
    }
}

impl fmt::Display for MaskMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for MaskMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.key() == text.trim())
            .ok_or_else(|| format!("'{text}' is no mode of masking; known are {}", Self::ALL.map(Self::key).join(", ")))
    }
}

/// Number of tokens that are masked of `maskable` ones at a ratio from 0 to 1.
pub fn masked_number(ratio: f64, maskable: usize) -> usize {
    ((ratio * maskable as f64).round() as usize).min(maskable)
}

/// The random order in which the tokens of one barcode are masked. What is masked at one ratio is masked at every higher one,
/// so that two ratios of one draw differ by nothing but their size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskOrder {
    /// Indices of the maskable tokens, the first to be masked first.
    order: Vec<usize>,
    /// Number of all tokens.
    tokens: usize,
}

impl MaskOrder {
    /// Draws an order for the tokens of a barcode.
    pub fn draw(tokens: &Tokens, tokenizer: &Tokenizer, rng: &mut impl Rng) -> Self {
        let ids = tokens.ids.iter().enumerate();
        let mut order: Vec<usize> = ids.filter(|(_, id)| !tokenizer.is_special(**id)).map(|(at, _)| at).collect();
        order.shuffle(rng);
        Self { order, tokens: tokens.ids.len() }
    }

    /// The same order without the first token, which a causal model has nothing to guess from.
    #[must_use]
    pub fn sparing_first(mut self) -> Self {
        self.order.retain(|&at| at != 0);
        self
    }

    /// Number of tokens that may be masked.
    pub fn maskable(&self) -> usize {
        self.order.len()
    }

    /// Whether each token is masked at this ratio, `[tokens]`.
    pub fn mask(&self, ratio: f64) -> Vec<bool> {
        let mut masked = vec![false; self.tokens];
        self.order[..masked_number(ratio, self.order.len())].iter().for_each(|&at| masked[at] = true);
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tokens::{DEFAULT_MAX_BASES, LEGACY_SPECIAL_TOKENS, SPECIAL_TOKENS};
    use crate::seed::Seed;
    use proptest::prelude::*;

    #[test]
    fn modes_are_read_back() {
        for mode in MaskMode::ALL {
            assert_eq!(mode.key().parse(), Ok(mode));
        }
        assert!("zero".parse::<MaskMode>().unwrap_err().contains("combined"));
    }

    #[test]
    fn halves_are_rounded_up_and_nothing_is_masked_of_nothing() {
        let expected =
            [(0.0, 110, 0), (0.5, 109, 55), (0.25, 110, 28), (0.9, 5, 5), (0.9, 6, 5), (1.0, 7, 7), (0.7, 0, 0)];
        for (ratio, maskable, number) in expected {
            assert_eq!(masked_number(ratio, maskable), number, "{ratio} of {maskable}");
        }
    }

    #[test]
    fn every_maskable_token_is_masked_equally_often() {
        let tokenizer = Tokenizer::new(2, DEFAULT_MAX_BASES, &SPECIAL_TOKENS).unwrap();
        let tokens = tokenizer.read(b"ACGTNNACGTGGTTACGNAA");
        let mut counts = vec![0; tokens.ids.len()];
        for draw in 0..4000 {
            let order = MaskOrder::draw(&tokens, &tokenizer, &mut Seed(1).stream_at("masks", draw));
            order.mask(0.5).iter().zip(&mut counts).for_each(|(&masked, count)| *count += usize::from(masked));
        }
        // 8 of the 10 tokens are k-mers, 4 of them are masked
        for (count, id) in counts.into_iter().zip(&tokens.ids) {
            let expected = if tokenizer.is_special(*id) { 0..=0 } else { 1850..=2150 };
            assert!(expected.contains(&count), "{count} for {id}");
        }
    }

    proptest! {
        #[test]
        fn exactly_the_rounded_share_of_kmers_is_masked_and_masks_are_nested(
            letters in "[ACGTN]{0,90}",
            seed in 0u64..500,
            low in 0.0f64..=0.9,
            more in 0.0f64..=0.1,
            legacy in any::<bool>(),
        ) {
            let special: &[&str] = if legacy { &LEGACY_SPECIAL_TOKENS } else { &SPECIAL_TOKENS };
            let tokenizer = Tokenizer::new(3, DEFAULT_MAX_BASES, special).unwrap();
            let tokens = tokenizer.read(letters.as_bytes());
            let order = MaskOrder::draw(&tokens, &tokenizer, &mut Seed(seed).stream("masks"));
            let kmers = tokens.ids.iter().filter(|&&id| id as usize >= special.len()).count();
            prop_assert_eq!(order.maskable(), kmers);
            let (few, many) = (order.mask(low), order.mask(low + more));
            prop_assert_eq!(few.len(), tokens.ids.len());
            prop_assert_eq!(few.iter().filter(|&&masked| masked).count(), (low * kmers as f64).round() as usize);
            for ((few, many), &id) in few.iter().zip(&many).zip(&tokens.ids) {
                prop_assert!(!few || *many);
                prop_assert!(!many || !tokenizer.is_special(id));
            }
        }
    }
}
