//! Computed results of a session as columns. Whatever is read is checked against the specimens, so that no view can be led astray.

use super::ScopeError;
use super::columns::{ColumnReader, ColumnWriter};
use crate::analysis::agreement::Agreement;
use crate::analysis::concordance::Concordance;
use crate::analysis::metrics::Scores;
use crate::data::dataset::{Dataset, Flags};
use crate::data::frame::{FrameCheck, Registration, Strand};
use crate::data::taxonomy::Field;
use crate::key::ContentHash;
use crate::pipeline::classify::{Classification, SpecimenCall};
use crate::pipeline::cluster::Clustering;
use crate::pipeline::project::{ProjectMethod, Projection, Source};
use crate::pipeline::{Method, Provenance};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// Which result it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultName {
    /// Where the barcodes lie in the COI-5P frame.
    Frames,
    /// The map of 6-mer counts.
    KmerMap,
    /// The map of the embeddings.
    ModelMap,
    /// Names.
    Names(Method),
    /// Groups.
    Clusters,
}

impl ResultName {
    /// Every result that is kept.
    pub const ALL: [Self; 10] = [
        Self::Frames,
        Self::KmerMap,
        Self::ModelMap,
        Self::Names(Method::Model),
        Self::Names(Method::Both),
        Self::Names(Method::Fitted),
        Self::Names(Method::Kmer),
        Self::Names(Method::Align),
        Self::Names(Method::Random),
        Self::Clusters,
    ];

    /// Its name in a file.
    pub fn key(self) -> String {
        match self {
            Self::Frames => "frames".to_owned(),
            Self::KmerMap => "map of 6-mers".to_owned(),
            Self::ModelMap => "map".to_owned(),
            Self::Names(method) => format!("names by {}", method.key()),
            Self::Clusters => "clusters".to_owned(),
        }
    }
}

/// A result.
#[derive(Debug, Clone)]
pub enum ResultValue {
    /// Where the barcodes lie, `[U]`.
    Frames(Arc<Vec<FrameCheck>>),
    /// A map.
    Map(Arc<Projection>),
    /// Names.
    Names(Arc<Classification>),
    /// Groups.
    Clusters(Arc<Clustering>),
}

/// A result with what it was made from.
#[derive(Debug, Clone)]
pub struct KeptResult {
    /// Which.
    pub name: ResultName,
    /// Hash of everything that it was made from.
    pub key: ContentHash,
    /// The result.
    pub value: ResultValue,
}

impl ResultValue {
    /// The result as bytes.
    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let mut out = ColumnWriter::default();
        match self {
            Self::Frames(frames) => write_frames(&mut out, frames),
            Self::Map(map) => write_map(&mut out, map)?,
            Self::Names(names) => write_names(&mut out, names)?,
            Self::Clusters(clusters) => write_clusters(&mut out, clusters)?,
        }
        Ok(out.bytes)
    }

    /// The result in these bytes, about the specimens of `dataset`.
    pub(super) fn decode(path: &Path, name: ResultName, bytes: &[u8], dataset: &Dataset) -> Result<Self, ScopeError> {
        let title = name.key();
        let mut columns = ColumnReader::new(path, &title, bytes);
        let value = match name {
            ResultName::Frames => Self::Frames(Arc::new(read_frames(&mut columns, dataset)?)),
            ResultName::KmerMap | ResultName::ModelMap => Self::Map(Arc::new(read_map(&mut columns, dataset)?)),
            ResultName::Names(_) => Self::Names(Arc::new(read_names(&mut columns, dataset)?)),
            ResultName::Clusters => Self::Clusters(Arc::new(read_clusters(&mut columns, dataset)?)),
        };
        columns.end()?;
        Ok(value)
    }
}

fn write_frames(out: &mut ColumnWriter, frames: &[FrameCheck]) {
    let places = || frames.iter().map(|frame| frame.registration);
    out.numbers(places().map(|place| match place.map(|place| place.strand) {
        None => 0_u8,
        Some(Strand::Forward) => 1,
        Some(Strand::Reverse) => 2,
    }));
    out.numbers(places().map(|place| place.map_or(0, |place| place.start)));
    out.numbers(places().map(|place| place.map_or(0, |place| place.end)));
    out.numbers(places().map(|place| place.map_or(0.0, |place| place.score)));
    out.numbers(frames.iter().map(|frame| frame.flags.bits()));
}

