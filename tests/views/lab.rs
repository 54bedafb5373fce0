//! The masking lab in its states.

use crate::desk::{Answered, Desk, SPECIMENS, builder, everything};
use crate::lab_results::MOVED;
use barcodescope::data::masking::MaskMode;
use barcodescope::jobs::{LabTask, Task};
use barcodescope::session::masking::{LabCommand, LabTab, LabWork};
use barcodescope::session::{Command, Input, Page};
use egui::{Theme, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

type Window = Harness<'static, Desk>;

fn at(tab: LabTab, mut desk: Desk) -> Window {
    desk.tell(Input::Command(Command::Show(Page::Masking)));
    desk.tell(Input::Command(Command::Lab(LabCommand::Show(tab))));
    desk.open_window(builder(vec2(1440.0, 900.0), Theme::Light))
}

fn shows(window: &Window, part: &str) -> bool {
    window.query_all_by_label_contains(part).next().is_some()
}

fn click(window: &mut Window, name: &str) {
    window.query_all_by_label(name).next().unwrap_or_else(|| panic!("'{name}' is there")).click();
    window.run();
}

fn ask(window: &mut Window, command: LabCommand) {
    window.state_mut().tell(Input::Command(Command::Lab(command)));
    window.run();
}

/// The lab's long work goes on for ever.
fn endless(task: &Task) -> Option<Result<(), &'static str>> {
    if matches!(task, Task::Lab(_)) { None } else { everything(task) }
}

/// The lab's work fails.
fn failing(task: &Task) -> Option<Result<(), &'static str>> {
    if matches!(task, Task::Lab(_)) { Some(Err("the model is too tired")) } else { everything(task) }
}

fn focused(answered: Answered, row: usize) -> Desk {
    let mut desk = Desk::new(answered);
    desk.tell(Input::Command(Command::FocusOn(row)));
    desk
}

#[test]
fn a_specimen_is_chosen_and_its_masked_kmers_are_shown_with_their_guesses() {
    let mut window = at(LabTab::Reconstruct, Desk::new(everything));
    assert!(shows(&window, "No specimen is chosen"));
    click(&mut window, "Take the first specimen");
    assert_eq!(window.state().session.selection.focus(), Some(0));
    // eight bases are two 4-mers
    assert!(shows(&window, "1 of 2 4-mers masked, 1 guessed right (100 %)"));
    click(&mut window, "Specimen before");
    assert_eq!(window.state().session.selection.focus(), Some(SPECIMENS - 1));
    click(&mut window, "Specimen after");
    window.state_mut().tell(Input::Command(Command::FocusOn(5)));
    window.run();
    // 28 bases: of seven 4-mers the second, fourth and sixth are masked, the fourth is guessed wrong
    assert!(shows(&window, "3 of 7 4-mers masked, 2 guessed right (66.7 %)"));
    assert!(shows(&window, "8 of 9 amino acids stay as they are"));
    assert!(shows(&window, "Bases 13 to 16: ACGT"), "what is wrong is looked at first");
    click(&mut window, "k-mer at base 5: ACGT, guessed ACGT (62.5 %), right");
    assert!(shows(&window, "Bases 5 to 8: ACGT"));
    let mask = window.state().session.lab.mask;
    let key = window.state().session.lab.guesses.key();
    ask(
        &mut window,
        LabCommand::Mask(barcodescope::pipeline::reconstruct::ReconstructSettings { ratio: 0.25, ..mask }),
    );
    assert_ne!(window.state().session.lab.guesses.key(), key, "another share is another result");
}

