//! The whole window driven without a screen: what is on it is found by its accessible name, as a screen reader finds it.

#![allow(clippy::unwrap_used, reason = "a test that lacks what it needs fails there and then")]
#![cfg(feature = "gui")]

use barcodescope::analysis::gap::Distance;
use barcodescope::data::masking::MaskMode;
use barcodescope::data::simulate::{SimulationSettings, write_csv};
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::{Workshop, WorkshopOptions};
use barcodescope::pipeline::Method;
use barcodescope::pipeline::discover::{Division, HoldOutSettings};
use barcodescope::pipeline::masking::MaskingSettings;
use barcodescope::progress::Silent;
use barcodescope::seed::Seed;
use barcodescope::session::discover::{DiscoverCommand, DiscoverTab};
use barcodescope::session::masking::{LabCommand, LabTab, LabWork};
use barcodescope::session::review::{ReviewCommand, ReviewTab};
use barcodescope::session::selection::{Mode, Rows};
use barcodescope::session::{Command, Page, Session, Step};
use barcodescope::ui::app::{App, Beginning};
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(120);
const SMALLEST: [f32; 2] = [1024.0, 640.0];

/// A window and the folder of its files.
struct Window {
    harness: Harness<'static, App>,
    folder: TempDir,
}

impl Window {
    fn open(files: &[&str], size: [f32; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        simulated(&folder.path().join("survey.csv"));
        fs::write(folder.path().join("odd.tsv"), odd_table()).unwrap();
        let beginning = Beginning {
            files: files.iter().map(|name| folder.path().join(name)).collect(),
            settings_file: Some(folder.path().join("settings.json")),
            decisions_home: Some(folder.path().join("decisions")),
            ..Beginning::default()
        };
        let harness = Harness::builder().with_size(size).build_eframe(move |creation| {
            App::new(&creation.egui_ctx, &beginning, Workshop::new(WorkshopOptions::default())).unwrap()
        });
        Self { harness, folder }
    }

    /// A window in which everything has been made of the simulated survey.
    fn of_survey(size: [f32; 2]) -> Self {
        let mut window = Self::open(&["survey.csv"], size);
        window.until("all steps", |session| {
            Step::ALL.iter().all(|&step| session.results.stage(step).is_ready() || step == Step::Names(Method::Fitted))
        });
        window
    }

    fn session(&self) -> &Session {
        self.harness.state().session()
    }

    fn step(&mut self) {
        self.harness.step();
        self.harness.check_accessibility();
    }

    /// Draws frames until something holds.
    fn until(&mut self, what: &str, holds: impl Fn(&Session) -> bool) {
        let start = Instant::now();
        while !holds(self.session()) {
            assert!(start.elapsed() < LIMIT, "{what} did not happen; log: {:?}", self.session().log.entries());
            self.step();
            std::thread::sleep(Duration::from_millis(5));
        }
        self.settle();
    }

    /// A few more frames, so that what was asked for is drawn.
    fn settle(&mut self) {
        (0..4).for_each(|_| self.step());
    }

    fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.settle();
    }

    fn shows(&self, name: &str) -> bool {
        self.harness.query_by_label(name).is_some()
    }

