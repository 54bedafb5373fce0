//! The barcode gap of a file: for every species the largest distance within it and the smallest to another, by bases and by embedding,
//! and what threshold tells its species apart best.

mod export;

pub use export::{write_gap, write_species};

use super::provenance::Provenance;
use super::review::Curated;
use crate::analysis::gap::{BINS, Distances};
use crate::analysis::gap::{
    Distance, Packed, Reach, Spread, ThresholdError, best_thresholds, distances, threshold_errors,
};
use crate::analysis::knn::{Rows, nearest};
use crate::data::dataset::Dataset;
use crate::data::frame::{FrameCheck, Registration};
use crate::data::taxonomy::{Field, LabelColumn};
use crate::pipeline::stored::StoredVectors;
use crate::progress::{Cancelled, Observer, Progress};
use ndarray::s;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Ranks whose distances are told, the finest first.
pub const RANKS: [Field; 4] = [Field::Species, Field::Genus, Field::Family, Field::Order];
/// Width of a bin of the histogram of 1 − cosine; the last bin holds everything beyond.
pub const EMBEDDED_BIN: f32 = 0.02;
/// Barcodes whose cosines with all others are held at a time.
const BLOCK: usize = 256;
/// Pairs that are listed because bases and embedding differ about them.
const PAIRS: usize = 100;

/// The distances of one species.
#[derive(Debug, Clone, PartialEq)]
pub struct GapRow {
    /// Its name.
    pub name: String,
    /// One of its specimens.
    pub row: usize,
    /// Its specimens that were compared.
    pub specimens: usize,
    /// The largest distance between two of its barcodes; `None` of one.
    pub within: Option<f32>,
    /// The smallest distance to another species, and its name.
    pub nearest: Option<(f32, String)>,
    /// The same by the embedding: 1 − cosine.
    pub embedded: Option<[Option<f32>; 2]>,
}

impl GapRow {
    /// Whether every other species is farther away than any two of its barcodes are; `None` where one of the two is not known.
    pub fn has_gap(&self) -> Option<bool> {
        Some(self.within? < self.nearest.as_ref()?.0)
    }
}

/// Two barcodes whose bases and embeddings differ about how near they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairRow {
    /// A specimen of each.
    pub rows: [usize; 2],
    /// Their distance by bases.
    pub distance: f32,
    /// Their distance by embedding: 1 − cosine.
    pub embedded: f32,
    /// How much farther they are by embedding than pairs of their distance usually are.
    pub residual: f32,
}

/// The barcode gap of a file.
#[derive(Debug, Clone)]
pub struct Gap {
    /// How barcodes were compared.
    pub distance: Distance,
    /// The species, those without a gap first, the widest overlap before narrower ones.
    pub species: Vec<GapRow>,
    /// Pairs of one species and of two by distance; see [`crate::analysis::gap::BIN`].
    pub histogram: [[u64; BINS]; 2],
    /// The same by the embedding, in bins of [`EMBEDDED_BIN`] from 0 on; none without embeddings.
    pub embedded_histogram: Option<[[u64; BINS]; 2]>,
    /// Pairs by the finest rank that both share, in the order of [`RANKS`]; those that share none stand last.
    pub ranks: Vec<Spread>,
    /// What each threshold gets wrong.
    pub thresholds: Vec<ThresholdError>,
    /// The first and the last threshold that gets least wrong.
    pub best: Option<[ThresholdError; 2]>,
    /// Each barcode with its nearest by bases and by embedding, those first that differ most; none without embeddings.
    pub pairs: Vec<PairRow>,
    /// Specimens with a species that do not lie in the COI-5P frame, so that they were compared with none.
    pub outside: usize,
    /// How it was made.
    pub provenance: Provenance,
}

/// One barcode under one species.
struct Node {
    unique: usize,
    species: u32,
    row: usize,
    specimens: usize,
}

/// Measures the barcode gap of the specimens that were not left out. `vectors` `[U,D]` are comparable embeddings of the unique barcodes.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
pub fn gap(
    curated: &Curated<'_>,
    frames: &[FrameCheck],
    vectors: Option<&StoredVectors>,
    distance: Distance,
    provenance: Provenance,
    observer: &dyn Observer,
) -> Result<Gap, Cancelled> {
    let dataset = curated.dataset();
    let columns = RANKS.map(|rank| curated.column(rank));
    let (nodes, outside) = nodes(dataset, frames, &columns[0]);
    let barcodes: Vec<Packed> = nodes.iter().map(|node| packed(dataset, frames, node.unique)).collect();
    let ranks = columns.each_ref().map(|column| nodes.iter().map(|node| column.code(node.row)).collect::<Vec<_>>());
    let Distances { reach, histogram, spreads } = distances(&barcodes, &ranks, distance, observer)?;
    let near = vectors.map(|vectors| by_embedding(&nodes, vectors, observer)).transpose()?;
    let embedded_histogram = vectors.map(|vectors| cosine_histogram(&nodes, vectors, observer)).transpose()?;
    let pairs = match (vectors, &near) {
        (Some(vectors), Some(near)) => pairs(&nodes, &barcodes, vectors, &reach, near, distance),
        _ => Vec::new(),
    };
    let thresholds = threshold_errors(&reach);
    Ok(Gap {
        distance,
        species: species(&nodes, &reach, vectors.zip(near.as_deref()), &columns[0]),
        histogram,
        embedded_histogram,
        ranks: spreads,
        best: best_thresholds(&thresholds),
        thresholds,
        pairs,
        outside,
        provenance: provenance.with("distance", distance.title()),
    })
}

