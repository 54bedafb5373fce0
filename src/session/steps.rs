//! The steps that run by themselves after a file is opened: which result is due, and what it is made from.

use super::Session;
use super::stage::StageKey;
use crate::data::taxonomy::Field;
use crate::jobs::{Against, Task};
use crate::pipeline::Method;
use crate::pipeline::classify::ClassifySettings;
use crate::pipeline::cluster::ClusterSettings;
use crate::pipeline::project::{ProjectMethod, ProjectSettings};
use crate::pipeline::recommend::RecommendSettings;
use std::path::Path;
use std::sync::Arc;

/// Specimens above which the first map, of 6-mer counts, is laid out by principal components: it should stand within seconds.
const QUICK_MAP: usize = 4000;
/// Specimens to be named above which the slow baselines wait until somebody asks.
const SLOW_BASELINES: usize = 3000;

/// One result that is made by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Where the barcodes lie in the COI-5P frame.
    Frames,
    /// The map of 6-mer counts.
    KmerMap,
    /// The model.
    Model,
    /// The embeddings.
    Embedding,
    /// The map of the embeddings.
    ModelMap,
    /// Names.
    Names(Method),
    /// Which method names the reference best.
    Recommendation,
    /// Groups.
    Clusters,
}

impl Step {
    /// Every step, in the order in which they run.
    pub const ALL: [Self; 13] = [
        Self::Model,
        Self::Frames,
        Self::KmerMap,
        Self::Embedding,
        Self::ModelMap,
        Self::Names(Method::Model),
        Self::Names(Method::Kmer),
        Self::Clusters,
        Self::Names(Method::Both),
        Self::Names(Method::Align),
        Self::Recommendation,
        Self::Names(Method::Fitted),
        Self::Names(Method::Random),
    ];

    /// What it makes, as words within a sentence.
    pub fn title(self) -> String {
        match self {
            Self::Frames => "the frame check".to_owned(),
            Self::KmerMap => "the 6-mer map".to_owned(),
            Self::Model => "the model".to_owned(),
            Self::Embedding => "the embeddings".to_owned(),
            Self::ModelMap => "the map".to_owned(),
            Self::Names(method) => format!("names by {}", method.title()),
            Self::Recommendation => "the comparison of methods".to_owned(),
            Self::Clusters => "the clusters".to_owned(),
        }
    }
}

/// A result that can be made now.
pub(super) struct Due {
    pub(super) key: StageKey,
    pub(super) task: Task,
}

impl Session {
    /// What `step` would be made from, if everything that it needs is there and it is wanted.
    pub(super) fn due(&self, step: Step) -> Option<Due> {
        let dataset = Arc::clone(&self.dataset()?.dataset);
        let data = dataset.key().to_string();
        let (key, task): (Vec<String>, Task) = match step {
            Step::Model => {
                let path = self.model_file().map(Path::to_owned);
                (vec![format!("{path:?}")], Task::LoadModel { path })
            }
            Step::Frames => (vec![data], Task::CheckFrames { dataset }),
            Step::KmerMap => {
                // The first map stands in for the model's; once that is there it is never asked for.
                let settings = self.kmer_map_settings(dataset.len());
                (vec![data, format!("{settings:?}")], Task::Map { dataset, embedded: None, settings })
            }
            Step::Embedding => {
                let frames = Arc::clone(&self.results.frames.ready()?.value);
                let model = self.results.model.ready()?.value.id;
                let memory = self.settings.memory;
                let key = vec![data, model.to_string(), format!("{memory:?}")];
                (key, Task::Embed { dataset, frames, model, memory })
            }
            Step::ModelMap => {
                let embedded = self.results.embedding.ready()?;
                let settings = self.choices.map;
                let key = vec![embedded.key.text(), format!("{settings:?}")];
                (key, Task::Map { dataset, embedded: Some(Arc::clone(&embedded.value)), settings })
            }
            Step::Names(method) => self.due_names(method)?,
            Step::Recommendation => {
                let embedded = self.results.embedding.ready()?;
                let against = self.against();
                let rank = self.rank()?;
                let settings = RecommendSettings { rank, seed: self.choices.seed, ..RecommendSettings::default() };
                let key = vec![embedded.key.text(), format!("{against:?} {settings:?}")];
                (key, Task::Recommend { dataset, embedded: Arc::clone(&embedded.value), against, settings })
            }
            Step::Clusters => {
                let embedded = self.results.embedding.ready()?;
                let settings = ClusterSettings {
                    recipe: self.choices.recipe,
                    against: self.choices.compare_with,
                    transform: None,
                    seed: self.choices.seed,
                };
                let key = vec![embedded.key.text(), format!("{settings:?}")];
                (key, Task::Cluster { dataset, embedded: Arc::clone(&embedded.value), settings })
            }
        };
        let name = format!("{step:?}");
        let parts = std::iter::once(name.as_bytes()).chain(key.iter().map(String::as_bytes));
        Some(Due { key: StageKey::of(parts), task })
    }

