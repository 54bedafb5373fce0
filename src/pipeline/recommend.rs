//! Which method names a group best: asked of a labelled reference itself, one species left out at a time.
//!
//! How well a method names species that the reference lacks depends on the group and on the reference. So some specimens of it are
//! named by the others, each without any specimen of its own species, and the share that gets its own genus is compared between
//! methods. Ranks that are not above the species are asked about with only the specimen's own barcode left out.

use super::classify::RESAMPLES;
use super::likeness::{Pool, Queries, Reference, nearest_in_pool};
use super::side::{Method, Side};
use super::{PipelineError, Provenance};
use crate::analysis::metrics::{bootstrap_interval, bootstrap_mean_interval};
use crate::data::dataset::Dataset;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::Field;
use crate::progress::{Observer, Progress};
use crate::seed::Seed;
use rand::seq::SliceRandom;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// How a reference is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecommendSettings {
    /// The label to predict.
    pub rank: Field,
    /// Most specimens that are asked about.
    pub sample: usize,
    /// Transform of the embeddings, fitted on the reference; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// Seed of the sample and of the bootstrap.
    pub seed: Seed,
}

impl Default for RecommendSettings {
    fn default() -> Self {
        Self { rank: Field::Genus, sample: 400, transform: None, seed: Seed::default() }
    }
}

/// Specimens of one species that are asked about at most, so that a few large species do not decide.
const OF_ONE_SPECIES: usize = 3;

/// How one method did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// The method.
    pub method: Method,
    /// Specimens that got their own label.
    pub right: usize,
    /// The same as a share of all that were asked about.
    pub accuracy: f64,
    /// 95 % interval of that share by bootstrap over species.
    pub interval: [f64; 2],
    /// By how much the share is above that of the model alone, with its 95 % interval over the same resamples; `None` for the model.
    pub above_model: Option<(f64, [f64; 2])>,
    /// Wall time for 1 000 barcodes, the making of embeddings not counted.
    pub seconds_per_1000: f64,
}

/// What the reference says about the methods.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// The label that was predicted.
    pub rank: Field,
    /// Whether each specimen's whole species was left out, else only its own barcode.
    pub without_species: bool,
    /// Specimens that were asked about.
    pub n: usize,
    /// Number of their species.
    pub n_species: usize,
    /// How each method did, in the order of [`METHODS`]; empty where no specimen could be asked about.
    pub evidence: Vec<Evidence>,
    /// The method that named most right, the earlier of equal ones; `None` where no specimen could be asked about.
    pub best: Option<Method>,
    /// Wall time.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}

/// The methods that are compared.
pub const METHODS: [Method; 4] = [Method::Model, Method::Both, Method::Kmer, Method::Align];

impl Recommendation {
    /// How a method did.
    pub fn of(&self, method: Method) -> Option<&Evidence> {
        self.evidence.iter().find(|evidence| evidence.method == method)
    }

    /// Whether the best method is better than the model alone by more than chance explains: the 95 % interval of the difference lies
    /// above zero.
    pub fn is_clear(&self) -> bool {
        let best = self.best.and_then(|best| self.of(best));
        best.and_then(|best| best.above_model).is_some_and(|(_, [low, _])| low > 0.0)
    }
}

/// Asks a labelled reference which method names it best.
///
/// Takes at most `settings.sample` specimens of different barcodes, at most three of a species, of the taxa in which somebody else
/// could answer: at ranks above the species those with two species, else those with two barcodes. Where there is none the answer
/// has no evidence.
///
/// # Errors
/// As [`Reference::new`], and a stop.
pub fn recommend(
    side: Side<'_>,
    settings: &RecommendSettings,
    observer: &dyn Observer,
) -> Result<Recommendation, PipelineError> {
    let start = Instant::now();
    let question = Question::of(&side, settings);
    let mut reference = Reference::new(Method::Model, side, settings.transform, observer)?;
    let transform = reference.describe_transform().unwrap_or_default();
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut by_model = Vec::new();
    for (at, method) in METHODS.into_iter().enumerate().take_while(|_| !question.asked.is_empty()) {
        observer.progress(Progress::new("comparing methods on the reference", at, METHODS.len(), "methods"))?;
        reference = reference.by(method);
        let began = Instant::now();
        let right = question.right(&reference, observer)?;
        let seconds = began.elapsed().as_secs_f64();
        if method == Method::Model {
            by_model.clone_from(&right);
        }
        evidence.push(question.evidence(method, &right, &by_model, seconds, settings.seed));
    }
    let best = evidence.iter().fold(None::<&Evidence>, |best, other| match best {
        Some(best) if best.right >= other.right => Some(best),
        _ => Some(other),
    });
    let provenance = Provenance::new(settings.seed, &[side.dataset]);
    let provenance = side.embedded.map_or(provenance.clone(), |embedded| embedded.describe(provenance));
    Ok(Recommendation {
        rank: settings.rank,
        without_species: question.without_species,
        n: question.asked.len(),
        n_species: question.species.iter().collect::<HashSet<_>>().len(),
        best: best.map(|best| best.method),
        evidence,
        seconds: start.elapsed().as_secs_f64(),
        provenance: provenance
            .with("transform", transform)
            .with("methods compared at", settings.rank)
            .with("left out of the reference", if question.without_species { "the species" } else { "the barcode" })
            .with("specimens asked about, at most", settings.sample)
            .with("bootstrap over species", format!("{RESAMPLES} resamples")),
    })
}

