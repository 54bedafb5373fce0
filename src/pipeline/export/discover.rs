//! Tables of what was discovered.

use super::{digits, or_empty, write_fasta, write_rows};
use crate::data::dataset::Dataset;
use crate::pipeline::PipelineError;
use crate::pipeline::discover::{Candidate, Discovery, Finding, Measures, NoveltyScore, short};
use std::path::Path;

fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.6}") } else { String::new() }
}

/// `id,decision,taxon,p_species,p_genus,q,nearest,identity`, one row per query in file order. `q` is the false-discovery rate at which
/// the list of discoveries would hold the query.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_findings(
    path: &Path,
    discovery: &Discovery,
    query: &Dataset,
    reference: &Dataset,
) -> Result<(), PipelineError> {
    let header = ["id", "decision", "taxon", "p_species", "p_genus", "q", "nearest", "identity"];
    let cells = |found: &Finding| {
        vec![
            query.id(found.row).to_owned(),
            found.decision.key().to_owned(),
            or_empty(found.taxon.as_ref()),
            number(found.p_species),
            number(found.p_genus),
            number(found.rates.new),
            or_empty(found.nearest.map(|row| reference.id(row))),
            or_empty(found.identity.map(digits)),
        ]
    };
    write_rows(path, &header, discovery.findings.iter().map(cells))
}

/// `id,truth,cosine,p_distance,mahalanobis,combined,candidate,doubts`, one row per query in file order: the strangeness of each by
/// every score, and the number of its candidate, from 1.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_novelty_scores(path: &Path, discovery: &Discovery, query: &Dataset) -> Result<(), PipelineError> {
    let names = NoveltyScore::ALL.map(|score| score.key().replace('-', "_"));
    let mut header = vec!["id", "truth"];
    header.extend(names.iter().map(String::as_str));
    header.extend(["candidate", "doubts"]);
    let cells = |found: &Finding| {
        let mut cells = vec![query.id(found.row).to_owned(), or_empty(found.truth.map(|truth| truth.key()))];
        cells.extend(found.scores.map(number));
        cells.push(or_empty(found.candidate.map(|candidate| candidate + 1)));
        cells.push(found.doubts.iter().map(|doubt| doubt.key()).collect::<Vec<_>>().join(";"));
        cells
    };
    write_rows(path, &header, discovery.findings.iter().map(cells))
}

/// `candidate,name,decision,genus,members,barcodes,q,nearest,species,identity,within,gap,diagnostic,doubts,sound,ids`, the largest
/// first. `nearest` is the id of the most identical reference and `species` its name; `within` is the lowest identity of two
/// members, `gap` the smallest p-distance to the reference less the largest within; `sound` counts members without doubts.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_candidates(
    path: &Path,
    discovery: &Discovery,
    query: &Dataset,
    reference: &Dataset,
) -> Result<(), PipelineError> {
    let header = [
        "candidate",
        "name",
        "decision",
        "genus",
        "members",
        "barcodes",
        "q",
        "nearest",
        "species",
        "identity",
        "within",
        "gap",
        "diagnostic",
        "doubts",
        "sound",
        "ids",
    ];
    let cells = |(at, candidate): (usize, &Candidate)| {
        let nearest = candidate.relatives.first();
        let doubts = candidate.doubts.iter().map(|(doubt, members)| format!("{}:{members}", doubt.key()));
        let bases = candidate.diagnostic.iter().map(short);
        vec![
            (at + 1).to_string(),
            candidate.name(at),
            candidate.decision.key().to_owned(),
            or_empty(candidate.genus.as_ref()),
            candidate.members.len().to_string(),
            candidate.barcodes.to_string(),
            number(candidate.q),
            or_empty(nearest.map(|relative| reference.id(relative.row))),
            or_empty(nearest.map(|relative| &relative.species)),
            or_empty(nearest.map(|relative| digits(relative.identity))),
            or_empty(candidate.within.map(digits)),
            or_empty(candidate.gap.map(digits)),
            bases.collect::<Vec<_>>().join(";"),
            doubts.collect::<Vec<_>>().join(";"),
            candidate.sound.to_string(),
            candidate.members.iter().map(|&row| query.id(row)).collect::<Vec<_>>().join(";"),
        ]
    };
    write_rows(path, &header, discovery.candidates.iter().enumerate().map(cells))
}

/// `measure,score,subject,at,value,lo,hi,n,species`: how right everything was where names tell. `subject` is the kind of novelty or
/// the list, `at` the coverage or the nominal false-discovery rate, `n` and `species` what the value rests on.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_measures(path: &Path, measures: &Measures) -> Result<(), PipelineError> {
    let header = ["measure", "score", "subject", "at", "value", "lo", "hi", "n", "species"];
    let ends = |interval: Option<[f64; 2]>| [0, 1].map(|which| or_empty(interval.map(|ends| number(ends[which]))));
    let line = |[measure, score, subject]: [&str; 3], at: String, value: f64, interval: Option<[f64; 2]>| {
        let [low, high] = ends(interval);
        vec![measure.to_owned(), score.to_owned(), subject.to_owned(), at, number(value), low, high]
    };
    let with = |mut cells: Vec<String>, n: usize, species: String| {
        cells.extend([n.to_string(), species]);
        cells
    };
    let mut rows = Vec::new();
    for row in &measures.detection {
        let intervals = row.intervals;
        let values = [
            ("auroc", row.found.auroc, intervals.map(|ends| ends.auroc)),
            ("aupr", row.found.aupr, intervals.map(|ends| ends.aupr)),
            ("fpr_at_95_tpr", row.found.fpr_at_95_tpr, intervals.map(|ends| ends.fpr_at_95_tpr)),
        ];
        for (measure, value, interval) in values {
            let cells = line([measure, row.score.key(), row.novelty.key()], String::new(), value, interval);
            rows.push(with(cells, row.known + row.novel, (row.known_species + row.novel_species).to_string()));
        }
    }
    for curve in &measures.coverage {
        for point in &curve.points {
            let at = point.coverage.to_string();
            let cells = line(["accuracy", curve.score.key(), "named"], at, point.accuracy, point.interval);
            rows.push(with(cells, curve.n, String::new()));
        }
    }
    for row in &measures.control {
        let (list, at) = (row.list.key(), row.nominal.to_string());
        let cells = line(["false_discovery_rate", "", list], at.clone(), row.observed(), row.interval);
        rows.push(with(cells, row.listed, String::new()));
        rows.push(with(line(["found", "", list], at, row.found(), None), row.belong, String::new()));
    }
    write_rows(path, &header, rows)
}

/// The discoveries as FASTA, in file order.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_discoveries(path: &Path, discovery: &Discovery, query: &Dataset) -> Result<(), PipelineError> {
    let rows: Vec<usize> =
        discovery.findings.iter().filter(|found| found.is_discovery).map(|found| found.row).collect();
    write_fasta(path, query, &rows)
}
