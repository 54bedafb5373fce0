//! Decisions survive: kept at once, found again, saved under a name.

use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::data::import::{ImportOptions, ImportReport};
use crate::data::taxonomy::Field;
use crate::jobs::testing::Listener;
use crate::pipeline::review::{Curator, Verdict};
use crate::progress::Silent;

fn specimens() -> Arc<Opened> {
    let mut builder = DatasetBuilder::new("survey", Vec::new());
    for (row, genus) in ["Aus", "Bus", "Aus"].into_iter().enumerate() {
        builder.push(Record {
            id: format!("s{row}"),
            sequence: b"ACGTTGCA".repeat(20 + row),
            labels: [(Field::Genus, genus.to_owned())].into_iter().collect(),
            ..Record::default()
        });
    }
    let (reading, report) = (ImportOptions::default(), ImportReport::default());
    Arc::new(Opened { paths: Vec::new(), dataset: Arc::new(builder.finish()), reading, report })
}

fn step(opened: &Opened, verdict: &Verdict) -> Change {
    let curated = Curated::new(&opened.dataset, &[]);
    Change::Step(verdict.decisions(&curated, 0, Curator { who: "me", reason: "" }))
}

fn kept(place: &KeepPlace, opened: &Arc<Opened>, changes: Vec<Change>) -> Kept {
    keep(&KeepTask { place: place.clone(), opened: Arc::clone(opened), changes }).unwrap()
}

#[test]
fn no_file_is_made_before_the_first_decision_and_that_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("new/decisions");
    let (opened, place) = (specimens(), KeepPlace::At(home.join("x.scope")));
    assert!(kept(&place, &opened, Vec::new()).file.is_none() && !home.exists());
    let first = kept(&place, &opened, vec![step(&opened, &Verdict::Accept)]);
    assert_eq!(first.entries.len(), 1);
    assert!(find_recoveries(&home, &Silent).is_empty(), "somebody is at work on it");
    drop(first);
    let found = find_recoveries(&home, &Silent);
    assert_eq!((found.len(), found[0].name.as_str(), found[0].decisions), (1, "survey", 1));
    assert_eq!(kept(&place, &opened, Vec::new()).entries.len(), 1, "the same specimens are opened again");
}

#[test]
fn steps_are_taken_back_and_put_back_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (opened, place) = (specimens(), KeepPlace::At(folder.path().join("x.scope")));
    let swap = step(&opened, &Verdict::SwapWith(1));
    let all =
        kept(&place, &opened, vec![swap, step(&opened, &Verdict::Exclude), Change::Undo, Change::Undo, Change::Redo]);
    let undone: Vec<bool> = all.entries.iter().map(|entry| entry.undone).collect();
    assert_eq!(undone, [false, false, true], "the swap is two decisions and one step");
    let again = kept(&KeepPlace::Open(all.file.unwrap()), &opened, vec![Change::Redo]);
    assert!(again.entries.iter().all(|entry| !entry.undone));
}

#[test]
fn a_decision_about_a_label_that_has_changed_is_refused_and_nothing_of_the_step_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (opened, place) = (specimens(), KeepPlace::At(folder.path().join("x.scope")));
    let stale = step(&opened, &Verdict::SwapWith(1));
    let first = kept(&place, &opened, vec![step(&opened, &Verdict::Name(Field::Genus, "Cus".to_owned()))]);
    let place = KeepPlace::Open(first.file.unwrap());
    let task = KeepTask { place: place.clone(), opened: Arc::clone(&opened), changes: vec![stale] };
    assert!(keep(&task).unwrap_err().to_string().contains("Cus"));
    assert_eq!(kept(&place, &opened, Vec::new()).entries.len(), 1);
}

#[test]
fn a_session_saved_under_a_name_takes_everything_along() {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = folder.path().join("x.scope");
    let (opened, place) = (specimens(), KeepPlace::At(stand_in.clone()));
    let first = kept(&place, &opened, vec![step(&opened, &Verdict::Accept), Change::Undo]);
    let to = folder.path().join("work.scope");
    let task = SaveTask {
        from: first.file,
        replaces: true,
        to: to.clone(),
        opened: Arc::clone(&opened),
        results: Vec::new(),
        changes: vec![step(&opened, &Verdict::Exclude)],
        settings: serde_json::json!({ "seed": 7 }),
    };
    let saved = save(&task, &Silent).unwrap();
    assert_eq!((saved.entries.len(), saved.entries[0].undone, stand_in.exists()), (2, true, false));
    assert!(save(&task, &Silent).is_err(), "no session is written over");
    drop((saved, task));
    let back = open(&to, &Listener::default()).unwrap();
    assert_eq!((back.opened.dataset.key(), back.kept.entries.len()), (opened.dataset.key(), 2));
    assert_eq!(back.settings.unwrap()["seed"], 7);
}

#[test]
fn a_session_that_is_damaged_is_told_of_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.scope"), "no session").unwrap();
    std::fs::write(folder.path().join("other.txt"), "no session").unwrap();
    let listener = Listener::default();
    assert!(find_recoveries(folder.path(), &listener).is_empty());
    let told = listener.warned.lock().unwrap();
    assert!(told.len() == 1 && told[0].contains("broken.scope"), "{told:?}");
    assert!(find_recoveries(&folder.path().join("nowhere"), &Silent).is_empty());
}

#[test]
fn files_are_added_to_a_session_and_decisions_and_specimens_stay_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, records: &[(&str, usize)]| {
        let path = folder.path().join(name);
        let text: String = records.iter().map(|(id, n)| format!(">{id}\n{}\n", "ACGTTGCA".repeat(*n))).collect();
        std::fs::write(&path, text).unwrap();
        path
    };
    let first = write("plate1.fasta", &[("a", 20), ("b", 21)]);
    let (dataset, report) = load(std::slice::from_ref(&first), &ImportOptions::default(), &Silent).unwrap();
    let reading = ImportOptions::default();
    let opened = Arc::new(Opened { paths: vec![first], dataset: Arc::new(dataset), reading, report });
    let to = folder.path().join("work.scope");
    let changes = vec![step(&opened, &Verdict::Exclude)];
    let settings = serde_json::Value::Null;
    let task = SaveTask {
        from: None,
        replaces: false,
        to: to.clone(),
        opened: Arc::clone(&opened),
        results: Vec::new(),
        changes,
        settings,
    };
    let file = save(&task, &Silent).unwrap().file.unwrap();
    let second = write("plate2.fasta", &[("c", 22)]);
    let task = AddTask { file, opened, paths: vec![second] };
    let more = add(&task, &Listener::default()).unwrap();
    assert_eq!((more.opened.dataset.len(), more.kept.entries.len()), (3, 1));
    drop((more, task));
    let back = open(&to, &Listener::default()).unwrap();
    assert_eq!((back.opened.dataset.row_of("c").is_some(), back.opened.paths.len()), (true, 2));

    // A source that has changed is no longer what the session read.
    write("plate1.fasta", &[("a", 30), ("b", 21)]);
    let third = write("plate3.fasta", &[("d", 23)]);
    let (file, opened) = (back.kept.file.unwrap(), back.opened);
    let task = AddTask { file, opened, paths: vec![third] };
    let error = add(&task, &Listener::default()).unwrap_err();
    assert!(error.to_string().contains("plate1.fasta"), "{error}");
    assert_eq!(task.file.specimens().unwrap().dataset.len(), 3, "nothing was changed");
}
