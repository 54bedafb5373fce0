//! Tables, FASTA, embeddings and text written to files, each whole or not at all.

mod discover;
mod lab;

pub use discover::{write_candidates, write_discoveries, write_findings, write_measures, write_novelty_scores};
pub use lab::{write_comparison, write_map_pair, write_masking, write_positions, write_reconstructions};

use super::PipelineError;
use super::check::CheckRow;
use super::classify::Classification;
use super::figure::Figure;
use crate::analysis::alignment::Aligner;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::files::temporary_beside;
use crate::progress::{Observer, Progress};
use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{Array2, ArrayView2, Axis};
use ndarray_npy::WriteNpyExt;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file through a temporary one beside it, which takes its name only when it is complete: whatever stops the program,
/// no half-written file stands under that name. A name ending in `.gz` is compressed.
///
/// # Errors
/// What `write` answers, or [`PipelineError::Write`].
pub fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), PipelineError>,
) -> Result<(), PipelineError> {
    let failed = |source: io::Error| PipelineError::Write { path: path.to_owned(), source };
    let mut file = temporary_beside(path).map_err(failed)?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz")) {
        let mut out = GzEncoder::new(BufWriter::new(file.as_file_mut()), Compression::default());
        write(&mut out)?;
        out.finish().and_then(|mut inner| inner.flush()).map_err(failed)?;
    } else {
        let mut out = BufWriter::with_capacity(1 << 16, file.as_file_mut());
        write(&mut out)?;
        out.flush().map_err(failed)?;
    }
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Writes a text file.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_text(path: &Path, text: &str) -> Result<(), PipelineError> {
    write_file(path, |out| out.write_all(text.as_bytes()).map_err(|source| write_error(path, source)))
}

/// Writes a result's facts as JSON.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), PipelineError> {
    write_file(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(|source| write_error(path, source))
    })
}

pub(super) fn write_error(path: &Path, source: io::Error) -> PipelineError {
    PipelineError::Write { path: path.to_owned(), source }
}

/// Writes a picture as its name says: `.svg`, or `.png` with that many pixels across.
///
/// # Errors
/// [`PipelineError::Setting`] for another ending, [`PipelineError::Analysis`] for an impossible size, [`PipelineError::Write`].
pub fn write_figure(path: &Path, figure: &Figure, png_width: u32) -> Result<(), PipelineError> {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    match ending.as_ref().and_then(|ending| ending.to_str()) {
        Some("svg") => write_text(path, figure.svg()),
        Some("png") => {
            let bytes = figure
                .png(png_width)
                .map_err(|error| PipelineError::Analysis { step: "drawing", cause: error.to_string() })?;
            write_file(path, |out| out.write_all(&bytes).map_err(|source| write_error(path, source)))
        }
        _ => Err(PipelineError::Setting(format!("'{}': pictures are written as .svg or .png", path.display()))),
    }
}

/// A table on its way into a file: tab-separated where the name says `.tsv`, else comma-separated.
struct Table<'a> {
    path: &'a Path,
    writer: csv::Writer<&'a mut dyn Write>,
}

impl<'a> Table<'a> {
    fn new(path: &'a Path, out: &'a mut dyn Write, header: &[&str]) -> Result<Self, PipelineError> {
        let name = path.to_string_lossy().to_ascii_lowercase();
        let tabs = name.trim_end_matches(".gz").ends_with(".tsv");
        let writer = csv::WriterBuilder::new().delimiter(if tabs { b'\t' } else { b',' }).from_writer(out);
        let mut table = Self { path, writer };
        table.row(header)?;
        Ok(table)
    }

    fn row<T: AsRef<[u8]>>(&mut self, cells: impl IntoIterator<Item = T>) -> Result<(), PipelineError> {
        self.writer.write_record(cells).map_err(|error| write_error(self.path, error.into()))
    }

    fn finish(mut self) -> Result<(), PipelineError> {
        self.writer.flush().map_err(|source| write_error(self.path, source))
    }
}

fn or_empty(value: Option<impl Display>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A similarity to six digits: what single precision carries.
fn digits(value: f32) -> String {
    if value.is_finite() { format!("{value:.6}") } else { String::new() }
}

/// Any table, tab-separated where the name says `.tsv`, else comma-separated. Rows have a cell for each name of `header`.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_rows(
    path: &Path,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<(), PipelineError> {
    write_file(path, |out| {
        let mut table = Table::new(path, out, header)?;
        rows.into_iter().try_for_each(|row| table.row(&row))?;
        table.finish()
    })
}

/// `id,label,predicted,score,margin,neighbour,cosine,identity`, one row per query in file order.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_classification(
    path: &Path,
    result: &Classification,
    query: &Dataset,
    reference: &Dataset,
) -> Result<(), PipelineError> {
    write_file(path, |out| {
        let header = ["id", "label", "predicted", "score", "margin", "neighbour", "cosine", "identity"];
        let mut table = Table::new(path, out, &header)?;
        for call in &result.calls {
            table.row([
                query.id(call.row),
                or_empty(call.label.map(|code| result.name(code))).as_str(),
                or_empty(call.predicted.map(|code| result.name(code))).as_str(),
                &digits(call.score),
                &or_empty(call.margin.map(digits)),
                call.neighbour.map_or("", |row| reference.id(row)),
                &or_empty(call.cosine.map(digits)),
                &or_empty(call.identity.map(digits)),
            ])?;
        }
        table.finish()
    })
}

