//! What hands do on the map: pan, box, lasso, zoom.

use super::lasso::Lasso;
use super::view::{Area, View, Viewport};
use egui::{Context, Event, Key, Modifiers, PointerButton, Pos2, Rect, Response, Vec2, vec2};

/// What dragging with the primary button does when no key is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tool {
    /// Moves the map.
    #[default]
    Pan,
    /// Draws a box and selects what is in it; also with shift.
    Box,
    /// Draws an outline and selects what is in it; also with shift and alt.
    Lasso,
}

impl Tool {
    /// Every tool, in the order of the buttons.
    pub const ALL: [Self; 3] = [Self::Pan, Self::Box, Self::Lasso];

    /// The name on its button.
    pub fn title(self) -> &'static str {
        match self {
            Self::Pan => "Pan",
            Self::Box => "Box",
            Self::Lasso => "Lasso",
        }
    }

    /// What its button does, for the tooltip.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Pan => "Drag to move the map, turn the wheel to zoom, double-click to see all",
            Self::Box => "Drag a box to select the specimens in it (with any tool: shift-drag)",
            Self::Lasso => "Draw around specimens to select them (with any tool: shift-alt-drag)",
        }
    }

    fn with(self, keys: Modifiers) -> Self {
        match (keys.shift, keys.alt) {
            (true, true) => Self::Lasso,
            (true, false) => Self::Box,
            (false, _) => self,
        }
    }
}

/// How specimens join the ones that are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Combine {
    /// Only the new ones are selected.
    #[default]
    Replace,
    /// The new ones are selected too: a click with shift, a box or lasso with ctrl or ⌘.
    Add,
    /// Selected ones are no longer, others are: a click with ctrl or ⌘.
    Toggle,
}

impl Combine {
    pub(super) fn of_click(keys: Modifiers) -> Self {
        match (keys.command, keys.shift) {
            (true, _) => Self::Toggle,
            (false, true) => Self::Add,
            (false, false) => Self::Replace,
        }
    }

    /// Shift says that it is a box or a lasso, and so can't say more.
    fn of_drag(keys: Modifiers) -> Self {
        if keys.command { Self::Add } else { Self::Replace }
    }
}

/// A drag that has not ended yet. Corners are in map units, so that zooming on the way does no harm.
#[derive(Debug, Clone)]
pub(super) enum Gesture {
    Pan,
    Box { from: [f64; 2], to: [f64; 2], combine: Combine },
    Lasso { corners: Vec<[f64; 2]>, combine: Combine },
}

/// What a finished drag encloses.
#[derive(Debug, Clone)]
pub(super) enum Enclosed {
    Box(Area),
    Lasso(Lasso),
}

/// Corners of a lasso are at least this far apart, in points of the screen.
const LASSO_STEP: f32 = 2.0;
/// Zoom per point of wheel movement, as an exponent.
const WHEEL_ZOOM: f64 = 1.0 / 240.0;
/// Zoom and movement per key press.
const KEY_ZOOM: f64 = 1.25;
const KEY_PAN: f32 = 60.0;

impl Gesture {
    /// Starts, continues or ends the drag in `gesture`; what it encloses once it ends.
    pub(super) fn follow(
        gesture: &mut Option<Self>,
        response: &Response,
        context: &Context,
        tool: Tool,
        viewport: Viewport,
    ) -> Option<(Enclosed, Combine)> {
        if context.input(|input| input.key_pressed(Key::Escape)) {
            *gesture = None;
        }
        if response.drag_started() {
            *gesture = Self::started(response, context, tool, viewport);
        }
        let pointer = response.interact_pointer_pos();
        match (gesture.as_mut(), pointer) {
            (Some(Self::Box { to, .. }), Some(pointer)) => *to = viewport.to_map(pointer),
            (Some(Self::Lasso { corners, .. }), Some(_)) => {
                context.input(|input| extend_lasso(corners, &input.events, viewport));
            }
            _ => {}
        }
        if response.drag_stopped() { gesture.take().and_then(Self::enclosed) } else { None }
    }

    fn started(response: &Response, context: &Context, tool: Tool, viewport: Viewport) -> Option<Self> {
        let keys = context.input(|input| input.modifiers);
        let from = viewport.to_map(context.input(|input| input.pointer.press_origin())?);
        if response.dragged_by(PointerButton::Middle) {
            return Some(Self::Pan);
        }
        let combine = Combine::of_drag(keys);
        response.dragged_by(PointerButton::Primary).then(|| match tool.with(keys) {
            Tool::Pan => Self::Pan,
            Tool::Box => Self::Box { from, to: from, combine },
            Tool::Lasso => Self::Lasso { corners: vec![from], combine },
        })
    }

    fn enclosed(self) -> Option<(Enclosed, Combine)> {
        match self {
            Self::Pan => None,
            Self::Box { from, to, combine } => Some((Enclosed::Box(Area::spanned(from, to)), combine)),
            Self::Lasso { corners, combine } => Some((Enclosed::Lasso(Lasso::new(corners)), combine)),
        }
    }

    /// The outline to draw while the drag lasts.
    pub(super) fn outline(&self, viewport: Viewport) -> Vec<Pos2> {
        match self {
            Self::Pan => Vec::new(),
            Self::Box { from, to, .. } => {
                let rect = Rect::from_two_pos(viewport.to_screen(*from), viewport.to_screen(*to));
                vec![rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom()]
            }
            Self::Lasso { corners, .. } => corners.iter().map(|corner| viewport.to_screen(*corner)).collect(),
        }
    }
}

/// Follows every move of the pointer since the last frame, not only where it ended: a quick hand keeps its curve.
fn extend_lasso(corners: &mut Vec<[f64; 2]>, events: &[Event], viewport: Viewport) {
    for event in events {
        let Event::PointerMoved(place) = *event else { continue };
        if corners.last().is_none_or(|last| viewport.to_screen(*last).distance(place) >= LASSO_STEP) {
            corners.push(viewport.to_map(place));
        }
    }
}

/// Moves and zooms the view as pointer, wheel, fingers and keys ask. Whether anything moved.
pub(super) fn navigate(
    view: &mut View,
    response: &Response,
    context: &Context,
    panning: bool,
    scales: [f64; 2],
) -> bool {
    let before = *view;
    if panning {
        view.pan(response.drag_delta());
    }
    if let Some(pointer) = response.hover_pos().filter(|_| response.hovered()) {
        let factor = context.input(|input| {
            f64::from(input.zoom_delta()) * (f64::from(input.smooth_scroll_delta().y) * WHEEL_ZOOM).exp()
        });
        if factor != 1.0 {
            view.zoom(factor, pointer, response.rect, scales);
        }
    }
    if response.has_focus() {
        let (steps, closer) = context.input(|input| (key_steps(input), key_zoom(input)));
        view.pan(steps * KEY_PAN);
        if closer != 0 {
            view.zoom(KEY_ZOOM.powi(closer), response.rect.center(), response.rect, scales);
        }
    }
    *view != before
}

fn key_steps(input: &egui::InputState) -> Vec2 {
    let presses = |key: Key| input.num_presses(key) as f32;
    vec2(presses(Key::ArrowLeft) - presses(Key::ArrowRight), presses(Key::ArrowUp) - presses(Key::ArrowDown))
}

fn key_zoom(input: &egui::InputState) -> i32 {
    let presses = |key: Key| input.num_presses(key) as i32;
    presses(Key::Plus) + presses(Key::Equals) - presses(Key::Minus)
}
