//! Reconstruction: masked k-mers of barcodes, and what a model makes of them.
//!
//! A masked autoencoder and a masked language model see the rest of the barcode; a causal model sees what comes before each
//! masked k-mer, and its first k-mer is never masked.

mod positions;
#[cfg(test)]
mod tests;

pub use positions::{PositionScore, by_position, position_figure};

use super::classify::RESAMPLES;
use super::{PipelineError, Provenance};
use crate::analysis::metrics::bootstrap_interval;
use crate::data::dataset::Dataset;
use crate::data::frame::{FIRST_CODON, FrameCheck, Registration, Strand, check_frames};
use crate::data::genetic_code::GeneticCode;
use crate::data::masking::MaskOrder;
use crate::data::taxonomy::Field;
use crate::data::tokens::TokensInPlace;
use crate::model::{MaskedTokens, Model, ModelError};
use crate::pipeline::masking::MAX_RATIO;
use crate::pipeline::subset::subset;
use crate::progress::{Observer, Progress};
use crate::seed::Seed;
use ndarray::ArrayView1;
use rand::seq::index::sample;
use serde::Serialize;

/// Barcodes that are guessed between two reports: each holds 4^k numbers for every masked token.
const BATCH: usize = 8;

/// What is masked and how much is told of the guesses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReconstructSettings {
    /// Share of a barcode's maskable k-mers that are masked, 0 to [`MAX_RATIO`].
    pub ratio: f64,
    /// Guesses that are kept for every masked k-mer.
    pub top: usize,
    /// Whether barcodes are registered to the frame; `None` as the model's settings say.
    pub register: Option<bool>,
    /// Seed of the masks.
    pub seed: Seed,
}

impl Default for ReconstructSettings {
    fn default() -> Self {
        Self { ratio: 0.5, top: 5, register: None, seed: Seed::default() }
    }
}

/// A k-mer that might stand at a masked position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guess {
    /// Its bases.
    pub kmer: String,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// One token of a barcode.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReconstructedToken {
    /// Its position in the model's window.
    pub position: u32,
    /// Index of its first base in [`Reconstruction::bases`].
    pub first_base: usize,
    /// The bases that stand there.
    pub kmer: String,
    /// Whether it was masked.
    pub masked: bool,
    /// The most probable k-mers, best first; none where it was not masked.
    pub guesses: Vec<Guess>,
    /// Probability of the k-mer that stands there, where it was masked.
    pub probability: Option<f64>,
}

impl ReconstructedToken {
    /// Whether the best guess is the k-mer that stands there; `None` where it was not masked.
    pub fn is_right(&self) -> Option<bool> {
        self.masked.then(|| self.guesses.first().is_some_and(|guess| guess.kmer == self.kmer))
    }
}

/// One codon of a barcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Codon {
    /// Index of its first base in [`Reconstruction::bases`].
    pub first_base: usize,
    /// Its amino acid, `*` for a stop, `X` where ambiguous letters leave it open.
    pub amino_acid: char,
    /// The same with the best guess in the place of every masked k-mer.
    pub guessed: char,
}

/// One barcode with its guesses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reconstruction {
    /// Row in the dataset.
    pub row: usize,
    /// The barcode as it was read: turned to the strand that fits the frame where it was registered.
    pub bases: String,
    /// All tokens in order.
    pub tokens: Vec<ReconstructedToken>,
    /// All whole codons in the reading frame; none where the barcode has no place in the COI-5P frame.
    pub codons: Vec<Codon>,
}

impl Reconstruction {
    /// Masked k-mers, and those of them whose best guess is right.
    pub fn score(&self) -> (usize, usize) {
        let right = self.tokens.iter().filter_map(ReconstructedToken::is_right);
        right.fold((0, 0), |(masked, hits), right| (masked + 1, hits + usize::from(right)))
    }

    /// Amino acids, and those of them that the best guesses leave as they are.
    pub fn amino_acids(&self) -> (usize, usize) {
        let same = self.codons.iter().filter(|codon| codon.amino_acid == codon.guessed);
        (self.codons.len(), same.count())
    }
}

/// Barcodes with their guesses, and how they were made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reconstructions {
    /// In the order of the rows asked for, without those too short to be masked.
    pub barcodes: Vec<Reconstruction>,
    /// Rows whose barcodes are too short: no k-mer is masked at the ratio, or none is left.
    pub left_out: Vec<usize>,
    /// Bases in a k-mer.
    pub k: usize,
    /// How they were made.
    pub provenance: Provenance,
}

