//! The immutable column store that everything else reads.
//!
//! | what | shape |
//! |---|---|
//! | specimens | `N` rows, in file order; the id of a row is that of the file |
//! | sequences | `U <= N` unique barcodes in one arena; [`Dataset::unique_of`] maps a row to its barcode |
//! | labels | one [`LabelColumn`] `[N]` per [`Field`] |
//! | other columns | text, `[N]` each |

use super::taxonomy::{Field, LabelColumn, LabelColumnBuilder};
use crate::key::{ContentHash, DatasetId, PartHasher};
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::{BitOr, BitOrAssign};
use std::path::PathBuf;

/// What is unusual about a record that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u8);

impl Flags {
    /// Nothing unusual.
    pub const NONE: Self = Self(0);
    /// Fewer than 200 bases.
    pub const SHORT: Self = Self(1);
    /// More than 1 % of the letters are not A, C, G or T.
    pub const AMBIGUOUS: Self = Self(2);
    /// Fits the COI-5P frame only as its reverse complement.
    pub const REVERSE_COMPLEMENT: Self = Self(4);
    /// Fits the COI-5P frame nowhere.
    pub const NOT_COI: Self = Self(8);
    /// Has a stop codon in every reading frame.
    pub const STOP_CODON: Self = Self(16);

    const NAMED: [(Self, &'static str); 5] = [
        (Self::SHORT, "short"),
        (Self::AMBIGUOUS, "ambiguous"),
        (Self::REVERSE_COMPLEMENT, "reverse_complement"),
        (Self::NOT_COI, "not_coi"),
        (Self::STOP_CODON, "stop_codon"),
    ];

    /// What the letters alone tell: [`Self::SHORT`] and [`Self::AMBIGUOUS`].
    pub fn of_letters(length: usize, ambiguous: usize) -> Self {
        let mut flags = Self::NONE;
        if length < 200 {
            flags |= Self::SHORT;
        }
        if ambiguous * 100 > length {
            flags |= Self::AMBIGUOUS;
        }
        flags
    }

    /// The flags as bits, to be stored.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The flags with these bits; `None` where a bit means nothing.
    pub fn from_bits(bits: u8) -> Option<Self> {
        let known = Self::NAMED.into_iter().fold(0, |known, (flag, _)| known | flag.0);
        (bits & !known == 0).then_some(Self(bits))
    }

    /// Whether all flags of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is unusual.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the flags that are set, as they stand in reports.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Where a record stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Index into [`Dataset::files`].
    pub file: u32,
    /// Line of the record's first letter, from 1.
    pub line: u32,
}

/// One file that a dataset was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As the user named it.
    pub path: PathBuf,
    /// Hash of the bytes on disk.
    pub sha256: ContentHash,
}

/// One specimen on its way into a [`Dataset`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// The file's own id; the builder appends `#2`, `#3`, … to repeats.
    pub id: String,
    /// Normalised bases: upper case, U as T, no gaps or blanks, no trailing N.
    pub sequence: Vec<u8>,
    /// Labels; a missing entry is a missing value.
    pub labels: HashMap<Field, String>,
    /// Latitude and longitude in degrees.
    pub coordinates: Option<[f32; 2]>,
    /// Values of the other columns, in the order given to [`DatasetBuilder::new`]; missing ones are empty.
    pub other: Vec<String>,
    /// Index of the file and line.
    pub origin: Option<Origin>,
    /// What the reader found unusual.
    pub flags: Flags,
}

/// The labels of a specimen as one [`DatasetBuilder`] numbers them, until it is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LabelCodes([u32; Field::ALL.len()]);

/// One specimen that borrows from its reader: what [`DatasetBuilder::push_row`] takes, without an allocation per value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// The file's own id.
    pub(crate) id: &'a str,
    /// Normalised bases.
    pub(crate) sequence: &'a [u8],
    /// Labels.
    pub(crate) labels: LabelCodes,
    /// Latitude and longitude in degrees.
    pub(crate) coordinates: Option<[f32; 2]>,
    /// Values of the other columns, in the order given to [`DatasetBuilder::new`]; missing ones are empty.
    pub(crate) other: &'a [Cow<'a, str>],
    /// Index of the file and line.
    pub(crate) origin: Origin,
    /// What the reader found unusual.
    pub(crate) flags: Flags,
}

