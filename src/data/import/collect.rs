//! From what readers find to the dataset and the report: which records are kept, under which id, with which labels.

use super::ImportOptions;
use super::header::HeaderLabels;
use super::known::KnownLabels;
use super::labels::{Joined, LabelTable};
use super::names::marker_key;
use super::report::{Event, ImportReport, LeftOutReason, Repair, ReportEntry};
use super::row::Labels;
use super::sequence::Normaliser;
use crate::data::dataset::{Dataset, DatasetBuilder, Flags, LabelCodes, Origin, Row};
use crate::data::taxonomy::Field;
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Marker that keeps every record, whatever its marker.
const ANY_MARKER: &str = "ALL";

/// Sets of labels whose codes are remembered at a time.
const MOST_CODED: usize = 1 << 16;

/// Labels of a record.
pub(super) enum FoundLabels<'a> {
    /// Read from its header: a label table knows better.
    Header(Box<Labels<'a>>),
    /// Those of the cells of its row, which others may have, too.
    Cells(&'a Arc<KnownLabels>),
}

impl<'a> FoundLabels<'a> {
    /// What a header says.
    pub(super) fn of_header(header: &'a HeaderLabels) -> Self {
        Self::Header(Box::new(Field::ALL.map(|field| header.get(field).map(Cow::Borrowed))))
    }
}

/// A record as a reader found it.
pub(super) struct Found<'a> {
    pub(super) file: u32,
    pub(super) line: u32,
    /// Its id, or empty.
    pub(super) id: &'a str,
    /// Its number in the file, from 1.
    pub(super) number: usize,
    /// Its marker, or empty.
    pub(super) marker: &'a str,
    pub(super) sequence: &'a Normaliser,
    pub(super) labels: FoundLabels<'a>,
    pub(super) coordinates: Option<[f32; 2]>,
    /// Values of the dataset's text columns; missing ones are empty.
    pub(super) text: Vec<Cow<'a, str>>,
    pub(super) repairs: Vec<(Repair, Option<String>)>,
    /// The reader could not read it whole.
    pub(super) broken: Option<LeftOutReason>,
}

impl<'a> Found<'a> {
    /// A record of a dataset with so many text columns.
    pub(super) fn new(
        file: u32,
        line: u32,
        number: usize,
        sequence: &'a Normaliser,
        labels: FoundLabels<'a>,
        text_columns: usize,
    ) -> Self {
        Self {
            file,
            line,
            id: "",
            number,
            marker: "",
            sequence,
            labels,
            coordinates: None,
            text: vec![Cow::Borrowed(""); text_columns],
            repairs: Vec::new(),
            broken: None,
        }
    }
}

/// Collects the dataset and the report.
pub(super) struct Collector<'o> {
    pub(super) builder: DatasetBuilder,
    pub(super) report: ImportReport,
    pub(super) label_tables: Vec<LabelTable>,
    markers: Vec<String>,
    options: &'o ImportOptions,
    /// The codes of labels that many rows have, by their address, which no others get while these are held.
    coded: HashMap<*const KnownLabels, (Arc<KnownLabels>, LabelCodes), RandomState>,
}

impl<'o> Collector<'o> {
    pub(super) fn new(name: String, text_columns: Vec<String>, options: &'o ImportOptions) -> Self {
        Self {
            builder: DatasetBuilder::new(name, text_columns),
            report: ImportReport::default(),
            label_tables: Vec::new(),
            markers: options.markers.iter().map(|marker| marker_key(marker)).collect(),
            options,
            coded: HashMap::default(),
        }
    }

    /// What was collected so far as a dataset; what comes next goes into another one.
    pub(super) fn finish_part(&mut self) -> Dataset {
        self.coded.clear();
        self.builder.finish_part()
    }

    /// Counts a repair, and gives it a line where it is worth one.
    pub(super) fn note(&mut self, repair: Repair, entry: ReportEntry) {
        self.report.count(repair);
        if repair.is_listed() {
            self.report.entries.push(entry);
        }
    }

