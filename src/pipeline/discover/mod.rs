//! Open-world discovery: which specimens belong to a species that the reference lacks, and which of these belong together.
//!
//! Every query is compared with a labelled reference by several scores of strangeness ([`NoveltyScore`]). One of them is turned into
//! conformal p-values beside specimens of the reference that were held out, and Benjamini-Hochberg over the batch turns these into
//! lists with a stated share of false entries ([`Rates`]). What is listed as new is grouped without knowing the number of groups;
//! each group is described and checked ([`Candidate`]). Where the queries have names, everything is compared with them
//! ([`Measures`]).
//!
//! "Known" means: named in the reference. Reference specimens without a genus or a species are left out.

mod calibration;
mod candidate;
mod darkness;
mod decide;
mod diagnostic;
mod division;
mod hold_out;
mod measure;
mod measures;
mod picture;
mod quality;
mod report;
mod score;

pub use candidate::{Candidate, Relative};
pub use darkness::{NEIGHBOURHOOD, darkness};
pub use decide::{Decision, Rates};
pub(super) use diagnostic::diagnostic_in_frame;
pub use diagnostic::{short, told};
pub use division::{Divided, Division};
pub use hold_out::{HeldRank, HoldOutSettings, hold_out};
pub use measures::{CandidateTruth, ControlRow, CoverageCurve, DetectionRow, Listed, Measures, Novelty, Truth};
pub use picture::{control_curves, coverage_curves};
pub(super) use quality::breaks_frame;
pub use quality::{CONFLICT_IDENTITY, Doubt};
pub use report::{write_discovery, write_report};
pub use score::NoveltyScore;

use super::side::Side;
use super::{PipelineError, Provenance};
use crate::analysis::alignment::Aligner;
use crate::data::frame::{FrameCheck, check_frames};
use crate::data::reading::TransformKind;
use crate::progress::{Observer, Progress};
use crate::seed::Seed;
use calibration::HeldOut;
use rayon::prelude::*;
use score::{Known, Measured, Without};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How discoveries are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiscoverSettings {
    /// The score that decides.
    pub score: NoveltyScore,
    /// Whose cosine distance counts: 1 for that of the nearest reference.
    pub neighbour: usize,
    /// Share of false entries that each list may hold, 0 to 1.
    pub fdr: f64,
    /// Most reference specimens that are held out of each kind.
    pub calibration: usize,
    /// Transform of the embeddings, fitted on the reference; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// Cosine distance at which candidates are cut; `None` as the discoveries suggest.
    pub threshold: Option<f32>,
    /// Seed of all draws.
    pub seed: Seed,
}

impl Default for DiscoverSettings {
    fn default() -> Self {
        Self {
            score: NoveltyScore::default(),
            neighbour: 1,
            fdr: 0.05,
            calibration: 4000,
            transform: None,
            threshold: None,
            seed: Seed::default(),
        }
    }
}

/// What was found for one query.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Row in the query's dataset.
    pub row: usize,
    /// What it is taken for.
    pub decision: Decision,
    /// The species of a known one, the genus of a new species.
    pub taxon: Option<String>,
    /// Conformal p-value of its being that strange though its species is in the reference.
    pub p_species: f64,
    /// The same of its genus.
    pub p_genus: f64,
    /// False-discovery rates at which the lists would hold it.
    pub rates: Rates,
    /// Whether it is listed as belonging to no species of the reference.
    pub is_discovery: bool,
    /// Row in the reference's dataset of the most identical reference.
    pub nearest: Option<usize>,
    /// Identity with it, 0 to 1.
    pub identity: Option<f32>,
    /// All scores, in the order of [`NoveltyScore::ALL`].
    pub scores: [f64; 4],
    /// Index of its candidate, where it is a discovery.
    pub candidate: Option<usize>,
    /// What speaks against it.
    pub doubts: Vec<Doubt>,
    /// What its own label says.
    pub truth: Option<Truth>,
}