/// Many short byte strings in one allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arena {
    bytes: Vec<u8>,
    ends: Vec<u64>,
}

impl Arena {
    fn new() -> Self {
        Self { bytes: Vec::new(), ends: vec![0] }
    }

    fn push(&mut self, item: &[u8]) {
        self.bytes.extend_from_slice(item);
        self.ends.push(self.bytes.len() as u64);
    }

    fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.ends[index] as usize..self.ends[index + 1] as usize]
    }

    fn text(&self, index: usize) -> &str {
        std::str::from_utf8(self.get(index)).expect("only whole strings are pushed")
    }

    fn len(&self) -> usize {
        self.ends.len() - 1
    }
}

/// Finds items of an [`Arena`] by content without holding a second copy of them.
#[derive(Debug, Default)]
struct ArenaIndex {
    /// The first item with a hash.
    first: HashMap<u64, u32, RandomState>,
    /// From an item to the next one with the same hash: almost always empty.
    next: HashMap<u32, u32>,
    /// The standard hash takes as long for a barcode as all else together.
    hashing: RandomState,
}

impl ArenaIndex {
    /// The index of `item` in `arena`; where it is new, it is pushed and `None` returned.
    fn find_or_push(&mut self, arena: &mut Arena, item: &[u8]) -> Option<u32> {
        let new = arena.len() as u32;
        let mut at = match self.first.entry(self.hashing.hash_one(item)) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(new);
                arena.push(item);
                return None;
            }
            std::collections::hash_map::Entry::Occupied(taken) => *taken.get(),
        };
        loop {
            if arena.get(at as usize) == item {
                return Some(at);
            }
            match self.next.get(&at) {
                Some(&following) => at = following,
                None => break,
            }
        }
        self.next.insert(at, new);
        arena.push(item);
        None
    }
}

/// Specimens with their barcodes and labels. Never changes once it is built.
#[derive(Debug, Clone)]
pub struct Dataset {
    name: String,
    files: Vec<SourceFile>,
    ids: Arena,
    /// Rows ordered by id, for look-up by binary search.
    by_id: Vec<u32>,
    sequences: Arena,
    unique_of: Vec<u32>,
    first_row: Vec<u32>,
    labels: Vec<LabelColumn>,
    coordinates: Vec<[f32; 2]>,
    other_names: Vec<String>,
    other: Vec<Arena>,
    origins: Vec<Origin>,
    flags: Vec<Flags>,
    key: DatasetId,
}

impl Dataset {
    /// Number of specimens, `N`.
    pub fn len(&self) -> usize {
        self.unique_of.len()
    }

    /// Whether there is no specimen.
    pub fn is_empty(&self) -> bool {
        self.unique_of.is_empty()
    }

    /// What the dataset is called: usually its file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files it was read from; empty for simulated data.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Hash of ids, sequences, labels and columns.
    pub fn key(&self) -> DatasetId {
        self.key
    }

    /// The specimen's id.
    pub fn id(&self, row: usize) -> &str {
        self.ids.text(row)
    }

    /// The row of the specimen with this id.
    pub fn row_of(&self, id: &str) -> Option<usize> {
        let at = self.by_id.binary_search_by(|&row| self.id(row as usize).cmp(id)).ok()?;
        Some(self.by_id[at] as usize)
    }

    /// The specimen's barcode: normalised upper-case IUPAC letters.
    pub fn sequence(&self, row: usize) -> &[u8] {
        self.sequences.get(self.unique_of(row))
    }

    /// Number of different barcodes, `U`.
    pub fn unique_len(&self) -> usize {
        self.sequences.len()
    }

    /// Index of the specimen's barcode among the unique ones, `0..U`.
    pub fn unique_of(&self, row: usize) -> usize {
        self.unique_of[row] as usize
    }

    /// A unique barcode by its index.
    pub fn unique_sequence(&self, unique: usize) -> &[u8] {
        self.sequences.get(unique)
    }

