//! What is asked of the network: which tokens are hidden, what it sees, what it must name.

use super::network::{Batch, DecoderRows, Places, Target};
use crate::data::masking::masked_number;
use crate::data::tokens::{Tokenizer, Tokens};
use crate::seed::Seed;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The task that a model learns by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// Masked autoencoder, as BarcodeMAE: the encoder sees the tokens that are not masked, a decoder names the others.
    #[default]
    Mae,
    /// Masked language model: the encoder sees `[MASK]` in place of the masked tokens and names them. The paper's baseline.
    Mlm,
    /// Causal language model: the encoder names every next token, seeing those before it.
    Causal,
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mae => "mae",
            Self::Mlm => "mlm",
            Self::Causal => "causal",
        })
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "mae" => Ok(Self::Mae),
            "mlm" => Ok(Self::Mlm),
            "causal" => Ok(Self::Causal),
            _ => Err(format!("'{text}' is no objective; known are mae, mlm, causal")),
        }
    }
}

/// How tokens are hidden.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Masking {
    pub(crate) objective: Objective,
    /// Share of a barcode's k-mers that are chosen.
    pub(crate) ratio: f64,
    /// Share of the chosen that are shown as another k-mer.
    pub(crate) random_share: f64,
    /// Share of the chosen that are shown as they are.
    pub(crate) kept_share: f64,
    /// Share of the loss that the chosen make; the other k-mers make the rest.
    pub(crate) masked_weight: f64,
}

/// What became of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Shown, and not to be named with the chosen ones.
    Seen,
    /// Chosen and hidden.
    Masked,
    /// Chosen and shown as this token.
    Shown(u32),
}

/// A barcode's tokens with what became of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    tokens: Tokens,
    fates: Vec<Fate>,
}

/// Tokens in encoder and decoder of some batches, for speeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// Tokens that went through the encoder.
    pub encoder: u64,
    /// Tokens that went through the decoder.
    pub decoder: u64,
}

/// Number of targets in the samples of a step, over which the loss is a mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TargetCounts {
    pub(crate) chosen: usize,
    pub(crate) others: usize,
}

impl Masking {
    /// Decides about every token of a barcode. Special tokens are never chosen; of the `n` k-mers exactly round(ratio × n) are.
    pub(crate) fn draw(&self, tokens: Tokens, tokenizer: &Tokenizer, rng: &mut ChaCha8Rng) -> Sample {
        let mut fates = vec![Fate::Seen; tokens.ids.len()];
        if self.objective != Objective::Causal {
            let special = tokenizer.special_tokens().len() as u32;
            let mut kmers: Vec<usize> = (0..fates.len()).filter(|&at| tokens.ids[at] >= special).collect();
            let chosen = masked_number(self.ratio, kmers.len());
            let random = (self.random_share * chosen as f64).round() as usize;
            let kept = ((self.kept_share * chosen as f64).round() as usize).min(chosen - random);
            for drawn in 0..chosen {
                let other = rng.random_range(drawn..kmers.len());
                kmers.swap(drawn, other);
                fates[kmers[drawn]] = if drawn < random {
                    Fate::Shown(rng.random_range(special..tokenizer.vocabulary() as u32))
                } else if drawn < random + kept {
                    Fate::Shown(tokens.ids[kmers[drawn]])
                } else {
                    Fate::Masked
                };
            }
        }
        Sample { tokens, fates }
    }

    /// Targets of some samples.
    pub(crate) fn count(&self, samples: &[Sample], tokenizer: &Tokenizer) -> TargetCounts {
        let special = tokenizer.special_tokens().len() as u32;
        let mut counts = TargetCounts::default();
        for sample in samples {
            let kmers = sample.tokens.ids.iter().filter(|&&id| id >= special).count();
            let chosen = match self.objective {
                Objective::Causal => sample.tokens.ids.iter().skip(1).filter(|&&id| id >= special).count(),
                _ => sample.fates.iter().filter(|&&fate| fate != Fate::Seen).count(),
            };
            counts.chosen += chosen;
            counts.others += kmers - chosen;
        }
        counts
    }

