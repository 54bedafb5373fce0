//! Distances within species and between them.

use super::ask;
use crate::analysis::gap::{BIN, BINS, Distance, Spread, ThresholdError};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::gap::{EMBEDDED_BIN, Gap, GapRow, PairRow, RANKS};
use crate::session::Command;
use crate::session::columns::{Sorting, order};
use crate::session::review::ReviewCommand;
use crate::session::selection::Rows;
use crate::ui::scope::Scope;
use crate::ui::widgets::state;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::{theme, words};
use egui::{Button, Grid, Label, Modifiers, RichText, Role, ScrollArea, Ui, Vec2, WidgetInfo, vec2};
use egui_plot::{Bar, BarChart, Line, LineStyle, Plot, PlotPoint, PlotPoints, Points};
use std::cmp::Ordering;
use std::sync::Arc;

const COLUMNS: [TableColumn; 8] = [
    TableColumn::text("species", 150.0, "The species; click to select its specimens everywhere"),
    TableColumn::number("specimens", 75.0, "Its specimens that were compared"),
    TableColumn::number("largest within", 95.0, "The largest distance between two of its barcodes"),
    TableColumn::number("nearest other", 95.0, "The smallest distance to another species"),
    TableColumn::text(
        "gap",
        45.0,
        "Whether every other species is farther away than its own barcodes are from each other",
    ),
    TableColumn::number("within, model", 95.0, "The largest distance within by the model's embedding: 1 − cosine"),
    TableColumn::number("nearest, model", 100.0, "The smallest distance to another species by the model's embedding"),
    TableColumn::text("nearest species", 150.0, "The other species that is nearest by its bases"),
];
/// Pairs that are listed.
const PAIRS: usize = 20;

/// What the page remembers from frame to frame.
#[derive(Default)]
pub(super) struct Distances {
    by: Distance,
    sorting: Option<Sorting>,
    /// Points of the plots and the order of the table, made once.
    derived: Option<Derived>,
}

struct Derived {
    of: Arc<Gap>,
    sorting: Option<Sorting>,
    rows: Vec<usize>,
    /// Largest within and nearest other, by bases and by embedding, in per cent.
    points: [Vec<[f64; 2]>; 2],
    /// Distance by bases and by embedding of pairs, in per cent.
    pairs: Vec<[f64; 2]>,
}