    /// The first specimen that has this unique barcode.
    pub fn first_row_of(&self, unique: usize) -> usize {
        self.first_row[unique] as usize
    }

    /// The labels of one field, `[N]`.
    pub fn labels(&self, field: Field) -> &LabelColumn {
        &self.labels[field as usize]
    }

    /// One label of one specimen.
    pub fn label(&self, row: usize, field: Field) -> Option<&str> {
        self.labels(field).get(row)
    }

    /// Latitude and longitude in degrees, where known.
    pub fn coordinates(&self, row: usize) -> Option<[f32; 2]> {
        Some(self.coordinates[row]).filter(|[lat, lon]| lat.is_finite() && lon.is_finite())
    }

    /// Names of the columns that are kept as text.
    pub fn other_columns(&self) -> &[String] {
        &self.other_names
    }

    /// Value of text column `column` (an index into [`Self::other_columns`]); empty where missing.
    pub fn other(&self, row: usize, column: usize) -> &str {
        self.other[column].text(row)
    }

    /// File and line of the record.
    pub fn origin(&self, row: usize) -> Origin {
        self.origins[row]
    }

    /// What the reader found unusual.
    pub fn flags(&self, row: usize) -> Flags {
        self.flags[row]
    }

    /// The rows whose split is `split`.
    pub fn rows_in_split(&self, split: &str) -> Vec<usize> {
        (0..self.len()).filter(|&row| self.label(row, Field::Split) == Some(split)).collect()
    }
}

/// Collects a [`Dataset`] record by record.
#[derive(Debug)]
pub struct DatasetBuilder {
    name: String,
    files: Vec<SourceFile>,
    ids: Arena,
    id_index: ArenaIndex,
    repeats: HashMap<String, u32>,
    sequences: Arena,
    sequence_index: ArenaIndex,
    unique_of: Vec<u32>,
    first_row: Vec<u32>,
    labels: Vec<LabelColumnBuilder>,
    coordinates: Vec<[f32; 2]>,
    other_names: Vec<String>,
    other: Vec<Arena>,
    origins: Vec<Origin>,
    flags: Vec<Flags>,
}

