//! Curves with intervals, in a grid of panels.

use super::Figure;
use super::svg::{Anchor, Canvas, INK, LINE, QUIET, fitted};
use crate::pipeline::colour::Rgb;

/// One point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Along the panel.
    pub x: f64,
    /// Height.
    pub y: f64,
    /// Ends of its interval.
    pub interval: Option<[f64; 2]>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Line of the legend that it belongs to.
    pub series: usize,
    /// From left to right; those that are not finite are left out.
    pub points: Vec<CurvePoint>,
}

/// One pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePanel {
    /// What is drawn, in a few words.
    pub title: String,
    /// Ends of the vertical axis.
    pub range: [f64; 2],
    /// The curves; the last is on top.
    pub curves: Vec<Curve>,
}

/// One line of the legend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What it stands for.
    pub name: String,
    /// Its colour.
    pub colour: Rgb,
    /// Whether its curves are dashed: baselines.
    pub dashed: bool,
}

/// Everything that a picture of curves shows.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvesFigure {
    /// Title line.
    pub title: String,
    /// How it was made, in a line.
    pub subtitle: String,
    /// What the horizontal axes stand for.
    pub x_title: String,
    /// Ends of the horizontal axes.
    pub x_range: [f64; 2],
    /// Panels from left to right, then from top to bottom.
    pub panels: Vec<CurvePanel>,
    /// Panels in a row.
    pub columns: usize,
    /// The legend.
    pub series: Vec<Series>,
}

const PANEL: [f64; 2] = [270.0, 190.0];
const GAP: [f64; 2] = [70.0, 74.0];
const MARGIN: [f64; 2] = [64.0, 150.0];
const LEGEND_ENTRY: f64 = 230.0;
const LEGEND_TOP: f64 = 82.0;
const LEGEND_LINE: f64 = 20.0;
/// Steps of the grid.
const STEPS: usize = 4;

/// Draws curves with their intervals as bands.
pub fn curves(figure: &CurvesFigure) -> Figure {
    let columns = figure.columns.max(1);
    let rows = figure.panels.len().div_ceil(columns);
    let width = (MARGIN[0] + columns as f64 * (PANEL[0] + GAP[0])).max(760.0);
    let entries = ((width - 2.0 * 24.0) / LEGEND_ENTRY).floor().max(1.0) as usize;
    let legend_height = figure.series.len().div_ceil(entries) as f64 * LEGEND_LINE;
    let top = MARGIN[1] - LEGEND_LINE + legend_height;
    let mut canvas = Canvas::new(width, top + rows as f64 * (PANEL[1] + GAP[1]));
    canvas.title(&figure.title, &figure.subtitle);
    for (at, series) in figure.series.iter().enumerate() {
        let x = 24.0 + (at % entries) as f64 * LEGEND_ENTRY;
        let y = LEGEND_TOP + (at / entries) as f64 * LEGEND_LINE;
        canvas.polyline(&[[x, y], [x + 26.0, y]], series.colour, series.dashed);
        canvas.text([x + 34.0, y + 4.5], &fitted(&series.name, LEGEND_ENTRY - 44.0), INK, Anchor::Start);
    }
    for (at, panel) in figure.panels.iter().enumerate() {
        let corner = [
            MARGIN[0] + (at % columns) as f64 * (PANEL[0] + GAP[0]),
            top + (at / columns) as f64 * (PANEL[1] + GAP[1]),
        ];
        draw_panel(&mut canvas, figure, panel, corner);
    }
    Figure { svg: canvas.finish() }
}

