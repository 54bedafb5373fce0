//! How far the discoveries can be trusted: scores side by side, and lists beside what the specimens' own names say.

use crate::jobs::Discovered;
use crate::pipeline::discover::{CandidateTruth, ControlRow, DetectionRow, Measures, control_curves, coverage_curves};
use crate::pipeline::figure::CurvesFigure;
use crate::session::columns::{Sorting, order};
use crate::ui::widgets::curves::{CurveLine, Curves, legend_entry};
use crate::ui::widgets::table::{Table, TableColumn, whole_height};
use crate::ui::{theme, words};
use egui::{Color32, RichText, ScrollArea, Ui, vec2};
use egui_plot::LineStyle;
use std::cmp::Ordering;
use std::sync::Arc;

const SCORES: [TableColumn; 7] = [
    TableColumn::text("strangeness by", 220.0, "The measure"),
    TableColumn::text("told from known", 190.0, "What is new: species in known genera (near), or genera (far)"),
    TableColumn::number("AUROC", 140.0, "How often something new looks stranger than something known; 50 % by chance"),
    TableColumn::number("AUPR", 140.0, "Average share of what is new among the strangest, over all cuts"),
    TableColumn::number(
        "known called new",
        140.0,
        "Share of the known that a cut calls new which finds 95 % of what is new",
    ),
    TableColumn::number("known", 110.0, "Specimens of known species, and the species"),
    TableColumn::number("new", 110.0, "Specimens that are new, and their species"),
];
const LISTS: [TableColumn; 5] = [
    TableColumn::text("list", 220.0, "What the list says of its entries"),
    TableColumn::number("false, allowed", 90.0, "Share of false entries that was allowed"),
    TableColumn::number(
        "false, observed",
        150.0,
        "Share of false entries by the specimens' own names, with its 95 % interval",
    ),
    TableColumn::number("entries", 70.0, "Entries whose names tell"),
    TableColumn::number("found", 130.0, "Share found of what belongs into the list"),
];
const UNTOLD: &str = "None of these specimens carries a name that tells whether it is new, so nothing can be compared. Hold taxa out \
                      (Look through: Demo) to see what such data allow.";

/// What this part remembers from frame to frame.
#[derive(Default)]
pub(super) struct Trust {
    sortings: [Option<Sorting>; 2],
    derived: Option<Derived>,
}

/// What is made of the measures once.
struct Derived {
    of: Arc<Discovered>,
    key: [Option<Sorting>; 2],
    scores: Vec<usize>,
    lists: Vec<usize>,
    coverage: Drawn,
    control: Drawn,
}

/// Curves ready to be drawn.
struct Drawn {
    figure: CurvesFigure,
    panels: Vec<Vec<CurveLine>>,
}

impl Trust {
    pub(super) fn show(&mut self, ui: &mut Ui, found: &Arc<Discovered>) {
        let Some(measures) = &found.discovery.measures else {
            ui.label(UNTOLD);
            return;
        };
        self.derive(found, measures);
        ScrollArea::vertical().id_salt("trust").auto_shrink(false).show(ui, |ui| self.measured(ui, measures));
    }

    fn derive(&mut self, found: &Arc<Discovered>, measures: &Measures) {
        if self.derived.as_ref().is_some_and(|derived| Arc::ptr_eq(&derived.of, found) && derived.key == self.sortings)
        {
            return;
        }
        let sorted =
            |n: usize, sorting: Option<Sorting>, compare: &dyn Fn(usize, usize, usize) -> Ordering| match sorting {
                None => (0..n).collect(),
                Some(Sorting { column, ascending }) => order(0..n, ascending, |&a, &b| compare(a, b, column)),
            };
        let (rows, lists) = (&measures.detection, &measures.control);
        self.derived = Some(Derived {
            of: Arc::clone(found),
            key: self.sortings,
            scores: sorted(rows.len(), self.sortings[0], &|a, b, column| compare_scores(&rows[a], &rows[b], column)),
            lists: sorted(lists.len(), self.sortings[1], &|a, b, column| compare_lists(&lists[a], &lists[b], column)),
            coverage: Drawn::new(coverage_curves(measures)),
            control: Drawn::new(control_curves(measures)),
        });
    }

    fn measured(&mut self, ui: &mut Ui, measures: &Measures) {
        let Some(derived) = &self.derived else { return };
        let [known, species, genera] = measures.truth.map(words::count);
        ui.label(format!(
            "By their own names {known} specimens are of known species, {species} of new species in known genera, {genera} of new genera. \
             Intervals are 95 %, by bootstrap over species."
        ));
        let row = |at: usize| &measures.detection[derived.scores[at]];
        let answer = whole_table("scores", &SCORES, derived.scores.len(), self.sortings[0], ui, |at, column| {
            score_text(row(at), column)
        });
        self.sortings[0] = answer.or(self.sortings[0]);
        ui.add_space(theme::GAP);
        ui.label(RichText::new("Do the lists keep their word?").strong());
        let row = |at: usize| &measures.control[derived.lists[at]];
        let answer = whole_table("lists", &LISTS, derived.lists.len(), self.sortings[1], ui, |at, column| {
            list_text(row(at), column)
        });
        self.sortings[1] = answer.or(self.sortings[1]);
        ui.add_space(theme::GAP);
        derived.control.show(ui);
        derived.coverage.show(ui);
        if let Some(truth) = &measures.candidates {
            candidates(ui, truth);
        }
    }
}

