//! The results of the steps, each in its own state.

use super::columns::{ColumnKey, Values};
use super::stage::{Problem, Stage, StageKey};
use super::steps::Step;
use crate::data::dataset::{Dataset, Flags};
use crate::data::frame::FrameCheck;
use crate::data::taxonomy::LabelColumn;
use crate::jobs::{JobId, Output};
use crate::model::ModelInfo;
use crate::pipeline::Method;
use crate::pipeline::classify::{Classification, SpecimenCall};
use crate::pipeline::cluster::Clustering;
use crate::pipeline::embed::Embedded;
use crate::pipeline::project::Projection;
use crate::pipeline::recommend::Recommendation;
use crate::pipeline::scope::{KeptResult, ResultName, ResultValue};
use std::sync::Arc;

/// What the steps made.
#[derive(Debug, Default)]
pub struct Results {
    /// Where the barcodes lie, `[U]`.
    pub frames: Stage<Vec<FrameCheck>>,
    /// The map of 6-mer counts.
    pub kmer_map: Stage<Projection>,
    /// The model.
    pub model: Stage<ModelInfo>,
    /// Where the model runs, and why there.
    pub device_note: String,
    /// The embeddings.
    pub embedding: Stage<Embedded>,
    /// The map of the embeddings.
    pub model_map: Stage<Projection>,
    /// Names, in the order of [`Method::ALL`].
    names: [Stage<Classification>; Method::ALL.len()],
    /// The method whose names are shown.
    naming: Method,
    /// Which method names the reference best.
    pub recommendation: Stage<Recommendation>,
    /// Groups.
    pub clusters: Stage<Clustering>,
    /// For each row its place among the calls of the classification that is shown, `[N]`.
    call_of_row: Vec<Option<u32>>,
}

fn slot(method: Method) -> usize {
    Method::ALL.iter().position(|&known| known == method).expect("every method is listed")
}

fn kept<T>(name: ResultName, stage: &Stage<T>, value: fn(Arc<T>) -> ResultValue) -> Option<KeptResult> {
    let made = stage.ready()?;
    Some(KeptResult { name, key: made.key.content(), value: value(Arc::clone(&made.value)) })
}

/// What can be done with a stage whatever it holds.
pub trait AnyStage {
    /// What the state is about.
    fn key(&self) -> Option<StageKey>;
    /// The job that is making it.
    fn job(&self) -> Option<JobId>;
    /// Why the last attempt failed.
    fn problem(&self) -> Option<&Problem>;
    /// Whether it is there and the latest.
    fn is_ready(&self) -> bool;
    /// A job begins to make it.
    fn begin(&mut self, job: JobId, key: StageKey);
    /// The job could not make it.
    fn fail(&mut self, job: JobId, problem: Problem);
    /// Back to what was there before.
    fn abandon(&mut self);
}

impl<T> AnyStage for Stage<T> {
    fn key(&self) -> Option<StageKey> {
        self.key()
    }

    fn job(&self) -> Option<JobId> {
        self.job()
    }

    fn problem(&self) -> Option<&Problem> {
        self.problem()
    }

    fn is_ready(&self) -> bool {
        self.ready().is_some()
    }

    fn begin(&mut self, job: JobId, key: StageKey) {
        self.begin(job, key);
    }

    fn fail(&mut self, job: JobId, problem: Problem) {
        self.finish(job, Err(problem));
    }

    fn abandon(&mut self) {
        self.abandon();
    }
}

impl Results {
    /// Forgets everything that was made of specimens; the model stays.
    pub(super) fn start_over(&mut self) {
        *self = Self {
            model: std::mem::take(&mut self.model),
            device_note: std::mem::take(&mut self.device_note),
            ..Self::default()
        };
    }

