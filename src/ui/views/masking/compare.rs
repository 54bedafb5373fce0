//! Several models in one table and one plot per task.

use super::legend::{self, Hidden};
use super::{models, start};
use crate::pipeline::evaluate::compare::{Comparison, ComparisonRow, comparison_curves};
use crate::session::columns::{Sorting, order};
use crate::session::masking::LabWork;
use crate::ui::scope::Scope;
use crate::ui::theme;
use crate::ui::widgets::curves::{CurveLine, Curves};
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::words;
use egui::{Frame, Panel, RichText, ScrollArea, Ui, vec2};
use egui_plot::LineStyle;
use std::cmp::Ordering;
use std::sync::Arc;

const COLUMNS: [TableColumn; 8] = [
    TableColumn::text("model", 150.0, "The model, or a simpler means"),
    TableColumn::text("objective", 70.0, "What it was trained to do"),
    TableColumn::number("trained at", 70.0, "Share of the k-mers that was masked in its training"),
    TableColumn::text(
        "task",
        130.0,
        "Closed world: species that the reference has. Open world: others. BINs: groups without names",
    ),
    TableColumn::text("of", 60.0, "The label in question"),
    TableColumn::text("measure", 110.0, "What was measured"),
    TableColumn::number("value", 70.0, "The number"),
    TableColumn::number("95 % interval, n", 170.0, "By bootstrap over species, and the number of queries"),
];
/// Rows of the table that are shown at once.
const ROWS: f32 = 12.0;
const ABOUT: &str = "The models are measured by the tasks of the benchmark, beside 6-mer counts, alignment and an untrained encoder, \
                     and drawn by the share that was masked in their training. Train several models with different shares on the page \
                     Train, or open some, to see what the share does.";
const NO_SPLITS: &str = "This file has no splits train, test and test_unseen, so they are drawn by the seed: every fifth species is \
                         unseen, every fifth specimen of the others is asked about, the rest is the reference.";

/// What the view remembers from frame to frame.
#[derive(Default)]
pub(super) struct CompareView {
    hidden: Hidden,
    sorting: Option<Sorting>,
    derived: Option<Derived>,
}

/// What is made of a comparison once.
struct Derived {
    of: Arc<Comparison>,
    key: (bool, Hidden, Option<Sorting>),
    /// Name in the table, name in the legend.
    models: Vec<(String, String)>,
    panels: Vec<(String, Vec<CurveLine>)>,
    rows: Vec<usize>,
}

impl CompareView {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let session = scope.session;
        Panel::left("comparison").frame(Frame::NONE).resizable(false).exact_size(theme::FORM).show(ui, |ui| {
            ScrollArea::vertical().id_salt("comparison form").auto_shrink(false).show(ui, |ui| {
                ui.set_max_width(theme::FORM - theme::GROUP_GAP);
                models::several(ui, scope);
                if session.has_no_splits() {
                    ui.label(RichText::new(NO_SPLITS).small().color(theme::tokens(ui).quiet));
                }
                ui.add_space(theme::GAP);
                start::controls(ui, scope, LabWork::Comparison, "Compare", &session.lab.comparison);
            });
        });
        let Some(found) = session.lab.comparison.shown() else {
            return start::empty(ui, scope, LabWork::Comparison, "Compare", &session.lab.comparison, ABOUT);
        };
        self.derive(ui, found);
        ScrollArea::vertical().id_salt("comparison").auto_shrink(false).show(ui, |ui| self.results(ui, found));
    }

    fn derive(&mut self, ui: &Ui, found: &Arc<Comparison>) {
        let key = (ui.visuals().dark_mode, self.hidden.clone(), self.sorting);
        if self.derived.as_ref().is_some_and(|derived| Arc::ptr_eq(&derived.of, found) && derived.key == key) {
            return;
        }
        let tokens = theme::tokens(ui);
        let mut keys: Vec<String> = Vec::new();
        for row in &found.rows {
            if !keys.contains(&row.model) {
                keys.push(row.model.clone());
            }
        }
        let figure = comparison_curves(found);
        let line = |curve: &crate::pipeline::figure::Curve| {
            let (key, series) = (keys.get(curve.series)?, figure.series.get(curve.series)?);
            let style = if series.dashed { LineStyle::dashed_dense() } else { LineStyle::Solid };
            let colour = legend::colour(tokens, key, curve.series);
            let line = CurveLine { name: series.name.clone(), colour, style, points: curve.points.clone() };
            self.hidden.shows(key).then_some(line)
        };
        let panels = figure
            .panels
            .iter()
            .map(|panel| (panel.title.clone(), panel.curves.iter().filter_map(line).collect()))
            .collect();
        let models = keys.iter().cloned().zip(figure.series.iter().map(|series| series.name.clone())).collect();
        let rows = match self.sorting {
            None => (0..found.rows.len()).collect(),
            Some(Sorting { column, ascending }) => {
                order(0..found.rows.len(), ascending, |&a, &b| compare(&found.rows[a], &found.rows[b], column))
            }
        };
        self.derived = Some(Derived { of: Arc::clone(found), key, models, panels, rows });
    }

    fn results(&mut self, ui: &mut Ui, found: &Comparison) {
        let Some(derived) = &self.derived else { return };
        let tokens = theme::tokens(ui);
        ui.label(words::capitalised(&format!("queries and references: {}.", found.splits)));
        ui.horizontal_wrapped(|ui| {
            for (at, (key, name)) in derived.models.iter().enumerate() {
                let is_baseline = found.rows.iter().any(|row| row.model == *key && row.objective.is_none());
                let style = if is_baseline { LineStyle::dashed_dense() } else { LineStyle::Solid };
                self.hidden.entry(ui, key, name, legend::colour(tokens, key, at), style);
            }
        });
        plots(ui, &derived.panels);
        for (model, known) in found.trained_on.iter().filter(|(_, known)| known.trained_on > 0) {
            let text = format!(
                "{model} was trained on the barcodes of {} of the {} queries in {}: there it knows them.",
                words::count(known.trained_on),
                words::count(known.queries),
                known.split
            );
            ui.label(RichText::new(text).color(tokens.warning));
        }
        let answer = table(ui, found, derived, self.sorting);
        if answer.is_some() {
            self.sorting = answer;
        }
        ui.label(RichText::new(found.provenance.caption()).small().color(tokens.quiet));
    }
}

