//! Rows of a table: delimiter, quotes, ragged rows. Every row keeps its line.
//!
//! Own splitting rather than the csv crate's: tables of barcodes hold quotation marks that are letters and carriage returns that
//! are no line ends, and a quotation mark that is never closed must cost one row and not the rest of the file.

use super::error::ImportError;
use super::lines::{Line, Lines};
use super::report::Repair;
use super::sequence::looks_like_sequence;
use std::collections::VecDeque;

/// More columns than any table of barcodes has.
const MOST_COLUMNS: usize = 10_000;
/// How many lines a quoted field may go on for.
const LONGEST_QUOTE: usize = 100;

/// The fields of one row in one allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    text: String,
    ends: Vec<u32>,
    /// Bytes between the end of a field and the start of the next: a row that needs no change keeps its delimiters.
    gap: u32,
}

impl Fields {
    /// Field `index`; empty where the row has no such field.
    pub(super) fn get(&self, index: usize) -> &str {
        let Some(&end) = self.ends.get(index) else { return "" };
        let start = if index == 0 { 0 } else { self.ends[index - 1] + self.gap };
        &self.text[start as usize..end as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all fields together.
    pub(super) fn letters(&self) -> usize {
        self.text.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index))
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.gap = 0;
    }

    /// Takes a row without quotation marks as it stands.
    pub(super) fn take(&mut self, row: &str, delimiter: u8) {
        self.clear();
        self.gap = 1;
        self.text.push_str(row);
        let end = |at| u32::try_from(at).expect("rows are bounded in length");
        self.ends.extend(memchr::memchr_iter(delimiter, row.as_bytes()).map(end));
        self.ends.push(end(row.len()));
    }

    fn end_field(&mut self) {
        self.ends.push(u32::try_from(self.text.len()).expect("rows are bounded in length"));
    }

    fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// How the fields of a line are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    delimiter: u8,
}

impl Dialect {
    /// The delimiter that gives the header most columns, and the rows as many.
    pub(super) fn guess(lines: &[String]) -> Self {
        let fit = |delimiter: u8| {
            let dialect = Self { delimiter };
            let mut fields = Fields::default();
            let counts: Vec<usize> = lines
                .iter()
                .map(|line| {
                    dialect.split(line, &mut fields);
                    fields.len()
                })
                .collect();
            let columns = counts.first().copied().unwrap_or(1);
            let agreeing = counts.iter().filter(|&&count| count == columns).count();
            if columns < 2 { (false, 0) } else { (agreeing * 2 > counts.len(), columns) }
        };
        let best = b"\t,;|".iter().rev().copied().max_by_key(|&delimiter| fit(delimiter)).unwrap_or(b'\t');
        Self { delimiter: best }
    }

    /// Splits a line; answers whether every quotation mark that opens a field is closed.
    fn split(self, line: &str, out: &mut Fields) -> bool {
        if memchr::memchr(b'"', line.as_bytes()).is_none() {
            out.take(line, self.delimiter);
            return true;
        }
        out.clear();
        if self.delimiter == b'\t' { self.split_literally(line, out) } else { self.split_quoted(line, out) }
    }

    /// Quotation marks count only around a whole field: in tab-separated tables they are mostly letters.
    fn split_literally(self, line: &str, out: &mut Fields) -> bool {
        for field in line.split(self.delimiter as char) {
            let inner = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            match inner.filter(|inner| !inner.replace("\"\"", "").contains('"')) {
                Some(inner) => out.text.push_str(&inner.replace("\"\"", "\"")),
                None => out.text.push_str(field),
            }
            out.end_field();
        }
        true
    }

    fn split_quoted(self, line: &str, out: &mut Fields) -> bool {
        let mut rest = line;
        loop {
            let after = match rest.strip_prefix('"') {
                Some(quoted) => match self.quoted_field(quoted, out) {
                    Some(after) => after,
                    None => return false,
                },
                None => {
                    let end = rest.bytes().position(|byte| byte == self.delimiter).unwrap_or(rest.len());
                    out.text.push_str(&rest[..end]);
                    &rest[end..]
                }
            };
            out.end_field();
            match after.strip_prefix(self.delimiter as char) {
                Some(next) => rest = next,
                None => return true,
            }
        }
    }

