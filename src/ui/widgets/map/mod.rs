//! The map of specimens: a point each, to look at, point at and select.
//!
//! [`PointMap`] shows a [`MapScene`], plain arrays by specimen row, and answers with rows. What it derives from them lives in a
//! [`MapState`] and is made anew only when an array is another one: arrays are told apart by their [`Arc`].
//!
//! | module | what it does |
//! |---|---|
//! | [`view`] | map units and points of the screen |
//! | [`index`] | which points are in view, near the pointer, in a box |
//! | [`lasso`] | which points are inside an outline |
//! | [`paint`] | colour and layer of every point |
//! | [`item`] | the plot item: one mesh, or [`density`] where that is too much |
//! | [`labels`] | names of taxa that fit |

pub mod density;
pub mod gesture;
pub mod index;
pub mod item;
pub mod labels;
pub mod lasso;
mod motion;
mod ordering;
mod overlay;
pub mod paint;
mod sprite;
pub mod style;
pub mod view;

pub use gesture::{Combine, Tool};
pub use item::Drawing;
pub use labels::{TaxonLabel, taxon_labels};
pub use paint::{Greys, Mark};
pub use style::MapStyle;

use egui::{Color32, Context, CursorIcon, EventFilter, Mesh, Response, Role, Ui, WidgetInfo};
use egui_plot::{Plot, PlotBounds};
use gesture::{Enclosed, Gesture};
use index::MapIndex;
use item::{Canvas, MapItem};
use motion::Motion;
use ordering::Ordering;
use paint::Painted;
use std::sync::Arc;
use view::{Area, View, Viewport};

/// How near to a point the pointer has to be to hit it, in points of the screen.
const PICK_RADIUS: f32 = 7.0;
/// How far the view can go out and in, relative to the whole map.
const ZOOM_RANGE: [f64; 2] = [0.2, 1e5];

/// What the map shows. Arrays are by row of the specimen, `[N]`; one that is too short stands for the plain case.
#[derive(Debug, Clone, Default)]
pub struct MapScene {
    /// Places in map units. Specimens whose place is not finite are not on the map.
    pub positions: Arc<Vec<[f32; 2]>>,
    /// Which specimens these are: points of others are gone at once.
    pub specimens: u64,
    /// Which coordinate system the places belong to. In another one, points travel to their new places and the whole map is
    /// shown; new places in the same one are shown as they come, as from a projection in the making. More than
    /// [`MapStyle::wait_limit`] points stay where they were until the new places are ordered, and do not travel.
    pub space: u64,
    /// Opaque colours.
    pub colours: Arc<Vec<Color32>>,
    /// Who is filtered out, grey, shown or selected.
    pub marks: Arc<Vec<Mark>>,
    /// Rows that get a ring.
    pub rings: Arc<Vec<u32>>,
    /// Names of taxa, the largest first.
    pub labels: Arc<Vec<TaxonLabel>>,
    /// The row that is looked at elsewhere in the window.
    pub focus: Option<u32>,
}

impl MapScene {
    fn is_pickable(&self, row: u32) -> bool {
        self.marks.get(row as usize).is_none_or(|mark| mark.is_pickable())
    }
}

/// What happened on the map in this frame.
#[derive(Debug)]
pub struct MapResponse {
    /// The map as a widget: for tooltips and a context menu.
    pub response: Response,
    /// The specimen under the pointer.
    pub hovered: Option<u32>,
    /// A click, on a specimen or on none.
    pub clicked: Option<(Option<u32>, Combine)>,
    /// The specimens in a box or lasso that was just finished, ascending.
    pub enclosed: Option<(Vec<u32>, Combine)>,
    /// The specimen that the context menu is about: under the pointer when the menu was opened.
    pub context: Option<u32>,
}

/// What the map keeps from frame to frame.
#[derive(Default)]
pub struct MapState {
    view: Option<View>,
    /// Whether the view shows the whole map, whatever that is at the moment.
    fitted: bool,
    specimens: u64,
    space: Option<u64>,
    positions: Arc<Vec<[f32; 2]>>,
    motion: Option<Motion>,
    /// The points that will be shown next.
    ordering: Option<Ordering>,
    index: MapIndex,
    painted: Painted,
    painted_from: Option<PaintKey>,
    canvas: Canvas,
    gesture: Option<Gesture>,
    context: Option<u32>,
    /// Width of what lies over the map at its right, in points of the screen.
    covered: f32,
    /// The specimen that was looked at when the map was drawn last.
    focus: Option<u32>,
    /// Whether the map itself was clicked or drawn on then: what it selects is in view already.
    touched: bool,
}