    /// Keeps a record or leaves it out. Answers whether it was kept.
    pub(super) fn add(&mut self, found: Found<'_>) -> bool {
        self.report.records_read += 1;
        let row_name;
        let id = if found.id.is_empty() {
            row_name = format!("row{}", found.number);
            row_name.as_str()
        } else {
            found.id
        };
        let length = u32::try_from(found.sequence.length()).unwrap_or(u32::MAX);
        let entry = |event, detail: Option<String>| ReportEntry {
            file: found.file,
            line: found.line,
            id: id.to_owned(),
            event,
            length,
            detail: detail.map(String::into_boxed_str),
        };
        if let Some((reason, detail)) = self.reason_to_leave_out(&found) {
            if reason == LeftOutReason::OtherMarker {
                *self.report.other_markers.entry(found.marker.to_owned()).or_default() += 1;
            }
            self.report.leave_out(reason, entry(Event::LeftOut(reason), detail));
            return false;
        }
        let mut repairs: Vec<(Repair, Option<String>)> =
            found.sequence.repairs().map(|repair| (repair, None)).chain(found.repairs).collect();
        let mut text = found.text;
        let mut coordinates = found.coordinates;
        let labels = if self.label_tables.is_empty() {
            match found.labels {
                FoundLabels::Cells(known) => self.codes_of(known),
                FoundLabels::Header(labels) => codes(&mut self.builder, &labels),
            }
        } else {
            let is_header = matches!(found.labels, FoundLabels::Header(_));
            let labels = match found.labels {
                FoundLabels::Cells(known) => known.labels(),
                FoundLabels::Header(labels) => *labels,
            };
            let mut values = Values { labels, coordinates, text };
            let mut joined = false;
            for table in &mut self.label_tables {
                if let Some(more) = table.join(id, found.marker) {
                    joined = true;
                    values.join(more, is_header, &mut repairs);
                }
            }
            self.report.records_without_label_row += usize::from(!joined);
            (text, coordinates) = (values.text, values.coordinates);
            codes(&mut self.builder, &values.labels)
        };

        let bases = found.sequence.bases();
        let ambiguous = bases.len() - usize::try_from(found.sequence.acgt()).unwrap_or(usize::MAX).min(bases.len());
        self.report.ambiguous_letters += ambiguous as u64;
        let renamed = self.builder.push_row(&Row {
            id,
            sequence: bases,
            labels,
            coordinates,
            other: &text,
            origin: Origin { file: found.file, line: found.line },
            flags: Flags::of_letters(bases.len(), ambiguous),
        });
        if let Some(new) = renamed {
            repairs.push((Repair::RepeatedId, Some(new)));
        }
        let entries: Vec<ReportEntry> =
            repairs.into_iter().map(|(repair, detail)| entry(Event::Repaired(repair), detail)).collect();
        for entry in entries {
            if let Event::Repaired(repair) = entry.event {
                self.note(repair, entry);
            }
        }
        true
    }

    fn codes_of(&mut self, known: &Arc<KnownLabels>) -> LabelCodes {
        if !known.remembered {
            return codes(&mut self.builder, &known.labels());
        }
        if let Some((_, codes)) = self.coded.get(&Arc::as_ptr(known)) {
            return *codes;
        }
        if self.coded.len() == MOST_CODED {
            self.coded.clear();
        }
        let codes = codes(&mut self.builder, &known.labels());
        self.coded.insert(Arc::as_ptr(known), (Arc::clone(known), codes));
        codes
    }

    fn reason_to_leave_out(&self, found: &Found<'_>) -> Option<(LeftOutReason, Option<String>)> {
        let sequence = found.sequence;
        if let Some(reason) = found.broken {
            return Some((reason, None));
        }
        if sequence.is_empty() {
            return Some((LeftOutReason::NoSequence, None));
        }
        if !self.is_wanted(found.marker) {
            return Some((LeftOutReason::OtherMarker, Some(found.marker.to_owned())));
        }
        if sequence.is_not_nucleotides() {
            return Some((LeftOutReason::NotNucleotides, None));
        }
        if sequence.acgt() < self.options.min_length as u64 {
            return Some((LeftOutReason::TooShort, Some(format!("{} A, C, G, T", sequence.acgt()))));
        }
        if sequence.length() > self.options.max_length as u64 {
            return Some((LeftOutReason::TooLong, None));
        }
        None
    }

    fn is_wanted(&self, marker: &str) -> bool {
        let key = marker_key(marker);
        key.is_empty() || self.markers.iter().any(|wanted| *wanted == key || wanted == ANY_MARKER)
    }
}

fn codes(builder: &mut DatasetBuilder, labels: &Labels<'_>) -> LabelCodes {
    builder.label_codes(&std::array::from_fn(|field| labels[field].as_deref()))
}

struct Values<'a> {
    labels: Labels<'a>,
    coordinates: Option<[f32; 2]>,
    text: Vec<Cow<'a, str>>,
}

impl<'a> Values<'a> {
    /// Adds what a label table says. It is believed over what was read from a header, not over a table with the sequences.
    fn join(&mut self, more: Joined<'a>, from_header: bool, repairs: &mut Vec<(Repair, Option<String>)>) {
        repairs.extend(more.problems);
        for (field, (own, other)) in Field::ALL.into_iter().zip(self.labels.iter_mut().zip(more.labels)) {
            match (own.as_deref(), other) {
                (Some(mine), Some(theirs)) if mine != theirs => {
                    let said = format!("{field}: '{mine}' with the sequence, '{theirs}' in the label table");
                    repairs.push((Repair::LabelConflict, Some(said)));
                    if from_header {
                        *own = Some(theirs);
                    }
                }
                (None, theirs) => *own = theirs,
                _ => {}
            }
        }
        self.coordinates = self.coordinates.or(more.coordinates);
        for (place, value) in more.text {
            if self.text[place].is_empty() {
                self.text[place] = value;
            }
        }
    }
}