    /// Adds a quoted field without its marks; answers what follows it. A closing mark stands before a delimiter or the end.
    fn quoted_field<'l>(self, quoted: &'l str, out: &mut Fields) -> Option<&'l str> {
        let bytes = quoted.as_bytes();
        let mut from = 0;
        while let Some(mark) = bytes[from..].iter().position(|&byte| byte == b'"').map(|mark| from + mark) {
            out.text.push_str(&quoted[from..mark]);
            match bytes.get(mark + 1) {
                Some(b'"') => {
                    out.text.push('"');
                    from = mark + 2;
                }
                None => return Some(&quoted[mark + 1..]),
                Some(&next) if next == self.delimiter => return Some(&quoted[mark + 1..]),
                Some(_) => {
                    out.text.push('"');
                    from = mark + 1;
                }
            }
        }
        None
    }
}

/// Where a row stands and what was odd about it.
#[derive(Debug, Clone, Default)]
pub(super) struct RowFacts {
    /// Line of the row's first letter.
    pub(super) line: u32,
    /// The row is cut off by the end of the file.
    pub(super) truncated: bool,
    /// The line is too long to be a row; the fields are empty.
    pub(super) unreadable: bool,
    /// What was put right.
    pub(super) repairs: Vec<(Repair, Option<String>)>,
}

#[derive(Debug)]
struct Held {
    line: Line,
    text: String,
    latin1: bool,
}

/// A table, row by row.
pub(super) struct Table<'m> {
    lines: Lines<'m>,
    dialect: Dialect,
    columns: Vec<String>,
    /// Lines that were read ahead.
    held: VecDeque<Held>,
    any_ragged: bool,
    /// Lines of text before the header.
    skipped_lines: usize,
}

impl<'m> Table<'m> {
    /// Reads the header, or makes one up where the first row holds a sequence already.
    ///
    /// # Errors
    /// If the file cannot be read or has more columns than a table of barcodes can have.
    pub(super) fn new(lines: Lines<'m>) -> Result<Self, ImportError> {
        let mut table = Self {
            lines,
            dialect: Dialect { delimiter: b'\t' },
            columns: Vec::new(),
            held: VecDeque::new(),
            any_ragged: false,
            skipped_lines: 0,
        };
        let mut ahead = VecDeque::new();
        while ahead.len() < 20
            && let Some(held) = table.take_line()?
        {
            if !held.text.trim().is_empty() {
                ahead.push_back(held);
            }
        }
        table.skipped_lines = drop_comments(&mut ahead);
        let texts: Vec<String> = ahead.iter().map(|held| held.text.clone()).collect();
        table.dialect = Dialect::guess(&texts);
        let mut fields = Fields::default();
        if !table.dialect.split(texts.first().map_or("", String::as_str), &mut fields) {
            table.dialect.split_literally(texts.first().map_or("", String::as_str), &mut fields);
        }
        table.check_columns(fields.len())?;
        if fields.iter().any(looks_like_sequence) {
            table.columns = (1..=fields.len()).map(|number| format!("column {number}")).collect();
        } else {
            let named = fields.len();
            table.columns = column_names(&fields);
            ahead.pop_front();
            if table.rows_are_named(named, &texts) {
                table.columns.insert(0, "row name".into());
            }
        }
        table.held = ahead;
        Ok(table)
    }

    /// R writes the names of rows into a first column that the header does not have.
    fn rows_are_named(&self, named: usize, lines: &[String]) -> bool {
        let mut fields = Fields::default();
        let mut wider = |line: &String| {
            self.dialect.split(line, &mut fields) && fields.len() == named + 1 && !fields.get(named).is_empty()
        };
        lines.len() > 1 && lines[1..].iter().all(&mut wider)
    }

    fn check_columns(&self, columns: usize) -> Result<(), ImportError> {
        let path = || self.lines.path().to_owned();
        if columns > MOST_COLUMNS {
            return Err(ImportError::TooManyColumns { path: path(), columns, limit: MOST_COLUMNS });
        }
        Ok(())
    }

    /// Names of the columns.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Lines of text before the header.
    pub(super) fn skipped_lines(&self) -> usize {
        self.skipped_lines
    }