impl DatasetBuilder {
    /// An empty dataset with the names of its text columns.
    pub fn new(name: impl Into<String>, other_columns: Vec<String>) -> Self {
        Self {
            name: name.into(),
            files: Vec::new(),
            ids: Arena::new(),
            id_index: ArenaIndex::default(),
            repeats: HashMap::new(),
            sequences: Arena::new(),
            sequence_index: ArenaIndex::default(),
            unique_of: Vec::new(),
            first_row: Vec::new(),
            labels: vec![LabelColumnBuilder::default(); Field::ALL.len()],
            coordinates: Vec::new(),
            other: other_columns.iter().map(|_| Arena::new()).collect(),
            other_names: other_columns,
            origins: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// Adds a source file and gives its index for [`Origin::file`].
    pub fn add_file(&mut self, file: SourceFile) -> u32 {
        self.files.push(file);
        self.files.len() as u32 - 1
    }

    /// Number of records so far.
    pub fn len(&self) -> usize {
        self.unique_of.len()
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.unique_of.is_empty()
    }

    /// Adds a record and returns the id that it got: its own, or with `#2`, `#3`, … appended where that was taken.
    pub fn push(&mut self, record: Record) -> String {
        let labels = self.label_codes(&Field::ALL.map(|field| record.labels.get(&field).map(String::as_str)));
        let other: Vec<Cow<'_, str>> = record.other.iter().map(Cow::from).collect();
        let renamed = self.push_row(&Row {
            id: &record.id,
            sequence: &record.sequence,
            labels,
            coordinates: record.coordinates,
            other: &other,
            origin: record.origin.unwrap_or(Origin { file: 0, line: 0 }),
            flags: record.flags,
        });
        renamed.unwrap_or(record.id)
    }

    /// The codes of labels in the order of [`Field::ALL`]: those of one specimen, for [`Self::push_row`].
    pub(crate) fn label_codes(&mut self, labels: &[Option<&str>; Field::ALL.len()]) -> LabelCodes {
        LabelCodes(std::array::from_fn(|field| self.labels[field].code(labels[field])))
    }

    /// Adds a specimen. Answers the id that it got where its own was taken: with `#2`, `#3`, … appended.
    pub(crate) fn push_row(&mut self, row: &Row<'_>) -> Option<String> {
        let renamed = self.push_id(row.id);
        let number = self.unique_of.len() as u32;
        let next = self.first_row.len() as u32;
        let unique = self.sequence_index.find_or_push(&mut self.sequences, row.sequence).unwrap_or_else(|| {
            self.first_row.push(number);
            next
        });
        self.unique_of.push(unique);
        for (column, code) in self.labels.iter_mut().zip(row.labels.0) {
            column.push_code(code);
        }
        self.coordinates.push(row.coordinates.unwrap_or([f32::NAN; 2]));
        for (index, column) in self.other.iter_mut().enumerate() {
            column.push(row.other.get(index).map_or(&[][..], |value| value.as_bytes()));
        }
        self.origins.push(row.origin);
        self.flags.push(row.flags);
        renamed
    }

    fn push_id(&mut self, id: &str) -> Option<String> {
        self.id_index.find_or_push(&mut self.ids, id.as_bytes())?;
        let count = self.repeats.entry(id.to_owned()).or_insert(1);
        loop {
            *count += 1;
            let candidate = format!("{id}#{count}");
            if self.id_index.find_or_push(&mut self.ids, candidate.as_bytes()).is_none() {
                return Some(candidate);
            }
        }
    }

    /// What was added so far as a dataset; what is added from now on makes another one with the same name and columns.
    pub fn finish_part(&mut self) -> Dataset {
        let next = Self::new(self.name.clone(), self.other_names.clone());
        std::mem::replace(self, next).finish()
    }

    /// The finished dataset.
    pub fn finish(self) -> Dataset {
        let labels: Vec<LabelColumn> = self.labels.into_iter().map(LabelColumnBuilder::finish).collect();
        let mut dataset = Dataset {
            name: self.name,
            files: self.files,
            ids: self.ids,
            by_id: Vec::new(),
            sequences: self.sequences,
            unique_of: self.unique_of,
            first_row: self.first_row,
            labels,
            coordinates: self.coordinates,
            other_names: self.other_names,
            other: self.other,
            origins: self.origins,
            flags: self.flags,
            key: ContentHash([0; 32]),
        };
        (dataset.by_id, dataset.key) = rayon::join(|| order_by_id(&dataset.ids), || content_hash(&dataset));
        dataset
    }
}

fn order_by_id(ids: &Arena) -> Vec<u32> {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| ids.get(a as usize).cmp(ids.get(b as usize)));
    order
}

/// Hash of what the dataset says, not of where it was read from: the same records in another file have the same key.
fn content_hash(dataset: &Dataset) -> DatasetId {
    let mut hasher = PartHasher::default();
    let arena = |hasher: &mut PartHasher, arena: &Arena| {
        hasher.part(&arena.bytes);
        hasher.numbers(arena.ends.iter().map(|end| end.to_le_bytes()));
    };
    arena(&mut hasher, &dataset.ids);
    arena(&mut hasher, &dataset.sequences);
    hasher.numbers(dataset.unique_of.iter().map(|unique| unique.to_le_bytes()));
    for column in &dataset.labels {
        hasher.numbers((0..column.len()).map(|row| column.code(row).unwrap_or(u32::MAX).to_le_bytes()));
        hasher.part(column.names().join("\n").as_bytes());
    }
    hasher.numbers(dataset.coordinates.iter().map(|[latitude, longitude]| {
        (u64::from(longitude.to_bits()) << 32 | u64::from(latitude.to_bits())).to_le_bytes()
    }));
    hasher.part(dataset.other_names.join("\n").as_bytes());
    dataset.other.iter().for_each(|column| arena(&mut hasher, column));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, sequence: &str, genus: Option<&str>) -> Record {
        Record {
            id: id.into(),
            sequence: sequence.into(),
            labels: genus.map(|genus| (Field::Genus, genus.to_owned())).into_iter().collect(),
            other: vec![format!("note on {id}")],
            ..Record::default()
        }
    }

