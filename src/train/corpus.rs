//! The barcodes of a run: every different one once, four bits a letter, without names and labels.

use super::TrainError;
use super::objective::Streams;
use super::settings::CheckedSettings;
use crate::data::dataset::Dataset;
use crate::data::frame::FrameCheck;
use crate::data::seen::{SeenBarcodes, kept_of, long_hash_of};
use crate::data::taxonomy::Field;
use crate::data::tokens::{Tokenizer, Tokens};
use crate::key::ContentHash;
use crate::seed::Seed;
use rand::Rng;
use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// Letters by their code; every other letter is the last.
const LETTERS: [u8; 5] = *b"ACGTN";

/// Barcodes, four bits a letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Store {
    packed: Vec<u8>,
    /// Number of letters up to the end of each barcode.
    ends: Vec<u64>,
    /// Position of each barcode's first token.
    first_tokens: Vec<u32>,
}

impl Store {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn push(&mut self, letters: &[u8], first_token: u32) {
        let mut at = self.ends.last().copied().unwrap_or(0);
        for letter in letters {
            let code = LETTERS.iter().position(|known| known == letter).unwrap_or(LETTERS.len() - 1) as u8;
            if at.is_multiple_of(2) {
                self.packed.push(code);
            } else if let Some(last) = self.packed.last_mut() {
                *last |= code << 4;
            }
            at += 1;
        }
        self.ends.push(at);
        self.first_tokens.push(first_token);
    }

    fn bytes(&self) -> usize {
        self.packed.len() + size_of_val(&self.ends[..]) + size_of_val(&self.first_tokens[..])
    }

    fn letters(&self, index: usize) -> Vec<u8> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let code = |at: u64| self.packed[(at / 2) as usize] >> (4 * (at % 2)) & 15;
        (start..self.ends[index]).map(|at| LETTERS[usize::from(code(at))]).collect()
    }
}

/// What a model is trained and validated on.
#[derive(Debug, Clone)]
pub struct Corpus {
    train: Store,
    validation: Store,
    seen: SeenBarcodes,
    key: ContentHash,
}

impl Corpus {
    /// Number of barcodes to train on.
    pub fn len(&self) -> usize {
        self.train.len()
    }

    /// Whether there is none to train on.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of barcodes to validate on.
    pub fn validation_len(&self) -> usize {
        self.validation.len()
    }

    /// Bytes that the barcodes take.
    pub(super) fn bytes(&self) -> usize {
        self.train.bytes() + self.validation.bytes()
    }

    /// The record of the barcodes that are trained on.
    pub fn seen(&self) -> &SeenBarcodes {
        &self.seen
    }

    /// Hash of all barcodes in their order.
    pub fn key(&self) -> ContentHash {
        self.key
    }

    /// The tokens of training barcode `index`, without its first bases where the run cuts them off at random; `draw` is the
    /// number of barcodes that the run drew before.
    pub(super) fn training_tokens(
        &self,
        index: usize,
        draw: u64,
        settings: &CheckedSettings,
        streams: &Streams,
    ) -> Tokens {
        let letters = self.train.letters(index);
        let tokenizer = &settings.tokenizer;
        let offset = if settings.offsets() { streams.offset(draw).random_range(0..tokenizer.k()) } else { 0 };
        let cut = if letters.len() >= offset + tokenizer.k() { &letters[offset..] } else { &letters[..] };
        tokenizer.read_from(cut, self.train.first_tokens[index])
    }

    /// The tokens of validation barcode `index`.
    pub(super) fn validation_tokens(&self, index: usize, tokenizer: &Tokenizer) -> Tokens {
        tokenizer.read_from(&self.validation.letters(index), self.validation.first_tokens[index])
    }

    /// The order in which a pass over the barcodes takes them.
    pub(super) fn order(&self, seed: Seed, epoch: u64) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.shuffle(&mut seed.stream_at("train/order", epoch));
        order
    }
}

/// Collects the barcodes of a run, dataset by dataset.
#[derive(Debug)]
pub struct CorpusBuilder<'a> {
    settings: &'a CheckedSettings,
    train: Store,
    validation: Store,
    known: HashSet<u64>,
    hashes: Vec<u64>,
    hasher: Sha256,
    too_short: usize,
}

/// What a barcode is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Nothing,
    Validation,
    Training,
}