    pub(super) fn lines(&self) -> &Lines<'m> {
        &self.lines
    }

    pub(super) fn into_lines(self) -> Lines<'m> {
        self.lines
    }

    fn take_line(&mut self) -> Result<Option<Held>, ImportError> {
        if let Some(held) = self.held.pop_front() {
            return Ok(Some(held));
        }
        let Some(line) = self.lines.advance()? else { return Ok(None) };
        let (text, latin1) = self.lines.line_text();
        Ok(Some(Held { line, text: text.into_owned(), latin1 }))
    }

    /// The next row that is not blank, into `fields`.
    ///
    /// # Errors
    /// If the file cannot be read, or the watcher cancels.
    pub(super) fn next_row(&mut self, fields: &mut Fields) -> Result<Option<RowFacts>, ImportError> {
        while let Some((line, latin1, held)) = self.split_line(fields)? {
            let mut facts = RowFacts { line: line.number, ..RowFacts::default() };
            if line.cut {
                fields.clear();
                facts.unreadable = true;
                return Ok(Some(facts));
            }
            if latin1 {
                facts.repairs.push((Repair::Latin1, None));
            }
            let ended = match held {
                None => line.ended,
                Some(held) => self.split_over_lines(&held, fields, &mut facts)?,
            };
            strip_carriage_returns(fields, &mut facts);
            if fields.iter().all(|field| field.trim().is_empty()) {
                continue;
            }
            self.check_width(fields, ended, &mut facts);
            return Ok(Some(facts));
        }
        Ok(None)
    }

    /// Splits the next line, and answers it, whether it is Latin-1, and its text where a quotation mark in it is not closed.
    fn split_line(&mut self, fields: &mut Fields) -> Result<Option<(Line, bool, Option<Held>)>, ImportError> {
        if let Some(held) = self.held.pop_front() {
            let split = self.dialect.split(&held.text, fields);
            return Ok(Some((held.line, held.latin1, (!split).then_some(held))));
        }
        let Some(line) = self.lines.advance()? else { return Ok(None) };
        let (text, latin1) = self.lines.line_text();
        let split = self.dialect.split(&text, fields);
        Ok(Some((line, latin1, (!split).then(|| Held { line, text: text.into_owned(), latin1 }))))
    }

    /// Splits a row of which a quoted field goes on for more lines; answers whether the last of them has an end.
    fn split_over_lines(
        &mut self,
        held: &Held,
        fields: &mut Fields,
        facts: &mut RowFacts,
    ) -> Result<bool, ImportError> {
        let mut joined = held.text.clone();
        let mut ahead: Vec<Held> = Vec::new();
        while ahead.len() < LONGEST_QUOTE {
            let Some(next) = self.take_line()? else { break };
            joined.push('\n');
            joined.push_str(&next.text);
            let (ended, usable) = (next.line.ended, !next.line.cut);
            ahead.push(next);
            // A mark closed many columns later closes a field that never was one.
            if usable && self.dialect.split(&joined, fields) && fields.len() == self.columns.len() {
                return Ok(ended);
            }
            if !usable {
                break;
            }
        }
        ahead.into_iter().rev().for_each(|held| self.held.push_front(held));
        fields.clear();
        self.dialect.split_literally(&held.text, fields);
        facts.repairs.push((Repair::UnclosedQuote, None));
        Ok(held.line.ended)
    }

    fn check_width(&mut self, fields: &Fields, ended: bool, facts: &mut RowFacts) {
        let (found, expected) = (fields.len(), self.columns.len());
        let damaged = self.lines.damage().is_some();
        if !ended && (damaged || found < expected && !self.any_ragged) {
            facts.truncated = true;
            return;
        }
        let surplus = (expected..found).any(|index| !fields.get(index).trim().is_empty());
        if found < expected || surplus {
            self.any_ragged = true;
            facts.repairs.push((Repair::RaggedRow, Some(format!("{found} fields in a table of {expected} columns"))));
        }
    }

    /// Whether the row is the header over again, as in files that were put together.
    pub(super) fn is_header(&self, fields: &Fields) -> bool {
        self.columns.iter().enumerate().all(|(index, column)| clean_name(fields.get(index)) == column)
    }
}

