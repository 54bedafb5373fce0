//! What jobs might deliver of the invented specimens.

use crate::desk::{GENERA, SPECIMENS, genus_of, places};
use crate::discover_results;
use crate::lab_results;
use crate::review_results;
use barcodescope::analysis::agreement::agreement;
use barcodescope::analysis::concordance::concordance;
use barcodescope::analysis::metrics::scores;
use barcodescope::data::dataset::{Dataset, Flags};
use barcodescope::data::frame::FrameCheck;
use barcodescope::data::import::{ImportOptions, ImportReport};
use barcodescope::data::reading::{Layers, ReadSettings};
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::{Closest, Kept, Near, Opened, Output, Task};
use barcodescope::key::ContentHash;
use barcodescope::model::{CheckpointLayout, EncoderShape, ModelInfo, Objective, WeightKind};
use barcodescope::pipeline::classify::{Classification, SpecimenCall};
use barcodescope::pipeline::cluster::Clustering;
use barcodescope::pipeline::embed::Embedded;
use barcodescope::pipeline::project::{ProjectMethod, Projection, Source};
use barcodescope::pipeline::recommend::{Evidence, Recommendation};
use barcodescope::pipeline::train::Estimate;
use barcodescope::pipeline::{Method, Provenance};
use barcodescope::seed::Seed;
use ndarray::Array2;
use std::path::PathBuf;
use std::sync::Arc;

/// The model takes every so many specimens for the next genus.
pub(crate) const MISNAMED: usize = 12;
/// So many of the specimens were in the model's training data.
pub(crate) const TRAINED_ON: usize = 7;
/// A group holds specimens of one genus up to this one; the last two genera share a group.
pub(crate) const GROUPS: usize = 5;

/// What a task delivers that ends well.
pub(crate) fn result_of(task: &Task, specimens: &Arc<Dataset>) -> Output {
    match task {
        Task::OpenDemo { .. } | Task::Open { .. } => Output::Opened(Arc::new(Opened {
            paths: vec![PathBuf::from("invented.tsv")],
            dataset: Arc::clone(specimens),
            reading: ImportOptions::default(),
            report: ImportReport {
                records_read: specimens.len(),
                records_kept: specimens.len(),
                ..ImportReport::default()
            },
        })),
        Task::CheckFrames { dataset } => {
            Output::Frames(Arc::new(vec![FrameCheck { registration: None, flags: Flags::NONE }; dataset.unique_len()]))
        }
        // a file holds an encoder alone, the bundled model can guess
        Task::LoadModel { path } => {
            let info = ModelInfo { head: path.is_none(), ..model() };
            Output::Model { info: Arc::new(info), note: "on the CPU".into() }
        }
        Task::Embed { dataset, .. } => Output::Embedded(Arc::new(Embedded {
            vectors: Array2::<f32>::zeros((dataset.unique_len(), 2)).into(),
            data: dataset.key(),
            model: model(),
            register: false,
            layers: Layers::Last,
            trained_on: None,
            computed: dataset.unique_len(),
            cached: 0,
            seconds: 0.0,
        })),
        Task::Map { dataset, embedded, .. } => Output::Map(Arc::new(Projection {
            points: Arc::new(places()),
            method: ProjectMethod::Umap,
            source: if embedded.is_some() { Source::Model } else { Source::Kmers },
            explained: None,
            seconds: 0.0,
            provenance: Provenance::new(Seed(1), &[dataset]),
        })),
        Task::Classify { dataset, settings, .. } => Output::Calls(Arc::new(calls(dataset, settings.method))),
        Task::Recommend { dataset, .. } => Output::Recommended(Arc::new(recommendation(dataset))),
        Task::Cluster { dataset, .. } => Output::Clusters(Arc::new(groups(dataset))),
        Task::FindClosest { row, embedded, .. } => Output::Closest(Arc::new(Closest {
            row: *row,
            by_model: embedded.is_some(),
            neighbours: (1..4)
                .map(|step| Near { row: (row + step) % SPECIMENS, cosine: 0.9, identity: 1.0 - 0.01 * step as f32 })
                .collect(),
        })),
        Task::Export { path, .. } => Output::Saved(path.clone()),
        Task::Train(_) => Output::Trained(Vec::new()),
        Task::Estimate(_) => Output::Estimated(Arc::new(vec![estimate()])),
        Task::Discard { .. } => Output::Discarded(true),
        Task::Lab(task) => Output::Lab(lab_results::result_of(task)),
        Task::Discover(task) => Output::Discovered(Arc::new(discover_results::result_of(task))),
        Task::Audit(task) => Output::Audited(Arc::new(review_results::audit_of(task))),
        Task::Measure(task) => Output::Measured(Arc::new(review_results::standings_of(task))),
        Task::Dossier(task) => Output::Dossier(Arc::new(review_results::dossier_of(task))),
        Task::Gap(task) => Output::Gap(Arc::new(review_results::gap_of(task))),
        Task::Tree(task) => Output::Tree(Arc::new(review_results::tree_of(task))),
        Task::Keep(_) | Task::SaveSession(_) => Output::Kept(Kept { file: None, entries: Vec::new() }),
        Task::AddFiles(_) | Task::KeepState(_) => Output::StateKept,
        Task::FindRecoveries { .. } => Output::Recoveries(Vec::new()),
    }
}

