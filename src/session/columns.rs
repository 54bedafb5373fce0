//! Columns that specimens can be coloured, filtered and sorted by, and the order of table rows.

use super::selection::Rows;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::{Field, LabelColumn};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A column of the dataset or of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnKey {
    /// A label of the file.
    Field(Field),
    /// A text column of the file, by its index in [`Dataset::other_columns`].
    Other(usize),
    /// The name that is given.
    Predicted,
    /// The cluster.
    Cluster,
    /// What is unusual about the record.
    Flags,
    /// What the specimen is taken for when new taxa are looked for.
    Decision,
    /// How many of the nearest barcodes nobody named.
    Darkness,
}

impl ColumnKey {
    /// The column's name in the window, as a word within a sentence.
    pub fn title(self, dataset: &Dataset) -> String {
        match self {
            Self::Field(field) => field.title().to_owned(),
            Self::Other(column) => dataset.other_columns().get(column).cloned().unwrap_or_default(),
            Self::Predicted => "predicted name".to_owned(),
            Self::Cluster => "cluster".to_owned(),
            Self::Flags => "flags".to_owned(),
            Self::Decision => "known or new".to_owned(),
            Self::Darkness => "darkness".to_owned(),
        }
    }

    /// The columns of a file that hold anything, in the order of a menu: ranks, BIN, split, country, then the others.
    pub fn of_dataset(dataset: &Dataset) -> Vec<Self> {
        let fields = Field::ALL.into_iter().filter(|&field| dataset.labels(field).distinct() > 0).map(Self::Field);
        fields.chain((0..dataset.other_columns().len()).map(Self::Other)).collect()
    }
}

/// One value per specimen, each name stored once: what the map, the legend and the filters read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// Which column it is.
    pub column: ColumnKey,
    /// `[N]`
    pub labels: Arc<LabelColumn>,
}

impl Values {
    /// The values of a column of the file; `None` for columns of results.
    pub fn of_dataset(dataset: &Dataset, column: ColumnKey) -> Option<Self> {
        let labels = match column {
            ColumnKey::Field(field) => dataset.labels(field).clone(),
            ColumnKey::Other(other) => {
                LabelColumn::from_labels((0..dataset.len()).map(|row| present(dataset.other(row, other))))
            }
            ColumnKey::Predicted
            | ColumnKey::Cluster
            | ColumnKey::Flags
            | ColumnKey::Decision
            | ColumnKey::Darkness => return None,
        };
        Some(Self { column, labels: Arc::new(labels) })
    }
}

fn present(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Keeps the specimens whose value is among `keep`; the empty text stands for a missing value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The column that is looked at.
    pub values: Values,
    /// Values to keep.
    pub keep: BTreeSet<String>,
}

impl Filter {
    fn keeps(&self) -> impl Fn(usize) -> bool + '_ {
        let labels = &self.values.labels;
        let by_code: Vec<bool> = labels.names().iter().map(|name| self.keep.contains(name)).collect();
        let missing = self.keep.contains("");
        move |row| labels.code(row).map_or(missing, |code| by_code[code as usize])
    }
}

/// The rows that pass every filter; `None` without filters.
pub fn visible(len: usize, filters: &[Filter]) -> Option<Rows> {
    if filters.is_empty() {
        return None;
    }
    let tests: Vec<_> = filters.iter().map(Filter::keeps).collect();
    Some((0..len).filter(|&row| tests.iter().all(|keeps| keeps(row))).collect())
}

/// Which table column orders the rows, and in which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sorting {
    /// Index of the table's column.
    pub column: usize,
    /// Smallest first.
    pub ascending: bool,
}

impl Sorting {
    /// The sorting after a click on the header of `column`: the other direction, or the new column's own first direction.
    pub fn clicked(before: Option<Self>, column: usize, ascending_first: bool) -> Self {
        match before {
            Some(same) if same.column == column => Self { column, ascending: !same.ascending },
            _ => Self { column, ascending: ascending_first },
        }
    }
}

/// The items in the order of a table: sorted by `compare`, items that compare equal stay in their own order in both directions.
///
/// A table shows at position `i` the item at position `i` of the result and acts on that item, never on `i`.
pub fn order<T>(items: impl IntoIterator<Item = T>, ascending: bool, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut ordered: Vec<T> = items.into_iter().collect();
    ordered.sort_by(|a, b| if ascending { compare(a, b) } else { compare(b, a) });
    ordered
}