/// Who is asked about, and who may answer.
struct Question<'a> {
    dataset: &'a Dataset,
    pool: Pool<'a>,
    /// Label and species of every row of the dataset.
    labels: Vec<Option<u32>>,
    species_of_row: Vec<Option<u32>>,
    without_species: bool,
    /// Rows that are asked about, of different barcodes.
    asked: Vec<usize>,
    /// Their species; where only the barcode is left out, their labels.
    species: Vec<u32>,
}

impl<'a> Question<'a> {
    fn of(side: &Side<'a>, settings: &RecommendSettings) -> Self {
        let dataset = side.dataset;
        let codes = |field| (0..dataset.len()).map(|row| dataset.labels(field).code(row)).collect::<Vec<_>>();
        let labels = codes(settings.rank);
        let without_species = settings.rank < Field::Species;
        // A label alone does not say to which species a specimen belongs, so it may be the one that is left out.
        let species_of_row = if without_species { codes(Field::Species) } else { labels.clone() };
        let rows = side.row_list();
        let known = |row: usize| labels[row].is_some() && species_of_row[row].is_some();
        let pool = Pool::new(dataset, &rows, known);
        let mut question =
            Self { dataset, pool, labels, species_of_row, without_species, asked: Vec::new(), species: Vec::new() };
        question.draw(&rows, settings);
        question
    }

    /// Draws the specimens: species in random order, a few random specimens of each.
    fn draw(&mut self, rows: &[usize], settings: &RecommendSettings) {
        let kin = |row: usize| if self.without_species { self.species_of_row[row] } else { Some(self.unique(row)) };
        let mut of_taxon: HashMap<u32, HashSet<u32>> = HashMap::new();
        let mut of_species: HashMap<u32, Vec<usize>> = HashMap::new();
        let mut seen = HashSet::new();
        for &row in rows {
            let (Some(label), Some(species), Some(kin)) = (self.labels[row], self.species_of_row[row], kin(row)) else {
                continue;
            };
            of_taxon.entry(label).or_default().insert(kin);
            if seen.insert(self.unique(row)) {
                of_species.entry(species).or_default().push(row);
            }
        }
        let mut species: Vec<(u32, Vec<usize>)> = of_species.into_iter().collect();
        species.sort_unstable_by_key(|(species, _)| *species);
        let mut rng = settings.seed.stream("recommend/sample");
        species.shuffle(&mut rng);
        for (species, mut members) in species {
            members.retain(|&row| self.labels[row].is_some_and(|label| of_taxon[&label].len() > 1));
            members.shuffle(&mut rng);
            for row in members.into_iter().take(OF_ONE_SPECIES.min(settings.sample - self.asked.len())) {
                self.asked.push(row);
                self.species.push(species);
            }
        }
    }

    fn unique(&self, row: usize) -> u32 {
        self.dataset.unique_of(row) as u32
    }

    /// Whether a row may not answer when number `at` is asked about.
    fn is_left_out(&self, at: usize, row: usize) -> bool {
        if self.without_species {
            self.species_of_row[row] == Some(self.species[at])
        } else {
            self.dataset.unique_of(row) == self.dataset.unique_of(self.asked[at])
        }
    }

    /// Whether each specimen gets its own label by the nearest reference.
    fn right(&self, reference: &Reference<'_>, observer: &dyn Observer) -> Result<Vec<bool>, PipelineError> {
        let side = Side { rows: Some(&self.asked), ..reference.side };
        let vectors = reference.query_vectors(&side, observer)?;
        let uniques = self.asked.iter().map(|&row| self.dataset.unique_of(row)).collect();
        let queries = Queries { dataset: self.dataset, uniques, vectors: vectors.as_deref() };
        let answers = |at: usize, place: usize| {
            self.pool.rows[place].iter().map(|&row| row as usize).find(|&row| !self.is_left_out(at, row))
        };
        let excluded = |at: usize, place: usize| answers(at, place).is_none();
        let found = nearest_in_pool(reference, &self.pool, &queries, 1, &excluded, observer)?;
        let named = |at: usize| found.of(at).next().and_then(|(place, _)| self.labels[answers(at, place as usize)?]);
        Ok((0..self.asked.len()).map(|at| named(at) == self.labels[self.asked[at]]).collect())
    }

    fn evidence(&self, method: Method, right: &[bool], by_model: &[bool], seconds: f64, seed: Seed) -> Evidence {
        let hits = right.iter().filter(|&&right| right).count();
        let share = |hits: f64| hits / right.len().max(1) as f64;
        let above: Vec<f64> =
            right.iter().zip(by_model).map(|(&ours, &models)| f64::from(i8::from(ours) - i8::from(models))).collect();
        let above_model = bootstrap_mean_interval(&above, &self.species, RESAMPLES, seed);
        Evidence {
            method,
            right: hits,
            accuracy: share(hits as f64),
            interval: bootstrap_interval(right, &self.species, RESAMPLES, seed).unwrap_or([0.0, 1.0]),
            above_model: above_model
                .filter(|_| method != Method::Model)
                .map(|range| (share(above.iter().sum()), range)),
            seconds_per_1000: 1000.0 * share(seconds),
        }
    }
}

#[cfg(test)]
mod tests;
