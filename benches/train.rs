//! Training steps of a masked autoencoder on the CPU, for comparison with `benches/peers/train.py`, which runs the same in PyTorch.
//!
//! ```text
//! cargo bench --bench train -- [--threads N] [--steps N] [--dropout P]
//! ```
//!
//! Width 256, 4 encoder layers on 55 tokens, 2 decoder layers on 110, k = 6, batch 64, f32. Drawing barcodes and masks is part of
//! a step here. Prints sequences per second of every step's batch and the peak memory, as one line of JSON.

#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]
#![expect(clippy::unwrap_used, reason = "a benchmark that can't run fails there and then")]

use barcodescope::data::dataset::{DatasetBuilder, Record};
use barcodescope::seed::Seed;
use barcodescope::train::{CheckedSettings, Corpus, CorpusBuilder, TrainSettings, Trainer};
use rand::Rng;
use std::sync::Arc;
use std::time::Instant;

const BARCODES: usize = 512;
const BASES: usize = 660;
/// The first steps take their memory.
const WARM_UP: usize = 2;

fn argument(name: &str) -> Option<f64> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1)?.parse().ok()
}

fn corpus(settings: &CheckedSettings) -> Arc<Corpus> {
    let mut rng = Seed(1).stream("benchmark");
    let mut dataset = DatasetBuilder::new("random barcodes", Vec::new());
    for index in 0..BARCODES {
        let sequence = (0..BASES).map(|_| b"ACGT"[rng.random_range(0..4)]).collect();
        dataset.push(Record { id: index.to_string(), sequence, ..Record::default() });
    }
    let mut builder = CorpusBuilder::new(settings);
    builder.add(&dataset.finish(), None);
    Arc::new(builder.finish().unwrap())
}

/// Most memory that the process has had, in megabytes, where the system tells.
fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn main() {
    let threads = argument("--threads").map_or_else(barcodescope::pipeline::threads::all, |threads| threads as usize);
    barcodescope::pipeline::threads::limit(threads);
    let steps = argument("--steps").unwrap_or(10.0) as usize;
    let dropout = argument("--dropout").unwrap_or(0.0);
    // no offset, so that every barcode has its 110 tokens
    let settings = TrainSettings { dropout, random_offset: false, validation_share: 0.0, ..TrainSettings::default() };
    let settings = settings.checked().unwrap().remove(0);
    let batch = settings.barcodes_per_step() as f64;
    let corpus = corpus(&settings);
    let mut trainer = Trainer::new(settings, corpus).unwrap();
    let mut rates = Vec::new();
    for step in 0..steps + WARM_UP {
        let start = Instant::now();
        trainer.step().unwrap();
        if step >= WARM_UP {
            rates.push((10.0 * batch / start.elapsed().as_secs_f64()).round() / 10.0);
        }
    }
    let mut sorted = rates.clone();
    sorted.sort_by(f64::total_cmp);
    let numbers = serde_json::json!({
        "program": format!("Barcodescope {}", env!("CARGO_PKG_VERSION")),
        "threads": threads,
        "dropout": dropout,
        "sequences_per_second": rates,
        "median": sorted[sorted.len() / 2],
        "peak_memory_mb": peak_memory_mb(),
    });
    println!("{numbers}");
}
