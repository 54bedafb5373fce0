//! What a review of the invented specimens might find.

use barcodescope::analysis::diagnostic::DiagnosticBase;
use barcodescope::analysis::discordance::discordance;
use barcodescope::analysis::gap::{BINS, Spread, ThresholdError};
use barcodescope::analysis::grades::grades;
use barcodescope::analysis::tree::neighbour_joining;
use barcodescope::data::dataset::Flags;
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::{AuditTask, DossierTask, GapTask, StandingTask, TreeTask};
use barcodescope::pipeline::Provenance;
use barcodescope::pipeline::audit::{Audit, Cause, Evidence, Other, Suspect};
use barcodescope::pipeline::dossier::{
    BinFellows, DifferingColumn, Dossier, FrameFacts, Neighbour, Stack, StackLine, Telling,
};
use barcodescope::pipeline::gap::{Gap, GapRow, PairRow};
use barcodescope::pipeline::review::{Curated, Standing, standing};
use barcodescope::pipeline::tree::SpecimenTree;
use barcodescope::seed::Seed;
use ndarray::Array2;

/// Every this many specimens one is suspicious.
pub(crate) const SUSPICIOUS: usize = 24;
/// The first suspect, which is misidentified.
pub(crate) const FIRST: usize = 0;
/// The second, whose label was exchanged with that of the third.
pub(crate) const SWAPPED: [usize; 2] = [24, 48];

pub(crate) fn audit_of(task: &AuditTask) -> Audit {
    let dataset = &task.dataset;
    let suspect = |row: usize| {
        let other = (row + 1) % dataset.len();
        let (cause, partner) = match row {
            FIRST => (Cause::Misidentification, None),
            24 => (Cause::SwappedLabel, Some(48)),
            48 => (Cause::SwappedLabel, Some(24)),
            row if row % SUSPICIOUS == 0 => (Cause::LowQuality, None),
            _ => (Cause::LooksRight, None),
        };
        let has_name = matches!(cause, Cause::Misidentification | Cause::SwappedLabel);
        let proposed = dataset.label(other, Field::Species).filter(|_| has_name).map(str::to_owned);
        Suspect {
            row,
            cause,
            proposed,
            partner,
            score: if cause == Cause::LooksRight { 0.0 } else { 0.9 - row as f32 / 1000.0 },
            because: format!("evidence on row {row}"),
            evidence: Evidence {
                flags: Flags::NONE,
                breaks_frame: false,
                contaminant: None,
                near: vec![(((row + 12) % dataset.len()) as u32, 0.99)],
                own: Some(((row + 12) % dataset.len(), 0.9)),
                other: Some(Other { row: other, identity: 0.99, rank: Field::Genus }),
                against: 0.9,
                bin_fellows: [0, 0],
                bins_of_species: 0,
            },
        }
    };
    let named = (0..dataset.len()).filter(|&row| dataset.label(row, Field::Genus).is_some());
    let mut suspects: Vec<Suspect> = named.map(suspect).collect();
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score));
    let ranks = [Field::Genus, Field::Species].map(|field| (field, dataset.labels(field)));
    Audit {
        unnamed: dataset.len() - suspects.len(),
        suspects,
        grades: grades(dataset.labels(Field::Species), dataset.labels(Field::Bin)),
        bins: discordance(dataset.labels(Field::Bin), &ranks),
        seconds: 1.0,
        provenance: Provenance::new(Seed(1), &[dataset]),
    }
}

pub(crate) fn standings_of(task: &StandingTask) -> [Standing; 2] {
    let measured = |entries| standing(&task.audit, &Curated::new(&task.dataset, entries), task.seed);
    [measured(&[]), measured(&task.entries)]
}

pub(crate) fn dossier_of(task: &DossierTask) -> Dossier {
    let near = |step: usize, cosine| Neighbour {
        row: (task.row + step) % task.dataset.len(),
        cosine,
        identity: 1.0 - 0.01 * step as f32,
    };
    let column = |offset: usize| DifferingColumn {
        offset,
        position: Some(offset as i32 + 1),
        in_codon: Some((offset % 3) as u8 + 1),
        base: b"ACGT"[offset % 4],
        amino_acid: Some(b'L'),
    };
    let columns: Vec<DifferingColumn> = (0..30).map(|at| column(20 * at + at % 3)).collect();
    let line = |step: usize| StackLine {
        row: (task.row + step) % task.dataset.len(),
        identity: 0.98,
        letters: (0..30).map(|at| if at % (step + 1) == 0 { b'T' } else { columns[at].base }).collect(),
        amino_acids: (0..30).map(|at| (at == 3 * step).then_some(b'I')).collect(),
        inserted: step,
    };
    let base = DiagnosticBase { position: 99, base: b'G', members: 3, others: b"A".to_vec(), relatives: 5 };
    Dossier {
        row: task.row,
        by_embedding: (1..4).map(|step| near(step, Some(0.9))).collect(),
        by_identity: (2..5).map(|step| near(step, None)).collect(),
        in_both: 2,
        stack: Stack { lines: (0..3).map(line).collect(), columns },
        bin: Some(BinFellows { bin: "BOLD:AAA0001".into(), others: 3, names: vec![("Apis species0".into(), 2)] }),
        frame: FrameFacts {
            length: 640,
            usual_length: 658,
            ambiguous: 2,
            place: Some([1, 640]),
            is_reversed: false,
            stops: vec![203],
            breaks_frame: false,
            flags: Flags::NONE,
        },
        telling: Some(Telling {
            labelled: "Apis species0".into(),
            other: "Bombus species0".into(),
            of_labelled: [Vec::new(), vec![base.clone()]],
            of_other: [vec![base.clone()], vec![base]],
        }),
        suspect: task.suspect.clone(),
        provenance: Provenance::new(Seed(1), &[&task.dataset]),
    }
}

pub(crate) fn gap_of(task: &GapTask) -> Gap {
    let row = |at: usize| GapRow {
        name: format!("Apis species{at}"),
        row: at,
        specimens: 3 + at,
        within: Some(0.01 * at as f32),
        nearest: Some((0.02, "Bombus species0".to_owned())),
        embedded: Some([Some(0.1), Some(0.3)]),
    };
    let mut histogram = [[0; BINS]; 2];
    histogram[0][..4].copy_from_slice(&[40, 20, 5, 1]);
    histogram[1][8..12].copy_from_slice(&[10, 200, 300, 50]);
    let spread = |pairs| Spread { pairs, least: 0.0, mean: 0.01, most: 0.05 };
    let error = |threshold, split, lumped| ThresholdError { threshold, split, lumped };
    Gap {
        distance: task.distance,
        species: (0..4).map(row).collect(),
        histogram,
        embedded_histogram: Some(histogram),
        ranks: [66, 300, 0, 0, 900].map(spread).to_vec(),
        thresholds: vec![error(0.0, 9, 0), error(0.02, 1, 1), error(0.05, 0, 8)],
        best: Some([error(0.02, 1, 1); 2]),
        pairs: vec![PairRow { rows: [0, 1], distance: 0.01, embedded: 0.4, residual: 0.3 }],
        outside: 2,
        provenance: Provenance::new(Seed(1), &[&task.dataset]),
    }
}

pub(crate) fn tree_of(task: &TreeTask) -> SpecimenTree {
    let n = task.rows.len();
    let distances = Array2::from_shape_fn((n, n), |(a, b)| a.abs_diff(b) as f64 / 100.0);
    SpecimenTree { tree: neighbour_joining(&distances), rows: task.rows.clone(), outside: 1, distance: task.distance }
}
