//! The map of a projection.

use super::Figure;
use super::svg::{Anchor, Canvas, INK, LINE, QUIET, fitted, thousands};
use crate::pipeline::colour::{LegendEntry, Rgb};
use resvg::tiny_skia::{Color, FillRule, Paint, PathBuilder, Pixmap, Transform};

/// Above this many points the map is a raster within the SVG: no editor opens a million circles.
pub const RASTER_ABOVE: usize = 20_000;

const WIDTH: f64 = 1120.0;
const HEIGHT: f64 = 780.0;
const PLOT: [f64; 2] = [24.0, 78.0];
const PLOT_SIZE: [f64; 2] = [800.0, 678.0];
const LEGEND_AT: [f64; 2] = [848.0, 92.0];
const LEGEND_LINE: f64 = 22.0;
/// Pixels of the raster per pixel of the drawing.
const RASTER_SCALE: f64 = 2.0;

/// What a map shows.
#[derive(Debug, Clone, Copy)]
pub struct MapFigure<'a> {
    /// Title line.
    pub title: &'a str,
    /// How it was made, in a line.
    pub subtitle: &'a str,
    /// How it was made, whole: not drawn, but kept in the file.
    pub details: &'a str,
    /// Positions `[N]`; those that are not finite are left out.
    pub points: &'a [[f32; 2]],
    /// Colours `[N]`.
    pub colours: &'a [Rgb],
    /// What the colours stand for.
    pub legend_title: &'a str,
    /// The legend, from top to bottom.
    pub legend: &'a [LegendEntry],
}

/// Draws a map: equal scales on both axes, no axes (they have no unit), the legend beside it.
pub fn map(figure: &MapFigure<'_>) -> Figure {
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    canvas.description(figure.details);
    canvas.title(figure.title, figure.subtitle);
    draw_frame(&mut canvas);
    let placed = place(figure.points);
    let radius = radius(figure.points.len());
    if figure.points.len() > RASTER_ABOVE {
        if let Some(png) = raster(&placed, figure.colours, radius) {
            canvas.png(PLOT, PLOT_SIZE, &png);
        }
    } else {
        for (at, &colour) in placed.iter().zip(figure.colours) {
            if let Some([x, y]) = at {
                canvas.circle([PLOT[0] + x, PLOT[1] + y], radius, colour, 0.75);
            }
        }
    }
    draw_legend(&mut canvas, figure);
    Figure { svg: canvas.finish() }
}

fn draw_frame(canvas: &mut Canvas) {
    let [left, top] = PLOT;
    let (right, bottom) = (left + PLOT_SIZE[0], top + PLOT_SIZE[1]);
    for (from, to) in [
        ([left, top], [right, top]),
        ([right, top], [right, bottom]),
        ([right, bottom], [left, bottom]),
        ([left, bottom], [left, top]),
    ] {
        canvas.line(from, to, LINE);
    }
}

fn draw_legend(canvas: &mut Canvas, figure: &MapFigure<'_>) {
    let [x, mut y] = LEGEND_AT;
    canvas.text([x, y], figure.legend_title, QUIET, Anchor::Start);
    for entry in figure.legend {
        y += LEGEND_LINE;
        canvas.circle([x + 6.0, y - 4.5], 5.0, entry.colour, 1.0);
        canvas.text([x + 20.0, y], &fitted(&entry.name, WIDTH - x - 95.0), INK, Anchor::Start);
        canvas.text([WIDTH - 24.0, y], &thousands(entry.count), QUIET, Anchor::End);
    }
}

fn radius(points: usize) -> f64 {
    match points {
        ..500 => 4.0,
        500..3_000 => 3.0,
        3_000..20_000 => 2.0,
        _ => 1.2,
    }
}

/// Positions within the plot, in pixels; `None` where there is none.
fn place(points: &[[f32; 2]]) -> Vec<Option<[f64; 2]>> {
    let finite = |point: &&[f32; 2]| point.iter().all(|value| value.is_finite());
    let (mut low, mut high) = ([f64::MAX; 2], [f64::MIN; 2]);
    for point in points.iter().filter(finite) {
        for axis in 0..2 {
            low[axis] = low[axis].min(f64::from(point[axis]));
            high[axis] = high[axis].max(f64::from(point[axis]));
        }
    }
    let margin = 16.0;
    let room = PLOT_SIZE.map(|size| size - 2.0 * margin);
    let scales = [0, 1].map(|axis| room[axis] / (high[axis] - low[axis]).max(1e-9));
    // A single place would be blown up without end; in the middle of the plot is all that matters then.
    let scale = scales[0].min(scales[1]).min(1e6);
    let middle = [0, 1].map(|axis| f64::midpoint(low[axis], high[axis]));
    points
        .iter()
        .map(|point| {
            finite(&point).then(|| {
                let offset = [0, 1].map(|axis| (f64::from(point[axis]) - middle[axis]) * scale);
                [PLOT_SIZE[0] / 2.0 + offset[0], PLOT_SIZE[1] / 2.0 - offset[1]]
            })
        })
        .collect()
}

fn raster(placed: &[Option<[f64; 2]>], colours: &[Rgb], radius: f64) -> Option<Vec<u8>> {
    let [width, height] = PLOT_SIZE.map(|size| (size * RASTER_SCALE) as u32);
    let mut pixels = Pixmap::new(width, height)?;
    let dot = PathBuilder::from_circle(0.0, 0.0, (radius * RASTER_SCALE) as f32)?;
    let mut paint = Paint::default();
    for (at, &[red, green, blue]) in placed.iter().zip(colours) {
        if let Some(at) = at {
            let [x, y] = at.map(|value| (value * RASTER_SCALE) as f32);
            paint.set_color(Color::from_rgba8(red, green, blue, 190));
            pixels.fill_path(&dot, &paint, FillRule::Winding, Transform::from_translate(x, y), None);
        }
    }
    pixels.encode_png().ok()
}