impl Distances {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        self.begin(ui, scope);
        let (Some(dataset), Some(gap)) = (scope.dataset(), scope.session.reviewing.gap.shown().cloned()) else {
            return;
        };
        self.derive(&gap);
        ScrollArea::vertical().id_salt("distances").auto_shrink(false).show(ui, |ui| {
            gap.told().into_iter().for_each(|line| {
                ui.label(line);
            });
            self.plots(ui, &gap);
            self.table(ui, scope, dataset, &gap);
            ui.add_space(theme::GAP);
            ui.horizontal_top(|ui| {
                ranks(ui, &gap);
                ui.add_space(theme::GROUP_GAP);
                ui.vertical(|ui| pairs(ui, scope, dataset, &gap));
            });
        });
    }

    fn begin(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let stage = &scope.session.reviewing.gap;
        ui.horizontal_wrapped(|ui| {
            for by in Distance::ALL {
                ui.selectable_value(&mut self.by, by, by.title());
            }
            if let Some(job) = stage.job() {
                if ui.button("Stop").clicked() {
                    scope.ask(Command::Stop(job));
                }
            } else {
                let can = scope.session.results.embedding.ready().is_some();
                if ui.add_enabled(can, Button::new(RichText::new("Measure distances").strong())).clicked() {
                    ask(scope, ReviewCommand::MeasureGap(self.by));
                }
            }
        });
        let stage = &scope.session.reviewing.gap;
        if let Some(problem) = stage.problem() {
            state::problem_box(ui, problem, None);
        } else if let Some(job) = stage.job() {
            state::of_job(ui, scope, job);
        } else if stage.shown().is_none() {
            let text = "Compares every pair of barcodes in the COI-5P frame: is every species farther from the next one than its own \
                        barcodes are from each other, and which threshold tells species apart?";
            ui.label(RichText::new(text).color(theme::tokens(ui).quiet));
        }
    }

    fn derive(&mut self, gap: &Arc<Gap>) {
        if self.derived.as_ref().is_some_and(|derived| Arc::ptr_eq(&derived.of, gap) && derived.sorting == self.sorting)
        {
            return;
        }
        let all = &gap.species;
        let rows = match self.sorting {
            None => (0..all.len()).collect(),
            Some(Sorting { column, ascending }) => {
                order(0..all.len(), ascending, |&a, &b| compare(&all[a], &all[b], column))
            }
        };
        let percent = |a: f32, b: f32| [f64::from(100.0 * a), f64::from(100.0 * b)];
        let by_bases = all.iter().filter_map(|row| Some(percent(row.within?, row.nearest.as_ref()?.0))).collect();
        let by_model = all.iter().filter_map(|row| {
            let [within, nearest] = row.embedded?;
            Some(percent(within?, nearest?))
        });
        let pairs = gap.pairs.iter().map(|pair| percent(pair.distance, pair.embedded)).collect();
        let points = [by_bases, by_model.collect()];
        self.derived = Some(Derived { of: Arc::clone(gap), sorting: self.sorting, rows, points, pairs });
    }

    fn plots(&self, ui: &mut Ui, gap: &Gap) {
        let Some(derived) = &self.derived else { return };
        let size = vec2((ui.available_width() - 2.0 * theme::GAP) / 3.0, theme::CHART);
        ui.horizontal_top(|ui| {
            one_to_one(ui, "Barcode gap, bases", &derived.points[0], size);
            histogram(ui, "Pairs by distance, bases", &gap.histogram, BIN, size);
            thresholds(ui, gap, size);
        });
        let Some(counts) = &gap.embedded_histogram else { return };
        ui.horizontal_top(|ui| {
            one_to_one(ui, "Barcode gap, model", &derived.points[1], size);
            histogram(ui, "Pairs by distance, model", counts, EMBEDDED_BIN, size);
            two_distances(ui, &derived.pairs, size);
        });
    }

    fn table(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, dataset: &Dataset, gap: &Gap) {
        let Some(derived) = &self.derived else { return };
        let at = |position: usize| &gap.species[derived.rows[position]];
        let table = Table {
            id: "gaps",
            name: "species",
            columns: &COLUMNS,
            rows: derived.rows.len(),
            sorting: self.sorting,
            height: Some(8.0 * theme::ROW),
            current: None,
            scroll_to: None,
        };
        let focus = scope.session.selection.focus().and_then(|row| dataset.label(row, Field::Species));
        let answer = table.show(
            ui,
            |position| Some(at(position).name.as_str()) == focus,
            |ui, position, column| {
                ui.add(Label::new(text(at(position), column)).truncate());
            },
        );
        if let Some((position, keys)) = answer.chosen {
            let name = Some(at(position).name.as_str());
            let rows = (0..dataset.len()).filter(|&row| dataset.label(row, Field::Species) == name);
            scope.select(rows.collect::<Rows>(), keys);
        }
        if answer.sorting.is_some() {
            self.sorting = answer.sorting;
        }
    }
}

fn text(row: &GapRow, column: usize) -> String {
    let percent = |distance: Option<f32>| distance.map_or_else(|| "–".to_owned(), |d| format!("{:.2} %", 100.0 * d));
    let [within, nearest] = row.embedded.unwrap_or_default();
    match column {
        0 => row.name.clone(),
        1 => words::count(row.specimens),
        2 => percent(row.within),
        3 => percent(row.nearest.as_ref().map(|nearest| nearest.0)),
        4 => row.has_gap().map_or("–", |has| if has { "yes" } else { "no" }).to_owned(),
        5 => within.map_or_else(|| "–".to_owned(), |d| format!("{d:.3}")),
        6 => nearest.map_or_else(|| "–".to_owned(), |d| format!("{d:.3}")),
        _ => row.nearest.as_ref().map_or("–", |nearest| &nearest.1).to_owned(),
    }
}

