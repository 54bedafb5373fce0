//! Part of a dataset as a dataset.

use super::PipelineError;
use crate::data::dataset::{Dataset, DatasetBuilder, Record};
use crate::data::taxonomy::Field;

/// The given rows of a dataset, in the order given, with ids, labels, columns and origins as they were.
pub fn subset(dataset: &Dataset, name: &str, rows: &[usize]) -> Dataset {
    let columns = dataset.other_columns();
    let mut builder = DatasetBuilder::new(name, columns.to_vec());
    for file in dataset.files() {
        builder.add_file(file.clone());
    }
    for &row in rows {
        builder.push(record(dataset, row));
    }
    builder.finish()
}

/// A row of a dataset as a record of its own.
pub(in crate::pipeline) fn record(dataset: &Dataset, row: usize) -> Record {
    let labels = Field::ALL.into_iter().filter_map(|field| Some((field, dataset.label(row, field)?.to_owned())));
    Record {
        id: dataset.id(row).to_owned(),
        sequence: dataset.sequence(row).to_vec(),
        labels: labels.collect(),
        coordinates: dataset.coordinates(row),
        other: (0..dataset.other_columns().len()).map(|column| dataset.other(row, column).to_owned()).collect(),
        origin: Some(dataset.origin(row)),
        flags: dataset.flags(row),
    }
}

/// The rows of a split.
///
/// # Errors
/// [`PipelineError::NoSplit`] when no specimen is in it.
pub fn rows_of_split(dataset: &Dataset, split: &str) -> Result<Vec<usize>, PipelineError> {
    let rows = dataset.rows_in_split(split);
    if rows.is_empty() {
        return Err(PipelineError::NoSplit {
            dataset: dataset.name().to_owned(),
            split: split.to_owned(),
            known: dataset.labels(Field::Split).names().to_vec(),
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        let mut builder = DatasetBuilder::new("all", vec!["note".into()]);
        for (id, sequence, split) in [("a", "ACGT", "train"), ("b", "ACGA", "test"), ("c", "ACGT", "test")] {
            builder.push(Record {
                id: id.into(),
                sequence: sequence.into(),
                labels: [(Field::Split, split.to_owned())].into(),
                coordinates: Some([1.0, 2.0]),
                other: vec![format!("note {id}")],
                ..Record::default()
            });
        }
        builder.finish()
    }

    #[test]
    fn a_subset_keeps_what_its_records_say() {
        let all = dataset();
        let part = subset(&all, "test", &rows_of_split(&all, "test").unwrap());
        assert_eq!((0..part.len()).map(|row| part.id(row)).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!((part.sequence(1), part.unique_len()), (all.sequence(2), 2));
        assert_eq!((part.other(0, 0), part.coordinates(1)), ("note b", Some([1.0, 2.0])));
        assert_eq!(part.label(0, Field::Split), Some("test"));
    }

    #[test]
    fn an_unknown_split_is_an_error_that_names_the_known_ones() {
        let message = rows_of_split(&dataset(), "val").unwrap_err().to_string();
        assert!(message.contains("'val'") && message.contains("train, test"), "{message}");
    }
}