/// The arrays that [`Painted`] was made from. Holding them keeps their addresses from being used again.
struct PaintKey {
    colours: Arc<Vec<Color32>>,
    marks: Arc<Vec<Mark>>,
    rings: Arc<Vec<u32>>,
    greys: Greys,
}

impl PaintKey {
    fn of(scene: &MapScene, greys: Greys) -> Self {
        Self {
            colours: Arc::clone(&scene.colours),
            marks: Arc::clone(&scene.marks),
            rings: Arc::clone(&scene.rings),
            greys,
        }
    }

    fn holds_for(&self, scene: &MapScene, greys: Greys) -> bool {
        Arc::ptr_eq(&self.colours, &scene.colours)
            && Arc::ptr_eq(&self.marks, &scene.marks)
            && Arc::ptr_eq(&self.rings, &scene.rings)
            && self.greys == greys
    }
}

impl MapState {
    /// Shows the whole map again, and keeps showing it until the user moves.
    pub fn fit(&mut self) {
        self.fitted = true;
    }

    /// Shows this part of the map, with a margin.
    pub fn look_at(&mut self, area: Area, rect: egui::Rect) {
        self.view = Some(View::fit(area, rect, self.free(rect)));
        self.fitted = false;
    }

    /// Zooms by `factor` (above 1: closer) around the middle.
    pub fn zoom(&mut self, factor: f64) {
        if let Some(view) = &mut self.view {
            view.scale *= factor;
            self.fitted = false;
        }
    }

    /// What is looked at; `None` before the map was shown.
    pub fn view(&self) -> Option<View> {
        self.view
    }

    /// The points where they are drawn at the moment.
    pub fn index(&self) -> &MapIndex {
        &self.index
    }

    /// How many specimens are at the very place of this one: those with the same barcode share a point.
    pub fn specimens_at(&self, row: usize) -> usize {
        let Some(&[x, y]) = self.positions.get(row) else { return 0 };
        let place = [f64::from(x), f64::from(y)];
        self.index.count_in(Area::spanned(place, place))
    }

    /// How the points were drawn in the last frame.
    pub fn drawing(&self) -> Drawing {
        self.canvas.drawing()
    }

    /// The mesh of the points in view, from the last frame.
    pub fn mesh(&self) -> &Mesh {
        self.canvas.points()
    }

    /// What is drawn above that mesh: the selection with its outlines, then the rings.
    pub fn marks(&self) -> &[Arc<Mesh>] {
        self.canvas.marks()
    }

    /// Whether points are on their way to new places.
    pub fn is_moving(&self) -> bool {
        self.motion.is_some()
    }

    fn take_positions(&mut self, scene: &MapScene, context: &Context, now: f64, style: &MapStyle) {
        // What was being ordered may be wanted no more: another map, or one of other specimens, is to be shown.
        if let Some(ordering) = self.ordering.take().filter(|ordering| ordering.is_of(scene)) {
            match ordering.made() {
                Some(index) => self.take_ordered(ordering, index),
                None => self.ordering = Some(ordering),
            }
        }
        if Arc::ptr_eq(&self.positions, &scene.positions) && self.shows(scene) {
            self.ordering = None;
            return;
        }
        if scene.positions.len() <= style.wait_limit {
            self.ordering = None;
            self.take_at_once(scene, now, style.motion_secs);
            return;
        }
        if !self.positions.is_empty() && !self.has_rows_of(scene) {
            // Nothing may be hit that is not there any more.
            (self.positions, self.motion) = (Arc::default(), None);
            self.reindex(now);
        }
        if self.ordering.is_none() {
            self.ordering = Some(Ordering::begin(scene, context));
        }
    }

    /// Whether the points drawn are the specimens of `scene`.
    fn has_rows_of(&self, scene: &MapScene) -> bool {
        self.specimens == scene.specimens && self.positions.len() == scene.positions.len()
    }

    /// Whether they are drawn on its map, if perhaps not yet where they are now.
    fn shows(&self, scene: &MapScene) -> bool {
        self.space == Some(scene.space) && self.has_rows_of(scene)
    }

