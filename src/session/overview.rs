//! What a dataset holds, counted once when it is opened.

use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;

/// How many specimens carry one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameCount {
    /// Code of the name in its column.
    pub code: u32,
    /// The name.
    pub name: String,
    /// Specimens that carry it.
    pub specimens: usize,
}

/// The names of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOverview {
    /// The field.
    pub field: Field,
    /// Its names, the most frequent first; names as frequent as each other by the alphabet.
    pub names: Vec<NameCount>,
    /// Specimens without a name.
    pub missing: usize,
}

/// What a dataset holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overview {
    /// Fields that hold anything, ranks first.
    pub fields: Vec<FieldOverview>,
    /// Length of each specimen's barcode, `[N]`.
    pub lengths: Vec<u32>,
    /// Shortest, median and longest barcode.
    pub length_range: Option<[usize; 3]>,
    /// Specimens whose barcode an earlier specimen has, too.
    pub repeated_barcodes: usize,
}

impl Overview {
    /// Counts everything.
    pub fn of(dataset: &Dataset) -> Self {
        let lengths: Vec<u32> = (0..dataset.len()).map(|row| dataset.sequence(row).len() as u32).collect();
        let mut sorted = lengths.clone();
        sorted.sort_unstable();
        let length_range = sorted
            .first()
            .zip(sorted.last())
            .map(|(&least, &most)| [least as usize, sorted[(sorted.len() - 1) / 2] as usize, most as usize]);
        Self {
            fields: Field::ALL.into_iter().filter_map(|field| FieldOverview::of(dataset, field)).collect(),
            lengths,
            length_range,
            repeated_barcodes: dataset.len() - dataset.unique_len(),
        }
    }

    /// The names of one field, where it holds any.
    pub fn field(&self, field: Field) -> Option<&FieldOverview> {
        self.fields.iter().find(|overview| overview.field == field)
    }
}

impl FieldOverview {
    fn of(dataset: &Dataset, field: Field) -> Option<Self> {
        let labels = dataset.labels(field);
        let mut names: Vec<NameCount> = labels
            .counts()
            .into_iter()
            .zip(labels.names())
            .enumerate()
            .map(|(code, (specimens, name))| NameCount { code: code as u32, name: name.clone(), specimens })
            .collect();
        names.sort_by(|a, b| b.specimens.cmp(&a.specimens).then_with(|| a.name.cmp(&b.name)));
        (!names.is_empty()).then(|| Self { field, names, missing: dataset.len() - labels.labelled() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};

    #[test]
    fn everything_is_counted() {
        let mut builder = DatasetBuilder::new("test", Vec::new());
        for (sequence, genus) in [
            ("ACGT", Some("Bombus")),
            ("ACGTA", Some("Apis")),
            ("ACGT", Some("Apis")),
            ("AC", None),
            ("ACGTAC", Some("Aa")),
        ] {
            builder.push(Record {
                id: "x".into(),
                sequence: sequence.into(),
                labels: genus.into_iter().map(|genus| (Field::Genus, genus.to_owned())).collect(),
                ..Record::default()
            });
        }
        let overview = Overview::of(&builder.finish());
        assert_eq!((overview.repeated_barcodes, overview.length_range), (1, Some([2, 4, 6])));
        assert_eq!(overview.lengths, [4, 5, 4, 2, 6]);
        let genus = overview.field(Field::Genus).unwrap();
        let names: Vec<(&str, usize)> = genus.names.iter().map(|name| (name.name.as_str(), name.specimens)).collect();
        assert_eq!((names, genus.missing), (vec![("Apis", 2), ("Aa", 1), ("Bombus", 1)], 1));
        assert!(overview.field(Field::Family).is_none());
        assert_eq!(Overview::of(&DatasetBuilder::new("none", Vec::new()).finish()), Overview::default());
    }
}