    /// What the network is shown of some samples, whose loss is a part of a step's with `counts` targets.
    pub(crate) fn batch(&self, samples: &[Sample], counts: TargetCounts, tokenizer: &Tokenizer) -> Batch {
        let mut builder = Builder {
            batch: Batch { decoder: (self.objective == Objective::Mae).then(DecoderRows::default), ..Batch::default() },
            special: tokenizer.special_tokens().len() as u32,
            mask: tokenizer.mask(),
            chosen_weight: share(self.masked_weight, counts.chosen),
            other_weight: share(1.0 - self.masked_weight, counts.others),
        };
        for sample in samples {
            match self.objective {
                Objective::Mae => builder.add_to_autoencoder(sample),
                Objective::Mlm => builder.add_with_masks(sample),
                Objective::Causal => builder.add_in_order(sample),
            }
        }
        builder.batch
    }
}

fn share(weight: f64, count: usize) -> f32 {
    if count == 0 { 0.0 } else { (weight / count as f64) as f32 }
}

impl Batch {
    /// Tokens that pass through encoder and decoder.
    pub(crate) fn token_counts(&self) -> TokenCounts {
        let decoder = self.decoder.as_ref().map_or(0, |rows| rows.sources.len());
        TokenCounts { encoder: self.ids.len() as u64, decoder: decoder as u64 }
    }
}

/// Puts samples behind each other.
struct Builder {
    batch: Batch,
    special: u32,
    mask: u32,
    chosen_weight: f32,
    other_weight: f32,
}

impl Builder {
    /// A row that must name a token; special tokens are no targets, and others count only where they have a weight.
    fn target(&mut self, row: usize, id: u32, chosen: bool) {
        let weight = if chosen { self.chosen_weight } else { self.other_weight };
        if id >= self.special && (chosen || weight > 0.0) {
            self.batch.targets.push(Target { row: row as u32, class: id - self.special, weight, scored: chosen });
        }
    }

    fn add_to_autoencoder(&mut self, sample: &Sample) {
        let mut rows = self.batch.decoder.take().unwrap_or_default();
        let (start, decoder_start) = (self.batch.ids.len(), rows.sources.len());
        for (at, (&id, &fate)) in sample.tokens.ids.iter().zip(&sample.fates).enumerate() {
            let position = sample.tokens.first_position + at as u32;
            self.target(rows.sources.len(), id, fate != Fate::Seen);
            rows.places.positions.push(position);
            let seen = match fate {
                Fate::Masked => None,
                Fate::Seen => Some(id),
                Fate::Shown(other) => Some(other),
            };
            rows.sources.push(seen.map(|_| self.batch.ids.len() as u32));
            if let Some(id) = seen {
                self.batch.ids.push(id);
                self.batch.places.positions.push(position);
            }
        }
        self.batch.places.sequences.push(start..self.batch.ids.len());
        rows.places.sequences.push(decoder_start..rows.sources.len());
        self.batch.decoder = Some(rows);
    }

    fn add_with_masks(&mut self, sample: &Sample) {
        let mask = self.mask;
        for (at, (&id, &fate)) in sample.tokens.ids.iter().zip(&sample.fates).enumerate() {
            self.target(self.batch.ids.len() + at, id, fate != Fate::Seen);
        }
        let shown = sample.tokens.ids.iter().zip(&sample.fates).map(|(&id, &fate)| match fate {
            Fate::Seen => id,
            Fate::Masked => mask,
            Fate::Shown(other) => other,
        });
        let shown: Vec<u32> = shown.collect();
        self.add_rows(&shown, sample.tokens.first_position);
    }

    fn add_in_order(&mut self, sample: &Sample) {
        let start = self.batch.ids.len();
        for (at, &next) in sample.tokens.ids.iter().skip(1).enumerate() {
            self.target(start + at, next, true);
        }
        self.add_rows(&sample.tokens.ids, sample.tokens.first_position);
    }

    fn add_rows(&mut self, ids: &[u32], first_position: u32) {
        let Places { positions, sequences } = &mut self.batch.places;
        let start = self.batch.ids.len();
        self.batch.ids.extend(ids);
        positions.extend((0..ids.len() as u32).map(|at| first_position + at));
        sequences.push(start..self.batch.ids.len());
    }
}

