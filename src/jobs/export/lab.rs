//! Results of the masking lab on their way into files.

use super::PIXELS;
use crate::data::dataset::Dataset;
use crate::jobs::{AlongBarcode, MaskedReadings, TwoMaps};
use crate::pipeline::PipelineError;
use crate::pipeline::evaluate::compare::{Comparison, comparison_figure};
use crate::pipeline::export::{
    write_comparison, write_figure, write_map_pair, write_masking, write_positions, write_reconstructions,
};
use crate::pipeline::masking::masking_figure;
use crate::pipeline::reconstruct::{Reconstructions, position_figure};
use std::path::Path;
use std::sync::Arc;

/// A result of the masking lab that can be written to a file.
#[derive(Debug, Clone)]
pub enum LabExport {
    /// The guesses of one barcode.
    Guesses(Arc<Dataset>, Arc<Reconstructions>),
    /// How often guesses are right, by position.
    Positions(Arc<AlongBarcode>),
    /// The same as a picture.
    PositionsFigure(Arc<AlongBarcode>),
    /// Readings of masked barcodes.
    Readings(Arc<MaskedReadings>),
    /// Their curves as a picture.
    ReadingsFigure(Arc<MaskedReadings>),
    /// Models in one table.
    Comparison(Arc<Comparison>),
    /// Models by their training ratio, as a picture.
    ComparisonFigure(Arc<Comparison>),
    /// Two maps and whose neighbours changed.
    Maps(Arc<Dataset>, Arc<TwoMaps>),
}

impl LabExport {
    /// Writes it.
    ///
    /// # Errors
    /// As [`super::Export::write`].
    pub(super) fn write(&self, path: &Path) -> Result<(), PipelineError> {
        match self {
            Self::Guesses(dataset, found) => write_reconstructions(path, dataset, found),
            Self::Positions(along) => write_positions(path, &along.found),
            Self::PositionsFigure(along) => write_figure(path, &position_figure(&along.found, &along.model), PIXELS),
            Self::Readings(read) => write_masking(path, &read.report.rows),
            Self::ReadingsFigure(read) => write_figure(path, &masking_figure(&read.report), PIXELS),
            Self::Comparison(found) => write_comparison(path, &found.rows),
            Self::ComparisonFigure(found) => write_figure(path, &comparison_figure(found), PIXELS),
            Self::Maps(dataset, maps) => write_map_pair(path, dataset, &maps.pair),
        }
    }
}
