//! The page Discover in its states.

use crate::desk::{Answered, Desk, GENERA, SPECIMENS, builder, everything, genus_of, species_of};
use crate::discover_results::decision_of;
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::Task;
use barcodescope::pipeline::discover::{Decision, Division, HoldOutSettings};
use barcodescope::session::columns::ColumnKey;
use barcodescope::session::discover::{DiscoverCommand, DiscoverTab};
use barcodescope::session::{Command, Input, Page};
use egui::{Theme, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

type Window = Harness<'static, Desk>;

fn at(mut desk: Desk) -> Window {
    desk.tell(Input::Command(Command::Show(Page::Discover)));
    desk.open_window(builder(vec2(1440.0, 900.0), Theme::Light))
}

fn shows(window: &Window, part: &str) -> bool {
    window.query_all_by_label_contains(part).next().is_some()
}

fn click(window: &mut Window, name: &str) {
    window.query_all_by_label(name).next().unwrap_or_else(|| panic!("'{name}' is there")).click();
    window.run();
}

/// The button that begins; the page's title and its entry in the navigation have the same name.
fn press_discover(window: &mut Window) {
    window.query_all_by_label("Discover").last().expect("it can be begun").click();
    window.run();
}

fn discover(command: DiscoverCommand) -> Input {
    Input::Command(Command::Discover(command))
}

/// Whole taxa are taken out, by name.
fn held_out() -> Division {
    let names = vec!["Apis".to_owned(), "Morpho species1".to_owned()];
    Division::HeldOut(HoldOutSettings { names, ..HoldOutSettings::default() })
}

fn begun(answered: Answered, division: Option<Division>) -> Desk {
    let mut desk = Desk::with_species(answered);
    if let Some(division) = division {
        desk.tell(discover(DiscoverCommand::Divide(division)));
    }
    desk.is_at_work();
    desk.tell(discover(DiscoverCommand::Start));
    desk
}

/// Discovering goes on for ever.
fn endless(task: &Task) -> Option<Result<(), &'static str>> {
    if matches!(task, Task::Discover(_)) { None } else { everything(task) }
}

/// Discovering fails.
fn failing(task: &Task) -> Option<Result<(), &'static str>> {
    if matches!(task, Task::Discover(_)) { Some(Err("everything is old")) } else { everything(task) }
}

#[test]
fn the_setting_is_told_before_anything_is_made() {
    let mut window = at(Desk::with_species(everything));
    assert!(shows(&window, "a new species in a known genus") && !shows(&window, "Candidates ("));
    // Some specimens have no species: those are the natural queries.
    assert_eq!(window.state().session.division(), Some(Division::Unnamed));
    press_discover(&mut window);
    let nameless = (0..SPECIMENS).filter(|row| row % 11 == 10).count();
    let found = window.state().session.discovering.found.shown().expect("it was made");
    assert_eq!(found.discovery.findings.len(), nameless);
}

#[test]
fn without_species_there_is_nothing_to_compare_with() {
    let mut window = at(Desk::unlabelled(everything));
    assert!(shows(&window, "No specimen has a species"));
    window.state_mut().tell(discover(DiscoverCommand::Start));
    window.run();
    assert!(window.state().session.discovering.found.job().is_none());
}

#[test]
fn embeddings_come_first() {
    let window =
        at(Desk::with_species(|task| if matches!(task, Task::Embed { .. }) { None } else { everything(task) }));
    assert!(shows(&window, "The embeddings are not there yet"));
}

#[test]
fn what_is_being_made_is_shown_and_can_be_stopped() {
    let mut window = at(begun(endless, None));
    assert!(shows(&window, "120 of 500 epochs") && !shows(&window, "Candidates ("));
    let job = window.state().session.discovering.found.job().expect("it is being made");
    window.state_mut().commands.clear();
    click(&mut window, "Stop");
    assert_eq!(window.state().commands, [Command::Stop(job)]);
}

#[test]
fn a_failure_says_why_and_can_be_tried_again() {
    let mut window = at(begun(failing, None));
    assert!(shows(&window, "Everything is old"));
    window.state_mut().commands.clear();
    press_discover(&mut window);
    assert_eq!(window.state().commands, [Command::Discover(DiscoverCommand::Start)]);
}

#[test]
fn decisions_are_listed_by_colour_and_selected_everywhere() {
    let mut window = at(begun(everything, Some(held_out())));
    let queries = window.state().session.discovering.found.shown().unwrap().divided.query.clone();
    let count = |wanted| (0..queries.len()).filter(|&at| decision_of(at) == wanted).count();
    let new = count(Decision::NewSpecies) + count(Decision::NewGenus);
    assert!(shows(&window, &format!("{new} of {} specimens belong to no species of the reference", queries.len())));
    assert!(
        shows(&window, "Held out: 1 genus and 1 species of other genera") && shows(&window, "barcodes of 3 of these")
    );
    let only = format!("Known species ({})", count(Decision::Known));
    click(&mut window, &only);
    // Equally strange specimens stand in file order; the first query is known.
    let first = window.state().dataset().id(queries[0]).to_owned();
    click(&mut window, &first);
    let row = window.state().session.selection.focus().expect("the specimen of the row is selected");
    let place = queries.iter().position(|&query| query == row).expect("it is a query");
    assert_eq!(decision_of(place), Decision::Known);
    click(&mut window, "Select them");
    assert_eq!(window.state().session.selection.rows().len(), count(Decision::Known));
}