    fn due_names(&self, method: Method) -> Option<(Vec<String>, Task)> {
        let opened = self.dataset()?;
        let rank = self.rank()?;
        let against = self.against();
        if self.waits_to_be_asked(method) {
            return None;
        }
        let embedding = self.results.embedding.ready();
        let embedded = match method {
            method if method.reads_with_model() => Some(embedding?),
            // The baselines need no embeddings, but the model comes first.
            _ => embedding,
        };
        let model = match method {
            Method::Random => Some(self.results.model.ready()?.value.id),
            _ => None,
        };
        let settings = ClassifySettings { rank, method, seed: self.choices.seed, ..ClassifySettings::default() };
        let of_model = embedded.filter(|_| method.reads_with_model());
        let key = vec![
            opened.dataset.key().to_string(),
            of_model.map(|made| made.key.text()).unwrap_or_default(),
            format!("{model:?} {against:?} {settings:?}"),
        ];
        let task = Task::Classify {
            dataset: Arc::clone(&opened.dataset),
            embedded: of_model.map(|made| Arc::clone(&made.value)),
            frames: Arc::clone(&self.results.frames.ready()?.value),
            model,
            against,
            settings,
        };
        Some((key, task))
    }

    fn kmer_map_settings(&self, specimens: usize) -> ProjectSettings {
        let method = if specimens > QUICK_MAP { ProjectMethod::Pca } else { self.choices.map.method };
        ProjectSettings { method, ..self.choices.map }
    }

    /// The rank at which specimens are named: the chosen one, or the finest up to genus that has labels.
    pub fn rank(&self) -> Option<Field> {
        let opened = self.dataset()?;
        let labelled = |field: &Field| opened.dataset.labels(*field).distinct() > 0;
        let preferred =
            [Field::Genus, Field::Family, Field::Order, Field::Species, Field::Bin, Field::Class, Field::Phylum];
        self.choices.rank.filter(labelled).or_else(|| preferred.into_iter().find(labelled))
    }

    /// By whom specimens are named: by the training split where the file has one, else by all others.
    pub fn against(&self) -> Against {
        let has_split = self.overview.field(Field::Split).is_some_and(|splits| {
            splits.names.iter().any(|split| split.name == Against::TRAINING_SPLIT)
                && (splits.missing > 0 || splits.names.len() > 1)
        });
        if has_split { Against::TrainingSplit } else { Against::Others }
    }

    /// Whether a method runs only when somebody asks: what learns from labels, and what takes long on this file.
    pub fn waits_to_be_asked(&self, method: Method) -> bool {
        let is_slow = matches!(method, Method::Both | Method::Align | Method::Random);
        let waits = method == Method::Fitted || is_slow && self.queries() > SLOW_BASELINES;
        waits && !self.choices.compare.contains(&method)
    }

    /// How many specimens are named.
    fn queries(&self) -> usize {
        let all = self.overview.lengths.len();
        let training = self
            .overview
            .field(Field::Split)
            .and_then(|splits| splits.names.iter().find(|split| split.name == Against::TRAINING_SPLIT))
            .map_or(0, |split| split.specimens);
        if self.against() == Against::TrainingSplit { all - training } else { all }
    }
}
