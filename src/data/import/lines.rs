//! Lines of a file in bounded memory: line ends, Latin-1 among UTF-8, damage, progress and cancelling.

use super::error::ImportError;
use super::source::{Compression, HEAD, LineEnd, Source};
use crate::key::ContentHash;
use crate::progress::{Cancelled, Observer, Progress};
use encoding_rs::WINDOWS_1252;
use std::borrow::Cow;
use std::io::{self, BufRead};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A line longer than this is no record of anything; the rest of it is skipped, in bytes.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// Tells how many bytes of all files were read.
pub(super) struct Meter<'a> {
    observer: &'a dyn Observer,
    stage: Mutex<&'static str>,
    before: AtomicU64,
    total: u64,
}

impl<'a> Meter<'a> {
    /// For `total` bytes in all.
    pub(super) fn new(observer: &'a dyn Observer, total: u64) -> Self {
        Self { observer, stage: Mutex::new("reading"), before: AtomicU64::new(0), total }
    }

    /// Says what is read next.
    pub(super) fn stage(&self, stage: &'static str) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn report(&self, consumed: u64) -> Result<(), Cancelled> {
        let done = (self.before.load(Ordering::Relaxed) + consumed).min(self.total);
        let stage = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        self.observer.progress(Progress { stage, done, total: Some(self.total), unit: "bytes" })
    }

    fn finish_file(&self, consumed: u64) {
        self.before.fetch_add(consumed, Ordering::Relaxed);
    }
}

/// One line of a file; its letters are [`Lines::bytes`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u32,
    /// Whether it was longer than what is kept of it.
    pub(super) cut: bool,
    /// Whether a line end stood behind it: the last line of a file that was cut off has none.
    pub(super) ended: bool,
}

/// What was seen of line ends and encoding.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    lf: bool,
    crlf: bool,
    latin1: bool,
}

/// Reads a file line by line, in bounded memory, and tells the meter.
pub(super) struct Lines<'m> {
    source: Source,
    meter: &'m Meter<'m>,
    buffer: Vec<u8>,
    number: u32,
    since_report: u64,
    seen: Seen,
    damage: Option<String>,
    ended: bool,
}

impl<'m> Lines<'m> {
    pub(super) fn new(source: Source, meter: &'m Meter<'m>) -> Self {
        let (buffer, seen) = (Vec::new(), Seen::default());
        Self { source, meter, buffer, number: 0, since_report: 0, seen, damage: None, ended: false }
    }

    pub(super) fn path(&self) -> &Path {
        self.source.path()
    }

    /// The letters of the line that [`Self::advance`] went to, without its end.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// What the decompressor says if the file is damaged; known at the end of the lines.
    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Goes to the next line. A damaged compressed file ends at its damage.
    ///
    /// # Errors
    /// If the file cannot be read, or the watcher cancels.
    pub(super) fn advance(&mut self) -> Result<Option<Line>, ImportError> {
        self.buffer.clear();
        if self.ended {
            return Ok(None);
        }
        let end = match self.source.line_end() {
            LineEnd::Lf => b'\n',
            LineEnd::Cr => b'\r',
        };
        let result = read_until(self.source.reader(), end, LONGEST_LINE as usize, &mut self.buffer);
        self.check(result)?;
        if self.buffer.is_empty() {
            self.ended = true;
            return Ok(None);
        }
        let mut ended = self.buffer.last() == Some(&end);
        let cut = !ended && self.buffer.len() as u64 >= LONGEST_LINE;
        if cut {
            ended = self.skip_line(end)?;
        }
        self.strip_end(end);
        self.number = self.number.saturating_add(1);
        self.since_report += self.buffer.len() as u64 + 1;
        if self.since_report > HEAD as u64 {
            self.since_report = 0;
            self.report()?;
        }
        Ok(Some(Line { number: self.number, cut, ended }))
    }

    fn report(&self) -> Result<(), Cancelled> {
        self.meter.report(self.source.consumed())
    }