impl Reconstructions {
    /// Masked k-mers of all barcodes, and those of them whose best guess is right.
    pub fn score(&self) -> (usize, usize) {
        let scores = self.barcodes.iter().map(Reconstruction::score);
        scores.fold((0, 0), |(masked, hits), (more, right)| (masked + more, hits + right))
    }

    /// 95 % interval of the share of right guesses by bootstrap over barcodes, whose k-mers are guessed right or wrong together;
    /// `None` where nothing was masked.
    pub fn interval(&self, seed: Seed) -> Option<[f64; 2]> {
        let of_barcode = self.barcodes.iter().zip(0u32..).flat_map(|(barcode, number)| {
            barcode.tokens.iter().filter_map(ReconstructedToken::is_right).map(move |right| (right, number))
        });
        let (right, barcodes): (Vec<bool>, Vec<u32>) = of_barcode.unzip();
        bootstrap_interval(&right, &barcodes, RESAMPLES, seed)
    }
}

/// At most `most` of some rows, drawn by the seed, in their order.
pub fn sample_rows(among: &[usize], most: usize, seed: Seed) -> Vec<usize> {
    let drawn = sample(&mut seed.stream("reconstruct/sample"), among.len(), most.min(among.len()));
    let mut rows: Vec<usize> = drawn.into_iter().map(|at| among[at]).collect();
    rows.sort_unstable();
    rows
}

/// Masks the barcodes of some specimens, each by its own draw, and lets a model guess.
///
/// # Errors
/// [`ModelError::NoGuesses`] for a model that holds its encoder alone, [`PipelineError::Setting`] for a ratio out of range,
/// [`PipelineError::Empty`] without specimens, and a stop.
pub fn reconstruct(
    dataset: &Dataset,
    rows: &[usize],
    model: &Model,
    settings: &ReconstructSettings,
    observer: &dyn Observer,
) -> Result<Reconstructions, PipelineError> {
    check(dataset, rows, model, settings)?;
    let part = subset(dataset, dataset.name(), rows);
    let frames = check_frames(&part, observer)?;
    let register = settings.register.unwrap_or(model.info().read.register);
    let mut barcodes = Vec::new();
    let mut left_out = Vec::new();
    for (at, &row) in rows.iter().enumerate() {
        let place = Place::of(&part, at, &frames, model, register);
        let masked = draw(model, &place.read, settings, at);
        if masked.contains(&true) && masked.contains(&false) {
            barcodes.push((row, place, masked));
        } else {
            left_out.push(row);
        }
    }
    let mut found = Vec::new();
    for batch in barcodes.chunks(BATCH * rayon::current_num_threads()) {
        observer.progress(Progress::new("guessing masked k-mers", found.len(), barcodes.len(), "barcodes"))?;
        let masked: Vec<MaskedTokens<'_>> =
            batch.iter().map(|(_, place, masked)| MaskedTokens { tokens: &place.read.tokens, masked }).collect();
        for ((row, place, masked), scores) in batch.iter().zip(model.guess(&masked)?) {
            let mut scores = scores.rows().into_iter();
            found.push(place.reconstruction(*row, masked, model, settings.top, &mut scores));
        }
    }
    let provenance = Provenance::new(settings.seed, &[dataset])
        .with_model(&model.info().name, model.info().id)
        .with("model file SHA-256", model.info().sha256)
        .with("objective", model.info().objective)
        .with("register", if register { "on" } else { "off" })
        .with("masked share", settings.ratio)
        .with("reconstructed barcodes", found.len());
    Ok(Reconstructions { barcodes: found, left_out, k: model.info().k, provenance })
}

fn check(
    dataset: &Dataset,
    rows: &[usize],
    model: &Model,
    settings: &ReconstructSettings,
) -> Result<(), PipelineError> {
    if !model.can_guess() {
        return Err(ModelError::NoGuesses { model: model.info().name.clone() }.into());
    }
    if !(settings.ratio > 0.0 && settings.ratio <= MAX_RATIO) {
        let what = format!("a masking ratio of {} is outside of 0 (not included) to {MAX_RATIO}", settings.ratio);
        return Err(PipelineError::Setting(what));
    }
    if rows.is_empty() {
        return Err(PipelineError::Empty { what: format!("'{}'", dataset.name()) });
    }
    Ok(())
}

