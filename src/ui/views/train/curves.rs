//! The course of the runs: loss, share named right, what the sample says, learning rate, gradient and speed.

use super::runs::colour;
use super::sample::Maps;
use crate::session::training::Run;
use crate::train::Report;
use crate::ui::scope::Scope;
use crate::ui::{theme, words};
use egui::{Color32, RichText, TextStyle, Ui, vec2};
use egui_plot::{GridInput, Line, LineStyle, Plot, PlotPoints, uniform_grid_spacer};
use std::sync::Arc;

/// One curve of a run: where its points are.
type Points = fn(&Run) -> Vec<[f64; 2]>;

/// What a vertical axis has.
#[derive(Clone, Copy, PartialEq)]
enum Axis {
    Numbers,
    /// Shares, as percentages.
    Shares,
}

impl Axis {
    /// A value beside its line; large and small ones as short as can be.
    fn text(self, value: f64) -> String {
        match self {
            Self::Shares => format!("{} %", (1e4 * value).round() / 1e2),
            Self::Numbers if value.abs() >= 1e4 => words::count(value as usize),
            Self::Numbers => format!("{}", (1e7 * value).round() / 1e7),
        }
    }
}

/// One plot with the curves of all runs.
struct Curves {
    title: &'static str,
    /// What the vertical axis has.
    axis: Axis,
    /// What it says.
    hint: &'static str,
    solid: Points,
    /// What is dashed, in a word, and where it is.
    dashed: Option<(&'static str, Points)>,
}

/// Of runs that compare views alone.
const PARTNERS: Curves = Curves {
    title: "Partners found",
    axis: Axis::Shares,
    hint: "Share of the views whose nearest other view in the batch is their partner",
    solid: |run| {
        let found = |report: &Report| report.partners_found.map(|found| [report.step as f64, found]);
        run.reports.iter().filter_map(found).collect()
    },
    dashed: None,
};
/// The plots of all runs, those that matter most first.
const CURVES: [Curves; 7] = [
    Curves {
        title: "Loss",
        axis: Axis::Numbers,
        hint: "How surprised the model is by the hidden k-mers; lower is better. Dashed: on barcodes that are set aside",
        solid: |run| of_reports(run, |report| report.loss),
        dashed: Some(("set aside", |run| {
            run.validations.iter().map(|known| [known.step as f64, known.loss]).collect()
        })),
    },
    Curves {
        title: "Named right",
        axis: Axis::Shares,
        hint: "Share of the hidden k-mers that the model names. Dashed: on barcodes that are set aside",
        solid: |run| of_reports(run, |report| report.accuracy),
        dashed: Some(("set aside", |run| {
            run.validations.iter().map(|known| [known.step as f64, known.accuracy]).collect()
        })),
    },
    Curves {
        title: "Genus nearest",
        axis: Axis::Shares,
        hint: "Share of the sample whose nearest other specimen is of their genus. Dashed: the untrained model",
        solid: |run| run.genus.iter().map(|(step, genus)| [*step as f64, genus.accuracy]).collect(),
        dashed: Some(("untrained", untrained)),
    },
    Curves {
        title: "Learning rate",
        axis: Axis::Numbers,
        hint: "How large the steps are",
        solid: |run| of_reports(run, |report| report.learning_rate),
        dashed: None,
    },
    Curves {
        title: "Gradient",
        axis: Axis::Numbers,
        hint: "Its length before it is shortened; when it grows without end, the learning rate is too high",
        solid: |run| of_reports(run, |report| report.gradient_norm),
        dashed: None,
    },
    Curves {
        title: "Barcodes per second",
        axis: Axis::Numbers,
        hint: "How fast it learns",
        solid: |run| of_reports(run, |report| report.sequences_per_second),
        dashed: None,
    },
    Curves {
        title: "Tokens per second",
        axis: Axis::Numbers,
        hint: "K-mers that the encoder reads. Dashed: the decoder's, which a masked autoencoder has",
        solid: |run| of_reports(run, |report| report.encoder_tokens_per_second),
        dashed: Some(("decoder", |run| match run.settings.objective {
            crate::train::Objective::Mae => of_reports(run, |report| report.decoder_tokens_per_second),
            _ => Vec::new(),
        })),
    },
];
/// Plots that stand before the maps of the sample.
const BEFORE_MAPS: usize = 3;
/// Cells beside each other.
const COLUMNS: usize = 2;

/// Lines of a grid, at most, from left to right and from bottom to top.
const COLUMN_LINES: f64 = 5.0;
const ROW_LINES: f64 = 4.0;

/// A cell of the view.
enum Cell {
    Curves(&'static Curves),
    /// The map of a run.
    Map(usize),
}

pub(super) fn show(ui: &mut Ui, scope: &mut Scope<'_>, maps: &mut Maps) {
    let runs = &scope.session.training.runs;
    maps.keep(runs);
    let (first, last) = CURVES.split_at(BEFORE_MAPS);
    let compares = runs.iter().any(|run| run.shown && run.settings.contrast > 0.0);
    let partners = compares.then_some(&PARTNERS);
    let with_map = (0..runs.len()).filter(|&index| runs[index].shown && runs[index].sample.is_some());
    let cells: Vec<Cell> = (first.iter().map(Cell::Curves))
        .chain(with_map.map(Cell::Map))
        .chain(partners.into_iter().chain(last).map(Cell::Curves))
        .collect();
    let width = (ui.available_width() - theme::GAP) / COLUMNS as f32;
    for row in cells.chunks(COLUMNS) {
        // what stands above a map takes two lines more than a title
        let has_map = row.iter().any(|cell| matches!(cell, Cell::Map(_)));
        let lines = 2.0 * (ui.text_style_height(&TextStyle::Body) + ui.spacing().item_spacing.y);
        let height = theme::CHART + if has_map { lines } else { 0.0 };
        ui.horizontal_top(|ui| {
            for cell in row {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    show_cell(ui, scope, maps, cell, height);
                });
            }
        });
        ui.add_space(theme::GAP);
    }
}