    /// Shows points that were ordered meanwhile.
    fn take_ordered(&mut self, ordered: Ordering, index: MapIndex) {
        if self.space != Some(ordered.space) || self.specimens != ordered.specimens {
            self.fitted = true;
        }
        (self.specimens, self.space, self.motion) = (ordered.specimens, Some(ordered.space), None);
        self.positions = ordered.positions;
        (self.index, self.painted_from) = (index, None);
    }

    fn take_at_once(&mut self, scene: &MapScene, now: f64, motion_secs: f32) {
        let moved = self.space.is_some_and(|space| space != scene.space);
        let same_rows = self.has_rows_of(scene);
        if moved || !same_rows {
            self.motion = (moved && same_rows && motion_secs > 0.0).then(|| {
                let from = match &self.motion {
                    Some(motion) => Arc::new(motion.positions(&self.positions, now)),
                    None => Arc::clone(&self.positions),
                };
                Motion::new(from, now, motion_secs)
            });
        }
        if moved || self.space.is_none() || self.specimens != scene.specimens {
            self.fitted = true;
        }
        (self.specimens, self.space) = (scene.specimens, Some(scene.space));
        self.positions = Arc::clone(&scene.positions);
        self.reindex(now);
    }

    /// Orders the points anew at the places that they have at `now`.
    fn reindex(&mut self, now: f64) {
        self.index = match &self.motion {
            Some(motion) => MapIndex::build(&motion.positions(&self.positions, now)),
            None => MapIndex::build(&self.positions),
        };
        self.painted_from = None;
    }

    fn advance_motion(&mut self, ui: &Ui, now: f64) {
        let Some(motion) = &self.motion else { return };
        if motion.share(now) >= 1.0 {
            self.motion = None;
        }
        self.reindex(now);
        ui.ctx().request_repaint();
    }

    fn paint(&mut self, scene: &MapScene, greys: Greys) {
        if self.painted_from.as_ref().is_some_and(|from| from.holds_for(scene, greys)) {
            return;
        }
        self.painted = Painted::new(&self.index, &scene.colours, &scene.marks, &scene.rings, greys);
        self.painted_from = Some(PaintKey::of(scene, greys));
        self.canvas.outdate();
    }

    /// The view for this frame, and how much nearer it is than the whole map.
    fn current_view(&mut self, rect: egui::Rect) -> (View, f64) {
        let whole = View::fit(self.index.bounds().unwrap_or(Area::NOTHING), rect, self.free(rect));
        let mut view = self.view.filter(|_| !self.fitted).unwrap_or(whole);
        let [least, most] = ZOOM_RANGE.map(|limit| limit * whole.scale);
        view.scale = view.scale.clamp(least, most);
        self.view = Some(view);
        (view, whole.scale)
    }

    /// Brings the specimen that is looked at elsewhere into view, once, when it is another than before.
    fn follow_focus(&mut self, scene: &MapScene, view: &mut View, rect: egui::Rect) {
        let touched = std::mem::take(&mut self.touched);
        if std::mem::replace(&mut self.focus, scene.focus) == scene.focus || touched {
            return;
        }
        let place = scene.focus.and_then(|row| self.positions.get(row as usize)).map(|place| place.map(f64::from));
        let inside = view.on(self.free(rect)).area(-PICK_RADIUS);
        if let Some(place) =
            place.filter(|place| !inside.contains(*place) && place.iter().all(|value| value.is_finite()))
        {
            view.centre = place;
            self.view = Some(*view);
            self.fitted = false;
        }
    }

    /// The part of the map that nothing lies over.
    fn free(&self, rect: egui::Rect) -> egui::Rect {
        let right = if self.covered < 0.4 * rect.width() { rect.right() - self.covered } else { rect.right() };
        egui::Rect::from_min_max(rect.min, egui::pos2(right, rect.bottom()))
    }

    fn nearest(&self, scene: &MapScene, viewport: Viewport, place: egui::Pos2) -> Option<u32> {
        let radius = PICK_RADIUS.max(self.canvas.radius());
        self.index.nearest(viewport.to_map(place), viewport.units(radius), |row| scene.is_pickable(row))
    }

    fn rows_in(&self, scene: &MapScene, enclosed: &Enclosed) -> Vec<u32> {
        match enclosed {
            Enclosed::Box(area) => self.index.rows_in(*area, |row| scene.is_pickable(row)),
            Enclosed::Lasso(lasso) => lasso.rows_in(&self.index, |row| scene.is_pickable(row)),
        }
    }
}

