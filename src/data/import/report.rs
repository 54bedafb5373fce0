//! What happened while files were read: nothing is left out or changed without a line here.

use super::mapping::ColumnMapping;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::key::ContentHash;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Why a record is not in the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// It has no sequence.
    NoSequence,
    /// It is of a marker that was not asked for.
    OtherMarker,
    /// It has fewer A, C, G and T than asked for.
    TooShort,
    /// It has more bases than asked for.
    TooLong,
    /// More than a tenth of its letters stand for no base: a protein, or no sequence at all.
    NotNucleotides,
    /// The file ends within it.
    Truncated,
    /// Its line is too long to be a record.
    Unreadable,
}

impl LeftOutReason {
    /// The name in reports.
    pub fn key(self) -> &'static str {
        match self {
            Self::NoSequence => "no_sequence",
            Self::OtherMarker => "other_marker",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::NotNucleotides => "not_nucleotides",
            Self::Truncated => "truncated",
            Self::Unreadable => "unreadable",
        }
    }

    /// In a biologist's words, after "N records".
    pub fn words(self) -> &'static str {
        match self {
            Self::NoSequence => "without a sequence",
            Self::OtherMarker => "of another marker",
            Self::TooShort => "with too few bases",
            Self::TooLong => "with too many bases",
            Self::NotNucleotides => "whose letters are not nucleotides",
            Self::Truncated => "cut off by the end of the file",
            Self::Unreadable => "on a line too long to read",
        }
    }
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// What was put right, or could not be used as it stood, in a record or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Gaps, blanks or line numbers within the sequence were removed.
    GapsRemoved,
    /// The sequence was written in lower case.
    LowerCase,
    /// U was read as T.
    UToT,
    /// N at the end of the sequence was removed.
    TrailingN,
    /// Characters that stand for no base were read as N.
    LettersReplaced,
    /// The id was taken: `#2`, `#3`, … was appended.
    RepeatedId,
    /// The id was missing: the record got the number of its row.
    MissingId,
    /// A '>' before the id was dropped.
    IdPrefix,
    /// A line was no UTF-8 and was read as Windows-1252 (Latin-1).
    Latin1,
    /// A carriage return within a line was removed.
    StrayCarriageReturn,
    /// A row had more or fewer fields than the table has columns.
    RaggedRow,
    /// A quotation mark was never closed and was read as a letter.
    UnclosedQuote,
    /// The header line stood again among the rows and was skipped.
    RepeatedHeader,
    /// A header stood on the line of the sequence before it.
    MissingLineEnd,
    /// Text before the first header of a FASTA file, or before the header of a table, was skipped.
    TextBeforeFirstHeader,
    /// A position outside the globe, or not a position, was read as missing.
    Coordinates,
    /// A placeholder such as `Chironomidae_X` or `Agabus sp.` was read as a missing name.
    PlaceholderName,
    /// The species column holds only the epithet; the genus was put before it.
    EpithetJoined,
    /// A compressed file ends early or is damaged; what could be read was read.
    DamagedFile,
    /// Several rows of a label table that fit the record contradict each other; what they disagree on is missing.
    AmbiguousLabels,
    /// A label table says otherwise than the file of the sequences, which was believed.
    LabelConflict,
    /// A row of a label table fits no record.
    UnmatchedLabels,
}

impl Repair {
    /// The name in reports.
    pub fn key(self) -> &'static str {
        match self {
            Self::GapsRemoved => "gaps_removed",
            Self::LowerCase => "lower_case",
            Self::UToT => "u_to_t",
            Self::TrailingN => "trailing_n",
            Self::LettersReplaced => "letters_replaced",
            Self::RepeatedId => "repeated_id",
            Self::MissingId => "missing_id",
            Self::IdPrefix => "id_prefix",
            Self::Latin1 => "latin1",
            Self::StrayCarriageReturn => "stray_carriage_return",
            Self::RaggedRow => "ragged_row",
            Self::UnclosedQuote => "unclosed_quote",
            Self::RepeatedHeader => "repeated_header",
            Self::MissingLineEnd => "missing_line_end",
            Self::TextBeforeFirstHeader => "text_before_first_header",
            Self::Coordinates => "coordinates",
            Self::PlaceholderName => "placeholder_name",
            Self::EpithetJoined => "epithet_joined",
            Self::DamagedFile => "damaged_file",
            Self::AmbiguousLabels => "ambiguous_labels",
            Self::LabelConflict => "label_conflict",
            Self::UnmatchedLabels => "unmatched_labels",
        }
    }

    /// Whether each case is told with its line; the others are normal in real files and only counted.
    pub(super) fn is_listed(self) -> bool {
        !matches!(
            self,
            Self::GapsRemoved
                | Self::LowerCase
                | Self::UToT
                | Self::TrailingN
                | Self::IdPrefix
                | Self::Latin1
                | Self::StrayCarriageReturn
                | Self::PlaceholderName
                | Self::EpithetJoined
        )
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// What a line of the report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The record is not in the dataset.
    LeftOut(LeftOutReason),
    /// The record is in the dataset, or the line was none; something was put right.
    Repaired(Repair),
}

impl Event {
    /// `left_out` or `repaired`.
    pub fn status(self) -> &'static str {
        match self {
            Self::LeftOut(_) => "left_out",
            Self::Repaired(_) => "repaired",
        }
    }

    /// The reason or the kind of repair.
    pub fn reason(self) -> &'static str {
        match self {
            Self::LeftOut(reason) => reason.key(),
            Self::Repaired(repair) => repair.key(),
        }
    }
}