fn read_frames(columns: &mut ColumnReader<'_>, dataset: &Dataset) -> Result<Vec<FrameCheck>, ScopeError> {
    let len = dataset.unique_len();
    let strands: Vec<u8> = columns.column(len)?;
    let starts: Vec<i32> = columns.column(len)?;
    let ends: Vec<i32> = columns.column(len)?;
    let scores: Vec<f32> = columns.column(len)?;
    let flags: Vec<u8> = columns.column(len)?;
    let frame = |at: usize| {
        let strand = match strands[at] {
            0 => None,
            1 => Some(Strand::Forward),
            2 => Some(Strand::Reverse),
            _ => return Err(columns.wrong("a strand is none of two")),
        };
        let barcode = dataset.unique_sequence(at).len() as i64;
        let fits = strand.is_none() || i64::from(ends[at]) - i64::from(starts[at]) == barcode;
        columns.ensure(fits, "a barcode lies where it cannot")?;
        let (start, end, score) = (starts[at], ends[at], scores[at]);
        let flags = Flags::from_bits(flags[at]).ok_or_else(|| columns.wrong("a flag means nothing"))?;
        Ok(FrameCheck { registration: strand.map(|strand| Registration { start, end, score, strand }), flags })
    };
    (0..len).map(frame).collect()
}

#[derive(Serialize, Deserialize)]
struct MapFacts {
    method: ProjectMethod,
    source: Source,
    explained: Option<[f64; 2]>,
    seconds: f64,
    provenance: Provenance,
}

fn write_map(out: &mut ColumnWriter, map: &Projection) -> serde_json::Result<()> {
    let Projection { points, method, source, explained, seconds, provenance } = map;
    out.facts(&MapFacts {
        method: *method,
        source: *source,
        explained: *explained,
        seconds: *seconds,
        provenance: provenance.clone(),
    })?;
    for axis in 0..2 {
        out.numbers(points.iter().map(|point| point[axis]));
    }
    Ok(())
}

fn read_map(columns: &mut ColumnReader<'_>, dataset: &Dataset) -> Result<Projection, ScopeError> {
    let MapFacts { method, source, explained, seconds, provenance } = columns.facts()?;
    let axes: [Vec<f32>; 2] = [columns.column(dataset.len())?, columns.column(dataset.len())?];
    columns.ensure(axes.iter().flatten().all(|at| at.is_finite()), "a point lies nowhere")?;
    let points = Arc::new((0..dataset.len()).map(|row| [axes[0][row], axes[1][row]]).collect());
    Ok(Projection { points, method, source, explained, seconds, provenance })
}

#[derive(Serialize, Deserialize)]
struct NamesFacts {
    rank: Field,
    method: Method,
    names: Vec<String>,
    calls: usize,
    neighbours: usize,
    scores: Option<Scores>,
    interval: Option<[f64; 2]>,
    references: usize,
    /// Empty in sessions from before it was kept.
    #[serde(default)]
    nameable: Vec<bool>,
    trained_on: Option<usize>,
    seconds: f64,
    provenance: Provenance,
}

fn write_names(out: &mut ColumnWriter, names: &Classification) -> serde_json::Result<()> {
    out.facts(&NamesFacts {
        rank: names.rank,
        method: names.method,
        names: names.names.clone(),
        calls: names.calls.len(),
        neighbours: names.neighbours.ncols(),
        scores: names.scores.clone(),
        interval: names.interval,
        references: names.references,
        nameable: names.nameable.clone(),
        trained_on: names.trained_on,
        seconds: names.seconds,
        provenance: names.provenance.clone(),
    })?;
    let calls = || names.calls.iter();
    out.numbers(calls().map(|call| call.row as u32));
    out.codes(calls().map(|call| call.label));
    out.codes(calls().map(|call| call.predicted));
    out.numbers(calls().map(|call| call.score));
    out.values(calls().map(|call| call.margin));
    out.codes(calls().map(|call| call.neighbour.map(|row| row as u32)));
    out.values(calls().map(|call| call.cosine));
    out.values(calls().map(|call| call.identity));
    out.numbers(names.neighbours.iter().copied());
    out.numbers(names.similarity.iter().copied());
    Ok(())
}

