//! The training page in its states.

use crate::desk::{Desk, builder, everything};
use barcodescope::jobs::{Event, JobError, JobId, Output, Task, TrainNews};
use barcodescope::pipeline::train::{GenusAccuracy, RunFacts, SampleReading};
use barcodescope::session::training::{RunState, TrainCommand};
use barcodescope::session::{Command, Input, Page};
use barcodescope::train::{Partner, Preset, Report, TrainSettings, Validation};
use egui::{Theme, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use std::sync::Arc;

type Window = Harness<'static, Desk>;

fn at(page: Page, mut desk: Desk) -> Window {
    desk.tell(Input::Command(Command::Show(page)));
    desk.open_window(builder(vec2(1440.0, 1200.0), Theme::Light))
}

fn shows(window: &Window, part: &str) -> bool {
    window.query_all_by_label_contains(part).next().is_some()
}

fn click(window: &mut Window, name: &str) {
    window.query_all_by_label(name).next().unwrap_or_else(|| panic!("'{name}' is there")).click();
    window.run();
}

fn command(window: &mut Window, command: TrainCommand) {
    window.state_mut().tell(Input::Command(Command::Train(command)));
    window.run();
}

/// A window in which a run has begun, with the job that trains it.
fn in_training() -> (Window, JobId) {
    let mut desk = Desk::new(|task| if matches!(task, Task::Train(_)) { None } else { everything(task) });
    desk.tell(Input::Command(Command::Train(TrainCommand::Start)));
    let RunState::Going(job) = desk.session.training.runs[0].state else { panic!("the run begins") };
    (at(Page::Train, desk), job)
}

fn tell(window: &mut Window, id: JobId, news: TrainNews) {
    window.state_mut().tell(Input::Job(Event::Told { id, news: Output::Training(news) }));
    window.run();
}

fn facts() -> TrainNews {
    TrainNews::Began(RunFacts {
        folder: "models/run-1".into(),
        device: "the CPU".into(),
        mask_ratio: 0.5,
        parameters: 4_340_224,
        barcodes: 235,
        validation_barcodes: 5,
        from_step: 0,
    })
}

fn report(step: u64, loss: f64) -> TrainNews {
    TrainNews::Reported(Report {
        step,
        epoch: 0.1,
        loss,
        accuracy: 0.25,
        contrast_loss: None,
        partners_found: None,
        learning_rate: 1e-3,
        gradient_norm: 1.0,
        sequences_per_second: 77.0,
        encoder_tokens_per_second: 4000.0,
        decoder_tokens_per_second: 8000.0,
        seconds: 1.0,
    })
}

#[test]
fn train_offers_a_run_and_says_why_one_cannot_begin() {
    let mut window = at(Page::Train, Desk::new(everything));
    assert!(shows(&window, "No model is being trained") && shows(&window, "weights"));
    window.state_mut().tell(Input::Command(Command::Train(TrainCommand::Name("../up".into()))));
    window.run();
    assert!(shows(&window, "The name needs letters"));
    window.state_mut().tell(Input::Command(Command::Train(TrainCommand::Start)));
    assert!(window.state().session.training.runs.is_empty(), "nothing begins that cannot be written");
}

#[test]
fn a_run_shows_its_course_pauses_goes_on_and_is_used() {
    let (mut window, job) = in_training();
    assert!(shows(&window, "run-1") && shows(&window, "waiting"));
    tell(&mut window, job, facts());
    assert!(shows(&window, "learning") && !shows(&window, "waiting"));
    tell(&mut window, job, report(10, 7.5));
    tell(&mut window, job, TrainNews::Validated(Validation { step: 10, loss: 7.6, accuracy: 0.125 }, true));
    for text in ["7.500", "25.0", "12.5", "77", "Curves: Loss", "Curves: Gradient"] {
        assert!(shows(&window, text), "{text}");
    }
    tell(&mut window, JobId::next(), report(20, 1.0));
    assert!(shows(&window, "7.500"), "news of another job change nothing");

    window.get_by_label("Pause run-1").click();
    window.run();
    assert!(shows(&window, "writing"));
    let outcome = Err(JobError::Cancelled { job: "Training".into() });
    window.state_mut().tell(Input::Job(Event::Ended { id: job, outcome }));
    window.run();
    assert!(shows(&window, "paused"));
    window.get_by_label("Go on run-1").click();
    window.run();
    let RunState::Going(again) = window.state().session.training.runs[0].state else { panic!("it goes on") };
    assert_ne!(again, job);
    tell(&mut window, again, report(20, 30.0));
    assert!(shows(&window, "The loss is rising"));

    window.state_mut().tell(Input::Job(Event::Ended { id: again, outcome: Ok(Output::Trained(Vec::new())) }));
    window.run();
    assert!(shows(&window, "done"));
    window.get_by_label("Use this model run-1").click();
    window.run();
    let file = window.state().session.model_file().expect("the model is used").to_owned();
    assert_eq!(file, window.state().session.training.runs[0].model());
}

#[test]
fn a_run_that_failed_says_why_and_can_go_on() {
    let (mut window, job) = in_training();
    tell(&mut window, job, facts());
    let outcome = Err(JobError::Failed { job: "Training".into(), source: "the disk is full".into() });
    window.state_mut().tell(Input::Job(Event::Ended { id: job, outcome }));
    window.run();
    assert!(shows(&window, "failed") && shows(&window, "The disk is full"));
    assert!(window.query_by_label("Pause run-1").is_none(), "what does not go cannot pause");
    window.get_by_label("Go on run-1").click();
    window.run();
    assert!(matches!(window.state().session.training.runs[0].state, RunState::Going(_)));
}

#[test]
fn several_hidden_shares_are_several_runs() {
    let mut desk = Desk::new(|task| if matches!(task, Task::Train(_)) { None } else { everything(task) });
    let mut settings = desk.session.training.settings.clone();
    settings.mask_ratio = "0.25,0.75".parse().unwrap();
    desk.tell(Input::Command(Command::Train(TrainCommand::Set(Box::new(settings)))));
    desk.tell(Input::Command(Command::Train(TrainCommand::Start)));
    let window = at(Page::Train, desk);
    assert!(shows(&window, "run-1-0.25") && shows(&window, "run-1-0.75"));
    let ratios: Vec<f64> =
        window.state().session.training.runs.iter().map(|run| run.settings.mask_ratio.0[0]).collect();
    assert_eq!(ratios, [0.25, 0.75]);
}

#[test]
fn a_model_that_learns_by_heart_is_warned_of() {
    let (mut window, job) = in_training();
    tell(&mut window, job, facts());
    for step in 1..=6 {
        tell(&mut window, job, report(10 * step, 5.0 - 0.5 * step as f64));
        let loss = 4.0 + 0.1 * step as f64;
        tell(&mut window, job, TrainNews::Validated(Validation { step: 10 * step, loss, accuracy: 0.1 }, step == 1));
        assert_eq!(shows(&window, "learns them by heart"), step == 6, "after {step} validations");
    }
}

#[test]
fn no_two_runs_have_one_folder() {
    let (mut window, _) = in_training();
    window.state_mut().tell(Input::Command(Command::Train(TrainCommand::Name("run-1".into()))));
    window.state_mut().tell(Input::Command(Command::Train(TrainCommand::Start)));
    window.run();
    assert!(shows(&window, "There is a run of this name"));
    assert_eq!(window.state().session.training.runs.len(), 1);
}

/// A reading of three specimens.
fn reading(step: u64, untrained: bool, accuracy: f64) -> TrainNews {
    TrainNews::Looked(Arc::new(SampleReading {
        step,
        untrained,
        rows: Arc::new(vec![0, 1, 2]),
        places: Arc::new(vec![[-1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]),
        genus: Some(GenusAccuracy { accuracy, ci95: [accuracy - 0.05, accuracy + 0.05], n: 217 }),
    }))
}

#[test]
fn a_sample_is_mapped_beside_what_the_untrained_model_knows() {
    let (mut window, job) = in_training();
    tell(&mut window, job, facts());
    assert!(!shows(&window, "Map of the sample"));
    tell(&mut window, job, reading(0, true, 0.312));
    assert!(shows(&window, "run-1, untrained") && shows(&window, "Map of the sample: run-1"));
    tell(&mut window, job, reading(40, false, 0.85));
    for text in
        ["run-1, step 40", "85.0 % (80.0 to 90.0 %, n = 217) find", "untrained 31.2 % (26.2 to 36.2 %, n = 217)"]
    {
        assert!(shows(&window, text), "{text}");
    }
    let run = &window.state().session.training.runs[0];
    let curve: Vec<(u64, f64)> = run.genus.iter().map(|(step, genus)| (*step, genus.accuracy)).collect();
    assert_eq!(curve, [(0, 0.312), (40, 0.85)]);
    command(&mut window, TrainCommand::ShowCurves(0, false));
    assert!(!shows(&window, "Map of the sample"), "a run that is not shown has no map");
}

#[test]
fn an_estimate_says_size_memory_and_time_and_of_which_settings() {
    let mut window = at(Page::Train, Desk::new(everything));
    assert!(!shows(&window, "of memory"));
    click(&mut window, "Estimate size and time");
    for text in [
        "a file of 17.6 MB",
        "About 640 MB of memory, on the CPU",
        "0.50 s each",
        "20 min of training and 30 s of validations",
    ] {
        assert!(shows(&window, text), "{text}");
    }
    assert!(!shows(&window, "Estimate again"));
    command(&mut window, TrainCommand::Preset(Preset::Tiny));
    assert!(shows(&window, "this was for those before. Estimate again"));
    assert!(window.state().session.training.runs.is_empty(), "nothing begins");
}

#[test]
fn an_estimate_on_its_way_and_one_that_failed() {
    let endless = |task: &Task| if matches!(task, Task::Estimate(_)) { None } else { everything(task) };
    let mut window = at(Page::Train, Desk::new(endless));
    click(&mut window, "Estimate size and time");
    assert!(shows(&window, "Timing a few steps"));
    let failing = |task: &Task| {
        if matches!(task, Task::Estimate(_)) { Some(Err("no barcode is left")) } else { everything(task) }
    };
    let mut window = at(Page::Train, Desk::new(failing));
    click(&mut window, "Estimate size and time");
    assert!(shows(&window, "No barcode is left"));
}

#[test]
fn runs_lie_over_one_another_and_one_is_discarded_after_a_question() {
    let (mut window, first) = in_training();
    tell(&mut window, first, facts());
    command(&mut window, TrainCommand::Start);
    let RunState::Going(second) = window.state().session.training.runs[1].state else { panic!("it waits") };
    tell(&mut window, second, facts());
    tell(&mut window, first, report(10, 7.5));
    tell(&mut window, second, report(10, 6.5));
    assert!(shows(&window, "7.500") && shows(&window, "6.500") && shows(&window, "Curves of run-2"));

    click(&mut window, "Discard run-1");
    assert!(shows(&window, "Discard run-1?"));
    click(&mut window, "Let it be");
    assert_eq!(window.state().session.training.runs.len(), 2);
    click(&mut window, "Discard run-1");
    click(&mut window, "Discard it");
    let outcome = Err(JobError::Cancelled { job: "Training".into() });
    window.state_mut().tell(Input::Job(Event::Ended { id: first, outcome }));
    window.run();
    let names: Vec<&str> = window.state().session.training.runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["run-2"], "it stopped and is gone, the other goes on");
    assert!(matches!(window.state().session.training.runs[0].state, RunState::Going(job) if job == second));
}

#[test]
fn discarding_the_model_in_use_goes_back_to_the_bundled_one() {
    let (mut window, job) = in_training();
    tell(&mut window, job, facts());
    tell(&mut window, job, report(10, 7.5));
    window.state_mut().tell(Input::Job(Event::Ended { id: job, outcome: Ok(Output::Trained(Vec::new())) }));
    window.run();
    click(&mut window, "Use this model run-1");
    assert!(window.state().session.model_file().is_some());
    click(&mut window, "Discard run-1");
    assert!(shows(&window, "the bundled one takes its place"));
    click(&mut window, "Discard it");
    assert!(window.state().session.training.runs.is_empty() && window.state().session.model_file().is_none());
}

#[test]
fn warnings_are_words() {
    let (mut window, job) = in_training();
    tell(&mut window, job, facts());
    for step in 1..=6 {
        tell(&mut window, job, report(10 * step, 5.0));
        let validation = Validation { step: 10 * step, loss: 5.0, accuracy: 0.1 };
        tell(&mut window, job, TrainNews::Validated(validation, step == 1));
        assert_eq!(shows(&window, "No improvement for some time"), step == 6, "after {step} validations");
    }
    assert!(!shows(&window, "by heart"));
}

#[test]
fn two_views_have_a_section_and_a_curve_of_their_own() {
    let mut desk = Desk::new(|task| if matches!(task, Task::Train(_)) { None } else { everything(task) });
    let settings = desk.session.training.settings.clone();
    let settings = TrainSettings { contrast: 1.0, register: true, partner: Partner::Genus, ..settings };
    desk.tell(Input::Command(Command::Train(TrainCommand::Set(Box::new(settings)))));
    let mut window = at(Page::Train, desk);
    assert!(!shows(&window, "Temperature"), "the section is closed at first");
    click(&mut window, "Two views of a barcode");
    for text in ["Second view", "Temperature", "Swapped bases", "learns from the names of the genera"] {
        assert!(shows(&window, text), "{text}");
    }
    command(&mut window, TrainCommand::Start);
    assert!(shows(&window, "Curves: Partners found"));
    let settings = TrainSettings { contrast: 0.0, ..window.state().session.training.settings.clone() };
    command(&mut window, TrainCommand::Set(Box::new(settings)));
    assert!(!shows(&window, "Temperature"), "what does nothing is not asked for");
}
