//! The novelty scores: how strange a barcode is to a labelled reference.

use crate::analysis::novelty::{LeftOut, Mahalanobis, MahalanobisError};
use crate::data::dataset::Dataset;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::{Field, LabelColumn};
use crate::pipeline::PipelineError;
use crate::pipeline::likeness::{Pool, Queries, Reference, nearest_in_pool};
use crate::pipeline::side::{Method, Side};
use crate::progress::Observer;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

/// How strangeness is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoveltyScore {
    /// Cosine distance of the embedding to its k-th nearest reference.
    Cosine,
    /// Share of differing bases in the alignment with the most identical reference.
    PDistance,
    /// Mahalanobis distance of the embedding to the nearest species mean.
    Mahalanobis,
    /// Mean of the first two, each in standard deviations of known specimens.
    #[default]
    Combined,
}

impl NoveltyScore {
    /// Every score, in the order of the arrays that hold one number for each.
    pub const ALL: [Self; 4] = [Self::Cosine, Self::PDistance, Self::Mahalanobis, Self::Combined];

    /// The name on the command line and in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::PDistance => "p-distance",
            Self::Mahalanobis => "mahalanobis",
            Self::Combined => "combined",
        }
    }

    /// The name in the window and in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cosine => "cosine distance of the embeddings",
            Self::PDistance => "p-distance to the nearest reference",
            Self::Mahalanobis => "Mahalanobis distance to species means",
            Self::Combined => "cosine and p-distance together",
        }
    }

    /// Where it stands in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for NoveltyScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for NoveltyScore {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|score| score.key() == text)
            .ok_or_else(|| format!("'{text}' is no score; known are {}", Self::ALL.map(Self::key).join(", ")))
    }
}

/// Nearest references that tell how clearly a specimen belongs to a genus.
const AROUND: usize = 50;

/// What of the reference a specimen must not be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    /// Nothing: a query.
    Nothing,
    /// Itself: a reference specimen held out, whose species stays.
    Itself,
    /// All of its species: a reference specimen as the first of its species.
    Species,
}

/// A specimen compared with the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// Row in the reference's dataset of the most identical reference; `None` where nothing could be compared.
    pub(super) nearest: Option<usize>,
    /// Identity with it, 0 to 1.
    pub(super) identity: f32,
    /// The scores in the order of [`NoveltyScore::ALL`]; the combined one is not a number until it is standardised.
    pub(super) scores: [f64; 4],
    /// By how much the cosine with the genus of the nearest reference exceeds that with any other genus, as far as the
    /// [`AROUND`] nearest references tell; not a number where nothing could be compared.
    pub(super) margin: f64,
}

impl Measured {
    /// Fills in the combined score, from mean and deviation of the first two among known specimens.
    pub(super) fn combine(&mut self, moments: &[[f64; 2]; 2]) {
        let standard = |at: usize| (self.scores[at] - moments[at][0]) / moments[at][1];
        self.scores[NoveltyScore::Combined.index()] = f64::midpoint(standard(0), standard(1));
    }
}

/// A labelled reference, ready for all scores: those of its specimens that have a genus and a species.
pub(super) struct Known<'a> {
    side: Side<'a>,
    model: Reference<'a>,
    align: Reference<'a>,
    pool: Pool<'a>,
    /// Rows that take part, in file order.
    pub(super) named: Vec<usize>,
    pub(super) species: &'a LabelColumn,
    pub(super) genus: &'a LabelColumn,
    /// Specimens that take part, by species code.
    specimens: Vec<usize>,
    /// Species that take part, by genus code.
    richness: Vec<usize>,
    mahalanobis: Option<Mahalanobis>,
    /// Class of the Mahalanobis distance, by species code.
    class_of: HashMap<u32, u32>,
}

