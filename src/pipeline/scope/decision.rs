//! What a person decides about a specimen.

use super::{Entry, ScopeError, ScopeFile};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// The label is right.
    Accept,
    /// The specimen gets another label, or none of this rank.
    Relabel,
    /// The specimen is left out.
    Exclude,
    /// It is to be sequenced again.
    Resequence,
    /// It carries a tag.
    Tag,
    /// Only something to say.
    Comment,
}

impl DecisionKind {
    /// Its name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Relabel => "relabel",
            Self::Exclude => "exclude",
            Self::Resequence => "resequence",
            Self::Tag => "tag",
            Self::Comment => "comment",
        }
    }

    /// What happened, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Accept => "accepted",
            Self::Relabel => "relabelled",
            Self::Exclude => "excluded",
            Self::Resequence => "to sequence again",
            Self::Tag => "tagged",
            Self::Comment => "commented",
        }
    }
}

/// A decision about one specimen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What is decided.
    pub kind: DecisionKind,
    /// The specimen's id.
    pub specimen: String,
    /// The label that it is about.
    #[serde(default)]
    pub field: Option<Field>,
    /// What the label was, as the specimens of the session and the decisions before have it; filled in when it is kept.
    #[serde(default)]
    pub old: Option<String>,
    /// What it becomes; the tag, where it is one.
    #[serde(default)]
    pub new: Option<String>,
    /// Who decides.
    #[serde(default)]
    pub who: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Whether it belongs to the step of the decision before it: both are undone together.
    #[serde(default)]
    pub continues: bool,
}

impl ScopeFile {
    /// Keeps a decision about one of the specimens, with the label that it finds; answers its number once it is on the disk.
    ///
    /// # Errors
    /// [`ScopeError::NoDecision`] for a specimen that is not there, a relabelling without a rank, and an old label that is not
    /// the one in force, so that nobody decides about a label that another has changed; and when it cannot be kept.
    pub fn decide(&self, dataset: &Dataset, decision: &Decision) -> Result<i64, ScopeError> {
        let numbers = self.decide_step(dataset, std::slice::from_ref(decision))?;
        Ok(numbers[0])
    }

    /// Keeps decisions that are one step, all or none, as [`Self::decide`] keeps one; answers their numbers.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub fn decide_step(&self, dataset: &Dataset, step: &[Decision]) -> Result<Vec<i64>, ScopeError> {
        let before = self.all::<Decision>()?;
        let labels = final_labels(&before);
        let step: Result<Vec<Decision>, ScopeError> = step
            .iter()
            .enumerate()
            .map(|(at, decision)| {
                let checked = self.checked_decision(dataset, &labels, decision)?;
                Ok(Decision { continues: at > 0 || decision.continues, ..checked })
            })
            .collect();
        self.append_all(step?.iter().map(|decision| (decision.kind.key(), decision)))
    }

    /// The decision with the label that it finds.
    fn checked_decision(
        &self,
        dataset: &Dataset,
        labels: &DecidedLabels<'_>,
        decision: &Decision,
    ) -> Result<Decision, ScopeError> {
        let refuse = |why: String| ScopeError::NoDecision { path: self.path().to_owned(), why };
        let specimen = &decision.specimen;
        let Some(row) = dataset.row_of(specimen) else {
            return Err(refuse(format!("there is no specimen '{specimen}'")));
        };
        if decision.kind == DecisionKind::Relabel && decision.field.is_none() {
            return Err(refuse("a relabelling needs a field, such as species".to_owned()));
        }
        let old = decision.field.and_then(|field| label_in_force(labels, dataset, row, field));
        if let Some(expected) = decision.old.as_deref().filter(|&expected| old != Some(expected)) {
            let found = old.unwrap_or("none");
            return Err(refuse(format!("the label of {specimen} is '{found}', not '{expected}' as the decision says")));
        }
        Ok(Decision { old: old.map(str::to_owned), ..decision.clone() })
    }

    /// Every decision about a specimen, the earliest first, with those that were taken back.
    ///
    /// # Errors
    /// [`ScopeError::Damaged`].
    pub fn decisions_on(&self, specimen: &str) -> Result<Vec<Entry<Decision>>, ScopeError> {
        let mut all = self.all::<Decision>()?;
        all.retain(|entry| entry.value.specimen == specimen);
        Ok(all)
    }
}

/// Labels that relabellings leave: by specimen and rank, `None` where a label was taken away.
pub type DecidedLabels<'a> = HashMap<(&'a str, Field), Option<&'a str>>;

/// The labels that the relabellings in force leave.
pub fn final_labels(decisions: &[Entry<Decision>]) -> DecidedLabels<'_> {
    let in_force = decisions.iter().filter(|entry| !entry.undone && entry.value.kind == DecisionKind::Relabel);
    in_force
        .filter_map(|Entry { value, .. }| Some(((value.specimen.as_str(), value.field?), value.new.as_deref())))
        .collect()
}

/// The label of a specimen: the one decided, or else the one that was read.
pub fn label_in_force<'a>(
    decided: &DecidedLabels<'a>,
    dataset: &'a Dataset,
    row: usize,
    field: Field,
) -> Option<&'a str> {
    decided.get(&(dataset.id(row), field)).map_or_else(|| dataset.label(row, field), |&label| label)
}
