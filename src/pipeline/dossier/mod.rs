//! Everything about one specimen on one screen: its names, its nearest by embedding and by identity, where their bases differ, its BIN, its
//! reading frame, the bases that tell its label from the name that fits better, and what is probably wrong.

mod frame;
mod page;
mod stack;

pub use frame::FrameFacts;
pub use page::write_dossier;
pub use stack::{DifferingColumn, Stack, StackLine};

use super::audit::{Suspect, name_of};
use super::discover::{diagnostic_in_frame, short};
use super::provenance::Provenance;
use super::review::Curated;
use crate::analysis::alignment::Aligner;
use crate::analysis::diagnostic::DiagnosticBase;
use crate::analysis::kmer::KmerShortlist;
use crate::analysis::knn::nearest;
use crate::data::dataset::Dataset;
use crate::data::frame::{FrameCheck, Registration};
use crate::data::taxonomy::Field;
use crate::pipeline::stored::StoredVectors;
use crate::progress::{Cancelled, Observer};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Neighbours in each of the two lists.
pub const NEIGHBOURS: usize = 10;
/// Neighbours whose bases are shown.
const STACKED: usize = 8;
/// Barcodes that share most 8-mers with the specimen's, which are aligned.
const ALIGNED: usize = 64;
/// Specimens of a species that are compared for diagnostic bases, at most.
const MEMBERS: usize = 50;

/// What a dossier is made from.
#[derive(Debug, Clone, Copy)]
pub struct DossierInput<'a> {
    /// The specimens with the labels in force.
    pub curated: &'a Curated<'a>,
    /// Comparable vectors of the unique barcodes, `[U,D]`.
    pub vectors: &'a StoredVectors,
    /// All unique barcodes by their 8-mers, `[U]`.
    pub shortlist: &'a KmerShortlist,
    /// Where the unique barcodes lie, `[U]`.
    pub frames: &'a [FrameCheck],
    /// What the rules made of it.
    pub suspect: Option<&'a Suspect>,
    /// The specimen.
    pub row: usize,
}

/// One specimen near another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its row.
    pub row: usize,
    /// Cosine of the embeddings; `None` in the list by identity.
    pub cosine: Option<f32>,
    /// Identity of the barcodes, 0 to 1.
    pub identity: f32,
}

/// Who shares the specimen's BIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinFellows {
    /// The BIN.
    pub bin: String,
    /// The other specimens in it.
    pub others: usize,
    /// Their finest names, with how many bear them, most first; without those that have none.
    pub names: Vec<(String, usize)>,
}

/// The bases that tell two species apart, and which of them the specimen has.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// The species on the label.
    pub labelled: String,
    /// The species that fits better, or the nearest other.
    pub other: String,
    /// Bases that all others of the labelled species have and none of the other species: those the specimen has, and all.
    pub of_labelled: [Vec<DiagnosticBase>; 2],
    /// The same of the other species.
    pub of_other: [Vec<DiagnosticBase>; 2],
}

/// Everything about one specimen.
#[derive(Debug, Clone)]
pub struct Dossier {
    /// The specimen.
    pub row: usize,
    /// The specimens nearest by embedding, nearest first.
    pub by_embedding: Vec<Neighbour>,
    /// The most identical specimens, most identical first.
    pub by_identity: Vec<Neighbour>,
    /// Specimens that are in both lists.
    pub in_both: usize,
    /// Where its bases differ from those of its nearest.
    pub stack: Stack,
    /// Who shares its BIN; `None` without one.
    pub bin: Option<BinFellows>,
    /// Its length and reading frame.
    pub frame: FrameFacts,
    /// Which bases tell its label from the other name; `None` where one of the two has no species.
    pub telling: Option<Telling>,
    /// What is probably wrong; `None` while labels were not judged.
    pub suspect: Option<Suspect>,
    /// How it was made.
    pub provenance: Provenance,
}