/// Which tokens of the barcode number `at` are masked.
fn draw(model: &Model, read: &TokensInPlace<'_>, settings: &ReconstructSettings, at: usize) -> Vec<bool> {
    let mut rng = settings.seed.stream_at("reconstruct/masks", at as u64);
    let order = MaskOrder::draw(&read.tokens, model.tokenizer(), &mut rng);
    let order = if model.info().causal { order.sparing_first() } else { order };
    order.mask(settings.ratio)
}

/// A barcode as the model reads it, and its reading frame.
struct Place<'a> {
    read: TokensInPlace<'a>,
    k: usize,
    code: GeneticCode,
    /// Index of the first base of the first whole codon; `None` where the barcode has no place in the frame.
    first_codon: Option<usize>,
}

impl<'a> Place<'a> {
    fn of(dataset: &'a Dataset, row: usize, frames: &[FrameCheck], model: &Model, register: bool) -> Self {
        let unique = dataset.unique_of(row);
        let found = frames[unique].registration.as_ref().filter(|found| found.is_coi());
        let read = model.tokenizer().read_in_place(dataset.unique_sequence(unique), found.filter(|_| register));
        // as it stands, a barcode of the other strand has no amino acids
        let is_turned = matches!(read.bases, std::borrow::Cow::Owned(_));
        let first_codon = found.filter(|found| is_turned || found.strand == Strand::Forward).map(first_codon);
        let code = GeneticCode::of_phylum(dataset.label(row, Field::Phylum));
        Self { read, k: model.info().k, code, first_codon }
    }

    fn reconstruction<'s>(
        &self,
        row: usize,
        masked: &[bool],
        model: &Model,
        top: usize,
        scores: &mut impl Iterator<Item = ArrayView1<'s, f32>>,
    ) -> Reconstruction {
        let TokensInPlace { tokens, bases, first_base } = &self.read;
        let mut guessed = bases.to_vec();
        let mut found = Vec::with_capacity(masked.len());
        for (at, ((&id, &masked), position)) in tokens.ids.iter().zip(masked).zip(tokens.first_position..).enumerate() {
            let start = first_base + at * self.k;
            let mut token = ReconstructedToken {
                position,
                first_base: start,
                kmer: text(&bases[start..start + self.k]),
                masked,
                guesses: Vec::new(),
                probability: None,
            };
            if let Some(scores) = masked.then(|| scores.next()).flatten() {
                let special = model.tokenizer().special_tokens().len();
                token.guesses = best(scores, top.max(1), model);
                token.probability = scores.get(id as usize - special).map(|&score| f64::from(score).exp());
                guessed[start..start + self.k].copy_from_slice(token.guesses[0].kmer.as_bytes());
            }
            found.push(token);
        }
        Reconstruction { row, bases: text(bases), tokens: found, codons: self.codons(&guessed) }
    }

    fn codons(&self, guessed: &[u8]) -> Vec<Codon> {
        let Some(first) = self.first_codon else { return Vec::new() };
        let translate = |bases: &[u8]| self.code.translate(bases, first);
        let pairs = translate(&self.read.bases).into_iter().zip(translate(guessed)).enumerate();
        let codon = |(at, (truth, guessed))| Codon {
            first_base: first + 3 * at,
            amino_acid: char::from(truth),
            guessed: char::from(guessed),
        };
        pairs.map(codon).collect()
    }
}

/// Index of the first base of a barcode that starts a whole codon.
fn first_codon(at: &Registration) -> usize {
    (FIRST_CODON as i32 - at.start).rem_euclid(3) as usize
}

/// The k-mers of largest score, best first, equal ones in the order of their ids.
fn best(scores: ArrayView1<'_, f32>, top: usize, model: &Model) -> Vec<Guess> {
    let special = model.tokenizer().special_tokens().len();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let better = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    let top = top.min(order.len());
    order.select_nth_unstable_by(top - 1, better);
    order.truncate(top);
    order.sort_unstable_by(better);
    let kmer = |at: usize| model.tokenizer().kmer((at + special) as u32).expect("every class is a k-mer");
    let guess = |at: usize| Guess { kmer: text(&kmer(at)), probability: f64::from(scores[at]).exp() };
    order.into_iter().map(guess).collect()
}

fn text(bases: &[u8]) -> String {
    String::from_utf8_lossy(bases).into_owned()
}