/// The draws of a run, each from the stream of its purpose and by its own number, so that nothing need be remembered to go on.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    offsets: ChaCha8Rng,
    masks: ChaCha8Rng,
    partners: ChaCha8Rng,
    noise: ChaCha8Rng,
    dropout: ChaCha8Rng,
    validation: ChaCha8Rng,
}

impl Streams {
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            offsets: seed.stream("train/offsets"),
            masks: seed.stream("train/masks"),
            partners: seed.stream("train/partners"),
            noise: seed.stream("train/noise"),
            dropout: seed.stream("train/dropout"),
            validation: seed.stream("train/validation"),
        }
    }

    /// For the bases that are cut off the front of the run's `index`-th barcode.
    pub(crate) fn offset(&self, index: u64) -> ChaCha8Rng {
        at(&self.offsets, index)
    }

    /// For the masks of the run's `index`-th barcode.
    pub(crate) fn mask(&self, index: u64) -> ChaCha8Rng {
        at(&self.masks, index)
    }

    /// For the choice of the run's `index`-th barcode where it is shown beside another.
    pub(crate) fn partner(&self, index: u64) -> ChaCha8Rng {
        at(&self.partners, index)
    }

    /// For the bases that are replaced in the run's `index`-th barcode.
    pub(crate) fn noise(&self, index: u64) -> ChaCha8Rng {
        at(&self.noise, index)
    }

    /// For the masks of the `index`-th barcode that is validated on: the same in every validation.
    pub(crate) fn validation(&self, index: u64) -> ChaCha8Rng {
        at(&self.validation, index)
    }

    /// For what is dropped in the run's `index`-th pass.
    pub(crate) fn dropout(&self, index: u64) -> ChaCha8Rng {
        at(&self.dropout, index)
    }
}

