//! A session whose jobs are answered by the test, with invented specimens and results.

use crate::results::result_of;
use barcodescope::data::dataset::{Dataset, DatasetBuilder, Record};
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::{Event, JobError, JobId, Live, Task};
use barcodescope::progress::Progress;
use barcodescope::session::{Command, Effect, Input, Session, apply};
use barcodescope::ui::panels::columns::ColumnForm;
use barcodescope::ui::scope::{Asked, Overlay, Scope};
use barcodescope::ui::shell::{self, Parts};
use barcodescope::ui::topbar::TopBar;
use barcodescope::ui::views::Views;
use barcodescope::ui::views::atlas::Atlas;
use egui::{Theme, Vec2, vec2};
use egui_kittest::{Harness, HarnessBuilder};
use std::sync::Arc;
use std::time::Instant;

/// Three orders of two genera each, `SPECIMENS` specimens; every eleventh has no genus.
pub(crate) const SPECIMENS: usize = 240;
pub(crate) const GENERA: [&str; 6] = ["Apis", "Bombus", "Lymantria", "Morpho", "Culex", "Anopheles"];
const ORDERS: [&str; 3] = ["Hymenoptera", "Lepidoptera", "Diptera"];

pub(crate) fn genus_of(row: usize) -> usize {
    row % GENERA.len()
}

/// Which of the two species of its genus a specimen is of.
pub(crate) fn species_of(row: usize) -> usize {
    row / GENERA.len() % 2
}

fn barcode(row: usize) -> Vec<u8> {
    b"ACGT".repeat(row % 40 + 2)
}

fn specimens() -> Dataset {
    let mut builder = DatasetBuilder::new("invented", vec!["trap".into()]);
    for row in 0..SPECIMENS {
        let genus = genus_of(row);
        let mut labels = vec![(Field::Order, ORDERS[genus / 2].to_owned())];
        if row % 11 != 10 {
            labels.push((Field::Genus, GENERA[genus].to_owned()));
        }
        builder.push(Record {
            id: format!("TEST{row:04}-26"),
            sequence: barcode(row),
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
    specimens: Arc<Dataset>,
    answered: Answered,
    frame: Frame,
}

/// What the window around the views remembers.
#[derive(Default)]
struct Frame {
    top_bar: TopBar,
    views: Views,
    columns: ColumnForm,
    overlay: Option<Overlay>,
}

impl Desk {
    /// A session in which the specimens were opened and jobs end as `answered` says.
    pub(crate) fn new(answered: Answered) -> Self {
        let mut desk = Self::empty(answered);
        desk.tell(Input::Command(Command::OpenDemo));
        desk
    }

    /// A session in which specimens without any label were opened.
    pub(crate) fn unlabelled(answered: Answered) -> Self {
        let mut builder = DatasetBuilder::new("nameless", Vec::new());
        for row in 0..9 {
            builder.push(Record { id: format!("x{row}"), sequence: barcode(row), ..Record::default() });
        }
        let mut desk = Self { specimens: Arc::new(builder.finish()), ..Self::empty(answered) };
        desk.tell(Input::Command(Command::OpenDemo));
        desk
    }

    /// A session in which the specimens have species, too: two in each genus. Every eleventh has neither.
    pub(crate) fn with_species(answered: Answered) -> Self {
        Self::relabelled("with species", answered, |row, genus| {
            let species = genus.map(|genus| (Field::Species, format!("{genus} species{}", species_of(row))));
            species.into_iter().collect()
        })
    }

    /// A session in which a third of the specimens is to be named by the split `train`, which lacks the last genus.
    pub(crate) fn with_splits(answered: Answered) -> Self {
        Self::relabelled("with splits", answered, |row, _| {
            let split = match genus_of(row) {
                genus if genus == GENERA.len() - 1 => "test_unseen",
                _ if (row / GENERA.len()).is_multiple_of(3) => "test",
                _ => "train",
            };
            vec![(Field::Split, split.to_owned())]
        })
    }

    /// A session in which the specimens have their genus and what `more` says of a row and its genus.
    fn relabelled(name: &str, answered: Answered, more: impl Fn(usize, Option<&str>) -> Vec<(Field, String)>) -> Self {
        let plain = specimens();
        let mut builder = DatasetBuilder::new(name, Vec::new());
        for row in 0..plain.len() {
            let genus = plain.label(row, Field::Genus);
            let own = genus.map(|genus| (Field::Genus, genus.to_owned()));
            builder.push(Record {
                id: plain.id(row).to_owned(),
                sequence: plain.sequence(row).to_vec(),
                labels: own.into_iter().chain(more(row, genus)).collect(),
                ..Record::default()
            });
        }
        let mut desk = Self { specimens: Arc::new(builder.finish()), ..Self::empty(answered) };
        desk.tell(Input::Command(Command::OpenDemo));
        desk
    }

    /// A session in which nothing was opened.
    pub(crate) fn empty(answered: Answered) -> Self {
        Self {
            session: Session::default(),
            atlas: Atlas::default(),
            live: None,
            commands: Vec::new(),
            specimens: Arc::new(specimens()),
            answered,
            frame: Frame::default(),
        }
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
                Some(Ok(())) => Ok(result_of(&task, &self.specimens)),
                Some(Err(reason)) => Err(JobError::Failed { job: task.name(), source: reason.into() }),
            };
            effects.extend(apply(&mut self.session, Input::Job(Event::Ended { id, outcome })));
        }
    }

    /// The news of a job that is half done.
    pub(crate) fn is_at_work(&mut self) {
        self.shows(Vec::new());
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
            let mut scope = Scope::new(&desk.session, desk.live.as_ref());
            desk.atlas.show(ui, &mut scope);
            let asked = scope.asked;
            desk.answer(ui, asked);
        };
        let mut harness = builder(vec2(1000.0, 640.0), Theme::Light).build_ui_state(show, self);
        harness.run();
        harness
    }

    /// The whole window.
    pub(crate) fn open_window(self, builder: HarnessBuilder<Self>) -> Harness<'static, Self> {
        let show = |ui: &mut egui::Ui, desk: &mut Self| {
            let mut scope = Scope::new(&desk.session, desk.live.as_ref());
            let Frame { top_bar, views, columns, overlay } = &mut desk.frame;
            shell::show(ui, &mut scope, &mut Parts { top_bar, views, columns, overlay, prompting: false });
            let asked = scope.asked;
            desk.answer(ui, asked);
        };
        let mut harness = builder.build_ui_state(show, self);
        harness.run();
        harness
    }

    fn answer(&mut self, ui: &egui::Ui, asked: Vec<Asked>) {
        for asked in asked {
            match asked {
                Asked::Command(command) => {
                    self.commands.push(command.clone());
                    self.tell(Input::Command(command));
                }
                Asked::Overlay(overlay) => self.frame.overlay = Some(overlay),
                Asked::File(_) | Asked::Search => {}
            }
            ui.ctx().request_repaint();
        }
    }
}

/// A window of a size and shade.
pub(crate) fn builder(size: Vec2, shade: Theme) -> HarnessBuilder<Desk> {
    let builder = Harness::builder().with_size(size).with_step_dt(1.0 / 60.0).with_max_steps(90);
    builder.with_theme(shade).with_context_setup(barcodescope::ui::theme::install)
}

/// Every job ends well.
pub(crate) fn everything(_task: &Task) -> Option<Result<(), &'static str>> {
    Some(Ok(()))
}
