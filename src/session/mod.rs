//! The application state, without a toolkit: state, commands, and the one function that changes it.
//!
//! [`apply`] takes an [`Input`] (a person's [`Command`], or news of a job) and answers with [`Effect`]s (start a job, stop one,
//! save the settings). Nothing else changes a [`Session`], and it needs neither a window nor a runtime.

mod apply;
pub mod columns;
mod command;
pub mod confusion;
pub mod discover;
pub mod export;
pub mod log;
pub mod look;
pub mod masking;
pub mod ordering;
pub mod overview;
pub mod results;
pub mod review;
pub mod search;
pub mod selection;
pub mod settings;
pub mod stage;
mod steps;
pub mod suspects;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod training;

pub use apply::apply;
pub use command::{Command, Effect, Input, Page};
pub use steps::Step;

use crate::data::dataset::{Dataset, Flags};
use crate::data::taxonomy::Field;
use crate::jobs::{Closest, ColumnQuestion, FirstRows, JobId, Opened};
use crate::pipeline::Method;
use crate::pipeline::cluster::{ClusterRecipe, Linkage};
use crate::pipeline::project::ProjectSettings;
pub use crate::pipeline::shards::EXTENSION as SHARD;
use crate::seed::Seed;
use columns::{ColumnKey, Values};
use discover::Discovering;
use log::Log;
use look::Look;
use masking::Lab;
use overview::Overview;
use results::Results;
use review::Reviewing;
use selection::Selection;
use settings::Settings;
use stage::{Problem, Stage};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use training::Training;

/// How results are to be made.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Choices {
    /// The rank at which specimens are named; `None` takes the finest up to genus that has labels.
    pub rank: Option<Field>,
    /// Slow baselines that were asked for.
    pub compare: Vec<Method>,
    /// How specimens are grouped.
    pub recipe: ClusterRecipe,
    /// What groups are compared with; `None` chooses.
    pub compare_with: Option<Field>,
    /// How the map is laid out.
    pub map: ProjectSettings,
    /// Seed of everything random.
    pub seed: Seed,
    /// The model of this run; `None` takes that of the settings.
    pub model: Option<PathBuf>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            rank: None,
            compare: Vec::new(),
            recipe: ClusterRecipe::Threshold { linkage: Linkage::Average, threshold: None },
            compare_with: None,
            map: ProjectSettings::default(),
            seed: Seed::default(),
            model: None,
        }
    }
}

/// Everything that the window shows. Read it freely; only [`apply`] changes it.
#[derive(Debug, Default)]
pub struct Session {
    /// What is remembered between runs.
    pub settings: Settings,
    /// Models that were found on this machine.
    pub models: Vec<PathBuf>,
    /// The page that is shown.
    pub page: Page,
    /// The open file.
    pub data: Stage<Opened>,
    /// What the open file holds.
    pub overview: Overview,
    /// A table whose columns have to be named before it can be opened.
    pub question: Option<ColumnQuestion>,
    /// The beginning of the file that is being opened.
    pub first_rows: Option<FirstRows>,
    /// How results are to be made.
    pub choices: Choices,
    /// What the steps made of the open file.
    pub results: Results,
    /// Which specimens are selected.
    pub selection: Selection,
    /// How the specimens are looked at.
    pub look: Look,
    /// The specimens nearest to the one in the panel.
    pub closest: Stage<Closest>,
    /// Models in training.
    pub training: Training,
    /// The masking lab.
    pub lab: Lab,
    /// What is new in the open file.
    pub discovering: Discovering,
    /// Suspicious labels, and what was decided about them.
    pub reviewing: Reviewing,
    /// Files that are being written.
    pub saving: Vec<JobId>,
    /// What the last export came to: a file, or what went wrong. Shown until it is put away.
    pub notice: Option<Result<PathBuf, Problem>>,
    /// Everything that was said.
    pub log: Log,
    /// How many specimens carry each flag, after the frame check.
    flag_counts: Vec<(&'static str, usize)>,
}

impl Session {
    /// A session with the settings of the last run.
    pub fn new(settings: Settings, seed: Seed) -> Self {
        let map = ProjectSettings { seed, ..ProjectSettings::default() };
        let choices = Choices { seed, map, ..Choices::default() };
        let discovering = Discovering::new(seed);
        Self { settings, choices, lab: Lab::new(seed), discovering, ..Self::default() }
    }

    /// The model file in use; `None` is the bundled model.
    pub fn model_file(&self) -> Option<&Path> {
        self.choices.model.as_deref().or(self.settings.model.as_deref())
    }

    /// The open file, while another is being opened, too.
    pub fn dataset(&self) -> Option<&Arc<Opened>> {
        self.data.shown()
    }

    /// The values of any column, `[N]`; `None` while nothing is open or the result is not there.
    pub fn values(&self, column: ColumnKey) -> Option<Values> {
        let dataset: &Dataset = &self.dataset()?.dataset;
        let made = || self.results.values(dataset, column).or_else(|| self.discovering.values(column));
        Values::of_dataset(dataset, column).or_else(made)
    }

    /// The columns that can be coloured and filtered by now.
    pub fn columns(&self) -> Vec<ColumnKey> {
        let Some(opened) = self.dataset() else { return Vec::new() };
        let mut columns = ColumnKey::of_dataset(&opened.dataset);
        let results = [
            (ColumnKey::Predicted, self.results.named().shown().is_some()),
            (ColumnKey::Cluster, self.results.clusters.shown().is_some()),
            (ColumnKey::Flags, true),
            (ColumnKey::Decision, self.discovering.found.shown().is_some()),
            (ColumnKey::Darkness, self.discovering.found.shown().is_some()),
        ];
        columns.extend(results.into_iter().filter(|(_, there)| *there).map(|(column, _)| column));
        columns
    }

    /// How many specimens carry each flag.
    pub fn flag_counts(&self) -> &[(&'static str, usize)] {
        &self.flag_counts
    }

    /// How many specimens look like no COI barcode.
    pub fn not_coi(&self) -> usize {
        let wanted = Flags::NOT_COI.names().next();
        self.flag_counts.iter().find(|(name, _)| Some(*name) == wanted).map_or(0, |(_, count)| *count)
    }

    fn count_flags(&mut self, dataset: &Dataset) {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for row in 0..dataset.len() {
            for name in self.results.flags(dataset, row).names() {
                match counts.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((name, 1)),
                }
            }
        }
        self.flag_counts = counts;
    }

    /// The job that the window tells of: opening a file, a step, or work that somebody asked for; that of the page that is shown first.
    pub fn job(&self) -> Option<JobId> {
        let step = || self.results.stage(self.running()?).job();
        let (lab, discovering, auditing) = (self.lab.job(), self.discovering.found.job(), self.reviewing.job());
        let looked_at = match self.page {
            Page::Masking => lab,
            Page::Discover => discovering,
            Page::Review => auditing,
            _ => None,
        };
        self.data.job().or(looked_at).or_else(step).or(lab).or(discovering).or(auditing)
    }

    /// The step that is running.
    pub fn running(&self) -> Option<Step> {
        Step::ALL.into_iter().find(|&step| self.results.stage(step).job().is_some())
    }
}