fn show_cell(ui: &mut Ui, scope: &mut Scope<'_>, maps: &mut Maps, cell: &Cell, height: f32) {
    match cell {
        Cell::Curves(curves) => {
            ui.horizontal(|ui| {
                ui.label(RichText::new(curves.title).strong()).on_hover_text(curves.hint);
                if let Some((what, _)) = curves.dashed {
                    let text = format!("dashed: {what}");
                    ui.label(RichText::new(text).small().color(theme::tokens(ui).quiet));
                }
            });
            plot(ui, curves, &scope.session.training.runs, height);
        }
        Cell::Map(index) => {
            if let Some(reading) = scope.session.training.runs[*index].sample.as_ref().map(Arc::clone) {
                maps.show(ui, scope, *index, &reading);
            }
        }
    }
}

fn plot(ui: &mut Ui, curves: &Curves, runs: &[Run], height: f32) {
    let shown = runs.iter().enumerate().filter(|(_, run)| run.shown);
    let lines: Vec<Line<'_>> = shown.flat_map(|(index, run)| lines(curves, run, colour(ui, index))).collect();
    let axis = curves.axis;
    let last = runs.iter().filter(|run| run.shown).filter_map(|run| run.reports.last()).map(|report| report.step).max();
    let plot = Plot::new(curves.title)
        .width(ui.available_width())
        .height(height)
        .include_y(0.0)
        // one width for all plots
        .include_x(0.0)
        .include_x(last.unwrap_or(1) as f64)
        .grid_color(theme::tokens(ui).line)
        .x_grid_spacer(uniform_grid_spacer(|input| few_lines(&input, COLUMN_LINES)))
        .y_grid_spacer(uniform_grid_spacer(|input| few_lines(&input, ROW_LINES)))
        .y_axis_formatter(move |mark, _| axis.text(mark.value))
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .set_margin_fraction(vec2(0.02, 0.05));
    let response = plot.show(ui, |plot| lines.into_iter().for_each(|line| plot.line(line))).response;
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, format!("Curves: {}", curves.title)));
}

fn lines(curves: &Curves, run: &Run, colour: Color32) -> Vec<Line<'static>> {
    let line = |points: Points| Line::new(run.name.clone(), PlotPoints::from(points(run))).color(colour);
    let mut lines = vec![line(curves.solid)];
    lines.extend(curves.dashed.map(|(_, points)| line(points).style(LineStyle::dashed_dense())));
    lines
}

/// Steps of a grid of few lines, all of one kind.
fn few_lines(input: &GridInput, most: f64) -> [f64; 3] {
    let (low, high) = input.bounds;
    [round_step((high - low) / most); 3]
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `least`; 1 where that is no length.
fn round_step(least: f64) -> f64 {
    if !(least > 0.0 && least.is_finite()) {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|times| times * power).find(|&step| step >= least).unwrap_or(10.0 * power)
}

fn of_reports(run: &Run, value: fn(&Report) -> f64) -> Vec<[f64; 2]> {
    run.reports.iter().map(|report| [report.step as f64, value(report)]).collect()
}

/// The value of the untrained model, as far as the run is.
fn untrained(run: &Run) -> Vec<[f64; 2]> {
    let (Some((_, first)), Some((last, _))) = (run.genus.first(), run.genus.last()) else { return Vec::new() };
    vec![[0.0, first.accuracy], [*last as f64, first.accuracy]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_grid_have_round_numbers_and_are_few() {
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-9 * expected;
        for (least, expected) in [(0.9, 1.0), (1.1, 2.0), (2.5, 5.0), (7.0, 10.0), (0.0003, 0.0005), (170.0, 200.0)] {
            assert!(near(round_step(least), expected), "{least}: {}", round_step(least));
        }
        assert_eq!([0.0, f64::NAN, f64::INFINITY].map(round_step), [1.0; 3]);
    }

    #[test]
    fn values_beside_an_axis_are_short() {
        assert_eq!([0.0, 0.05, 0.125, 1.0].map(|share| Axis::Shares.text(share)), ["0 %", "5 %", "12.5 %", "100 %"]);
        assert_eq!([0.0, 2.5, 0.0001].map(|number| Axis::Numbers.text(number)), ["0", "2.5", "0.0001"]);
        assert_eq!(Axis::Numbers.text(30_000.0), words::count(30_000));
    }
}
