//! What a run knows by now: a small map of the specimens that it is watched on.

use super::runs::colour;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::key::DatasetId;
use crate::pipeline::train::{GenusAccuracy, SampleReading};
use crate::session::columns::{ColumnKey, Values};
use crate::session::training::Run;
use crate::ui::scope::Scope;
use crate::ui::views::atlas::palette::Palette;
use crate::ui::widgets::bars::swatch;
use crate::ui::widgets::map::{Greys, MapResponse, MapScene, MapState, MapStyle, PointMap};
use crate::ui::{theme, words};
use egui::{Color32, RichText, Role, Ui, WidgetInfo, vec2};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The maps of the runs.
#[derive(Default)]
pub(super) struct Maps {
    /// By the folder of the run.
    of_runs: HashMap<PathBuf, SampleMap>,
}

#[derive(Default)]
struct SampleMap {
    map: MapState,
    scene: MapScene,
    /// What the colours are of: specimens, and whether they are drawn on black.
    coloured: Option<(DatasetId, Arc<Vec<u32>>, bool)>,
}

impl Maps {
    /// Forgets the runs that are gone.
    pub(super) fn keep(&mut self, runs: &[Run]) {
        self.of_runs.retain(|folder, _| runs.iter().any(|run| run.folder == *folder));
    }

    /// The map of a run, with what it means.
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, index: usize, reading: &Arc<SampleReading>) {
        let run = &scope.session.training.runs[index];
        title(ui, run, index, reading);
        let shown = self.of_runs.entry(run.folder.clone()).or_default();
        shown.update(run.dataset(), reading, ui.visuals().dark_mode, theme::tokens(ui).ghosts[1]);
        let style = MapStyle {
            greys: Greys { ghost: theme::tokens(ui).ghosts[0], muted: theme::tokens(ui).ghosts[1] },
            ..MapStyle::themed(theme::tokens(ui), scope.session.settings.still)
        };
        let size = vec2(ui.available_width(), theme::CHART);
        let answer = ui.allocate_ui(size, |ui| {
            ui.set_min_size(size);
            PointMap::new(&shown.scene, &mut shown.map, style).show(ui)
        });
        let name = format!("Map of the sample: {}", run.name);
        answer.inner.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
        point_at(&answer.inner, scope, run.dataset(), reading);
    }
}

impl SampleMap {
    fn update(&mut self, dataset: &Dataset, reading: &Arc<SampleReading>, dark: bool, unlabelled: Color32) {
        self.scene.positions = Arc::clone(&reading.places);
        // in a space of its own, so that points walk to where they are now
        self.scene.space = reading.step;
        let of = (dataset.key(), Arc::clone(&reading.rows), dark);
        if self.coloured.as_ref() != Some(&of) {
            self.scene.colours = Arc::new(colours(dataset, &reading.rows, dark, unlabelled));
            self.coloured = Some(of);
        }
    }
}

/// Colours by genus, as the Atlas has them.
fn colours(dataset: &Dataset, rows: &[u32], dark: bool, unlabelled: Color32) -> Vec<Color32> {
    let Some(values) = Values::of_dataset(dataset, ColumnKey::Field(Field::Genus)) else {
        return vec![unlabelled; rows.len()];
    };
    let palette = Palette::of(dataset, &values, None, dark);
    let of_row =
        |&row: &u32| values.labels.code(row as usize).map_or(unlabelled, |code| palette.colours[code as usize]);
    rows.iter().map(of_row).collect()
}

fn title(ui: &mut Ui, run: &Run, index: usize, reading: &SampleReading) {
    let quiet = theme::tokens(ui).quiet;
    ui.horizontal_wrapped(|ui| {
        swatch(ui, colour(ui, index));
        let at = if reading.untrained { "untrained".to_owned() } else { format!("step {}", words::count(reading.step as usize)) };
        ui.label(RichText::new(format!("{}, {at}", run.name)).strong());
        let text = words::counted(reading.rows.len(), "specimen", "specimens");
        ui.label(RichText::new(format!("{text}, coloured by genus")).color(quiet)).on_hover_text(
            "Specimens of different barcodes, drawn by the seed and the same all the time, by the first two principal components of \
             their embeddings",
        );
    });
    let [now, before] =
        [Some(reading), run.untrained.as_deref()].map(|reading| reading.and_then(|reading| reading.genus));
    match now {
        Some(genus) => {
            ui.label(format!("{} find a specimen of their genus nearest", in_words(&genus))).on_hover_text(
                "Of the specimens that have a genus and another one of it in the sample, those whose nearest other specimen, by the \
                 cosine of the embeddings, is of their genus; 95 % interval by drawing species",
            );
            let before = before.filter(|_| !reading.untrained);
            let untrained = before.map_or_else(String::new, |before| format!("untrained {}", in_words(&before)));
            ui.label(RichText::new(untrained).color(quiet))
                .on_hover_text("The same model with its random first weights");
        }
        None => {
            ui.label("No genus has two specimens in the sample: there is a map, but no accuracy.");
            ui.label("");
        }
    }
}

/// `83.1 % (80.0 to 85.9 %, n = 587)`
pub(super) fn in_words(genus: &GenusAccuracy) -> String {
    format!("{} ({}, n = {})", words::percent(genus.accuracy), words::interval(genus.ci95), words::count(genus.n))
}

/// Says which specimen is under the pointer; a click selects it, where its specimens are those that are open.
fn point_at(answer: &MapResponse, scope: &mut Scope<'_>, dataset: &Dataset, reading: &SampleReading) {
    let row_of = |at: u32| reading.rows.get(at as usize).map(|&row| row as usize);
    if let Some(row) = answer.hovered.and_then(row_of) {
        let genus =
            dataset.label(row, Field::Species).or(dataset.label(row, Field::Genus)).unwrap_or("without a genus");
        answer.response.clone().on_hover_text_at_pointer(format!("{}\n{genus}", dataset.id(row)));
    }
    let is_open = scope.dataset().is_some_and(|open| open.key() == dataset.key());
    if let Some((Some(at), _)) = answer.clicked
        && let Some(row) = row_of(at).filter(|_| is_open)
    {
        scope.select_row(row, egui::Modifiers::NONE);
    }
}
