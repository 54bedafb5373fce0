//! Which specimens of one file are the reference, and which the queries.

use super::hold_out::{HoldOutSettings, hold_out};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::PipelineError;
use crate::pipeline::subset::rows_of_split;

/// How reference and queries are told apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Division {
    /// Specimens without a species are compared with those that have one.
    Unnamed,
    /// Those of some splits are compared with those of another.
    Splits {
        /// The split of the reference.
        reference: String,
        /// The splits of the queries.
        queries: Vec<String>,
    },
    /// Taxa are held out whole and sought again: what discovery can do with such data.
    HeldOut(HoldOutSettings),
}

/// A dataset divided into reference and queries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Divided {
    /// Rows of the reference, in file order.
    pub reference: Vec<usize>,
    /// Rows of the queries, in file order.
    pub query: Vec<usize>,
    /// Names of the genera that were held out whole.
    pub genera: Vec<String>,
    /// Names of the species that were held out whose genus stays.
    pub species: Vec<String>,
}

impl Division {
    /// Divides a dataset.
    ///
    /// # Errors
    /// [`PipelineError::NoSplit`] for a split that is not there, [`PipelineError::Setting`] when a split is on both sides or one
    /// side would be empty, and what [`hold_out`] says.
    pub fn divide(&self, dataset: &Dataset) -> Result<Divided, PipelineError> {
        match self {
            Self::Unnamed => unnamed(dataset),
            Self::Splits { reference, queries } => splits(dataset, reference, queries),
            Self::HeldOut(settings) => hold_out(dataset, settings),
        }
    }
}

fn unnamed(dataset: &Dataset) -> Result<Divided, PipelineError> {
    let has_species = |row: &usize| dataset.label(*row, Field::Species).is_some();
    let (reference, query): (Vec<usize>, Vec<usize>) = (0..dataset.len()).partition(has_species);
    if reference.is_empty() {
        return Err(PipelineError::NoLabels { dataset: dataset.name().to_owned(), field: Field::Species });
    }
    if query.is_empty() {
        return Err(PipelineError::Setting(format!(
            "every specimen of '{}' has a species, so there is nothing to look for; hold taxa out instead",
            dataset.name()
        )));
    }
    Ok(Divided { reference, query, ..Divided::default() })
}

fn splits(dataset: &Dataset, reference: &str, queries: &[String]) -> Result<Divided, PipelineError> {
    if queries.is_empty() {
        return Err(PipelineError::Setting("choose at least one split to look for what is new in".to_owned()));
    }
    if queries.iter().any(|split| split == reference) {
        return Err(PipelineError::Setting(format!(
            "split '{reference}' cannot be the reference and among the queries; nothing of it would be new"
        )));
    }
    let mut query = Vec::new();
    for split in queries {
        query.extend(rows_of_split(dataset, split)?);
    }
    query.sort_unstable();
    query.dedup();
    Ok(Divided { reference: rows_of_split(dataset, reference)?, query, ..Divided::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};

    fn dataset(specimens: &[(&str, &str)]) -> Dataset {
        let mut builder = DatasetBuilder::new("survey", Vec::new());
        for (row, (species, split)) in specimens.iter().enumerate() {
            let labels = [(Field::Species, *species), (Field::Split, *split)];
            builder.push(Record {
                id: row.to_string(),
                sequence: b"ACGT".to_vec(),
                labels: labels
                    .into_iter()
                    .filter(|(_, name)| !name.is_empty())
                    .map(|(f, n)| (f, n.to_owned()))
                    .collect(),
                ..Record::default()
            });
        }
        builder.finish()
    }

    #[test]
    fn the_unnamed_are_the_queries() {
        let divided = Division::Unnamed.divide(&dataset(&[("a a", ""), ("", ""), ("b b", ""), ("", "")])).unwrap();
        assert_eq!((divided.reference, divided.query), (vec![0, 2], vec![1, 3]));
        let error = Division::Unnamed.divide(&dataset(&[("a a", "")])).unwrap_err();
        assert!(error.to_string().contains("nothing to look for"), "{error}");
        assert!(matches!(
            Division::Unnamed.divide(&dataset(&[("", "")])),
            Err(PipelineError::NoLabels { field: Field::Species, .. })
        ));
    }

    #[test]
    fn splits_are_taken_as_they_are_named_and_never_on_both_sides() {
        let dataset = dataset(&[("a a", "train"), ("b b", "test"), ("c c", "novel"), ("a a", "other")]);
        let of = |reference: &str, queries: &[&str]| {
            let queries = queries.iter().map(|&split| split.to_owned()).collect();
            Division::Splits { reference: reference.to_owned(), queries }.divide(&dataset)
        };
        let divided = of("train", &["novel", "test", "test"]).unwrap();
        assert_eq!((divided.reference, divided.query), (vec![0], vec![1, 2]));
        assert!(of("train", &["test", "train"]).unwrap_err().to_string().contains("among the queries"));
        assert!(of("train", &[]).unwrap_err().to_string().contains("at least one"));
        assert!(matches!(of("train", &["val"]), Err(PipelineError::NoSplit { .. })));
        assert!(matches!(of("train2", &["test"]), Err(PipelineError::NoSplit { .. })));
    }
}
