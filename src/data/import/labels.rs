//! Label tables: tables without sequences, whose rows give labels to the records of other files.

use super::error::ImportError;
use super::names::{marker_key, process_id_stem};
use super::report::{Event, Repair, ReportEntry};
use super::row::{Columns, Labels};
use super::table::{Fields, Table};
use crate::data::taxonomy::Field;
use std::borrow::Cow;
use std::collections::HashMap;

struct LabelRow {
    line: u32,
    fields: Fields,
    marker: String,
    matched: bool,
}

/// One label table, in memory.
pub(super) struct LabelTable {
    file: u32,
    columns: Columns,
    /// Places of the text columns among those of the dataset, in the order of [`Columns::text`].
    text_places: Vec<usize>,
    rows: Vec<LabelRow>,
    /// Rows by the value of the id column, and of every other column of ids.
    by_id: Vec<HashMap<Box<str>, Vec<u32>>>,
}

/// What label tables say of one record.
#[derive(Debug)]
pub(super) struct Joined<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) coordinates: Option<[f32; 2]>,
    /// Values of text columns, with their places in the dataset.
    pub(super) text: Vec<(usize, Cow<'a, str>)>,
    /// What was odd, in words.
    pub(super) problems: Vec<(Repair, Option<String>)>,
}

impl LabelTable {
    /// Reads a table; odd rows go to `entries`.
    ///
    /// # Errors
    /// If the file cannot be read, or the watcher cancels.
    pub(super) fn read(
        file: u32,
        columns: Columns,
        text_places: Vec<usize>,
        table: &mut Table<'_>,
        note: &mut dyn FnMut(Repair, ReportEntry),
    ) -> Result<Self, ImportError> {
        let mut by_id = vec![HashMap::new(); 1 + columns.other_ids.len()];
        let mut rows: Vec<LabelRow> = Vec::new();
        let mut fields = Fields::default();
        while let Some(facts) = table.next_row(&mut fields)? {
            let (id, _) = columns.id(&fields);
            let entry = |repair, detail: Option<String>| ReportEntry {
                file,
                line: facts.line,
                id: id.to_owned(),
                event: Event::Repaired(repair),
                length: 0,
                detail: detail.map(String::into_boxed_str),
            };
            if table.is_header(&fields) {
                note(Repair::RepeatedHeader, entry(Repair::RepeatedHeader, None));
                continue;
            }
            if facts.unreadable || facts.truncated {
                note(Repair::RaggedRow, entry(Repair::RaggedRow, Some("cut off; the row was not used".into())));
                continue;
            }
            facts.repairs.iter().for_each(|(repair, detail)| note(*repair, entry(*repair, detail.clone())));
            let number = rows.len() as u32;
            let ids = std::iter::once(id).chain(columns.other_ids.iter().map(|&column| fields.get(column).trim()));
            for (index, id) in by_id.iter_mut().zip(ids) {
                add(index, id, number);
            }
            rows.push(LabelRow {
                line: facts.line,
                marker: marker_key(columns.marker(&fields)),
                fields: fields.kept(),
                matched: false,
            });
        }
        Ok(Self { file, columns, text_places, rows, by_id })
    }

    /// Index of the file.
    pub(super) fn file(&self) -> usize {
        self.file as usize
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Number of rows that fit a record.
    pub(super) fn matched(&self) -> usize {
        self.rows.iter().filter(|row| row.matched).count()
    }

    /// What the rows say that fit a record with this id and marker (empty where it has none).
    pub(super) fn join(&mut self, id: &str, marker: &str) -> Option<Joined<'_>> {
        let fitting = self.fitting(id, &marker_key(marker));
        if fitting.is_empty() {
            return None;
        }
        fitting.iter().for_each(|&row| self.rows[row as usize].matched = true);
        Some(self.merge(&fitting))
    }

    fn fitting(&self, id: &str, marker: &str) -> Vec<u32> {
        let by = |id: &str| self.by_id.iter().find_map(|index| index.get(id));
        let Some(found) = by(id).or_else(|| process_id_stem(id).and_then(by)) else { return Vec::new() };
        let fits = |&row: &u32| {
            let of_row = self.rows[row as usize].marker.as_str();
            marker.is_empty() || of_row.is_empty() || of_row == marker
        };
        found.iter().copied().filter(fits).collect()
    }

    /// Values on which all rows agree; texts that differ are joined.
    fn merge(&self, fitting: &[u32]) -> Joined<'_> {
        let mut rows = fitting.iter().map(|&row| &self.rows[row as usize]);
        let first = rows.next().expect("at least one row fits");
        let mut values = self.columns.read(&first.fields);
        let mut problems = std::mem::take(&mut values.repairs);
        let mut disputed: Vec<&str> = Vec::new();
        let mut text: Vec<Cow<'_, str>> = self
            .columns
            .text
            .iter()
            .map(|&column| Cow::Borrowed(self.columns.text_of(&first.fields, column)))
            .collect();
        let mut lines = vec![first.line.to_string()];
        for row in rows {
            lines.push(row.line.to_string());
            let other = self.columns.read(&row.fields);
            for field in Field::ALL {
                if values.labels[field as usize] != other.labels[field as usize] && !disputed.contains(&field.key()) {
                    disputed.push(field.key());
                }
            }
            if values.coordinates != other.coordinates && !disputed.contains(&"coordinates") {
                disputed.push("coordinates");
            }
            for (said, &column) in text.iter_mut().zip(&self.columns.text) {
                let more = self.columns.text_of(&row.fields, column);
                if !more.is_empty() && !said.split("; ").any(|part| part == more) {
                    *said = if said.is_empty() { Cow::Borrowed(more) } else { Cow::Owned(format!("{said}; {more}")) };
                }
            }
        }
        for field in Field::ALL.into_iter().filter(|field| disputed.contains(&field.key())) {
            values.labels[field as usize] = None;
        }
        if disputed.contains(&"coordinates") {
            values.coordinates = None;
        }
        if !disputed.is_empty() {
            let detail = format!("lines {} disagree on {}", lines.join(", "), disputed.join(", "));
            problems.push((Repair::AmbiguousLabels, Some(detail)));
        }
        Joined {
            labels: values.labels,
            coordinates: values.coordinates,
            text: self.text_places.iter().copied().zip(text).collect(),
            problems,
        }
    }

    /// A line for every row that fits no record.
    pub(super) fn unmatched(&self) -> impl Iterator<Item = ReportEntry> {
        self.rows.iter().filter(|row| !row.matched).map(|row| ReportEntry {
            file: self.file,
            line: row.line,
            id: self.columns.id(&row.fields).0.to_owned(),
            event: Event::Repaired(Repair::UnmatchedLabels),
            length: 0,
            detail: None,
        })
    }
}

fn add(index: &mut HashMap<Box<str>, Vec<u32>>, id: &str, row: u32) {
    if id.is_empty() {
        return;
    }
    for key in [Some(id), process_id_stem(id)].into_iter().flatten() {
        index.entry(key.into()).or_default().push(row);
    }
}