    /// The results that a session file keeps; embeddings are kept elsewhere, by content.
    pub(super) fn to_keep(&self) -> Vec<KeptResult> {
        let map = |name, stage: &Stage<Projection>| kept(name, stage, ResultValue::Map);
        let names = Method::ALL.into_iter().zip(&self.names);
        [
            kept(ResultName::Frames, &self.frames, ResultValue::Frames),
            map(ResultName::KmerMap, &self.kmer_map),
            map(ResultName::ModelMap, &self.model_map),
            kept(ResultName::Clusters, &self.clusters, ResultValue::Clusters),
        ]
        .into_iter()
        .chain(names.map(|(method, stage)| kept(ResultName::Names(method), stage, ResultValue::Names)))
        .flatten()
        .collect()
    }

    /// Takes results that a session file kept. One that was made from something else than what is there now is made anew in its turn.
    pub(super) fn restore(&mut self, results: Vec<KeptResult>) {
        for KeptResult { name, key, value } in results {
            let key = StageKey::from_hash(key);
            match (name, value) {
                (ResultName::Frames, ResultValue::Frames(value)) => self.frames.restore(value, key),
                (ResultName::KmerMap, ResultValue::Map(value)) => self.kmer_map.restore(value, key),
                (ResultName::ModelMap, ResultValue::Map(value)) => self.model_map.restore(value, key),
                (ResultName::Clusters, ResultValue::Clusters(value)) => self.clusters.restore(value, key),
                (ResultName::Names(method), ResultValue::Names(value)) => {
                    let rows = value.calls.iter().map(|call| call.row + 1).max().unwrap_or(0);
                    self.names[slot(method)].restore(value, key);
                    if method == self.naming {
                        self.number_calls(rows);
                    }
                }
                _ => {}
            }
        }
    }

    /// Names by one method.
    pub fn names(&self, method: Method) -> &Stage<Classification> {
        &self.names[slot(method)]
    }

    /// The method whose names are shown: the model, until a person chooses another.
    pub fn naming(&self) -> Method {
        self.naming
    }

    /// The names that are shown.
    pub fn named(&self) -> &Stage<Classification> {
        self.names(self.naming)
    }

    /// Shows the names of another method.
    pub(super) fn name_by(&mut self, method: Method, rows: usize) {
        self.naming = method;
        self.number_calls(rows);
    }

    fn number_calls(&mut self, rows: usize) {
        self.call_of_row = vec![None; rows];
        let Some(names) = self.names[slot(self.naming)].shown() else { return };
        for (index, call) in names.calls.iter().enumerate() {
            self.call_of_row[call.row] = Some(index as u32);
        }
    }

    /// The stage of a step.
    pub fn stage(&self, step: Step) -> &dyn AnyStage {
        match step {
            Step::Frames => &self.frames,
            Step::KmerMap => &self.kmer_map,
            Step::Model => &self.model,
            Step::Embedding => &self.embedding,
            Step::ModelMap => &self.model_map,
            Step::Names(method) => &self.names[slot(method)],
            Step::Recommendation => &self.recommendation,
            Step::Clusters => &self.clusters,
        }
    }

    pub(super) fn stage_mut(&mut self, step: Step) -> &mut dyn AnyStage {
        match step {
            Step::Frames => &mut self.frames,
            Step::KmerMap => &mut self.kmer_map,
            Step::Model => &mut self.model,
            Step::Embedding => &mut self.embedding,
            Step::ModelMap => &mut self.model_map,
            Step::Names(method) => &mut self.names[slot(method)],
            Step::Recommendation => &mut self.recommendation,
            Step::Clusters => &mut self.clusters,
        }
    }

    /// The step that a job works on.
    pub fn step_of(&self, job: JobId) -> Option<Step> {
        Step::ALL.into_iter().find(|&step| self.stage(step).job() == Some(job))
    }

    /// The map to show: the model's, or that of 6-mer counts until the model's is there.
    pub fn map(&self) -> Option<&Arc<Projection>> {
        self.model_map.shown().or_else(|| self.kmer_map.shown())
    }