/// Everything that was found.
#[derive(Debug, Clone)]
pub struct Discovery {
    /// The settings.
    pub settings: DiscoverSettings,
    /// One per query, in file order.
    pub findings: Vec<Finding>,
    /// Groups of discoveries, the largest first.
    pub candidates: Vec<Candidate>,
    /// Cosine distance at which groups were cut; `None` where there was nothing to group.
    pub threshold: Option<f32>,
    /// Number of reference specimens that were compared with.
    pub references: usize,
    /// Number of held-out specimens: of known species; as first of their species with, and without, their genus.
    pub held_out: [usize; 3],
    /// Comparison with the queries' own labels; `None` where none has one.
    pub measures: Option<Measures>,
    /// How many of the queries the model was trained on; `None` where its file does not tell.
    pub trained_on: Option<usize>,
    /// Wall time, without embedding.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}

impl Discovery {
    /// How many queries were taken for what.
    pub fn count(&self, decision: Decision) -> usize {
        self.findings.iter().filter(|finding| finding.decision == decision).count()
    }

    /// How many queries are listed as new without its being clear whether their genus is, too.
    pub fn new_of_unclear_rank(&self) -> usize {
        let is_unclear = |finding: &&Finding| finding.is_discovery && finding.decision == Decision::Unclear;
        self.findings.iter().filter(is_unclear).count()
    }

    /// How many queries are listed as belonging to no species of the reference.
    pub fn discoveries(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_discovery).count()
    }
}

/// Looks among the specimens of `query` for what the labelled specimens of `reference` have not. Both sides need embeddings.
/// `frames` are the checks of the query's dataset `[U]`; without them they are made here.
///
/// # Errors
/// [`PipelineError::Empty`] without queries or references, [`PipelineError::NoLabels`] when no reference has genus and species,
/// [`PipelineError::Setting`] when it is too small to learn from or a setting is out of range, and a stop.
pub fn discover(
    reference: Side<'_>,
    query: Side<'_>,
    frames: Option<&[FrameCheck]>,
    settings: &DiscoverSettings,
    observer: &dyn Observer,
) -> Result<Discovery, PipelineError> {
    let start = Instant::now();
    check(settings)?;
    let rows = query.row_list();
    if rows.is_empty() {
        return Err(PipelineError::Empty { what: format!("the queries '{}'", query.dataset.name()) });
    }
    let made;
    let frames = match frames {
        Some(frames) => frames,
        None => {
            made = check_frames(query.dataset, observer)?;
            &made
        }
    };
    let known = Known::new(reference, settings.transform, observer)?;
    let (score, limit) = (settings.score, settings.calibration);
    let held_out = HeldOut::draw(&known, score, settings.neighbour, limit, settings.seed, observer)?;
    let measured = measure_queries(&known, &held_out, query, &rows, settings.neighbour, observer)?;
    let mut findings = decide_all(&known, &held_out, query, &rows, &measured, settings.fdr);
    add_doubts(&known, query, frames, &mut findings, observer)?;
    let (candidates, threshold) =
        candidate::candidates(&known, &held_out, query, &findings, settings.threshold, settings.seed, observer)?;
    let place: HashMap<usize, usize> = findings.iter().enumerate().map(|(at, found)| (found.row, at)).collect();
    for (number, candidate) in candidates.iter().enumerate() {
        candidate.members.iter().for_each(|row| findings[place[row]].candidate = Some(number));
    }
    let measures = measure::measures(&known, query.dataset, &findings, settings.seed, observer)?;
    Ok(Discovery {
        settings: *settings,
        candidates,
        threshold,
        references: known.named.len(),
        held_out: held_out.sizes(),
        measures,
        trained_on: query.embedded.and_then(|embedded| embedded.count_trained_on(query.dataset, &rows)),
        seconds: start.elapsed().as_secs_f64(),
        provenance: provenance(&known, &held_out, &query, settings, threshold),
        findings,
    })
}

fn check(settings: &DiscoverSettings) -> Result<(), PipelineError> {
    if !(settings.fdr > 0.0 && settings.fdr < 1.0) {
        return Err(PipelineError::Setting(format!(
            "the false-discovery rate is a share between 0 and 1, and not {}",
            settings.fdr
        )));
    }
    if settings.neighbour == 0 || settings.calibration == 0 {
        return Err(PipelineError::Setting(
            "the neighbour and the number of held-out specimens count from 1".to_owned(),
        ));
    }
    Ok(())
}

