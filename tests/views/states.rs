//! Every page and panel while there is nothing, while it is being made, when that failed, and when it is there. The Atlas,
//! the masking lab and training have files of their own.

use crate::desk::{Answered, Desk, GENERA, SPECIMENS, builder, everything, genus_of};
use crate::results::{GROUPS, MISNAMED, TRAINED_ON};
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::{Event, FirstRows, JobId, Output, Task};
use barcodescope::pipeline::Method;
use barcodescope::pipeline::cluster::ClusterRecipe;
use barcodescope::session::{Command, Input, Page, Step};
use egui::{Theme, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

type Window = Harness<'static, Desk>;

fn at(page: Page, mut desk: Desk) -> Window {
    desk.tell(Input::Command(Command::Show(page)));
    desk.open_window(builder(vec2(1280.0, 800.0), Theme::Light))
}

fn shows(window: &Window, part: &str) -> bool {
    window.query_all_by_label_contains(part).next().is_some()
}

/// Clicks what offers to try again and says what was asked for then.
fn asked_again(window: &mut Window) -> Vec<Command> {
    window.state_mut().commands.clear();
    window.query_all_by_label("Try again").next().expect("it can be tried again").click();
    window.run();
    std::mem::take(&mut window.state_mut().commands)
}

/// Every job is answered but the named ones, which go on for ever.
fn all_but_names(task: &Task) -> Option<Result<(), &'static str>> {
    if matches!(task, Task::Classify { .. }) { None } else { everything(task) }
}

#[test]
fn the_welcome_page_invites_says_what_is_opened_and_what_went_wrong() {
    let mut window = at(Page::Atlas, Desk::empty(everything));
    assert!(!shows(&window, "Clusters") && shows(&window, "Nothing is open"));
    window.get_by_label("Open the demo").click();
    window.run();
    assert!(shows(&window, "Clusters"), "the demo is open");

    let mut opening = Desk::new(|_| None);
    opening.is_at_work();
    let window = at(Page::Atlas, opening);
    assert!(shows(&window, "laying out 120 of 500 epochs") && !shows(&window, "Clusters"));

    let mut reading = Desk::new(|_| None);
    reading.is_at_work();
    let job = reading.session.data.job().expect("a file is being opened");
    let rows = |number: usize| (0..number).map(|row| vec![format!("X{row}"), "ACGT".to_owned()]).collect();
    let news = |rows| {
        let (file, columns) = ("a.csv".into(), vec!["processid".to_owned(), "nucleotides".to_owned()]);
        Output::FirstRows(FirstRows { file, columns, rows })
    };
    reading.tell(Input::Job(Event::Told { id: JobId::next(), news: news(rows(1)) }));
    assert!(reading.session.first_rows.is_none(), "of a file that nobody waits for");
    reading.tell(Input::Job(Event::Told { id: job, news: news(rows(20)) }));
    let window = at(Page::Atlas, reading);
    assert!(shows(&window, "processid") && shows(&window, "X19") && !shows(&window, "Open the demo"));

    let window = at(Page::Atlas, Desk::new(|_| Some(Err("the disk is on fire"))));
    assert!(shows(&window, "The disk is on fire") || shows(&window, "disk is on fire"));
    assert!(shows(&window, "Open the demo"), "another file can be opened");
}

#[test]
fn dataset_shows_what_was_read_before_frames_are_checked_and_whatever_they_come_to() {
    let mut checking =
        Desk::new(|task| matches!(task, Task::OpenDemo { .. } | Task::LoadModel { .. }).then_some(Ok(())));
    assert_eq!(checking.session.running(), Some(Step::Frames));
    checking.is_at_work();
    let failing: Answered = |task| match task {
        Task::CheckFrames { .. } => Some(Err("the profile is gone")),
        task => everything(task),
    };
    let mut windows = [checking, Desk::new(failing), Desk::new(everything)].map(|desk| at(Page::Dataset, desk));
    for window in &windows {
        assert!(shows(window, "Composition by") && shows(window, "Missing labels"));
        assert!(shows(window, &format!("{SPECIMENS} specimens")));
    }
    assert!(shows(&windows[0], "laying out 120 of 500 epochs"));
    assert!(shows(&windows[1], "profile is gone"));
    assert_eq!(asked_again(&mut windows[1]), [Command::Retry(Step::Frames)]);
    assert!(!shows(&windows[2], "120 of 500") && !shows(&windows[2], "Try again"));

    let window = at(Page::Dataset, Desk::unlabelled(everything));
    assert!(shows(&window, "No record carries a label") && shows(&window, "9 specimens"));
}

#[test]
fn classify_has_nothing_to_compare_without_labels() {
    let window = at(Page::Classify, Desk::unlabelled(everything));
    assert!(shows(&window, "No record of this file carries a label"));
    assert!(!shows(&window, "Named right"));
}