impl<'a> Known<'a> {
    /// Makes the reference ready.
    ///
    /// # Errors
    /// [`PipelineError::NoLabels`] when no specimen has both a genus and a species, whatever [`Reference::new`] says, and a stop.
    pub(super) fn new(
        side: Side<'a>,
        transform: Option<TransformKind>,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let dataset: &'a Dataset = side.dataset;
        let (species, genus) = (dataset.labels(Field::Species), dataset.labels(Field::Genus));
        let is_named = |row: usize| species.code(row).is_some() && genus.code(row).is_some();
        let model = Reference::new(Method::Model, side, transform, observer)?;
        let align = Reference::new(Method::Align, side, None, observer)?;
        let rows = model.rows.clone();
        let named: Vec<usize> = rows.iter().copied().filter(|&row| is_named(row)).collect();
        if named.is_empty() {
            let field = if species.labelled() == 0 { Field::Species } else { Field::Genus };
            return Err(PipelineError::NoLabels { dataset: dataset.name().to_owned(), field });
        }
        if named.len() < rows.len() {
            observer.warn(&format!(
                "{} of the {} reference specimens have no genus or no species and are left out",
                rows.len() - named.len(),
                rows.len(),
            ));
        }
        let pool = Pool::new(dataset, &rows, is_named);
        let mut specimens = vec![0; species.distinct()];
        let mut pairs = HashSet::new();
        let mut richness = vec![0; genus.distinct()];
        let mut class_of = HashMap::new();
        let mut classes = Vec::with_capacity(named.len());
        for (species, genus) in named.iter().filter_map(|&row| species.code(row).zip(genus.code(row))) {
            specimens[species as usize] += 1;
            richness[genus as usize] += usize::from(pairs.insert((species, genus)));
            let next = class_of.len() as u32;
            classes.push(*class_of.entry(species).or_insert(next));
        }
        let mut known =
            Self { side, model, align, pool, named, species, genus, specimens, richness, mahalanobis: None, class_of };
        known.mahalanobis = known.fit_mahalanobis(&classes, observer)?;
        Ok(known)
    }

    fn fit_mahalanobis(&self, classes: &[u32], observer: &dyn Observer) -> Result<Option<Mahalanobis>, PipelineError> {
        let Some(vectors) = self.model.query_vectors(&self.side, observer)? else { return Ok(None) };
        let uniques: Vec<usize> = self.named.iter().map(|&row| self.side.dataset.unique_of(row)).collect();
        match Mahalanobis::fit(vectors.select(&uniques).view(), classes, observer) {
            Ok(fitted) => Ok(Some(fitted)),
            Err(MahalanobisError::Cancelled(cancelled)) => Err(cancelled.into()),
            Err(error @ MahalanobisError::NoSpread) => {
                observer.warn(&format!("no Mahalanobis distance: {error}"));
                Ok(None)
            }
            Err(error) => Err(PipelineError::Analysis { step: "fitting species means", cause: error.to_string() }),
        }
    }

