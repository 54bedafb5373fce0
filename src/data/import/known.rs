//! What the label cells of a table say, remembered: the same ones stand in many rows.

use super::report::Repair;
use super::row::{Columns, Labels, RowLabels};
use super::table::Fields;
use crate::data::taxonomy::Field;
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Rows with different labels that are remembered at a time: memory stays bounded where every row has its own.
const MOST: usize = 1 << 16;
/// A row whose label cells have more bytes than this is not remembered: so much is no name, and would take the memory of many.
const LONGEST: usize = 1 << 10;
/// Stands behind each cell of a key: no byte of a text.
const END: u8 = 0xff;

/// The labels of rows whose cells are the same, in one allocation.
#[derive(Debug, Default)]
pub(super) struct KnownLabels {
    text: String,
    places: [Option<(u32, u32)>; Field::ALL.len()],
    /// What was put right.
    pub(super) repairs: Vec<(Repair, Option<String>)>,
    /// Whether other rows may have them, too.
    pub(super) remembered: bool,
}

impl KnownLabels {
    fn new(RowLabels { labels, repairs }: RowLabels<'_>, remembered: bool) -> Self {
        let mut text = String::new();
        let places = labels.map(|label| {
            label.map(|label| {
                let start = text.len();
                text.push_str(&label);
                let at = |byte| u32::try_from(byte).expect("rows are bounded in length");
                (at(start), at(text.len()))
            })
        });
        Self { text, places, repairs, remembered }
    }

    /// The labels.
    pub(super) fn labels(&self) -> Labels<'_> {
        self.places.map(|place| place.map(|(start, end)| Cow::Borrowed(&self.text[start as usize..end as usize])))
    }
}

/// Reads the labels of rows, each set of cells once.
#[derive(Default)]
pub(super) struct LabelReader {
    known: HashMap<Box<[u8]>, Arc<KnownLabels>, RandomState>,
    key: Vec<u8>,
}

impl LabelReader {
    /// The labels of a row.
    pub(super) fn read(&mut self, columns: &Columns, fields: &Fields) -> Arc<KnownLabels> {
        self.key.clear();
        for cell in columns.label_cells(fields) {
            self.key.extend_from_slice(cell.as_bytes());
            self.key.push(END);
        }
        if let Some(known) = self.known.get(self.key.as_slice()) {
            return Arc::clone(known);
        }
        let remembered = self.key.len() <= LONGEST;
        let labels = Arc::new(KnownLabels::new(columns.read_labels(fields), remembered));
        if !remembered {
            return labels;
        }
        if self.known.len() == MOST {
            self.known.clear();
        }
        self.known.insert(self.key.as_slice().into(), Arc::clone(&labels));
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::super::mapping::ColumnMapping;
    use super::*;
    use proptest::prelude::*;

    const HEADER: [&str; 4] = ["family", "genus", "species", "bin_uri"];

    fn columns() -> Columns {
        let header = HEADER.map(str::to_owned);
        Columns::new(&ColumnMapping::guess(&header, &[]), &header)
    }

    fn fields(cells: &[&str]) -> Fields {
        let mut fields = Fields::default();
        fields.take(&cells.join("\t"), b'\t');
        fields
    }

    proptest! {
        /// Read for the first time or remembered, a row says what it says by itself, however its cells resemble another's.
        #[test]
        fn remembered_labels_are_those_of_the_row(
            rows in prop::collection::vec(prop::array::uniform4("(|a|Apis|Apis mellifera|mellifera|sp\\.|NA|AAA1234|Apis_X)"), 1..40)
        ) {
            let columns = columns();
            let mut reader = LabelReader::default();
            for row in &rows {
                let fields = fields(&row.each_ref().map(String::as_str));
                let known = reader.read(&columns, &fields);
                let RowLabels { labels, repairs } = columns.read_labels(&fields);
                prop_assert_eq!(known.labels(), labels);
                prop_assert_eq!(&known.repairs, &repairs);
            }
        }
    }

    #[test]
    fn cells_are_kept_apart_and_repairs_come_with_them() {
        let (columns, mut reader) = (columns(), LabelReader::default());
        let mut genus = |cells: &[&str]| {
            let known = reader.read(&columns, &fields(cells));
            (known.labels()[Field::Genus as usize].as_deref().map(str::to_owned), known.repairs.len())
        };
        assert_eq!(genus(&["Apidae", "", "", ""]), (None, 0));
        assert_eq!(genus(&["", "Apidae", "", ""]), (Some("Apidae".into()), 0));
        assert_eq!(genus(&["", "Apis", "mellifera", ""]), (Some("Apis".into()), 1));
        assert_eq!(genus(&["", "Apis", "mellifera", ""]), (Some("Apis".into()), 1));
    }

    #[test]
    fn cells_that_are_too_long_are_read_and_not_remembered() {
        let (columns, mut reader) = (columns(), LabelReader::default());
        let long = "a".repeat(LONGEST);
        for (family, is_remembered) in [(long.as_str(), false), ("Apidae", true)] {
            let fields = fields(&[family, "", "", ""]);
            let known = reader.read(&columns, &fields);
            let RowLabels { labels, .. } = columns.read_labels(&fields);
            assert_eq!((known.labels(), known.remembered), (labels, is_remembered));
            assert_eq!(reader.known.len(), usize::from(is_remembered));
        }
    }

    #[test]
    fn more_labels_than_are_remembered_are_read_right() {
        let (columns, mut reader) = (columns(), LabelReader::default());
        for round in 0..2 {
            for row in 0..MOST + 10 {
                let bin = format!("BOLD:AAA{row}");
                let known = reader.read(&columns, &fields(&["", "", "", &bin]));
                assert_eq!(known.labels()[Field::Bin as usize].as_deref(), Some(bin.as_str()), "{round}");
            }
            assert!(reader.known.len() <= MOST);
        }
    }
}
