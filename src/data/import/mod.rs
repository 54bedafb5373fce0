//! Reading FASTA files and tables of any layout into a [`Dataset`].
//!
//! | step | where |
//! |---|---|
//! | bytes to lines: compression, encoding, line ends, hash | `source`, `lines` |
//! | lines to records: FASTA, tables | `fasta`, `table`, `rows` |
//! | headers to ids and labels; columns to labels | `header`, `names`, `taxa`; [`ColumnMapping`], `layouts`, `row`, `known` |
//! | tables without sequences, joined on the id | `labels` |
//! | letters to normalised barcodes | `sequence` |
//! | what is kept, what is left out, and why | `collect`, [`ImportReport`] |
//!
//! Files are read as streams, into one dataset ([`load`]) or part by part ([`load_in_parts`]). Bad input ends in an [`ImportError`] or in a line of the report: never in a panic, never in a
//! silent loss. `records_read` of the report is always `records_kept` and all that was left out.

mod collect;
mod error;
mod fasta;
mod header;
mod known;
mod labels;
mod layouts;
mod lines;
mod mapping;
mod names;
mod parts;
mod report;
mod row;
mod rows;
mod sequence;
mod source;
mod table;
mod taxa;

pub use error::ImportError;
pub use mapping::{ColumnMapping, Role};
pub use parts::{PartReader, load_in_parts};
pub use report::{Event, FileReport, ImportReport, LabelCount, LeftOutReason, Lengths, Repair, ReportEntry};

use crate::data::dataset::{Dataset, SourceFile};
use crate::progress::{Observer, Silent};
use collect::{Collector, Found, FoundLabels};
use fasta::{FastaReader, is_fasta};
use header::{Survey, id_of, labels_of};
use labels::LabelTable;
use lines::{Lines, Meter};
use row::Columns;
use sequence::Normaliser;
use source::Source;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use table::{Fields, Table};

/// Rows that are looked at to find out what the columns hold.
const SAMPLE_ROWS: usize = 200;
/// The text column that holds the headers of FASTA files.
pub const HEADER_COLUMN: &str = "header";

/// What is read and what is left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImportOptions {
    /// Which columns of tables hold what, where the guess is to be changed.
    pub mapping: Option<ColumnMapping>,
    /// Markers to keep, without regard to case and signs; records without a marker are always kept, `all` keeps every marker.
    pub markers: Vec<String>,
    /// Fewest A, C, G and T of a barcode.
    pub min_length: usize,
    /// Most bases of a barcode.
    pub max_length: usize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        let markers = ["COI-5P", "COI", "COX1", "CO1"].map(String::from).to_vec();
        Self { mapping: None, markers, min_length: 50, max_length: 3000 }
    }
}

/// What a file is, found out from its first lines.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The file.
    pub path: PathBuf,
    /// "FASTA", the name of a published layout, or "table".
    pub layout: String,
    /// Columns of a table; none for FASTA.
    pub columns: Vec<String>,
    /// Which column would be read as what; `None` for FASTA.
    pub mapping: Option<ColumnMapping>,
    /// The first rows of a table; of FASTA headers and letters as far as the first of the file hold them.
    pub sample: Vec<Vec<String>>,
    /// Size on disk in bytes.
    pub size: u64,
}

impl Inspection {
    fn is_fasta(&self) -> bool {
        self.mapping.is_none()
    }

    /// Whether the file holds sequences; otherwise it is a label table.
    pub fn has_sequences(&self) -> bool {
        self.mapping.as_ref().is_none_or(|mapping| mapping.column(Role::Sequence).is_some())
    }

    /// FASTA is read twice: an id is the first field of its header only if no other record has it.
    fn bytes_to_read(&self) -> u64 {
        if self.is_fasta() { 2 * self.size } else { self.size }
    }

    fn text_columns(&self) -> Vec<&str> {
        match &self.mapping {
            None => vec![HEADER_COLUMN],
            Some(mapping) => Columns::new(mapping, &self.columns)
                .text
                .into_iter()
                .map(|column| self.columns[column].as_str())
                .collect(),
        }
    }
}