    /// What a specimen is named, by the method whose names are shown; `None` where it was not named.
    pub fn call(&self, row: usize) -> Option<(&Classification, &SpecimenCall)> {
        let names = self.named().shown()?;
        let call = (*self.call_of_row.get(row)?)?;
        Some((names, names.calls.get(call as usize)?))
    }

    /// Whether the method whose names are shown gives a specimen another name than its label; `None` where there is nothing to compare.
    pub fn is_misnamed(&self, row: usize) -> Option<bool> {
        self.call(row)?.1.correct().map(|correct| !correct)
    }

    /// Takes what a step's job delivered. The output of another job, or of another kind, changes nothing.
    pub(super) fn deliver(&mut self, step: Step, job: JobId, output: Output, rows: usize) -> bool {
        match (step, output) {
            (Step::Frames, Output::Frames(value)) => self.frames.finish(job, Ok(value)),
            (Step::KmerMap, Output::Map(value)) => self.kmer_map.finish(job, Ok(value)),
            (Step::Model, Output::Model { info, note }) => {
                self.device_note = note;
                self.model.finish(job, Ok(info))
            }
            (Step::Embedding, Output::Embedded(value)) => self.embedding.finish(job, Ok(value)),
            (Step::ModelMap, Output::Map(value)) => self.model_map.finish(job, Ok(value)),
            (Step::Names(method), Output::Calls(value)) => {
                let taken = self.names[slot(method)].finish(job, Ok(value));
                if taken && method == self.naming {
                    self.number_calls(rows);
                }
                taken
            }
            (Step::Recommendation, Output::Recommended(value)) => self.recommendation.finish(job, Ok(value)),
            (Step::Clusters, Output::Clusters(value)) => self.clusters.finish(job, Ok(value)),
            _ => false,
        }
    }

    /// The values of a column of results, `[N]`; `None` while the result is not there, and for columns of the file.
    pub fn values(&self, dataset: &Dataset, column: ColumnKey) -> Option<Values> {
        let rows = 0..dataset.len();
        let labels = match column {
            ColumnKey::Field(_) | ColumnKey::Other(_) | ColumnKey::Decision | ColumnKey::Darkness => return None,
            ColumnKey::Predicted => {
                self.named().shown()?;
                let name = |row| {
                    let (names, call) = self.call(row)?;
                    Some(names.names[call.predicted? as usize].as_str())
                };
                LabelColumn::from_labels(rows.map(name))
            }
            ColumnKey::Cluster => {
                let clusters = self.clusters.shown()?;
                let names: Vec<Option<String>> =
                    rows.map(|row| Some(clusters.labels[row]).filter(|&label| label >= 0).map(cluster_name)).collect();
                LabelColumn::from_labels(names.iter().map(Option::as_deref))
            }
            ColumnKey::Flags => {
                let flags: Vec<String> = rows.map(|row| flags_text(self.flags(dataset, row))).collect();
                LabelColumn::from_labels(flags.iter().map(|text| Some(text.as_str()).filter(|text| !text.is_empty())))
            }
        };
        Some(Values { column, labels: Arc::new(labels) })
    }

    /// What is unusual about a record: what the reader found, and what the frame check found.
    pub fn flags(&self, dataset: &Dataset, row: usize) -> Flags {
        let checked = self.frames.shown().map_or(Flags::NONE, |frames| frames[dataset.unique_of(row)].flags);
        dataset.flags(row) | checked
    }
}

/// What a cluster is called, by its number from 0.
pub fn cluster_name(label: i32) -> String {
    if label < 0 { "no cluster".to_owned() } else { format!("cluster {}", label + 1) }
}

/// Flags as a person reads them.
pub fn flags_text(flags: Flags) -> String {
    flags.names().map(|name| name.replace('_', " ")).collect::<Vec<_>>().join(", ")
}