#[test]
fn guesses_on_their_way_failed_and_impossible() {
    assert!(shows(&at(LabTab::Reconstruct, focused(endless, 5)), "The model is guessing"));
    let mut window = at(LabTab::Reconstruct, focused(failing, 5));
    assert!(shows(&window, "The model is too tired") && shows(&window, "Train one"));
    window.state_mut().commands.clear();
    click(&mut window, "Try again");
    assert_eq!(window.state().commands, [Command::Lab(LabCommand::GuessAgain)]);

    let mut desk = focused(everything, 5);
    desk.tell(Input::Command(Command::UseModel(Some("published.pt".into()))));
    let mut window = at(LabTab::Reconstruct, desk);
    assert!(shows(&window, "holds its encoder alone") && !shows(&window, "4-mers masked"));
    click(&mut window, "Use Bundled model");
    assert!(shows(&window, "3 of 7 4-mers masked"));
}

#[test]
fn right_guesses_along_the_barcode_over_a_sample() {
    let mut window = at(LabTab::Reconstruct, focused(everything, 5));
    assert!(shows(&window, "Shows where along the barcode"));
    click(&mut window, "Measure");
    assert!(shows(&window, "Curves: Share of right guesses by position") && shows(&window, "95 % interval"));
    assert!(!shows(&window, "other choices"));
    ask(&mut window, LabCommand::Sample(17));
    assert!(shows(&window, "made from other choices"));

    let mut running = focused(endless, 5);
    running.tell(Input::Command(Command::Lab(LabCommand::Start(LabWork::Along))));
    running.is_at_work();
    assert!(shows(&at(LabTab::Reconstruct, running), "120 of 500 epochs"));
    let mut failed = focused(failing, 5);
    failed.tell(Input::Command(Command::Lab(LabCommand::Start(LabWork::Along))));
    assert!(shows(&at(LabTab::Reconstruct, failed), "The model is too tired"));
}

#[test]
fn readings_say_what_they_need_and_show_curves_and_table() {
    let mut window = at(LabTab::Read, Desk::new(everything));
    assert!(shows(&window, "An untrained encoder (the floor) and 6-mer counts (the bar)"));
    for mode in MaskMode::ALL {
        assert!(shows(&window, mode.key()), "{mode}");
    }
    let settings = window.state().session.lab.reading.clone();
    ask(
        &mut window,
        LabCommand::Set(Box::new(barcodescope::pipeline::masking::MaskingSettings {
            ratios: vec![0.0, 0.95],
            ..settings.clone()
        })),
    );
    assert!(shows(&window, "outside of 0 to 0.9"));
    ask(&mut window, LabCommand::Set(Box::new(settings)));
    let used = window.state().session.model_in_use();
    ask(&mut window, LabCommand::Choose(used.clone(), false));
    assert!(shows(&window, "Choose at least one model"));
    ask(&mut window, LabCommand::Start(LabWork::Readings));
    assert!(window.state().session.lab.readings.shown().is_none(), "nothing is measured without a model");
    ask(&mut window, LabCommand::Choose(used, true));
    click(&mut window, "Measure");
    for text in ["Curves: genus, held out", "Curves: BINs, AMI", "Curves: drift", "48 queries", "192 references"] {
        assert!(shows(&window, text), "{text}");
    }
    assert!(shows(&window, "Show 6-mer counts") && shows(&window, "87.0 to 93.0 %"));
    click(&mut window, "Show untrained encoder");
    assert!(shows(&window, "Curves: drift"), "what is hidden can be shown again");
}

#[test]
fn readings_stay_while_others_are_made_and_when_those_fail() {
    let mut window = at(
        LabTab::Read,
        Desk::new(|task| match task {
            Task::Lab(task) if matches!(**task, LabTask::Read { ref settings, .. } if settings.seeds == 7) => None,
            Task::Lab(task) if matches!(**task, LabTask::Read { ref settings, .. } if settings.seeds == 8) => {
                Some(Err("out of patience"))
            }
            task => everything(task),
        }),
    );
    click(&mut window, "Measure");
    let settings = window.state().session.lab.reading.clone();
    for (seeds, text) in [(7, "120 of 500 epochs"), (8, "out of patience")] {
        let settings = barcodescope::pipeline::masking::MaskingSettings { seeds, ..settings.clone() };
        ask(&mut window, LabCommand::Set(Box::new(settings)));
        window.state_mut().is_at_work();
        ask(&mut window, LabCommand::Start(LabWork::Readings));
        assert!(shows(&window, text) || shows(&window, "Out of patience"), "{text}");
        assert!(shows(&window, "Curves: drift"), "the readings before stay");
    }
    let mut running = Desk::new(endless);
    running.tell(Input::Command(Command::Lab(LabCommand::Start(LabWork::Readings))));
    running.is_at_work();
    let mut window = at(LabTab::Read, running);
    let job = window.state().session.lab.readings.job().expect("it is being made");
    window.state_mut().commands.clear();
    click(&mut window, "Stop: measure");
    assert_eq!(window.state().commands, [Command::Stop(job)]);
}