/// The barcodes that lie in the frame, each once for every species that has it, and how many specimens lie outside.
fn nodes(dataset: &Dataset, frames: &[FrameCheck], species: &LabelColumn) -> (Vec<Node>, usize) {
    let mut found: BTreeMap<(u32, usize), Node> = BTreeMap::new();
    let mut outside = 0;
    for row in 0..dataset.len() {
        let (unique, Some(code)) = (dataset.unique_of(row), species.code(row)) else { continue };
        if !frames[unique].registration.as_ref().is_some_and(Registration::is_coi) {
            outside += 1;
            continue;
        }
        let node = Node { unique, species: code, row, specimens: 0 };
        found.entry((code, unique)).or_insert(node).specimens += 1;
    }
    (found.into_values().collect(), outside)
}

fn packed(dataset: &Dataset, frames: &[FrameCheck], unique: usize) -> Packed {
    let place = frames[unique].registration;
    Packed::new(&place.map_or_else(Vec::new, |place| place.aligned(dataset.unique_sequence(unique))))
}

/// The nearest node of another species of each, with its cosine.
fn by_embedding(
    nodes: &[Node],
    vectors: &StoredVectors,
    observer: &dyn Observer,
) -> Result<Vec<Option<(usize, f32)>>, Cancelled> {
    let uniques: Vec<u32> = nodes.iter().map(|node| node.unique as u32).collect();
    let rows = Rows::new(vectors, &uniques);
    let is_own = |query: usize, other: usize| nodes[query].species == nodes[other].species;
    let found = nearest(&rows, &rows, 1, &is_own, observer)?;
    Ok((0..nodes.len()).map(|at| found.of(at).next().map(|(other, cosine)| (other as usize, cosine))).collect())
}

/// Pairs of one species and of two by 1 − cosine.
fn cosine_histogram(
    nodes: &[Node],
    vectors: &StoredVectors,
    observer: &dyn Observer,
) -> Result<[[u64; BINS]; 2], Cancelled> {
    let uniques: Vec<usize> = nodes.iter().map(|node| node.unique).collect();
    let mut unit = vectors.select(&uniques);
    for mut row in unit.rows_mut() {
        let length = row.dot(&row).sqrt().max(f32::MIN_POSITIVE);
        row /= length;
    }
    let starts: Vec<usize> = (0..nodes.len()).step_by(BLOCK).collect();
    let blocks: Result<Vec<[[u64; BINS]; 2]>, Cancelled> = starts
        .into_par_iter()
        .map(|start| {
            observer.progress(Progress::new("measuring distances of embeddings", start, nodes.len(), "barcodes"))?;
            let own = start..(start + BLOCK).min(nodes.len());
            // Each pair once: with those that come later.
            let cosines = unit.slice(s![own.clone(), ..]).dot(&unit.slice(s![start.., ..]).t());
            let mut counts = [[0; BINS]; 2];
            for (row, at) in own.enumerate() {
                for other in at + 1..nodes.len() {
                    let bin = ((1.0 - cosines[[row, other - start]]).max(0.0) / EMBEDDED_BIN) as usize;
                    counts[usize::from(nodes[at].species != nodes[other].species)][bin.min(BINS - 1)] += 1;
                }
            }
            Ok(counts)
        })
        .collect();
    let mut all = [[0; BINS]; 2];
    for block in blocks? {
        all.iter_mut().flatten().zip(block.iter().flatten()).for_each(|(sum, count)| *sum += count);
    }
    Ok(all)
}

fn cosine_distance(vectors: &StoredVectors, a: usize, b: usize) -> f32 {
    let (a, b) = (vectors.row(a), vectors.row(b));
    1.0 - a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt().max(f32::MIN_POSITIVE)
}

/// Vectors with the nearest of another species of each node.
type Embedded<'a> = (&'a StoredVectors, &'a [Option<(usize, f32)>]);

