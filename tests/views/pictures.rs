//! Pictures of the window, light and dark, in its smallest size, beside those that somebody looked at and kept.
//!
//! They are drawn in software, so that a graphics card changes nothing, and only where `BARCODESCOPE_PICTURES=1` says that Vulkan
//! and Mesa's software driver are installed. `UPDATE_SNAPSHOTS=1` writes them anew.

use crate::desk::{Desk, builder, everything};
use crate::results::MISNAMED;
use crate::review_results::FIRST;
use barcodescope::pipeline::discover::{Division, HoldOutSettings};
use barcodescope::session::discover::DiscoverCommand;
use barcodescope::session::masking::{LabCommand, LabTab, LabWork};
use barcodescope::session::review::ReviewCommand;
use barcodescope::session::{Command, Input, Page};
use egui::{Theme, Vec2};
use egui_kittest::{SnapshotOptions, SnapshotResults};
use std::io::Write;

/// Pixels that may differ: the rims of letters and points, which drivers of different versions round differently.
const DIFFERENT_PIXELS: usize = 60;

/// Compares the window with its pictures by day and by night.
fn compare(name: &str, desk: impl Fn() -> Desk) {
    if std::env::var_os("BARCODESCOPE_PICTURES").is_none_or(|wanted| wanted != "1") {
        // Not by a macro, whose text is only shown for tests that fail.
        let said = format!("skipped the pictures of {name}: BARCODESCOPE_PICTURES is not 1\n");
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    }
    let options = SnapshotOptions::new().max_failed_pixels(DIFFERENT_PIXELS);
    let mut results = SnapshotResults::new();
    for (shade, time) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        let size = Vec2::from(barcodescope::ui::theme::MIN_WINDOW);
        let mut window = desk().open_window(builder(size, shade).with_options(options.clone()).wgpu());
        // Longer than points take to walk to their places.
        window.run_steps(60);
        window.run();
        window.snapshot(format!("{name}-{time}"));
        results.extend_harness(&mut window);
    }
}

/// A session in which all is made and a misnamed specimen is selected.
fn ready(page: Page) -> Desk {
    let mut desk = Desk::new(everything);
    desk.tell(Input::Command(Command::FocusOn(MISNAMED)));
    desk.tell(Input::Command(Command::Show(page)));
    desk
}

#[test]
fn welcome() {
    compare("welcome", || Desk::empty(everything));
}

#[test]
fn a_file_that_cannot_be_read() {
    compare("failed", || Desk::new(|_| Some(Err("line 7: a record without a sequence"))));
}

#[test]
fn dataset() {
    compare("dataset", || ready(Page::Dataset));
}

#[test]
fn atlas() {
    compare("atlas", || ready(Page::Atlas));
}

#[test]
fn classify() {
    compare("classify", || ready(Page::Classify));
}

#[test]
fn clusters() {
    compare("clusters", || ready(Page::Clusters));
}

/// A part of the masking lab, with its long work done.
fn lab(tab: LabTab, work: LabWork) -> Desk {
    let mut desk = ready(Page::Masking);
    for command in [LabCommand::Show(tab), LabCommand::Start(work)] {
        desk.tell(Input::Command(Command::Lab(command)));
    }
    desk
}

#[test]
fn reconstruction() {
    compare("reconstruction", || lab(LabTab::Reconstruct, LabWork::Along));
}

#[test]
fn reading_under_masking() {
    compare("reading-under-masking", || lab(LabTab::Read, LabWork::Readings));
}

#[test]
fn models_compared() {
    compare("models-compared", || lab(LabTab::Compare, LabWork::Comparison));
}

#[test]
fn two_maps() {
    compare("two-maps", || lab(LabTab::Maps, LabWork::Maps));
}

#[test]
fn train() {
    compare("train", || ready(Page::Train));
}

#[test]
fn review() {
    compare("review", || {
        let mut desk = Desk::with_species(everything);
        desk.tell(Input::Command(Command::Show(Page::Review)));
        desk.tell(Input::Command(Command::Review(ReviewCommand::Start)));
        desk.tell(Input::Command(Command::FocusOn(FIRST)));
        desk
    });
}

#[test]
fn discover() {
    compare("discover", || {
        let mut desk = Desk::with_species(everything);
        for command in [DiscoverCommand::Divide(Division::HeldOut(HoldOutSettings::default())), DiscoverCommand::Start]
        {
            desk.tell(Input::Command(Command::Discover(command)));
        }
        desk.tell(Input::Command(Command::Show(Page::Discover)));
        desk
    });
}
