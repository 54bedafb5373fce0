//! What can be said on the command line. The doc comments are the help text.

mod audit;
mod discover;
mod lab;
mod session;

pub(super) use audit::{AuditArguments, GapArguments};
pub(super) use discover::DiscoverArguments;
pub(super) use lab::{CompareArguments, MaskingArguments, ReconstructArguments};
pub(super) use session::{CreateArguments, SessionCommand};

use crate::data::reading::{Layers, TransformKind};
use crate::data::taxonomy::Field;
use crate::model::{DeviceChoice, Precision};
use crate::pipeline::cluster::{HDBSCAN_MIN_SIZE, Linkage};
use crate::pipeline::evaluate::EvaluateOn;
use crate::pipeline::project::ProjectMethod;
use crate::pipeline::shards::Share;
use crate::pipeline::side::Method;
use crate::pipeline::{provenance, threads};
use crate::train::{Preset, TrainChanges};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::LazyLock;

static VERSION_LINE: LazyLock<String> = LazyLock::new(provenance::version_line);

/// DNA barcodes read by a pretrained masked autoencoder: named, grouped, mapped and checked.
///
/// Without a command the window opens, with FILE… in it or with the simulated demo.
#[derive(Debug, Parser)]
#[command(name = "barcodescope", version = VERSION_LINE.as_str(), max_term_width = 110)]
pub struct Arguments {
    /// Barcode files to open together in the window: FASTA or tables, plain, gzip or zstd
    pub files: Vec<PathBuf>,
    /// What every command understands.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Common {
    /// The model: a checkpoint, a Hugging Face folder, or the name of one in the model folders [default: the bundled one]
    #[arg(long, global = true, value_name = "M")]
    pub model: Option<PathBuf>,
    /// A folder with more models
    #[arg(long, global = true, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// Attention heads of a checkpoint that does not say [default: 12, with a warning]
    #[arg(long, global = true, value_name = "N")]
    pub heads: Option<usize>,
    /// Where the model runs: auto, cpu, cuda or metal [default: auto]
    #[arg(long, global = true)]
    pub device: Option<DeviceChoice>,
    /// Numbers on a GPU: f32, bf16 or, for reading, f16 (the CPU always takes f32) [default: f32]
    #[arg(long, global = true)]
    pub precision: Option<Precision>,
    /// Shift barcodes to the COI-5P frame before they are cut into k-mers [default: as the model's settings say]
    #[arg(long, global = true, value_name = "on|off")]
    pub register: Option<Switch>,
    /// Whose hidden states make the embedding: last or all [default: as the model's settings say]
    #[arg(long, global = true)]
    pub layers: Option<Layers>,
    /// Megabytes that embeddings may take before they are kept in 16 bits instead of 32 [default: 2048]
    #[arg(long, global = true, value_name = "MB")]
    pub memory: Option<u32>,
    /// Transform of the vectors: none, centre, whiten or whiten:K [default: as the model's settings say]
    #[arg(long, global = true)]
    pub transform: Option<TransformKind>,
    /// Seed of every random draw [default: 1]
    #[arg(long, global = true, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Cores to use [default: all]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Where embeddings are kept for the next time [default: the user's cache folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Neither look for kept embeddings nor keep new ones
    #[arg(long, global = true)]
    pub no_cache: bool,
    /// Folder of shards that `embed --shard` wrote, in which embeddings are looked for too
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "no_cache")]
    pub shards: Option<PathBuf>,
    /// Print the facts and scores of the run as JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress and no remarks, only warnings and errors
    #[arg(long, global = true)]
    pub quiet: bool,
}

