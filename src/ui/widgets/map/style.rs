//! Colours and sizes of the map, handed in by the theme.

use super::paint::Greys;
use crate::ui::theme::Tokens;
use egui::Color32;

/// How the map looks. Lengths are points of the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapStyle {
    /// Behind everything.
    pub background: Color32,
    /// The thin line around the map.
    pub frame: Color32,
    /// Text over the map: taxon labels and the scale.
    pub text: Color32,
    /// Points that are not in their own colour.
    pub greys: Greys,
    /// Outline of selected points.
    pub outline_colour: Color32,
    /// Ring around misclassified specimens.
    pub ring_colour: Color32,
    /// Outline of the box or lasso being drawn.
    pub accent: Color32,
    /// Radius of a point: the smallest, of many, and the largest, of few.
    pub radius: [f32; 2],
    /// Opacity of a single point, 0 to 1.
    pub opacity: f32,
    /// How much larger selected points are.
    pub lift: f32,
    /// Size of the outline relative to the selected point.
    pub outline: f32,
    /// Clear space between a point and its ring.
    pub ring_gap: f32,
    /// Width of the ring.
    pub ring_width: f32,
    /// Opacity of the ring of a grey point, 0 to 1.
    pub dimmed_ring: f32,
    /// More points than this in view are drawn as densities.
    pub mesh_limit: usize,
    /// More selected points than this in view have no outline, and join the densities where the others are.
    pub mark_limit: usize,
    /// More points than this are ordered in a thread of their own, and jump to their places when that is done.
    pub wait_limit: usize,
    /// How long points travel to their places in a new projection; 0 for no motion.
    pub motion_secs: f32,
}

impl MapStyle {
    /// In the colours of a theme. `still` lets points jump to their places in a new projection.
    pub fn themed(tokens: &Tokens, still: bool) -> Self {
        Self {
            background: tokens.field,
            frame: tokens.line,
            text: tokens.text,
            greys: Greys { ghost: tokens.ghosts[0], muted: tokens.ghosts[1] },
            outline_colour: tokens.text,
            ring_colour: tokens.wrong,
            accent: tokens.accent,
            radius: [1.5, 4.0],
            opacity: 0.8,
            lift: 1.35,
            outline: 1.35,
            ring_gap: 0.5,
            ring_width: 1.0,
            dimmed_ring: 0.15,
            mesh_limit: 100_000,
            mark_limit: 20_000,
            wait_limit: 100_000,
            motion_secs: if still { 0.0 } else { 0.4 },
        }
    }

    /// Radius of a point among `count` when looked at `closer` times as near as the whole map. In steps, so that the picture of
    /// a point is not made anew with every turn of the wheel.
    pub fn radius_of(&self, count: usize, closer: f64) -> f32 {
        const FEW: f32 = 300.0;
        const STEPS_PER_POINT: f32 = 8.0;
        let [least, most] = self.radius;
        let by_count = most * (FEW / (count as f32).max(FEW)).powf(1.0 / 6.0);
        let by_zoom = (closer as f32).max(1.0).powf(0.25);
        ((by_count * by_zoom * STEPS_PER_POINT).round() / STEPS_PER_POINT).clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_shrink_with_their_number_and_grow_with_zoom_within_bounds() {
        let style = MapStyle::themed(&crate::ui::theme::LIGHT, false);
        let radii = [10, 1_000, 10_000, 1_000_000].map(|count| style.radius_of(count, 1.0));
        assert!(radii.windows(2).all(|pair| pair[0] > pair[1]), "{radii:?}");
        assert_eq!((radii[0], radii[3]), (4.0, 1.5));
        assert!(style.radius_of(10_000, 20.0) > style.radius_of(10_000, 1.0));
        assert_eq!(style.radius_of(0, 1e9), 4.0);
    }
}
