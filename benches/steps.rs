//! One step on given data, timed once: what `benches/peers/steps.py` compares with the same work in Python.
//!
//! `cargo bench --bench steps -- STEP INPUT… [--out OUT.npy] [--seed N]` prints one line of JSON: the seconds of the step alone, and the
//! process's peak memory.

#![allow(clippy::unwrap_used, reason = "a bench that lacks what it needs fails there and then")]

use barcodescope::analysis::agreement::agreement;
use barcodescope::analysis::alignment::Aligner;
use barcodescope::analysis::cluster::{Recipe, cluster};
use barcodescope::analysis::knn::{nearest, nearest_others};
use barcodescope::analysis::umap::{Metric, Start, UmapSettings, umap};
use barcodescope::data::import::{ImportOptions, load};
use barcodescope::progress::Silent;
use barcodescope::seed::Seed;
use ndarray::{Array1, Array2, Axis};
use ndarray_npy::{read_npy, write_npy};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

/// Groups that Ward's linkage goes down to.
const WARD_CLUSTERS: usize = 100;
/// Neighbours in a graph, without the point itself.
const NEIGHBOURS: usize = 14;

struct Arguments {
    step: String,
    inputs: Vec<PathBuf>,
    out: Option<PathBuf>,
    seed: u64,
    /// Whether maps begin as those of the program do, not as the peer's is told to.
    spectral: bool,
}

impl Arguments {
    fn read() -> Self {
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        let step = arguments.next().unwrap_or_else(|| {
            let _ = writeln!(std::io::stderr(), "name a step: nn, graph, umap, ward, ami, align or table");
            std::process::exit(2)
        });
        let mut read = Self { step, inputs: Vec::new(), out: None, seed: 1, spectral: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--out" => read.out = arguments.next().map(PathBuf::from),
                "--spectral" => read.spectral = true,
                "--seed" => read.seed = arguments.next().unwrap().parse().unwrap(),
                _ => read.inputs.push(argument.into()),
            }
        }
        read
    }

    fn vectors(&self, at: usize) -> Array2<f32> {
        read_npy(&self.inputs[at]).unwrap()
    }

    fn labels(&self, at: usize) -> Array1<u32> {
        read_npy(&self.inputs[at]).unwrap()
    }
}

fn main() {
    let arguments = Arguments::read();
    let seconds = match arguments.step.as_str() {
        "nn" => nn(&arguments),
        "graph" => graph(&arguments),
        "umap" => map(&arguments),
        "ward" => ward(&arguments),
        "ami" => ami(&arguments),
        "align" => align(&arguments),
        "table" => table(&arguments),
        other => panic!("there is no step {other}"),
    };
    let result = serde_json::json!({ "seconds": seconds, "peak_mb": peak_mb() });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{result}").unwrap();
}

/// The process's largest size so far, where the system tells it.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes / 1000)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64())
}

fn nn(arguments: &Arguments) -> f64 {
    let (queries, references) = (arguments.vectors(0), arguments.vectors(1));
    let (found, seconds) = timed(|| nearest(&queries, &references, 1, &|_, _| false, &Silent).unwrap());
    save_indices(arguments, &found.index);
    seconds
}

fn graph(arguments: &Arguments) -> f64 {
    let vectors = arguments.vectors(0);
    let (found, seconds) = timed(|| nearest_others(&vectors, NEIGHBOURS, Seed(arguments.seed), &Silent).unwrap());
    save_indices(arguments, &found.index);
    seconds
}

fn save_indices(arguments: &Arguments, index: &Array2<u32>) {
    if let Some(out) = &arguments.out {
        write_npy(out, index).unwrap();
    }
}

fn map(arguments: &Arguments) -> f64 {
    let vectors = arguments.vectors(0);
    let start = if arguments.spectral { Start::Spectral } else { Start::Pca };
    let seed = Seed(arguments.seed);
    let settings = UmapSettings { metric: Metric::Cosine, seed, start, ..UmapSettings::default() };
    let (places, seconds) = timed(|| umap(&vectors, &settings, &Silent).unwrap());
    if let Some(out) = &arguments.out {
        write_npy(out, &places).unwrap();
    }
    seconds
}

fn ward(arguments: &Arguments) -> f64 {
    let vectors = arguments.vectors(0);
    let recipe = Recipe::Ward { clusters: WARD_CLUSTERS };
    let (found, seconds) = timed(|| cluster(vectors.view(), &recipe, &Silent).unwrap());
    if let Some(out) = &arguments.out {
        write_npy(out, &Array1::from(found.labels)).unwrap();
    }
    seconds
}

fn ami(arguments: &Arguments) -> f64 {
    let (truth, found) = (arguments.labels(0), arguments.labels(1));
    let (result, seconds) = timed(|| agreement(truth.as_slice().unwrap(), found.as_slice().unwrap()));
    if let Some(out) = &arguments.out {
        write_npy(out, &Array1::from(vec![result.ami, result.ari])).unwrap();
    }
    seconds
}

/// Pairs of barcodes, one pair of lines after the other.
fn align(arguments: &Arguments) -> f64 {
    let text = std::fs::read_to_string(&arguments.inputs[0]).unwrap();
    let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    let mut aligner = Aligner::new();
    let (identities, seconds) =
        timed(|| lines.as_chunks::<2>().0.iter().map(|[a, b]| aligner.identity(a, b)).collect::<Vec<f32>>());
    if let Some(out) = &arguments.out {
        write_npy(out, &Array1::from(identities).insert_axis(Axis(1))).unwrap();
    }
    seconds
}

fn table(arguments: &Arguments) -> f64 {
    let ((dataset, report), seconds) = timed(|| load(&arguments.inputs, &ImportOptions::default(), &Silent).unwrap());
    let _ = writeln!(
        std::io::stderr(),
        "{} of {} records, {} different barcodes",
        dataset.len(),
        report.records_read,
        dataset.unique_len()
    );
    seconds
}