/// Puts everything together.
///
/// # Errors
/// [`Cancelled`].
pub fn dossier(
    input: &DossierInput<'_>,
    provenance: Provenance,
    observer: &dyn Observer,
) -> Result<Dossier, Cancelled> {
    let by_embedding = by_embedding(input, observer)?;
    let by_identity = by_identity(input);
    let in_both = by_embedding.iter().filter(|near| by_identity.iter().any(|other| other.row == near.row)).count();
    Ok(Dossier {
        row: input.row,
        in_both,
        stack: Stack::of(input, &stacked(input, &by_identity)),
        bin: bin_fellows(input),
        frame: FrameFacts::of(input, by_identity.first().map(|near| near.row)),
        telling: telling(input, &by_identity),
        suspect: input.suspect.cloned(),
        provenance,
        by_embedding,
        by_identity,
    })
}

impl DossierInput<'_> {
    fn dataset(&self) -> &Dataset {
        self.curated.dataset()
    }

    /// A barcode as it is to be read: turned to the strand that fits.
    fn oriented(&self, row: usize) -> Cow<'_, [u8]> {
        let sequence = self.dataset().sequence(row);
        self.registration(row).map_or(Cow::Borrowed(sequence), |place| place.oriented(sequence))
    }

    /// Where a barcode lies in the COI-5P frame; `None` where it does not.
    fn registration(&self, row: usize) -> Option<Registration> {
        self.frames[self.dataset().unique_of(row)].registration.filter(Registration::is_coi)
    }
}

/// The rows that have these barcodes, without the specimen itself, the best barcodes first.
fn rows_of(input: &DossierInput<'_>, uniques: &[(usize, Option<f32>, f32)]) -> Vec<Neighbour> {
    let dataset = input.dataset();
    let place: BTreeMap<usize, usize> = uniques.iter().enumerate().map(|(at, found)| (found.0, at)).collect();
    let mut found: Vec<(usize, usize)> = (0..dataset.len())
        .filter(|&row| row != input.row)
        .filter_map(|row| Some((*place.get(&dataset.unique_of(row))?, row)))
        .collect();
    found.sort_unstable();
    found.truncate(NEIGHBOURS);
    let neighbour = |(at, row): (usize, usize)| Neighbour { row, cosine: uniques[at].1, identity: uniques[at].2 };
    found.into_iter().map(neighbour).collect()
}

fn by_embedding(input: &DossierInput<'_>, observer: &dyn Observer) -> Result<Vec<Neighbour>, Cancelled> {
    let own = input.dataset().unique_of(input.row);
    let query = input.vectors.select(&[own]);
    let k = (NEIGHBOURS + 1).min(input.dataset().unique_len());
    let found: Vec<(u32, f32)> = nearest(&query, input.vectors, k, &|_, _| false, observer)?.of(0).collect();
    let mut aligner = Aligner::new();
    let sequence = input.dataset().sequence(input.row);
    let uniques: Vec<_> = found
        .into_iter()
        .map(|(unique, cosine)| {
            let theirs = input.dataset().unique_sequence(unique as usize);
            (unique as usize, Some(cosine), aligner.identity(sequence, theirs))
        })
        .collect();
    Ok(rows_of(input, &uniques))
}

fn by_identity(input: &DossierInput<'_>) -> Vec<Neighbour> {
    let mut aligner = Aligner::new();
    let sequence = input.dataset().sequence(input.row);
    let mut uniques: Vec<(usize, Option<f32>, f32)> = input
        .shortlist
        .most_shared(sequence, ALIGNED)
        .into_iter()
        .map(|unique| {
            let theirs = input.dataset().unique_sequence(unique as usize);
            (unique as usize, None, aligner.identity(sequence, theirs))
        })
        .collect();
    uniques.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
    rows_of(input, &uniques)
}

