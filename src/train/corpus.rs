//! The barcodes of a run: every different one once, four bits a letter, without names and labels.

use super::TrainError;
use super::objective::Streams;
use super::partners::{Label, Partner, Partners};
use super::relatives::Planes;
use super::settings::CheckedSettings;
use crate::data::dataset::Dataset;
use crate::data::frame::{FrameCheck, Registration};
use crate::data::seen::{SeenBarcodes, kept_of, long_hash_of};
use crate::data::taxonomy::Field;
use crate::data::tokens::{Tokenizer, Tokens};
use crate::key::ContentHash;
use crate::progress::{Cancelled, Observer};
use crate::seed::Seed;
use rand::Rng;
use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// Letters by their code; every other letter is the last.
const LETTERS: [u8; 5] = *b"ACGTN";
/// What stands for every letter that is no base.
const UNKNOWN: u8 = b'N';

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
        self.span(index).map(|at| self.letter_at(at)).collect()
    }

    /// One letter of a barcode, where it is so long.
    fn letter(&self, index: usize, at: usize) -> Option<u8> {
        let span = self.span(index);
        let at = span.start + at as u64;
        span.contains(&at).then(|| self.letter_at(at))
    }

    fn span(&self, index: usize) -> std::ops::Range<u64> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }

    fn letter_at(&self, at: u64) -> u8 {
        LETTERS[usize::from(self.packed[(at / 2) as usize] >> (4 * (at % 2)) & 15)]
    }
}

/// What a model is trained and validated on.
#[derive(Debug, Clone)]
pub struct Corpus {
    store: Store,
    /// Places in the store of the barcodes to train on, and of those to validate on.
    train: Vec<u32>,
    validation: Vec<u32>,
    /// Genus and species of the training barcodes; empty where nothing asks for them.
    labels: Vec<Label>,
    partners: Partners,
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
        let rows = size_of_val(&self.train[..]) + size_of_val(&self.validation[..]);
        self.store.bytes() + rows + size_of_val(&self.labels[..]) + self.partners.bytes()
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
        let place = self.train[index] as usize;
        let mut letters = self.store.letters(place);
        let tokenizer = &settings.tokenizer;
        if settings.contrasts() && settings.settings().noise > 0.0 {
            self.mix(index, &mut letters, settings.settings().noise, tokenizer.k(), &mut streams.noise(draw));
        }
        let offset = if settings.offsets() { streams.offset(draw).random_range(0..tokenizer.k()) } else { 0 };
        let cut = if letters.len() >= offset + tokenizer.k() { &letters[offset..] } else { &letters[..] };
        tokenizer.read_from(cut, self.store.first_tokens[place])
    }

    /// Replaces a share of a barcode's letters by those of other barcodes at the same place of the frame: places that vary
    /// change often, those that never do stay.
    fn mix(&self, index: usize, letters: &mut [u8], share: f64, k: usize, rng: &mut impl Rng) {
        let start = self.start_of(index, k);
        for (at, letter) in letters.iter_mut().enumerate() {
            if rng.random_bool(share) {
                let other = rng.random_range(0..self.train.len());
                let place = (start + at).checked_sub(self.start_of(other, k));
                let found = place.and_then(|at| self.store.letter(self.train[other] as usize, at));
                *letter = found.filter(|found| *found != UNKNOWN).unwrap_or(*letter);
            }
        }
    }

    /// Place of the first letter of training barcode `index` in the frame.
    fn start_of(&self, index: usize, k: usize) -> usize {
        self.store.first_tokens[self.train[index] as usize] as usize * k
    }

    /// Finds the partners that the settings ask for.
    ///
    /// # Errors
    /// A stop.
    pub fn find_partners(&mut self, settings: &CheckedSettings, observer: &dyn Observer) -> Result<(), Cancelled> {
        let chosen = settings.settings();
        self.partners = match chosen.partner {
            _ if !settings.contrasts() => Partners::Same,
            Partner::Same => Partners::Same,
            Partner::Genus => Partners::of_genus(self.labels.clone()),
            Partner::Relative => {
                let mut planes = Planes::new(settings.tokenizer.max_bases());
                for index in 0..self.len() {
                    let letters = self.store.letters(self.train[index] as usize);
                    planes.push(&letters, self.start_of(index, settings.tokenizer.k()));
                }
                let distances = chosen.nearest_relative..=chosen.farthest_relative;
                Partners::relatives(&planes, &distances, observer)?
            }
        };
        Ok(())
    }

    /// Who is shown beside each training barcode.
    pub(super) fn partners(&self) -> &Partners {
        &self.partners
    }

    /// The tokens of validation barcode `index`.
    pub(super) fn validation_tokens(&self, index: usize, tokenizer: &Tokenizer) -> Tokens {
        let place = self.validation[index] as usize;
        tokenizer.read_from(&self.store.letters(place), self.store.first_tokens[place])
    }

    /// The order in which a pass over the barcodes takes them.
    pub(super) fn order(&self, seed: Seed, epoch: u64) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.shuffle(&mut seed.stream_at("train/order", epoch));
        order
    }
}