    fn build(records: &[Record]) -> Dataset {
        let mut builder = DatasetBuilder::new("test", vec!["note".into()]);
        records.iter().for_each(|record| {
            builder.push(record.clone());
        });
        builder.finish()
    }

    #[test]
    fn rows_keep_file_order_and_identical_barcodes_are_stored_once() {
        let dataset =
            build(&[record("b", "ACGT", Some("Apis")), record("a", "ACGA", None), record("c", "ACGT", Some("Apis"))]);
        assert_eq!((0..3).map(|row| dataset.id(row)).collect::<Vec<_>>(), ["b", "a", "c"]);
        assert_eq!(dataset.unique_len(), 2);
        assert_eq!(dataset.unique_of(0), dataset.unique_of(2));
        assert_eq!(dataset.first_row_of(dataset.unique_of(2)), 0);
        assert_eq!(dataset.sequence(1), b"ACGA");
        assert_eq!(dataset.label(0, Field::Genus), Some("Apis"));
        assert_eq!(dataset.label(1, Field::Genus), None);
        assert_eq!(dataset.other(2, 0), "note on c");
        assert_eq!(dataset.row_of("a"), Some(1));
        assert_eq!(dataset.row_of("z"), None);
        assert_eq!(dataset.coordinates(0), None);
    }

    #[test]
    fn repeated_ids_get_numbers_that_no_other_record_has() {
        let dataset = build(&["x", "x#2", "x", "x"].map(|id| record(id, "ACGT", None)));
        assert_eq!((0..4).map(|row| dataset.id(row)).collect::<Vec<_>>(), ["x", "x#2", "x#3", "x#4"]);
    }

    #[test]
    fn items_that_share_a_hash_are_told_apart() {
        let mut arena = Arena::new();
        let mut index = ArenaIndex::default();
        assert_eq!(index.find_or_push(&mut arena, b"a"), None);
        assert_eq!(index.find_or_push(&mut arena, b"b"), None);
        // As if "c" and "d" had the hash of "a": they are found along the chain, not mistaken for it.
        for item in [b"c", b"d"] {
            index.first.insert(index.hashing.hash_one(item.as_slice()), 0);
        }
        assert_eq!(index.find_or_push(&mut arena, b"c"), None);
        assert_eq!(index.find_or_push(&mut arena, b"d"), None);
        assert_eq!(index.find_or_push(&mut arena, b"c"), Some(2));
        assert_eq!(index.find_or_push(&mut arena, b"d"), Some(3));
        assert_eq!(index.find_or_push(&mut arena, b"a"), Some(0));
    }

    #[test]
    fn the_key_changes_with_any_content_and_only_with_content() {
        let records = [record("a", "ACGT", Some("Apis")), record("b", "ACGA", None)];
        let key = build(&records).key();
        assert_eq!(key, build(&records).key());
        for change in [
            record("c", "ACGA", None),
            record("b", "ACGC", None),
            record("b", "ACGA", Some("Apis")),
            Record { coordinates: Some([1.0, 2.0]), ..record("b", "ACGA", None) },
            Record { other: vec!["else".into()], ..record("b", "ACGA", None) },
        ] {
            assert_ne!(key, build(&[records[0].clone(), change.clone()]).key(), "{change:?}");
        }
    }

    #[test]
    fn an_empty_dataset_is_whole() {
        let dataset = build(&[]);
        assert!(dataset.is_empty());
        assert_eq!(dataset.unique_len(), 0);
        assert_eq!(dataset.row_of(""), None);
    }

    #[test]
    fn flags_are_named() {
        let flags = Flags::SHORT | Flags::STOP_CODON;
        assert_eq!(flags.names().collect::<Vec<_>>(), ["short", "stop_codon"]);
        assert!(Flags::NONE.is_empty() && !flags.is_empty());
        assert_eq!(Flags::from_bits(flags.bits()), Some(flags));
        assert_eq!(Flags::from_bits(32), None);
        assert_eq!(Flags::of_letters(199, 1), Flags::SHORT);
        assert_eq!(Flags::of_letters(200, 2), Flags::NONE);
        assert_eq!(Flags::of_letters(200, 3), Flags::AMBIGUOUS);
    }
}