fn compare(a: &GapRow, b: &GapRow, column: usize) -> Ordering {
    let number = |value: Option<f32>| value.unwrap_or(-1.0);
    let embedded = |row: &GapRow, side: usize| number(row.embedded.and_then(|sides| sides[side]));
    let nearest = |row: &GapRow| number(row.nearest.as_ref().map(|nearest| nearest.0));
    match column {
        0 => a.name.cmp(&b.name),
        1 => a.specimens.cmp(&b.specimens),
        2 => number(a.within).total_cmp(&number(b.within)),
        3 => nearest(a).total_cmp(&nearest(b)),
        4 => a.has_gap().cmp(&b.has_gap()),
        5 | 6 => embedded(a, column - 5).total_cmp(&embedded(b, column - 5)),
        _ => a.nearest.as_ref().map(|nearest| &nearest.1).cmp(&b.nearest.as_ref().map(|nearest| &nearest.1)),
    }
}

/// A plot that stays where it is.
fn still(name: &str, x: &str, y: &str, size: Vec2) -> Plot<'static> {
    Plot::new(name.to_owned())
        .width(size.x)
        .height(size.y)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .x_axis_label(RichText::new(x).small())
        .y_axis_label(RichText::new(y).small())
        .include_x(0.0)
        .include_y(0.0)
}

fn titled(ui: &mut Ui, title: &str, hint: &str, size: Vec2, draw: impl FnOnce(&mut Ui) -> egui::Response) {
    ui.vertical(|ui| {
        ui.set_width(size.x);
        ui.label(RichText::new(title).strong()).on_hover_text(hint);
        let response = draw(ui);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, title));
    });
}

/// Largest distance within against the nearest other: species below the line have no gap.
fn one_to_one(ui: &mut Ui, title: &str, points: &[[f64; 2]], size: Vec2) {
    let tokens = theme::tokens(ui);
    titled(ui, title, "A species a point; those below the line of equal distances have no gap", size, |ui| {
        let most = points.iter().map(|point| point[0].max(point[1])).fold(1.0, f64::max);
        let (below, above): (Vec<[f64; 2]>, Vec<[f64; 2]>) = points.iter().partition(|point| point[1] <= point[0]);
        still(title, "largest within, %", "nearest other, %", size)
            .show(ui, |plot| {
                let ends = PlotPoints::from(vec![[0.0, 0.0], [most, most]]);
                plot.line(Line::new("equal", ends).color(tokens.quiet).style(LineStyle::dashed_loose()).width(1.0));
                plot.points(Points::new("gap", PlotPoints::from(above)).color(tokens.bars[0]).radius(2.0));
                plot.points(Points::new("no gap", PlotPoints::from(below)).color(tokens.wrong).radius(2.5));
            })
            .response
    });
}

/// Pairs of one species and of two by distance, each as its share, so that both can be seen.
fn histogram(ui: &mut Ui, title: &str, counts: &[[u64; BINS]; 2], bin_width: f32, size: Vec2) {
    let tokens = theme::tokens(ui);
    titled(ui, title, "Pairs of one species (blue) and of two, each in per cent of all such pairs", size, |ui| {
        let bars = |counts: &[u64]| -> Vec<Bar> {
            let all = counts.iter().sum::<u64>().max(1) as f64;
            let width = f64::from(100.0 * bin_width);
            let bar = |(bin, &count): (usize, &u64)| {
                Bar::new((bin as f64 + 0.5) * width, 100.0 * count as f64 / all).width(width)
            };
            counts.iter().enumerate().filter(|(_, count)| **count > 0).map(bar).collect()
        };
        let [within, between] = counts.each_ref().map(|counts| bars(counts));
        still(title, "distance, %", "pairs, %", size)
            .show(ui, |plot| {
                plot.bar_chart(BarChart::new("two species", between).color(tokens.series[1].gamma_multiply(0.7)));
                plot.bar_chart(BarChart::new("one species", within).color(tokens.series[0].gamma_multiply(0.7)));
            })
            .response
    });
}

