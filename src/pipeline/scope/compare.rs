//! Two sessions side by side: specimens, barcodes, labels after all decisions.

use super::{Decision, Entry, ScopeError, ScopeFile, final_labels, label_in_force};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use serde::Serialize;

/// One specimen that both sessions hold, and that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The specimen's id.
    pub specimen: String,
    /// The label that differs; `None` where it is the barcode.
    pub field: Option<Field>,
    /// The label in the first session; none for barcodes.
    pub first: Option<String>,
    /// The label in the second.
    pub second: Option<String>,
}

/// How the second session differs from the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Specimens in both.
    pub shared: usize,
    /// Specimens of the first only.
    pub only_first: Vec<String>,
    /// Specimens of the second only.
    pub only_second: Vec<String>,
    /// Barcodes and labels that differ, in the order of the first session.
    pub differences: Vec<Difference>,
    /// Decisions of either, those taken back included.
    pub decisions: [usize; 2],
}

/// Compares two sessions, specimen by specimen and by id. Labels are those that the decisions in force leave.
///
/// # Errors
/// [`ScopeError::Damaged`] when one of them cannot be read.
pub fn compare(first: &ScopeFile, second: &ScopeFile) -> Result<Comparison, ScopeError> {
    let (first_data, second_data) = (first.specimens()?.dataset, second.specimens()?.dataset);
    let (first_decisions, second_decisions) = (first.all::<Decision>()?, second.all::<Decision>()?);
    let labels = [final_labels(&first_decisions), final_labels(&second_decisions)];
    let label = |side: usize, dataset: &Dataset, row: usize, field: Field| -> Option<String> {
        label_in_force(&labels[side], dataset, row, field).map(str::to_owned)
    };
    let mut comparison = Comparison {
        only_second: ids_missing_in(&second_data, &first_data),
        only_first: ids_missing_in(&first_data, &second_data),
        decisions: [&first_decisions, &second_decisions].map(Vec::<Entry<Decision>>::len),
        ..Comparison::default()
    };
    for row in 0..first_data.len() {
        let specimen = first_data.id(row);
        let Some(other) = second_data.row_of(specimen) else { continue };
        comparison.shared += 1;
        if first_data.sequence(row) != second_data.sequence(other) {
            let specimen = specimen.to_owned();
            comparison.differences.push(Difference { specimen, field: None, first: None, second: None });
        }
        for field in Field::ALL {
            let (first, second) = (label(0, &first_data, row, field), label(1, &second_data, other, field));
            if first != second {
                let specimen = specimen.to_owned();
                comparison.differences.push(Difference { specimen, field: Some(field), first, second });
            }
        }
    }
    Ok(comparison)
}

fn ids_missing_in(dataset: &Dataset, other: &Dataset) -> Vec<String> {
    let ids = (0..dataset.len()).map(|row| dataset.id(row));
    ids.filter(|id| other.row_of(id).is_none()).map(str::to_owned).collect()
}
