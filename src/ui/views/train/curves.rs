//! The course of the runs: loss, share named right, learning rate, gradient and speed.

use super::runs::colour;
use crate::session::training::Run;
use crate::train::Report;
use crate::ui::scope::Scope;
use crate::ui::theme;
use egui::{RichText, Ui, vec2};
use egui_plot::{Line, LineStyle, Plot, PlotPoints};

type Value = fn(&Report) -> f64;

/// Title, what it says, and where its numbers are.
const CURVES: [(&str, &str, Value); 5] = [
    ("Loss", "Lower is better; dashed: on barcodes that are set aside", |report| report.loss),
    ("Named right", "Share of the hidden k-mers; dashed: on barcodes that are set aside", |report| report.accuracy),
    ("Learning rate", "How large the steps are", |report| report.learning_rate),
    ("Gradient", "Its length before it is shortened", |report| report.gradient_norm),
    ("Barcodes per second", "How fast it learns", |report| report.sequences_per_second),
];
/// Curves beside each other.
const COLUMNS: usize = 2;

pub(super) fn show(ui: &mut Ui, scope: &Scope<'_>) {
    let runs = &scope.session.training.runs;
    let width = (ui.available_width() - theme::GAP) / COLUMNS as f32;
    for row in CURVES.chunks(COLUMNS) {
        ui.horizontal(|ui| {
            for (title, hint, value) in row {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    ui.label(RichText::new(*title).strong()).on_hover_text(*hint);
                    plot(ui, title, width, runs, *value);
                });
            }
        });
    }
}

fn plot(ui: &mut Ui, title: &str, width: f32, runs: &[Run], value: Value) {
    let validation = match title {
        "Loss" => Some(Curve::Loss),
        "Named right" => Some(Curve::Accuracy),
        _ => None,
    };
    let lines = lines(ui, runs, value, validation);
    let plot = Plot::new(title)
        .width(width)
        .height(theme::CHART)
        .include_y(0.0)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .set_margin_fraction(vec2(0.02, 0.05));
    let response = plot.show(ui, |plot| lines.into_iter().for_each(|line| plot.line(line))).response;
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, format!("Curves: {title}")));
}

/// What of a validation a curve shows.
#[derive(Clone, Copy)]
enum Curve {
    Loss,
    Accuracy,
}

fn lines<'a>(ui: &Ui, runs: &'a [Run], value: Value, validation: Option<Curve>) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (index, run) in runs.iter().enumerate().filter(|(_, run)| run.shown) {
        let points: PlotPoints<'_> = run.reports.iter().map(|report| [report.step as f64, value(report)]).collect();
        lines.push(Line::new(run.name.clone(), points).color(colour(ui, index)));
        let Some(curve) = validation else { continue };
        let aside = run.validations.iter().map(|known| {
            let value = match curve {
                Curve::Loss => known.loss,
                Curve::Accuracy => known.accuracy,
            };
            [known.step as f64, value]
        });
        let name = format!("{}, set aside", run.name);
        lines.push(
            Line::new(name, aside.collect::<PlotPoints<'_>>())
                .color(colour(ui, index))
                .style(LineStyle::dashed_dense()),
        );
    }
    lines
}
