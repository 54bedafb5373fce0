//! The session driven as the window drives it, without a window, a runtime or any real work.

use super::columns::ColumnKey;
use super::search::{Hit, search};
use super::selection::{Mode, Rows};
use super::testing::{opened, output};
use super::{Command, Effect, Input, Page, Session, Step, apply};
use crate::data::import::ColumnMapping;
use crate::data::taxonomy::Field;
use crate::jobs::{ColumnQuestion, Event, JobError, JobId, Opened, Output, Task};
use crate::pipeline::Method;
use crate::pipeline::stored::MemoryBudget;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// A session and the jobs that it has asked for and that have not ended.
struct Desk {
    session: Session,
    jobs: Vec<(JobId, Task)>,
    stopped: Vec<JobId>,
    saved: usize,
}

impl Desk {
    fn new() -> Self {
        Self { session: Session::default(), jobs: Vec::new(), stopped: Vec::new(), saved: 0 }
    }

    fn tell(&mut self, input: Input) {
        for effect in apply(&mut self.session, input) {
            match effect {
                Effect::Start(id, task) => self.jobs.push((id, *task)),
                Effect::Stop(id) => self.stopped.push(id),
                Effect::SaveSettings => self.saved += 1,
            }
        }
    }

    fn ask(&mut self, command: Command) {
        self.tell(Input::Command(command));
    }

    fn end(&mut self, id: JobId, outcome: Result<Output, JobError>) {
        self.jobs.retain(|(known, _)| *known != id);
        self.tell(Input::Job(Event::Ended { id, outcome }));
    }

    fn fail(&mut self, id: JobId) {
        self.end(id, Err(JobError::Failed { job: "it".into(), source: "no luck".into() }));
    }

    /// The oldest job ends well.
    fn finish_next(&mut self, file: &Arc<Opened>) -> Task {
        let (id, task) = self.jobs[0].clone();
        self.end(id, Ok(output(&task, file)));
        task
    }

    fn finish_all(&mut self, file: &Arc<Opened>) {
        while !self.jobs.is_empty() {
            self.finish_next(file);
        }
    }

    /// A file is opened and everything has been made of it.
    fn with(file: &Arc<Opened>) -> Self {
        let mut desk = Self::new();
        desk.ask(Command::Open(file.paths.clone()));
        desk.finish_all(file);
        desk
    }

    fn ready(&self) -> Vec<Step> {
        Step::ALL.into_iter().filter(|&step| self.session.results.stage(step).is_ready()).collect()
    }
}

/// The steps that nobody has to ask for.
fn by_themselves() -> Vec<Step> {
    Step::ALL.into_iter().filter(|&step| step != Step::Names(Method::Fitted)).collect()
}

const GENERA: [&str; 6] = ["Apis", "Bombus", "Apis", "", "Osmia", "Apis"];

#[test]
fn after_opening_the_steps_run_by_themselves_one_at_a_time() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::new();
    desk.ask(Command::Open(file.paths.clone()));
    assert!(matches!(desk.jobs[..], [(_, Task::Open { .. })]));
    let mut done = Vec::new();
    desk.finish_next(&file);
    while let [(id, _)] = desk.jobs[..] {
        let running = desk.session.running().unwrap();
        assert_eq!(desk.session.results.stage(running).job(), Some(id));
        done.push(running);
        desk.finish_next(&file);
    }
    assert!(desk.jobs.is_empty(), "one at a time: {:?}", desk.jobs);
    assert_eq!(done, by_themselves());
    assert_eq!(desk.ready(), by_themselves());
    assert_eq!(desk.session.settings.recent, std::slice::from_ref(&file.paths));
    assert_eq!(desk.session.not_coi(), GENERA.len());
}

#[test]
fn embeddings_are_made_again_under_another_budget_and_the_setting_is_kept() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::with(&file);
    let saved = desk.saved;
    let memory = MemoryBudget { megabytes: 7 };
    desk.ask(Command::SetMemory(memory));
    assert_eq!((desk.session.settings.memory, desk.saved), (memory, saved + 1));
    let task = desk.finish_next(&file);
    assert!(matches!(task, Task::Embed { memory: asked, .. } if asked == memory), "{task:?}");
    desk.finish_all(&file);
    desk.ask(Command::SetMemory(memory));
    assert!(desk.jobs.is_empty(), "nothing has changed");
}

