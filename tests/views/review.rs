//! The page Review in its states, and what a curator does there.

use crate::desk::{Answered, Desk, builder, everything};
use crate::review_results::{FIRST, SWAPPED};
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::Task;
use barcodescope::session::review::{ReviewCommand, ReviewTab};
use barcodescope::session::selection::{Mode, Rows};
use barcodescope::session::{Command, Input, Page};
use egui::{Key, Modifiers, Theme, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

type Window = Harness<'static, Desk>;

fn at(desk: Desk) -> Window {
    at_height(desk, 900.0)
}

fn at_height(mut desk: Desk, height: f32) -> Window {
    desk.tell(Input::Command(Command::Show(Page::Review)));
    desk.open_window(builder(vec2(1440.0, height), Theme::Light))
}

fn review(command: ReviewCommand) -> Input {
    Input::Command(Command::Review(command))
}

fn judged(answered: Answered) -> Desk {
    let mut desk = Desk::with_species(answered);
    desk.is_at_work();
    desk.tell(review(ReviewCommand::Start));
    desk
}

/// The window with the first suspect in it.
fn at_first() -> Window {
    let mut window = at(judged(everything));
    press(&mut window, Key::N);
    assert_eq!(window.state().session.selection.focus(), Some(FIRST));
    window
}

fn press(window: &mut Window, key: Key) {
    window.key_press(key);
    window.run();
}

fn shows(window: &Window, part: &str) -> bool {
    window.query_all_by_label_contains(part).next().is_some()
}

fn click(window: &mut Window, name: &str) {
    window.query_all_by_label(name).next().unwrap_or_else(|| panic!("'{name}' is there")).click();
    window.run();
}

fn name_of(window: &Window, row: usize) -> Option<String> {
    window.state().session.curated().unwrap().label(row, Field::Species).map(str::to_owned)
}

fn decided(window: &Window) -> usize {
    window.state().session.reviewing.entries().iter().filter(|entry| !entry.undone).count()
}

#[test]
fn what_it_is_for_is_told_before_anything_is_judged() {
    let mut window = at(Desk::with_species(everything));
    assert!(
        shows(&window, "the file that you opened is never changed") && !shows(&window, "have their species nearest")
    );
    click(&mut window, "Judge labels");
    assert!(shows(&window, "have their species nearest") && shows(&window, "misidentification"));
}

#[test]
fn embeddings_come_first() {
    let window =
        at(Desk::with_species(|task| if matches!(task, Task::Embed { .. }) { None } else { everything(task) }));
    assert!(shows(&window, "The embeddings are not there yet"));
}

#[test]
fn what_is_being_made_is_shown_and_can_be_stopped() {
    let mut window = at(judged(|task| if matches!(task, Task::Audit(_)) { None } else { everything(task) }));
    assert!(shows(&window, "120 of 500 epochs"));
    let job = window.state().session.reviewing.audited.job().expect("it is being made");
    window.state_mut().commands.clear();
    click(&mut window, "Stop");
    assert_eq!(window.state().commands, [Command::Stop(job)]);
}

#[test]
fn a_failure_says_why_and_can_be_tried_again() {
    let failing: Answered =
        |task| if matches!(task, Task::Audit(_)) { Some(Err("nobody has a name")) } else { everything(task) };
    let mut window = at(judged(failing));
    assert!(shows(&window, "Nobody has a name"));
    window.state_mut().commands.clear();
    click(&mut window, "Judge labels");
    assert_eq!(window.state().commands, [Command::Review(ReviewCommand::Start)]);
}

#[test]
fn the_specimen_that_is_looked_at_is_shown_with_everything() {
    let window = at_first();
    for part in [
        "Evidence on row 0",
        "What the methods say",
        "By identity",
        "30 columns in which the nearest 3 specimens differ",
        "bases that tell",
        "BOLD:AAA0001",
        "Stop codons at 203",
    ] {
        assert!(shows(&window, part), "{part}");
    }
}

#[test]
fn keys_decide_and_lead_on_and_every_step_can_be_taken_back() {
    let mut window = at_first();
    let before = name_of(&window, FIRST);
    press(&mut window, Key::R);
    assert_eq!(name_of(&window, FIRST), name_of(&window, FIRST + 1), "it bears the name that fits");
    assert_ne!(name_of(&window, FIRST), before);
    assert_eq!(window.state().session.selection.focus(), Some(SWAPPED[0]), "and the next one is looked at");
    let names = SWAPPED.map(|row| name_of(&window, row));
    press(&mut window, Key::W);
    assert_eq!(SWAPPED.map(|row| name_of(&window, row)), [names[1].clone(), names[0].clone()]);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!(SWAPPED.map(|row| name_of(&window, row)), names, "both at once");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!((name_of(&window, FIRST), decided(&window)), (before, 0));
    window.key_press_modifiers(Modifiers::COMMAND, Key::Y);
    window.run();
    assert_eq!(name_of(&window, FIRST), name_of(&window, FIRST + 1));
}

#[test]
fn what_was_decided_leaves_the_queue_and_stands_in_the_list() {
    let mut window = at_first();
    press(&mut window, Key::X);
    assert!(!shows(&window, "evidence on row 0"));
    window.state_mut().tell(review(ReviewCommand::Show(ReviewTab::Decisions)));
    window.run();
    assert!(shows(&window, "excluded") && shows(&window, "TEST0000-26"));
    // In the table of the decisions the specimen leads back to the queue.
    click(&mut window, "decisions, row 1");
    assert_eq!(window.state().session.reviewing.tab, ReviewTab::Queue);
}

#[test]
fn a_reason_goes_with_the_decision_and_keys_that_are_typed_decide_nothing() {
    let mut window = at_first();
    press(&mut window, Key::C);
    window.get_by(|node| node.role() == egui::accesskit::Role::TextInput && node.is_focused()).type_text("axr");
    window.run();
    assert_eq!(decided(&window), 0, "letters in a field are no verdicts");
    click(&mut window, "Accept (A)");
    let entries = window.state().session.reviewing.entries().clone();
    assert_eq!((entries.len(), entries[0].value.reason.as_str()), (1, "axr"));
}

#[test]
fn figures_before_and_after_stand_above_the_list() {
    let mut window = at_first();
    assert!(shows(&window, "As read") && !shows(&window, "After your decisions"));
    press(&mut window, Key::R);
    assert!(shows(&window, "After your decisions"));
}

#[test]
fn files_without_bins_say_so() {
    let mut window = at(judged(everything));
    window.state_mut().tell(review(ReviewCommand::Show(ReviewTab::Bins)));
    window.run();
    assert!(shows(&window, "No specimen has a BIN"));
    window.state_mut().tell(review(ReviewCommand::Show(ReviewTab::Grades)));
    window.run();
    assert!(shows(&window, "Apis species0"));
}

#[test]
fn distances_are_measured_when_asked_for_and_listed_with_those_that_have_no_gap() {
    // High enough for all of it: what is scrolled out of view is not drawn.
    let mut window = at_height(judged(everything), 1400.0);
    click(&mut window, "Barcode gap");
    assert!(shows(&window, "which threshold tells species apart") && !shows(&window, "Pairs by distance"));
    click(&mut window, "Measure distances");
    for part in [
        "Pairs by distance, model",
        "Wrong by threshold",
        "A threshold of 2.0 %",
        "2 specimens do not lie",
        "Apis species3",
        "farther by the model",
    ] {
        assert!(shows(&window, part), "{part}");
    }
    click(&mut window, "species, row 1");
    let session = &window.state().session;
    let dataset = &session.dataset().unwrap().dataset;
    let expected: Rows =
        (0..dataset.len()).filter(|&row| dataset.label(row, Field::Species) == Some("Apis species0")).collect();
    assert!(!expected.is_empty());
    assert_eq!(session.selection.rows(), &expected);
}

#[test]
fn selected_specimens_are_joined_and_a_tip_leads_to_its_specimen() {
    let mut window = at(judged(everything));
    click(&mut window, "Tree");
    assert!(shows(&window, "Select some specimens"));
    let rows: Rows = (0..12usize).collect();
    window.state_mut().tell(Input::Command(Command::Select(rows, Mode::Replace)));
    window.run();
    click(&mut window, "Join 12 selected specimens");
    assert!(shows(&window, "tree of 12 specimens") && shows(&window, "1 not in the COI-5P frame"));
    window.state_mut().commands.clear();
    window.get_by_label("tree of 12 specimens").click();
    window.run();
    let tips = window.state().session.reviewing.tree.shown().unwrap().tree.drawn_tips();
    // The middle of the picture is between the sixth and the seventh tip.
    let middle = [tips[5], tips[6]].map(Command::FocusOn);
    let commands = &window.state().commands;
    assert!(matches!(commands.as_slice(), [command] if middle.contains(command)), "{commands:?}");
}

#[test]
fn tags_and_comments_are_given_by_keys_and_the_specimen_stays() {
    let mut window = at_first();
    press(&mut window, Key::M);
    press(&mut window, Key::S);
    press(&mut window, Key::C);
    window.get_by(|node| node.role() == egui::accesskit::Role::TextInput && node.is_focused()).type_text("look again");
    press(&mut window, Key::Enter);
    let entries = window.state().session.reviewing.entries().clone();
    let said: Vec<_> = entries.iter().map(|entry| (entry.value.new.as_deref(), entry.value.reason.as_str())).collect();
    assert_eq!(said, [(Some("MIS-ID"), ""), (Some("SHARE"), ""), (None, "look again")]);
    assert_eq!(window.state().session.selection.focus(), Some(FIRST));
}

#[test]
fn lifting_by_key_takes_the_finer_names_away() {
    let mut window = at_first();
    press(&mut window, Key::G);
    let curated = window.state().session.curated().unwrap();
    assert_eq!((curated.label(FIRST, Field::Species), curated.label(FIRST, Field::Genus)), (None, Some("Apis")));
}
