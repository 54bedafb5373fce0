//! What might be discovered among the invented specimens.

use barcodescope::analysis::diagnostic::DiagnosticBase;
use barcodescope::analysis::novelty::{CoveragePoint, Detection, DetectionIntervals};
use barcodescope::jobs::{DiscoverTask, Discovered};
use barcodescope::pipeline::Provenance;
use barcodescope::pipeline::discover::{
    Candidate, CandidateTruth, ControlRow, CoverageCurve, Decision, DetectionRow, Discovery, Division, Doubt, Finding,
    Listed, Measures, Novelty, NoveltyScore, Rates, Relative,
};
use barcodescope::seed::Seed;

/// Decisions in turn: every fourth query is known, a new species, a new genus, unclear.
pub(crate) fn decision_of(at: usize) -> Decision {
    Decision::ALL[at % 4]
}

pub(crate) fn result_of(task: &DiscoverTask) -> Discovered {
    let divided = task.division.divide(&task.dataset).unwrap();
    let nearest = divided.reference[0];
    let findings: Vec<Finding> = divided.query.iter().enumerate().map(|(at, &row)| finding(at, row, nearest)).collect();
    let members = |number: usize| -> Vec<usize> {
        findings.iter().filter(|finding| finding.candidate == Some(number)).map(|finding| finding.row).collect()
    };
    let candidates = vec![candidate(members(0), nearest, true), candidate(members(1), nearest, false)];
    let is_demo = matches!(task.division, Division::HeldOut(_));
    let darkness = (0..task.dataset.len()).map(|row| (row % 7 != 0).then_some((row % 16) as u8)).collect();
    let discovery = Discovery {
        settings: task.settings,
        candidates,
        threshold: Some(0.1),
        references: divided.reference.len(),
        held_out: [60, 50, 10],
        measures: is_demo.then(|| measures(findings.len())),
        trained_on: Some(3),
        seconds: 1.0,
        provenance: Provenance::new(Seed(1), &[&task.dataset]),
        findings,
    };
    Discovered::new(discovery, divided, darkness, task.dataset.len())
}

fn finding(at: usize, row: usize, nearest: usize) -> Finding {
    let decision = decision_of(at);
    let is_new = matches!(decision, Decision::NewSpecies | Decision::NewGenus);
    Finding {
        row,
        decision,
        taxon: (decision == Decision::Known).then(|| "Apis species0".to_owned()),
        p_species: if is_new { 0.001 } else { 0.6 },
        p_genus: if decision == Decision::NewGenus { 0.002 } else { 0.7 },
        rates: Rates { new: if is_new { 0.01 } else { 0.9 }, new_genus: 0.5, new_species: 0.5, known: 0.5 },
        is_discovery: is_new,
        nearest: Some(nearest),
        identity: Some(0.93),
        scores: [0.2, 0.07, 9.0, 1.5],
        candidate: is_new.then(|| at % 4 - 1),
        doubts: Vec::new(),
        truth: None,
    }
}

fn candidate(members: Vec<usize>, nearest: usize, sound: bool) -> Candidate {
    Candidate {
        decision: if sound { Decision::NewSpecies } else { Decision::NewGenus },
        genus: sound.then(|| "Apis".to_owned()),
        barcodes: 3,
        q: 0.01,
        relatives: vec![Relative { row: nearest, species: "Apis species0".into(), identity: 0.93 }],
        within: Some(0.99),
        gap: Some(0.06),
        diagnostic: vec![DiagnosticBase { position: 99, base: b'G', members: 3, others: b"A".to_vec(), relatives: 5 }],
        doubts: if sound { Vec::new() } else { vec![(Doubt::StopCodon, members.len())] },
        sound: if sound { members.len() } else { 0 },
        members,
    }
}

fn measures(n: usize) -> Measures {
    let detection = |novelty| {
        NoveltyScore::ALL.map(|score| DetectionRow {
            score,
            novelty,
            found: Detection { auroc: 0.9, aupr: 0.8, fpr_at_95_tpr: 0.3 },
            intervals: Some(DetectionIntervals { auroc: [0.85, 0.95], aupr: [0.7, 0.9], fpr_at_95_tpr: [0.2, 0.4] }),
            known: 20,
            novel: 10,
            known_species: 8,
            novel_species: 2,
        })
    };
    let coverage = |score| CoverageCurve {
        score,
        points: [0.5, 1.0]
            .map(|coverage| CoveragePoint { coverage, accuracy: 1.2 - coverage, interval: Some([0.1, 0.9]) })
            .into(),
        n,
    };
    let control =
        |list| ControlRow { list, nominal: 0.05, listed: 10, wrong: 1, interval: Some([0.0, 0.2]), belong: 12 };
    Measures {
        truth: [20, 6, 4],
        detection: Novelty::ALL.into_iter().flat_map(detection).collect(),
        coverage: NoveltyScore::ALL.map(coverage).into(),
        control: Listed::ALL.map(control).into(),
        candidates: Some(CandidateTruth {
            species: 5,
            matched: 2,
            split: 1,
            merged: 1,
            mixed: 0,
            missed: 1,
            candidates: 4,
            false_candidates: 0,
            agreement: None,
        }),
    }
}