#[test]
fn a_file_that_cannot_be_opened_leaves_the_old_one_as_it_was() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::with(&file);
    desk.ask(Command::FocusOn(2));
    desk.finish_all(&file);
    desk.ask(Command::Open(vec!["b".into()]));
    assert_eq!(desk.session.dataset().unwrap().dataset.name(), "a", "it stays until the other is there");
    let id = desk.jobs[0].0;
    desk.fail(id);
    assert_eq!(desk.session.data.problem().unwrap().message, "no luck");
    assert_eq!((desk.session.dataset().unwrap().dataset.name(), desk.session.selection.focus()), ("a", Some(2)));
    assert_eq!(desk.ready(), by_themselves());
    assert!(desk.jobs.is_empty() && desk.session.log.warnings() == 1);
}

#[test]
fn nothing_of_the_old_specimens_stays_when_others_are_opened() {
    let (first, second) = (opened("a", &GENERA), opened("b", &["Lasius", "Formica"]));
    let mut desk = Desk::with(&first);
    desk.ask(Command::Select([1u32, 5].into_iter().collect(), Mode::Replace));
    desk.ask(Command::ColourBy(Some(ColumnKey::Cluster)));
    desk.ask(Command::Filter(ColumnKey::Field(Field::Genus), Some(BTreeSet::from(["Apis".to_owned()]))));
    desk.ask(Command::Open(second.paths.clone()));
    while desk.session.data.job().is_some() {
        let (id, task) = desk.jobs.iter().find(|(_, task)| matches!(task, Task::Open { .. })).unwrap().clone();
        desk.end(id, Ok(output(&task, &second)));
    }
    let session = &desk.session;
    assert!(
        session.selection.rows().is_empty() && session.selection.focus().is_none() && !session.selection.can_go_back()
    );
    assert!(session.results.map().is_none() && session.results.call(0).is_none() && session.look.visible.is_none());
    assert_eq!(session.look.colouring.as_ref().unwrap().labels.len(), 2);
    assert_eq!(desk.ready(), [Step::Model], "the model does not depend on the file");
    desk.finish_all(&second);
    assert_eq!(desk.ready(), by_themselves());
}

#[test]
fn the_late_end_of_a_superseded_job_is_dropped() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::with(&file);
    desk.ask(Command::CompareClustersWith(Some(Field::Genus)));
    let (old, old_task) = desk.jobs[0].clone();
    desk.ask(Command::CompareClustersWith(Some(Field::Species)));
    assert_eq!(desk.stopped, [old]);
    let (new, new_task) = desk.jobs[1].clone();
    let before = Arc::clone(desk.session.results.clusters.shown().unwrap());
    desk.end(old, Ok(output(&old_task, &file)));
    assert!(Arc::ptr_eq(desk.session.results.clusters.shown().unwrap(), &before), "the old result stays on screen");
    assert_eq!(desk.session.results.clusters.job(), Some(new));
    desk.end(new, Ok(output(&new_task, &file)));
    assert!(!Arc::ptr_eq(desk.session.results.clusters.shown().unwrap(), &before));
    assert!(desk.jobs.is_empty());
}

#[test]
fn what_was_stopped_stays_stopped_until_somebody_asks_again() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::new();
    desk.ask(Command::Open(file.paths.clone()));
    while desk.session.running() != Some(Step::ModelMap) {
        desk.finish_next(&file);
    }
    let id = desk.jobs[0].0;
    desk.ask(Command::Stop(id));
    assert_eq!(desk.stopped, [id]);
    desk.end(id, Err(JobError::Cancelled { job: "map".into() }));
    desk.finish_all(&file);
    assert!(desk.session.results.model_map.problem().unwrap().cancelled);
    assert!(!desk.ready().contains(&Step::ModelMap) && desk.ready().contains(&Step::Clusters), "the others go on");
    assert!(desk.session.results.map().is_some(), "the map of 6-mer counts is still there");
    assert_eq!(desk.session.log.warnings(), 0, "a stop is no mishap");
    desk.ask(Command::Retry(Step::ModelMap));
    desk.finish_all(&file);
    assert_eq!(desk.ready(), by_themselves());
}