/// The rows whose bases are shown: the nearest of its own name, the other that the rules named, then the most identical.
fn stacked(input: &DossierInput<'_>, by_identity: &[Neighbour]) -> Vec<usize> {
    let evidence = input.suspect.map(|suspect| &suspect.evidence);
    let named = evidence.into_iter().flat_map(|evidence| {
        [evidence.own.map(|(row, _)| row), evidence.other.map(|other| other.row)].into_iter().flatten()
    });
    let mut rows: Vec<usize> = Vec::new();
    for row in named.chain(by_identity.iter().map(|near| near.row)) {
        if rows.len() < STACKED && !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

fn bin_fellows(input: &DossierInput<'_>) -> Option<BinFellows> {
    let dataset = input.dataset();
    let bins = dataset.labels(Field::Bin);
    let code = bins.code(input.row)?;
    let others: Vec<usize> =
        (0..dataset.len()).filter(|&row| row != input.row && bins.code(row) == Some(code)).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for &row in &others {
        if let Some(name) = input.curated.name(row) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let mut names: Vec<(String, usize)> = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    names.sort_by_key(|&(_, count)| Reverse(count));
    Some(BinFellows { bin: bins.name(code).to_owned(), others: others.len(), names })
}

fn telling(input: &DossierInput<'_>, by_identity: &[Neighbour]) -> Option<Telling> {
    let species = |row: usize| input.curated.label(row, Field::Species);
    let labelled = species(input.row)?;
    let named = input.suspect.and_then(|suspect| suspect.evidence.other).and_then(|other| species(other.row));
    let nearest = || by_identity.iter().filter_map(|near| species(near.row)).find(|&name| name != labelled);
    let other = named.filter(|&name| name != labelled).or_else(nearest)?;
    let members = |name: &str| -> Vec<&[u8]> {
        let rows = (0..input.dataset().len()).filter(|&row| row != input.row && species(row) == Some(name));
        rows.take(MEMBERS).map(|row| input.dataset().sequence(row)).collect()
    };
    let (ours, theirs) = (members(labelled), members(other));
    let sides = |bases: Vec<DiagnosticBase>| {
        let has = |base: &DiagnosticBase| base_at(input, base.position) == Some(base.base);
        [bases.iter().filter(|base| has(base)).cloned().collect(), bases]
    };
    Some(Telling {
        labelled: labelled.to_owned(),
        other: other.to_owned(),
        of_labelled: sides(diagnostic_in_frame(&ours, &theirs)),
        of_other: sides(diagnostic_in_frame(&theirs, &ours)),
    })
}

/// The specimen's letter at a position of the frame.
fn base_at(input: &DossierInput<'_>, position: usize) -> Option<u8> {
    let place = input.registration(input.row)?;
    let at = usize::try_from(position as i32 - place.start).ok()?;
    input.oriented(input.row).get(at).copied()
}

impl Telling {
    /// `12 of the 14 bases that tell A from B, and 0 of the 13 that tell B from A`
    pub fn told(&self) -> String {
        let [ours, all_ours] = &self.of_labelled;
        let [theirs, all_theirs] = &self.of_other;
        let (labelled, other) = (&self.labelled, &self.other);
        if all_ours.is_empty() && all_theirs.is_empty() {
            return format!("No base tells {labelled} from {other} in the specimens here.");
        }
        format!(
            "It has {} of the {} bases that tell {labelled} from {other}, and {} of the {} that tell {other} from {labelled}.",
            ours.len(),
            all_ours.len(),
            theirs.len(),
            all_theirs.len(),
        )
    }

    /// The bases it has, with their places in the frame from 1: of the label, and of the other.
    pub fn bases(&self) -> [String; 2] {
        [&self.of_labelled[0], &self.of_other[0]].map(|bases| bases.iter().map(short).collect::<Vec<_>>().join(" "))
    }
}

/// The finest name on the label as it was read, for titles.
fn label_as_read(dataset: &Dataset, row: usize) -> &str {
    name_of(dataset, row).unwrap_or("no name")
}

#[cfg(test)]
mod tests;