    /// The reference's dataset.
    pub(super) fn dataset(&self) -> &'a Dataset {
        self.side.dataset
    }

    /// The reference with its embeddings under the transform that was fitted on it.
    pub(super) fn model(&self) -> &Reference<'a> {
        &self.model
    }

    /// Weight of the identity in the shared covariance, where there is one.
    pub(super) fn shrinkage(&self) -> Option<f64> {
        self.mahalanobis.as_ref().map(Mahalanobis::shrinkage)
    }

    /// Specimens of the species of reference specimen `row`, itself included.
    pub(super) fn specimens_of_species_of(&self, row: usize) -> usize {
        self.species.code(row).map_or(0, |code| self.specimens[code as usize])
    }

    /// Species in the genus of reference specimen `row`, its own included.
    pub(super) fn species_in_genus_of(&self, row: usize) -> usize {
        self.genus.code(row).map_or(0, |code| self.richness[code as usize])
    }

    /// Whether all specimens that take part are of one species.
    pub(super) fn has_one_species(&self) -> bool {
        self.class_of.len() < 2
    }

    /// The specimens that take part as a side of a comparison.
    pub(super) fn side(&self) -> Side<'a> {
        self.side
    }

    /// Compares specimens `rows` of a side with the reference; the combined score is left open.
    ///
    /// # Errors
    /// Whatever the search says, and a stop.
    pub(super) fn measure(
        &self,
        side: Side<'_>,
        rows: &[usize],
        without: Without,
        neighbour: usize,
        observer: &dyn Observer,
    ) -> Result<Vec<Measured>, PipelineError> {
        let uniques: Vec<usize> = rows.iter().map(|&row| side.dataset.unique_of(row)).collect();
        let vectors = self.model.query_vectors(&side, observer)?;
        let queries = Queries { dataset: side.dataset, uniques, vectors: vectors.as_deref() };
        let excluded = |at: usize, candidate: usize| {
            let own = rows[at];
            let mut holders = self.pool.rows[candidate].iter().map(|&row| row as usize);
            match without {
                Without::Nothing => false,
                Without::Itself => holders.all(|row| row == own),
                Without::Species => holders.all(|row| self.species.code(row) == self.species.code(own)),
            }
        };
        let around = neighbour.max(AROUND).min(self.pool.len());
        let by_cosine = nearest_in_pool(&self.model, &self.pool, &queries, around, &excluded, observer)?;
        let by_identity = nearest_in_pool(&self.align, &self.pool, &queries, 1, &excluded, observer)?;
        let mahalanobis = match (&self.mahalanobis, &vectors) {
            (Some(fitted), Some(vectors)) => {
                let class = |row: usize| self.species.code(row).and_then(|code| self.class_of.get(&code)).copied();
                let left_out: Vec<LeftOut> = rows
                    .iter()
                    .map(|&row| match (without, class(row)) {
                        (Without::Itself, Some(class)) => LeftOut::Member(class),
                        (Without::Species, Some(class)) => LeftOut::Class(class),
                        _ => LeftOut::Nothing,
                    })
                    .collect();
                fitted.distances(vectors.select(&queries.uniques).view(), &left_out, observer)?
            }
            _ => vec![f64::NAN; rows.len()],
        };
        let of_row = |at: usize| {
            let cosine =
                by_cosine.of(at).take(neighbour).last().map_or(f64::NAN, |(_, cosine)| 1.0 - f64::from(cosine));
            let nearest = by_identity.of(at).next();
            let holder = |place: u32| self.holder(place as usize, without, rows[at]);
            let named = by_cosine.of(at).map(|(place, cosine)| (self.genus.code(holder(place)), f64::from(cosine)));
            let p_distance = nearest.map_or(f64::NAN, |(_, identity)| 1.0 - f64::from(identity));
            Measured {
                nearest: nearest.map(|(place, _)| holder(place)),
                identity: nearest.map_or(f32::NAN, |(_, identity)| identity),
                scores: [cosine, p_distance, mahalanobis[at], f64::NAN],
                margin: nearest.map_or(f64::NAN, |(place, _)| margin(self.genus.code(holder(place)), named)),
            }
        };
        Ok((0..rows.len()).map(of_row).collect())
    }

    /// The first specimen that has a barcode of the pool and may be compared with.
    fn holder(&self, place: usize, without: Without, own: usize) -> usize {
        let holders = &self.pool.rows[place];
        let allowed = |&&row: &&u32| match without {
            Without::Nothing => true,
            Without::Itself => row as usize != own,
            Without::Species => self.species.code(row as usize) != self.species.code(own),
        };
        holders.iter().find(allowed).map_or(own, |&row| row as usize)
    }
}

/// By how much the cosine with `genus` exceeds that with any other one, among the nearest references with their genera, best first.
/// Whichever is not among them is at most as near as the last of them.
fn margin(genus: Option<u32>, nearest: impl Iterator<Item = (Option<u32>, f64)>) -> f64 {
    let (mut own, mut other, mut last) = (None, None, f64::NAN);
    for (found, cosine) in nearest {
        let side = if found == genus { &mut own } else { &mut other };
        side.get_or_insert(cosine);
        last = cosine;
    }
    own.unwrap_or(last) - other.unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::margin;

    #[test]
    fn the_margin_is_that_of_the_nearest_of_either_side() {
        let of = |nearest: &[(u32, f64)]| margin(Some(1), nearest.iter().map(|&(genus, cosine)| (Some(genus), cosine)));
        assert_eq!(of(&[(1, 0.75), (1, 0.625), (2, 0.5), (3, 0.25)]), 0.25);
        assert_eq!(of(&[(2, 0.75), (3, 0.625), (1, 0.25)]), -0.5);
        assert_eq!(of(&[(1, 0.75), (1, 0.25)]), 0.5, "others are no nearer than the last");
        assert_eq!(of(&[(2, 0.75), (2, 0.25)]), -0.5);
        assert_eq!(of(&[(1, 0.75)]), 0.0);
        assert!(of(&[]).is_nan());
    }
}
