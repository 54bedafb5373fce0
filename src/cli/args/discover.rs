//! `discover`

use super::{Reading, at_least_one};
use crate::pipeline::discover::{DiscoverSettings, HeldRank, HoldOutSettings, NoveltyScore};
use clap::Args;
use std::path::PathBuf;

/// `discover`
#[derive(Debug, Args)]
pub struct DiscoverArguments {
    /// Labelled files of which taxa are held out whole and looked for again: what discovery can do with such data
    #[arg(value_name = "FILE", conflicts_with_all = ["reference", "query", "reference_split", "query_splits"])]
    pub files: Vec<PathBuf>,
    /// Labelled reference
    #[arg(long, value_name = "R", required_unless_present = "files")]
    pub reference: Vec<PathBuf>,
    /// Specimens among which to look for what the reference has not
    #[arg(long, value_name = "Q", required_unless_present = "files")]
    pub query: Vec<PathBuf>,
    /// Take only this split of the reference
    #[arg(long, value_name = "S")]
    pub reference_split: Option<String>,
    /// Take only these splits of the queries
    #[arg(long = "query-split", value_name = "S,…", value_delimiter = ',')]
    pub query_splits: Vec<String>,
    /// Of which ranks taxa are held out at random: genus, species
    #[arg(
        long,
        value_name = "RANK,…",
        value_delimiter = ',',
        conflicts_with = "reference",
        default_value = "genus,species"
    )]
    pub hold_out: Vec<HeldRank>,
    /// Share of the taxa of each rank to hold out
    #[arg(long, value_name = "X", conflicts_with = "reference", default_value_t = HoldOutSettings::default().share)]
    pub share: f64,
    /// Genera and species to hold out instead of random ones
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "reference")]
    pub taxa: Vec<String>,
    /// Share of the specimens of every other species to put among the queries
    #[arg(long, value_name = "X", conflicts_with = "reference", default_value_t = HoldOutSettings::default().known)]
    pub known: f64,
    /// Share of false entries that each list may hold on average
    #[arg(long, value_name = "X", default_value_t = DiscoverSettings::default().fdr)]
    pub fdr: f64,
    /// The score that decides: cosine, p-distance, mahalanobis or combined (the first two)
    #[arg(long, default_value_t)]
    pub score: NoveltyScore,
    /// Whose cosine distance counts: 1 for that of the nearest reference
    #[arg(long, value_name = "K", default_value_t = DiscoverSettings::default().neighbour, value_parser = at_least_one)]
    pub neighbour: usize,
    /// Most reference specimens to hold out for learning what known, and what new, looks like
    #[arg(long, value_name = "N", default_value_t = DiscoverSettings::default().calibration, value_parser = at_least_one)]
    pub calibration: usize,
    /// Cosine distance at which candidates are cut [default: suggested by the discoveries]
    #[arg(long, value_name = "T")]
    pub threshold: Option<f32>,
    /// Where queries.csv, candidates.csv, scores.csv, measures.csv, discoveries.fasta and report.html go
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}
