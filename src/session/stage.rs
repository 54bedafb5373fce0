//! A result on its way: what is shown while it is made, and what is said when it fails.

use crate::jobs::{JobError, JobId};
use crate::key::ContentHash;
use std::sync::Arc;

/// What a result is made from: dataset, model and settings. Equal keys mean an equal result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StageKey(ContentHash);

impl StageKey {
    /// The key of a result that is made from `parts`.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(ContentHash::of_parts(parts))
    }

    /// A key that was kept.
    pub fn from_hash(hash: ContentHash) -> Self {
        Self(hash)
    }

    /// The key as a hash, to be kept.
    pub fn content(&self) -> ContentHash {
        self.0
    }

    /// The key as text, to be part of another.
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

/// Why there is no result, for a person to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong, in a sentence.
    pub message: String,
    /// The technical causes, outermost first.
    pub causes: Vec<String>,
    /// Whether somebody asked for it.
    pub cancelled: bool,
}

impl Problem {
    /// A problem without a technical cause.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), cancelled: false }
    }
}

impl From<&JobError> for Problem {
    fn from(error: &JobError) -> Self {
        match error {
            JobError::Cancelled { job } => {
                Self { message: format!("{job}: stopped before it was done"), causes: Vec::new(), cancelled: true }
            }
            JobError::Failed { source, .. } => Self {
                message: source.to_string(),
                causes: std::iter::successors(source.source(), |&cause| cause.source())
                    .map(ToString::to_string)
                    .collect(),
                cancelled: false,
            },
            JobError::Panicked { job, message } => Self {
                message: format!("{job} stopped because of a fault in the program"),
                causes: vec![message.clone()],
                cancelled: false,
            },
        }
    }
}

/// A result and what it was made from.
#[derive(Debug)]
pub struct Made<T> {
    /// The result.
    pub value: Arc<T>,
    /// What it was made from.
    pub key: StageKey,
}

impl<T> Clone for Made<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), key: self.key }
    }
}

/// A result in one of its states. The previous result stays on screen until the new one is there.
#[derive(Debug, Default)]
pub enum Stage<T> {
    /// Never asked for.
    #[default]
    Empty,
    /// Being made.
    Running {
        /// By this job.
        job: JobId,
        /// From this.
        key: StageKey,
        /// What was there before.
        previous: Option<Made<T>>,
    },
    /// There.
    Ready(Made<T>),
    /// Could not be made.
    Failed {
        /// From this.
        key: StageKey,
        /// Why not.
        problem: Problem,
        /// What was there before.
        previous: Option<Made<T>>,
    },
}

impl<T> Stage<T> {
    /// What to show: the result, or the one before it while the new one is being made or failed.
    pub fn shown(&self) -> Option<&Arc<T>> {
        match self {
            Self::Empty => None,
            Self::Ready(made) => Some(&made.value),
            Self::Running { previous, .. } | Self::Failed { previous, .. } => previous.as_ref().map(|made| &made.value),
        }
    }

    /// The result, only when it is the latest.
    pub fn ready(&self) -> Option<&Made<T>> {
        match self {
            Self::Ready(made) => Some(made),
            _ => None,
        }
    }

    /// The job that is making it.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Running { job, .. } => Some(*job),
            _ => None,
        }
    }

    /// Why the last attempt failed.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Failed { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// What the state is about, whatever the state.
    pub fn key(&self) -> Option<StageKey> {
        match self {
            Self::Empty => None,
            Self::Ready(made) => Some(made.key),
            Self::Running { key, .. } | Self::Failed { key, .. } => Some(*key),
        }
    }

    fn take_previous(&mut self) -> Option<Made<T>> {
        match std::mem::take(self) {
            Self::Empty => None,
            Self::Ready(made) => Some(made),
            Self::Running { previous, .. } | Self::Failed { previous, .. } => previous,
        }
    }

    /// A job begins to make it; what was shown stays.
    pub fn begin(&mut self, job: JobId, key: StageKey) {
        *self = Self::Running { job, key, previous: self.take_previous() };
    }

    /// The end of a job. Returns whether it was about this stage: the end of any other job changes nothing.
    pub fn finish(&mut self, job: JobId, outcome: Result<Arc<T>, Problem>) -> bool {
        let Self::Running { job: mine, key, .. } = *self else { return false };
        if mine != job {
            return false;
        }
        *self = match outcome {
            Ok(value) => Self::Ready(Made { value, key }),
            Err(problem) => Self::Failed { key, problem, previous: self.take_previous() },
        };
        true
    }

    /// Takes a result that was kept.
    pub fn restore(&mut self, value: Arc<T>, key: StageKey) {
        *self = Self::Ready(Made { value, key });
    }

    /// Forgets the running job or the failure and goes back to what was there before.
    pub fn abandon(&mut self) {
        *self = self.take_previous().map_or(Self::Empty, Self::Ready);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> StageKey {
        StageKey::of([text.as_bytes()])
    }

    fn shown(stage: &Stage<u32>) -> Option<u32> {
        stage.shown().map(|value| **value)
    }

    #[test]
    fn the_old_result_stays_until_the_new_one_is_there() {
        let mut stage = Stage::<u32>::default();
        let (first, second, third) = (JobId::next(), JobId::next(), JobId::next());
        stage.begin(first, key("a"));
        assert_eq!(shown(&stage), None);
        assert!(stage.finish(first, Ok(Arc::new(1))));
        assert_eq!((shown(&stage), stage.key()), (Some(1), Some(key("a"))));

        stage.begin(second, key("b"));
        assert_eq!((shown(&stage), stage.job(), stage.ready().is_some()), (Some(1), Some(second), false));
        assert!(stage.finish(second, Err(Problem::new("no"))));
        assert_eq!((shown(&stage), stage.problem()), (Some(1), Some(&Problem::new("no"))));

        stage.begin(third, key("c"));
        stage.abandon();
        assert_eq!((shown(&stage), stage.key()), (Some(1), Some(key("a"))), "back to the first result and its key");
    }

    #[test]
    fn the_end_of_a_superseded_job_changes_nothing() {
        let mut stage = Stage::<u32>::default();
        let (old, new) = (JobId::next(), JobId::next());
        stage.begin(old, key("a"));
        stage.begin(new, key("b"));
        assert!(!stage.finish(old, Ok(Arc::new(1))));
        assert_eq!((stage.job(), shown(&stage)), (Some(new), None));
        assert!(stage.finish(new, Ok(Arc::new(2))));
        assert!(!stage.finish(new, Ok(Arc::new(3))), "a job ends once");
        assert_eq!(shown(&stage), Some(2));
    }

    #[test]
    fn a_problem_says_what_happened_and_keeps_the_causes() {
        let source = std::io::Error::other(std::io::Error::other("disk on fire"));
        let problem = Problem::from(&JobError::Failed { job: "saving".into(), source: Box::new(source) });
        assert_eq!((problem.message.as_str(), problem.cancelled), ("disk on fire", false));
        assert!(Problem::from(&JobError::Cancelled { job: "saving".into() }).cancelled);
        let fault = Problem::from(&JobError::Panicked { job: "saving".into(), message: "index 3".into() });
        assert_eq!(fault.causes, ["index 3"]);
        assert!(fault.message.contains("saving"));
    }
}
