//! The specimens of a session as columns, so that it opens without the files that they came from, and fast.

use super::ScopeError;
use super::columns::{ColumnReader, ColumnWriter, Texts};
use crate::data::dataset::{DatasetBuilder, Flags, Origin, Row, SourceFile};
use crate::data::import::{ImportOptions, ImportReport};
use crate::data::taxonomy::Field;
use crate::key::{ContentHash, DatasetId};
use crate::pipeline::opened::Opened;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The part that holds them.
pub(super) const PART: &str = "specimens";

/// What is known about all of them.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    name: String,
    paths: Vec<PathBuf>,
    files: Vec<(PathBuf, ContentHash)>,
    columns: Vec<String>,
    report: ImportReport,
    /// Everything that was left out or put right, which the report itself does not write.
    entries: Vec<crate::data::import::ReportEntry>,
}

/// The specimens as bytes.
pub(super) fn encode(opened: &Opened) -> serde_json::Result<Vec<u8>> {
    let dataset = &*opened.dataset;
    let rows = 0..dataset.len();
    let mut out = ColumnWriter::default();
    out.facts(&Facts {
        name: dataset.name().to_owned(),
        paths: opened.paths.clone(),
        files: dataset.files().iter().map(|file| (file.path.clone(), file.sha256)).collect(),
        columns: dataset.other_columns().to_vec(),
        report: opened.report.clone(),
        entries: opened.report.entries.clone(),
    })?;
    out.texts(rows.clone().map(|row| dataset.id(row).as_bytes()));
    out.texts((0..dataset.unique_len()).map(|unique| dataset.unique_sequence(unique)));
    out.numbers(rows.clone().map(|row| dataset.unique_of(row) as u32));
    for field in Field::ALL {
        let labels = dataset.labels(field);
        out.texts(labels.names().iter().map(|name| name.as_bytes()));
        out.codes(rows.clone().map(|row| labels.code(row)));
    }
    for axis in 0..2 {
        out.numbers(rows.clone().map(|row| dataset.coordinates(row).map_or(f32::NAN, |place| place[axis])));
    }
    for column in 0..dataset.other_columns().len() {
        out.texts(rows.clone().map(|row| dataset.other(row, column).as_bytes()));
    }
    out.numbers(rows.clone().map(|row| dataset.origin(row).file));
    out.numbers(rows.clone().map(|row| dataset.origin(row).line));
    out.numbers(rows.map(|row| dataset.flags(row).bits()));
    Ok(out.bytes)
}

/// The specimens in these bytes; they must be the ones with this key.
pub(super) fn decode(path: &Path, bytes: &[u8], key: &DatasetId, reading: ImportOptions) -> Result<Opened, ScopeError> {
    let mut columns = ColumnReader::new(path, PART, bytes);
    let mut facts: Facts = columns.facts()?;
    let ids = columns.texts()?;
    let sequences = columns.texts()?;
    let unique_of: Vec<u32> = columns.column(ids.len())?;
    columns.ensure(unique_of.iter().all(|&unique| (unique as usize) < sequences.len()), "a barcode is missing")?;
    let labels = Labels::read(&mut columns, ids.len())?;
    let places: [Vec<f32>; 2] = [columns.column(ids.len())?, columns.column(ids.len())?];
    let mut other: Vec<Texts<'_>> = Vec::new();
    for _ in &facts.columns {
        let texts = columns.texts()?;
        columns.ensure(texts.len() == ids.len(), "a column is too long or too short")?;
        other.push(texts);
    }
    let origins: [Vec<u32>; 2] = [columns.column(ids.len())?, columns.column(ids.len())?];
    let flags: Vec<u8> = columns.column(ids.len())?;

    let mut builder = DatasetBuilder::new(facts.name, facts.columns);
    for (path, sha256) in facts.files {
        builder.add_file(SourceFile { path, sha256 });
    }
    let mut texts = vec![Cow::Borrowed(""); other.len()];
    for row in 0..ids.len() {
        for (text, column) in texts.iter_mut().zip(&other) {
            *text = Cow::Borrowed(columns.letters(column.get(row))?);
        }
        let place = [places[0][row], places[1][row]];
        let labels = builder.label_codes(&labels.of_row(row));
        builder.push_row(&Row {
            id: columns.letters(ids.get(row))?,
            sequence: sequences.get(unique_of[row] as usize),
            labels,
            coordinates: place.iter().all(|degrees| degrees.is_finite()).then_some(place),
            other: &texts,
            origin: Origin { file: origins[0][row], line: origins[1][row] },
            flags: Flags::from_bits(flags[row]).ok_or_else(|| columns.wrong("a flag means nothing"))?,
        });
    }
    let dataset = builder.finish();
    columns.ensure(dataset.key() == *key, "they are not the specimens that they should be")?;
    columns.end()?;
    facts.report.entries = facts.entries;
    Ok(Opened { paths: facts.paths, dataset: Arc::new(dataset), reading, report: facts.report })
}

/// The label columns, each as its names and codes.
struct Labels<'a>(Vec<(Vec<&'a str>, Vec<Option<u32>>)>);

impl<'a> Labels<'a> {
    fn read(columns: &mut ColumnReader<'a>, len: usize) -> Result<Self, ScopeError> {
        let mut all = Vec::new();
        for _ in Field::ALL {
            let texts = columns.texts()?;
            let names: Result<Vec<&str>, ScopeError> =
                (0..texts.len()).map(|code| columns.letters(texts.get(code))).collect();
            let names = names?;
            let codes = columns.codes(len, names.len())?;
            all.push((names, codes));
        }
        Ok(Self(all))
    }

    fn of_row(&self, row: usize) -> [Option<&'a str>; Field::ALL.len()] {
        std::array::from_fn(|field| {
            let (names, codes) = &self.0[field];
            codes[row].map(|code| names[code as usize])
        })
    }
}