/// Collects the barcodes of a run: file by file, and each file part by part.
///
/// What a barcode of a file is for is known when all of its records have been seen. So the barcodes of a file wait, in the order
/// in which they came, until it ends.
#[derive(Debug)]
pub struct CorpusBuilder<'a> {
    settings: &'a CheckedSettings,
    store: Store,
    train: Vec<u32>,
    validation: Vec<u32>,
    /// Hashes of the barcodes of the files before.
    known: HashSet<u64>,
    waiting: Vec<Waiting>,
    /// Places among those that wait, by hash.
    waiting_by_hash: HashMap<u64, u32>,
    hashes: Vec<u64>,
    hasher: Sha256,
    too_short: usize,
    labels: Vec<Label>,
    taxa: HashMap<(Field, String), u32>,
}

/// A barcode of the file that is being read.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    hash: u64,
    used: Use,
    letters: Letters,
    label: Label,
}

/// Where the letters of a barcode are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    /// Nowhere, as long as the barcode is for nothing.
    Unread,
    /// Nowhere: there is less than one k-mer of them.
    TooShort,
    /// At this place of the store.
    At(u32),
}

/// What a barcode is for, the weakest first: where records of one barcode differ, the strongest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
            store: Store::default(),
            train: Vec::new(),
            validation: Vec::new(),
            known: HashSet::new(),
            waiting: Vec::new(),
            waiting_by_hash: HashMap::new(),
            hashes: Vec::new(),
            hasher: Sha256::new(),
            too_short: 0,
            labels: Vec::new(),
            taxa: HashMap::new(),
        }
    }

    /// Takes every different barcode of a dataset that the settings ask for. `frames`, by unique barcode, registers them.
    pub fn add(&mut self, dataset: &Dataset, frames: Option<&[FrameCheck]>) {
        self.add_part(dataset, frames);
        self.end_file();
    }

    /// Takes a part of a file, as [`Self::add`] does.
    pub fn add_part(&mut self, records: &Dataset, frames: Option<&[FrameCheck]>) {
        let settings = self.settings.settings();
        let labels = self.labels_of(records);
        for (unique, used) in uses_of(records, &settings.splits.0, &settings.validation_split).into_iter().enumerate() {
            let sequence = records.unique_sequence(unique);
            let hash = long_hash_of(sequence);
            if self.known.contains(&hash) {
                continue;
            }
            let next = self.waiting.len() as u32;
            let place = *self.waiting_by_hash.entry(hash).or_insert(next) as usize;
            if place == next as usize {
                self.waiting.push(Waiting { hash, used, letters: Letters::Unread, label: Label::default() });
            }
            let waiting = &mut self.waiting[place];
            waiting.used = waiting.used.max(used);
            if waiting.used != Use::Nothing && waiting.letters == Letters::Unread {
                let registration = frames.and_then(|frames| frames[unique].registration.as_ref());
                let letters = self.read(sequence, registration.filter(|found| found.is_coi()));
                self.waiting[place].letters = letters;
            }
            if let Some(label) = labels.get(unique) {
                self.waiting[place].label = self.waiting[place].label.or(*label);
            }
        }
    }

    /// Genus and species of every unique barcode by the first record to train on that names them, where partners are of one
    /// genus; else nothing is read of labels.
    fn labels_of(&mut self, dataset: &Dataset) -> Vec<Label> {
        let settings = self.settings.settings();
        if !self.settings.contrasts() || settings.partner != Partner::Genus {
            return Vec::new();
        }
        let mut labels = vec![Label::default(); dataset.unique_len()];
        for row in
            (0..dataset.len()).filter(|&row| trains(dataset, row, &settings.splits.0, &settings.validation_split))
        {
            let label = &mut labels[dataset.unique_of(row)];
            for (field, known) in [(Field::Genus, &mut label.genus), (Field::Species, &mut label.species)] {
                if let (None, Some(name)) = (&known, dataset.label(row, field)) {
                    let next = self.taxa.len() as u32;
                    *known = Some(*self.taxa.entry((field, name.to_owned())).or_insert(next));
                }
            }
        }
        labels
    }

    /// Puts what is read of a barcode into the store.
    fn read(&mut self, sequence: &[u8], registration: Option<&Registration>) -> Letters {
        let tokenizer = &self.settings.tokenizer;
        let (bases, first_token) = match registration {
            Some(registration) => tokenizer.registered_part(sequence, registration),
            None => (sequence.into(), 0),
        };
        if bases.len() < tokenizer.k() {
            return Letters::TooShort;
        }
        // what lies beyond the window is never read, wherever the offset begins
        self.store.push(&bases[..bases.len().min(tokenizer.max_bases() + tokenizer.k() - 1)], first_token);
        Letters::At(self.store.len() as u32 - 1)
    }

    /// The file has no more records: now it is known what each of its barcodes is for.
    pub fn end_file(&mut self) {
        let settings = self.settings.settings();
        self.waiting_by_hash.clear();
        for Waiting { hash, mut used, letters, label } in std::mem::take(&mut self.waiting) {
            if used == Use::Nothing {
                continue;
            }
            self.known.insert(hash);
            let Letters::At(place) = letters else {
                self.too_short += 1;
                continue;
            };
            let set_aside = settings.validation_split.is_empty() && share_of(hash) < settings.validation_share;
            if used == Use::Training && set_aside {
                used = Use::Validation;
            }
            self.hasher.update([u8::from(used == Use::Training)]);
            self.hasher.update(hash.to_le_bytes());
            if used == Use::Training {
                self.train.push(place);
                self.hashes.push(kept_of(hash));
                self.labels.push(label);
            } else {
                self.validation.push(place);
            }
        }
    }

    /// The barcodes of the run.
    ///
    /// # Errors
    /// [`TrainError::NoBarcodes`] where none is left to train on.
    pub fn finish(self) -> Result<Corpus, TrainError> {
        if self.train.is_empty() {
            return Err(TrainError::NoBarcodes {
                too_short: self.too_short,
                splits: self.settings.settings().splits.0.clone(),
            });
        }
        Ok(Corpus {
            store: self.store,
            train: self.train,
            validation: self.validation,
            labels: self.labels,
            partners: Partners::default(),
            seen: SeenBarcodes::of_hashes(self.hashes),
            key: ContentHash(self.hasher.finalize().into()),
        })
    }
}