/// Finds out what a file is without reading it whole: for showing the column mapping before the file is opened.
///
/// # Errors
/// If the file cannot be read or is neither FASTA nor a table.
pub fn inspect(path: &Path, options: &ImportOptions) -> Result<Inspection, ImportError> {
    let source = Source::open(path)?;
    let size = source.size();
    let fasta = is_fasta(source.head());
    let path = path.to_owned();
    if fasta {
        let sample = fasta::first_records(source.head(), SAMPLE_ROWS);
        return Ok(Inspection { path, layout: "FASTA".into(), columns: Vec::new(), mapping: None, sample, size });
    }
    let meter = Meter::new(&Silent, size);
    let mut table = Table::new(Lines::new(source, &meter))?;
    let mut sample = Vec::new();
    let mut fields = Fields::default();
    while sample.len() < SAMPLE_ROWS
        && let Some(facts) = table.next_row(&mut fields)?
    {
        if !facts.unreadable {
            sample.push(fields.iter().map(str::to_owned).collect::<Vec<_>>());
        }
    }
    let columns = table.columns().to_vec();
    let guess = ColumnMapping::guess(&columns, &sample);
    let mapping = options.mapping.as_ref().map_or(guess.clone(), |changes| guess.changed_by(changes, &columns));
    let layout = layouts::recognise(&columns).map_or("table", |layout| layout.name).to_owned();
    Ok(Inspection { path, layout, columns, mapping: Some(mapping), sample, size })
}

/// Reads files into one dataset. Tables without a sequence column give labels to the records of the others.
///
/// # Errors
/// If a file cannot be read or is neither FASTA nor a table, if no file holds sequences, if no record can be used (the error
/// holds the report), or if the watcher cancels.
pub fn load(
    paths: &[PathBuf],
    options: &ImportOptions,
    observer: &dyn Observer,
) -> Result<(Dataset, ImportReport), ImportError> {
    let files = paths.iter().map(|path| inspect(path, options)).collect::<Result<Vec<_>, _>>()?;
    check_files(&files, options)?;
    let text_columns = text_columns(&files);
    let mut collector = Collector::new(dataset_name(&files), text_columns.clone(), options);
    let total = files.iter().map(Inspection::bytes_to_read).sum();
    let reading = Reading { meter: Meter::new(observer, total), text_columns, options };
    let mut reports: Vec<Option<FileReport>> = files.iter().map(|_| None).collect();
    reading.meter.stage("reading the labels");
    for (index, file) in files.iter().enumerate().filter(|(_, file)| !file.has_sequences()) {
        reports[index] = Some(reading.label_table(index as u32, file, &mut collector)?);
    }
    for (index, file) in files.iter().enumerate().filter(|(_, file)| file.has_sequences()) {
        reports[index] = Some(reading.records(index as u32, file, &mut collector, &mut |_| Ok(()))?);
    }
    finish(collector, reports.into_iter().flatten().collect(), observer)
}

fn check_files(files: &[Inspection], options: &ImportOptions) -> Result<(), ImportError> {
    let Some(first) = files.first() else { return Err(ImportError::NoFiles) };
    let columns = || {
        let mut all: Vec<String> = Vec::new();
        files.iter().flat_map(|file| &file.columns).for_each(|column| {
            if !all.contains(column) {
                all.push(column.clone());
            }
        });
        all
    };
    for (role, column) in options.mapping.iter().flat_map(ColumnMapping::iter).filter(|(_, column)| !column.is_empty())
    {
        if !files.iter().any(|file| mapping::find_column(&file.columns, column).is_some()) {
            return Err(ImportError::UnknownColumn { role, column: column.to_owned(), columns: columns() });
        }
    }
    if !files.iter().any(Inspection::has_sequences) {
        return Err(ImportError::NoSequences { path: first.path.clone(), columns: first.columns.clone() });
    }
    Ok(())
}

