//! The models that the lab offers.

use crate::data::taxonomy::Field;
use crate::jobs::ModelSource;
use crate::pipeline::evaluate::EvaluateOn;
use crate::session::Session;
use crate::session::training::{Run, RunState};
use std::path::Path;

/// A model that can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// Where it is.
    pub source: ModelSource,
    /// What it is called.
    pub title: String,
    /// Where it is from, in words.
    pub about: String,
    /// Whether it can guess masked k-mers; `None` where that is known only when its file is read.
    pub guesses: Option<bool>,
}

impl Session {
    /// The model in use.
    pub fn model_in_use(&self) -> ModelSource {
        self.model_file().map_or(ModelSource::Bundled, |path| ModelSource::File(path.to_owned()))
    }

    /// Every model that can be chosen: the one in use, the bundled one, those trained in this session, those found on this machine
    /// and those opened here; each once.
    pub fn lab_models(&self) -> Vec<Offered> {
        let used = self.model_in_use();
        let info = self.results.model.ready().map(|made| &made.value);
        let title = info.map_or_else(|| self.title_of(&used), |info| info.name.clone());
        let mut offered =
            vec![Offered { guesses: self.can_guess(&used), title, about: "the model in use".to_owned(), source: used }];
        let mut add = |source: ModelSource, about: &str| {
            if !offered.iter().any(|known| known.source == source) {
                let (title, guesses) = (self.title_of(&source), self.can_guess(&source));
                offered.push(Offered { source, title, about: about.to_owned(), guesses });
            }
        };
        add(ModelSource::Bundled, "the model in the program");
        for run in self.training.runs.iter().filter(|run| has_model(run)) {
            add(ModelSource::File(run.model()), "trained in this session");
        }
        let files = self.models.iter().zip(std::iter::repeat("found on this machine"));
        for (path, about) in files.chain(self.lab.opened.iter().zip(std::iter::repeat("opened here"))) {
            add(ModelSource::File(path.clone()), about);
        }
        offered
    }

    /// The models of readings and comparison: those that were chosen, at first the model in use and the bundled one.
    pub fn lab_chosen(&self) -> Vec<ModelSource> {
        let offered = self.lab_models();
        match &self.lab.chosen {
            Some(chosen) => {
                let chosen = offered.into_iter().filter(|known| chosen.contains(&known.source));
                chosen.map(|known| known.source).collect()
            }
            None => {
                let first = [self.model_in_use(), ModelSource::Bundled];
                offered.into_iter().map(|known| known.source).filter(|source| first.contains(source)).collect()
            }
        }
    }

    /// Whether models can be compared only by splits that are drawn.
    pub fn has_no_splits(&self) -> bool {
        let on = EvaluateOn::default();
        let splits = self.overview.field(Field::Split);
        let has = |split: &str| splits.is_some_and(|splits| splits.names.iter().any(|known| known.name == split));
        !["train", on.seen(), on.unseen()].into_iter().all(has)
    }

    /// Who guesses masked k-mers.
    pub fn lab_guesser(&self) -> ModelSource {
        self.lab.guesser.clone().unwrap_or_else(|| self.model_in_use())
    }

    /// The models of the maps: those that were chosen, at first the model in use and another one, which is an untrained one where
    /// there is no other.
    pub fn lab_map_models(&self) -> [ModelSource; 2] {
        self.lab.map_models.clone().unwrap_or_else(|| {
            let mut offered = self.lab_models().into_iter().map(|known| known.source);
            let first = offered.next().unwrap_or(ModelSource::Bundled);
            [first, offered.next().unwrap_or(ModelSource::Untrained)]
        })
    }

    /// Whether a model can guess masked k-mers; `None` where that is known only when its file is read.
    pub fn can_guess(&self, source: &ModelSource) -> Option<bool> {
        if *source == self.model_in_use() {
            let info = &self.results.model.ready()?.value;
            return Some(info.decoder.is_some() || info.head);
        }
        match source {
            ModelSource::Bundled => Some(true),
            ModelSource::File(path) => self.run_of(path).map(|_| true),
            ModelSource::Untrained => Some(false),
        }
    }

    /// What a model is called.
    pub fn title_of(&self, source: &ModelSource) -> String {
        match source {
            ModelSource::Bundled => "Bundled model".to_owned(),
            ModelSource::Untrained => "Untrained encoder".to_owned(),
            ModelSource::File(path) => {
                let file = || path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                self.run_of(path).map_or_else(file, |run| run.name.clone())
            }
        }
    }

    fn run_of(&self, path: &Path) -> Option<&Run> {
        self.training.runs.iter().find(|run| run.model() == path)
    }

    /// What tells two states of a model apart: the file of a run changes while it goes on.
    pub(super) fn revision(&self, source: &ModelSource) -> String {
        let used = (*source == self.model_in_use()).then(|| self.results.model.ready().map(|made| made.value.id));
        let step = match source {
            ModelSource::File(path) => self.run_of(path).and_then(|run| Some(run.reports.last()?.step)),
            ModelSource::Bundled | ModelSource::Untrained => None,
        };
        format!("{source:?} {used:?} {step:?}")
    }
}

/// Whether a run has written a model that nobody writes at the moment.
fn has_model(run: &Run) -> bool {
    matches!(run.state, RunState::Paused | RunState::Done) && (run.best.is_some() || !run.reports.is_empty())
}
