//! The page Discover: what is compared with what, and what came of it.

use super::columns::{ColumnKey, Values};
use super::stage::{Problem, Stage, StageKey};
use super::{Effect, Session};
use crate::data::taxonomy::{Field, LabelColumn};
use crate::jobs::{Against, DiscoverTask, Discovered, JobError, JobId, Output, Task};
use crate::pipeline::discover::{Decision, DiscoverSettings, Division, HoldOutSettings, NEIGHBOURHOOD};
use crate::seed::Seed;
use std::sync::Arc;

/// The split that is left out of the queries at first: it may be used without labels, for the model's own training.
const PRETRAINING_SPLIT: &str = "pretrain";

/// A part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum DiscoverTab {
    /// What each specimen is taken for.
    #[default]
    Decisions,
    /// Groups that may be one new species each.
    Candidates,
    /// How far all this can be trusted.
    Trust,
}

impl DiscoverTab {
    /// Every part, in the order of the page.
    pub const ALL: [Self; 3] = [Self::Decisions, Self::Candidates, Self::Trust];

    /// Its name on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Decisions => "Specimens",
            Self::Candidates => "Candidates",
            Self::Trust => "How far to trust it",
        }
    }
}

/// What is asked of the page.
#[derive(Debug, Clone, PartialEq)]
pub enum DiscoverCommand {
    /// Turn to a part.
    Show(DiscoverTab),
    /// Tell reference and queries apart like this.
    Divide(Division),
    /// Discover like this.
    Set(DiscoverSettings),
    /// Begin.
    Start,
}

/// What the page holds.
#[derive(Debug, Default)]
pub struct Discovering {
    /// The part that is shown.
    pub tab: DiscoverTab,
    /// How discoveries are made.
    pub settings: DiscoverSettings,
    /// What was discovered.
    pub found: Stage<Discovered>,
    /// How reference and queries are told apart; `None` until somebody chose.
    division: Option<Division>,
}

impl Discovering {
    /// A page on which nothing was asked yet.
    pub(super) fn new(seed: Seed) -> Self {
        Self { settings: DiscoverSettings { seed, ..DiscoverSettings::default() }, ..Self::default() }
    }

    /// Stops what is being made; what was there before stays.
    pub(super) fn set_aside(&mut self, effects: &mut Vec<Effect>) {
        if let Some(job) = self.found.job() {
            effects.push(Effect::Stop(job));
            self.found.abandon();
        }
    }

    /// Forgets what was found among other specimens.
    pub(super) fn start_over(&mut self) {
        self.found = Stage::Empty;
        self.division = None;
    }

    /// The values of a column of results, `[N]`; `None` while nothing was discovered, and for other columns.
    pub(super) fn values(&self, column: ColumnKey) -> Option<Values> {
        let found = self.found.shown()?;
        let rows = 0..found.finding_of_row.len();
        let labels = match column {
            ColumnKey::Decision => LabelColumn::from_labels(rows.map(|row| Some(decision(found, row)?.title()))),
            ColumnKey::Darkness => LabelColumn::from_labels(rows.map(|row| Some(darkness_name(found.darkness[row]?)))),
            _ => return None,
        };
        Some(Values { column, labels: Arc::new(labels) })
    }
}

/// What a specimen was taken for; `None` for one of the reference, and for one that was left out.
fn decision(found: &Discovered, row: usize) -> Option<Decision> {
    let at = found.finding_of_row[row]?;
    Some(found.discovery.findings[at as usize].decision)
}

/// Names of the parts of the scale, from light to dark, with the most neighbours that each allows to be unnamed.
const DARKNESS: [(&str, u8); 6] = [
    ("none of 15 unnamed", 0),
    ("1 to 3 of 15 unnamed", 3),
    ("4 to 7 of 15 unnamed", 7),
    ("8 to 11 of 15 unnamed", 11),
    ("12 to 14 of 15 unnamed", 14),
    ("all 15 unnamed", u8::MAX),
];

/// How dark a neighbourhood is, in words.
fn darkness_name(unnamed: u8) -> &'static str {
    const { assert!(NEIGHBOURHOOD == 15, "the words say how many there are") };
    DARKNESS[DARKNESS.iter().position(|&(_, most)| unnamed <= most).unwrap_or(DARKNESS.len() - 1)].0
}

/// How dark a value of the column is, from 0 to 1; `None` for a text that is none of its values.
pub fn share_of_darkness(name: &str) -> Option<f32> {
    let place = DARKNESS.iter().position(|(known, _)| *known == name)?;
    Some(place as f32 / (DARKNESS.len() - 1) as f32)
}

