//! Curves with their intervals on one pair of axes.

use crate::pipeline::figure::CurvePoint;
use crate::ui::theme;
use egui::{Color32, RichText, Role, Sense, Ui, Vec2, WidgetInfo, vec2};
use egui_plot::{FilledArea, Line, LineStyle, Plot, PlotPoints, Points};

/// Opacity of the band of an interval.
const BAND: f32 = 0.13;
/// Radius of a measured point.
const DOT: f32 = 2.5;
/// Length of the line in a legend.
const SAMPLE: f32 = 24.0;

/// One curve.
#[derive(Debug, Clone)]
pub struct CurveLine {
    /// What it stands for.
    pub name: String,
    /// Its colour.
    pub colour: Color32,
    /// How it is drawn.
    pub style: LineStyle,
    /// From left to right. A single one is drawn as a mark with its interval.
    pub points: Vec<CurvePoint>,
}

/// One pair of axes.
#[derive(Debug, Clone, Copy)]
pub struct Curves<'a> {
    /// What is drawn, in a few words.
    pub title: &'a str,
    /// The same in a sentence.
    pub hint: &'a str,
    /// What the horizontal axis stands for.
    pub x_title: &'a str,
    /// Ends of the horizontal axis.
    pub x_range: [f64; 2],
    /// Ends of the vertical axis.
    pub y_range: [f64; 2],
    /// The curves; the last is on top.
    pub lines: &'a [CurveLine],
    /// Whether each measured point has a dot.
    pub dots: bool,
}

impl Curves<'_> {
    /// Draws them under their title.
    pub fn show(&self, ui: &mut Ui, size: Vec2) {
        ui.vertical(|ui| {
            ui.set_width(size.x);
            ui.label(RichText::new(self.title).strong()).on_hover_text(self.hint);
            // a little air, so that what is 0 or 1 is seen
            let [x, y] =
                [self.x_range, self.y_range].map(|[low, high]| [low - 0.03 * (high - low), high + 0.03 * (high - low)]);
            let plot = Plot::new(self.title)
                .width(size.x)
                .height(size.y)
                .allow_scroll(false)
                .allow_drag(false)
                .allow_zoom(false)
                .allow_boxed_zoom(false)
                .allow_double_click_reset(false)
                .x_axis_label(RichText::new(self.x_title).small())
                .default_x_bounds(x[0], x[1])
                .default_y_bounds(y[0], y[1])
                .auto_bounds(false);
            let dots = self.dots;
            let lines: Vec<&CurveLine> = self.lines.iter().collect();
            let shown = plot.show(ui, |plot| {
                for line in &lines {
                    band(plot, line);
                }
                for line in &lines {
                    let points: PlotPoints<'_> = line.points.iter().map(|point| [point.x, point.y]).collect();
                    plot.line(Line::new(line.name.clone(), points).color(line.colour).style(line.style).width(1.8));
                    if dots {
                        let points: PlotPoints<'_> = line.points.iter().map(|point| [point.x, point.y]).collect();
                        plot.points(Points::new(line.name.clone(), points).color(line.colour).radius(DOT));
                    }
                }
            });
            shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Curves: {}", self.title)));
        });
    }
}

/// The interval of every point: an area around a curve, a line through a single mark.
fn band<'a>(plot: &mut egui_plot::PlotUi<'a>, line: &CurveLine) {
    let known: Vec<(f64, [f64; 2])> = line.points.iter().filter_map(|point| Some((point.x, point.interval?))).collect();
    match known[..] {
        [] => {}
        [(x, [low, high])] => {
            let ends = PlotPoints::from(vec![[x, low], [x, high]]);
            plot.line(Line::new(line.name.clone(), ends).color(line.colour).width(1.2).allow_hover(false));
        }
        _ => {
            let xs: Vec<f64> = known.iter().map(|(x, _)| *x).collect();
            let [low, high] = [0, 1].map(|end| known.iter().map(|(_, ends)| ends[end]).collect::<Vec<f64>>());
            let area =
                FilledArea::new(line.name.clone(), &xs, &low, &high).fill_color(line.colour.gamma_multiply(BAND));
            plot.add(area.allow_hover(false));
        }
    }
}

/// A line of a legend.
pub fn legend_entry(ui: &mut Ui, name: &str, colour: Color32, style: LineStyle) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GRID;
        sample(ui, colour, style);
        ui.label(name);
    });
}

/// A line of a legend that shows or hides its curves. Answers whether it was clicked.
pub fn legend_toggle(ui: &mut Ui, name: &str, colour: Color32, style: LineStyle, shown: bool) -> bool {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GRID;
        let tokens = theme::tokens(ui);
        sample(ui, if shown { colour } else { tokens.line }, style);
        let text = RichText::new(name).color(if shown { tokens.text } else { tokens.quiet });
        let label = ui.add(egui::Label::new(text).selectable(false).sense(Sense::click()));
        label.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, shown, format!("Show {name}")));
        label.on_hover_text("Click to show or hide").clicked()
    })
    .inner
}

/// A short piece of a curve.
fn sample(ui: &mut Ui, colour: Color32, style: LineStyle) {
    let (rect, _) = ui.allocate_exact_size(vec2(SAMPLE, theme::SMALL), Sense::hover());
    let ends = [rect.left_center(), rect.right_center()];
    let stroke = egui::Stroke::new(2.0 * theme::HAIRLINE, colour);
    match style {
        LineStyle::Solid => {
            ui.painter().line_segment(ends, stroke);
        }
        LineStyle::Dashed { .. } => {
            ui.painter().extend(egui::Shape::dashed_line(&ends, stroke, 6.0, 4.0));
        }
        LineStyle::Dotted { .. } => {
            ui.painter().extend(egui::Shape::dotted_line(&ends, colour, 5.0, 1.5));
        }
    }
}
