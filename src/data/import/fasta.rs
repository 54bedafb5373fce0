//! Records of a FASTA file, in bounded memory.

use super::error::ImportError;
use super::lines::{Line, Lines};
use super::sequence::Normaliser;

/// A header longer than this is cut, in bytes.
const LONGEST_HEADER: usize = 64 * 1024;

/// Whether text begins as FASTA does, after blank lines and comments.
pub(super) fn is_fasta(head: &[u8]) -> bool {
    let mut lines = head.split(|&byte| byte == b'\n' || byte == b'\r').map(<[u8]>::trim_ascii);
    lines
        .find(|line| !line.is_empty() && !line.starts_with(b";") && !line.starts_with(b"#"))
        .is_some_and(|line| line.starts_with(b">"))
}

/// Headers and letters of the records at the start of a file, at most `most`, for a first look; the last may be cut off.
pub(super) fn first_records(head: &[u8], most: usize) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(head);
    let records = text.split('>').skip(1).filter(|record| !record.trim().is_empty()).take(most);
    let parts = records.map(|record| {
        let (header, letters) = record.split_once(['\n', '\r']).unwrap_or((record, ""));
        vec![header.trim().to_owned(), letters.split_whitespace().collect()]
    });
    parts.collect()
}

/// The header of a record; its letters are [`FastaReader::sequence`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FastaRecord {
    /// The header without '>', trimmed.
    pub(super) header: String,
    /// Its line.
    pub(super) line: u32,
    /// More than one '>' stood before it.
    pub(super) prefixed: bool,
    /// It was no UTF-8.
    pub(super) latin1: bool,
    /// A carriage return within it was removed.
    pub(super) stray_carriage_return: bool,
    /// It stood on the line of the sequence before it.
    pub(super) no_line_end_before: bool,
    /// The file is damaged within this record.
    pub(super) truncated: bool,
}

/// Reads a FASTA file record by record.
pub(super) struct FastaReader<'m> {
    lines: Lines<'m>,
    sequence: Normaliser,
    with_sequences: bool,
    next: Option<FastaRecord>,
    skipped_lines: usize,
}

impl<'m> FastaReader<'m> {
    /// Sequences are held up to `limit` bases.
    pub(super) fn new(lines: Lines<'m>, limit: usize) -> Self {
        Self { lines, sequence: Normaliser::new(limit), with_sequences: true, next: None, skipped_lines: 0 }
    }

    /// Reads headers only.
    pub(super) fn headers_only(lines: Lines<'m>) -> Self {
        Self { with_sequences: false, ..Self::new(lines, 0) }
    }

    /// The letters of the record that [`Self::advance`] went to.
    pub(super) fn sequence(&self) -> &Normaliser {
        &self.sequence
    }

    /// Lines with text before the first header.
    pub(super) fn skipped_lines(&self) -> usize {
        self.skipped_lines
    }

    pub(super) fn lines(&self) -> &Lines<'m> {
        &self.lines
    }

    pub(super) fn into_lines(self) -> Lines<'m> {
        self.lines
    }

    /// Goes to the next record.
    ///
    /// # Errors
    /// If the file cannot be read, or the watcher cancels.
    pub(super) fn advance(&mut self) -> Result<Option<FastaRecord>, ImportError> {
        self.sequence.clear();
        let mut record = self.next.take();
        while let Some(line) = self.lines.advance()? {
            let bytes = self.lines.bytes();
            if bytes.first() == Some(&b'>') {
                let following = self.header(line, 0);
                match record.replace(following) {
                    Some(whole) => {
                        self.next = record;
                        return Ok(Some(whole));
                    }
                    None => continue,
                }
            }
            if record.is_none() {
                let is_text = !bytes.trim_ascii().is_empty() && !bytes.starts_with(b";") && !bytes.starts_with(b"#");
                self.skipped_lines += usize::from(is_text);
                continue;
            }
            if bytes.first() == Some(&b';') {
                continue;
            }
            let mark = bytes.iter().position(|&byte| byte == b'>');
            if self.with_sequences {
                self.sequence.push(&bytes[..mark.unwrap_or(bytes.len())]);
            }
            if let Some(mark) = mark {
                self.next = Some(FastaRecord { no_line_end_before: true, ..self.header(line, mark) });
                return Ok(record);
            }
        }
        if let Some(last) = &mut record {
            last.truncated = self.lines.damage().is_some();
        }
        Ok(record)
    }

    fn header(&mut self, line: Line, mark: usize) -> FastaRecord {
        let raw = &self.lines.bytes()[mark..];
        let raw = raw[..raw.len().min(LONGEST_HEADER)].to_vec();
        let (text, latin1) = self.lines.text(&raw);
        let text = text.trim();
        let bare = text.trim_start_matches(['>', ' ', '\t']);
        let marks = text.len() - text.trim_start_matches('>').len();
        FastaRecord {
            header: bare.replace('\r', ""),
            line: line.number,
            prefixed: marks > 1,
            latin1,
            stray_carriage_return: bare.contains('\r'),
            no_line_end_before: false,
            truncated: false,
        }
    }
}