/// Every different barcode of the queries, measured once.
fn measure_queries(
    known: &Known<'_>,
    held_out: &HeldOut,
    query: Side<'_>,
    rows: &[usize],
    neighbour: usize,
    observer: &dyn Observer,
) -> Result<Vec<Measured>, PipelineError> {
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut firsts = Vec::new();
    for &row in rows {
        place.entry(query.dataset.unique_of(row)).or_insert_with(|| {
            firsts.push(row);
            firsts.len() - 1
        });
    }
    let mut found = known.measure(query, &firsts, Without::Nothing, neighbour, observer)?;
    found.iter_mut().for_each(|found| held_out.combine(found));
    Ok(rows.iter().map(|&row| found[place[&query.dataset.unique_of(row)]]).collect())
}

fn decide_all(
    known: &Known<'_>,
    held_out: &HeldOut,
    query: Side<'_>,
    rows: &[usize],
    measured: &[Measured],
    fdr: f64,
) -> Vec<Finding> {
    let p_values: Vec<_> = measured.iter().map(|found| held_out.p_values(known, found)).collect();
    let rates = decide::rates(&p_values);
    let labels = measure::Labels::of(known);
    (0..rows.len())
        .map(|at| {
            let (found, rates, p) = (&measured[at], rates[at], &p_values[at]);
            let decision = rates.decision(fdr);
            let taxon = match decision {
                Decision::Known => found.nearest.and_then(|row| known.species.get(row)),
                Decision::NewSpecies => found.nearest.and_then(|row| known.genus.get(row)),
                Decision::NewGenus | Decision::Unclear => None,
            };
            Finding {
                row: rows[at],
                decision,
                taxon: taxon.map(str::to_owned),
                p_species: p.species,
                p_genus: p.genus,
                rates,
                is_discovery: rates.new <= fdr,
                nearest: found.nearest,
                identity: found.nearest.map(|_| found.identity),
                scores: found.scores,
                candidate: None,
                doubts: Vec::new(),
                truth: labels.truth(query.dataset, rows[at]),
            }
        })
        .collect()
}

/// What speaks against each discovery.
fn add_doubts(
    known: &Known<'_>,
    query: Side<'_>,
    frames: &[FrameCheck],
    findings: &mut [Finding],
    observer: &dyn Observer,
) -> Result<(), PipelineError> {
    let total = findings.iter().filter(|finding| finding.is_discovery).count();
    let done = AtomicUsize::new(0);
    findings.par_iter_mut().filter(|finding| finding.is_discovery).try_for_each_init(
        Aligner::new,
        |aligner, finding| {
            let at = done.fetch_add(1, Ordering::Relaxed);
            observer.progress(Progress::new("checking what was found", at, total, "specimens"))?;
            let alignment = finding.nearest.map(|nearest| {
                (nearest, aligner.align(query.dataset.sequence(finding.row), known.dataset().sequence(nearest)))
            });
            let nearest = alignment.as_ref().map(|(nearest, alignment)| (known.dataset(), *nearest, alignment));
            finding.doubts = quality::doubts_of(query.dataset, frames, finding.row, nearest);
            Ok(())
        },
    )
}

fn provenance(
    known: &Known<'_>,
    held_out: &HeldOut,
    query: &Side<'_>,
    settings: &DiscoverSettings,
    threshold: Option<f32>,
) -> Provenance {
    let mut provenance = Provenance::new(settings.seed, &[known.dataset(), query.dataset]);
    if let Some(embedded) = known.side().embedded {
        provenance = embedded.describe(provenance);
    }
    let [fellows, firsts, alone] = held_out.sizes();
    provenance
        .with("transform", known.model().describe_transform().unwrap_or_default())
        .with("novelty score", settings.score)
        .with("neighbour of the cosine distance", settings.neighbour)
        .with("false-discovery rate", settings.fdr)
        .with("held out of known species", fellows)
        .with("held out as first of their species", format!("{firsts} with their genus, {alone} without"))
        .with("shrinkage of the covariance", known.shrinkage().map_or_else(String::new, |share| format!("{share:.3}")))
        .with("groups cut at cosine distance", threshold.map_or_else(String::new, |value| format!("{value:.4}")))
}

#[cfg(test)]
mod tests;