impl Session {
    pub(super) fn obey_discover(&mut self, command: DiscoverCommand, effects: &mut Vec<Effect>) {
        match command {
            DiscoverCommand::Show(tab) => self.discovering.tab = tab,
            DiscoverCommand::Divide(division) => self.discovering.division = Some(division),
            DiscoverCommand::Set(settings) => self.discovering.settings = settings,
            DiscoverCommand::Start => self.start_discovering(effects),
        }
    }

    fn start_discovering(&mut self, effects: &mut Vec<Effect>) {
        let Some((key, task)) = self.due_discovery() else { return };
        effects.extend(self.discovering.found.job().map(Effect::Stop));
        let job = JobId::next();
        self.discovering.found.begin(job, key);
        effects.push(Effect::Start(job, Box::new(Task::Discover(Box::new(task)))));
    }

    /// What would be made, and from what; `None` while something is missing.
    fn due_discovery(&self) -> Option<(StageKey, DiscoverTask)> {
        let dataset = Arc::clone(&self.dataset()?.dataset);
        let embedded = self.results.embedding.ready()?;
        let frames = self.results.frames.ready()?;
        let (division, settings) = (self.division()?, self.discovering.settings);
        let key = StageKey::of([embedded.key.text().as_bytes(), format!("{division:?} {settings:?}").as_bytes()]);
        let task = DiscoverTask {
            dataset,
            embedded: Arc::clone(&embedded.value),
            frames: Arc::clone(&frames.value),
            division,
            settings,
        };
        Some((key, task))
    }

    /// The ways in which the open file can be divided, the most natural one first.
    pub fn divisions(&self) -> Vec<Division> {
        let Some(species) = self.overview.field(Field::Species) else { return Vec::new() };
        let mut divisions = Vec::new();
        if self.against() == Against::TrainingSplit {
            divisions.push(Division::Splits {
                reference: Against::TRAINING_SPLIT.to_owned(),
                queries: self.query_splits().into_iter().filter(|split| split != PRETRAINING_SPLIT).collect(),
            });
        }
        if species.missing > 0 {
            divisions.push(Division::Unnamed);
        }
        divisions.push(Division::HeldOut(HoldOutSettings { seed: self.choices.seed, ..HoldOutSettings::default() }));
        divisions
    }

    /// The splits that can be looked through.
    pub fn query_splits(&self) -> Vec<String> {
        let splits = self.overview.field(Field::Split).map_or(&[][..], |splits| &splits.names);
        splits.iter().map(|split| split.name.clone()).filter(|split| split != Against::TRAINING_SPLIT).collect()
    }

    /// How reference and queries are told apart; `None` for a file without species.
    pub fn division(&self) -> Option<Division> {
        let first = self.divisions().into_iter().next()?;
        Some(self.discovering.division.clone().unwrap_or(first))
    }

    /// Why nothing can be discovered as it is asked for, in a sentence; `None` where it can.
    pub fn discovery_obstacle(&self) -> Option<String> {
        if self.division().is_none() {
            return Some("No specimen has a species, so there is nothing to compare with.".to_owned());
        }
        if self.results.embedding.ready().is_none() || self.results.frames.ready().is_none() {
            return Some("The embeddings are not there yet.".to_owned());
        }
        None
    }

    /// Whether what is shown was made from other choices than those of now.
    pub fn discovery_is_outdated(&self) -> bool {
        let made = self.discovering.found.ready().map(|made| made.key);
        made.is_some_and(|made| Some(made) != self.due_discovery().map(|(key, _)| key))
    }

    /// Takes the end of the job. An output of another kind changes nothing.
    pub(super) fn end_discovering(&mut self, job: JobId, outcome: Result<Output, JobError>) {
        match outcome {
            Ok(Output::Discovered(found)) => {
                if self.discovering.found.finish(job, Ok(found)) {
                    self.renew_discovered();
                }
            }
            Ok(_) => {}
            Err(error) => {
                self.discovering.found.finish(job, Err(Problem::from(&error)));
            }
        }
    }

    fn renew_discovered(&mut self) {
        for column in [ColumnKey::Decision, ColumnKey::Darkness] {
            if let (true, Some(values)) = (self.look.uses(column), self.discovering.values(column)) {
                self.look.renew(self.discovering.found.shown().map_or(0, |found| found.darkness.len()), &values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_darkness_is_in_order() {
        let names: Vec<&str> = (0..=15).map(darkness_name).collect();
        assert_eq!(
            (names[0], names[1], names[14], names[15]),
            ("none of 15 unnamed", "1 to 3 of 15 unnamed", "12 to 14 of 15 unnamed", "all 15 unnamed")
        );
        let shares: Vec<f32> = names.into_iter().filter_map(share_of_darkness).collect();
        assert_eq!((shares.len(), shares[0], shares[15]), (16, 0.0, 1.0));
        assert!(shares.is_sorted());
        assert_eq!(share_of_darkness("Apis"), None);
    }
}
