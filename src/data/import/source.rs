//! From the bytes on disk to text: compression, byte order marks, what is no text, and the hash of what was read.

use super::error::ImportError;
use crate::key::ContentHash;
use encoding_rs::{Decoder, UTF_16BE, UTF_16LE};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, sync_channel};

/// How much is looked at to find out what a file is, in bytes.
pub(super) const HEAD: usize = 64 * 1024;

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

/// Bytes that are read at once, and how many such blocks may wait to be looked at.
const BLOCK: usize = 256 * 1024;
const BLOCKS_AHEAD: usize = 2;

/// What the thread that reads a file sends.
enum Part {
    Bytes(Vec<u8>),
    /// The end of the file, with the hash of all of it.
    End(ContentHash),
}

/// Reads and hashes a file in a thread of its own, a few blocks ahead, until nobody listens.
fn read_ahead(mut file: File) -> Receiver<io::Result<Part>> {
    let (sender, receiver) = sync_channel(BLOCKS_AHEAD);
    std::thread::spawn(move || {
        let mut hasher = Sha256::new();
        loop {
            let mut block = Vec::with_capacity(BLOCK);
            let part = file.by_ref().take(BLOCK as u64).read_to_end(&mut block).map(|count| {
                hasher.update(&block);
                if count == 0 { Part::End(ContentHash(hasher.clone().finalize().into())) } else { Part::Bytes(block) }
            });
            let goes_on = matches!(part, Ok(Part::Bytes(_)));
            if sender.send(part).is_err() || !goes_on {
                return;
            }
        }
    });
    receiver
}

/// The file on disk: counts what passes, and knows the hash at the end.
struct Tally {
    parts: Receiver<io::Result<Part>>,
    block: io::Cursor<Vec<u8>>,
    hash: Option<ContentHash>,
    consumed: u64,
}

impl Read for Tally {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.block.read(out)?;
            self.consumed += count as u64;
            if count > 0 || out.is_empty() || self.hash.is_some() {
                return Ok(count);
            }
            match self.parts.recv() {
                Ok(Ok(Part::Bytes(block))) => self.block = io::Cursor::new(block),
                Ok(Ok(Part::End(hash))) => self.hash = Some(hash),
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(io::Error::other("the file could not be read to its end")),
            }
        }
    }
}

#[derive(Clone)]
struct Tallied(Rc<RefCell<Tally>>);

impl Read for Tallied {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(out)
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
pub(super) enum LineEnd {
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
        let tally = Rc::new(RefCell::new(Tally {
            parts: read_ahead(file),
            block: io::Cursor::default(),
            hash: None,
            consumed: 0,
        }));
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

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Size on disk in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    pub(super) fn byte_order_mark(&self) -> Option<&'static str> {
        self.byte_order_mark
    }

    pub(super) fn line_end(&self) -> LineEnd {
        self.line_end
    }

    /// The unpacked text.
    pub(super) fn reader(&mut self) -> &mut impl BufRead {
        &mut self.reader
    }

    /// Bytes read from the disk so far.
    pub(super) fn consumed(&self) -> u64 {
        self.tally.borrow().consumed
    }

    /// Reads on without unpacking, for the hash only; answers whether there was anything left.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn skip_packed(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; HEAD];
        Ok(Tallied(Rc::clone(&self.tally)).read(&mut buffer)? > 0)
    }

    /// Hash of the file, once it was read to its end.
    pub(super) fn hash(&self) -> Option<ContentHash> {
        self.tally.borrow().hash
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks are read and hashed in another thread: at their borders nothing may be lost or counted twice.
    #[test]
    fn everything_is_read_and_hashed_whatever_the_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("barcodes.txt");
        for size in [1, HEAD, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17, (BLOCKS_AHEAD + 3) * BLOCK] {
            let text: Vec<u8> = (0..size).map(|at| b"ACGT\n"[(at * at / 3) % 5]).collect();
            std::fs::write(&path, &text).unwrap();
            let mut source = Source::open(&path).unwrap();
            // Looking at the head reaches the end of what is no longer than it.
            assert_eq!(source.hash().is_some(), size < HEAD, "{size}");
            let mut read = Vec::new();
            source.reader().read_to_end(&mut read).unwrap();
            assert!(read == text, "{size}");
            while source.skip_packed().unwrap() {}
            assert_eq!((source.hash(), source.consumed()), (Some(ContentHash::of(&text)), size as u64));
        }
    }

    #[test]
    fn a_file_of_which_only_the_start_is_wanted_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.txt");
        std::fs::write(&path, b"ACGT\n".repeat(4 * BLOCKS_AHEAD * BLOCK / 5)).unwrap();
        let source = Source::open(&path).unwrap();
        let read_ahead = source.consumed();
        assert!(read_ahead <= 2 * BLOCK as u64, "{read_ahead}");
        drop(source);
        std::fs::remove_file(&path).unwrap();
    }
}
