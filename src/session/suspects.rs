//! Which suspects are listed: by cause, taxon, and whether something was decided about them.

use super::selection::Rows;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::audit::{Cause, Suspect};
use crate::pipeline::review::Curated;
use crate::pipeline::scope::{Decision, Entry};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What the user wants to see of the suspects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Only this cause; `None` whatever is suspicious.
    pub cause: Option<Cause>,
    /// Letters in the name of the taxon, of whatever rank; all where there are none.
    pub taxon: String,
    /// Only what nothing was decided about.
    pub undecided: bool,
    /// The specimen that is looked at, which stays until another is, so that its decision can be seen.
    pub focus: Option<usize>,
}

/// Tells which suspects are wanted, in a time that does not depend on how long names are.
#[derive(Debug)]
pub struct SuspectFilter {
    wanted: Wanted,
    dataset: Arc<Dataset>,
    /// The specimens that pass the filters of the window; `None` without filters.
    visible: Option<Rows>,
    /// By rank, whether each name holds the letters; nothing where no letters were given.
    names: Vec<(Field, Vec<bool>)>,
    /// Specimens that something was decided about, and whether their names in force hold the letters.
    decided: HashMap<usize, bool>,
}

impl SuspectFilter {
    /// For the suspects of a dataset, with what was decided about them.
    pub fn new(wanted: Wanted, dataset: Arc<Dataset>, entries: &[Entry<Decision>], visible: Option<Rows>) -> Self {
        let letters = wanted.taxon.trim().to_lowercase();
        let holds = |name: &str| name.to_lowercase().contains(&letters);
        let of_rank = |rank: Field| (rank, dataset.labels(rank).names().iter().map(|name| holds(name)).collect());
        let names = if letters.is_empty() { Vec::new() } else { Field::RANKS.into_iter().map(of_rank).collect() };
        let curated = Curated::new(&dataset, entries);
        let rows: HashSet<usize> = entries
            .iter()
            .filter(|entry| !entry.undone)
            .filter_map(|entry| dataset.row_of(&entry.value.specimen))
            .collect();
        let in_force = |row: usize| Field::RANKS.into_iter().filter_map(|rank| curated.label(row, rank)).any(holds);
        let decided = rows.into_iter().map(|row| (row, letters.is_empty() || in_force(row))).collect();
        Self { names, decided, wanted, visible, dataset }
    }

    /// Whether a suspect is wanted.
    pub fn keeps(&self, suspect: &Suspect) -> bool {
        let row = suspect.row;
        let is_wanted = self.wanted.cause.map_or(suspect.cause.is_suspicious(), |only| suspect.cause == only);
        let is_open = !self.wanted.undecided || !self.decided.contains_key(&row) || self.wanted.focus == Some(row);
        is_wanted && is_open && self.visible.as_ref().is_none_or(|rows| rows.contains(row)) && self.is_of_taxon(row)
    }

    fn is_of_taxon(&self, row: usize) -> bool {
        let holds = |(rank, holds): &(Field, Vec<bool>)| {
            self.dataset.labels(*rank).code(row).is_some_and(|code| holds[code as usize])
        };
        self.decided.get(&row).copied().unwrap_or_else(|| self.names.is_empty() || self.names.iter().any(holds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};
    use crate::pipeline::audit::Evidence;
    use crate::pipeline::scope::DecisionKind;

    /// Six bees and beetles, in genera of two species each.
    fn dataset() -> Arc<Dataset> {
        let mut builder = DatasetBuilder::new("test", Vec::new());
        for (row, species) in
            ["Apis mellifera", "Apis cerana", "Bombus ater", "Bombus apis", "Carabus auratus", "Carabus ater"]
                .iter()
                .enumerate()
        {
            let genus = species.split(' ').next().unwrap();
            let labels = [(Field::Species, (*species).to_owned()), (Field::Genus, genus.to_owned())];
            let sequence = b"ACGT".repeat(row + 1);
            builder.push(Record { id: format!("s{row}"), sequence, labels: labels.into(), ..Record::default() });
        }
        Arc::new(builder.finish())
    }

    fn suspect(row: usize) -> Suspect {
        let cause = if row == 5 { Cause::LooksRight } else { Cause::ALL[row % 2] };
        Suspect {
            row,
            cause,
            proposed: None,
            partner: None,
            score: 0.5,
            because: String::new(),
            evidence: Evidence::default(),
        }
    }

    fn entry(row: usize, kind: DecisionKind, new: Option<&str>, undone: bool) -> Entry<Decision> {
        let value = Decision {
            kind,
            specimen: format!("s{row}"),
            field: Some(Field::Species),
            old: None,
            new: new.map(str::to_owned),
            who: String::new(),
            reason: String::new(),
            continues: false,
        };
        Entry { id: 1, time_secs: 0, kind: String::new(), value, undone }
    }

    #[test]
    fn suspects_are_told_by_cause_taxon_decision_and_filter() {
        let entries = [
            entry(1, DecisionKind::Relabel, Some("Osmia rufa"), false),
            entry(2, DecisionKind::Accept, None, false),
            entry(3, DecisionKind::Exclude, None, true),
        ];
        let kept = |wanted: Wanted, visible: Option<Rows>| -> Vec<usize> {
            let filter = SuspectFilter::new(wanted, dataset(), &entries, visible);
            (0..6).filter(|&row| filter.keeps(&suspect(row))).collect()
        };
        let all = Wanted { cause: None, taxon: String::new(), undecided: false, focus: None };
        assert_eq!(kept(all.clone(), None), [0, 1, 2, 3, 4], "the last looks right");
        assert_eq!(kept(Wanted { cause: Some(Cause::ALL[1]), ..all.clone() }, None), [1, 3]);
        assert_eq!(kept(Wanted { cause: Some(Cause::LooksRight), ..all.clone() }, None), [5]);
        assert_eq!(kept(Wanted { undecided: true, ..all.clone() }, None), [0, 3, 4], "what was taken back is open");
        assert_eq!(kept(Wanted { undecided: true, focus: Some(2), ..all.clone() }, None), [0, 2, 3, 4]);
        assert_eq!(kept(all.clone(), Some([0usize, 4].into_iter().collect())), [0, 4]);
        let of = |taxon: &str| kept(Wanted { taxon: taxon.to_owned(), ..all.clone() }, None);
        assert_eq!(of(" aPIS"), [0, 1, 3], "genus or species; the second is still of its genus");
        assert_eq!(of("cerana"), [] as [usize; 0], "it was relabelled");
        assert_eq!(of("osmia"), [1]);
        assert_eq!(of("ater"), [2]);
    }
}