    fn shows_containing(&self, part: &str) -> bool {
        self.harness.query_all_by_label_contains(part).next().is_some()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn simulated(path: &Path) {
    let settings = SimulationSettings { specimens: 80, seed: Seed(3) };
    write_csv(&settings, fs::File::create(path).unwrap(), &Silent).unwrap();
}

/// A table of no known layout whose columns can be guessed.
fn odd_table() -> String {
    let bases: String = "ACGGTTAACCGATTACA".repeat(40);
    let row = |number: usize| format!("s{number}\tGenus{}\t{}\n", number % 3, &bases[number..number + 400]);
    std::iter::once("mystery\tkind\tletters\n".to_owned()).chain((0..12).map(row)).collect()
}

#[test]
fn the_welcome_page_opens_files_by_path_and_says_what_went_wrong() {
    let mut window = Window::open(&[], SMALLEST);
    window.settle();
    for name in ["Open files…", "Open the demo", "or type a path"] {
        assert!(window.harness.query_all_by_label(name).next().is_some(), "{name}");
    }
    assert!(!window.shows("Clusters"), "no navigation without a file");
    let missing = window.path("missing.fasta");
    window.harness.get_by_role(egui::accesskit::Role::TextInput).focus();
    window.settle();
    window.harness.get_by_role(egui::accesskit::Role::TextInput).type_text(missing.to_str().unwrap());
    window.settle();
    window.click("Open this path");
    window.until("the error", |session| session.data.problem().is_some());
    assert!(window.shows_containing("missing.fasta"), "the sentence names the file");
    assert!(window.shows("Technical cause"), "the cause is one click away");
    assert!(window.shows("1 warning"), "the log keeps it");
}

#[test]
fn every_page_is_drawn_with_named_controls_in_the_smallest_window_and_then_rests() {
    let mut window = Window::of_survey(SMALLEST);
    for (key, page, title) in [
        (Key::Num1, Page::Dataset, "Missing labels"),
        (Key::Num2, Page::Atlas, "Fit"),
        (Key::Num3, Page::Classify, "Names by"),
        (Key::Num4, Page::Clusters, "AMI"),
        (Key::Num5, Page::Review, "Judge labels"),
        (Key::Num6, Page::Discover, "Strangeness"),
    ] {
        window.press(Modifiers::NONE, key);
        assert_eq!(window.session().page, page);
        assert!(window.shows(title), "{title} on {page:?}");
        for name in ["Dataset", "Clusters", "Help: keyboard shortcuts", "Log", "Export"] {
            let node = window.harness.query_all_by_label(name).next();
            let rect = node.unwrap_or_else(|| panic!("{name} on {page:?}")).rect();
            let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, SMALLEST.into());
            assert!(screen.contains_rect(rect), "{name} on {page:?} is outside: {rect:?}");
        }
        let frames = window.harness.try_run().expect("an idle window repaints nothing");
        assert!(frames <= 4, "{frames} frames without anything to do");
    }
}

#[test]
fn taxa_held_out_of_an_opened_file_are_sought_again() {
    let mut window = Window::of_survey(SMALLEST);
    window.press(Modifiers::NONE, Key::Num6);
    let context = window.harness.ctx.clone();
    for command in [
        DiscoverCommand::Divide(Division::HeldOut(HoldOutSettings { known: 0.4, ..HoldOutSettings::default() })),
        DiscoverCommand::Start,
    ] {
        window.harness.state_mut().obey(&context, Command::Discover(command));
    }
    window.until("discovery", |session| session.discovering.found.job().is_none());
    let discovering = &window.session().discovering;
    assert_eq!(discovering.found.problem(), None);
    let found = &discovering.found.ready().unwrap().value;
    assert!(!found.divided.genera.is_empty() && !found.divided.species.is_empty());
    let asked: Vec<usize> = found.discovery.findings.iter().map(|finding| finding.row).collect();
    assert_eq!(asked, found.divided.query);
    assert!(found.discovery.measures.is_some(), "their names tell what is new");
    for row in 0..80 {
        let takes_part = found.divided.query.contains(&row) || found.divided.reference.contains(&row);
        assert_eq!(found.darkness[row].is_some(), takes_part);
    }
    for tab in DiscoverTab::ALL {
        window.harness.state_mut().obey(&context, Command::Discover(DiscoverCommand::Show(tab)));
        window.settle();
    }
}

#[test]
fn a_row_of_a_sorted_table_selects_the_specimen_that_stands_in_it() {
    let mut window = Window::of_survey([1360.0, 860.0]);
    window.press(Modifiers::NONE, Key::Num3);
    let tab = window.harness.query_all_by_label_contains("Label and look differ").next().expect("the tab");
    tab.click();
    window.settle();
    let wrong: Vec<usize> = {
        let names = window.session().results.names(Method::Model).shown().unwrap();
        names.calls.iter().filter(|call| call.correct() == Some(false)).map(|call| call.row).collect()
    };
    assert!(!wrong.is_empty(), "the simulation plants wrong labels");
    for header in ["Sort specimens by id", "Sort specimens by id", "Sort specimens by cosine"] {
        window.click(header);
        window.click("specimens, row 1");
        let row = window.session().selection.focus().expect("a specimen is selected");
        assert!(wrong.contains(&row), "{row} is not among the misclassified");
        let dataset = window.session().dataset().unwrap().dataset.clone();
        let id = dataset.id(row).to_owned();
        if header.ends_with("by id") {
            let ids = wrong.iter().map(|&row| dataset.id(row));
            let ends = [ids.clone().min().unwrap(), ids.max().unwrap()];
            assert!(ends.contains(&id.as_str()), "{id} is neither the first nor the last of {ends:?}");
        }
        window.until("its neighbours", |session| session.closest.shown().is_some_and(|closest| closest.row == row));
        let shown = window.harness.query_all_by_label(&id).count();
        assert!(shown >= 2, "{id} stands in the table and in the panel");
    }
    window.press(Modifiers::NONE, Key::Escape);
    assert!(window.session().selection.rows().is_empty());
    window.press(Modifiers::ALT, Key::ArrowLeft);
    assert_eq!(window.session().selection.rows().len(), 1, "back to the selection before");
}

#[test]
fn a_taxon_is_found_and_lit_by_typing_its_name() {
    let mut window = Window::of_survey(SMALLEST);
    let (genus, count) = {
        let name = &window.session().overview.field(Field::Genus).unwrap().names[0];
        (name.name.clone(), name.specimens)
    };
    window.press(Modifiers::NONE, Key::Slash);
    window.harness.get_by_label("Find specimen or taxon").type_text(&genus);
    window.settle();
    assert!(!window.session().look.hits.is_empty());
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(window.session().look.lit.as_ref().map(|lit| lit.taxon.name.clone()), Some(genus));
    assert_eq!(window.session().selection.rows().len(), count);
}

#[test]
fn help_and_log_open_and_close_by_keyboard() {
    let mut window = Window::open(&[], SMALLEST);
    window.settle();
    window.press(Modifiers::NONE, Key::F1);
    assert!(window.shows("Keyboard and mouse"));
    window.press(Modifiers::NONE, Key::Escape);
    assert!(!window.shows("Keyboard and mouse"));
    window.press(Modifiers::COMMAND, Key::L);
    assert!(window.shows("Copy all"));
    window.click("Close");
    assert!(!window.shows("Copy all"));
}

#[test]
fn escape_closes_a_menu_and_leaves_the_selection() {
    let mut window = Window::of_survey(SMALLEST);
    let ctx = window.harness.ctx.clone();
    window.harness.state_mut().obey(&ctx, Command::FocusOn(7));
    window.settle();
    window.click("Filter");
    assert!(window.shows("Filter by"));
    window.press(Modifiers::NONE, Key::Escape);
    assert!(!window.shows("Filter by"), "the menu is closed");
    assert_eq!(window.session().selection.focus(), Some(7));
    window.press(Modifiers::NONE, Key::Escape);
    assert_eq!(window.session().selection.focus(), None);
}

#[test]
fn the_columns_of_an_unknown_table_are_shown_and_remembered() {
    let mut window = Window::open(&["odd.tsv"], SMALLEST);
    window.until("the question", |session| session.question.is_some());
    assert!(window.shows("What do the columns hold?"));
    window.click("Open with these columns");
    window.until("the file", |session| session.dataset().is_some());
    assert_eq!(window.session().dataset().unwrap().dataset.len(), 12);
    assert!(window.session().question.is_none());
    let settings = fs::read_to_string(window.path("settings.json")).unwrap();
    assert!(settings.contains("mystery\\tkind\\tletters"), "{settings}");

    let ctx = window.harness.ctx.clone();
    let again = vec![window.path("odd.tsv")];
    window.harness.state_mut().obey(&ctx, Command::Open(again));
    window.until("the file again", |session| session.data.job().is_none());
    assert!(window.session().question.is_none() && window.session().data.problem().is_none(), "asked only once");
}

#[test]
fn a_running_job_can_be_stopped_from_the_status_bar() {
    let mut window = Window::open(&["survey.csv"], SMALLEST);
    window.until("the embedding to begin", |session| session.running() == Some(Step::Embedding));
    window.harness.get_by_label("Stop").click();
    let asked = Instant::now();
    window.until("its end", |session| session.results.stage(Step::Embedding).job().is_none());
    assert!(asked.elapsed() < Duration::from_secs(5));
    let stage = window.session().results.stage(Step::Embedding);
    assert!(stage.is_ready() || stage.problem().is_some_and(|problem| problem.cancelled), "it ended, or was stopped");
}

#[test]
fn the_masking_lab_does_its_work_on_an_opened_file() {
    let mut window = Window::of_survey(SMALLEST);
    window.press(Modifiers::NONE, Key::Num7);
    assert_eq!(window.session().page, Page::Masking);
    window.click("Take the first specimen");
    window.until("guesses", |session| session.lab.guesses.ready().is_some());
    assert!(window.shows_containing("6-mers masked"));
    let row = window.session().lab.guesses.ready().unwrap().value.barcodes[0].row;
    assert_eq!(row, 0);
    let settings = MaskingSettings {
        ratios: vec![0.0, 0.5],
        modes: vec![MaskMode::Drop, MaskMode::Mask],
        seeds: 1,
        ..window.session().lab.reading.clone()
    };
    let context = window.harness.ctx.clone();
    for command in [
        LabCommand::Sample(4),
        LabCommand::Start(LabWork::Along),
        LabCommand::Set(Box::new(settings)),
        LabCommand::Start(LabWork::Readings),
        LabCommand::Start(LabWork::Comparison),
        LabCommand::Start(LabWork::Maps),
    ] {
        window.harness.state_mut().obey(&context, Command::Lab(command));
    }
    window.until("the lab's work", |session| session.lab.job().is_none());
    let lab = &window.session().lab;
    let errors = [lab.along.problem(), lab.readings.problem(), lab.comparison.problem(), lab.maps.problem()];
    assert_eq!(errors, [None; 4]);
    assert_eq!(lab.along.ready().unwrap().value.found.barcodes.len(), 4);
    let names: Vec<&str> =
        lab.readings.ready().unwrap().value.points.iter().map(|point| point.model.as_str()).collect();
    assert!(names.contains(&"kmer") && names.contains(&"random"), "{names:?}");
    assert!(!lab.comparison.ready().unwrap().value.rows.is_empty());
    let maps = &lab.maps.ready().unwrap().value;
    assert_eq!((maps.pair.kept.len(), maps.places[0].len()), (80, 80));
    for tab in LabTab::ALL {
        window.click(tab.title());
    }
}

#[test]
fn labels_are_judged_and_a_decision_outlives_the_specimens_and_comes_back_with_a_session() {
    // High enough for the whole dossier: what is scrolled out of view is not drawn.
    let mut window = Window::of_survey([1440.0, 2400.0]);
    window.press(Modifiers::NONE, Key::Num5);
    window.click("Judge labels");
    window.until("the audit", |session| session.reviewing.standings.ready().is_some());
    window.press(Modifiers::NONE, Key::N);
    let row = window.session().selection.focus().expect("the most suspicious one is looked at");
    window.until("the dossier", |session| {
        session.reviewing.dossier.ready().is_some_and(|dossier| dossier.value.row == row)
    });
    for part in ["Nearest specimens", "Where the bases differ", "The record"] {
        assert!(window.shows_containing(part), "{part}");
    }
    let id = window.session().dataset().unwrap().dataset.id(row).to_owned();
    window.press(Modifiers::NONE, Key::X);
    window.until("keeping", |session| session.reviewing.unkept() == 0);
    assert_ne!(window.session().selection.focus(), Some(row), "the next one is looked at");
    let is_excluded = |session: &Session| {
        let curated = session.curated().unwrap();
        curated.is_excluded(curated.dataset().row_of(&id).unwrap())
    };
    assert!(is_excluded(window.session()));

    // Distances and a tree are made of the same specimens.
    let context = window.harness.ctx.clone();
    let obey = |window: &mut Window, command| window.harness.state_mut().obey(&context, Command::Review(command));
    obey(&mut window, ReviewCommand::Show(ReviewTab::Distances));
    obey(&mut window, ReviewCommand::MeasureGap(Distance::K2p));
    window.until("distances", |session| session.reviewing.gap.ready().is_some());
    let rows: Rows = (0..20usize).collect();
    window.harness.state_mut().obey(&context, Command::Select(rows, Mode::Replace));
    obey(&mut window, ReviewCommand::DrawTree(Distance::P));
    window.until("the tree", |session| session.reviewing.tree.ready().is_some());

    // The same specimens are opened again, then a session of them.
    let survey = window.folder.path().join("survey.csv");
    window.harness.state_mut().obey(&context, Command::Open(vec![survey]));
    window.until("decisions", |session| session.data.job().is_none() && !session.reviewing.entries().is_empty());
    assert!(is_excluded(window.session()));
    let session = window.folder.path().join("work.scope");
    obey(&mut window, ReviewCommand::SaveAs(session.clone()));
    window.until("saving", |state| state.reviewing.session_file() == Some(session.as_path()));
    let left = fs::read_dir(window.folder.path().join("decisions")).unwrap().count();
    assert_eq!(left, 0, "the file that stood in for it is gone");
    window.harness.state_mut().obey(&context, Command::Open(vec![session.clone()]));
    window.until("the session", |state| state.data.job().is_none());
    assert!(is_excluded(window.session()), "log: {:?}", window.session().log.entries());
}
