//! Results made up for tests.

use crate::data::dataset::Flags;
use crate::data::dataset::{Dataset, DatasetBuilder, Record};
use crate::data::frame::FrameCheck;
use crate::data::import::{ImportOptions, ImportReport};
use crate::data::taxonomy::Field;
use crate::jobs::{Closest, Kept, Opened, Output, Task};
use crate::model::Checkpoint;
use crate::pipeline::Method;
use crate::pipeline::classify::{Classification, SpecimenCall};
use crate::pipeline::cluster::Clustering;
use crate::pipeline::embed::Embedded;
use crate::pipeline::project::{ProjectMethod, Projection, Source};
use crate::pipeline::provenance::Provenance;
use crate::pipeline::recommend::Recommendation;
use crate::seed::Seed;
use ndarray::Array2;
use std::path::PathBuf;
use std::sync::Arc;

/// A file of specimens with these genera.
pub(super) fn opened(name: &str, genera: &[&str]) -> Arc<Opened> {
    let mut builder = DatasetBuilder::new(name, vec!["note".into()]);
    for (row, genus) in genera.iter().enumerate() {
        let letters = b"ACGT"[row % 4];
        builder.push(Record {
            id: format!("{name}{row}"),
            sequence: vec![letters; 4 + row / 4],
            labels: (!genus.is_empty()).then(|| (Field::Genus, (*genus).to_owned())).into_iter().collect(),
            ..Record::default()
        });
    }
    let report = ImportReport { records_read: genera.len(), records_kept: genera.len(), ..ImportReport::default() };
    Arc::new(Opened {
        paths: vec![PathBuf::from(name)],
        dataset: Arc::new(builder.finish()),
        reading: ImportOptions::default(),
        report,
    })
}

/// Calls of (row, label, predicted), with these names.
pub(super) fn classification(names: &[&str], calls: &[(usize, Option<u32>, Option<u32>)]) -> Classification {
    let call = |&(row, label, predicted): &(usize, Option<u32>, Option<u32>)| SpecimenCall {
        row,
        label,
        predicted,
        score: 1.0,
        margin: None,
        neighbour: None,
        cosine: Some(1.0),
        identity: Some(1.0),
    };
    Classification {
        rank: Field::Genus,
        method: Method::Model,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        calls: calls.iter().map(call).collect(),
        neighbours: Array2::zeros((calls.len(), 0)),
        similarity: Array2::zeros((calls.len(), 0)),
        scores: None,
        interval: None,
        trained_on: None,
        references: 0,
        nameable: vec![true; names.len()],
        seconds: 0.0,
        provenance: Provenance::new(Seed::default(), &[]),
    }
}

/// What a task might deliver.
pub(super) fn output(task: &Task, opened: &Arc<Opened>) -> Output {
    match task {
        Task::Open { .. } | Task::OpenDemo { .. } => Output::Opened(Arc::clone(opened)),
        Task::CheckFrames { dataset } => {
            Output::Frames(Arc::new(vec![
                FrameCheck { registration: None, flags: Flags::NOT_COI };
                dataset.unique_len()
            ]))
        }
        Task::LoadModel { .. } => {
            Output::Model { info: Arc::new(Checkpoint::bundled().info().clone()), note: "CPU".to_owned() }
        }
        Task::Embed { dataset, .. } => Output::Embedded(Arc::new(embedded(dataset))),
        Task::Map { dataset, embedded, .. } => Output::Map(Arc::new(Projection {
            points: Arc::new(vec![[0.0; 2]; dataset.len()]),
            method: ProjectMethod::Pca,
            source: if embedded.is_some() { Source::Model } else { Source::Kmers },
            explained: None,
            seconds: 0.0,
            provenance: Provenance::new(Seed::default(), &[]),
        })),
        Task::Classify { dataset, settings, .. } => {
            let names: Vec<&str> = dataset.labels(settings.rank).names().iter().map(String::as_str).collect();
            let labels = dataset.labels(settings.rank);
            // the first name for everybody; by model and alignment together the second, where there is one
            let name = u32::from(settings.method == Method::Both && names.len() > 1);
            let calls: Vec<_> = (0..dataset.len()).map(|row| (row, labels.code(row), Some(name))).collect();
            let rank = settings.rank;
            Output::Calls(Arc::new(Classification { rank, method: settings.method, ..classification(&names, &calls) }))
        }
        Task::Recommend { settings, .. } => Output::Recommended(Arc::new(Recommendation {
            rank: settings.rank,
            without_species: true,
            n: 0,
            n_species: 0,
            evidence: Vec::new(),
            best: None,
            seconds: 0.0,
            provenance: Provenance::new(Seed::default(), &[]),
        })),
        Task::Cluster { dataset, .. } => Output::Clusters(Arc::new(Clustering {
            labels: (0..dataset.len() as i32).collect(),
            found: dataset.len(),
            noise: 0,
            against: None,
            true_number: None,
            used_true_number: false,
            agreement: None,
            concordance: None,
            threshold: None,
            suggested: None,
            seconds: 0.0,
            provenance: Provenance::new(Seed::default(), &[]),
        })),
        Task::Export { path, .. } => Output::Saved(path.clone()),
        Task::Train(_) => Output::Trained(Vec::new()),
        Task::Estimate(_) => Output::Estimated(Arc::default()),
        Task::Discard { .. } => Output::Discarded(true),
        Task::Lab(_)
        | Task::Discover(_)
        | Task::Audit(_)
        | Task::Measure(_)
        | Task::Dossier(_)
        | Task::Gap(_)
        | Task::Tree(_) => Output::Trained(Vec::new()),
        Task::Keep(_) | Task::SaveSession(_) => Output::Kept(Kept { file: None, entries: Vec::new() }),
        Task::AddFiles(_) | Task::KeepState(_) => Output::StateKept,
        Task::FindRecoveries { .. } => Output::Recoveries(Vec::new()),
        Task::FindClosest { row, embedded, .. } => {
            Output::Closest(Arc::new(Closest { row: *row, by_model: embedded.is_some(), neighbours: Vec::new() }))
        }
    }
}

fn embedded(dataset: &Dataset) -> Embedded {
    let model = Checkpoint::bundled().info().clone();
    Embedded {
        vectors: Array2::<f32>::zeros((dataset.unique_len(), 2)).into(),
        data: dataset.key(),
        register: model.read.register,
        layers: model.read.layers,
        model,
        trained_on: None,
        computed: dataset.unique_len(),
        cached: 0,
        seconds: 0.0,
    }
}