fn draw_panel(canvas: &mut Canvas, figure: &CurvesFigure, panel: &CurvePanel, [left, top]: [f64; 2]) {
    let [width, height] = PANEL;
    let share = |value: f64, [low, high]: [f64; 2]| {
        if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
    };
    let place =
        |x: f64, y: f64| [left + width * share(x, figure.x_range), top + height * (1.0 - share(y, panel.range))];
    canvas.text([left, top - 10.0], &panel.title, INK, Anchor::Start);
    for step in 0..=STEPS {
        let part = step as f64 / STEPS as f64;
        let [x, y] = [left + width * part, top + height * (1.0 - part)];
        canvas.line([left, y], [left + width, y], LINE);
        let value = |[low, high]: [f64; 2]| low + (high - low) * part;
        canvas.text([left - 8.0, y + 4.5], &tick(value(panel.range)), QUIET, Anchor::End);
        canvas.text([x, top + height + 18.0], &tick(value(figure.x_range)), QUIET, Anchor::Middle);
    }
    canvas.text([left + width / 2.0, top + height + 36.0], &figure.x_title, QUIET, Anchor::Middle);
    for curve in &panel.curves {
        let Some(series) = figure.series.get(curve.series) else { continue };
        let points: Vec<CurvePoint> =
            curve.points.iter().copied().filter(|point| point.x.is_finite() && point.y.is_finite()).collect();
        let banded: Vec<(f64, [f64; 2])> = points.iter().filter_map(|point| Some((point.x, point.interval?))).collect();
        if banded.len() > 1 {
            let below = banded.iter().map(|&(x, [low, _])| place(x, low));
            let above = banded.iter().rev().map(|&(x, [_, high])| place(x, high));
            canvas.area(&below.chain(above).collect::<Vec<_>>(), series.colour, 0.12);
        }
        let line: Vec<[f64; 2]> = points.iter().map(|point| place(point.x, point.y)).collect();
        canvas.polyline(&line, series.colour, series.dashed);
        line.iter().for_each(|&at| canvas.circle(at, 2.5, series.colour, 1.0));
    }
}

/// A number of an axis, without needless zeros.
fn tick(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(points: Vec<CurvePoint>) -> CurvesFigure {
        let curve = Curve { series: 0, points };
        CurvesFigure {
            title: "Masking".into(),
            subtitle: String::new(),
            x_title: "ratio".into(),
            x_range: [0.0, 0.8],
            panels: vec![CurvePanel { title: "drop <1>".into(), range: [0.0, 1.0], curves: vec![curve] }],
            columns: 1,
            series: vec![Series { name: "a & b".into(), colour: [1, 2, 3], dashed: true }],
        }
    }

    #[test]
    fn a_curve_stands_where_its_numbers_say() {
        let point = |x, y, interval| CurvePoint { x, y, interval };
        let figure = figure(vec![
            point(0.0, 1.0, Some([0.5, 1.0])),
            point(0.4, f64::NAN, None),
            point(0.8, 0.0, Some([0.0, 0.25])),
        ]);
        let svg = curves(&figure).svg().to_owned();
        let (left, top) = (MARGIN[0], MARGIN[1]);
        let (right, bottom) = (left + PANEL[0], top + PANEL[1]);
        assert!(svg.contains(&format!(r#"points="{left:.1},{top:.1} {right:.1},{bottom:.1}""#)), "{svg}");
        assert!(svg.contains("stroke-dasharray") && svg.contains("a &amp; b") && svg.contains("drop &lt;1&gt;"));
        assert_eq!(svg.matches("<polygon").count(), 1);
        assert_eq!(svg.matches("<circle").count(), 2, "a point that is no number is left out");
        assert!(curves(&figure).png(600).is_ok());
    }

    #[test]
    fn nothing_and_one_point_are_drawn_and_ticks_are_short() {
        for points in [vec![], vec![CurvePoint { x: 0.0, y: 0.3, interval: Some([0.1, 0.4]) }]] {
            assert!(curves(&figure(points)).png(300).is_ok());
        }
        assert!(curves(&CurvesFigure { panels: Vec::new(), columns: 0, ..figure(vec![]) }).png(300).is_ok());
        assert_eq!([0.0, 0.25, 0.225, 1.0].map(tick), ["0", "0.25", "0.225", "1"]);
    }
}