/// `id,rank,neighbour,label,cosine,identity`: the nearest references of every query, the nearest first.
///
/// # Errors
/// [`PipelineError::Write`], and a stop.
pub fn write_neighbours(
    path: &Path,
    result: &Classification,
    query: &Dataset,
    reference: &Dataset,
    keep: usize,
    observer: &dyn Observer,
) -> Result<(), PipelineError> {
    write_file(path, |out| {
        let mut table = Table::new(path, out, &["id", "rank", "neighbour", "label", "cosine", "identity"])?;
        let mut aligner = Aligner::new();
        for (index, call) in result.calls.iter().enumerate() {
            observer.progress(Progress::new("writing neighbours", index, result.calls.len(), "specimens"))?;
            let nearest = result.nearest(index).take(keep);
            for (rank, (row, similarity)) in nearest.enumerate() {
                let (cosine, identity) = if result.method.aligns() {
                    (String::new(), similarity)
                } else {
                    (digits(similarity), aligner.identity(query.sequence(call.row), reference.sequence(row)))
                };
                table.row([
                    query.id(call.row),
                    &(rank + 1).to_string(),
                    reference.id(row),
                    reference.label(row, result.rank).unwrap_or(""),
                    &cosine,
                    &digits(identity),
                ])?;
            }
        }
        table.finish()
    })
}

/// `id,cluster`, -1 for noise, in file order.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_clusters(path: &Path, dataset: &Dataset, labels: &[i32]) -> Result<(), PipelineError> {
    write_file(path, |out| {
        let mut table = Table::new(path, out, &["id", "cluster"])?;
        for (row, label) in labels.iter().enumerate() {
            table.row([dataset.id(row), &label.to_string()])?;
        }
        table.finish()
    })
}

/// `id,x,y`, in file order.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_projection(path: &Path, dataset: &Dataset, points: &[[f32; 2]]) -> Result<(), PipelineError> {
    write_file(path, |out| {
        let mut table = Table::new(path, out, &["id", "x", "y"])?;
        for (row, [x, y]) in points.iter().enumerate() {
            table.row([dataset.id(row), &x.to_string(), &y.to_string()])?;
        }
        table.finish()
    })
}

/// The formats of embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingFormat {
    /// `id,e0,e1,…` (or tab-separated).
    Table,
    /// `[N,D]` f32, with the ids in `NAME.ids.txt`.
    Npy,
    /// A tensor `embeddings`, with the ids in the metadata.
    Safetensors,
}

impl EmbeddingFormat {
    /// The format that a file's name asks for; `None` for an unknown one.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.to_string_lossy().to_ascii_lowercase();
        let ends = |ending: &str| name.ends_with(ending);
        match () {
            () if ends(".npy") => Some(Self::Npy),
            () if ends(".safetensors") => Some(Self::Safetensors),
            () if [".csv", ".tsv", ".csv.gz", ".tsv.gz"].into_iter().any(ends) => Some(Self::Table),
            () => None,
        }
    }
}

/// Writes the embedding of every specimen, in file order. `vectors` is by unique barcode, `[U,D]`.
///
/// # Errors
/// [`PipelineError::Setting`] for an unknown format, [`PipelineError::Write`], and a stop.
pub fn write_embeddings(
    path: &Path,
    dataset: &Dataset,
    vectors: ArrayView2<'_, f32>,
    provenance: &super::Provenance,
    observer: &dyn Observer,
) -> Result<(), PipelineError> {
    match EmbeddingFormat::of(path) {
        Some(EmbeddingFormat::Table) => write_embedding_table(path, dataset, vectors, observer),
        Some(EmbeddingFormat::Npy) => {
            let ids: String = (0..dataset.len()).flat_map(|row| [dataset.id(row), "\n"]).collect();
            write_text(&ids_beside(path), &ids)?;
            let by_row = by_row(dataset, vectors);
            write_file(path, |out| by_row.write_npy(out).map_err(|error| write_error(path, io::Error::other(error))))
        }
        Some(EmbeddingFormat::Safetensors) => write_safetensors(path, dataset, vectors, provenance),
        None => Err(PipelineError::Setting(format!(
            "'{}': embeddings are written as .csv, .tsv, .npy or .safetensors",
            path.display()
        ))),
    }
}

/// Where the ids of a `.npy` file stand, one a line: the file's whole name with `.ids.txt` appended.
pub fn ids_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".ids.txt");
    PathBuf::from(name)
}

fn by_row(dataset: &Dataset, vectors: ArrayView2<'_, f32>) -> Array2<f32> {
    let uniques: Vec<usize> = (0..dataset.len()).map(|row| dataset.unique_of(row)).collect();
    vectors.select(Axis(0), &uniques)
}

