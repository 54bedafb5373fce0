//! Where the map is looking: the way between map units and points of the screen. Both axes always have the same scale.

use egui::{Pos2, Rect, Vec2, pos2};

/// An axis-aligned box in map units; the edges belong to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left and lower edge.
    pub min: [f64; 2],
    /// Right and upper edge.
    pub max: [f64; 2],
}

impl Area {
    /// Holds nothing; the neutral element of [`Self::extend`].
    pub const NOTHING: Self = Self { min: [f64::INFINITY; 2], max: [f64::NEG_INFINITY; 2] };

    /// The box that two opposite corners span.
    pub fn spanned(a: [f64; 2], b: [f64; 2]) -> Self {
        Self { min: [a[0].min(b[0]), a[1].min(b[1])], max: [a[0].max(b[0]), a[1].max(b[1])] }
    }

    /// Grows to hold a point.
    pub fn extend(&mut self, point: [f64; 2]) {
        self.min = [self.min[0].min(point[0]), self.min[1].min(point[1])];
        self.max = [self.max[0].max(point[0]), self.max[1].max(point[1])];
    }

    /// Whether the point lies inside or on the edge. False for a point that is not finite.
    pub fn contains(&self, point: [f64; 2]) -> bool {
        (0..2).all(|axis| self.min[axis] <= point[axis] && point[axis] <= self.max[axis])
    }

    /// Moves every edge outwards by `margin` map units.
    pub fn grown(&self, margin: f64) -> Self {
        Self { min: self.min.map(|low| low - margin), max: self.max.map(|high| high + margin) }
    }

    /// Width and height in map units; negative for [`Self::NOTHING`].
    pub fn size(&self) -> [f64; 2] {
        [self.max[0] - self.min[0], self.max[1] - self.min[1]]
    }
}

/// What the user looks at, independent of the size of the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Map coordinates in the middle of the map.
    pub centre: [f64; 2],
    /// Points of the screen per map unit.
    pub scale: f64,
}

impl View {
    /// Share of the map's width or height that stays free around fitted points.
    const MARGIN: f64 = 0.05;

    /// The view that shows all of `area` in the part `free` of `rect`. An empty area or one without extent is shown at one unit
    /// per 100 points.
    pub fn fit(area: Area, rect: Rect, free: Rect) -> Self {
        let size = area.size();
        let middle = [0, 1].map(|axis| 0.5 * (area.min[axis] + area.max[axis]));
        if !middle.iter().all(|value| value.is_finite()) {
            return Self { centre: [0.0; 2], scale: 100.0 };
        }
        let room = 1.0 - 2.0 * Self::MARGIN;
        let across = |axis: usize, length: f32| {
            if size[axis] > 0.0 { room * f64::from(length.max(1.0)) / size[axis] } else { f64::INFINITY }
        };
        let scale = across(0, free.width()).min(across(1, free.height()));
        let mut view = Self { centre: middle, scale: if scale.is_finite() { scale } else { 100.0 } };
        view.pan(free.center() - rect.center());
        view
    }

    /// Moves what is shown by `delta` points of the screen.
    pub fn pan(&mut self, delta: Vec2) {
        self.centre[0] -= f64::from(delta.x) / self.scale;
        self.centre[1] += f64::from(delta.y) / self.scale;
    }

    /// Zooms by `factor` (above 1: closer) around a place on the screen, within `scales`.
    pub fn zoom(&mut self, factor: f64, around: Pos2, rect: Rect, scales: [f64; 2]) {
        let before = self.on(rect).to_map(around);
        self.scale = (self.scale * factor).clamp(scales[0], scales[1].max(scales[0]));
        let after = self.on(rect).to_map(around);
        for axis in 0..2 {
            self.centre[axis] += before[axis] - after[axis];
        }
    }

    /// The view on a piece of the screen.
    pub fn on(&self, rect: Rect) -> Viewport {
        Viewport { view: *self, rect }
    }
}

/// A [`View`] on a piece of the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Viewport {
    /// What is looked at.
    pub view: View,
    /// Where on the screen, in points.
    pub rect: Rect,
}

