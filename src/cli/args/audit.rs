//! `audit`

use super::{Reading, at_least_one};
use crate::analysis::gap::Distance;
use crate::pipeline::audit::AuditSettings;
use crate::pipeline::side::Method;
use clap::Args;
use std::path::PathBuf;

/// `audit`
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// Labelled files, read as one dataset
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How the nearest specimens are found: model, both, kmer, align or random; identity decides among them
    #[arg(long, default_value_t = AuditSettings::default().method)]
    pub method: Method,
    /// Nearest specimens that are asked for their name
    #[arg(long, value_name = "N", default_value_t = AuditSettings::default().neighbours, value_parser = at_least_one)]
    pub neighbours: usize,
    /// Identity from which on a barcode under the name of another family or order is a contamination
    #[arg(long, value_name = "X", default_value_t = AuditSettings::default().contamination)]
    pub contamination: f32,
    /// Sequences of usual contaminants (people, Wolbachia, bacteria) that barcodes are compared with
    #[arg(long, value_name = "FASTA")]
    pub contaminants: Option<PathBuf>,
    /// Identity from which on a barcode is taken for one of the contaminants
    #[arg(long, value_name = "X", default_value_t = AuditSettings::default().contaminant)]
    pub contaminant: f32,
    /// Identity from which on two barcodes may be of one species
    #[arg(long, value_name = "X", default_value_t = AuditSettings::default().same_species)]
    pub same_species: f32,
    /// Identity below which a barcode that fits the COI-5P frame nowhere is another stretch of DNA rather than a pseudogene
    #[arg(long, value_name = "X", default_value_t = AuditSettings::default().related)]
    pub related: f32,
    /// By how much another name must be more identical than its own before a label is doubted
    #[arg(long, value_name = "X", default_value_t = AuditSettings::default().margin)]
    pub margin: f32,
    /// Where suspects.csv, grades.csv, concordance.csv, changes.csv and report.html go
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `gap`
#[derive(Debug, Args)]
pub struct GapArguments {
    /// Labelled files, read as one dataset
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How barcodes are compared: p (share of differing bases) or k2p (Kimura's two parameters)
    #[arg(long, default_value = "p", value_parser = distance)]
    pub distance: Distance,
    /// Leave the distances of the embeddings out
    #[arg(long)]
    pub bases_only: bool,
    /// Where gap.csv, ranks.csv, histogram.csv, thresholds.csv and pairs.csv go
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

fn distance(text: &str) -> Result<Distance, String> {
    match text.to_ascii_lowercase().as_str() {
        "p" => Ok(Distance::P),
        "k2p" => Ok(Distance::K2p),
        _ => Err("known are p and k2p".to_owned()),
    }
}