/// Compares as a person expects: numbers by value, then text without regard to case, then missing values.
pub fn compare_text(a: &str, b: &str) -> Ordering {
    let (number_a, number_b) = (a.parse::<f64>(), b.parse::<f64>());
    let sort = |text: &str, is_number: bool| if is_number { 0 } else { 1 + u8::from(text.is_empty()) };
    let lower = |text: &str| text.to_lowercase();
    match (number_a, number_b) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        (x, y) => sort(a, x.is_ok()).cmp(&sort(b, y.is_ok())).then_with(|| lower(a).cmp(&lower(b))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};
    use proptest::prelude::*;

    fn dataset(values: &[(Option<u8>, u8)]) -> Dataset {
        let mut builder = DatasetBuilder::new("test", vec!["note".into()]);
        for (row, (genus, note)) in values.iter().enumerate() {
            builder.push(Record {
                id: format!("id{row}"),
                sequence: b"ACGT".to_vec(),
                labels: genus.iter().map(|genus| (Field::Genus, format!("G{genus}"))).collect(),
                other: vec![if *note == 0 { String::new() } else { note.to_string() }],
                ..Record::default()
            });
        }
        builder.finish()
    }

    fn filter(dataset: &Dataset, column: ColumnKey, keep: &[&str]) -> Filter {
        let values = Values::of_dataset(dataset, column).unwrap();
        Filter { values, keep: keep.iter().map(|text| (*text).to_owned()).collect() }
    }

    #[test]
    fn filters_keep_what_they_name_and_missing_values_only_when_asked() {
        let data = dataset(&[(Some(1), 1), (None, 1), (Some(2), 2), (Some(1), 0)]);
        let genus = ColumnKey::Field(Field::Genus);
        assert_eq!(visible(4, &[]), None);
        assert_eq!(visible(4, &[filter(&data, genus, &["G1"])]).unwrap().as_slice(), [0, 3]);
        assert_eq!(visible(4, &[filter(&data, genus, &["G2", ""])]).unwrap().as_slice(), [1, 2]);
        let both = [filter(&data, genus, &["G1"]), filter(&data, ColumnKey::Other(0), &[""])];
        assert_eq!(visible(4, &both).unwrap().as_slice(), [3]);
        assert!(visible(4, &[filter(&data, genus, &[])]).unwrap().is_empty());
    }

    #[test]
    fn numbers_sort_by_value_and_words_without_case() {
        assert_eq!(
            order(["b", "10", "", "9", "A", "1a"], true, |a, b| compare_text(a, b)),
            ["9", "10", "1a", "A", "b", ""]
        );
        assert_eq!(order(["10", "9"], false, |a, b| compare_text(a, b)), ["10", "9"]);
    }

    proptest! {
        /// Whatever is filtered and sorted, the row that a table shows is the record that a click on it selects.
        #[test]
        fn filtering_and_sorting_never_lead_to_a_wrong_record(
            values in prop::collection::vec((prop::option::of(0u8..4), 0u8..6), 0..40),
            keep in prop::collection::btree_set(prop::sample::select(vec!["", "G0", "G1", "G2", "G3"]), 0..5),
            notes in prop::collection::btree_set(prop::sample::select(vec!["", "1", "2", "3", "4", "5"]), 0..6),
            ascending in any::<bool>(),
        ) {
            let data = dataset(&values);
            let keep: Vec<&str> = keep.into_iter().collect();
            let notes: Vec<&str> = notes.into_iter().collect();
            let filters = [filter(&data, ColumnKey::Field(Field::Genus), &keep), filter(&data, ColumnKey::Other(0), &notes)];
            let shown = visible(data.len(), &filters).unwrap();
            let table = order(shown.iter(), ascending, |&a, &b| compare_text(data.other(a, 0), data.other(b, 0)));

            // A brute-force twin on (id, genus, note), which knows no rows.
            let mut twin: Vec<(String, String)> = values.iter().enumerate()
                .map(|(row, (genus, note))| (format!("id{row}"), genus.map_or(String::new(), |g| format!("G{g}")), if *note == 0 { String::new() } else { note.to_string() }))
                .filter(|(_, genus, note)| keep.contains(&genus.as_str()) && notes.contains(&note.as_str()))
                .map(|(id, _, note)| (id, note))
                .collect();
            let last = |note: &str| if note.is_empty() { "~".to_owned() } else { note.to_owned() };
            twin.sort_by(|a, b| if ascending { last(&a.1).cmp(&last(&b.1)) } else { last(&b.1).cmp(&last(&a.1)) });
            let seen: Vec<(String, String)> = table.iter().map(|&row| (data.id(row).to_owned(), data.other(row, 0).to_owned())).collect();
            prop_assert_eq!(&seen, &twin);

            // Selecting what stands at each position selects the record whose id stands there.
            for (position, &row) in table.iter().enumerate() {
                let mut selection = super::super::selection::Selection::default();
                selection.focus_on(row);
                prop_assert_eq!(data.id(selection.focus().unwrap()), &twin[position].0);
            }
        }
    }
}