/// What each threshold gets wrong.
fn thresholds(ui: &mut Ui, gap: &Gap, size: Vec2) {
    let tokens = theme::tokens(ui);
    let title = "Wrong by threshold";
    titled(
        ui,
        title,
        "Barcodes farther than the threshold from their own species, or not farther from another",
        size,
        |ui| {
            let line =
                |error: &ThresholdError| [f64::from(100.0 * error.threshold), (error.split + error.lumped) as f64];
            let points: Vec<[f64; 2]> = gap.thresholds.iter().map(line).collect();
            still(title, "threshold, %", "barcodes", size)
                .show(ui, |plot| plot.line(Line::new("wrong", PlotPoints::from(points)).color(tokens.series[0])))
                .response
        },
    );
}

/// The distance by bases against that by the model.
fn two_distances(ui: &mut Ui, pairs: &[[f64; 2]], size: Vec2) {
    let tokens = theme::tokens(ui);
    let title = "Bases and model";
    titled(ui, title, "Pairs of nearest species: distance by bases and by the model's embedding", size, |ui| {
        let points: Vec<PlotPoint> = pairs.iter().map(|point| PlotPoint::new(point[0], point[1])).collect();
        still(title, "bases, %", "model, 1 − cosine, %", size)
            .show(ui, |plot| {
                plot.points(Points::new("pairs", PlotPoints::Owned(points)).color(tokens.bars[0]).radius(1.5));
            })
            .response
    });
}

/// Distances by the finest rank that two specimens share.
fn ranks(ui: &mut Ui, gap: &Gap) {
    let tokens = theme::tokens(ui);
    Grid::new("ranks").num_columns(5).spacing([2.0 * theme::GAP, theme::GRID]).show(ui, |ui| {
        for title in ["same", "pairs", "least", "mean", "most"] {
            ui.label(RichText::new(title).color(tokens.quiet));
        }
        ui.end_row();
        let names = RANKS.map(Field::title).into_iter().chain(["none of these"]);
        for (name, Spread { pairs, least, mean, most }) in names.zip(&gap.ranks).filter(|(_, spread)| spread.pairs > 0)
        {
            ui.label(name);
            ui.label(words::count(*pairs as usize));
            for distance in [f64::from(*least), *mean, f64::from(*most)] {
                ui.label(format!("{:.1} %", 100.0 * distance));
            }
            ui.end_row();
        }
    });
}

/// Pairs about which bases and model differ most.
fn pairs(ui: &mut Ui, scope: &mut Scope<'_>, dataset: &Dataset, gap: &Gap) {
    if gap.pairs.is_empty() {
        return;
    }
    ui.label(RichText::new("Bases and model differ most about").color(theme::tokens(ui).quiet));
    ScrollArea::vertical().id_salt("pairs").max_height(5.0 * theme::ROW).show(ui, |ui| {
        for PairRow { rows, distance, embedded, residual } in gap.differing_pairs().iter().take(PAIRS) {
            let name = |row: usize| dataset.label(row, Field::Species).unwrap_or("no species");
            let nearer = if *residual > 0.0 { "farther" } else { "nearer" };
            let text = format!(
                "{} and {}: {:.1} % of the bases, {nearer} by the model ({embedded:.3})",
                name(rows[0]),
                name(rows[1]),
                100.0 * distance
            );
            if ui.link(text).on_hover_text("Select both").clicked() {
                scope.select(rows.iter().copied().collect::<Rows>(), Modifiers::NONE);
            }
        }
    });
}
