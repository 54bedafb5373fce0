//! From the bytes on disk to lines of text: compression, encoding, line ends, and the hash of what was read.

use super::error::ImportError;
use crate::key::ContentHash;
use crate::progress::{Cancelled, Observer, Progress};
use encoding_rs::{Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How much is looked at to find out what a file is, in bytes.
const HEAD: usize = 64 * 1024;
/// A line longer than this is no record of anything; the rest of it is skipped, in bytes.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// Tells how many bytes of all files were read.
pub(super) struct Meter<'a> {
    observer: &'a dyn Observer,
    stage: Cell<&'static str>,
    before: Cell<u64>,
    total: u64,
}

impl<'a> Meter<'a> {
    /// For `total` bytes in all.
    pub(super) fn new(observer: &'a dyn Observer, total: u64) -> Self {
        Self { observer, stage: Cell::new("reading"), before: Cell::new(0), total }
    }

    /// Says what is read next.
    pub(super) fn stage(&self, stage: &'static str) {
        self.stage.set(stage);
    }

    fn report(&self, consumed: u64) -> Result<(), Cancelled> {
        let done = (self.before.get() + consumed).min(self.total);
        self.observer.progress(Progress { stage: self.stage.get(), done, total: Some(self.total), unit: "bytes" })
    }

    fn finish_file(&self, consumed: u64) {
        self.before.set(self.before.get() + consumed);
    }
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame of data, or a frame to skip before one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The file on disk: counts and hashes what passes.
struct Tally {
    file: File,
    hasher: Sha256,
    consumed: u64,
}

#[derive(Clone)]
struct Tallied(Rc<RefCell<Tally>>);

impl Read for Tallied {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut tally = self.0.borrow_mut();
        let count = tally.file.read(out)?;
        tally.hasher.update(&out[..count]);
        tally.consumed += count as u64;
        Ok(count)
    }
}

/// The first bytes, looked at already, and then the rest; an error met while looking comes at its place.
struct Stitched {
    head: io::Cursor<Vec<u8>>,
    failed: Option<io::Error>,
    rest: Box<dyn Read>,
}

impl Stitched {
    fn look(mut rest: Box<dyn Read>) -> Self {
        let mut head = Vec::with_capacity(HEAD);
        let failed = rest.by_ref().take(HEAD as u64).read_to_end(&mut head).err();
        Self { head: io::Cursor::new(head), failed, rest }
    }
}

impl Read for Stitched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.head.read(out)? {
            0 => match self.failed.take() {
                Some(error) => Err(error),
                None => self.rest.read(out),
            },
            count => Ok(count),
        }
    }
}

/// Turns UTF-16, as spreadsheets write it, into UTF-8.
struct Utf16 {
    raw: Stitched,
    decoder: Decoder,
    input: Vec<u8>,
    output: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Read for Utf16 {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.output.read(out)?;
            if count > 0 || out.is_empty() || self.ended {
                return Ok(count);
            }
            self.input.resize(16 * 1024, 0);
            let count = self.raw.read(&mut self.input)?;
            self.ended = count == 0;
            let mut text = String::with_capacity(self.decoder.max_utf8_buffer_length(count).unwrap_or(64 * 1024));
            let _ = self.decoder.decode_to_string(&self.input[..count], &mut text, self.ended);
            self.output = io::Cursor::new(text.into_bytes());
            if self.ended {
                return self.output.read(out);
            }
        }
    }
}

/// What stands between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    /// LF, perhaps after CR.
    Lf,
    /// CR alone, as old Macintosh programs write.
    Cr,
}

/// An open file, unpacked to UTF-8 or Latin-1 text.
pub(super) struct Source {
    path: PathBuf,
    size: u64,
    tally: Rc<RefCell<Tally>>,
    reader: BufReader<Stitched>,
    compression: Compression,
    byte_order_mark: Option<&'static str>,
    line_end: LineEnd,
}

impl Source {
    /// Opens a file and finds out how it is packed.
    ///
    /// # Errors
    /// If it cannot be read, is empty, or is no text.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let failed = |source| ImportError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        if facts.is_dir() {
            return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
        }
        let tally = Rc::new(RefCell::new(Tally { file, hasher: Sha256::new(), consumed: 0 }));
        let mut packed = BufReader::with_capacity(HEAD, Tallied(Rc::clone(&tally)));
        let start = packed.fill_buf().map_err(failed)?;
        if start.is_empty() {
            return Err(ImportError::Empty { path: path.to_owned() });
        }
        let compression = Compression::of(start);
        let unpacked: Box<dyn Read> = match compression {
            Compression::None => Box::new(packed),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed).map_err(failed)?),
        };
        let (stitched, byte_order_mark) = without_byte_order_mark(Stitched::look(unpacked));
        let source = Self {
            path: path.to_owned(),
            size: facts.len(),
            tally,
            line_end: line_end(stitched.head.get_ref()),
            reader: BufReader::with_capacity(HEAD, stitched),
            compression,
            byte_order_mark,
        };
        source.check_is_text()?;
        Ok(source)
    }

    fn check_is_text(&self) -> Result<(), ImportError> {
        let head = self.head();
        if head.trim_ascii().is_empty() {
            return match &self.reader.get_ref().failed {
                Some(error) => Err(ImportError::Damaged { path: self.path.clone(), problem: error.to_string() }),
                None if head.len() < HEAD => Err(ImportError::Empty { path: self.path.clone() }),
                None => Err(ImportError::Unsupported {
                    path: self.path.clone(),
                    found: "it begins with blanks only".into(),
                }),
            };
        }
        match other_format(head) {
            Some(found) => Err(ImportError::Unsupported { path: self.path.clone(), found: found.to_owned() }),
            None => Ok(()),
        }
    }

    /// The first bytes, unpacked.
    pub(super) fn head(&self) -> &[u8] {
        self.reader.get_ref().head.get_ref()
    }

    /// Size on disk in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// What a file is that is certainly neither FASTA nor a table.