/// Drops what programs write above the header: `# comments` without columns, and the `sep=;` of spreadsheets.
fn drop_comments(ahead: &mut VecDeque<Held>) -> usize {
    let is_comment = |text: &str| {
        text.starts_with('#') && !text.contains(['\t', ',', ';', '|'])
            || text.starts_with("sep=") && text.trim().len() == 5
    };
    let before = ahead.len();
    while ahead.len() > 1 && ahead.front().is_some_and(|held| is_comment(&held.text)) {
        ahead.pop_front();
    }
    before - ahead.len()
}

fn clean_name(field: &str) -> &str {
    field.trim_start_matches('\u{feff}').trim()
}

/// Names for all columns: those without one are numbered, repeated ones too. Empty columns at the end are none.
fn column_names(fields: &Fields) -> Vec<String> {
    let named =
        (0..fields.len()).rev().find(|&index| !clean_name(fields.get(index)).is_empty()).map_or(0, |last| last + 1);
    let mut names: Vec<String> = Vec::with_capacity(named);
    let mut seen = std::collections::HashSet::new();
    for index in 0..named {
        let name = clean_name(&fields.get(index).replace('\r', "")).to_owned();
        let mut unique = if name.is_empty() { format!("column {}", index + 1) } else { name.clone() };
        let mut number = 2;
        while !seen.insert(unique.clone()) {
            unique = format!("{name} ({number})");
            number += 1;
        }
        names.push(unique);
    }
    names
}

fn strip_carriage_returns(fields: &mut Fields, facts: &mut RowFacts) {
    if !fields.text.contains('\r') {
        return;
    }
    let clean: Vec<String> = fields.iter().map(|field| field.replace('\r', "")).collect();
    fields.clear();
    for field in clean {
        fields.text.push_str(&field);
        fields.end_field();
    }
    facts.repairs.push((Repair::StrayCarriageReturn, None));
}

impl Fields {
    /// A copy without spare room, to be kept.
    pub(super) fn kept(&self) -> Self {
        let mut copy = self.clone();
        copy.shrink();
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(delimiter: u8, line: &str) -> Option<Vec<String>> {
        let mut fields = Fields::default();
        Dialect { delimiter }.split(line, &mut fields).then(|| fields.iter().map(str::to_owned).collect())
    }

    fn strings(fields: &[&str]) -> Option<Vec<String>> {
        Some(fields.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn quotes_are_taken_off_and_doubled_ones_are_one() {
        assert_eq!(split(b',', r#"a,"b,c","d ""e""",,"#), strings(&["a", "b,c", "d \"e\"", "", ""]));
        assert_eq!(split(b',', r#""a,b"#), None, "never closed");
        assert_eq!(split(b',', r#"5" pipe,b"#), strings(&["5\" pipe", "b"]));
        assert_eq!(split(b'\t', "\"a\"\tb \"c\"\t\"d"), strings(&["a", "b \"c\"", "\"d"]));
        assert_eq!(split(b'\t', ""), strings(&[""]));
    }

    proptest::proptest! {
        /// A row without quotation marks is taken as it stands: it must give what splitting gives.
        #[test]
        fn rows_without_quotes_are_split_at_every_delimiter(line in "[a-cé,;\t]{0,20}", delimiter in 0usize..3) {
            let delimiter = b",;\t"[delimiter];
            let fields = split(delimiter, &line).unwrap();
            let plain: Vec<&str> = line.split(delimiter as char).collect();
            proptest::prop_assert_eq!(fields, plain);
        }
    }

    #[test]
    fn the_delimiter_is_the_one_that_gives_columns() {
        let guess =
            |lines: &[&str]| Dialect::guess(&lines.iter().map(ToString::to_string).collect::<Vec<_>>()).delimiter;
        assert_eq!(guess(&["a\tb,c", "1\t2"]), b'\t');
        assert_eq!(guess(&["a,b,c", "1,2;3,4"]), b',');
        assert_eq!(guess(&["a;b;c", "1,5;2;3"]), b';');
        assert_eq!(guess(&["a|b", "1|2"]), b'|');
    }

    #[test]
    fn columns_without_or_with_the_same_name_get_one() {
        let mut fields = Fields::default();
        Dialect { delimiter: b',' }.split("a,,a, b ,,", &mut fields);
        assert_eq!(column_names(&fields), ["a", "column 2", "a (2)", "b"]);
    }
}