fn plots(ui: &mut Ui, panels: &[(String, Vec<CurveLine>)]) {
    let columns = if ui.available_width() < theme::WIDE_VIEW { 1 } else { 2 };
    let width = (ui.available_width() - theme::GAP * (columns - 1) as f32) / columns as f32;
    for row in panels.chunks(columns) {
        ui.horizontal(|ui| {
            for (title, lines) in row {
                let curves = Curves {
                    title,
                    hint: "Points stand above the share that was masked in training; lines across are models whose share is not known, \
                           and simpler means",
                    x_title: "share masked in training",
                    x_range: [0.0, 1.0],
                    y_range: [0.0, 1.0],
                    lines,
                    dots: true,
                };
                curves.show(ui, vec2(width, theme::CHART));
            }
        });
    }
}

fn table(ui: &mut Ui, found: &Comparison, derived: &Derived, sorting: Option<Sorting>) -> Option<Sorting> {
    let table = Table {
        id: "comparison table",
        name: "numbers",
        columns: &COLUMNS,
        rows: derived.rows.len(),
        sorting,
        height: Some(ROWS * theme::ROW),
        current: None,
        scroll_to: None,
    };
    let answer = table.show(
        ui,
        |_| false,
        |ui, position, column| {
            ui.label(text(&found.rows[derived.rows[position]], column));
        },
    );
    answer.sorting
}

fn text(row: &ComparisonRow, column: usize) -> String {
    let found = &row.found;
    match column {
        0 => legend::title(&row.model),
        1 => row.objective.map_or_else(|| "–".to_owned(), |objective| objective.to_string()),
        2 => row.trained_ratio.map_or_else(|| "–".to_owned(), |ratio| ratio.to_string()),
        3 => found.task.replace('_', " ").replace("bin ", "BIN "),
        4 => found.rank.title().to_owned(),
        5 => found.metric.replace('_', " "),
        6 if is_count(row) => words::count(found.value as usize),
        6 => words::percent(found.value),
        _ => {
            let n = format!("n = {}", words::count(found.n));
            found.ci95.map_or_else(|| n.clone(), |ends| format!("{}, {n}", words::interval(ends)))
        }
    }
}

fn is_count(row: &ComparisonRow) -> bool {
    row.found.metric.starts_with("clusters")
}

fn compare(a: &ComparisonRow, b: &ComparisonRow, column: usize) -> Ordering {
    match column {
        0 => a.model.cmp(&b.model),
        1 => a.objective.map(|objective| objective.key()).cmp(&b.objective.map(|objective| objective.key())),
        2 => a.trained_ratio.unwrap_or(-1.0).total_cmp(&b.trained_ratio.unwrap_or(-1.0)),
        3 => a.found.task.cmp(b.found.task),
        4 => a.found.rank.cmp(&b.found.rank),
        5 => a.found.metric.cmp(b.found.metric),
        6 => a.found.value.total_cmp(&b.found.value),
        _ => a.found.n.cmp(&b.found.n),
    }
}