fn other_format(head: &[u8]) -> Option<&'static str> {
    let magic: [(&[u8], &str); 13] = [
        (b"PK\x03\x04", "it is a zip archive or an Excel workbook; save the sheet as CSV or unpack the archive"),
        (b"\xd0\xcf\x11\xe0", "it is an old Excel or Word file; save the sheet as CSV"),
        (b"BZh", "it is compressed with bzip2; unpack it first"),
        (b"\xfd7zXZ\0", "it is compressed with xz; unpack it first"),
        (b"7z\xbc\xaf", "it is a 7-Zip archive; unpack it first"),
        (b"%PDF", "it is a PDF document"),
        (b"SQLite format 3", "it is an SQLite database; export the table as CSV"),
        (b"\x89PNG", "it is a picture"),
        (b"\x89HDF", "it is an HDF5 file"),
        (b"PAR1", "it is a Parquet file; export it as CSV"),
        (b"#NEXUS", "it is a NEXUS file; export it as FASTA"),
        (b"CLUSTAL", "it is a Clustal alignment; export it as FASTA"),
        (b"LOCUS  ", "it is a GenBank flat file; export it as FASTA"),
    ];
    if let Some((_, found)) = magic.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(found);
    }
    if head.starts_with(b"@") && head.split(|&byte| byte == b'\n').nth(2).is_some_and(|line| line.starts_with(b"+")) {
        return Some("it is a FASTQ file; turn the reads into consensus sequences in FASTA first");
    }
    let control =
        head.iter().filter(|&&byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)).count();
    // A stray control character occurs in real tables; in anything binary they are a tenth of the bytes.
    (head.contains(&0) || control * 50 > head.len()).then_some("it is no text but binary data")
}

fn line_end(head: &[u8]) -> LineEnd {
    if !head.contains(&b'\n') && head.contains(&b'\r') { LineEnd::Cr } else { LineEnd::Lf }
}

fn without_byte_order_mark(mut raw: Stitched) -> (Stitched, Option<&'static str>) {
    let decoder = match raw.head.get_ref().as_slice() {
        [0xef, 0xbb, 0xbf, ..] => {
            raw.head.get_mut().drain(..3);
            return (raw, Some("UTF-8 with byte order mark"));
        }
        [0xff, 0xfe, ..] => UTF_16LE.new_decoder_with_bom_removal(),
        [0xfe, 0xff, ..] => UTF_16BE.new_decoder_with_bom_removal(),
        _ => return (raw, None),
    };
    let text = Utf16 { raw, decoder, input: Vec::new(), output: io::Cursor::default(), ended: false };
    (Stitched::look(Box::new(text)), Some("UTF-16"))
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
        &self.source.path
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
        let end = match self.source.line_end {
            LineEnd::Lf => b'\n',
            LineEnd::Cr => b'\r',
        };
        let result = self.source.reader.by_ref().take(LONGEST_LINE).read_until(end, &mut self.buffer);
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
        self.meter.report(self.source.tally.borrow().consumed)
    }

    /// Skips the rest of a line; answers whether it has an end.
    fn skip_line(&mut self, end: u8) -> Result<bool, ImportError> {
        let mut piece = Vec::new();
        loop {
            piece.clear();
            let result = self.source.reader.by_ref().take(HEAD as u64).read_until(end, &mut piece);
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
    fn check(&mut self, result: io::Result<usize>) -> Result<(), ImportError> {
        let Err(error) = result else { return Ok(()) };
        if self.source.compression == Compression::None {
            return Err(ImportError::Io { path: self.source.path.clone(), source: error });
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
        self.source.compression.name()
    }

    pub(super) fn line_ends(&self) -> &'static str {
        match (self.source.line_end, self.seen.lf, self.seen.crlf) {
            (LineEnd::Cr, ..) => "CR",
            (LineEnd::Lf, true, true) => "mixed",
            (LineEnd::Lf, false, true) => "CRLF",
            (LineEnd::Lf, _, false) => "LF",
        }
    }

    pub(super) fn encoding(&self) -> String {
        match (self.source.byte_order_mark, self.seen.latin1) {
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
    pub(super) fn finish(self) -> Result<ContentHash, ImportError> {
        let mut rest = Tallied(Rc::clone(&self.source.tally));
        let mut buffer = vec![0; HEAD];
        loop {
            let count =
                rest.read(&mut buffer).map_err(|source| ImportError::Io { path: self.source.path.clone(), source })?;
            if count == 0 {
                break;
            }
            self.report()?;
        }
        let consumed = self.source.tally.borrow().consumed;
        self.meter.finish_file(consumed);
        let hash = self.source.tally.borrow().hasher.clone().finalize();
        Ok(ContentHash(hash.into()))
    }
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
}