impl<'a> CorpusBuilder<'a> {
    /// Nothing collected yet.
    pub fn new(settings: &'a CheckedSettings) -> Self {
        Self {
            settings,
            train: Store::default(),
            validation: Store::default(),
            known: HashSet::new(),
            hashes: Vec::new(),
            hasher: Sha256::new(),
            too_short: 0,
        }
    }

    /// Takes every different barcode of a dataset that the settings ask for. `frames`, by unique barcode, registers them.
    pub fn add(&mut self, dataset: &Dataset, frames: Option<&[FrameCheck]>) {
        let settings = self.settings.settings();
        let uses = uses_of(dataset, &settings.splits.0, &settings.validation_split);
        for (unique, mut used) in uses.into_iter().enumerate() {
            let sequence = dataset.unique_sequence(unique);
            let hash = long_hash_of(sequence);
            if used == Use::Nothing || !self.known.insert(hash) {
                continue;
            }
            let set_aside = settings.validation_split.is_empty() && share_of(hash) < settings.validation_share;
            if used == Use::Training && set_aside {
                used = Use::Validation;
            }
            let registration = frames.and_then(|frames| frames[unique].registration.as_ref());
            self.push(sequence, hash, used, registration.filter(|found| found.is_coi()));
        }
    }

    fn push(&mut self, sequence: &[u8], hash: u64, used: Use, registration: Option<&crate::data::frame::Registration>) {
        let tokenizer = &self.settings.tokenizer;
        let (bases, first_token) = match registration {
            Some(registration) => tokenizer.registered_part(sequence, registration),
            None => (sequence.into(), 0),
        };
        if bases.len() < tokenizer.k() {
            self.too_short += 1;
            return;
        }
        // what lies beyond the window is never read, wherever the offset begins
        let read = &bases[..bases.len().min(tokenizer.max_bases() + tokenizer.k() - 1)];
        self.hasher.update([u8::from(used == Use::Training)]);
        self.hasher.update(hash.to_le_bytes());
        if used == Use::Training {
            self.train.push(read, first_token);
            self.hashes.push(kept_of(hash));
        } else {
            self.validation.push(read, first_token);
        }
    }

    /// The barcodes of the run.
    ///
    /// # Errors
    /// [`TrainError::NoBarcodes`] where none is left to train on.
    pub fn finish(self) -> Result<Corpus, TrainError> {
        if self.train.len() == 0 {
            return Err(TrainError::NoBarcodes {
                too_short: self.too_short,
                splits: self.settings.settings().splits.0.clone(),
            });
        }
        Ok(Corpus {
            train: self.train,
            validation: self.validation,
            seen: SeenBarcodes::of_hashes(self.hashes),
            key: ContentHash(self.hasher.finalize().into()),
        })
    }
}

/// What every unique barcode of a dataset is for. Where records of one barcode differ, training comes first.
fn uses_of(dataset: &Dataset, splits: &[String], validation_split: &str) -> Vec<Use> {
    let mut uses = vec![Use::Nothing; dataset.unique_len()];
    for row in 0..dataset.len() {
        let split = dataset.label(row, Field::Split).unwrap_or_default();
        let validates = !validation_split.is_empty() && split == validation_split;
        let trains = !validates && (splits.is_empty() || splits.iter().any(|wanted| wanted == split));
        let used = &mut uses[dataset.unique_of(row)];
        if trains {
            *used = Use::Training;
        } else if validates && *used == Use::Nothing {
            *used = Use::Validation;
        }
    }
    uses
}