#[test]
fn taxa_are_held_out_by_name_never_by_record() {
    let desk = begun(everything, Some(held_out()));
    let divided = &desk.session.discovering.found.shown().unwrap().divided;
    let is_held = |row: usize| {
        let genus = GENERA[genus_of(row)];
        genus == "Apis" || (genus == "Morpho" && species_of(row) == 1)
    };
    assert!(divided.reference.iter().all(|&row| !is_held(row)));
    let named = |row: &usize| row % 11 != 10;
    assert!((0..SPECIMENS).filter(named).filter(|&row| is_held(row)).all(|row| divided.query.contains(&row)));
}

#[test]
fn candidates_are_described_and_selected_whole() {
    let mut window = at(begun(everything, None));
    click(&mut window, "Candidates (2)");
    click(&mut window, "candidates, row 1");
    let found = window.state().session.discovering.found.shown().unwrap().clone();
    let members: Vec<u32> = found.discovery.candidates[0].members.iter().map(|&row| row as u32).collect();
    assert_eq!(window.state().session.selection.rows().as_slice(), members);
    assert!(shows(&window, "Apis species0 (93.0 % identical") && shows(&window, "100G (not A)"));
    assert!(shows(&window, "stop codon"), "what speaks against the other");
    click(&mut window, "Only sound groups");
    assert!(window.query_by_label("candidates, row 2").is_none());
}

#[test]
fn how_far_it_can_be_trusted_is_told_with_intervals_or_why_not() {
    let mut window = at(begun(everything, Some(held_out())));
    window.state_mut().tell(discover(DiscoverCommand::Show(DiscoverTab::Trust)));
    window.run();
    for text in ["90.0 % (85.0 to 95.0)", "20 specimens are of known species", "10.0 % (0.0 to 20.0)", "Of 5 species"] {
        assert!(shows(&window, text), "{text}");
    }
    assert!(shows(&window, "Curves: new genera"));
    let mut window = at(begun(everything, None));
    window.state_mut().tell(discover(DiscoverCommand::Show(DiscoverTab::Trust)));
    window.run();
    assert!(shows(&window, "nothing can be compared") && !shows(&window, "AUROC"));
}

#[test]
fn other_choices_are_other_results_and_the_ones_before_stay() {
    let mut window = at(begun(everything, None));
    assert!(!shows(&window, "other choices"));
    let settings = window.state().session.discovering.settings;
    let other = barcodescope::pipeline::discover::DiscoverSettings { fdr: 0.2, ..settings };
    window.state_mut().tell(discover(DiscoverCommand::Set(other)));
    window.run();
    assert!(shows(&window, "made from other choices") && shows(&window, "Candidates (2)"));
    window.state_mut().tell(discover(DiscoverCommand::Start));
    window.run();
    assert!(!shows(&window, "other choices"));
}

#[test]
fn the_atlas_is_coloured_by_decision_and_darkness() {
    let mut window = at(begun(everything, None));
    click(&mut window, "Show darkness on the map");
    let session = &window.state().session;
    assert_eq!(session.page, Page::Atlas);
    let values = session.look.colouring.as_ref().expect("it is coloured");
    assert_eq!(values.column, ColumnKey::Darkness);
    let darkness = &session.discovering.found.shown().unwrap().darkness;
    assert!((0..SPECIMENS).all(|row| values.labels.get(row).is_some() == darkness[row].is_some()));
    assert_eq!(values.labels.get(15), Some("all 15 unnamed"));

    window.state_mut().tell(Input::Command(Command::ColourBy(Some(ColumnKey::Decision))));
    window.run();
    let session = &window.state().session;
    let found = session.discovering.found.shown().unwrap();
    let labels = &session.look.colouring.as_ref().unwrap().labels;
    for (at, &row) in found.divided.query.iter().enumerate() {
        assert_eq!(labels.get(row), Some(decision_of(at).title()));
    }
    assert!(found.divided.reference.iter().all(|&row| labels.get(row).is_none()));

    // Made anew with other taxa, the colours are those of the new result.
    window.state_mut().tell(discover(DiscoverCommand::Divide(held_out())));
    window.state_mut().tell(discover(DiscoverCommand::Start));
    window.run();
    let session = &window.state().session;
    let queries = &session.discovering.found.shown().unwrap().divided.query;
    let labels = &session.look.colouring.as_ref().unwrap().labels;
    assert!((0..SPECIMENS).all(|row| labels.get(row).is_some() == queries.contains(&row)));
}

#[test]
fn other_specimens_forget_what_was_found() {
    let mut desk = begun(everything, Some(held_out()));
    assert!(desk.session.discovering.found.shown().is_some());
    desk.tell(Input::Command(Command::OpenDemo));
    assert!(desk.session.discovering.found.shown().is_none());
    assert_eq!(desk.session.division(), Some(Division::Unnamed));
    assert!(!desk.session.columns().contains(&ColumnKey::Decision));
    assert!(desk.dataset().labels(Field::Species).labelled() > 0);
}