impl Common {
    /// Cores to use.
    pub fn threads(&self) -> usize {
        self.threads.map_or_else(threads::all, usize::from)
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// How files are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reading files")]
pub struct Reading {
    /// Columns of a table of unknown layout: id=COL,sequence=COL,genus=COL,…
    #[arg(long, value_name = "FIELD=COL,…")]
    pub map: Option<String>,
    /// Markers to keep, comma-separated [default: COI-5P, COI, COX1, CO1 and none given]
    #[arg(long, value_name = "MARKER,…", value_delimiter = ',')]
    pub markers: Option<Vec<String>>,
    /// Fewest A, C, G and T of a barcode
    #[arg(long, value_name = "N")]
    pub min_length: Option<usize>,
    /// Most bases of a barcode
    #[arg(long, value_name = "N")]
    pub max_length: Option<usize>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Report what files hold: read, kept, left out, repaired, flagged
    Check(CheckArguments),
    /// Look into a model, or convert it
    #[command(subcommand)]
    Model(ModelCommand),
    /// Write the embedding of every specimen
    Embed(EmbedArguments),
    /// Name specimens by a labelled reference, or each by the others
    Classify(ClassifyArguments),
    /// Group specimens and compare the groups with BINs or taxa
    Cluster(ClusterArguments),
    /// Lay specimens out on a map
    Project(ProjectArguments),
    /// Find labels that do not fit their barcodes, say why, and grade species and BINs
    Audit(AuditArguments),
    /// Distances within species and between them, and the threshold that tells species apart best
    Gap(GapArguments),
    /// Find specimens of species and genera that a labelled reference lacks
    Discover(Box<DiscoverArguments>),
    /// Measure model and baselines on a benchmark file with splits
    Evaluate(EvaluateArguments),
    /// Measure models on barcodes parts of which are hidden
    Masking(MaskingArguments),
    /// Let a model guess masked k-mers
    Reconstruct(ReconstructArguments),
    /// Measure several models on a benchmark file, in one table
    Compare(CompareArguments),
    /// Train a model on barcodes, or go on with a run
    Train(Box<TrainArguments>),
    /// Write simulated barcodes with known truth
    Simulate(SimulateArguments),
    /// Show the whole job on simulated barcodes, as a report with pictures
    Demo(DemoArguments),
    /// Keep work in one file, look into it, compare it with another
    #[command(subcommand)]
    Session(SessionCommand),
    /// Look after the kept embeddings
    #[command(subcommand)]
    Cache(CacheCommand),
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Files to read as one dataset
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Every record with status, reason, place in the COI-5P frame and flags
    #[arg(short, long, value_name = "R.csv")]
    pub output: Option<PathBuf>,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `model`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// What a checkpoint holds
    Info {
        /// Checkpoint, folder or name; without it the bundled model
        #[arg(value_name = "M")]
        file: Option<PathBuf>,
    },
    /// Write a model as safetensors with its JSON beside it; --register, --layers and --transform say how it reads from then on
    Convert {
        /// Checkpoint, folder or name
        #[arg(value_name = "M")]
        file: PathBuf,
        /// The safetensors file to write
        #[arg(value_name = "OUT.safetensors")]
        output: PathBuf,
        /// Round the weights to 16 bits
        #[arg(long)]
        half: bool,
        /// Leave out decoder and output layer, which guess masked k-mers
        #[arg(long)]
        encoder_only: bool,
        /// What the new model is called [default: as before]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Keep the record of training barcodes in this file beside the new one, for several models to share
        #[arg(long, value_name = "FILE.seen")]
        record: Option<String>,
    },
}

/// `embed`
#[derive(Debug, Args)]
pub struct EmbedArguments {
    /// Files to read as one dataset
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// .csv or .tsv (id,e0,e1,…), .npy (with the ids in OUT.ids.txt) or .safetensors (ids in the metadata); a folder with --shard
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Embed only the share I of N of the barcodes, as one of N jobs; run again, it goes on where it was stopped
    #[arg(long, value_name = "I/N", conflicts_with = "fit_on")]
    pub shard: Option<Share>,
    /// Fit the transform on the barcodes of this file; without it vectors are written as the model gives them
    #[arg(long, value_name = "FILE")]
    pub fit_on: Vec<PathBuf>,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `classify`
#[derive(Debug, Args)]
pub struct ClassifyArguments {
    /// Files to name each specimen of by the others, with --leave-one-out
    #[arg(value_name = "FILE", requires = "leave_one_out")]
    pub files: Vec<PathBuf>,
    /// Name each specimen of FILE by all the others
    #[arg(long, requires = "files", conflicts_with_all = ["reference", "query", "reference_split", "query_split"])]
    pub leave_one_out: bool,
    /// Labelled reference
    #[arg(long, value_name = "R", required_unless_present = "leave_one_out")]
    pub reference: Vec<PathBuf>,
    /// Specimens to name
    #[arg(long, value_name = "Q", required_unless_present = "leave_one_out")]
    pub query: Vec<PathBuf>,
    /// Take only this split of the reference
    #[arg(long, value_name = "S")]
    pub reference_split: Option<String>,
    /// Take only this split of the queries
    #[arg(long, value_name = "S")]
    pub query_split: Option<String>,
    /// The label to predict
    #[arg(long, default_value = "genus")]
    pub rank: Field,
    /// How many neighbours vote
    #[arg(short, default_value_t = 1, value_parser = at_least_one)]
    pub k: usize,
    /// uniform or softmax [default: softmax when k > 1]
    #[arg(long)]
    pub votes: Option<VoteName>,
    /// Temperature of softmax votes
    #[arg(long, value_name = "T", default_value_t = 0.02)]
    pub temperature: f32,
    /// How likeness is measured: model, both (the model's nearest, then alignment), fitted (the model under a head fitted to the
    /// genera of the reference), kmer, align, random, or auto (the one of model, both, kmer and align that names a sample of the
    /// reference best, each specimen without its own species)
    #[arg(long, default_value = "model")]
    pub method: MethodChoice,
    /// Leave out references with exactly the query's barcode
    #[arg(long)]
    pub set_aside_identical: bool,
    /// Also write the nearest references of every query
    #[arg(long, value_name = "N.csv")]
    pub neighbours: Option<PathBuf>,
    /// How many of them
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub neighbour_count: usize,
    /// id,label,predicted,score,margin,neighbour,cosine,identity
    #[arg(short, long, value_name = "OUT.csv")]
    pub output: PathBuf,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// A method, or the choice left to the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodChoice {
    /// This one.
    Given(Method),
    /// The one that names the reference best.
    Auto,
}

impl FromStr for MethodChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            Ok(Self::Auto)
        } else {
            text.parse().map(Self::Given).map_err(|error| format!("{error}, auto"))
        }
    }
}

