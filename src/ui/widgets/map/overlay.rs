//! What lies over the points: names, the specimen under the pointer, the box or lasso being drawn, the scale, the frame.

use super::labels::place_labels;
use super::style::MapStyle;
use super::view::Viewport;
use super::{Handled, MapScene, MapState};
use egui::{Align2, Color32, FontId, Painter, Pos2, Shape, Stroke, StrokeKind, TextStyle, Ui, Vec2, vec2};

/// Room that one label should have, in square points: decides how many there are at most.
const ROOM_PER_LABEL: f32 = 16_000.0;
/// Copies of a label in the colour of the background that set it off from the points.
const HALO: [Vec2; 8] = [
    vec2(-1.5, 0.0),
    vec2(1.5, 0.0),
    vec2(0.0, -1.5),
    vec2(0.0, 1.5),
    vec2(-1.0, -1.0),
    vec2(1.0, -1.0),
    vec2(-1.0, 1.0),
    vec2(1.0, 1.0),
];
/// Longest scale bar, in points.
const LONGEST_SCALE: f32 = 90.0;

pub(super) fn paint(ui: &Ui, scene: &MapScene, state: &MapState, style: &MapStyle, handled: &Handled) {
    let viewport = handled.viewport;
    let painter = ui.painter().with_clip_rect(viewport.rect.intersect(ui.clip_rect()));
    let [small, body] = [TextStyle::Small, TextStyle::Body].map(|style| style.resolve(ui.style()));
    if state.motion.is_none() {
        // Names stand where the points will be.
        if state.shows(scene) {
            paint_labels(&painter, scene, viewport, handled.closer, &body, style);
        }
        paint_pointed(&painter, scene, state, handled, style);
    }
    if let Some(gesture) = &state.gesture {
        paint_outline(&painter, gesture.outline(viewport), style.accent);
    }
    if !state.index.is_empty() {
        paint_scale(&painter, viewport, small, style);
    }
    // Where the keyboard is must be seen.
    let frame = if handled.focused { Stroke::new(2.0, style.accent) } else { Stroke::new(1.0, style.frame) };
    painter.rect_stroke(viewport.rect, 0.0, frame, StrokeKind::Inside);
}

fn paint_labels(painter: &Painter, scene: &MapScene, viewport: Viewport, closer: f64, font: &FontId, style: &MapStyle) {
    let most = (viewport.rect.area() / ROOM_PER_LABEL) as usize;
    let layout = |name: &str, colour| painter.layout_no_wrap(name.to_owned(), font.clone(), colour);
    let placed = place_labels(&scene.labels, viewport, closer, most, |label| layout(&label.name, style.text).size());
    for (at, rect) in placed {
        let name = &scene.labels[at].name;
        let halo = layout(name, style.background);
        for offset in HALO {
            painter.galley(rect.min + offset, halo.clone(), style.background);
        }
        painter.galley(rect.min, layout(name, style.text), style.text);
    }
}

/// Circles around the specimen under the pointer and the one that is looked at elsewhere.
fn paint_pointed(painter: &Painter, scene: &MapScene, state: &MapState, handled: &Handled, style: &MapStyle) {
    let radius = state.canvas.radius() * style.lift + 2.5;
    let place_of = |row: u32| -> Option<Pos2> {
        let &[x, y] = state.positions.get(row as usize)?;
        (x.is_finite() && y.is_finite()).then(|| handled.viewport.to_screen([f64::from(x), f64::from(y)]))
    };
    if let Some(place) = scene.focus.filter(|&row| scene.is_pickable(row)).and_then(place_of) {
        painter.circle_stroke(place, radius + 2.0, Stroke::new(3.0, style.background));
        painter.circle_stroke(place, radius + 2.0, Stroke::new(2.0, style.accent));
    }
    if let Some(place) = handled.hovered.and_then(place_of) {
        painter.circle_stroke(place, radius, Stroke::new(1.5, style.outline_colour));
    }
}

fn paint_outline(painter: &Painter, outline: Vec<Pos2>, accent: Color32) {
    if outline.len() < 2 {
        return;
    }
    painter.add(Shape::closed_line(outline, Stroke::new(1.5, accent)));
}

/// A bar of 1, 2 or 5 times a power of ten map units.
fn paint_scale(painter: &Painter, viewport: Viewport, font: FontId, style: &MapStyle) {
    let Some((units, text)) = round_length(viewport.units(LONGEST_SCALE)) else { return };
    let colour = style.text.gamma_multiply(0.6);
    let left = viewport.rect.left_bottom() + vec2(12.0, -12.0);
    let right = left + vec2((units * viewport.view.scale) as f32, 0.0);
    let stroke = Stroke::new(1.0, colour);
    for ends in [[left, right], [left, left - vec2(0.0, 4.0)], [right, right - vec2(0.0, 4.0)]] {
        painter.line_segment(ends, stroke);
    }
    painter.text(right + vec2(6.0, 3.0), Align2::LEFT_BOTTOM, text, font, colour);
}

/// The largest round length up to `most`, and how it is written.
fn round_length(most: f64) -> Option<(f64, String)> {
    if !(most.is_finite() && most > 0.0) {
        return None;
    }
    let power = most.log10().floor();
    let unit = 10_f64.powf(power);
    let digit = [5.0, 2.0, 1.0].into_iter().find(|digit| digit * unit <= most).unwrap_or(1.0);
    let length = digit * unit;
    let decimals = (-power).clamp(0.0, 9.0) as usize;
    Some((length, format!("{length:.decimals$}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_no_longer_than_wanted() {
        for (most, text) in [(9.9, "5"), (1.0, "1"), (0.37, "0.2"), (2300.0, "2000"), (0.004, "0.002")] {
            let (length, written) = round_length(most).unwrap();
            assert_eq!(written, text);
            assert!(length <= most);
        }
        assert_eq!(round_length(f64::NAN), None);
        assert_eq!(round_length(0.0), None);
    }
}
