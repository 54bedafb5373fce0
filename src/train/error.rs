//! What can go wrong in training, in words that say what to do.

use super::settings::SettingsError;
use crate::model::ModelError;
use crate::progress::Cancelled;
use std::path::PathBuf;

/// Why a run did not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Settings that make no run.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is nothing to train on.
    #[error("there are no barcodes to train on{}{}", in_splits(.splits), left_out(*.too_short))]
    NoBarcodes {
        /// Barcodes with less than one k-mer.
        too_short: usize,
        /// The splits that were asked for.
        splits: Vec<String>,
    },
    /// The loss or the gradient is no number any more.
    #[error(
        "training diverged at step {step}: the {what} is not a number. The last checkpoint is from step {checkpoint}; go on from \
         it with --resume and a lower --peak-rate, or with a --clip"
    )]
    Diverged {
        /// The step, from 1.
        step: u64,
        /// The loss or the gradient.
        what: &'static str,
        /// The last step whose weights were kept; 0 where none were.
        checkpoint: u64,
    },
    /// A checkpoint could not be written.
    #[error(
        "the checkpoint {} cannot be written: {source}. The one before it is untouched; make room or bring the folder back, then \
         go on with --resume",
        .path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A checkpoint could not be read.
    #[error("{} holds no run to go on with: {what}", .path.display())]
    NoRun {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        what: String,
    },
    /// The run that is to go on is another one than the files and settings describe.
    #[error("the run in {} cannot go on so: {what}", .path.display())]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A model to begin with is of another shape than the run.
    #[error(
        "{} cannot be begun with: {weight} is missing or of another shape; give k, widths, layers and the objective of that model",
        .path.display()
    )]
    OtherShape {
        /// The model's file.
        path: PathBuf,
        /// The first weight that does not fit.
        weight: String,
    },
    /// A GPU refused.
    #[error(
        "the device could not go on: {0}. If its memory was too small, take a smaller --batch with more --accumulation, or train \
         with --device cpu; a run that has a checkpoint goes on from it with --resume"
    )]
    Device(#[source] candle_core::Error),
    /// The user stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The model could not be put together or read, or the device that it is for is not there.
    #[error(transparent)]
    Model(#[from] ModelError),
}

fn in_splits(splits: &[String]) -> String {
    if splits.is_empty() { String::new() } else { format!(" in the splits {}", splits.join(", ")) }
}

fn left_out(too_short: usize) -> String {
    if too_short == 0 { String::new() } else { format!("; {too_short} barcodes are shorter than one k-mer") }
}
