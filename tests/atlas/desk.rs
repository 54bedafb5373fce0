//! A session whose jobs are answered by the test, with invented specimens and results.

use barcodescope::data::dataset::{Dataset, DatasetBuilder, Flags, Record};
use barcodescope::data::frame::FrameCheck;
use barcodescope::data::import::ImportReport;
use barcodescope::data::reading::{Layers, ReadSettings};
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::{Event, JobError, JobId, Live, Opened, Output, Task};
use barcodescope::key::ContentHash;
use barcodescope::model::{CheckpointLayout, EncoderShape, ModelInfo, Objective, WeightKind};
use barcodescope::pipeline::classify::{Classification, SpecimenCall};
use barcodescope::pipeline::embed::Embedded;
use barcodescope::pipeline::project::{ProjectMethod, Projection, Source};
use barcodescope::pipeline::{Method, Provenance};
use barcodescope::progress::Progress;
use barcodescope::seed::Seed;
use barcodescope::session::{Command, Effect, Input, Session, apply};
use barcodescope::ui::scope::{Asked, Scope};
use barcodescope::ui::views::atlas::Atlas;
use egui_kittest::Harness;
use ndarray::Array2;
use std::sync::Arc;
use std::time::Instant;

/// Three orders of two genera each, `SPECIMENS` specimens; every eleventh has no genus.
pub(crate) const SPECIMENS: usize = 240;
pub(crate) const GENERA: [&str; 6] = ["Apis", "Bombus", "Lymantria", "Morpho", "Culex", "Anopheles"];
const ORDERS: [&str; 3] = ["Hymenoptera", "Lepidoptera", "Diptera"];
/// The model takes every so many specimens for the next genus.
const MISNAMED: usize = 12;

pub(crate) fn genus_of(row: usize) -> usize {
    row % GENERA.len()
}

pub(crate) fn specimens() -> Dataset {
    let mut builder = DatasetBuilder::new("invented", vec!["trap".into()]);
    for row in 0..SPECIMENS {
        let genus = genus_of(row);
        let mut labels = vec![(Field::Order, ORDERS[genus / 2].to_owned())];
        if row % 11 != 10 {
            labels.push((Field::Genus, GENERA[genus].to_owned()));
        }
        builder.push(Record {
            id: format!("TEST{row:04}-26"),
            sequence: format!("ACGT{}", "ACGT".repeat(row % 40 + 1)).into_bytes(),
            labels: labels.into_iter().collect(),
            other: vec![if row < SPECIMENS / 2 { "malaise".into() } else { "light".into() }],
            ..Record::default()
        });
    }
    builder.finish()
}

/// Genera lie side by side, ten units apart; their specimens on a lattice.
pub(crate) fn places() -> Vec<[f32; 2]> {
    let place = |row: usize| {
        let (genus, member) = (genus_of(row), row / GENERA.len());
        [(10 * (genus % 3) + member % 7) as f32, (10 * (genus / 3) + member / 7) as f32]
    };
    (0..SPECIMENS).map(place).collect()
}

/// Which jobs are answered, and which go on for ever.
pub(crate) type Answered = fn(&Task) -> Option<Result<(), &'static str>>;

pub(crate) struct Desk {
    pub session: Session,
    pub atlas: Atlas,
    pub live: Option<Live>,
    pub commands: Vec<Command>,
    answered: Answered,
}

impl Desk {
    /// A session in which the specimens were opened and jobs end as `answered` says.
    pub(crate) fn new(answered: Answered) -> Self {
        let mut desk =
            Self { session: Session::default(), atlas: Atlas::default(), live: None, commands: Vec::new(), answered };
        desk.tell(Input::Command(Command::OpenDemo));
        desk
    }

    pub(crate) fn dataset(&self) -> Arc<Dataset> {
        Arc::clone(&self.session.dataset().expect("the specimens are open").dataset)
    }

    pub(crate) fn tell(&mut self, input: Input) {
        let mut effects = apply(&mut self.session, input);
        while let Some(effect) = effects.pop() {
            let Effect::Start(id, task) = effect else { continue };
            let outcome = match (self.answered)(&task) {
                None => continue,
                Some(Ok(())) => Ok(result_of(&task)),
                Some(Err(reason)) => Err(JobError::Failed { job: task.name(), source: reason.into() }),
            };
            effects.extend(apply(&mut self.session, Input::Job(Event::Ended { id, outcome })));
        }
    }

    /// The news of a job that has a projection in the making.
    pub(crate) fn shows(&mut self, picture: Vec<[f32; 2]>) {
        let now = Instant::now();
        self.live = Some(Live {
            job: "laying out the map".into(),
            progress: Some(Progress::new("laying out", 120, 500, "epochs")),
            started: Some(now),
            stage_started: Some(now),
            picture: Some(Arc::new(picture)),
        });
    }

    pub(crate) fn job_of_map(&self) -> Option<JobId> {
        self.session.results.model_map.job().or(self.session.results.kmer_map.job())
    }

    /// A window with nothing but the atlas.
    pub(crate) fn open(self) -> Harness<'static, Self> {
        let show = |ui: &mut egui::Ui, desk: &mut Self| {
            let asked = {
                let mut scope = Scope::new(&desk.session, desk.live.as_ref());
                desk.atlas.show(ui, &mut scope);
                scope.asked
            };
            for asked in asked {
                if let Asked::Command(command) = asked {
                    desk.commands.push(command.clone());
                    desk.tell(Input::Command(command));
                    ui.ctx().request_repaint();
                }
            }
        };
        let builder =
            Harness::builder().with_size(egui::vec2(1000.0, 640.0)).with_step_dt(1.0 / 60.0).with_max_steps(90);
        let builder = builder.with_context_setup(|context| {
            barcodescope::ui::theme::install(context);
            context.set_theme(egui::Theme::Light);
        });
        let mut harness = builder.build_ui_state(show, self);
        harness.run();
        harness
    }
}

/// All jobs but the search for groups and neighbours, which the atlas does not need.
pub(crate) fn everything(task: &Task) -> Option<Result<(), &'static str>> {
    (!matches!(task, Task::Cluster { .. } | Task::FindClosest { .. })).then_some(Ok(()))
}

fn result_of(task: &Task) -> Output {
    match task {
        Task::OpenDemo { .. } | Task::Open { .. } => Output::Opened(Arc::new(Opened {
            paths: Vec::new(),
            dataset: Arc::new(specimens()),
            report: ImportReport::default(),
        })),
        Task::CheckFrames { dataset } => {
            Output::Frames(Arc::new(vec![FrameCheck { registration: None, flags: Flags::NONE }; dataset.unique_len()]))
        }
        Task::LoadModel { .. } => Output::Model { info: Arc::new(model()), note: "on the CPU".into() },
        Task::Embed { dataset, .. } => Output::Embedded(Arc::new(Embedded {
            vectors: Array2::zeros((dataset.unique_len(), 4)),
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
        other => panic!("the test has no answer to {other:?}"),
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
        head: false,
        objective: Objective::Mae,
        layer_norm_eps: 1e-12,
        causal: false,
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
    Classification {
        rank: Field::Genus,
        method,
        names: labels.names().to_vec(),
        calls: (0..dataset.len()).map(call).collect(),
        neighbours: Array2::zeros((dataset.len(), 0)),
        similarity: Array2::zeros((dataset.len(), 0)),
        scores: None,
        interval: None,
        trained_on: None,
        references: dataset.len(),
        seconds: 0.0,
        provenance: Provenance::new(Seed(1), &[dataset]),
    }
}