/// What every unique barcode of a dataset is for.
fn uses_of(dataset: &Dataset, splits: &[String], validation_split: &str) -> Vec<Use> {
    let mut uses = vec![Use::Nothing; dataset.unique_len()];
    for row in 0..dataset.len() {
        let used = match dataset.label(row, Field::Split) {
            _ if trains(dataset, row, splits, validation_split) => Use::Training,
            Some(split) if split == validation_split => Use::Validation,
            _ => Use::Nothing,
        };
        let before = &mut uses[dataset.unique_of(row)];
        *before = used.max(*before);
    }
    uses
}

/// Whether a record is to be trained on.
fn trains(dataset: &Dataset, row: usize, splits: &[String], validation_split: &str) -> bool {
    let split = dataset.label(row, Field::Split).unwrap_or_default();
    let validates = !validation_split.is_empty() && split == validation_split;
    !validates && (splits.is_empty() || splits.iter().any(|wanted| wanted == split))
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
        assert_eq!(corpus.store.letters(corpus.train[0] as usize), b"ACGTNNA");
        assert_eq!(
            corpus.store.letters(corpus.train[1] as usize),
            b"TTTTTTTTTTT",
            "the window and what an offset may shift into it"
        );
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
        assert_eq!(corpus.store.letters(corpus.validation[0] as usize), b"AGGT");
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
    fn a_file_in_parts_is_the_file_at_once_whatever_its_records_say() {
        let settings = settings(&TrainSettings {
            k: 3,
            splits: Names(vec!["train".into()]),
            validation_split: "val".into(),
            ..TrainSettings::default()
        });
        // barcodes that come back with other splits, in parts of their own and after others of their kind
        let barcodes = ["ACGT", "AGGT", "TTTT", "CCCC", "ACGT", "GGGT", "TTTT", "AC", "CCCC", "ACAC", "AGGT", "GGGT"];
        let splits = ["test", "val", "val", "train", "train", "test", "train", "train", "val", "val", "test", "test"];
        let rows: Vec<(&str, &str)> = barcodes.into_iter().zip(splits).collect();
        let at_once = corpus_of(&settings, &rows).unwrap();
        assert_eq!((at_once.len(), at_once.validation_len()), (3, 2));
        let letters = |corpus: &Corpus| {
            let of = |places: &[u32]| places.iter().map(|&at| corpus.store.letters(at as usize)).collect::<Vec<_>>();
            (of(&corpus.train), of(&corpus.validation))
        };
        for most in 1..=rows.len() {
            let mut builder = CorpusBuilder::new(&settings);
            rows.chunks(most).for_each(|part| builder.add_part(&dataset(part), None));
            builder.end_file();
            let in_parts = builder.finish().unwrap();
            assert_eq!((in_parts.key(), in_parts.seen()), (at_once.key(), at_once.seen()), "parts of {most}");
            assert_eq!(letters(&in_parts), letters(&at_once), "parts of {most}");
        }
        // in another file they are known already
        let mut builder = CorpusBuilder::new(&settings);
        builder.add(&dataset(&rows[1..2]), None);
        builder.add(&dataset(&[("AGGT", "train"), ("ACGT", "train")]), None);
        let two_files = builder.finish().unwrap();
        assert_eq!((two_files.len(), two_files.validation_len()), (1, 1));
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
