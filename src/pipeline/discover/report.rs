//! The folder of a discovery: tables, barcodes, and a page that shows everything in any browser.

use super::diagnostic::told;
use super::measures::{CandidateTruth, DetectionRow, Measures};
use super::picture::{control_curves, coverage_curves, decision_map};
use super::{Candidate, Decision, Discovery};
use crate::data::dataset::Dataset;
use crate::pipeline::PipelineError;
use crate::pipeline::export::{
    write_candidates, write_discoveries, write_error, write_findings, write_measures, write_novelty_scores, write_text,
};
use crate::pipeline::figure::curves;
use crate::pipeline::methods::methods_paragraph;
use crate::pipeline::page::Page;
use crate::pipeline::project::{ProjectSettings, ProjectSource, Projection, project};
use crate::pipeline::side::Side;
use crate::progress::Observer;
use std::path::{Path, PathBuf};

/// Candidates that the page lists; the table has all of them.
const LISTED: usize = 60;
/// Diagnostic bases that the page tells of a candidate.
const BASES: usize = 6;

/// Writes `queries.csv`, `scores.csv`, `candidates.csv`, `measures.csv` (where names tell), `discoveries.fasta` and `report.html` into
/// a folder, which is made where it does not exist; answers the page.
///
/// # Errors
/// [`PipelineError::Write`], what the map says other than that there is too little to lay out, and a stop.
pub fn write_discovery(
    folder: &Path,
    discovery: &Discovery,
    reference: &Dataset,
    query: Side<'_>,
    observer: &dyn Observer,
) -> Result<PathBuf, PipelineError> {
    std::fs::create_dir_all(folder).map_err(|source| write_error(folder, source))?;
    let path = |name: &str| folder.join(name);
    write_findings(&path("queries.csv"), discovery, query.dataset, reference)?;
    write_novelty_scores(&path("scores.csv"), discovery, query.dataset)?;
    write_candidates(&path("candidates.csv"), discovery, query.dataset, reference)?;
    write_discoveries(&path("discoveries.fasta"), discovery, query.dataset)?;
    if let Some(measures) = &discovery.measures {
        write_measures(&path("measures.csv"), measures)?;
    }
    let map = query_map(discovery, query, observer)?;
    let page = path("report.html");
    write_report(&page, discovery, reference, query.dataset, map.as_ref())?;
    Ok(page)
}

/// Writes the page alone. `map` lays out the specimens of the query's dataset.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_report(
    path: &Path,
    discovery: &Discovery,
    reference: &Dataset,
    query: &Dataset,
    map: Option<&Projection>,
) -> Result<(), PipelineError> {
    write_text(path, &report_page(discovery, reference, query, map))
}

