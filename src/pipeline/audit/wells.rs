//! Where specimens stood on their plates: DNA splashes into the next well.

use crate::data::dataset::Dataset;

/// Names of columns that hold a plate, and a well.
const PLATE: [&str; 4] = ["plate", "plate_id", "plateid", "plate id"];
const WELL: [&str; 5] = ["well", "well_id", "position", "well_position", "well id"];

/// Plates and wells of a file.
pub(super) struct Wells<'a> {
    dataset: &'a Dataset,
    /// Index of the column of plates and of wells.
    columns: Option<[usize; 2]>,
}

impl<'a> Wells<'a> {
    pub(super) fn new(dataset: &'a Dataset) -> Self {
        let column = |names: &[&str]| {
            dataset.other_columns().iter().position(|name| names.contains(&name.trim().to_lowercase().as_str()))
        };
        Self { dataset, columns: column(&PLATE).zip(column(&WELL)).map(|(plate, well)| [plate, well]) }
    }

    /// The wells of two specimens of one plate that stood side by side or corner to corner.
    pub(super) fn beside(&self, a: usize, b: usize) -> Option<[&'a str; 2]> {
        let [plate, well] = self.columns?;
        let plates = [a, b].map(|row| self.dataset.other(row, plate));
        let wells = [a, b].map(|row| self.dataset.other(row, well));
        let [first, second] = wells.map(parsed);
        let ([row, column], [other_row, other_column]) = (first?, second?);
        let is_near = row.abs_diff(other_row) <= 1 && column.abs_diff(other_column) <= 1;
        (!plates[0].is_empty() && plates[0] == plates[1] && is_near && first != second).then_some(wells)
    }
}

/// Row and column of a well such as `B07`.
fn parsed(well: &str) -> Option<[u32; 2]> {
    let mut letters = well.trim().chars();
    let row = letters.next().filter(char::is_ascii_alphabetic)?.to_ascii_uppercase();
    let column = letters.as_str().parse().ok()?;
    Some([u32::from(row), column])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};

    #[test]
    fn neighbours_are_side_by_side_on_one_plate() {
        let mut builder = DatasetBuilder::new("x", vec!["Plate".into(), "Well".into()]);
        for (row, (plate, well)) in
            [("P1", "A1"), ("P1", "b02"), ("P1", "A03"), ("P2", "A2"), ("", "A2"), ("P1", "A1"), ("P1", "?")]
                .into_iter()
                .enumerate()
        {
            builder.push(Record {
                id: format!("s{row}"),
                sequence: b"ACGT".repeat(20),
                other: vec![plate.into(), well.into()],
                ..Record::default()
            });
        }
        let dataset = builder.finish();
        let wells = Wells::new(&dataset);
        assert_eq!(wells.beside(0, 1), Some(["A1", "b02"]));
        assert_eq!(wells.beside(1, 2), Some(["b02", "A03"]));
        for (a, b, why) in
            [(0, 2, "two apart"), (0, 3, "another plate"), (3, 4, "no plate"), (0, 5, "one well"), (0, 6, "no well")]
        {
            assert_eq!(wells.beside(a, b), None, "{why}");
        }
        let plain = DatasetBuilder::new("x", Vec::new()).finish();
        assert!(Wells::new(&plain).columns.is_none());
    }
}