    /// Skips the rest of a line; answers whether it has an end.
    fn skip_line(&mut self, end: u8) -> Result<bool, ImportError> {
        let mut piece = Vec::new();
        loop {
            piece.clear();
            let result = read_until(self.source.reader(), end, HEAD, &mut piece);
            self.check(result)?;
            self.report()?;
            match piece.last() {
                None => return Ok(false),
                Some(&last) if last == end => return Ok(true),
                Some(_) => {}
            }
        }
    }

    /// An error of an unpacked file is one; that of a compressed file means damage, and the text ends there.
    fn check(&mut self, result: io::Result<()>) -> Result<(), ImportError> {
        let Err(error) = result else { return Ok(()) };
        if self.source.compression() == Compression::None {
            return Err(ImportError::Io { path: self.source.path().to_owned(), source: error });
        }
        self.damage = Some(error.to_string());
        self.ended = true;
        Ok(())
    }

    fn strip_end(&mut self, end: u8) {
        if self.buffer.last() == Some(&end) {
            self.buffer.pop();
            let carriage_return = end == b'\n' && self.buffer.last() == Some(&b'\r');
            self.seen.crlf |= carriage_return;
            self.seen.lf |= !carriage_return;
        }
        while end == b'\n' && self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
    }

    /// Text of bytes of this file: UTF-8, or else Windows-1252, which holds Latin-1. The second value tells the latter.
    pub(super) fn text<'b>(&mut self, bytes: &'b [u8]) -> (Cow<'b, str>, bool) {
        let (text, latin1) = decode(bytes);
        self.seen.latin1 |= latin1;
        (text, latin1)
    }

    /// Text of the line that [`Self::advance`] went to.
    pub(super) fn line_text(&mut self) -> (Cow<'_, str>, bool) {
        let (text, latin1) = decode(&self.buffer);
        self.seen.latin1 |= latin1;
        (text, latin1)
    }

    pub(super) fn compression(&self) -> &'static str {
        self.source.compression().name()
    }

    pub(super) fn line_ends(&self) -> &'static str {
        match (self.source.line_end(), self.seen.lf, self.seen.crlf) {
            (LineEnd::Cr, ..) => "CR",
            (LineEnd::Lf, true, true) => "mixed",
            (LineEnd::Lf, false, true) => "CRLF",
            (LineEnd::Lf, _, false) => "LF",
        }
    }

    pub(super) fn encoding(&self) -> String {
        match (self.source.byte_order_mark(), self.seen.latin1) {
            (Some(mark), false) => mark.into(),
            (Some(mark), true) => format!("{mark}, Latin-1 in places"),
            (None, false) => "UTF-8".into(),
            (None, true) => "Latin-1".into(),
        }
    }

    /// Hash of the bytes on disk, after reading what was left unread.
    ///
    /// # Errors
    /// If the file cannot be read, or the watcher cancels.
    pub(super) fn finish(mut self) -> Result<ContentHash, ImportError> {
        let failed = |source: &Source, error| ImportError::Io { path: source.path().to_owned(), source: error };
        while self.source.skip_packed().map_err(|error| failed(&self.source, error))? {
            self.report()?;
        }
        self.meter.finish_file(self.source.consumed());
        let unread = || failed(&self.source, io::Error::other("its end was not reached"));
        self.source.hash().ok_or_else(unread)
    }
}

