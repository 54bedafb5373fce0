//! The maps of two models side by side, one turned onto the other, and the specimens whose neighbours changed most.

use super::{ask, models, start};
use crate::data::dataset::Dataset;
use crate::jobs::{ModelSource, TwoMaps};
use crate::session::columns::Sorting;
use crate::session::masking::{LabCommand, LabWork, Offered};
use crate::ui::files::Purpose;
use crate::ui::scope::Scope;
use crate::ui::views::atlas::{Colouring, number, select};
use crate::ui::widgets::map::{MapScene, MapState, MapStyle, PointMap};
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::{theme, words};
use egui::{RichText, Ui, vec2};
use std::sync::Arc;

const COLUMNS: [TableColumn; 3] = [
    TableColumn::text("specimen", 150.0, "The specimen; click to select it everywhere"),
    TableColumn::text("label", 170.0, "What it is labelled"),
    TableColumn::number(
        "neighbours shared",
        130.0,
        "Share of the nearest barcodes that both models see of those that either sees",
    ),
];
/// Rows of the list that are shown beside the maps.
const ROWS: f32 = 7.0;
/// Least side of a map.
const LEAST: f32 = 160.0;
const ABOUT: &str = "Each model lays out the open specimens; the second map is turned onto the first, so that what stands in the same \
                     place means the same. Below them: whose nearest barcodes changed most.";

/// What the view remembers from frame to frame.
#[derive(Default)]
pub(super) struct MapsView {
    maps: [MapState; 2],
    /// What the maps show, and how many pairs of maps were shown before it.
    shown: Option<Arc<TwoMaps>>,
    pairs: u64,
    colouring: Colouring,
    /// Whether the list begins with the specimens that changed least.
    reversed: bool,
}

impl MapsView {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let session = scope.session;
        controls(ui, scope);
        let (Some(maps), Some(dataset)) = (session.lab.maps.shown(), scope.dataset()) else {
            return start::empty(ui, scope, LabWork::Maps, "Lay out", &session.lab.maps, ABOUT);
        };
        if self.shown.as_ref().is_none_or(|shown| !Arc::ptr_eq(shown, maps)) {
            self.shown = Some(Arc::clone(maps));
            self.pairs += 1;
        }
        let pair = &maps.pair;
        let turned = if pair.alignment.mirrored { "turned over and rotated" } else { "rotated" };
        ui.label(format!(
            "Of the {} nearest barcodes of a specimen both models share {} on average over {}; the second map is {turned} onto the first.",
            pair.neighbours,
            words::percent(pair.mean_kept()),
            words::counted(pair.kept.len(), "specimen", "specimens"),
        ));
        self.side_by_side(ui, scope, maps, number(dataset.key()));
        self.list(ui, scope, maps, dataset);
    }

    fn side_by_side(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, maps: &TwoMaps, specimens: u64) {
        let tokens = theme::tokens(ui);
        let dark = ui.visuals().dark_mode;
        let (colours, marks) = self.colouring.of(scope.session, tokens, dark);
        let style = MapStyle::themed(tokens, scope.session.settings.still);
        let focus = scope.session.selection.focus().map(|row| row as u32);
        let below = (ROWS + 2.0) * theme::ROW + theme::GROUP_GAP;
        let width = (ui.available_width() - theme::GAP) / 2.0;
        let height = (ui.available_height() - below - theme::ROW).max(LEAST);
        ui.horizontal(|ui| {
            for ((state, name), places) in self.maps.iter_mut().zip(&maps.models).zip(&maps.places) {
                let scene = MapScene {
                    positions: places.clone(),
                    specimens,
                    space: self.pairs,
                    colours: colours.clone(),
                    marks: marks.clone(),
                    focus,
                    ..MapScene::default()
                };
                ui.push_id(name, |ui| {
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        ui.label(RichText::new(name).strong());
                        ui.allocate_ui(vec2(width, height), |ui| {
                            let answer = PointMap::new(&scene, state, style).show(ui);
                            select(scope, &answer);
                        });
                    });
                });
            }
        });
    }

    fn list(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, maps: &TwoMaps, dataset: &Dataset) {
        let count = maps.most_changed.len();
        let row_at = |position: usize| {
            let at = if self.reversed { count - 1 - position } else { position };
            maps.most_changed[at] as usize
        };
        let rank = scope.session.rank();
        let selection = &scope.session.selection;
        let current = selection.focus().and_then(|row| (0..count).find(|&position| row_at(position) == row));
        let table = Table {
            id: "changed",
            name: "specimens",
            columns: &COLUMNS,
            rows: count,
            sorting: Some(Sorting { column: 2, ascending: !self.reversed }),
            height: None,
            current,
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |position| selection.rows().contains(row_at(position)),
            |ui, position, column| {
                let row = row_at(position);
                ui.label(match column {
                    0 => dataset.id(row).to_owned(),
                    1 => rank.and_then(|rank| dataset.label(row, rank)).unwrap_or("–").to_owned(),
                    _ => words::percent(maps.pair.kept[row]),
                });
            },
        );
        if let Some((position, keys)) = answer.chosen {
            scope.select_row(row_at(position), keys);
        }
        if answer.sorting.is_some_and(|sorting| sorting.column == 2) {
            self.reversed = !self.reversed;
        }
    }
}

fn controls(ui: &mut Ui, scope: &mut Scope<'_>) {
    let session = scope.session;
    let mut offered = session.lab_models();
    let [first, second] = session.lab_map_models();
    ui.horizontal_wrapped(|ui| {
        if let Some(model) = models::one(ui, "First map", &first, &offered) {
            ask(scope, LabCommand::MapsOf([model, second.clone()]));
        }
        offered.push(Offered {
            source: ModelSource::Untrained,
            title: session.title_of(&ModelSource::Untrained),
            about: "random weights, in the shape of the first model".to_owned(),
            guesses: None,
        });
        if let Some(model) = models::one(ui, "Second map", &second, &offered) {
            ask(scope, LabCommand::MapsOf([first, model]));
        }
        if ui.button("Open a model…").on_hover_text("For the second map").clicked() {
            scope.choose(Purpose::LabModel);
        }
        start::button(ui, scope, LabWork::Maps, "Lay out", &session.lab.maps);
    });
    start::news(ui, scope, LabWork::Maps, &session.lab.maps);
}