impl Viewport {
    /// Place on the screen of a point of the map.
    pub fn to_screen(&self, point: [f64; 2]) -> Pos2 {
        let middle = self.rect.center();
        pos2(
            (f64::from(middle.x) + (point[0] - self.view.centre[0]) * self.view.scale) as f32,
            (f64::from(middle.y) - (point[1] - self.view.centre[1]) * self.view.scale) as f32,
        )
    }

    /// Map coordinates of a place on the screen.
    pub fn to_map(&self, place: Pos2) -> [f64; 2] {
        let middle = self.rect.center();
        [
            self.view.centre[0] + f64::from(place.x - middle.x) / self.view.scale,
            self.view.centre[1] - f64::from(place.y - middle.y) / self.view.scale,
        ]
    }

    /// The visible part of the map, in map units, with `margin` points of the screen around it.
    pub fn area(&self, margin: f32) -> Area {
        let rect = self.rect.expand(margin);
        Area::spanned(self.to_map(rect.left_bottom()), self.to_map(rect.right_top()))
    }

    /// `length` points of the screen in map units.
    pub fn units(&self, length: f32) -> f64 {
        f64::from(length) / self.view.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::vec2;

    const RECT: Rect = Rect { min: pos2(10.0, 20.0), max: pos2(810.0, 420.0) };

    #[test]
    fn fitting_shows_all_with_a_margin_and_equal_scales() {
        let area = Area { min: [-10.0, 2.0], max: [30.0, 4.0] };
        let viewport = View::fit(area, RECT, RECT).on(RECT);
        let (left_low, right_high) = (viewport.to_screen(area.min), viewport.to_screen(area.max));
        assert!((left_low.x - (10.0 + 40.0)).abs() < 1e-3, "5 % of 800 points stay free: {left_low}");
        assert!((right_high.x - (810.0 - 40.0)).abs() < 1e-3);
        assert!(right_high.y < left_low.y, "up is up");
        assert!(((right_high.x - left_low.x) / (left_low.y - right_high.y) - 20.0).abs() < 1e-3, "40 by 2 units");
    }

    #[test]
    fn fitting_beside_something_keeps_clear_of_it() {
        let free = Rect::from_min_max(RECT.min, pos2(610.0, 420.0));
        let viewport = View::fit(Area { min: [0.0, 0.0], max: [10.0, 2.0] }, RECT, free).on(RECT);
        assert!((viewport.to_screen([0.0, 1.0]).x - 40.0).abs() < 1e-3);
        assert!((viewport.to_screen([10.0, 1.0]).x - 580.0).abs() < 1e-3);
    }

    #[test]
    fn areas_without_extent_have_a_usable_view() {
        for area in [Area::NOTHING, Area { min: [3.0, 4.0], max: [3.0, 4.0] }] {
            let view = View::fit(area, RECT, RECT);
            assert_eq!(view.scale, 100.0);
            assert!(view.centre.iter().all(|value| value.is_finite()));
        }
    }

    #[test]
    fn zooming_keeps_what_is_under_the_pointer_and_panning_follows_it() {
        let mut view = View { centre: [1.0, 2.0], scale: 50.0 };
        let pointer = pos2(700.0, 100.0);
        let under = view.on(RECT).to_map(pointer);
        view.zoom(3.0, pointer, RECT, [1.0, 1e6]);
        assert_eq!(view.scale, 150.0);
        assert!(view.on(RECT).to_screen(under).distance(pointer) < 1e-3);
        view.pan(vec2(-30.0, 12.0));
        assert!(view.on(RECT).to_screen(under).distance(pointer + vec2(-30.0, 12.0)) < 1e-3);
        view.zoom(1e9, pointer, RECT, [1.0, 1e6]);
        assert_eq!(view.scale, 1e6);
    }

    #[test]
    fn a_box_holds_its_edges_and_nothing_else() {
        let area = Area::spanned([2.0, -1.0], [0.0, 1.0]);
        assert!(area.contains([0.0, 1.0]) && area.contains([1.0, 0.0]));
        assert!(!area.contains([2.1, 0.0]) && !area.contains([f64::NAN, 0.0]));
        assert!(!Area::NOTHING.contains([0.0, 0.0]));
    }
}
