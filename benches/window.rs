//! The whole window with very many specimens while jobs run: how long its frames take on the processor, without a graphics card.
//!
//! `cargo bench --bench window -- demo` opens the demo and prints when its maps are there. `cargo bench --bench window -- [ROWS]` writes a table of that many records (a million where none is said), opens it as a user does and
//! prints percentiles of what the window does meanwhile: while the file is read, its frames are checked and 6-mers counted, and then, while
//! the model reads the barcodes, moving the map, lighting up, filtering and looking at tables.

#![allow(clippy::unwrap_used, reason = "a bench that lacks what it needs fails there and then")]

use barcodescope::jobs::{Workshop, WorkshopOptions};
use barcodescope::seed::Seed;
use barcodescope::session::columns::ColumnKey;
use barcodescope::session::selection::Mode;
use barcodescope::session::{Command, Page, Session, Step};
use barcodescope::ui::app::{App, Beginning};
use egui::{Event, Modifiers, MouseWheelSource, MouseWheelUnit, Pos2, TouchPhase, Vec2, pos2, vec2};
use egui_kittest::Harness;
use rand::Rng;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const SIZE: [f32; 2] = [1440.0, 900.0];
const MIDDLE: Pos2 = pos2(620.0, 480.0);
const BASES: usize = 658;
const GENERA: usize = 3000;
/// The layout of BIOSCAN-5M, which is opened without a question.
const COLUMNS: &str = "processid,sampleid,taxon,phylum,class,order,family,subfamily,genus,species,dna_bin,dna_barcode,country,\
    province_state,coord-lat,coord-lon,image_measurement_value,area_fraction,scale_factor,inferred_ranks,split,\
    index_bioscan_1M_insect,chunk";

/// Barcodes in groups: each genus a sequence of its own, each record with errors in it.
fn write_table(path: &Path, rows: usize) {
    let mut random = Seed(1).stream("window bench");
    let base = |random: &mut rand_chacha::ChaCha8Rng| b"ACGT"[random.random_range(0..4)];
    let genera: Vec<Vec<u8>> = (0..GENERA).map(|_| (0..BASES).map(|_| base(&mut random)).collect()).collect();
    let mut out = BufWriter::new(File::create(path).unwrap());
    writeln!(out, "{COLUMNS}").unwrap();
    for row in 0..rows {
        let genus = random.random_range(0..GENERA);
        let mut barcode = genera[genus].clone();
        for _ in 0..12 {
            barcode[random.random_range(0..BASES)] = base(&mut random);
        }
        let species = random.random_range(0..6);
        let barcode = String::from_utf8(barcode).unwrap();
        let (family, bin) = (genus / 40, genus * 3 % 10_000);
        let names =
            format!("Arthropoda,Insecta,Diptera,Family{family}idae,,Genus{genus},Genus{genus} species{species}");
        writeln!(out, "BENCH{row}-26,,,{names},BOLD:AAA{bin:04},{barcode},,,,,,,,,,,").unwrap();
    }
}

struct Window {
    harness: Harness<'static, App>,
    /// Seconds of each frame since the last report.
    frames: Vec<f64>,
}

impl Window {
    fn open(beginning: Beginning) -> Self {
        let harness = Harness::builder().with_size(SIZE).build_eframe(move |creation| {
            App::new(&creation.egui_ctx, &beginning, Workshop::new(WorkshopOptions::default())).unwrap()
        });
        Self { harness, frames: Vec::new() }
    }

    fn session(&self) -> &Session {
        self.harness.state().session()
    }

    /// Draws a frame, and makes the triangles that a graphics card would be given.
    fn frame(&mut self) {
        let start = Instant::now();
        self.harness.step();
        let output = self.harness.output();
        self.harness.ctx.tessellate(output.shapes.clone(), output.pixels_per_point);
        self.frames.push(start.elapsed().as_secs_f64());
    }

    /// Frames at most sixty times a second until something holds.
    fn until(&mut self, what: &str, holds: impl Fn(&Session) -> bool) {
        let start = Instant::now();
        self.frame();
        while !holds(self.session()) {
            let next = Instant::now() + Duration::from_micros(16_667);
            self.frame();
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        self.report(&format!("{what}, {:.0} s", start.elapsed().as_secs_f64()));
    }

    fn ask(&mut self, command: Command) {
        let ctx = self.harness.ctx.clone();
        self.harness.state_mut().obey(&ctx, command);
    }

    fn report(&mut self, what: &str) {
        let mut ms: Vec<f64> = self.frames.drain(..).map(|seconds| 1000.0 * seconds).collect();
        ms.sort_by(f64::total_cmp);
        let at = |share: f64| ms[((ms.len() - 1) as f64 * share) as usize];
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "| {what} | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
            ms.len(),
            at(0.5),
            at(0.95),
            at(0.99),
            at(1.0)
        )
        .unwrap();
    }

