//! What was found beside what the queries' own labels say.

use super::Finding;
use super::measures::{CandidateTruth, ControlRow, CoverageCurve, DetectionRow, Listed, Measures, Novelty, Truth};
use super::score::{Known, NoveltyScore};
use crate::analysis::concordance::{Correspondence, concordance};
use crate::analysis::metrics::bootstrap_mean_interval;
use crate::analysis::novelty::{accuracy_against_coverage, detection, detection_intervals};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::{Field, LabelColumn};
use crate::pipeline::PipelineError;
use crate::pipeline::classify::RESAMPLES;
use crate::pipeline::cluster::agreement_with;
use crate::progress::Observer;
use crate::seed::Seed;
use std::collections::HashSet;

/// False-discovery rates at which lists are compared with the truth.
pub(super) const NOMINAL: [f64; 4] = [0.01, 0.05, 0.1, 0.2];
/// Coverages of the curve.
const COVERAGES: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Names of a reference.
pub(super) struct Labels<'a> {
    species: HashSet<&'a str>,
    genera: HashSet<&'a str>,
}

impl<'a> Labels<'a> {
    pub(super) fn of(known: &Known<'a>) -> Self {
        let names = |column: &'a LabelColumn| known.named.iter().filter_map(|&row| column.get(row)).collect();
        Self { species: names(known.species), genera: names(known.genus) }
    }

    /// What a query's label says of it; `None` where it does not say enough.
    pub(super) fn truth(&self, query: &Dataset, row: usize) -> Option<Truth> {
        let species = query.label(row, Field::Species);
        if species.is_some_and(|species| self.species.contains(species)) {
            return Some(Truth::Known);
        }
        match query.label(row, Field::Genus) {
            Some(genus) if !self.genera.contains(genus) => Some(Truth::NewGenus),
            Some(_) if species.is_some() => Some(Truth::NewSpecies),
            _ => None,
        }
    }
}

/// Compares findings with labels; `None` where no query has a label that tells.
pub(super) fn measures(
    known: &Known<'_>,
    query: &Dataset,
    findings: &[Finding],
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Option<Measures>, PipelineError> {
    let told: Vec<(&Finding, Truth)> = findings.iter().filter_map(|found| Some((found, found.truth?))).collect();
    if told.is_empty() {
        return Ok(None);
    }
    let work = Work { known, query, told, seed, observer };
    let count = |wanted| work.told.iter().filter(|&&(_, truth)| truth == wanted).count();
    Ok(Some(Measures {
        truth: [Truth::Known, Truth::NewSpecies, Truth::NewGenus].map(count),
        detection: work.detection()?,
        coverage: work.coverage()?,
        control: work.control(),
        candidates: candidate_truth(query, findings),
    }))
}

struct Work<'a> {
    known: &'a Known<'a>,
    query: &'a Dataset,
    /// Findings whose truth is known.
    told: Vec<(&'a Finding, Truth)>,
    seed: Seed,
    observer: &'a dyn Observer,
}

impl Work<'_> {
    fn species(&self, finding: &Finding) -> Option<u32> {
        self.query.labels(Field::Species).code(finding.row)
    }

    fn detection(&self) -> Result<Vec<DetectionRow>, PipelineError> {
        let mut rows = Vec::new();
        for novelty in Novelty::ALL {
            let taken: Vec<&(&Finding, Truth)> =
                self.told.iter().filter(|(_, truth)| [Truth::Known, novelty.truth()].contains(truth)).collect();
            let novel: Vec<bool> = taken.iter().map(|(_, truth)| *truth != Truth::Known).collect();
            let groups: Vec<Option<u32>> = taken.iter().map(|(finding, _)| self.species(finding)).collect();
            let species = |wanted: bool| {
                let of = groups.iter().zip(&novel).filter(|&(_, &novel)| novel == wanted);
                of.filter_map(|(group, _)| *group).collect::<HashSet<u32>>().len()
            };
            for score in NoveltyScore::ALL {
                let scores: Vec<f64> = taken.iter().map(|(finding, _)| finding.scores[score.index()]).collect();
                let Some(found) = detection(&scores, &novel).filter(|_| scores.iter().any(|score| !score.is_nan()))
                else {
                    continue;
                };
                let intervals = detection_intervals(&scores, &novel, &groups, RESAMPLES, self.seed, self.observer)?;
                rows.push(DetectionRow {
                    score,
                    novelty,
                    found,
                    intervals,
                    known: novel.iter().filter(|&&novel| !novel).count(),
                    novel: novel.iter().filter(|&&novel| novel).count(),
                    known_species: species(false),
                    novel_species: species(true),
                });
            }
        }
        Ok(rows)
    }

    /// Whether the species of the nearest reference is that of the query.
    fn is_named_right(&self, finding: &Finding) -> bool {
        let nearest = finding.nearest.and_then(|row| self.known.species.get(row));
        nearest.is_some() && nearest == self.query.label(finding.row, Field::Species)
    }

    fn coverage(&self) -> Result<Vec<CoverageCurve>, PipelineError> {
        let correct: Vec<bool> = self.told.iter().map(|(finding, _)| self.is_named_right(finding)).collect();
        let groups: Vec<Option<u32>> = self.told.iter().map(|(finding, _)| self.species(finding)).collect();
        let mut curves = Vec::new();
        for score in NoveltyScore::ALL {
            let scores: Vec<f64> = self.told.iter().map(|(finding, _)| finding.scores[score.index()]).collect();
            if scores.iter().all(|score| score.is_nan()) {
                continue;
            }
            let points =
                accuracy_against_coverage(&scores, &correct, &groups, &COVERAGES, RESAMPLES, self.seed, self.observer)?;
            curves.push(CoverageCurve { score, points, n: scores.len() });
        }
        Ok(curves)
    }

    fn belongs(&self, list: Listed, finding: &Finding, truth: Truth) -> bool {
        match list {
            Listed::New => truth != Truth::Known,
            Listed::NewGenus => truth == Truth::NewGenus,
            Listed::NewSpecies => truth == Truth::NewSpecies && self.is_of_nearest_genus(finding),
            Listed::Known => truth == Truth::Known,
        }
    }

    fn is_of_nearest_genus(&self, finding: &Finding) -> bool {
        let nearest = finding.nearest.and_then(|row| self.known.genus.get(row));
        nearest.is_some() && nearest == self.query.label(finding.row, Field::Genus)
    }

    fn control(&self) -> Vec<ControlRow> {
        let unnamed = self.query.labels(Field::Species).distinct() as u32;
        let row = |list: Listed, nominal: f64| {
            let listed: Vec<&(&Finding, Truth)> =
                self.told.iter().filter(|(finding, _)| list.holds(&finding.rates, nominal)).collect();
            let wrong: Vec<f64> = listed
                .iter()
                .map(|(finding, truth)| f64::from(u8::from(!self.belongs(list, finding, *truth))))
                .collect();
            // A specimen without a species is a group of its own.
            let groups: Vec<u32> = listed
                .iter()
                .enumerate()
                .map(|(at, (finding, _))| self.species(finding).unwrap_or(unnamed + at as u32))
                .collect();
            ControlRow {
                list,
                nominal,
                listed: listed.len(),
                wrong: wrong.iter().filter(|&&wrong| wrong > 0.0).count(),
                interval: bootstrap_mean_interval(&wrong, &groups, RESAMPLES, self.seed),
                belong: match list {
                    // What cannot be named by its nearest reference is new all the same.
                    Listed::NewSpecies => self.told.iter().filter(|(_, truth)| *truth == Truth::NewSpecies).count(),
                    _ => self.told.iter().filter(|(finding, truth)| self.belongs(list, finding, *truth)).count(),
                },
            }
        };
        Listed::ALL.into_iter().flat_map(|list| NOMINAL.map(|nominal| row(list, nominal))).collect()
    }
}