/// A number from 0 to 1 that follows from a barcode alone, so that the same barcodes are set aside from any files in any order.
fn share_of(hash: u64) -> f64 {
    const LOW_BITS: u32 = 24;
    (hash & ((1 << LOW_BITS) - 1)) as f64 / f64::from(1 << LOW_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};
    use crate::train::settings::{Names, TrainSettings};

    fn dataset(rows: &[(&str, &str)]) -> Dataset {
        let mut builder = DatasetBuilder::new("some", Vec::new());
        for (index, (sequence, split)) in rows.iter().enumerate() {
            builder.push(Record {
                id: index.to_string(),
                sequence: sequence.as_bytes().to_vec(),
                labels: [(Field::Split, (*split).to_owned())].into(),
                ..Record::default()
            });
        }
        builder.finish()
    }

    fn settings(settings: &TrainSettings) -> CheckedSettings {
        settings.checked().unwrap().remove(0)
    }

    fn corpus_of(settings: &CheckedSettings, rows: &[(&str, &str)]) -> Result<Corpus, TrainError> {
        let mut builder = CorpusBuilder::new(settings);
        builder.add(&dataset(rows), None);
        builder.finish()
    }

    #[test]
    fn barcodes_are_kept_once_and_come_back_letter_by_letter() {
        let settings =
            settings(&TrainSettings { k: 3, max_bases: 9, validation_share: 0.0, ..TrainSettings::default() });
        let corpus =
            corpus_of(&settings, &[("ACGTNRA", ""), ("AC", ""), ("ACGTNRA", ""), ("TTTTTTTTTTTTTTTT", "")]).unwrap();
        assert_eq!((corpus.len(), corpus.validation_len()), (2, 0));
        assert_eq!(corpus.train.letters(0), b"ACGTNNA");
        assert_eq!(corpus.train.letters(1), b"TTTTTTTTTTT", "the window and what an offset may shift into it");
        assert!(corpus.seen().contains(b"ACGTNRA") && !corpus.seen().contains(b"AC"));
        assert!(matches!(corpus_of(&settings, &[("AC", "")]), Err(TrainError::NoBarcodes { too_short: 1, .. })));
    }

    #[test]
    fn splits_say_what_a_barcode_is_for() {
        let chosen = TrainSettings {
            k: 3,
            splits: Names(vec!["train".into(), "pretrain".into()]),
            validation_split: "val".into(),
            ..TrainSettings::default()
        };
        let rows = [("ACGT", "train"), ("AGGT", "val"), ("TTTT", "test"), ("CCCC", "pretrain"), ("ACGT", "val")];
        let corpus = corpus_of(&settings(&chosen), &rows).unwrap();
        assert_eq!((corpus.len(), corpus.validation_len()), (2, 1));
        assert_eq!(corpus.validation.letters(0), b"AGGT");
        assert!(!corpus.seen().contains(b"AGGT") && !corpus.seen().contains(b"TTTT"));
    }

    #[test]
    fn the_barcodes_that_are_set_aside_do_not_depend_on_the_files() {
        let settings = settings(&TrainSettings { k: 3, validation_share: 0.3, ..TrainSettings::default() });
        let barcodes: Vec<String> =
            (0..300u32).map(|number| format!("ACGT{number:b}").replace('0', "C").replace('1', "G")).collect();
        let rows: Vec<(&str, &str)> = barcodes.iter().map(|barcode| (barcode.as_str(), "")).collect();
        let mut builder = CorpusBuilder::new(&settings);
        rows.chunks(7).rev().for_each(|part| builder.add(&dataset(part), None));
        let in_parts = builder.finish().unwrap();
        let at_once = corpus_of(&settings, &rows).unwrap();
        assert_eq!(in_parts.seen(), at_once.seen());
        assert!((60..120).contains(&at_once.validation_len()), "{}", at_once.validation_len());
        assert_ne!(in_parts.key(), at_once.key(), "the order of the barcodes is part of a run");
    }

    #[test]
    fn offsets_are_drawn_from_every_base_of_a_kmer_and_never_for_registered_models() {
        let letters = "ACGTTGCAACGTTGCAACGTTGCA";
        let first_tokens = |register: bool| {
            let settings =
                settings(&TrainSettings { k: 4, validation_share: 0.0, register, ..TrainSettings::default() });
            let corpus = corpus_of(&settings, &[(letters, "")]).unwrap();
            let streams = Streams::new(Seed(1));
            let draws = (0..40).map(|draw| corpus.training_tokens(0, draw, &settings, &streams).ids[0]);
            draws.collect::<HashSet<u32>>().len()
        };
        assert_eq!((first_tokens(false), first_tokens(true)), (4, 1));
    }

    #[test]
    fn every_pass_takes_every_barcode_once_in_an_order_of_its_own() {
        let settings = settings(&TrainSettings { k: 3, validation_share: 0.0, ..TrainSettings::default() });
        let barcodes: Vec<String> = (0..50).map(|length| "ACG".repeat(length + 1)).collect();
        let rows: Vec<(&str, &str)> = barcodes.iter().map(|barcode| (barcode.as_str(), "")).collect();
        let corpus = corpus_of(&settings, &rows).unwrap();
        let (first, second) = (corpus.order(Seed(1), 0), corpus.order(Seed(1), 1));
        assert_ne!(first, second);
        assert_eq!(first, corpus.order(Seed(1), 0));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<u32>>());
    }
}