#[test]
fn models_are_compared_in_plots_and_a_table() {
    let mut window = at(LabTab::Compare, Desk::new(everything));
    assert!(shows(&window, "drawn by the seed") && shows(&window, "Train several models"));
    click(&mut window, "Compare");
    for text in
        ["Curves: genus, unseen species", "Show at 0.25 (mae, 0.25)", "Show 6-mer counts", "75.0 to 85.0 %, n = 40"]
    {
        assert!(shows(&window, text), "{text}");
    }
    assert!(shows(&window, "at 0.25 was trained on the barcodes of 3 of the 40 queries"));
    let running = |answered: Answered| {
        let mut desk = Desk::new(answered);
        desk.is_at_work();
        desk.tell(Input::Command(Command::Lab(LabCommand::Start(LabWork::Comparison))));
        at(LabTab::Compare, desk)
    };
    assert!(shows(&running(endless), "120 of 500 epochs") && shows(&running(failing), "The model is too tired"));
}

#[test]
fn the_most_changed_specimen_comes_first_and_is_selected_everywhere() {
    let mut window = at(LabTab::Maps, Desk::new(everything));
    assert!(shows(&window, "turned onto the first"));
    click(&mut window, "Lay out");
    assert!(shows(&window, "Of the 15 nearest barcodes") && shows(&window, "12.5 %"));
    click(&mut window, "specimens, row 1");
    assert_eq!(window.state().session.selection.focus(), Some(MOVED));
    let used = window.state().session.model_in_use();
    ask(&mut window, LabCommand::MapsOf([used.clone(), used]));
    assert!(shows(&window, "Choose two different models"));
    let running = |answered: Answered| {
        let mut desk = Desk::new(answered);
        desk.is_at_work();
        desk.tell(Input::Command(Command::Lab(LabCommand::Start(LabWork::Maps))));
        at(LabTab::Maps, desk)
    };
    assert!(shows(&running(endless), "120 of 500 epochs") && shows(&running(failing), "The model is too tired"));
}

#[test]
fn a_model_file_can_be_offered_and_is_chosen() {
    let mut window = at(LabTab::Read, Desk::new(everything));
    ask(&mut window, LabCommand::Offer("folder/other.safetensors".into()));
    assert!(shows(&window, "other.safetensors"));
    assert_eq!(window.state().session.lab_chosen().len(), 2);
    click(&mut window, "other.safetensors");
    assert_eq!(window.state().session.lab_chosen().len(), 1);
}

#[test]
fn other_specimens_stop_the_lab_and_its_late_results_are_dropped() {
    let mut desk = Desk::new(endless);
    desk.tell(Input::Command(Command::Lab(LabCommand::Start(LabWork::Readings))));
    let late = desk.session.lab.readings.job().expect("it is being made");
    desk.tell(Input::Command(Command::OpenDemo));
    assert_eq!(desk.session.lab.job(), None);
    let task =
        LabTask::Read { dataset: desk.dataset(), models: Vec::new(), settings: desk.session.lab.reading.clone() };
    let outcome = Ok(barcodescope::jobs::Output::Lab(crate::lab_results::result_of(&task)));
    desk.tell(Input::Job(barcodescope::jobs::Event::Ended { id: late, outcome }));
    assert!(desk.session.lab.readings.shown().is_none());
}
