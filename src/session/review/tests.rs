//! Decisions on their way to the disk.

use super::*;
use crate::data::taxonomy::Field;
use crate::jobs::{Event, Opened, OpenedSession};
use crate::session::testing::{opened, output};
use crate::session::{Command, Input, apply};

/// A session with a file open, and the jobs that were asked for and have not ended.
struct Desk {
    session: Session,
    jobs: Vec<(JobId, Task)>,
}

impl Desk {
    fn with(home: Option<&str>) -> Self {
        let mut session = Session::default();
        session.reviewing.stand_in_home = home.map(PathBuf::from);
        let mut desk = Self { session, jobs: Vec::new() };
        desk.ask(Command::OpenDemo);
        let (id, _) = desk.jobs.remove(0);
        desk.end(id, Ok(Output::Opened(specimens())));
        desk
    }

    fn tell(&mut self, input: Input) {
        for effect in apply(&mut self.session, input) {
            if let Effect::Start(id, task) = effect {
                self.jobs.push((id, *task));
            }
        }
    }

    fn ask(&mut self, command: Command) {
        self.tell(Input::Command(command));
    }

    fn say(&mut self, verdict: Verdict) {
        self.ask(Command::Review(ReviewCommand::Say(0, verdict, String::new())));
    }

    fn end(&mut self, id: JobId, outcome: Result<Output, JobError>) {
        self.tell(Input::Job(Event::Ended { id, outcome }));
    }

    /// The job that keeps decisions, taken out of the list.
    fn keeping(&mut self) -> Option<(JobId, KeepTask)> {
        let at = self.jobs.iter().position(|(_, task)| matches!(task, Task::Keep(_)))?;
        match self.jobs.remove(at) {
            (id, Task::Keep(task)) => Some((id, *task)),
            _ => None,
        }
    }

    /// The file answers as a real one does: what it had, and the changes.
    fn keep(&mut self) -> KeepTask {
        let (id, task) = self.keeping().expect("decisions are being kept");
        let mut entries = self.session.reviewing.kept.clone();
        task.changes.iter().for_each(|change| make(&mut entries, change));
        self.end(id, Ok(Output::Kept(Kept { file: None, entries })));
        task
    }

    fn decided(&self) -> usize {
        self.session.reviewing.entries().iter().filter(|entry| !entry.undone).count()
    }
}

fn specimens() -> Arc<Opened> {
    opened("x", &["Aus", "Bus", "Aus"])
}

#[test]
fn a_decision_shows_at_once_and_is_kept_where_the_specimens_are_found_again() {
    let mut desk = Desk::with(Some("home"));
    let first = desk.keep();
    assert!(first.changes.is_empty(), "what was decided before is looked for");
    desk.say(Verdict::Exclude);
    assert_eq!(desk.decided(), 1);
    let task = desk.keep();
    let key = desk.session.dataset().unwrap().dataset.key();
    let expected = Path::new("home").join(format!("{key}.scope"));
    assert!(matches!(&task.place, KeepPlace::At(path) if *path == expected), "{:?}", task.place);
    assert_eq!((desk.decided(), desk.session.reviewing.unkept()), (1, 0));
    assert!(desk.keeping().is_none(), "nothing is left to keep");
}