#[test]
fn classify_says_that_names_are_being_found() {
    let mut desk = Desk::new(all_but_names);
    assert_eq!(desk.session.running(), Some(Step::Names(Method::Model)));
    desk.is_at_work();
    let window = at(Page::Classify, desk);
    assert!(shows(&window, "The comparison of names is being made") && shows(&window, "120 of 500"));
    assert!(!shows(&window, "Named right"));
}

#[test]
fn classify_says_why_there_are_no_names() {
    let failing: Answered = |task| match task {
        Task::Classify { .. } => Some(Err("no neighbour answers")),
        task => everything(task),
    };
    let mut window = at(Page::Classify, Desk::new(failing));
    assert!(shows(&window, "No neighbour answers") || shows(&window, "no neighbour answers"));
    assert_eq!(asked_again(&mut window), [Command::Retry(Step::Names(Method::Model))]);
}

#[test]
fn classify_shows_the_model_though_a_baseline_failed() {
    let failing: Answered = |task| match task {
        Task::Classify { settings, .. } if settings.method == Method::Align => Some(Err("too long")),
        task => everything(task),
    };
    let mut window = at(Page::Classify, Desk::new(failing));
    assert!(shows(&window, "Named right") && shows(&window, "failed"));
    assert_eq!(asked_again(&mut window), [Command::Retry(Step::Names(Method::Align))]);
}

#[test]
fn classify_shows_scores_and_the_misnamed() {
    let labelled = |row: &usize| row % 11 != 10;
    let n = (0..SPECIMENS).filter(labelled).count();
    let wrong = (0..SPECIMENS).filter(labelled).filter(|row| row.is_multiple_of(MISNAMED)).count();
    let mut window = at(Page::Classify, Desk::new(everything));
    let right = 100.0 * (n - wrong) as f64 / n as f64;
    assert!(shows(&window, &format!("{right:.1}")), "{right:.1} per cent are named right");
    assert!(shows(&window, &n.to_string()));
    assert!(shows(&window, &format!("trained on the barcodes of {TRAINED_ON} of the {SPECIMENS}")));
    window.get_by_label(&format!("Label and look differ ({wrong})")).click();
    window.run();
    window.get_by_label("specimens, row 1").click();
    window.run();
    let row = window.state().session.selection.focus().expect("the specimen of the row is selected");
    assert!(row.is_multiple_of(MISNAMED) && labelled(&row), "{row}");
}

#[test]
fn specimens_of_a_genus_that_the_reference_lacks_are_counted_and_told() {
    let window = at(Page::Classify, Desk::new(everything));
    assert!(shows(&window, "Named right") && !shows(&window, "no method can name them right"));

    let is_labelled = |row: &usize| row % 11 != 10;
    let lacking: Vec<usize> =
        (0..SPECIMENS).filter(is_labelled).filter(|&row| genus_of(row) == GENERA.len() - 1).collect();
    let mut window = at(Page::Classify, Desk::with_splits(everything));
    let text = format!("{} specimens have a genus that no specimen in 'train' has", lacking.len());
    assert!(shows(&window, &text));
    let told = format!("no {} is in that split", GENERA[GENERA.len() - 1]);
    for (row, is_told) in [(lacking[0], true), (0, false)] {
        window.state_mut().tell(Input::Command(Command::FocusOn(row)));
        window.run();
        assert_eq!(shows(&window, &told), is_told, "row {row}");
        assert!(shows(&window, "looks like") && !shows(&window, "nearest labelled specimens"), "row {row}");
    }
}

#[test]
fn a_specimen_named_by_the_others_tells_how_many_of_the_nearest_agree() {
    let mut desk = Desk::new(everything);
    desk.tell(Input::Command(Command::FocusOn(0)));
    let window = at(Page::Classify, desk);
    assert!(shows(&window, "nearest labelled specimens"));
}

#[test]
fn classify_recommends_a_method_with_its_ground_and_switches_when_asked() {
    let mut window = at(Page::Classify, Desk::new(everything));
    window.get_by_label("The ground for it").click();
    window.run();
    assert!(shows(&window, "genus of 100 specimens (42 species), each named without its own species"));
    assert!(shows(&window, "90.0 % (84.0 to 95.0 %)") && shows(&window, "71.0 % (65.0 to 76.0 %)"));
    assert!(shows(&window, "model and alignment (+10.0 points over the model, +2.0 to +17.0)"));
    assert!(!shows(&window, "may be chance"));
    assert_eq!(window.state().session.results.naming(), Method::Model, "nothing is switched unasked");
    window.get_by_label("Show its names").click();
    window.run();
    assert_eq!(window.state().session.results.naming(), Method::Both);
    assert!(window.query_by_label("Show its names").is_none());
    window.query_all_by_label("6-mer counts").next().expect("the table lists it").click();
    window.run();
    assert_eq!(window.state().session.results.naming(), Method::Kmer);
}

