//! What very many specimens take of the memory: embedded, laid out and shown.
//!
//! `cargo bench --bench memory -- [SPECIMENS] [MEGABYTES] [EPOCHS]` makes that many specimens of different barcodes (a million where none is said),
//! synthetic vectors of 256 dimensions under that budget, lays them out with UMAP and draws the map; it prints one line of JSON per stage
//! with the process's largest size so far.

#![allow(clippy::unwrap_used, reason = "a bench that lacks what it needs fails there and then")]

use barcodescope::data::dataset::{Dataset, DatasetBuilder, Record};
use barcodescope::data::reading::Layers;
use barcodescope::data::taxonomy::Field;
use barcodescope::model::{Checkpoint, ModelInfo};
use barcodescope::pipeline::embed::Embedded;
use barcodescope::pipeline::project::{ProjectSettings, ProjectSource, project};
use barcodescope::pipeline::stored::{MemoryBudget, StoredVectors};
use barcodescope::progress::Silent;
use barcodescope::seed::Seed;
use barcodescope::ui::theme::LIGHT;
use barcodescope::ui::widgets::map::{MapScene, MapState, MapStyle, Mark, PointMap};
use egui::{Color32, Context, RawInput, Rect, pos2, vec2};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

const WIDTH: usize = 256;
const BASES: usize = 658;
const PER_GROUP: usize = 40;

fn dataset(specimens: usize) -> Dataset {
    let mut random = Seed(1).stream("memory bench");
    let mut builder = DatasetBuilder::new("bench", Vec::new());
    for row in 0..specimens {
        let labels = [(Field::Genus, format!("Genus{}", row / PER_GROUP))];
        let sequence = (0..BASES).map(|_| b"ACGT"[random.random_range(0..4)]).collect();
        builder.push(Record { id: format!("BENCH{row}-26"), sequence, labels: labels.into(), ..Record::default() });
    }
    builder.finish()
}

/// Vectors in groups, as embeddings are.
fn vectors(rows: usize, budget: MemoryBudget) -> StoredVectors {
    let mut random = Seed(2).stream("memory bench");
    let mut normal = || -> f32 { StandardNormal.sample(&mut random) };
    let mut stored = StoredVectors::zeros(rows, WIDTH, rows, budget);
    let mut centre = vec![0.0; WIDTH];
    for row in 0..rows {
        if row.is_multiple_of(PER_GROUP) {
            centre.iter_mut().for_each(|value| *value = normal());
        }
        let vector: Vec<f32> = centre.iter().map(|value| value + 0.45 * normal()).collect();
        stored.set(row, &vector);
    }
    stored
}

fn show(points: &[[f32; 2]]) {
    let count = points.len();
    let scene = MapScene {
        positions: Arc::new(points.to_vec()),
        colours: Arc::new(vec![Color32::GREEN; count]),
        marks: Arc::new(vec![Mark::Shown; count]),
        ..MapScene::default()
    };
    let (context, mut state) = (Context::default(), MapState::default());
    let (mut frame, mut moved) = (0, 0);
    // As many frames as it takes until all points are there, and twenty more.
    while moved < 20 {
        frame += 1;
        moved += usize::from(state.index().len() == count);
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1440.0, 900.0))),
            time: Some(f64::from(frame) / 60.0),
            ..RawInput::default()
        };
        state.zoom(1.01);
        let output = context.run_ui(input, |ui| {
            PointMap::new(&scene, &mut state, MapStyle::themed(&LIGHT, false)).show(ui);
        });
        context.tessellate(output.shapes, output.pixels_per_point);
    }
}

/// The process's size now and its largest so far, where the system tells it.
fn megabytes() -> [Option<u64>; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["VmRSS", "VmHWM"].map(|name| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes / 1000)
    })
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let specimens = numbers.next().unwrap_or(1_000_000);
    let budget =
        numbers.next().map_or_else(MemoryBudget::default, |megabytes| MemoryBudget { megabytes: megabytes as u32 });
    // The layout's rounds take time, not memory.
    let epochs = numbers.next();
    let start = Instant::now();
    let tell = |stage: &str| {
        let [now, largest] = megabytes();
        let line = serde_json::json!({ "stage": stage, "seconds": start.elapsed().as_secs_f64(), "mb": now, "largest_mb": largest });
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").unwrap();
    };
    let dataset = dataset(specimens);
    tell("specimens");
    let info: ModelInfo = Checkpoint::bundled().info().clone();
    let embedded = Embedded {
        vectors: vectors(specimens, budget),
        data: dataset.key(),
        model: info,
        register: false,
        layers: Layers::Last,
        trained_on: None,
        computed: specimens,
        cached: 0,
        seconds: 0.0,
    };
    tell(if embedded.vectors.is_half() { "embedded, in 16 bits" } else { "embedded, in 32 bits" });
    let map = project(
        &dataset,
        ProjectSource::Embedded(&embedded),
        &ProjectSettings { epochs, ..ProjectSettings::default() },
        &Silent,
    )
    .unwrap();
    tell("laid out");
    show(&map.points);
    tell("shown");
}