/// Appends to `line` all bytes up to an `end`, that included, but at most `most`. The standard library's looks at eight bytes at a time;
/// lines of barcodes are long.
fn read_until(reader: &mut impl BufRead, end: u8, most: usize, line: &mut Vec<u8>) -> io::Result<()> {
    let mut room = most;
    while room > 0 {
        let ahead = match reader.fill_buf() {
            Ok(ahead) => &ahead[..ahead.len().min(room)],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let found = memchr::memchr(end, ahead);
        let count = found.map_or(ahead.len(), |at| at + 1);
        line.extend_from_slice(&ahead[..count]);
        reader.consume(count);
        room -= count;
        if found.is_some() || count == 0 {
            break;
        }
    }
    Ok(())
}

fn decode(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (WINDOWS_1252.decode_without_bom_handling(bytes).0, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::io::Read;
    use std::io::Write;

    fn lines_of(bytes: &[u8]) -> Result<(Vec<String>, Option<String>), ImportError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let meter = Meter::new(&Silent, bytes.len() as u64);
        let mut lines = Lines::new(Source::open(file.path())?, &meter);
        let mut found = Vec::new();
        while lines.advance()?.is_some() {
            found.push(lines.line_text().0.into_owned());
        }
        let damage = lines.damage().map(str::to_owned);
        assert_eq!(lines.finish()?, ContentHash::of(bytes));
        Ok((found, damage))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn compression_is_found_by_content_and_members_follow_each_other() {
        let members = [gzip(b">a\nAC\n"), gzip(b">b\nGT\n")].concat();
        assert_eq!(lines_of(&members).unwrap(), (vec![">a".into(), "AC".into(), ">b".into(), "GT".into()], None));
        let frames = [zstd::encode_all(&b">a\nAC\n"[..], 1).unwrap(), zstd::encode_all(&b">b\nGT\n"[..], 1).unwrap()];
        assert_eq!(lines_of(&frames.concat()).unwrap().0.len(), 4);
    }

    #[test]
    fn a_cut_compressed_file_gives_what_is_whole_and_says_so() {
        let text: String = (0..5000).map(|index| format!(">{index}\n{}\n", "ACGT".repeat(index % 90))).collect();
        for packed in [gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 1).unwrap()] {
            let (lines, damage) = lines_of(&packed[..packed.len() - 20]).unwrap();
            assert!(damage.is_some());
            assert!(text.starts_with(&lines.join("\n")));
        }
        let stub = lines_of(&gzip(text.as_bytes())[..10]);
        assert!(matches!(stub, Err(ImportError::Damaged { .. })), "{stub:?}");
    }

    #[test]
    fn line_ends_and_encodings_are_told_apart() {
        let case = |bytes: &[u8]| lines_of(bytes).unwrap().0;
        assert_eq!(case(b"a\r\nb\nc"), ["a", "b", "c"]);
        assert_eq!(case(b"a\rb\rc\r"), ["a", "b", "c"]);
        assert_eq!(case(b"a\rb\nc\n"), ["a\rb", "c"], "a carriage return within a line ends none");
        assert_eq!(case(b"\xef\xbb\xbfa\n\n"), ["a", ""]);
        assert_eq!(case("Curaçao\n".as_bytes()), ["Curaçao"]);
        assert_eq!(case(b"Cura\xe7ao\n"), ["Curaçao"]);
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("id\tà\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(case(&wide), ["id\tà"]);
    }

    #[test]
    fn what_is_no_text_is_refused_by_name() {
        let refused = |bytes: &[u8]| lines_of(bytes).unwrap_err().to_string();
        assert!(refused(b"PK\x03\x04abc").contains("Excel"));
        assert!(refused(b"@r1\nACGT\n+\nIIII\n").contains("FASTQ"));
        assert!(refused(b"abc\0def").contains("binary"));
        assert!(refused(b"").contains("empty"));
        assert!(refused(b" \n\n").contains("empty"));
        assert!(refused(&gzip(b"")).contains("empty"));
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_one_is_found() {
        let mut bytes = vec![b'A'; LONGEST_LINE as usize + 100_000];
        bytes.extend(b"\nnext\n");
        let (lines, _) = lines_of(&bytes).unwrap();
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LONGEST_LINE as usize, 4]);
    }

    proptest::proptest! {
        #[test]
        fn bytes_up_to_an_end_are_those_of_the_standard_library(
            text in proptest::collection::vec(proptest::sample::select(b"ab\n".to_vec()), 0..60),
            buffer in 1usize..9,
            most in 0usize..20,
        ) {
            let reader = || io::BufReader::with_capacity(buffer, text.as_slice());
            let (mut ours, mut theirs) = (reader(), reader());
            for _ in 0..8 {
                let (mut line, mut expected) = (b"kept".to_vec(), b"kept".to_vec());
                read_until(&mut ours, b'\n', most, &mut line).unwrap();
                theirs.by_ref().take(most as u64).read_until(b'\n', &mut expected).unwrap();
                proptest::prop_assert_eq!(line, expected);
            }
        }
    }
}
