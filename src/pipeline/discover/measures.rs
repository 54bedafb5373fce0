//! What labels say of discoveries: the numbers, as tables and pictures read them.

use super::decide::{Decision, Rates};
use super::score::NoveltyScore;
use crate::analysis::agreement::Agreement;
use crate::analysis::novelty::{CoveragePoint, Detection, DetectionIntervals};
use serde::Serialize;

/// What a query is by its own label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// The reference has its species.
    Known,
    /// The reference has its genus, but not its species.
    NewSpecies,
    /// The reference has not its genus.
    NewGenus,
}

impl Truth {
    /// The name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::NewSpecies => "new_species",
            Self::NewGenus => "new_genus",
        }
    }
}

/// Which kind of new is told from known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Novelty {
    /// New species in known genera.
    Near,
    /// New genera.
    Far,
}

impl Novelty {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Near, Self::Far];

    /// The name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Far => "far",
        }
    }

    /// The name in the window and in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::Near => "new species in known genera",
            Self::Far => "new genera",
        }
    }

    /// What a query of this kind is by its own label.
    pub(super) fn truth(self) -> Truth {
        match self {
            Self::Near => Truth::NewSpecies,
            Self::Far => Truth::NewGenus,
        }
    }
}

/// How well one score tells one kind of new from known species.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DetectionRow {
    /// The score.
    pub score: NoveltyScore,
    /// What is new.
    pub novelty: Novelty,
    /// The measures.
    pub found: Detection,
    /// Their 95 % intervals by bootstrap over species.
    pub intervals: Option<DetectionIntervals>,
    /// Queries of known species.
    pub known: usize,
    /// Queries that are new.
    pub novel: usize,
    /// Species among the queries of known species.
    pub known_species: usize,
    /// Species among the queries that are new.
    pub novel_species: usize,
}

/// Accuracy of the species' names against the share of the queries that are named, the most familiar first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoverageCurve {
    /// The score that orders the queries.
    pub score: NoveltyScore,
    /// From few to all.
    pub points: Vec<CoveragePoint>,
    /// Queries.
    pub n: usize,
}

/// A list of specimens, each in it for the same reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// Of no species of the reference; false where the reference has the species.
    New,
    /// Of no genus of the reference; false where the reference has the genus.
    NewGenus,
    /// Of a new species in a named genus; false where the species is known or the genus another.
    NewSpecies,
    /// Of a species of the reference; false where the reference has not the species.
    Known,
}

impl Listed {
    /// Every list.
    pub const ALL: [Self; 4] = [Self::New, Self::NewGenus, Self::NewSpecies, Self::Known];

    /// The name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::NewGenus => "new_genus",
            Self::NewSpecies => "new_species",
            Self::Known => "known",
        }
    }

    /// The name in the window and in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::New => "discoveries: new, of whatever rank",
            Self::NewGenus => "new genera",
            Self::NewSpecies => "new species of a named genus",
            Self::Known => "known species",
        }
    }

    /// Whether the list holds a query at a nominal rate.
    pub(super) fn holds(self, rates: &Rates, nominal: f64) -> bool {
        match self {
            Self::New => rates.new <= nominal,
            Self::NewGenus => rates.decision(nominal) == Decision::NewGenus,
            Self::NewSpecies => rates.decision(nominal) == Decision::NewSpecies,
            Self::Known => rates.decision(nominal) == Decision::Known,
        }
    }
}

/// A list at one nominal rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ControlRow {
    /// The list.
    pub list: Listed,
    /// Share of false entries that was allowed.
    pub nominal: f64,
    /// Its entries whose truth is known.
    pub listed: usize,
    /// How many of them are false.
    pub wrong: usize,
    /// 95 % interval of the share of false ones by bootstrap over species.
    pub interval: Option<[f64; 2]>,
    /// Queries that belong into the list.
    pub belong: usize,
}

impl ControlRow {
    /// Share of false entries; 0 in an empty list.
    pub fn observed(&self) -> f64 {
        if self.listed == 0 { 0.0 } else { self.wrong as f64 / self.listed as f64 }
    }

    /// Share found of what belongs into the list; 0 where nothing does.
    pub fn found(&self) -> f64 {
        if self.belong == 0 { 0.0 } else { (self.listed - self.wrong) as f64 / self.belong as f64 }
    }
}

/// Candidates beside the species that the queries' labels name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CandidateTruth {
    /// Species that the reference lacks, among the queries.
    pub species: usize,
    /// Those that are one candidate, which holds nothing else.
    pub matched: usize,
    /// Those in several candidates, which hold nothing else.
    pub split: usize,
    /// Those in one candidate with others.
    pub merged: usize,
    /// Those in several candidates, of which at least one holds others, too.
    pub mixed: usize,
    /// Those of which no specimen was discovered.
    pub missed: usize,
    /// Candidates with a member whose species is known by its label.
    pub candidates: usize,
    /// Candidates most of whose labelled members are of species that the reference has.
    pub false_candidates: usize,
    /// Agreement of candidates and species over the discoveries that are truly new.
    pub agreement: Option<Agreement>,
}

/// Everything that labels tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measures {
    /// Queries of known species, new species and new genera.
    pub truth: [usize; 3],
    /// Scores side by side, near and far apart.
    pub detection: Vec<DetectionRow>,
    /// One curve per score.
    pub coverage: Vec<CoverageCurve>,
    /// Nominal rates against observed ones.
    pub control: Vec<ControlRow>,
    /// Candidates against species; `None` where no query is of a new one.
    pub candidates: Option<CandidateTruth>,
}