fn species(nodes: &[Node], reach: &[Reach], embedded: Option<Embedded<'_>>, names: &LabelColumn) -> Vec<GapRow> {
    let mut rows: Vec<GapRow> = Vec::new();
    let mut from = 0;
    for members in nodes.chunk_by(|a, b| a.species == b.species) {
        let own = from..from + members.len();
        from = own.end;
        let largest = |values: &mut dyn Iterator<Item = f32>| values.max_by(f32::total_cmp);
        let nearest = reach[own.clone()].iter().filter_map(|one| one.nearest_other).min_by(|a, b| a.0.total_cmp(&b.0));
        let embedded = embedded.map(|(vectors, near)| {
            let pairs = members.iter().enumerate().flat_map(|(at, a)| members[at + 1..].iter().map(move |b| (a, b)));
            let within = largest(&mut pairs.map(|(a, b)| cosine_distance(vectors, a.unique, b.unique)));
            let other = near[own.clone()].iter().flatten().map(|(_, cosine)| 1.0 - cosine).min_by(f32::total_cmp);
            [within, other]
        });
        rows.push(GapRow {
            name: names.name(members[0].species).to_owned(),
            row: members[0].row,
            specimens: members.iter().map(|node| node.specimens).sum(),
            within: largest(&mut reach[own].iter().filter_map(|one| one.farthest_own)),
            nearest: nearest.map(|(distance, other)| (distance, names.name(nodes[other as usize].species).to_owned())),
            embedded,
        });
    }
    let width = |row: &GapRow| row.within.zip(row.nearest.as_ref()).map_or(f32::INFINITY, |(own, other)| other.0 - own);
    rows.sort_by(|a, b| width(a).total_cmp(&width(b)).then_with(|| a.name.cmp(&b.name)));
    rows
}

/// Each node with its nearest of another species by bases and by embedding.
fn pairs(
    nodes: &[Node],
    barcodes: &[Packed],
    vectors: &StoredVectors,
    reach: &[Reach],
    near: &[Option<(usize, f32)>],
    by: Distance,
) -> Vec<PairRow> {
    let mut found: BTreeMap<[usize; 2], PairRow> = BTreeMap::new();
    for at in 0..nodes.len() {
        let others = [reach[at].nearest_other.map(|(_, other)| other as usize), near[at].map(|(other, _)| other)];
        for other in others.into_iter().flatten() {
            let pair = [at.min(other), at.max(other)];
            let Some(distance) = barcodes[pair[0]].distance(&barcodes[pair[1]], by) else { continue };
            let embedded = cosine_distance(vectors, nodes[pair[0]].unique, nodes[pair[1]].unique);
            let rows = pair.map(|node| nodes[node].row);
            found.insert(pair, PairRow { rows, distance, embedded, residual: 0.0 });
        }
    }
    let mut pairs: Vec<PairRow> = found.into_values().collect();
    let [offset, slope] = line(&pairs);
    for pair in &mut pairs {
        pair.residual = pair.embedded - (offset + slope * pair.distance);
    }
    pairs.sort_by(|a, b| b.residual.abs().total_cmp(&a.residual.abs()).then(a.rows.cmp(&b.rows)));
    pairs
}

/// The line of least squares of the embedding's distance over that of the bases: offset and slope.
fn line(pairs: &[PairRow]) -> [f32; 2] {
    let n = pairs.len().max(1) as f64;
    let mean = |of: fn(&PairRow) -> f32| pairs.iter().map(|pair| f64::from(of(pair))).sum::<f64>() / n;
    let (x, y) = (mean(|pair| pair.distance), mean(|pair| pair.embedded));
    let spread: f64 = pairs.iter().map(|pair| (f64::from(pair.distance) - x).powi(2)).sum();
    let together: f64 = pairs.iter().map(|pair| (f64::from(pair.distance) - x) * (f64::from(pair.embedded) - y)).sum();
    let slope = if spread > 0.0 { together / spread } else { 0.0 };
    [(y - slope * x) as f32, slope as f32]
}

impl Gap {
    /// Species that have a gap, and species of which that is known.
    pub fn with_gap(&self) -> [usize; 2] {
        let known: Vec<bool> = self.species.iter().filter_map(GapRow::has_gap).collect();
        [known.iter().filter(|has| **has).count(), known.len()]
    }

    /// What there is to say, a sentence each.
    pub fn told(&self) -> Vec<String> {
        let [with, known] = self.with_gap();
        let mut told = vec![format!(
            "{with} of {known} species with several different barcodes have a gap: every other species is farther away than any two of \
             its own barcodes are."
        )];
        if let Some([first, last]) = self.best {
            let wrong = first.split + first.lumped;
            let percent = |threshold: f32| format!("{:.1} %", 100.0 * threshold);
            told.push(if first.threshold < last.threshold {
                format!(
                    "Thresholds from {} to {} tell the species apart best: {wrong} barcodes wrong.",
                    percent(first.threshold),
                    percent(last.threshold)
                )
            } else {
                format!(
                    "A threshold of {} tells the species apart best: {} barcodes are farther from their own species, {} not farther from \
                     another.",
                    percent(first.threshold),
                    first.split,
                    first.lumped
                )
            });
        }
        if self.outside > 0 {
            told.push(match self.outside {
                1 => "One specimen does not lie in the COI-5P frame and was not compared.".to_owned(),
                more => format!("{more} specimens do not lie in the COI-5P frame and were not compared."),
            });
        }
        told
    }

    /// The pairs about which bases and embedding differ most.
    pub fn differing_pairs(&self) -> &[PairRow] {
        &self.pairs[..self.pairs.len().min(PAIRS)]
    }
}

#[cfg(test)]
mod tests;
