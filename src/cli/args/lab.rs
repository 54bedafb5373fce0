//! `masking` and `reconstruct`

use super::{Reading, at_least_one};
use crate::data::masking::MaskMode;
use crate::pipeline::evaluate::EvaluateOn;
use crate::pipeline::masking::MAX_RATIO;
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

fn ratio(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok().filter(|ratio| (0.0..=MAX_RATIO).contains(ratio));
    value.ok_or_else(|| format!("a share from 0 to {MAX_RATIO} is needed"))
}