/// Candidates against the species that the reference lacks.
fn candidate_truth(query: &Dataset, findings: &[Finding]) -> Option<CandidateTruth> {
    let column = query.labels(Field::Species);
    let is_new = |finding: &Finding| finding.truth.is_some_and(|truth| truth != Truth::Known);
    let new: HashSet<u32> =
        findings.iter().filter(|finding| is_new(finding)).filter_map(|finding| column.code(finding.row)).collect();
    if new.is_empty() {
        return None;
    }
    // What is in no candidate, and what was not asked about, is in no group.
    let mut groups = vec![-1; query.len()];
    let mut members: Vec<[usize; 2]> = Vec::new();
    for finding in findings {
        let Some(candidate) = finding.candidate else { continue };
        groups[finding.row] = candidate as i32;
        members.resize(members.len().max(candidate + 1), [0, 0]);
        if let Some(truth) = finding.truth {
            members[candidate][usize::from(truth == Truth::Known)] += 1;
        }
    }
    let asked: HashSet<usize> = findings.iter().map(|finding| finding.row).collect();
    let labels = LabelColumn::from_labels((0..query.len()).map(|row| column.get(row).filter(|_| asked.contains(&row))));
    let table = concordance(&groups, &labels, &[]);
    let names: HashSet<&str> = new.iter().map(|&code| column.name(code)).collect();
    let count = |kind: Correspondence| {
        table.rows.iter().filter(|row| names.contains(row.name.as_str()) && row.correspondence == kind).count()
    };
    let rows_of_new: Vec<usize> = findings
        .iter()
        .filter(|finding| is_new(finding) && finding.candidate.is_some())
        .map(|finding| finding.row)
        .collect();
    let part = crate::pipeline::subset::subset(query, query.name(), &rows_of_new);
    let found: Vec<i32> = rows_of_new.iter().map(|&row| groups[row]).collect();
    Some(CandidateTruth {
        species: new.len(),
        matched: count(Correspondence::Match),
        split: count(Correspondence::Split),
        merged: count(Correspondence::Merge),
        mixed: count(Correspondence::Mixture),
        missed: count(Correspondence::Unclustered),
        candidates: members.iter().filter(|members| members[0] + members[1] > 0).count(),
        false_candidates: members.iter().filter(|members| members[1] > members[0]).count(),
        agreement: agreement_with(&part, Field::Species, &found),
    })
}