/// The text columns of all files, each name once.
fn text_columns(files: &[Inspection]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for name in files.iter().flat_map(Inspection::text_columns) {
        if seen.insert(name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The name of the first file with sequences, without folder and endings.
fn dataset_name(files: &[Inspection]) -> String {
    let with_sequences: Vec<&Inspection> = files.iter().filter(|file| file.has_sequences()).collect();
    let name = with_sequences.first().map_or_else(String::new, |file| {
        file.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    });
    match with_sequences.len() {
        0 | 1 => name,
        count => format!("{name} and {} more", count - 1),
    }
}

fn finish(
    collector: Collector<'_>,
    mut files: Vec<FileReport>,
    observer: &dyn Observer,
) -> Result<(Dataset, ImportReport), ImportError> {
    let Collector { mut builder, mut report, label_tables, .. } = collector;
    for table in &label_tables {
        files[table.file()].records_kept = table.matched();
        for entry in table.unmatched() {
            report.count(Repair::UnmatchedLabels);
            report.entries.push(entry);
        }
    }
    for file in &files {
        builder.add_file(SourceFile { path: file.path.clone(), sha256: file.sha256 });
    }
    report.files = files;
    let dataset = builder.finish();
    report.describe(&dataset);
    warn(&report, observer);
    if dataset.is_empty() {
        return Err(ImportError::NothingUsable(Box::new(report)));
    }
    Ok((dataset, report))
}

/// Tells what a user should know before trusting the dataset.
fn warn(report: &ImportReport, observer: &dyn Observer) {
    for entry in &report.entries {
        if entry.event == Event::Repaired(Repair::DamagedFile) {
            let path = report.files[entry.file as usize].path.display();
            let problem = entry.detail.as_deref().unwrap_or_default();
            observer.warn(&format!("{path}: the file is damaged or cut off ({problem}); what could be read was read"));
        }
    }
    let count = |repair| report.repaired.get(&repair).copied().unwrap_or(0);
    if report.records_without_label_row > 0 {
        let (without, kept) = (report.records_without_label_row, report.records_kept);
        observer.warn(&format!("{without} of {kept} records are in no label table"));
    }
    let ambiguous = count(Repair::AmbiguousLabels);
    if ambiguous > 0 {
        observer.warn(&format!("{ambiguous} records fit several rows of a label table that contradict each other"));
    }
}

/// What is done after every record.
type AfterEach<'a> = dyn FnMut(&mut Collector<'_>) -> Result<(), ImportError> + 'a;

/// One reading of all files.
struct Reading<'a> {
    meter: Meter<'a>,
    text_columns: Vec<String>,
    options: &'a ImportOptions,
}

impl Reading<'_> {
    fn open(&self, path: &Path) -> Result<Lines<'_>, ImportError> {
        Ok(Lines::new(Source::open(path)?, &self.meter))
    }

    fn place(&self, column: &str) -> usize {
        self.text_columns.iter().position(|name| name == column).expect("the text columns of all files were gathered")
    }

    /// The columns of a table, and the places of its text columns among those of all files.
    fn columns(&self, facts: &Inspection) -> (Columns, Vec<usize>) {
        let columns = Columns::new(facts.mapping.as_ref().expect("a table has a mapping"), &facts.columns);
        let places = columns.text.iter().map(|&column| self.place(&facts.columns[column])).collect();
        (columns, places)
    }

    /// Sequences are held one base over the longest that is kept.
    fn normaliser(&self) -> Normaliser {
        Normaliser::new(self.options.max_length.saturating_add(1))
    }

    /// Reads a file with sequences; `after_each` sees the collector after every record.
    fn records(
        &self,
        file: u32,
        facts: &Inspection,
        collector: &mut Collector<'_>,
        after_each: &mut AfterEach<'_>,
    ) -> Result<FileReport, ImportError> {
        if facts.is_fasta() {
            self.fasta(file, facts, collector, after_each)
        } else {
            self.table(file, facts, collector, after_each)
        }
    }

    fn fasta(
        &self,
        file: u32,
        facts: &Inspection,
        collector: &mut Collector<'_>,
        after_each: &mut AfterEach<'_>,
    ) -> Result<FileReport, ImportError> {
        let survey = self.survey(&facts.path)?;
        self.meter.stage("reading the barcodes");
        let header_place = self.place(HEADER_COLUMN);
        let mut reader = FastaReader::new(self.open(&facts.path)?, self.options.max_length.saturating_add(1));
        let (mut number, mut kept) = (0, 0);
        while let Some(record) = reader.advance()? {
            number += 1;
            let labels = labels_of(&record.header, &survey);
            let of_header = FoundLabels::of_header(&labels);
            let mut found =
                Found::new(file, record.line, number, reader.sequence(), of_header, self.text_columns.len());
            found.id = id_of(&record.header, &survey);
            found.marker = labels.marker.as_deref().unwrap_or_default();
            found.text[header_place] = Cow::Borrowed(&record.header);
            found.broken = record.truncated.then_some(LeftOutReason::Truncated);
            let odd = [
                (record.prefixed, Repair::IdPrefix),
                (record.latin1, Repair::Latin1),
                (record.stray_carriage_return, Repair::StrayCarriageReturn),
                (record.no_line_end_before, Repair::MissingLineEnd),
                (found.id.is_empty(), Repair::MissingId),
            ];
            found.repairs.extend(odd.into_iter().filter_map(|(is, repair)| is.then_some((repair, None))));
            kept += usize::from(collector.add(found));
            after_each(collector)?;
        }
        note_skipped(file, reader.skipped_lines(), collector);
        note_damage(file, reader.lines().damage(), collector);
        file_report(facts, reader.into_lines(), number, kept)
    }

    fn survey(&self, path: &Path) -> Result<Survey, ImportError> {
        self.meter.stage("looking at the headers");
        let mut reader = FastaReader::headers_only(self.open(path)?);
        let mut survey = Survey::default();
        while let Some(record) = reader.advance()? {
            survey.add(&record.header);
        }
        reader.into_lines().finish()?;
        Ok(survey)
    }

    fn label_table(
        &self,
        file: u32,
        facts: &Inspection,
        collector: &mut Collector<'_>,
    ) -> Result<FileReport, ImportError> {
        let (columns, places) = self.columns(facts);
        let mut table = Table::new(self.open(&facts.path)?)?;
        let mut note = |repair, entry| collector.note(repair, entry);
        let labels = LabelTable::read(file, columns, places, &mut table, &mut note)?;
        note_skipped(file, table.skipped_lines(), collector);
        note_damage(file, table.lines().damage(), collector);
        let report = file_report(facts, table.into_lines(), labels.len(), 0)?;
        collector.label_tables.push(labels);
        Ok(report)
    }
}