/// Of 100 specimens the model names 80 right, with alignment 90.
fn recommendation(dataset: &Dataset) -> Recommendation {
    let evidence = [(Method::Model, 80), (Method::Both, 90), (Method::Kmer, 71), (Method::Align, 85)];
    let evidence = evidence.map(|(method, right)| Evidence {
        method,
        right,
        accuracy: right as f64 / 100.0,
        interval: [(right - 6) as f64 / 100.0, (right + 5) as f64 / 100.0],
        above_model: (method != Method::Model).then_some((right as f64 / 100.0 - 0.8, [0.02, 0.17])),
        seconds_per_1000: 2.5,
    });
    Recommendation {
        rank: Field::Genus,
        without_species: true,
        n: 100,
        n_species: 42,
        evidence: evidence.to_vec(),
        best: Some(Method::Both),
        seconds: 1.0,
        provenance: Provenance::new(Seed(1), &[dataset]),
    }
}

fn estimate() -> Estimate {
    Estimate {
        mask_ratio: 0.5,
        parameters: 4_340_224,
        model_bytes: 17_640_000,
        memory_bytes: Some(640_000_000),
        barcodes: 235,
        validation_barcodes: 5,
        barcodes_per_step: 64,
        seconds_per_step: 0.5,
        steps: 2400,
        epochs: 653.6,
        device: "the CPU".into(),
        training_seconds: 1200.0,
        validation_seconds: 30.0,
        timed_steps: 3,
        timed_barcodes: 64,
    }
}

fn model() -> ModelInfo {
    ModelInfo {
        name: "invented".into(),
        path: None,
        layout: CheckpointLayout::Own,
        id: ContentHash::of(b"model"),
        sha256: ContentHash::of(b"file"),
        k: 4,
        max_bases: 660,
        special_tokens: vec!["[MASK]".into(), "[UNK]".into()],
        encoder: EncoderShape { layers: 1, width: 4, inner: 8, heads: 1, positions: 256 },
        decoder: None,
        layer_norm_eps: 1e-12,
        causal: false,
        head: false,
        objective: Objective::Mae,
        read: ReadSettings::default(),
        parameters: 0,
        weights: WeightKind::F32,
        ignored_tensors: Vec::new(),
        warnings: Vec::new(),
        training: std::collections::BTreeMap::new(),
    }
}

fn calls(dataset: &Dataset, method: Method) -> Classification {
    let labels = dataset.labels(Field::Genus);
    let call = |row: usize| {
        let label = labels.code(row);
        let shift = u32::from(row.is_multiple_of(MISNAMED));
        let predicted = Some((genus_of(row) as u32 + shift) % GENERA.len() as u32);
        let name = predicted.map(|genus| GENERA[genus as usize]);
        let predicted = name.and_then(|name| labels.names().iter().position(|known| known == name));
        SpecimenCall {
            row,
            label,
            predicted: predicted.map(|code| code as u32),
            score: 1.0,
            margin: None,
            neighbour: None,
            cosine: None,
            identity: None,
        }
    };
    let is_reference = |row: usize| dataset.label(row, Field::Split).is_none_or(|split| split == "train");
    let by_split = dataset.labels(Field::Split).labelled() > 0;
    let calls: Vec<SpecimenCall> =
        (0..dataset.len()).filter(|&row| !by_split || !is_reference(row)).map(call).collect();
    let has = |name: &String| {
        let rows = (0..dataset.len()).filter(|&row| is_reference(row));
        rows.filter(|&row| dataset.label(row, Field::Genus) == Some(name)).count() > usize::from(!by_split)
    };
    let [truth, predicted]: [Vec<Option<u32>>; 2] =
        [calls.iter().map(|call| call.label).collect(), calls.iter().map(|call| call.predicted).collect()];
    Classification {
        rank: Field::Genus,
        method,
        names: labels.names().to_vec(),
        scores: Some(scores(&truth, &predicted, labels.names())),
        interval: Some([0.87, 0.95]),
        trained_on: (method == Method::Model).then_some(TRAINED_ON),
        neighbours: Array2::zeros((calls.len(), 0)),
        similarity: Array2::zeros((calls.len(), 0)),
        calls,
        references: dataset.len(),
        nameable: labels.names().iter().map(has).collect(),
        seconds: 0.0,
        provenance: Provenance::new(Seed(1), &[dataset]),
    }
}

fn groups(dataset: &Dataset) -> Clustering {
    let group = |row: usize| genus_of(row).min(GROUPS - 1) as i32;
    let labels: Vec<i32> = (0..dataset.len()).map(group).collect();
    let genera = dataset.labels(Field::Genus);
    let is_labelled = genera.labelled() > 0;
    let (truth, found): (Vec<u32>, Vec<u32>) =
        (0..dataset.len()).filter_map(|row| Some((genera.code(row)?, labels[row] as u32))).unzip();
    Clustering {
        found: GROUPS,
        noise: 0,
        against: is_labelled.then_some(Field::Genus),
        true_number: is_labelled.then_some(GENERA.len()),
        used_true_number: false,
        agreement: is_labelled.then(|| agreement(&truth, &found)),
        concordance: is_labelled.then(|| concordance(&labels, genera, &[(Field::Order, dataset.labels(Field::Order))])),
        threshold: Some(0.2),
        suggested: Some(0.2),
        labels,
        seconds: 0.0,
        provenance: Provenance::new(Seed(1), &[dataset]),
    }
}
