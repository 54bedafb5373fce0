//! The records of tables: one thread splits and reads rows while this one collects those before them.

use super::collect::{Collector, Found, FoundLabels};
use super::known::{KnownLabels, LabelReader};
use super::report::{LeftOutReason, Repair, ReportEntry};
use super::row::Columns;
use super::sequence::Normaliser;
use super::table::{Fields, RowFacts, Table};
use super::{
    AfterEach, FileReport, ImportError, Inspection, Reading, file_entry, file_report, note_damage, note_skipped,
};
use crate::progress::Cancelled;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Letters after which rows are handed over; one row may be longer.
const BATCH: usize = 256 * 1024;
/// Batches that may wait to be collected.
const BATCHES_AHEAD: usize = 4;

/// A row, split and read.
struct SplitRow {
    facts: RowFacts,
    fields: Fields,
    sequence: Normaliser,
    labels: Arc<KnownLabels>,
    coordinates: Option<[f32; 2]>,
    /// It is the header over again.
    repeats_header: bool,
}

impl SplitRow {
    fn new(sequence: Normaliser) -> Self {
        Self {
            facts: RowFacts::default(),
            fields: Fields::default(),
            sequence,
            labels: Arc::default(),
            coordinates: None,
            repeats_header: false,
        }
    }

    /// Reads what was split.
    fn read(&mut self, facts: RowFacts, columns: &Columns, reader: &mut LabelReader) {
        self.facts = facts;
        self.sequence.clear();
        self.sequence.push(columns.sequence(&self.fields).as_bytes());
        self.labels = reader.read(columns, &self.fields);
        // Of labels first: so they stand in the report.
        let mut repairs = self.labels.repairs.clone();
        self.coordinates = columns.read_position(&self.fields, &mut repairs);
        self.facts.repairs.splice(..0, repairs);
    }
}

/// Rows that are handed over together. Their memory goes back to be filled again.
#[derive(Default)]
struct Batch {
    rows: Vec<SplitRow>,
    /// How many of them are filled.
    filled: usize,
    letters: usize,
}

impl Batch {
    fn filled(&self) -> &[SplitRow] {
        &self.rows[..self.filled]
    }

    /// A row to be filled.
    fn spare(&mut self, normaliser: impl Fn() -> Normaliser) -> &mut SplitRow {
        if self.filled == self.rows.len() {
            self.rows.push(SplitRow::new(normaliser()));
        }
        &mut self.rows[self.filled]
    }
}

/// What is known once all rows are split.
struct TableEnd {
    skipped_lines: usize,
    damage: Option<String>,
    report: FileReport,
}

impl Reading<'_> {
    /// Reads a table with sequences; `after_each` sees the collector after every record.
    pub(super) fn table(
        &self,
        file: u32,
        facts: &Inspection,
        collector: &mut Collector<'_>,
        after_each: &mut AfterEach<'_>,
    ) -> Result<FileReport, ImportError> {
        self.meter.stage("reading the barcodes");
        let (columns, places) = self.columns(facts);
        let (batches_out, batches) = sync_channel(BATCHES_AHEAD);
        let (spent_out, spent) = channel();
        let (collected, end) = std::thread::scope(|scope| {
            let columns = &columns;
            let splitting = scope.spawn(move || self.split_rows(facts, columns, &batches_out, &spent));
            let mut rows = RowCollector {
                file,
                columns,
                places: &places,
                text_columns: self.text_columns.len(),
                number: 0,
                kept: 0,
            };
            let collected = rows.collect(batches, &spent_out, collector, after_each).map(|()| rows);
            (collected, splitting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let (collected, end) = (collected?, end?);
        note_skipped(file, end.skipped_lines, collector);
        note_damage(file, end.damage.as_deref(), collector);
        Ok(FileReport { records_read: collected.number, records_kept: collected.kept, ..end.report })
    }

    /// Splits all rows and hands them over, until nobody listens.
    fn split_rows(
        &self,
        facts: &Inspection,
        columns: &Columns,
        batches: &SyncSender<Batch>,
        spent: &Receiver<Batch>,
    ) -> Result<TableEnd, ImportError> {
        let mut table = Table::new(self.open(&facts.path)?)?;
        let (mut batch, mut reader) = (Batch::default(), LabelReader::default());
        loop {
            let row = batch.spare(|| self.normaliser());
            let Some(found) = table.next_row(&mut row.fields)? else { break };
            row.repeats_header = !found.unreadable && table.is_header(&row.fields);
            row.read(found, columns, &mut reader);
            batch.letters += row.fields.letters();
            batch.filled += 1;
            if batch.letters >= BATCH {
                let next = Batch { filled: 0, letters: 0, ..spent.try_recv().unwrap_or_default() };
                batches.send(std::mem::replace(&mut batch, next)).map_err(|_| Cancelled)?;
            }
        }
        batches.send(batch).map_err(|_| Cancelled)?;
        let (skipped_lines, damage) = (table.skipped_lines(), table.lines().damage().map(str::to_owned));
        Ok(TableEnd { skipped_lines, damage, report: file_report(facts, table.into_lines(), 0, 0)? })
    }
}

/// Hands split rows to the collector.
struct RowCollector<'a> {
    file: u32,
    columns: &'a Columns,
    /// Places of the text columns among those of the dataset.
    places: &'a [usize],
    /// Text columns of the dataset.
    text_columns: usize,
    /// Records so far, and how many of them were kept.
    number: usize,
    kept: usize,
}

impl RowCollector<'_> {
    /// All rows, as they come. Whoever splits them is told to stop by the end of `batches`.
    fn collect(
        &mut self,
        batches: Receiver<Batch>,
        spent: &Sender<Batch>,
        collector: &mut Collector<'_>,
        after_each: &mut AfterEach<'_>,
    ) -> Result<(), ImportError> {
        for batch in batches {
            for row in batch.filled() {
                self.add(row, collector, after_each)?;
            }
            // At the end of the table nobody fills it again.
            let _ = spent.send(batch);
        }
        Ok(())
    }

    fn add(
        &mut self,
        SplitRow { facts, fields, sequence, labels, coordinates, repeats_header }: &SplitRow,
        collector: &mut Collector<'_>,
        after_each: &mut AfterEach<'_>,
    ) -> Result<(), ImportError> {
        let columns = self.columns;
        if *repeats_header {
            let entry =
                ReportEntry { line: facts.line, ..file_entry(self.file, Repair::RepeatedHeader, String::new()) };
            collector.note(Repair::RepeatedHeader, entry);
            return Ok(());
        }
        self.number += 1;
        let (id, prefixed) = columns.id(fields);
        let labels = FoundLabels::Cells(labels);
        let mut found = Found::new(self.file, facts.line, self.number, sequence, labels, self.text_columns);
        found.coordinates = *coordinates;
        found.id = id;
        found.marker = columns.marker(fields);
        for (&column, &place) in columns.text.iter().zip(self.places) {
            found.text[place] = Cow::Borrowed(columns.text_of(fields, column));
        }
        found.broken = if facts.unreadable {
            Some(LeftOutReason::Unreadable)
        } else {
            facts.truncated.then_some(LeftOutReason::Truncated)
        };
        found.repairs.extend(facts.repairs.iter().cloned());
        if prefixed {
            found.repairs.push((Repair::IdPrefix, None));
        }
        if id.is_empty() && columns.id.is_some() {
            found.repairs.push((Repair::MissingId, None));
        }
        self.kept += usize::from(collector.add(found));
        after_each(collector)
    }
}