/// How neighbours vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VoteName {
    /// One neighbour, one vote.
    Uniform,
    /// Nearer neighbours weigh more.
    Softmax,
}

/// `cluster`
#[derive(Debug, Args)]
pub struct ClusterArguments {
    /// Files to read as one dataset
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// threshold and hdbscan know no number of groups; ward is the published recipe
    #[arg(long, default_value = "threshold")]
    pub recipe: RecipeName,
    /// average or single, for threshold
    #[arg(long, default_value = "average")]
    pub linkage: Linkage,
    /// Cosine distance at which groups are cut, for threshold [default: suggested by the data]
    #[arg(long, value_name = "T")]
    pub threshold: Option<f32>,
    /// Number of groups, for ward: a number, or true for that of the labels [default: true]
    #[arg(long, value_name = "N|true", value_parser = cluster_number)]
    pub clusters: Option<ClusterNumber>,
    /// Smallest cluster, for hdbscan
    #[arg(long, value_name = "N", default_value_t = HDBSCAN_MIN_SIZE, value_parser = at_least_two)]
    pub min_size: usize,
    /// Label to compare the groups with [default: bin where there are any, else species]
    #[arg(long)]
    pub against: Option<Field>,
    /// id,cluster (-1 = noise)
    #[arg(short, long, value_name = "OUT.csv")]
    pub output: PathBuf,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// How groups are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecipeName {
    /// Barcodes nearer than a distance are joined.
    Threshold,
    /// Dense regions.
    Hdbscan,
    /// UMAP to 50 dimensions, then Ward's linkage.
    Ward,
}

/// How many groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterNumber {
    /// That of the labels.
    True,
    /// A given number.
    Given(usize),
}

/// `project`
#[derive(Debug, Args)]
pub struct ProjectArguments {
    /// Files to read as one dataset
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// umap or pca
    #[arg(long, default_value = "umap")]
    pub method: ProjectMethod,
    /// Neighbours of each barcode in UMAP's graph
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = at_least_two)]
    pub neighbors: usize,
    /// How close UMAP may lay points together
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    pub min_dist: f32,
    /// How UMAP measures likeness: cosine or euclidean
    #[arg(long, default_value = "cosine")]
    pub metric: crate::analysis::umap::Metric,
    /// id,x,y
    #[arg(short, long, value_name = "OUT.csv")]
    pub output: PathBuf,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `evaluate`
#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// A benchmark file with the splits train, test and test_unseen (or val and val_unseen)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// test or val
    #[arg(long, default_value = "test")]
    pub on: EvaluateOn,
    /// The table as JSON
    #[arg(short, long, value_name = "REPORT.json")]
    pub output: Option<PathBuf>,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `train`