    fn drag(&mut self, frames: usize) {
        self.harness.event(Event::PointerMoved(MIDDLE));
        self.harness.drag_at(MIDDLE);
        self.frame();
        for frame in 0..frames {
            let angle = frame as f32 / 20.0;
            self.harness.event(Event::PointerMoved(MIDDLE + 150.0 * vec2(angle.sin(), 1.0 - angle.cos())));
            self.frame();
        }
        self.harness.drop_at(MIDDLE);
        self.frame();
        self.report("moving the map");
    }

    fn zoom(&mut self, frames: usize) {
        self.harness.event(Event::PointerMoved(MIDDLE));
        for frame in 0..frames {
            let delta = Vec2::new(0.0, if frame % 60 < 30 { 20.0 } else { -20.0 });
            let (phase, source) = (TouchPhase::Move, MouseWheelSource::Wheel);
            self.harness.event(Event::MouseWheel {
                unit: MouseWheelUnit::Point,
                delta,
                phase,
                source,
                modifiers: Modifiers::NONE,
            });
            self.frame();
        }
        self.report("zooming");
    }

    fn hover(&mut self, frames: usize) {
        for frame in 0..frames {
            let angle = frame as f32 / 7.0;
            self.harness.event(Event::PointerMoved(MIDDLE + 200.0 * vec2(angle.cos(), angle.sin())));
            self.frame();
        }
        self.report("the pointer over the map");
    }
}

/// When the demo's maps are there, counted from the making of the window, without the embeddings of an earlier run.
fn demo() {
    let start = Instant::now();
    let mut window = Window::open(Beginning { demo: true, ..Beginning::default() });
    let mut out = std::io::stdout();
    for (name, step) in [("its first map", Step::KmerMap), ("the model's map", Step::ModelMap)] {
        while !window.session().results.stage(step).is_ready() {
            window.frame();
            std::thread::sleep(Duration::from_millis(5));
        }
        writeln!(out, "the demo, {name}: {:.2} s", start.elapsed().as_secs_f64()).unwrap();
    }
}

fn main() {
    if std::env::args().any(|argument| argument == "demo") {
        return demo();
    }
    let rows = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("specimens.csv");
    write_table(&path, rows);
    let mut out = std::io::stdout();
    writeln!(out, "| {rows} specimens | frames | median, ms | 95 % | 99 % | longest |\n|---|---|---|---|---|---|")
        .unwrap();
    let mut window = Window::open(Beginning { files: vec![path], ..Beginning::default() });
    window.until("reading the file", |session| session.dataset().is_some());
    window.until("counting 6-mers and laying them out", |session| session.results.stage(Step::KmerMap).is_ready());
    window.until("checking frames", |session| session.results.stage(Step::Frames).is_ready());
    window.until("until the model reads", |session| session.results.stage(Step::Embedding).job().is_some());
    window.ask(Command::Show(Page::Atlas));
    window.drag(300);
    window.zoom(300);
    window.hover(300);
    for column in [ColumnKey::Field(barcodescope::data::taxonomy::Field::Genus), ColumnKey::Flags] {
        window.ask(Command::ColourBy(Some(column)));
        (0..20).for_each(|_| window.frame());
    }
    window.report("another colouring, twice");
    let genus = ColumnKey::Field(barcodescope::data::taxonomy::Field::Genus);
    let some = (0..GENERA).step_by(3).map(|genus| format!("Genus{genus}")).collect();
    window.ask(Command::Filter(genus, Some(some)));
    (0..20).for_each(|_| window.frame());
    window.ask(Command::Filter(genus, None));
    (0..20).for_each(|_| window.frame());
    window.report("a filter on a third of the genera, on and off");
    let all = (0..rows).collect();
    window.ask(Command::Select(all, Mode::Replace));
    (0..20).for_each(|_| window.frame());
    window.ask(Command::Select((0..1usize).collect(), Mode::Replace));
    (0..20).for_each(|_| window.frame());
    window.report("all specimens selected, then one");
    for page in [Page::Dataset, Page::Classify, Page::Clusters, Page::Review, Page::Discover] {
        window.ask(Command::Show(page));
        (0..40).for_each(|_| window.frame());
    }
    window.report("the other pages, forty frames each");
    writeln!(out, "jobs were running: {}", window.session().results.stage(Step::Embedding).job().is_some()).unwrap();
}
