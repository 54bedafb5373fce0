//! What the masking lab might make of the invented specimens.

use crate::desk::places;
use barcodescope::analysis::procrustes::align;
use barcodescope::data::dataset::Dataset;
use barcodescope::data::masking::MaskMode;
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::{AlongBarcode, LabOutput, LabTask, TwoMaps};
use barcodescope::model::Objective;
use barcodescope::pipeline::evaluate::compare::{Comparison, ComparisonRow};
use barcodescope::pipeline::evaluate::{EvaluationRow, TrainedOn};
use barcodescope::pipeline::masking::{KMER, MaskingReport, MaskingRow, MaskingSettings, RANDOM};
use barcodescope::pipeline::overlay::MapPair;
use barcodescope::pipeline::reconstruct::{Codon, Guess, ReconstructedToken, Reconstruction, Reconstructions};
use barcodescope::pipeline::{Method, Provenance};
use barcodescope::seed::Seed;
use std::sync::Arc;

/// Bases of a k-mer.
const K: usize = 4;
/// The specimen whose neighbours changed most.
pub(crate) const MOVED: usize = 77;

pub(crate) fn result_of(task: &LabTask) -> LabOutput {
    match task {
        LabTask::Guess { dataset, row, .. } => LabOutput::Guessed(Arc::new(guesses(dataset, &[*row]))),
        LabTask::GuessAlong { dataset, specimens, .. } => {
            let rows: Vec<usize> = (0..*specimens.min(&dataset.len())).collect();
            let along = AlongBarcode::new("invented".into(), guesses(dataset, &rows), Seed(1));
            LabOutput::GuessedAlong(Arc::new(along))
        }
        LabTask::Read { dataset, settings, .. } => LabOutput::Read(Arc::new(readings(dataset, settings).into())),
        LabTask::Compare { dataset, .. } => LabOutput::Compared(Arc::new(comparison(dataset))),
        LabTask::Overlay { dataset, .. } => LabOutput::Overlaid(Arc::new(maps(dataset))),
    }
}

/// Every second k-mer is masked; of the masked ones every third is guessed wrong.
fn guesses(dataset: &Dataset, rows: &[usize]) -> Reconstructions {
    let barcode = |&row: &usize| {
        let bases = String::from_utf8_lossy(dataset.sequence(row)).into_owned();
        let token = |at: usize| {
            let kmer = bases[K * at..K * (at + 1)].to_owned();
            let masked = at % 2 == 1;
            let guess = |kmer: &str, probability| Guess { kmer: kmer.to_owned(), probability };
            let [best, second] = if at.is_multiple_of(3) { ["TTTT", "ACGT"] } else { ["ACGT", "TTTT"] };
            ReconstructedToken {
                position: at as u32,
                first_base: K * at,
                kmer,
                masked,
                guesses: if masked { vec![guess(best, 0.625), guess(second, 0.25)] } else { Vec::new() },
                probability: masked.then_some(0.25),
            }
        };
        let codon = |at: usize| Codon { first_base: 3 * at, amino_acid: 'L', guessed: if at == 4 { 'F' } else { 'L' } };
        Reconstruction {
            row,
            tokens: (0..bases.len() / K).map(token).collect(),
            codons: (0..bases.len() / 3).map(codon).collect(),
            bases,
        }
    };
    Reconstructions {
        barcodes: rows.iter().map(barcode).collect(),
        left_out: Vec::new(),
        k: K,
        provenance: Provenance::new(Seed(1), &[dataset]),
    }
}

fn readings(dataset: &Dataset, settings: &MaskingSettings) -> MaskingReport {
    let mut rows = Vec::new();
    let measures = [("held_out", "accuracy"), ("bin_reconstruction", "ami"), ("drift", "cosine_distance")];
    let readers = [("invented", Some(Objective::Mae), 0.9), (RANDOM, None, 0.5), (KMER, None, 0.95)];
    for (model, objective, best) in readers {
        for &mode in settings.modes.iter().filter(|&&mode| model != KMER || mode == MaskMode::Drop) {
            for &ratio in &settings.ratios {
                for (task, metric) in measures {
                    let value = if task == "drift" { ratio } else { best * (1.0 - ratio / 2.0) };
                    rows.push(MaskingRow {
                        model: model.into(),
                        objective,
                        mode,
                        ratio,
                        seed: 1,
                        task,
                        metric,
                        value,
                        ci95: Some([value - 0.03, value + 0.03]),
                        n: 48,
                    });
                }
            }
        }
    }
    MaskingReport {
        rows,
        queries: 48,
        references: 192,
        seconds: 1.0,
        provenance: Provenance::new(settings.seed, &[dataset]),
        notes: vec!["Everything here is invented.".into()],
    }
}

fn comparison(dataset: &Dataset) -> Comparison {
    let models = [
        ("at 0.25", Some(Objective::Mae), Some(0.25), 0.8),
        ("at 0.75", Some(Objective::Mae), Some(0.75), 0.7),
        ("next", Some(Objective::Causal), None, 0.6),
        (KMER, None, None, 0.75),
    ];
    let row = |(model, objective, trained_ratio, value): (&str, Option<Objective>, Option<f64>, f64)| ComparisonRow {
        model: model.into(),
        objective,
        trained_ratio,
        found: EvaluationRow {
            task: "open_world",
            split: "test_unseen".into(),
            method: Method::Model,
            rank: Field::Genus,
            metric: "accuracy",
            value,
            ci95: Some([value - 0.05, value + 0.05]),
            n: 40,
            n_species: 8,
        },
    };
    Comparison {
        rows: models.into_iter().map(row).collect(),
        trained_on: vec![("at 0.25".into(), TrainedOn { split: "test", queries: 40, trained_on: 3 })],
        splits: "'invented' has no splits, so they are drawn by the seed".into(),
        seconds: 1.0,
        provenance: Provenance::new(Seed(1), &[dataset]),
    }
}

fn maps(dataset: &Dataset) -> TwoMaps {
    let (first, second) = (places(), places());
    let mut kept = vec![0.75; dataset.len()];
    kept[MOVED] = 0.125;
    let pair = MapPair {
        alignment: align(&second, &first),
        first,
        second,
        kept,
        neighbours: 15,
        provenance: Provenance::new(Seed(1), &[dataset]),
    };
    TwoMaps::new(["invented".into(), "untrained".into()], pair)
}