fn read_names(columns: &mut ColumnReader<'_>, dataset: &Dataset) -> Result<Classification, ScopeError> {
    let facts: NamesFacts = columns.facts()?;
    let (len, known) = (facts.calls, facts.names.len());
    let nameable = if facts.nameable.is_empty() { vec![true; known] } else { facts.nameable };
    columns.ensure(nameable.len() == known, "it is not told which names the reference has")?;
    let rows: Vec<u32> = columns.column(len)?;
    columns.ensure(rows.iter().all(|&row| (row as usize) < dataset.len()), "a specimen is missing")?;
    let labels = columns.codes(len, known)?;
    let predicted = columns.codes(len, known)?;
    let scores: Vec<f32> = columns.column(len)?;
    let margins = columns.values(len)?;
    let neighbours = columns.codes(len, dataset.len())?;
    let cosines = columns.values(len)?;
    let identities = columns.values(len)?;
    let call = |at: usize| SpecimenCall {
        row: rows[at] as usize,
        label: labels[at],
        predicted: predicted[at],
        score: scores[at],
        margin: margins[at],
        neighbour: neighbours[at].map(|row| row as usize),
        cosine: cosines[at],
        identity: identities[at],
    };
    let calls = (0..len).map(call).collect();
    if let Some(scores) = &facts.scores {
        let is_known = |&code: &u32| (code as usize) < known;
        let cells = &scores.confusion;
        let all = scores.per_class.iter().all(|class| is_known(&class.class))
            && cells.iter().all(|cell| is_known(&cell.truth) && cell.predicted.as_ref().is_none_or(is_known));
        columns.ensure(all, "a score is of an unknown name")?;
    }
    let cells = len.checked_mul(facts.neighbours).ok_or_else(|| columns.wrong("too many neighbours"))?;
    let near = columns.codes(cells, dataset.len())?.into_iter().map(|row| row.unwrap_or(u32::MAX)).collect();
    let similarity = columns.column(cells)?;
    let shape = (len, facts.neighbours);
    let uneven = |_| columns.wrong("neighbours are missing");
    Ok(Classification {
        rank: facts.rank,
        method: facts.method,
        names: facts.names,
        calls,
        neighbours: Array2::from_shape_vec(shape, near).map_err(uneven)?,
        similarity: Array2::from_shape_vec(shape, similarity).map_err(uneven)?,
        scores: facts.scores,
        interval: facts.interval,
        references: facts.references,
        nameable,
        trained_on: facts.trained_on,
        seconds: facts.seconds,
        provenance: facts.provenance,
    })
}

#[derive(Serialize, Deserialize)]
struct ClusterFacts {
    found: usize,
    noise: usize,
    against: Option<Field>,
    true_number: Option<usize>,
    used_true_number: bool,
    agreement: Option<Agreement>,
    concordance: Option<Concordance>,
    threshold: Option<f32>,
    suggested: Option<f32>,
    seconds: f64,
    provenance: Provenance,
}

fn write_clusters(out: &mut ColumnWriter, clusters: &Clustering) -> serde_json::Result<()> {
    out.facts(&ClusterFacts {
        found: clusters.found,
        noise: clusters.noise,
        against: clusters.against,
        true_number: clusters.true_number,
        used_true_number: clusters.used_true_number,
        agreement: clusters.agreement,
        concordance: clusters.concordance.clone(),
        threshold: clusters.threshold,
        suggested: clusters.suggested,
        seconds: clusters.seconds,
        provenance: clusters.provenance.clone(),
    })?;
    out.numbers(clusters.labels.iter().copied());
    Ok(())
}

fn read_clusters(columns: &mut ColumnReader<'_>, dataset: &Dataset) -> Result<Clustering, ScopeError> {
    let facts: ClusterFacts = columns.facts()?;
    let labels: Vec<i32> = columns.column(dataset.len())?;
    let is_known = |cluster: i32| cluster == -1 || usize::try_from(cluster).is_ok_and(|cluster| cluster < facts.found);
    columns.ensure(labels.iter().all(|&cluster| is_known(cluster)), "a cluster is missing")?;
    let distinct = facts.against.map_or(0, |field| dataset.labels(field).distinct());
    let rows = facts.concordance.iter().flat_map(|concordance| &concordance.rows);
    let mut shares = rows.clone().flat_map(|row| &row.clusters);
    let fits = rows.clone().all(|row| (row.label as usize) < distinct) && shares.all(|share| is_known(share.cluster));
    columns.ensure(fits, "a label of the comparison is unknown")?;
    Ok(Clustering {
        labels,
        found: facts.found,
        noise: facts.noise,
        against: facts.against,
        true_number: facts.true_number,
        used_true_number: facts.used_true_number,
        agreement: facts.agreement,
        concordance: facts.concordance,
        threshold: facts.threshold,
        suggested: facts.suggested,
        seconds: facts.seconds,
        provenance: facts.provenance,
    })
}