#[test]
fn decisions_made_while_others_are_kept_follow_them() {
    let mut desk = Desk::with(Some("home"));
    desk.keep();
    desk.say(Verdict::Exclude);
    let (id, first) = desk.keeping().unwrap();
    desk.say(Verdict::Resequence);
    desk.ask(Command::Review(ReviewCommand::Undo));
    assert!(desk.keeping().is_none(), "one job keeps at a time");
    assert_eq!((first.changes.len(), desk.decided()), (1, 1));
    let mut entries = Vec::new();
    make(&mut entries, &first.changes[0]);
    desk.end(id, Ok(Output::Kept(Kept { file: None, entries })));
    assert_eq!(desk.keep().changes.len(), 2, "a step and its undoing");
    let entries = desk.session.reviewing.entries();
    assert_eq!(entries.iter().map(|entry| entry.undone).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn what_could_not_be_kept_is_not_lost_and_is_kept_when_somebody_asks() {
    let mut desk = Desk::with(Some("home"));
    desk.keep();
    desk.say(Verdict::Exclude);
    let (id, _) = desk.keeping().unwrap();
    desk.end(id, Err(JobError::Failed { job: "Keeping".into(), source: "the disk is full".into() }));
    assert_eq!((desk.decided(), desk.session.reviewing.unkept()), (1, 1));
    assert!(desk.session.reviewing.problem.as_ref().unwrap().message.contains("full"));
    desk.ask(Command::Review(ReviewCommand::KeepAgain));
    assert_eq!(desk.keep().changes.len(), 1);
    assert!(desk.session.reviewing.problem.is_none() && desk.session.reviewing.unkept() == 0);
}

#[test]
fn without_a_place_decisions_wait_until_the_session_is_saved() {
    let mut desk = Desk::with(None);
    desk.say(Verdict::Name(Field::Genus, "Cus".into()));
    assert!(desk.keeping().is_none() && desk.decided() == 1);
    desk.ask(Command::Review(ReviewCommand::SaveAs("work".into())));
    let (id, task) = desk.jobs.pop().unwrap();
    let Task::SaveSession(task) = task else { panic!("it is being saved: {task:?}") };
    assert_eq!((task.to.as_path(), task.changes.len(), task.replaces), (Path::new("work.scope"), 1, false));
    let entries = desk.session.reviewing.entries().to_vec();
    desk.end(id, Ok(Output::SessionSaved(Kept { file: None, entries })));
    assert_eq!((desk.decided(), desk.session.reviewing.unkept()), (1, 0));
    assert_eq!(desk.session.curated().unwrap().label(0, Field::Genus), Some("Cus"));
}

#[test]
fn other_specimens_have_other_decisions() {
    let mut desk = Desk::with(Some("home"));
    desk.keep();
    desk.say(Verdict::Exclude);
    desk.keep();
    desk.ask(Command::OpenDemo);
    let at = desk.jobs.iter().position(|(_, task)| matches!(task, Task::OpenDemo { .. })).unwrap();
    let (id, _) = desk.jobs.remove(at);
    desk.end(id, Ok(Output::Opened(opened("y", &["Dus"]))));
    assert_eq!(desk.decided(), 0);
    assert!(desk.keeping().is_some_and(|(_, task)| task.changes.is_empty()), "its own are looked for");
}

#[test]
fn a_session_brings_its_decisions_and_results_along() {
    let mut desk = Desk::with(Some("home"));
    desk.say(Verdict::Exclude);
    let entries = desk.session.reviewing.entries().to_vec();
    desk.ask(Command::Open(vec!["work.scope".into()]));
    let at = desk.jobs.iter().position(|(_, task)| matches!(task, Task::Open { .. })).unwrap();
    let (id, _) = desk.jobs.remove(at);
    let kept = Kept { file: None, entries };
    let found = OpenedSession { opened: specimens(), kept, results: Vec::new(), settings: None };
    desk.end(id, Ok(Output::SessionOpened(Box::new(found))));
    assert_eq!((desk.decided(), desk.session.reviewing.unkept()), (1, 0));
}

#[test]
fn settings_of_a_session_come_back_and_changes_of_them_are_kept() {
    let mut desk = Desk::with(Some("home"));
    desk.ask(Command::ClassifyAt(Field::Genus));
    let settings = desk.session.settings_to_keep();
    desk.ask(Command::Open(vec!["work.scope".into()]));
    let at = desk.jobs.iter().position(|(_, task)| matches!(task, Task::Open { .. })).unwrap();
    let (id, _) = desk.jobs.remove(at);
    let folder = tempfile::tempdir().unwrap();
    let file = ScopeFile::create(&folder.path().join("work.scope"), &specimens(), &[]).unwrap();
    let kept = Kept { file: Some(Arc::new(file)), entries: Vec::new() };
    let found = OpenedSession { opened: specimens(), kept, results: Vec::new(), settings: Some(settings.clone()) };
    desk.end(id, Ok(Output::SessionOpened(Box::new(found))));
    assert_eq!(desk.session.choices.rank, Some(Field::Genus));
    let keeps = |desk: &Desk| desk.jobs.iter().filter(|(_, task)| matches!(task, Task::KeepState(_))).count();
    assert_eq!(keeps(&desk), 0, "they are as they were");
    desk.ask(Command::Review(ReviewCommand::Set(AuditSettings { margin: 0.5, ..AuditSettings::default() })));
    assert_eq!(keeps(&desk), 1);
    assert_ne!(desk.session.settings_to_keep(), settings);
}

#[test]
fn results_go_into_the_open_session_as_they_come_and_once() {
    let mut desk = Desk::with(Some("home"));
    desk.keep();
    let folder = tempfile::tempdir().unwrap();
    let file = ScopeFile::create(&folder.path().join("work.scope"), &specimens(), &[]).unwrap();
    desk.ask(Command::Open(vec!["work.scope".into()]));
    let at = desk.jobs.iter().position(|(_, task)| matches!(task, Task::Open { .. })).unwrap();
    let (id, _) = desk.jobs.remove(at);
    let kept = Kept { file: Some(Arc::new(file)), entries: Vec::new() };
    let found = OpenedSession { opened: specimens(), kept, results: Vec::new(), settings: None };
    desk.end(id, Ok(Output::SessionOpened(Box::new(found))));
    let specimens = specimens();
    let mut names = Vec::new();
    while let Some((id, task)) = desk.jobs.pop() {
        if let Task::KeepState(task) = &task {
            names.extend(task.results.iter().map(|result| result.name));
        }
        desk.end(id, Ok(output(&task, &specimens)));
    }
    for name in [ResultName::Frames, ResultName::ModelMap, ResultName::Clusters, ResultName::Names(Method::Model)] {
        assert_eq!(names.iter().filter(|kept| **kept == name).count(), 1, "{name:?} among {names:?}");
    }
}
