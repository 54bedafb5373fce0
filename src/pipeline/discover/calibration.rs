//! What held-out specimens of the reference look like, and the p-values of queries beside them.
//!
//! Two sets of reference specimens are held out, one specimen at a time, so that all others stay to be compared with:
//!
//! - *of known species*: the specimen alone is left out, its species stays;
//! - *as first of their species*: its whole species is left out. Where the genus stays, this is what a new species of a known genus
//!   looks like; where it does not, a new genus.
//!
//! At most [`PER_SPECIES`] specimens of a species are drawn, so that a species that was sampled a thousand times does not stand for all.
//! Scores are compared within categories that need no truth (Mondrian): by the number of specimens of the nearest reference's
//! species, since the nearest of many is nearer than the nearest of one, and by the number of species in its genus.
//!
//! How strange a specimen is tells little about its genus: first specimens of known genera lie as far away as many of new ones do.
//! Whether it is of the nearest reference's genus is therefore judged by the margin over all other genera, beside held-out
//! specimens whose nearest reference is of another genus.

use super::score::{Known, Measured, NoveltyScore, Without};
use crate::analysis::novelty::{Calibration, moments};
use crate::pipeline::PipelineError;
use crate::progress::Observer;
use crate::seed::Seed;
use rand::seq::SliceRandom;
use std::collections::HashMap;

/// Most specimens of one species in a calibration set.
const PER_SPECIES: usize = 5;
/// Fewest scores that are compared with; smaller categories join their neighbours.
const LEAST: usize = 200;
/// Categories by a number: 1, 2 to 4, 5 to 9, 10 and more.
const BOUNDS: [usize; 3] = [2, 5, 10];

/// The p-values of one query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PValues {
    /// Of being that strange though its species is in the reference.
    pub(super) species: f64,
    /// Of being that strange though its genus is in the reference.
    pub(super) genus: f64,
    /// Of being that familiar though its species is not in the reference.
    pub(super) familiar: f64,
    /// Of being that clearly of the nearest reference's genus though it is of another one.
    pub(super) kin: f64,
}

impl PValues {
    /// Those of what cannot be compared with anything, and so proves nothing.
    const NONE: Self = Self { species: 1.0, genus: 1.0, familiar: 1.0, kin: 1.0 };
}

/// Held-out specimens with their scores.
pub(super) struct HeldOut {
    score: NoveltyScore,
    /// Mean and deviation of the first two scores among held-out specimens of known species.
    moments: [[f64; 2]; 2],
    known: Calibration,
    kin: Calibration,
    unseen: Calibration,
    stray: Calibration,
    /// Cosine distances of held-out specimens of known species, sorted.
    cosines: Vec<f64>,
}