fn write_embedding_table(
    path: &Path,
    dataset: &Dataset,
    vectors: ArrayView2<'_, f32>,
    observer: &dyn Observer,
) -> Result<(), PipelineError> {
    write_file(path, |out| {
        let header: Vec<String> =
            std::iter::once("id".to_owned()).chain((0..vectors.ncols()).map(|axis| format!("e{axis}"))).collect();
        let mut table = Table::new(path, out, &header.iter().map(String::as_str).collect::<Vec<_>>())?;
        for row in 0..dataset.len() {
            if row % 64 == 0 {
                observer.progress(Progress::new("writing embeddings", row, dataset.len(), "specimens"))?;
            }
            let values = vectors.row(dataset.unique_of(row));
            let cells = std::iter::once(dataset.id(row).to_owned()).chain(values.iter().map(f32::to_string));
            table.row(cells)?;
        }
        table.finish()
    })
}

fn write_safetensors(
    path: &Path,
    dataset: &Dataset,
    vectors: ArrayView2<'_, f32>,
    provenance: &super::Provenance,
) -> Result<(), PipelineError> {
    let failed = |error: &dyn Display| write_error(path, io::Error::other(error.to_string()));
    let by_row = by_row(dataset, vectors);
    let bytes: Vec<u8> = by_row.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, by_row.shape().to_vec(), &bytes).map_err(|error| failed(&error))?;
    let ids: Vec<&str> = (0..dataset.len()).map(|row| dataset.id(row)).collect();
    let metadata = HashMap::from([
        ("ids".to_owned(), serde_json::to_string(&ids).map_err(|error| failed(&error))?),
        ("provenance".to_owned(), serde_json::to_string(provenance).map_err(|error| failed(&error))?),
    ]);
    let file = safetensors::serialize([("embeddings", view)], Some(metadata)).map_err(|error| failed(&error))?;
    write_file(path, |out| out.write_all(&file).map_err(|source| write_error(path, source)))
}

/// Selected specimens as FASTA: `>id|genus or species|BIN`, as far as known.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_fasta(path: &Path, dataset: &Dataset, rows: &[usize]) -> Result<(), PipelineError> {
    write_file(path, |out| {
        for &row in rows {
            let taxon = [Field::Species, Field::Genus, Field::Family, Field::Order]
                .into_iter()
                .find_map(|field| dataset.label(row, field));
            let header: Vec<&str> =
                [Some(dataset.id(row)), taxon, dataset.label(row, Field::Bin)].into_iter().flatten().collect();
            // A line break inside a name would start a record of its own.
            let header = header.join("|").replace(['\n', '\r'], " ");
            writeln!(out, ">{header}\n{}", String::from_utf8_lossy(dataset.sequence(row)))
                .map_err(|source| write_error(path, source))?;
        }
        Ok(())
    })
}

/// Selected specimens with all their columns and whatever `extra` columns the view shows, as a table.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_records(
    path: &Path,
    dataset: &Dataset,
    rows: &[usize],
    extra: &[(&str, &dyn Fn(usize) -> String)],
) -> Result<(), PipelineError> {
    write_file(path, |out| {
        let header: Vec<&str> = std::iter::once("id")
            .chain(Field::ALL.map(Field::key))
            .chain(["latitude", "longitude"])
            .chain(dataset.other_columns().iter().map(String::as_str))
            .chain(extra.iter().map(|(name, _)| *name))
            .chain(["sequence"])
            .collect();
        let mut table = Table::new(path, out, &header)?;
        for &row in rows {
            let mut cells = vec![dataset.id(row).to_owned()];
            cells.extend(Field::ALL.map(|field| dataset.label(row, field).unwrap_or("").to_owned()));
            let place = dataset.coordinates(row);
            cells.extend([0, 1].map(|axis| or_empty(place.map(|place| place[axis]))));
            cells.extend((0..dataset.other_columns().len()).map(|column| dataset.other(row, column).to_owned()));
            cells.extend(extra.iter().map(|(_, value)| value(row)));
            cells.push(String::from_utf8_lossy(dataset.sequence(row)).into_owned());
            table.row(&cells)?;
        }
        table.finish()
    })
}

/// `id,file,line,status,reason,length,start,end,score,strand,flags`: every record read, kept or not, in file order.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_check(path: &Path, rows: &[CheckRow]) -> Result<(), PipelineError> {
    write_file(path, |out| {
        let header = ["id", "file", "line", "status", "reason", "length", "start", "end", "score", "strand", "flags"];
        let mut table = Table::new(path, out, &header)?;
        for row in rows {
            let place = row.place.as_ref();
            table.row([
                row.id.as_str(),
                &row.file,
                &or_empty(row.line),
                row.status,
                &row.reason,
                &row.length.to_string(),
                &or_empty(place.map(|place| place.start)),
                &or_empty(place.map(|place| place.end)),
                &or_empty(place.map(|place| digits(place.score))),
                row.strand(),
                &row.flags.names().collect::<Vec<_>>().join(";"),
            ])?;
        }
        table.finish()
    })
}