/// What the hands did in one frame.
struct Handled {
    viewport: Viewport,
    closer: f64,
    /// Whether the keyboard moves the map.
    focused: bool,
    hovered: Option<u32>,
    clicked: Option<(Option<u32>, Combine)>,
    enclosed: Option<(Vec<u32>, Combine)>,
}

/// The map as a widget. Fills the room that is there.
pub struct PointMap<'a> {
    scene: &'a MapScene,
    state: &'a mut MapState,
    style: MapStyle,
    tool: Tool,
}

impl<'a> PointMap<'a> {
    /// The map of `scene`, drawn in `style`.
    pub fn new(scene: &'a MapScene, state: &'a mut MapState, style: MapStyle) -> Self {
        Self { scene, state, style, tool: Tool::Pan }
    }

    /// What dragging does.
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tool = tool;
        self
    }

    /// The width, in points, that something else covers at the right: the whole map is shown beside it where there is room.
    pub fn covered(self, width: f32) -> Self {
        self.state.covered = width;
        self
    }

    /// Shows the map and says what was done on it.
    pub fn show(self, ui: &mut Ui) -> MapResponse {
        let Self { scene, state, style, tool } = self;
        let now = ui.input(|input| input.time);
        state.take_positions(scene, ui.ctx(), now, &style);
        state.advance_motion(ui, now);
        state.paint(scene, style.greys);
        let plot = Plot::new("map of specimens")
            .show_axes(false)
            .show_grid(false)
            .show_x(false)
            .show_y(false)
            .show_background(false)
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false);
        ui.painter().rect_filled(ui.available_rect_before_wrap(), 0.0, style.background);
        let shown = plot.show(ui, |plot_ui| {
            let response = plot_ui.response().clone();
            let handled = handle(state, scene, &response, plot_ui.ctx(), tool);
            let visible = handled.viewport.area(0.0);
            plot_ui.set_plot_bounds(PlotBounds::from_min_max(visible.min, visible.max));
            plot_ui.add(MapItem::new(&state.index, &state.painted, &style, &mut state.canvas));
            handled
        });
        let handled = shown.inner;
        overlay::paint(ui, scene, state, &style, &handled);
        let response = describe(shown.response, state, tool);
        MapResponse {
            response,
            hovered: handled.hovered,
            clicked: handled.clicked,
            enclosed: handled.enclosed,
            context: state.context,
        }
    }
}

/// Lets pointer and keys act on the state.
fn handle(state: &mut MapState, scene: &MapScene, response: &Response, context: &Context, tool: Tool) -> Handled {
    let rect = response.rect;
    let (mut view, whole) = state.current_view(rect);
    state.follow_focus(scene, &mut view, rect);
    if response.has_focus() {
        let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        context.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    }
    let ended = Gesture::follow(&mut state.gesture, response, context, tool, view.on(rect));
    let panning = matches!(state.gesture, Some(Gesture::Pan));
    if gesture::navigate(&mut view, response, context, panning, ZOOM_RANGE.map(|limit| limit * whole)) {
        state.view = Some(view);
        state.fitted = false;
    }
    if response.double_clicked() || (response.has_focus() && context.input(|input| input.key_pressed(egui::Key::Home)))
    {
        state.fit();
        view = state.current_view(rect).0;
    }
    let viewport = view.on(rect);
    let enclosed = ended.map(|(what, combine)| (state.rows_in(scene, &what), combine));
    let under = response.interact_pointer_pos().or(response.hover_pos());
    let under = under.filter(|_| state.gesture.is_none()).and_then(|place| state.nearest(scene, viewport, place));
    if response.secondary_clicked() {
        state.context = under;
    }
    let keys = context.input(|input| input.modifiers);
    let clicked = (response.clicked() && !response.double_clicked()).then(|| (under, Combine::of_click(keys)));
    let hovered = under.filter(|_| response.hovered());
    state.touched = clicked.is_some() || enclosed.is_some();
    Handled { viewport, closer: view.scale / whole, focused: response.has_focus(), hovered, clicked, enclosed }
}

/// Gives the map its pointer and its accessible name.
fn describe(response: Response, state: &MapState, tool: Tool) -> Response {
    let count = state.index.len();
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Map of {count} specimens")));
    let cursor = match (&state.gesture, tool) {
        (Some(Gesture::Pan), _) => CursorIcon::Grabbing,
        (Some(_), _) | (None, Tool::Box | Tool::Lasso) => CursorIcon::Crosshair,
        (None, Tool::Pan) => CursorIcon::Default,
    };
    response.on_hover_cursor(cursor)
}