impl HeldOut {
    /// Draws and measures held-out specimens, at most `limit` of each kind.
    ///
    /// # Errors
    /// [`PipelineError::Setting`] where no species has two specimens or there is a single species, whatever the search says, and a
    /// stop.
    pub(super) fn draw(
        known: &Known<'_>,
        score: NoveltyScore,
        neighbour: usize,
        limit: usize,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let several = |row: usize| known.specimens_of_species_of(row) > 1;
        let fellows = draw(known, several, limit, seed, "discover/known species");
        let firsts = draw(known, |_| true, limit, seed, "discover/first of their species");
        if fellows.is_empty() || known.has_one_species() {
            return Err(PipelineError::Setting(format!(
                "'{}' has too little to learn from what known looks like: it needs two species, and a species with two specimens",
                known.dataset().name()
            )));
        }
        let mut of_known = known.measure(known.side(), &fellows, Without::Itself, neighbour, observer)?;
        let mut of_unseen = known.measure(known.side(), &firsts, Without::Species, neighbour, observer)?;
        let column = |at: usize| of_known.iter().map(|found| found.scores[at]).collect::<Vec<f64>>();
        let mut cosines = column(NoveltyScore::Cosine.index());
        let moments = [moments(&cosines), moments(&column(NoveltyScore::PDistance.index()))];
        cosines.retain(|distance| distance.is_finite());
        cosines.sort_unstable_by(f64::total_cmp);
        of_known.iter_mut().chain(&mut of_unseen).for_each(|found| found.combine(&moments));

        let species_category = |at: usize| {
            of_known[at].nearest.map_or(0, |nearest| {
                let is_own = known.species.code(nearest) == known.species.code(fellows[at]);
                category(known.specimens_of_species_of(nearest) - usize::from(is_own))
            })
        };
        let known_categories: Vec<usize> = (0..fellows.len()).map(species_category).collect();
        let genus_category = |at: usize| {
            of_unseen[at].nearest.map_or(0, |nearest| {
                let is_own = known.genus.code(nearest) == known.genus.code(firsts[at]);
                category(known.species_in_genus_of(nearest) - usize::from(is_own))
            })
        };
        let genus_categories: Vec<usize> = (0..firsts.len()).map(genus_category).collect();
        let genus_stays = |at: usize| known.species_in_genus_of(firsts[at]) > 1;
        let is_stray = |at: usize| {
            of_unseen[at].nearest.is_none_or(|nearest| known.genus.code(nearest) != known.genus.code(firsts[at]))
        };
        let strangeness = |found: &Measured| found.scores[score.index()];
        let margin = |found: &Measured| found.margin;
        let pool = |found: &[Measured],
                    categories: &[usize],
                    keep: &dyn Fn(usize) -> bool,
                    value: &dyn Fn(&Measured) -> f64| {
            let kept: Vec<usize> = (0..found.len()).filter(|&at| keep(at)).collect();
            let scores: Vec<f64> = kept.iter().map(|&at| value(&found[at])).collect();
            let categories: Vec<usize> = kept.iter().map(|&at| categories[at]).collect();
            Calibration::new(&scores, &categories, BOUNDS.len() + 1, LEAST)
        };
        Ok(Self {
            score,
            moments,
            known: pool(&of_known, &known_categories, &|_| true, &strangeness),
            kin: pool(&of_unseen, &genus_categories, &genus_stays, &strangeness),
            unseen: pool(&of_unseen, &genus_categories, &|_| true, &strangeness),
            stray: pool(&of_unseen, &genus_categories, &is_stray, &margin),
            cosines,
        })
    }

    /// Fills in the combined score of a query.
    pub(super) fn combine(&self, found: &mut Measured) {
        found.combine(&self.moments);
    }

    /// The p-values of a query.
    pub(super) fn p_values(&self, known: &Known<'_>, found: &Measured) -> PValues {
        let Some(nearest) = found.nearest else { return PValues::NONE };
        let score = found.scores[self.score.index()];
        let species = category(known.specimens_of_species_of(nearest));
        let genus = category(known.species_in_genus_of(nearest));
        PValues {
            species: self.known.p_of_strange(score, species),
            genus: self.kin.p_of_strange(score, genus),
            familiar: self.unseen.p_of_familiar(score, genus),
            kin: if found.margin.is_nan() { 1.0 } else { self.stray.p_of_strange(found.margin, genus) },
        }
    }

    /// The cosine distance within which a share of the held-out specimens of known species finds its nearest reference.
    pub(super) fn cosine_within(&self, share: f64) -> Option<f32> {
        let last = self.cosines.len().checked_sub(1)?;
        Some(self.cosines[(share * last as f64).round() as usize] as f32)
    }

    /// How many specimens were held out of known species, and as first of their species with and without their genus.
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.known.len(), self.kin.len(), self.unseen.len() - self.kin.len()]
    }
}

fn category(number: usize) -> usize {
    BOUNDS.iter().filter(|&&bound| number >= bound).count()
}

/// Rows in random order, at most [`PER_SPECIES`] of a species and `limit` in all.
fn draw(known: &Known<'_>, may: impl Fn(usize) -> bool, limit: usize, seed: Seed, stream: &str) -> Vec<usize> {
    let mut rows: Vec<usize> = known.named.iter().copied().filter(|&row| may(row)).collect();
    rows.shuffle(&mut seed.stream(stream));
    let mut taken: HashMap<Option<u32>, usize> = HashMap::new();
    rows.retain(|&row| {
        let count = taken.entry(known.species.code(row)).or_default();
        *count += 1;
        *count <= PER_SPECIES
    });
    rows.truncate(limit);
    rows
}

#[cfg(test)]
mod tests {
    use super::category;

    #[test]
    fn categories_by_number() {
        assert_eq!([0, 1, 2, 4, 5, 9, 10, 4000].map(category), [0, 0, 1, 1, 2, 2, 3, 3]);
    }
}