#[test]
fn only_what_depends_on_a_choice_is_made_anew() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::with(&file);
    desk.ask(Command::UseModel(Some("other.safetensors".into())));
    let mut done = Vec::new();
    while !desk.jobs.is_empty() {
        done.push(desk.session.running().unwrap());
        desk.finish_next(&file);
    }
    // The model has the same weights, so everything made with it is still right.
    assert_eq!(done, [Step::Model]);
    assert_eq!(desk.saved, 2, "the recent file, and the model");
    desk.ask(Command::ClassifyAt(Field::Species));
    assert!(desk.jobs.is_empty(), "no specimen has a species, so genus it stays");
}

#[test]
fn the_specimen_in_the_panel_gets_its_neighbours_and_only_the_last_ones_count() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::with(&file);
    desk.ask(Command::FocusOn(1));
    let (first, first_task) = desk.jobs[0].clone();
    desk.ask(Command::FocusOn(2));
    assert_eq!(desk.stopped, [first]);
    desk.end(first, Ok(output(&first_task, &file)));
    assert!(desk.session.closest.shown().is_none());
    desk.finish_all(&file);
    assert_eq!(desk.session.closest.shown().unwrap().row, 2);
    desk.ask(Command::Clear);
    assert!(desk.session.closest.shown().is_none() && desk.session.selection.rows().is_empty());
    desk.ask(Command::Back);
    assert_eq!(desk.session.selection.focus(), Some(2));
}

#[test]
fn a_taxon_that_is_searched_for_can_be_lit_and_cleared() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::with(&file);
    desk.ask(Command::Search("api".into()));
    let hits = search(&file.dataset, "api");
    assert_eq!(desk.session.look.hits, hits);
    let Hit::Taxon(taxon) = hits[0].clone() else { panic!("a genus is found") };
    let before = desk.session.look.revision;
    desk.ask(Command::Light(Some(taxon)));
    assert_eq!(desk.session.look.lit.as_ref().unwrap().rows.as_slice(), [0, 2, 5]);
    assert_ne!(desk.session.look.revision, before);
    desk.ask(Command::Clear);
    assert!(desk.session.look.lit.is_none());
}

#[test]
fn columns_of_results_are_looked_at_anew_when_the_result_changes() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::with(&file);
    desk.ask(Command::ColourBy(Some(ColumnKey::Predicted)));
    let labels = Arc::clone(&desk.session.look.colouring.as_ref().unwrap().labels);
    assert!(labels.iter().all(|name| name == Some("Apis")));
    assert_eq!([0, 1, 3].map(|row| desk.session.results.is_misnamed(row)), [Some(false), Some(true), None]);
    desk.ask(Command::Filter(
        ColumnKey::Cluster,
        Some(BTreeSet::from(["cluster 2".to_owned(), "cluster 5".to_owned()])),
    ));
    assert_eq!(desk.session.look.visible.as_ref().unwrap().as_slice(), [1, 4]);
    let revision = desk.session.look.revision;
    desk.ask(Command::CompareClustersWith(Some(Field::Genus)));
    desk.finish_all(&file);
    assert_eq!(desk.session.look.visible.as_ref().unwrap().as_slice(), [1, 4]);
    assert_ne!(desk.session.look.revision, revision, "whoever draws it is told");
    desk.ask(Command::ClearFilters);
    assert!(desk.session.look.visible.is_none());
}

#[test]
fn the_columns_of_an_unknown_table_are_asked_for_once() {
    let file = opened("odd.tsv", &GENERA);
    let mut desk = Desk::new();
    desk.ask(Command::Open(file.paths.clone()));
    let header = vec!["what".to_owned(), "dna".to_owned()];
    let guess: ColumnMapping = "id=what,sequence=dna".parse().unwrap();
    let question = ColumnQuestion {
        paths: file.paths.clone(),
        table: PathBuf::from("odd.tsv"),
        header,
        sample: Vec::new(),
        guess: guess.clone(),
    };
    let id = desk.jobs[0].0;
    desk.end(id, Ok(Output::ColumnsUnknown(Box::new(question))));
    assert!(desk.session.question.is_some() && desk.jobs.is_empty());
    desk.ask(Command::NameColumns(Some(guess.clone())));
    let Task::Open { mappings, .. } = &desk.jobs[0].1 else { panic!("it is opened again") };
    assert_eq!(mappings[..], [("what\tdna".to_owned(), guess)]);
    assert_eq!(desk.saved, 1, "the answer is remembered");
}