/// A map of the queries; `None` of too few to lay out.
fn query_map(
    discovery: &Discovery,
    query: Side<'_>,
    observer: &dyn Observer,
) -> Result<Option<Projection>, PipelineError> {
    let Some(embedded) = query.embedded else { return Ok(None) };
    let settings = ProjectSettings {
        transform: discovery.settings.transform,
        seed: discovery.settings.seed,
        ..ProjectSettings::default()
    };
    match project(query.dataset, ProjectSource::Embedded(embedded), &settings, observer) {
        Ok(map) => Ok(Some(map)),
        Err(PipelineError::TooFew { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A share with its interval, both in per cent.
fn with_interval(share: f64, interval: Option<[f64; 2]>) -> String {
    match interval {
        Some([low, high]) => format!("{} ({:.1} to {:.1})", percent(share), 100.0 * low, 100.0 * high),
        None => percent(share),
    }
}

fn report_page(discovery: &Discovery, reference: &Dataset, query: &Dataset, map: Option<&Projection>) -> String {
    let mut page = Page::new(&format!("Barcodescope: what is new in {}", query.name()));
    decisions(&mut page, discovery, reference, query);
    if let Some(map) = map {
        page.figure(&decision_map(discovery, query, map));
    }
    candidates(&mut page, discovery, reference, query);
    if let Some(measures) = &discovery.measures {
        measured(&mut page, measures);
    }
    let mut results = vec![&discovery.provenance];
    results.extend(map.map(|map| &map.provenance));
    page.methods(&methods_paragraph(&results));
    page.finish()
}

fn decisions(page: &mut Page, discovery: &Discovery, reference: &Dataset, query: &Dataset) {
    page.heading("What the specimens are taken for");
    page.paragraph(&format!(
        "{} specimens of {} were compared with {} named specimens of {}. {} of them belong to no species of the reference, in a list of \
         which {} may be false on average.",
        discovery.findings.len(),
        query.name(),
        discovery.references,
        reference.name(),
        discovery.discoveries(),
        percent(discovery.settings.fdr),
    ));
    let total = discovery.findings.len().max(1) as f64;
    let row = |decision: Decision| {
        let count = discovery.count(decision);
        vec![
            decision.title().to_owned(),
            count.to_string(),
            percent(count as f64 / total),
            decision.because().to_owned(),
        ]
    };
    page.table(&["taken for", "specimens", "share", "because"], Decision::ALL.map(row));
    page.paragraph(&format!(
        "Among those that cannot be told, {} are listed as new: their barcodes do not tell whether their genus is new, too.",
        discovery.new_of_unclear_rank()
    ));
    let [fellows, firsts, alone] = discovery.held_out;
    page.paragraph(&format!(
        "What known looks like was learned from {fellows} reference specimens, each compared with all others; what new looks like from {} \
         that were compared as if they were the first of their species, {alone} of them of their genus, too.",
        firsts + alone,
    ));
    if let Some(trained_on) = discovery.trained_on.filter(|&count| count > 0) {
        page.note(&format!(
            "The model was trained on {trained_on} of these specimens, which makes them look more familiar than new ones would."
        ));
    }
}

fn candidates(page: &mut Page, discovery: &Discovery, reference: &Dataset, query: &Dataset) {
    page.heading("Candidates: groups that may be one new species each");
    let (sound, doubtful): (Vec<_>, Vec<_>) =
        discovery.candidates.iter().enumerate().partition(|(_, candidate)| candidate.is_sound());
    let cut = discovery.threshold.map_or_else(String::new, |cut| format!(" at a cosine distance of {cut:.3}"));
    page.paragraph(&format!(
        "The {} discoveries form {} groups, cut{cut} without knowing how many there are: {} sound ones, and {} of which most members have \
         something against them.",
        discovery.discoveries(),
        discovery.candidates.len(),
        sound.len(),
        doubtful.len(),
    ));
    candidate_table(page, &sound, reference, query);
    if !doubtful.is_empty() {
        page.heading("Doubtful groups: look at these reads before anything is called new");
        candidate_table(page, &doubtful, reference, query);
    }
}

fn candidate_table(page: &mut Page, listed: &[(usize, &Candidate)], reference: &Dataset, query: &Dataset) {
    if listed.is_empty() {
        page.paragraph("None.");
        return;
    }
    let rows = listed.iter().take(LISTED).map(|&(at, candidate)| candidate_row(at, candidate, reference, query));
    let header = [
        "name for now",
        "specimens",
        "first of them",
        "nearest known relatives",
        "alike within",
        "gap",
        "diagnostic bases",
        "against it",
    ];
    page.table(&header, rows.collect::<Vec<_>>());
    if listed.len() > LISTED {
        page.paragraph(&format!("{} more are in candidates.csv.", listed.len() - LISTED));
    }
}

fn candidate_row(at: usize, candidate: &Candidate, reference: &Dataset, query: &Dataset) -> Vec<String> {
    let relatives = candidate.relatives.iter().map(|relative| {
        format!("{} {} ({})", relative.species, percent(f64::from(relative.identity)), reference.id(relative.row))
    });
    let bases: Vec<String> = candidate.diagnostic.iter().take(BASES).map(told).collect();
    let more = candidate.diagnostic.len().saturating_sub(BASES);
    let against = candidate.doubts.iter().map(|(doubt, members)| format!("{}: {members}", doubt.title()));
    vec![
        candidate.name(at),
        candidate.members.len().to_string(),
        candidate.members.first().map_or_else(String::new, |&row| query.id(row).to_owned()),
        relatives.collect::<Vec<_>>().join("; "),
        candidate.within.map_or_else(String::new, |within| percent(f64::from(within))),
        candidate.gap.map_or_else(String::new, |gap| percent(f64::from(gap))),
        if more > 0 { format!("{} and {more} more", bases.join(", ")) } else { bases.join(", ") },
        against.collect::<Vec<_>>().join("; "),
    ]
}

fn measured(page: &mut Page, measures: &Measures) {
    let [known, species, genera] = measures.truth;
    page.heading("Compared with the specimens' own names");
    page.paragraph(&format!(
        "By their names {known} specimens are of species that the reference has, {species} of new species in known genera (near), {genera} of \
         new genera (far). Intervals are 95 %, by bootstrap over species."
    ));
    let row = |row: &DetectionRow| {
        let ends = row.intervals;
        vec![
            row.score.title().to_owned(),
            row.novelty.title().to_owned(),
            with_interval(row.found.auroc, ends.map(|ends| ends.auroc)),
            with_interval(row.found.aupr, ends.map(|ends| ends.aupr)),
            with_interval(row.found.fpr_at_95_tpr, ends.map(|ends| ends.fpr_at_95_tpr)),
            format!("{} ({} species)", row.known, row.known_species),
            format!("{} ({} species)", row.novel, row.novel_species),
        ]
    };
    let header = ["score", "told from known", "AUROC", "AUPR", "FPR at 95 % TPR", "known", "new"];
    page.table(&header, measures.detection.iter().map(row));
    page.figure(&curves(&coverage_curves(measures)));
    page.heading("Do the lists keep their word?");
    let rows = measures.control.iter().map(|row| {
        vec![
            row.list.title().to_owned(),
            percent(row.nominal),
            if row.listed == 0 { "empty list".to_owned() } else { with_interval(row.observed(), row.interval) },
            row.listed.to_string(),
            format!("{} of {}", percent(row.found()), row.belong),
        ]
    });
    page.table(
        &["list", "false entries allowed", "false entries observed", "entries", "found"],
        rows.collect::<Vec<_>>(),
    );
    page.figure(&curves(&control_curves(measures)));
    if let Some(truth) = &measures.candidates {
        candidates_measured(page, truth);
    }
}

fn candidates_measured(page: &mut Page, truth: &CandidateTruth) {
    page.heading("Candidates and true species");
    let row = |what: &str, count: usize| vec![what.to_owned(), count.to_string()];
    page.table(
        &["species that the reference lacks", "number"],
        [
            row("in all", truth.species),
            row("one candidate each, with nothing else in it", truth.matched),
            row("split over several candidates", truth.split),
            row("merged with others into one candidate", truth.merged),
            row("split and merged", truth.mixed),
            row("of which no specimen was discovered", truth.missed),
        ],
    );
    page.paragraph(&format!(
        "{} of {} candidates consist for the greater part of species that the reference has. Over the discoveries that are truly new, \
         candidates and species agree with an AMI of {}.",
        truth.false_candidates,
        truth.candidates,
        truth.agreement.as_ref().map_or_else(|| "(too few to tell)".to_owned(), |found| format!("{:.3}", found.ami)),
    ));
}