fn at(stream: &ChaCha8Rng, index: u64) -> ChaCha8Rng {
    let mut rng = stream.clone();
    rng.set_stream(index);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tokens::SPECIAL_TOKENS;
    use proptest::prelude::*;

    fn tokenizer() -> Tokenizer {
        Tokenizer::new(2, 40, &SPECIAL_TOKENS).unwrap()
    }

    fn masking(objective: Objective) -> Masking {
        Masking { objective, ratio: 0.5, random_share: 0.0, kept_share: 0.0, masked_weight: 1.0 }
    }

    fn sample(masking: &Masking, letters: &str, index: u64) -> Sample {
        let tokenizer = tokenizer();
        masking.draw(tokenizer.read(letters.as_bytes()), &tokenizer, &mut Streams::new(Seed(3)).mask(index))
    }

    proptest! {
        #[test]
        fn exactly_the_share_of_the_kmers_is_chosen_and_never_a_special_token(
            letters in "[ACGTN]{2,40}", ratio in 0.0f64..=1.0, index in 0u64..50,
        ) {
            let masking = Masking { ratio, ..masking(Objective::Mae) };
            let sample = sample(&masking, &letters, index);
            let kmers = sample.tokens.ids.iter().filter(|&&id| id >= 2).count();
            let masked = sample.fates.iter().filter(|&&fate| fate == Fate::Masked).count();
            prop_assert_eq!(masked, (ratio * kmers as f64).round() as usize);
            let special = sample.tokens.ids.iter().zip(&sample.fates).filter(|(id, _)| **id < 2);
            prop_assert!(special.into_iter().all(|(_, fate)| *fate == Fate::Seen));
        }
    }

    #[test]
    fn every_kmer_is_masked_as_often_as_the_others() {
        let mut often = vec![0; 20];
        for index in 0..2000 {
            let sample = sample(&masking(Objective::Mae), "ACGTTGCAACGTTGCAACGTTGCAACGTTGCAACGTTGCA", index);
            sample.fates.iter().zip(&mut often).for_each(|(fate, often)| *often += usize::from(*fate == Fate::Masked));
        }
        assert!(often.iter().all(|&often| (900..1100).contains(&often)), "{often:?}");
    }

    #[test]
    fn the_autoencoder_shows_the_encoder_what_is_left_and_asks_the_decoder_for_the_rest() {
        let masking = masking(Objective::Mae);
        let samples = [sample(&masking, "ACGTTGCANNACGTTG", 1), sample(&masking, "TTTTGGGG", 2)];
        let counts = masking.count(&samples, &tokenizer());
        assert_eq!(counts, TargetCounts { chosen: 4 + 2, others: 3 + 2 });
        let batch = masking.batch(&samples, counts, &tokenizer());
        let decoder = batch.decoder.as_ref().unwrap();
        assert_eq!(batch.token_counts(), TokenCounts { encoder: 6, decoder: 12 });
        assert_eq!(batch.targets.len(), 6);
        for target in &batch.targets {
            assert_eq!(decoder.sources[target.row as usize], None, "a masked position is not seen");
            assert!((target.weight - 1.0 / 6.0).abs() < 1e-7 && target.scored);
        }
        let ids: Vec<u32> = samples.iter().flat_map(|sample| sample.tokens.ids.clone()).collect();
        for (row, source) in decoder.sources.iter().enumerate() {
            let Some(source) = source else { continue };
            assert_eq!(batch.ids[*source as usize], ids[row]);
            assert_eq!(
                batch.places.positions[*source as usize], decoder.places.positions[row],
                "tokens keep their positions"
            );
        }
        assert_eq!(decoder.places.sequences, [0..8, 8..12]);
        assert!(batch.ids.iter().all(|&id| id != 0), "the encoder never sees [MASK]");
    }

    #[test]
    fn the_masked_model_sees_masks_and_the_causal_one_names_what_comes_next() {
        let mlm = masking(Objective::Mlm);
        let samples = [sample(&mlm, "ACGTTGCANNACGTTG", 1)];
        let batch = mlm.batch(&samples, mlm.count(&samples, &tokenizer()), &tokenizer());
        assert_eq!((batch.ids.len(), batch.decoder.is_none()), (8, true));
        let masked: Vec<u32> = (0..8).filter(|&row| batch.ids[row as usize] == 0).collect();
        assert_eq!(batch.targets.iter().map(|target| target.row).collect::<Vec<_>>(), masked);
        for target in &batch.targets {
            assert_eq!(target.class + 2, samples[0].tokens.ids[target.row as usize]);
        }

        let causal = masking(Objective::Causal);
        let samples = [sample(&causal, "ACGTTGCANNACGTTG", 1)];
        let batch = causal.batch(&samples, causal.count(&samples, &tokenizer()), &tokenizer());
        assert_eq!(batch.ids, samples[0].tokens.ids);
        let named: Vec<(u32, u32)> = batch.targets.iter().map(|target| (target.row, target.class + 2)).collect();
        let ids = &batch.ids;
        let expected: Vec<(u32, u32)> =
            (0..7).filter(|&row| ids[row + 1] >= 2).map(|row| (row as u32, ids[row + 1])).collect();
        assert_eq!(named, expected);
        let sum: f32 = batch.targets.iter().map(|target| target.weight).sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }

    #[test]
    fn chosen_tokens_may_be_shown_as_others_or_as_they_are() {
        let letters = "ACGTTGCAACGTTGCAACGTTGCAACGTTGCAACGTTGCA";
        for objective in [Objective::Mae, Objective::Mlm] {
            let masking = Masking { random_share: 0.2, kept_share: 0.3, masked_weight: 0.8, ..masking(objective) };
            let sample = sample(&masking, letters, 5);
            let shown = sample.fates.iter().filter(|fate| matches!(fate, Fate::Shown(_))).count();
            let masked = sample.fates.iter().filter(|&&fate| fate == Fate::Masked).count();
            assert_eq!((shown, masked), (5, 5));
            let samples = [sample];
            let batch = masking.batch(&samples, masking.count(&samples, &tokenizer()), &tokenizer());
            assert_eq!(batch.targets.iter().filter(|target| target.scored).count(), 10);
            assert_eq!(batch.targets.len(), 20, "the others count for the rest of the loss");
            let weight = |scored: bool| -> f32 {
                batch.targets.iter().filter(|target| target.scored == scored).map(|target| target.weight).sum()
            };
            assert!((weight(true) - 0.8).abs() < 1e-6 && (weight(false) - 0.2).abs() < 1e-6);
        }
    }

    #[test]
    fn objectives_are_read_back() {
        for objective in [Objective::Mae, Objective::Mlm, Objective::Causal] {
            assert_eq!(objective.to_string().parse(), Ok(objective));
        }
        assert!("bert".parse::<Objective>().is_err());
    }
}
