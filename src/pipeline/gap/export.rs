//! The folder of a barcode gap: tables, and the thresholds as a picture.

use super::{EMBEDDED_BIN, Gap, GapRow, RANKS};
use crate::analysis::gap::BIN;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::PipelineError;
use crate::pipeline::export::{write_error, write_json, write_rows};
use std::path::Path;

/// Writes `gap.csv` (a species a line), `ranks.csv` (distances by the finest rank that two specimens share), `histogram.csv` (pairs within
/// and between species), `thresholds.csv` (what each threshold gets wrong), `pairs.csv` (pairs about which bases and embedding differ)
/// and `provenance.json` into a folder, which is made where it does not exist.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_gap(folder: &Path, gap: &Gap, dataset: &Dataset) -> Result<(), PipelineError> {
    std::fs::create_dir_all(folder).map_err(|source| write_error(folder, source))?;
    write_species(&folder.join("gap.csv"), gap)?;
    write_ranks(&folder.join("ranks.csv"), gap)?;
    write_histogram(&folder.join("histogram.csv"), gap)?;
    write_thresholds(&folder.join("thresholds.csv"), gap)?;
    if !gap.pairs.is_empty() {
        write_pairs(&folder.join("pairs.csv"), gap, dataset)?;
    }
    write_json(&folder.join("provenance.json"), &gap.provenance)
}

fn digits(distance: f32) -> String {
    format!("{distance:.6}")
}

fn or_empty(distance: Option<f32>) -> String {
    distance.map_or_else(String::new, digits)
}

/// `species,specimens,within,nearest,nearest_species,gap,embedded_within,embedded_nearest`, those without a gap first.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_species(path: &Path, gap: &Gap) -> Result<(), PipelineError> {
    let row = |row: &GapRow| {
        let [within, nearest] = row.embedded.unwrap_or_default();
        vec![
            row.name.clone(),
            row.specimens.to_string(),
            or_empty(row.within),
            or_empty(row.nearest.as_ref().map(|nearest| nearest.0)),
            row.nearest.as_ref().map_or_else(String::new, |nearest| nearest.1.clone()),
            row.has_gap().map_or("", |has| if has { "yes" } else { "no" }).to_owned(),
            or_empty(within),
            or_empty(nearest),
        ]
    };
    let header =
        ["species", "specimens", "within", "nearest", "nearest_species", "gap", "embedded_within", "embedded_nearest"];
    write_rows(path, &header, gap.species.iter().map(row))
}

fn write_ranks(path: &Path, gap: &Gap) -> Result<(), PipelineError> {
    let names = RANKS.map(Field::key).into_iter().chain(["none"]);
    let rows = names.zip(&gap.ranks).map(|(name, spread)| {
        let known = spread.pairs > 0;
        let of = |distance: f32| or_empty(known.then_some(distance));
        vec![name.to_owned(), spread.pairs.to_string(), of(spread.least), of(spread.mean as f32), of(spread.most)]
    });
    write_rows(path, &["same", "pairs", "least", "mean", "most"], rows)
}

fn write_histogram(path: &Path, gap: &Gap) -> Result<(), PipelineError> {
    let all = [("bases", BIN, Some(&gap.histogram)), ("embedding", EMBEDDED_BIN, gap.embedded_histogram.as_ref())];
    let known = all.into_iter().filter_map(|(by, width, counts)| Some((by, width, counts?)));
    let rows = known.flat_map(|(by, width, [within, between])| {
        within.iter().zip(between).enumerate().map(move |(bin, (within, between))| {
            vec![by.to_owned(), digits(bin as f32 * width), within.to_string(), between.to_string()]
        })
    });
    write_rows(path, &["by", "from", "within", "between"], rows)
}

fn write_thresholds(path: &Path, gap: &Gap) -> Result<(), PipelineError> {
    let rows = gap.thresholds.iter().map(|error| {
        vec![
            digits(error.threshold),
            error.split.to_string(),
            error.lumped.to_string(),
            (error.split + error.lumped).to_string(),
        ]
    });
    write_rows(path, &["threshold", "split", "lumped", "wrong"], rows)
}

fn write_pairs(path: &Path, gap: &Gap, dataset: &Dataset) -> Result<(), PipelineError> {
    let rows = gap.differing_pairs().iter().map(|pair| {
        let [first, second] = pair.rows;
        let species = |row: usize| dataset.label(row, Field::Species).unwrap_or_default().to_owned();
        vec![
            dataset.id(first).to_owned(),
            species(first),
            dataset.id(second).to_owned(),
            species(second),
            digits(pair.distance),
            digits(pair.embedded),
            digits(pair.residual),
        ]
    });
    let header = ["first", "first_species", "second", "second_species", "distance", "embedded", "residual"];
    write_rows(path, &header, rows)
}