#[test]
fn an_export_is_told_of_and_so_is_its_failure() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::with(&file);
    desk.ask(Command::Export(super::export::Exported::SelectedFasta, "x.fasta".into()));
    assert!(desk.jobs.is_empty(), "nothing is selected");
    desk.ask(Command::Select(Rows::from_iter([0u32, 3]), Mode::Replace));
    desk.finish_all(&file);
    desk.ask(Command::Export(super::export::Exported::SelectedFasta, "x.fasta".into()));
    desk.finish_all(&file);
    assert_eq!(desk.session.notice, Some(Ok("x.fasta".into())));
    desk.ask(Command::Export(super::export::Exported::Names, "x.csv".into()));
    let id = desk.jobs[0].0;
    desk.fail(id);
    assert_eq!(desk.session.notice.as_ref().unwrap().as_ref().unwrap_err().message, "no luck");
    desk.ask(Command::PutNoticeAway);
    assert!(desk.session.notice.is_none() && desk.session.saving.is_empty());
}

#[test]
fn slow_baselines_of_large_files_wait_until_somebody_asks() {
    let genera: Vec<&str> = ["Apis", "Bombus"].into_iter().cycle().take(3001).collect();
    let file = opened("large", &genera);
    let mut desk = Desk::with(&file);
    assert!(!desk.ready().contains(&Step::Names(Method::Align)));
    assert!(desk.session.waits_to_be_asked(Method::Align));
    desk.ask(Command::Compare(Method::Align));
    desk.finish_all(&file);
    assert!(desk.ready().contains(&Step::Names(Method::Align)) && !desk.ready().contains(&Step::Names(Method::Random)));
}

#[test]
fn the_names_of_another_method_are_shown_only_when_somebody_asks_and_another_file_begins_with_the_model() {
    let file = opened("small", &["Apis", "Bombus", "Apis"]);
    let mut desk = Desk::with(&file);
    assert!(desk.ready().contains(&Step::Recommendation));
    assert_eq!(desk.session.results.naming(), Method::Model);
    desk.ask(Command::ColourBy(Some(ColumnKey::Predicted)));
    let before = desk.session.look.revision;
    desk.ask(Command::NameBy(Method::Both));
    let results = &desk.session.results;
    assert_eq!((results.naming(), results.named().shown().unwrap().method), (Method::Both, Method::Both));
    assert_eq!(results.call(1).unwrap().0.method, Method::Both);
    assert_ne!(desk.session.look.revision, before, "the colours are those of the names shown");
    let other = opened("other", &["Apis", "Bombus"]);
    desk.ask(Command::Open(vec!["other".into()]));
    desk.finish_all(&other);
    assert_eq!(desk.session.results.naming(), Method::Model);
}

#[test]
fn a_slow_method_is_asked_when_its_names_are_to_be_shown() {
    let genera: Vec<&str> = ["Apis", "Bombus"].into_iter().cycle().take(3001).collect();
    let file = opened("large", &genera);
    let mut desk = Desk::with(&file);
    desk.ask(Command::NameBy(Method::Both));
    assert!(!desk.session.waits_to_be_asked(Method::Both));
    assert!(desk.session.results.named().shown().is_none() && desk.session.results.call(0).is_none());
    desk.finish_all(&file);
    assert_eq!(desk.session.results.call(0).unwrap().0.method, Method::Both);
}

#[test]
fn pages_turn() {
    let mut desk = Desk::new();
    assert_eq!(desk.session.page, Page::Atlas);
    desk.ask(Command::Show(Page::Clusters));
    assert_eq!(desk.session.page, Page::Clusters);
}

#[test]
fn labels_are_learned_from_only_when_somebody_asks() {
    let file = opened("a", &GENERA);
    let mut desk = Desk::with(&file);
    assert!(desk.session.waits_to_be_asked(Method::Fitted));
    desk.ask(Command::Compare(Method::Fitted));
    assert_eq!(desk.session.running(), Some(Step::Names(Method::Fitted)));
    desk.finish_all(&file);
    assert_eq!(desk.ready(), Step::ALL);
}