impl Drawn {
    fn new(figure: CurvesFigure) -> Self {
        let line = |curve: &crate::pipeline::figure::Curve| {
            let series = figure.series.get(curve.series)?;
            let style = if series.dashed { LineStyle::dashed_dense() } else { LineStyle::Solid };
            let [red, green, blue] = series.colour;
            let colour = Color32::from_rgb(red, green, blue);
            Some(CurveLine { name: series.name.clone(), colour, style, points: curve.points.clone() })
        };
        let panels = figure.panels.iter().map(|panel| panel.curves.iter().filter_map(line).collect()).collect();
        Self { figure, panels }
    }

    fn show(&self, ui: &mut Ui) {
        let figure = &self.figure;
        ui.label(RichText::new(&figure.title).strong());
        ui.label(RichText::new(&figure.subtitle).small().color(theme::tokens(ui).quiet));
        ui.horizontal_wrapped(|ui| {
            for series in &figure.series {
                let [red, green, blue] = series.colour;
                let style = if series.dashed { LineStyle::dashed_dense() } else { LineStyle::Solid };
                legend_entry(ui, &series.name, Color32::from_rgb(red, green, blue), style);
            }
        });
        let columns = if ui.available_width() < theme::WIDE_VIEW { 1 } else { figure.columns };
        let width = (ui.available_width() - theme::GAP * (columns - 1) as f32) / columns as f32;
        for (row, lines) in figure.panels.chunks(columns).zip(self.panels.chunks(columns)) {
            ui.horizontal(|ui| {
                for (panel, lines) in row.iter().zip(lines) {
                    let curves = Curves {
                        title: &panel.title,
                        hint: &figure.title,
                        x_title: &figure.x_title,
                        x_range: figure.x_range,
                        y_range: panel.range,
                        lines,
                        dots: true,
                    };
                    curves.show(ui, vec2(width, theme::CHART));
                }
            });
        }
    }
}

/// A table that is shown whole, because the page scrolls. Answers the new sorting.
fn whole_table(
    name: &'static str,
    columns: &[TableColumn],
    rows: usize,
    sorting: Option<Sorting>,
    ui: &mut Ui,
    text: impl Fn(usize, usize) -> String,
) -> Option<Sorting> {
    let height = whole_height(ui, rows);
    let table = Table { id: name, name, columns, rows, sorting, height: Some(height), current: None, scroll_to: None };
    // Of its own, for a table takes all the room that there is.
    let part = vec2(ui.available_width(), height);
    ui.allocate_ui(part, |ui| {
        table.show(
            ui,
            |_| false,
            |ui, position, column| {
                ui.label(text(position, column));
            },
        )
    })
    .inner
    .sorting
}

fn candidates(ui: &mut Ui, truth: &CandidateTruth) {
    ui.label(RichText::new("Candidates and true species").strong());
    ui.label(format!(
        "Of {} that the reference lacks, {} are one candidate each with nothing else in it, {} are split over several, {} share one with \
         others, {} both, and {} were missed. {} of {} consist mostly of known species.",
        words::counted(truth.species, "species", "species"),
        words::count(truth.matched),
        words::count(truth.split),
        words::count(truth.merged),
        words::count(truth.mixed),
        words::count(truth.missed),
        words::count(truth.false_candidates),
        words::counted(truth.candidates, "candidate", "candidates"),
    ));
    if let Some(found) = &truth.agreement {
        ui.label(format!("Over what is truly new, candidates and species agree with an AMI of {:.3}.", found.ami))
            .on_hover_text("Adjusted mutual information: 1 for the same groups, about 0 by chance");
    }
}

fn with_interval(share: f64, interval: Option<[f64; 2]>) -> String {
    match interval {
        Some([low, high]) => format!("{} ({:.1} to {:.1})", words::percent(share), 100.0 * low, 100.0 * high),
        None => words::percent(share),
    }
}

fn score_text(row: &DetectionRow, column: usize) -> String {
    let ends = row.intervals;
    match column {
        0 => row.score.title().to_owned(),
        1 => row.novelty.title().to_owned(),
        2 => with_interval(row.found.auroc, ends.map(|ends| ends.auroc)),
        3 => with_interval(row.found.aupr, ends.map(|ends| ends.aupr)),
        4 => with_interval(row.found.fpr_at_95_tpr, ends.map(|ends| ends.fpr_at_95_tpr)),
        5 => format!("{}, {} species", words::count(row.known), words::count(row.known_species)),
        _ => format!("{}, {} species", words::count(row.novel), words::count(row.novel_species)),
    }
}

fn compare_scores(a: &DetectionRow, b: &DetectionRow, column: usize) -> Ordering {
    match column {
        0 => a.score.index().cmp(&b.score.index()),
        1 => a.novelty.key().cmp(b.novelty.key()),
        2 => a.found.auroc.total_cmp(&b.found.auroc),
        3 => a.found.aupr.total_cmp(&b.found.aupr),
        4 => a.found.fpr_at_95_tpr.total_cmp(&b.found.fpr_at_95_tpr),
        5 => a.known.cmp(&b.known),
        _ => a.novel.cmp(&b.novel),
    }
}

fn list_text(row: &ControlRow, column: usize) -> String {
    match column {
        0 => words::capitalised(row.list.title()),
        1 => words::percent(row.nominal),
        2 if row.listed == 0 => "empty list".to_owned(),
        2 => with_interval(row.observed(), row.interval),
        3 => words::count(row.listed),
        _ => format!("{} of {}", words::percent(row.found()), words::count(row.belong)),
    }
}

fn compare_lists(a: &ControlRow, b: &ControlRow, column: usize) -> Ordering {
    match column {
        0 => a.list.title().cmp(b.list.title()),
        1 => a.nominal.total_cmp(&b.nominal),
        2 => a.observed().total_cmp(&b.observed()),
        3 => a.listed.cmp(&b.listed),
        _ => a.found().total_cmp(&b.found()),
    }
}
