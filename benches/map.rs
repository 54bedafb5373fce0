//! What the map costs: processor time per frame (building and tessellating, no graphics card), picking, lasso, recolouring.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use barcodescope::seed::Seed;
use barcodescope::ui::theme::LIGHT;
use barcodescope::ui::widgets::map::index::MapIndex;
use barcodescope::ui::widgets::map::lasso::Lasso;
use barcodescope::ui::widgets::map::paint::Painted;
use barcodescope::ui::widgets::map::{MapScene, MapState, MapStyle, Mark, PointMap, taxon_labels};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use egui::{Color32, Context, RawInput, Rect, pos2, vec2};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use std::hint::black_box;
use std::sync::Arc;

const CLUSTERS: usize = 200;

/// Clusters of very different sizes, as projections of barcodes have them.
fn scene(count: usize) -> (MapScene, Vec<u32>) {
    let mut random = Seed(1).stream("map bench");
    let centres: Vec<[f32; 3]> = (0..CLUSTERS)
        .map(|_| [random.random_range(0.0..20.0), random.random_range(0.0..14.0), random.random_range(0.05..0.5)])
        .collect();
    let taxa: Vec<u32> =
        (0..count).map(|_| (random.random::<f32>() * random.random::<f32>() * CLUSTERS as f32) as u32).collect();
    let mut around = || -> f32 { StandardNormal.sample(&mut random) };
    let positions = taxa.iter().map(|&taxon| {
        let [x, y, spread] = centres[taxon as usize];
        [x + spread * around(), y + spread * around()]
    });
    let positions = Arc::new(positions.collect());
    let colours = Arc::new(taxa.iter().map(|&taxon| colour(taxon)).collect());
    (MapScene { positions, colours, marks: Arc::new(vec![Mark::Shown; count]), ..MapScene::default() }, taxa)
}

fn colour(taxon: u32) -> Color32 {
    let [r, g, b, _] = taxon.wrapping_mul(2_654_435_761).to_le_bytes();
    Color32::from_rgb(r, g, b)
}

/// A window without a screen.
struct Window {
    context: Context,
    scene: MapScene,
    state: MapState,
    style: MapStyle,
    frames: usize,
}

impl Window {
    fn new(scene: MapScene, mesh_limit: usize) -> Self {
        let style = MapStyle { mesh_limit, ..MapStyle::themed(&LIGHT, false) };
        let mut window = Self { context: Context::default(), scene, state: MapState::default(), style, frames: 0 };
        while window.state.index().len() < window.scene.positions.len() {
            window.frame();
        }
        window
    }

    fn frame(&mut self) {
        self.frames += 1;
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1280.0, 800.0))),
            time: Some(self.frames as f64 / 60.0),
            ..RawInput::default()
        };
        let Self { context, scene, state, style, .. } = self;
        let output = context.run_ui(input, |ui| {
            PointMap::new(scene, state, *style).show(ui);
        });
        black_box(context.tessellate(output.shapes, output.pixels_per_point));
    }

    /// Moves what is looked at by a little, so that nothing of the last frame can be used again.
    fn pan(&mut self) {
        let factor = if self.frames.is_multiple_of(2) { 1.001 } else { 1.0 / 1.001 };
        self.state.zoom(factor);
        self.frame();
    }
}

fn frames(criterion: &mut Criterion) {
    for (count, mesh_limit) in
        [(20_000, 100_000), (50_000, 100_000), (200_000, 200_000), (200_000, 100_000), (1_000_000, 100_000)]
    {
        let kind = if count > mesh_limit { "density" } else { "mesh" };
        let mut window = Window::new(scene(count).0, mesh_limit);
        criterion.bench_function(&format!("{count} {kind}, moving"), |bencher| bencher.iter(|| window.pan()));
        criterion.bench_function(&format!("{count} {kind}, at rest"), |bencher| bencher.iter(|| window.frame()));
    }
}

fn derived(criterion: &mut Criterion) {
    let (scene, taxa) = scene(1_000_000);
    let index = MapIndex::build(&scene.positions);
    criterion.bench_function("index of 1000000", |bencher| bencher.iter(|| MapIndex::build(&scene.positions)));
    let mut turn = 0.0;
    criterion.bench_function("hover over 1000000", |bencher| {
        bencher.iter(|| {
            turn += 0.37;
            black_box(index.nearest([10.0 + 8.0 * f64::sin(turn), 7.0 + 5.0 * f64::cos(turn)], 0.15, |_| true))
        });
    });
    let outline = (0..300).map(|corner| {
        let angle = f64::from(corner) * std::f64::consts::TAU / 300.0;
        let radius = 6.0 + (angle * 17.0).sin();
        [10.0 + radius * angle.cos(), 7.0 + radius * angle.sin()]
    });
    let lasso = Lasso::new(outline);
    criterion.bench_function("lasso of 1000000", |bencher| bencher.iter(|| black_box(lasso.rows_in(&index, |_| true))));
    let greys = MapStyle::themed(&LIGHT, false).greys;
    criterion.bench_function("recolour 1000000", |bencher| {
        let rows = || taxa.iter().map(|&taxon| colour(taxon + 1)).collect::<Vec<_>>();
        bencher.iter_batched(
            rows,
            |colours| Painted::new(&index, &colours, &scene.marks, &[], greys),
            BatchSize::LargeInput,
        );
    });
    let names: Vec<String> = (0..CLUSTERS).map(|taxon| format!("taxon {taxon}")).collect();
    criterion.bench_function("label places of 1000000", |bencher| {
        bencher.iter(|| taxon_labels(&scene.positions, &names, |row| Some(taxa[row])));
    });
}

criterion_group!(benches, frames, derived);
criterion_main!(benches);