#[test]
fn classify_says_that_methods_are_being_compared_or_why_not() {
    let running: Answered = |task| if matches!(task, Task::Recommend { .. }) { None } else { everything(task) };
    let failing: Answered = |task| match task {
        Task::Recommend { .. } => Some(Err("the sample is gone")),
        task => everything(task),
    };
    let window = at(Page::Classify, Desk::new(running));
    assert!(shows(&window, "comparing the methods on a sample") && shows(&window, "Named right"));
    let mut window = at(Page::Classify, Desk::new(failing));
    assert!(shows(&window, "the comparison failed") && shows(&window, "Named right"));
    assert_eq!(asked_again(&mut window), [Command::Retry(Step::Recommendation)]);
}

#[test]
fn names_at_one_rank_stay_until_those_at_another_are_there() {
    let answered: Answered = |task| match task {
        Task::Classify { settings, .. } if settings.rank != Field::Genus => None,
        task => everything(task),
    };
    let mut desk = Desk::new(answered);
    desk.tell(Input::Command(Command::ClassifyAt(Field::Order)));
    assert_eq!(desk.session.running(), Some(Step::Names(Method::Model)));
    let window = at(Page::Classify, desk);
    assert!(shows(&window, "Named right") && !shows(&window, "is being made"));
}

#[test]
fn clusters_say_that_they_are_being_made_or_why_they_are_not() {
    let mut making = Desk::new(|task| if matches!(task, Task::Cluster { .. }) { None } else { everything(task) });
    assert_eq!(making.session.running(), Some(Step::Clusters));
    making.is_at_work();
    let window = at(Page::Clusters, making);
    assert!(shows(&window, "The clustering is being made") && shows(&window, "120 of 500"));

    let failing: Answered = |task| match task {
        Task::Cluster { .. } => Some(Err("no gap is visible")),
        task => everything(task),
    };
    let mut window = at(Page::Clusters, Desk::new(failing));
    assert!(shows(&window, "No gap is visible") || shows(&window, "no gap is visible"));
    assert_eq!(asked_again(&mut window), [Command::Retry(Step::Clusters)]);
}

#[test]
fn clusters_show_how_groups_fit_the_labels_and_stay_while_others_are_made() {
    let answered: Answered = |task| match task {
        Task::Cluster { settings, .. } if matches!(settings.recipe, ClusterRecipe::Hdbscan { .. }) => None,
        task => everything(task),
    };
    let mut window = at(Page::Clusters, Desk::new(answered));
    let facts = format!("{GROUPS} clusters found; the labels have {} different genera", GENERA.len());
    assert!(shows(&window, &facts));
    // Two genera share the last group; the other four have one each.
    assert!(shows(&window, &format!("Match ({})", GENERA.len() - 2)) && shows(&window, "Merge (2)"));
    window.get_by_label("Merge (2)").click();
    window.run();
    window.get_by_label("labels, row 1").click();
    window.run();
    let rows: Vec<usize> = window.state().session.selection.rows().as_slice().iter().map(|&row| row as usize).collect();
    assert!(
        !rows.is_empty() && rows.iter().all(|&row| genus_of(row) == genus_of(rows[0]) && genus_of(row) >= GROUPS - 1)
    );

    window.state_mut().tell(Input::Command(Command::ClusterBy(ClusterRecipe::Hdbscan { min_size: 3 })));
    window.run();
    assert_eq!(window.state().session.running(), Some(Step::Clusters));
    assert!(shows(&window, &facts), "the groups before stay");
}

#[test]
fn groups_without_labels_are_shown_alone() {
    let window = at(Page::Clusters, Desk::unlabelled(everything));
    assert!(shows(&window, "No record carries a label to compare the clusters with"));
}

#[test]
fn the_specimen_panel_in_its_states() {
    let searching: Answered = |task| if matches!(task, Task::FindClosest { .. }) { None } else { everything(task) };
    let failing: Answered = |task| match task {
        Task::FindClosest { .. } => Some(Err("nobody is near")),
        task => everything(task),
    };
    let focused = |answered: Answered| {
        let mut desk = Desk::new(answered);
        desk.tell(Input::Command(Command::FocusOn(MISNAMED)));
        at(Page::Atlas, desk)
    };
    let id = format!("TEST{MISNAMED:04}-26");
    let empty = at(Page::Atlas, Desk::new(everything));
    assert!(shows(&empty, "Click a point") && !shows(&empty, &id));
    let running = focused(searching);
    assert!(shows(&running, &id) && shows(&running, "Looking for them"));
    let failed = focused(failing);
    assert!(shows(&failed, &id) && (shows(&failed, "Nobody is near") || shows(&failed, "nobody is near")));
    let ready = focused(everything);
    let near = format!("TEST{:04}-26", MISNAMED + 1);
    assert!(shows(&ready, &near), "the nearest specimen");
    for name in [GENERA[genus_of(MISNAMED)], GENERA[genus_of(MISNAMED) + 1]] {
        assert!(shows(&ready, name), "label and look, {name}");
    }
}