#[derive(Debug, Args)]
pub struct TrainArguments {
    /// Files with barcodes; they are read one after another
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The folder of the run: run.safetensors to go on from, best.safetensors and model.safetensors to use
    #[arg(long, value_name = "DIR", required_unless_present = "estimate")]
    pub out: Option<PathBuf>,
    /// Say what the run will take (weights, file, memory, time), from a few timed steps, and begin nothing
    #[arg(long, conflicts_with = "resume")]
    pub estimate: bool,
    /// Go on with the run in the folder, to the same bits; length, rates and the like may be changed
    #[arg(long)]
    pub resume: bool,
    /// Settings to begin with: laptop, tiny or barcodemae-6-6-6 [default: laptop]
    #[arg(long, value_name = "NAME")]
    pub preset: Option<Preset>,
    /// A file of settings, which count over the preset's; flags count over the file's
    #[arg(long, value_name = "T.toml")]
    pub config: Option<PathBuf>,
    /// Single settings.
    #[command(flatten, next_help_heading = "Settings of the run")]
    pub settings: TrainChanges,
    /// How files are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `simulate`
#[derive(Debug, Args)]
pub struct SimulateArguments {
    /// The table to write, compressed where its name ends in .gz
    #[arg(short, long, value_name = "OUT.csv[.gz]")]
    pub output: PathBuf,
    /// How many specimens
    #[arg(long, value_name = "N", default_value_t = DEMO_SPECIMENS, value_parser = at_least_one)]
    pub specimens: usize,
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Where the report goes
    #[arg(short, long, value_name = "DIR", default_value = "barcodescope-demo")]
    pub output: PathBuf,
    /// How many simulated specimens
    #[arg(long, value_name = "N", default_value_t = DEMO_SPECIMENS, value_parser = at_least_one)]
    pub specimens: usize,
    /// Files to report on instead; set where the window was asked for and cannot be shown.
    #[arg(skip)]
    pub files: Vec<PathBuf>,
}

const DEMO_SPECIMENS: usize = 1500;

impl DemoArguments {
    /// The report that stands in for the window.
    pub(super) fn instead_of_window(files: Vec<PathBuf>) -> Self {
        let folder = if files.is_empty() { "barcodescope-demo" } else { "barcodescope-report" };
        Self { output: folder.into(), specimens: DEMO_SPECIMENS, files }
    }
}

/// `cache`
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Remove all kept embeddings
    Clear,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    at_least(text, 1)
}

fn at_least_two(text: &str) -> Result<usize, String> {
    at_least(text, 2)
}

fn at_least(text: &str, least: usize) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&number| number >= least)
        .ok_or_else(|| format!("a whole number from {least} on is needed"))
}

fn cluster_number(text: &str) -> Result<ClusterNumber, String> {
    match text {
        "true" => Ok(ClusterNumber::True),
        _ => at_least(text, 1).map(ClusterNumber::Given).map_err(|error| format!("'true', or {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_whole() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn common_settings_may_stand_before_or_after_the_command() {
        for line in [
            "barcodescope --seed 7 check a.fa --json",
            "barcodescope check a.fa --seed 7 --json",
            "barcodescope --json check --seed 7 a.fa",
        ] {
            let parsed = Arguments::try_parse_from(line.split(' ')).unwrap();
            assert_eq!((parsed.common.seed, parsed.common.json), (Some(7), true), "{line}");
            assert!(matches!(parsed.command, Some(Command::Check(_))));
        }
    }

    #[test]
    fn files_alone_are_for_the_window() {
        let parsed = Arguments::try_parse_from(["barcodescope", "a.fa", "b.csv", "--model", "m"]).unwrap();
        assert!(parsed.command.is_none());
        assert_eq!(parsed.files.len(), 2);
    }

    #[test]
    fn models_are_a_folder_everywhere_but_where_they_are_compared() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).unwrap();
        let parsed = parse("barcodescope embed a.fa -o o.csv --models folder");
        assert_eq!(parsed.common.models, Some(PathBuf::from("folder")));
        let parsed = parse("barcodescope masking a.csv --models a.pt,b -o o.csv --ratios 0,0.5 --modes drop");
        let Some(Command::Masking(masking)) = parsed.command else { panic!("another command") };
        assert_eq!(masking.models, [PathBuf::from("a.pt"), PathBuf::from("b")]);
        assert_eq!((masking.ratios, masking.modes), (vec![0.0, 0.5], vec![crate::data::masking::MaskMode::Drop]));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "barcodescope check",
            "barcodescope classify --reference a -o o.csv",
            "barcodescope classify a -o o.csv",
            "barcodescope classify a --leave-one-out --query b -o o.csv",
            "barcodescope classify --reference a --query b -k 0 -o o.csv",
            "barcodescope cluster a --clusters some -o o.csv",
            "barcodescope project a -o o.csv --neighbors 1",
            "barcodescope masking a -o o.csv --ratios 0.5,0.95",
            "barcodescope masking a -o o.csv --modes some",
            "barcodescope train a.fa",
            "barcodescope train a.fa --out d --minutes 5 --steps 7",
            "barcodescope train a.fa --out d --mask-ratio half",
            "barcodescope train a.fa --out d --preset huge",
            "barcodescope embed a -o o.csv --register maybe",
            "barcodescope discover --reference a -o d",
            "barcodescope discover a --query b -o d",
            "barcodescope discover --reference a --query b --share 0.2 -o d",
            "barcodescope discover a --hold-out family -o d",
            "barcodescope discover a --score bitscore -o d",
            "barcodescope embed a -o o.csv --transform whiten:0",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