fn file_entry(file: u32, repair: Repair, detail: String) -> ReportEntry {
    let detail = Some(detail).filter(|detail| !detail.is_empty()).map(String::into_boxed_str);
    ReportEntry { file, line: 0, id: String::new(), event: Event::Repaired(repair), length: 0, detail }
}

fn note_skipped(file: u32, lines: usize, collector: &mut Collector<'_>) {
    if lines > 0 {
        let entry = file_entry(file, Repair::TextBeforeFirstHeader, format!("{lines} lines"));
        collector.note(Repair::TextBeforeFirstHeader, entry);
    }
}

fn note_damage(file: u32, damage: Option<&str>, collector: &mut Collector<'_>) {
    if let Some(problem) = damage {
        collector.note(Repair::DamagedFile, file_entry(file, Repair::DamagedFile, problem.to_owned()));
    }
}

fn file_report(
    facts: &Inspection,
    lines: Lines<'_>,
    records_read: usize,
    records_kept: usize,
) -> Result<FileReport, ImportError> {
    Ok(FileReport {
        path: facts.path.clone(),
        layout: facts.layout.clone(),
        compression: lines.compression().into(),
        encoding: lines.encoding(),
        line_ends: lines.line_ends().into(),
        columns: facts.columns.clone(),
        mapping: facts.mapping.clone(),
        labels_only: !facts.has_sequences(),
        records_read,
        records_kept,
        sha256: lines.finish()?,
    })
}
