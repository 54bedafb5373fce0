//! Specimens with the labels that decisions leave them.

use crate::data::dataset::{Dataset, DatasetBuilder};
use crate::data::taxonomy::{Field, LabelColumn};
use crate::pipeline::scope::{Decision, DecisionKind, Entry};
use crate::pipeline::subset::record;
use std::collections::{BTreeMap, HashMap};

/// Name of the column that tells what was decided about a specimen of a corrected copy.
const DECISIONS_COLUMN: &str = "decisions";

/// Specimens with the labels in force: as they were read, but for what people decided and did not take back.
#[derive(Debug, Clone)]
pub struct Curated<'a> {
    dataset: &'a Dataset,
    labels: HashMap<(usize, Field), Option<String>>,
    /// What was decided about a specimen, in order.
    decided: BTreeMap<usize, Vec<Decision>>,
}

impl<'a> Curated<'a> {
    /// Applies decisions in their order. One about a specimen that is not there changes nothing.
    pub fn new(dataset: &'a Dataset, entries: &[Entry<Decision>]) -> Self {
        let mut curated = Self { dataset, labels: HashMap::new(), decided: BTreeMap::new() };
        for entry in entries.iter().filter(|entry| !entry.undone) {
            let Some(row) = dataset.row_of(&entry.value.specimen) else { continue };
            if let (DecisionKind::Relabel, Some(field)) = (entry.value.kind, entry.value.field) {
                curated.labels.insert((row, field), entry.value.new.clone());
            }
            curated.decided.entry(row).or_default().push(entry.value.clone());
        }
        curated
    }

    /// The specimens as they were read.
    pub fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    /// A label in force.
    pub fn label(&self, row: usize, field: Field) -> Option<&str> {
        match self.labels.get(&(row, field)) {
            Some(decided) => decided.as_deref(),
            None => self.dataset.label(row, field),
        }
    }

    /// The finest name in force: the species, else the genus.
    pub fn name(&self, row: usize) -> Option<&str> {
        self.label(row, Field::Species).or_else(|| self.label(row, Field::Genus))
    }

    /// What was decided about a specimen, the earliest first.
    pub fn decisions(&self, row: usize) -> &[Decision] {
        self.decided.get(&row).map_or(&[], Vec::as_slice)
    }

    /// Rows about which something was decided, in order.
    pub fn decided_rows(&self) -> impl Iterator<Item = usize> {
        self.decided.keys().copied()
    }

    /// Whether a specimen was left out. Accepting or relabelling it afterwards takes it in again.
    pub fn is_excluded(&self, row: usize) -> bool {
        let last = self.decisions(row).iter().rev().find(|decision| {
            matches!(decision.kind, DecisionKind::Exclude | DecisionKind::Accept | DecisionKind::Relabel)
        });
        last.is_some_and(|decision| decision.kind == DecisionKind::Exclude)
    }

    /// The labels in force of one field, `[N]`; specimens that were left out have none.
    pub fn column(&self, field: Field) -> LabelColumn {
        let label = |row| self.label(row, field).filter(|_| !self.is_excluded(row));
        LabelColumn::from_labels((0..self.dataset.len()).map(label))
    }

    /// A corrected copy: without the specimens that were left out, with the labels in force, and with a column that says what was decided.
    pub fn copy(&self) -> Dataset {
        let columns = self.dataset.other_columns().iter().cloned().chain([DECISIONS_COLUMN.to_owned()]);
        let mut builder = DatasetBuilder::new(self.dataset.name(), columns.collect());
        self.dataset.files().iter().for_each(|file| {
            builder.add_file(file.clone());
        });
        for row in (0..self.dataset.len()).filter(|&row| !self.is_excluded(row)) {
            let mut record = record(self.dataset, row);
            record.labels =
                Field::ALL.into_iter().filter_map(|field| Some((field, self.label(row, field)?.to_owned()))).collect();
            record.other.push(self.decisions(row).iter().map(told).collect::<Vec<_>>().join("; "));
            builder.push(record);
        }
        builder.finish()
    }
}

/// `relabel species: Apis melifera -> Apis mellifera (spelling)`
fn told(decision: &Decision) -> String {
    let mut text = decision.kind.key().to_owned();
    let none = || "none".to_owned();
    match (decision.kind, decision.field) {
        (DecisionKind::Relabel, Some(field)) => {
            let [old, new] = [&decision.old, &decision.new].map(|name| name.clone().unwrap_or_else(none));
            text = format!("{text} {field}: {old} -> {new}");
        }
        (DecisionKind::Tag, _) => text = format!("{text} {}", decision.new.clone().unwrap_or_else(none)),
        _ => {}
    }
    if !decision.reason.is_empty() {
        text = format!("{text} ({})", decision.reason);
    }
    text
}
