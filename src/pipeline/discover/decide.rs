//! Decisions on single specimens, each list with its own false-discovery rate.

use super::calibration::PValues;
use crate::analysis::novelty::benjamini_hochberg;
use crate::pipeline::colour::Rgb;
use serde::{Deserialize, Serialize};

/// What a query is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A species of the reference.
    Known,
    /// A species that the reference lacks, in the genus of the nearest reference.
    NewSpecies,
    /// A genus that the reference lacks.
    NewGenus,
    /// Too strange for one and too familiar for the other.
    Unclear,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 4] = [Self::Known, Self::NewSpecies, Self::NewGenus, Self::Unclear];

    /// The name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::NewSpecies => "new_species",
            Self::NewGenus => "new_genus",
            Self::Unclear => "unclear",
        }
    }

    /// The name in the window and in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::Known => "known species",
            Self::NewSpecies => "new species in a known genus",
            Self::NewGenus => "new genus",
            Self::Unclear => "cannot tell",
        }
    }

    /// Why a specimen is taken for it.
    pub fn because(self) -> &'static str {
        match self {
            Self::Known => "as near to a species of the reference as only its members are",
            Self::NewSpecies => "stranger than members of known species are, yet near enough for the genus",
            Self::NewGenus => "stranger than first specimens of a known genus are",
            Self::Unclear => {
                "could be either, or is new without its being clear whether its genus is, too: more references may tell"
            }
        }
    }

    /// Its colour on maps and in lists (Okabe & Ito 2008, without the vermilion, which means "wrong").
    pub fn colour(self) -> Rgb {
        match self {
            Self::Known => [0, 114, 178],
            Self::NewSpecies => [230, 159, 0],
            Self::NewGenus => [204, 121, 167],
            Self::Unclear => [140, 147, 154],
        }
    }
}

/// False-discovery rates of one query: the rate at which each list would hold it.
///
/// A list that says two things at once is tested by the larger of both p-values, which is small only where both are: an entry is
/// false as soon as either is wrong, so cutting one list out of two others would promise too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// In the list of what belongs to no species of the reference.
    pub new: f64,
    /// In the list of what belongs to no genus of the reference.
    pub new_genus: f64,
    /// In the list of what belongs to no species of the reference, but to the genus of its nearest one.
    pub new_species: f64,
    /// In the list of what belongs to a species of the reference.
    pub known: f64,
}

impl Rates {
    /// What is decided when every list may hold that share of false entries. What two lists claim is unclear.
    pub fn decision(&self, fdr: f64) -> Decision {
        let claims = [
            (self.new_genus, Decision::NewGenus),
            (self.new_species, Decision::NewSpecies),
            (if self.new <= fdr { 1.0 } else { self.known }, Decision::Known),
        ];
        let mut claimed = claims.into_iter().filter(|&(rate, _)| rate <= fdr);
        match (claimed.next(), claimed.next()) {
            (Some((_, decision)), None) => decision,
            _ => Decision::Unclear,
        }
    }
}

/// The rates of a whole batch from its p-values.
pub(super) fn rates(p_values: &[PValues]) -> Vec<Rates> {
    let of = |pick: fn(&PValues) -> f64| benjamini_hochberg(&p_values.iter().map(pick).collect::<Vec<_>>());
    let new = of(|p| p.species);
    let new_genus = of(|p| p.species.max(p.genus));
    let new_species = of(|p| p.species.max(p.kin));
    let known = of(|p| p.familiar);
    (0..p_values.len())
        .map(|at| Rates { new: new[at], new_genus: new_genus[at], new_species: new_species[at], known: known[at] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_decision_needs_its_own_evidence() {
        let rates = |new, new_genus, new_species, known| Rates { new, new_genus, new_species, known };
        assert_eq!(rates(0.01, 0.04, 1.0, 1.0).decision(0.05), Decision::NewGenus);
        assert_eq!(rates(0.01, 0.5, 0.03, 1.0).decision(0.05), Decision::NewSpecies);
        assert_eq!(rates(0.01, 0.5, 0.3, 1.0).decision(0.05), Decision::Unclear, "new, but of which rank?");
        assert_eq!(rates(0.01, 0.04, 0.03, 1.0).decision(0.05), Decision::Unclear, "not both");
        assert_eq!(rates(0.6, 0.9, 0.9, 0.02).decision(0.05), Decision::Known);
        assert_eq!(rates(0.2, 0.3, 0.3, 0.4).decision(0.05), Decision::Unclear, "known or new?");
        assert_eq!(rates(0.01, 0.5, 0.5, 0.01).decision(0.05), Decision::Unclear, "what is listed as new is not known");
    }

    #[test]
    fn rates_are_those_of_the_whole_batch_and_of_both_claims() {
        let p = |species, genus, kin| PValues { species, genus, familiar: 1.0 - species, kin };
        let found = rates(&[p(0.01, 1.0, 0.03), p(0.5, 0.01, 0.01)]);
        assert_eq!((found[0].new, found[1].new), (0.02, 0.5));
        assert_eq!((found[0].new_species, found[1].new_species), (0.06, 0.5));
        assert_eq!((found[0].new_genus, found[1].new_genus), (1.0, 1.0));
        assert!(found.iter().all(|rates| rates.new <= rates.new_species.min(rates.new_genus)));
        assert!(rates(&[]).is_empty());
    }
}
