//! `masking`, `reconstruct` and `compare`

use super::{Reading, at_least_one};
use crate::data::masking::MaskMode;
use crate::pipeline::evaluate::EvaluateOn;
use crate::pipeline::masking::MAX_RATIO;
use crate::pipeline::overlay::DEFAULT_NEIGHBOURS;
use clap::Args;
use std::path::PathBuf;

/// `masking`
#[derive(Debug, Args)]
pub struct MaskingArguments {
    /// Files to read as one dataset: with the splits train, test and test_unseen, or any labelled specimens
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Models to compare, by path or name; 'bundled' is the one in the program [default: --model, else the bundled one]
    #[arg(long, value_name = "M,…", value_delimiter = ',')]
    pub models: Vec<PathBuf>,
    /// Shares of a barcode's k-mers to mask, 0 to 0.9
    #[arg(long, value_name = "R,…", value_delimiter = ',', value_parser = ratio,
          default_value = "0,0.25,0.5,0.75")]
    pub ratios: Vec<f64>,
    /// drop (masked tokens left out), combined ([MASK] put in, mean over all), mask ([MASK] put in, mean over the masked)
    #[arg(long, value_name = "MODE,…", value_delimiter = ',', default_value = "drop,combined")]
    pub modes: Vec<MaskMode>,
    /// Most queries
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub queries: usize,
    /// Most references
    #[arg(long, value_name = "N", default_value_t = 4_000, value_parser = at_least_one)]
    pub references: usize,
    /// How many mask draws, with the seeds from --seed on
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub seeds: usize,
    /// Where the queries are from, where there are splits: test or val
    #[arg(long, default_value = "test")]
    pub on: EvaluateOn,
    /// model,objective,mode,ratio,seed,task,metric,value,lo,hi,n
    #[arg(short, long, value_name = "OUT.csv")]
    pub output: PathBuf,
    /// The curves with their intervals, as .svg or .png
    #[arg(long, value_name = "OUT.svg|png")]
    pub figure: Option<PathBuf>,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `reconstruct`
#[derive(Debug, Args)]
pub struct ReconstructArguments {
    /// Files to read as one dataset
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The specimens to reconstruct [default: a sample]
    #[arg(long, value_name = "ID,…", value_delimiter = ',', conflicts_with_all = ["specimens", "split"])]
    pub ids: Vec<String>,
    /// Size of the sample
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub specimens: usize,
    /// Sample only from this split
    #[arg(long, value_name = "S")]
    pub split: Option<String>,
    /// Share of a barcode's k-mers to mask, above 0 and up to 0.9
    #[arg(long, value_name = "R", value_parser = ratio, default_value = "0.5")]
    pub ratio: f64,
    /// How many guesses to write for every masked k-mer
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub top: usize,
    /// Accuracy by position: position,base,masked,right,accuracy,mean_probability,most_frequent
    #[arg(long, value_name = "P.csv")]
    pub by_position: Option<PathBuf>,
    /// The same as a picture, .svg or .png
    #[arg(long, value_name = "OUT.svg|png")]
    pub figure: Option<PathBuf>,
    /// id,position,base,kmer,masked,rank,guess,probability,right,amino_acids,guessed_amino_acids
    #[arg(short, long, value_name = "OUT.csv")]
    pub output: PathBuf,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `compare`
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// Files with the splits train, test and test_unseen (or val and val_unseen); without them they are drawn by the seed
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Models to compare, by path or name; 'bundled' is the one in the program
    #[arg(long, value_name = "M,…", value_delimiter = ',', required = true)]
    pub models: Vec<PathBuf>,
    /// test or val
    #[arg(long, default_value = "test")]
    pub on: EvaluateOn,
    /// model,objective,trained_ratio,task,split,rank,metric,value,lo,hi,n,n_species
    #[arg(short, long, value_name = "OUT.csv")]
    pub output: PathBuf,
    /// The same by the models' training ratio, as .svg or .png
    #[arg(long, value_name = "OUT.svg|png")]
    pub figure: Option<PathBuf>,
    /// Two maps of the queries by the first two models, aligned: id,x1,y1,x2,y2,kept, most changed first
    #[arg(long, value_name = "MAPS.csv")]
    pub maps: Option<PathBuf>,
    /// Neighbours whose change is measured, with --maps
    #[arg(long, value_name = "N", default_value_t = DEFAULT_NEIGHBOURS, value_parser = at_least_one)]
    pub neighbours: usize,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

fn ratio(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok().filter(|ratio| (0.0..=MAX_RATIO).contains(ratio));
    value.ok_or_else(|| format!("a share from 0 to {MAX_RATIO} is needed"))
}