/// One record or line that was left out or put right.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReportEntry {
    /// Index into [`ImportReport::files`].
    pub file: u32,
    /// Line of the record's first letter, from 1; 0 where the whole file is meant.
    pub line: u32,
    /// The record's id as it stands in the file; empty where there is none.
    pub id: String,
    /// What happened.
    pub event: Event,
    /// Bases of the record.
    pub length: u32,
    /// What exactly: the other marker, the new id, the position that was none.
    pub detail: Option<Box<str>>,
}

/// How one file was read.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct FileReport {
    /// As the user named it.
    pub path: PathBuf,
    /// Layout: "FASTA", "BIOSCAN-5M", …, "table".
    pub layout: String,
    /// "none", "gzip" or "zstd".
    pub compression: Cow<'static, str>,
    /// "UTF-8", "UTF-8 with BOM", "UTF-16", "Latin-1 in places".
    pub encoding: String,
    /// "LF", "CRLF", "mixed", "CR".
    pub line_ends: Cow<'static, str>,
    /// Columns of a table.
    pub columns: Vec<String>,
    /// Which column was read as what; `None` for FASTA.
    pub mapping: Option<ColumnMapping>,
    /// Whether it gave labels to the records of other files.
    pub labels_only: bool,
    /// Records (of a label table: rows) read.
    pub records_read: usize,
    /// Records kept; of a label table: rows that fit a record.
    pub records_kept: usize,
    /// Hash of the bytes on disk.
    pub sha256: ContentHash,
}

/// Lengths of the barcodes that were kept, in bases.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Lengths {
    /// Shortest barcode.
    pub shortest: u32,
    /// Half of the barcodes are at most this long.
    pub median: u32,
    /// Longest barcode.
    pub longest: u32,
    /// Mean length.
    pub mean: f64,
}

/// How much of a label there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LabelCount {
    /// Specimens that carry it.
    pub labelled: usize,
    /// Different names.
    pub distinct: usize,
}

/// What became of every record; `records_read` is `records_kept` and all that was left out.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct ImportReport {
    /// Records with or without a sequence; rows of label tables are none.
    pub records_read: usize,
    /// Records in the dataset.
    pub records_kept: usize,
    /// Records left out, by reason.
    pub left_out: BTreeMap<LeftOutReason, usize>,
    /// Repairs, by kind: records or lines put right.
    pub repaired: BTreeMap<Repair, usize>,
    /// Kept records that are unusual, by the name of the flag.
    pub flagged: BTreeMap<Cow<'static, str>, usize>,
    /// Different barcodes among the records kept.
    pub unique_barcodes: usize,
    /// Records whose id another record had before.
    pub repeated_ids: usize,
    /// Kept records for which a label table was given and none of its rows fits.
    pub records_without_label_row: usize,
    /// Lengths of the barcodes kept.
    pub lengths: Lengths,
    /// Letters of the barcodes kept.
    pub letters: u64,
    /// Letters of the barcodes kept that are not A, C, G or T.
    pub ambiguous_letters: u64,
    /// Labels of the records kept; fields that nobody has are absent.
    pub labels: BTreeMap<Field, LabelCount>,
    /// Markers of the records left out for their marker, as the files write them.
    pub other_markers: BTreeMap<String, usize>,
    /// The files, in the order of [`Dataset::files`].
    pub files: Vec<FileReport>,
    /// Every record left out and every repair that is worth a line.
    #[serde(skip)]
    pub entries: Vec<ReportEntry>,
}

impl ImportReport {
    /// Number of records left out, for whatever reason.
    pub fn left_out_total(&self) -> usize {
        self.left_out.values().sum()
    }

    pub(super) fn leave_out(&mut self, reason: LeftOutReason, at: ReportEntry) {
        *self.left_out.entry(reason).or_default() += 1;
        self.entries.push(ReportEntry { event: Event::LeftOut(reason), ..at });
    }

    pub(super) fn count(&mut self, repair: Repair) {
        *self.repaired.entry(repair).or_default() += 1;
    }

    /// Fills in what the finished dataset tells.
    pub(super) fn describe(&mut self, dataset: &Dataset) {
        self.records_kept = dataset.len();
        self.unique_barcodes = dataset.unique_len();
        self.repeated_ids = self.repaired.get(&Repair::RepeatedId).copied().unwrap_or(0);
        let mut lengths: Vec<u32> = (0..dataset.len()).map(|row| dataset.sequence(row).len() as u32).collect();
        lengths.sort_unstable();
        self.letters = lengths.iter().map(|&length| u64::from(length)).sum();
        if let (Some(&shortest), Some(&longest)) = (lengths.first(), lengths.last()) {
            let mean = self.letters as f64 / lengths.len() as f64;
            self.lengths = Lengths { shortest, median: lengths[(lengths.len() - 1) / 2], longest, mean };
        }
        for row in 0..dataset.len() {
            dataset.flags(row).names().for_each(|name| *self.flagged.entry(name.into()).or_default() += 1);
        }
        for field in Field::ALL {
            let column = dataset.labels(field);
            if column.distinct() > 0 {
                let count = LabelCount { labelled: column.labelled(), distinct: column.distinct() };
                self.labels.insert(field, count);
            }
        }
    }

    /// One sentence: how many records there were and why none could be used.
    pub(super) fn why_nothing_was_kept(&self) -> String {
        if self.records_read == 0 {
            return "no record was found".into();
        }
        let reasons: Vec<String> = self
            .left_out
            .iter()
            .map(|(&reason, count)| {
                let markers = self.other_markers.iter().map(|(marker, count)| format!("{count} {marker}"));
                let note = match reason {
                    LeftOutReason::OtherMarker => format!(" ({})", markers.take(6).collect::<Vec<_>>().join(", ")),
                    _ => String::new(),
                };
                format!("{count} {}{note}", reason.words())
            })
            .collect();
        format!("none of the {} records can be used: {}", self.records_read, reasons.join("; "))
    }
}
