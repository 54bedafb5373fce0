//! The points as a plot item: one mesh of what is in view, or a picture of the densities where that is too much.

use super::density::Raster;
use super::index::MapIndex;
use super::paint::{Layer, Painted};
use super::sprite::{Look, Sprite};
use super::style::MapStyle;
use super::view::{View, Viewport};
use egui::epaint::Vertex;
use egui::{Color32, Context, Mesh, Pos2, Rect, Shape, TextureHandle, TextureId, TextureOptions, Ui, Vec2, pos2};
use egui_plot::{PlotBounds, PlotGeometry, PlotItem, PlotItemBase, PlotTransform};
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// How points were put on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drawing {
    /// One triangle with a round texture each.
    #[default]
    Mesh,
    /// Counted into the pixels of a picture.
    Density,
}

/// What decides where the points in view end up, apart from the points.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pose {
    viewport: Viewport,
    pixels_per_point: f32,
    style: MapStyle,
}

/// What was drawn in the last frame, kept for as long as nothing changes.
#[derive(Default)]
pub(super) struct Canvas {
    pose: Option<Pose>,
    drawing: Drawing,
    points: Arc<Mesh>,
    marks: Vec<Arc<Mesh>>,
    raster: Raster,
    picture: Option<TextureHandle>,
    disc: Option<(Look, f32, Sprite)>,
    ring: Option<(Look, f32, Sprite)>,
    radius: f32,
}

impl Canvas {
    /// Forgets what was drawn: points or colours have changed.
    pub(super) fn outdate(&mut self) {
        self.pose = None;
    }

    pub(super) fn drawing(&self) -> Drawing {
        self.drawing
    }

    /// Radius of a point in the last frame, in points of the screen.
    pub(super) fn radius(&self) -> f32 {
        self.radius
    }

    /// The mesh of the points in view; empty where they were drawn as densities.
    pub(super) fn points(&self) -> &Mesh {
        &self.points
    }

    /// What is drawn above them.
    pub(super) fn marks(&self) -> &[Arc<Mesh>] {
        &self.marks
    }

    fn draw(&mut self, context: &Context, index: &MapIndex, painted: &Painted, viewport: Viewport, style: &MapStyle) {
        let pose = Pose { viewport, pixels_per_point: context.pixels_per_point(), style: *style };
        if self.pose == Some(pose) {
            return;
        }
        self.pose = Some(pose);
        let counts = painted.counts_near(index, viewport.area(0.0));
        let shown: usize = counts.iter().sum();
        let pixels = (viewport.rect.area() * pose.pixels_per_point.powi(2)) as usize;
        self.drawing = if shown > style.mesh_limit.min(pixels) { Drawing::Density } else { Drawing::Mesh };
        let whole = index.bounds().map_or(viewport.view, |area| View::fit(area, viewport.rect, viewport.rect));
        self.radius = style.radius_of(index.len(), viewport.view.scale / whole.scale);
        let front_is_mesh = self.drawing == Drawing::Mesh || counts[Layer::Front as usize] <= style.mark_limit;
        self.make_sprites(context, style);
        match self.drawing {
            Drawing::Mesh => self.fill_mesh(index, painted, viewport),
            Drawing::Density => self.fill_picture(context, index, painted, &pose, front_is_mesh),
        }
        self.fill_marks(index, painted, viewport, style, front_is_mesh);
    }

    fn make_sprites(&mut self, context: &Context, style: &MapStyle) {
        let density = context.pixels_per_point();
        let radius = self.radius * density;
        let disc = Look { outer: radius, inner: 0.0, opacity: style.opacity };
        refresh(&mut self.disc, context, "map point", disc);
        let inner = radius + style.ring_gap * density;
        let ring = Look { outer: inner + style.ring_width * density, inner, opacity: 1.0 };
        refresh(&mut self.ring, context, "map ring", ring);
    }

    fn fill_mesh(&mut self, index: &MapIndex, painted: &Painted, viewport: Viewport) {
        let Some((_, _, disc)) = &self.disc else { return };
        let mut stamp = Stamp::new(reused(&mut self.points, disc.texture()), disc, 1.0);
        for layer in [Layer::Back, Layer::Middle] {
            each_in_view(index, viewport, disc.reach(), |slot, place| {
                if painted.is_in(slot, layer) {
                    stamp.add(place, painted.fills()[slot]);
                }
            });
        }
        self.points = Arc::new(stamp.finish());
    }

    fn fill_picture(
        &mut self,
        context: &Context,
        index: &MapIndex,
        painted: &Painted,
        pose: &Pose,
        front_is_mesh: bool,
    ) {
        let counts = painted.counts_near(index, pose.viewport.area(0.0));
        let mut layers = if front_is_mesh { Layer::ALL[..2].to_vec() } else { Layer::ALL.to_vec() };
        layers.retain(|&layer| counts[layer as usize] > 0);
        self.raster.draw(index, painted, &layers, pose.viewport, pose.pixels_per_point, pose.style.opacity);
        let image = egui::ColorImage::new(self.raster.size, self.raster.pixels.clone());
        match &mut self.picture {
            Some(picture) => picture.set(image, TextureOptions::NEAREST),
            None => self.picture = Some(context.load_texture("map density", image, TextureOptions::NEAREST)),
        }
        let picture = self.picture.as_ref().map(TextureHandle::id).unwrap_or_default();
        let mut mesh = reused(&mut self.points, picture);
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        mesh.add_rect_with_uv(pose.viewport.rect, whole, Color32::WHITE);
        self.points = Arc::new(mesh);
    }

    /// Selected points with their outlines, and rings, above all others.
    fn fill_marks(
        &mut self,
        index: &MapIndex,
        painted: &Painted,
        viewport: Viewport,
        style: &MapStyle,
        front_is_mesh: bool,
    ) {
        self.marks.clear();
        let (Some((_, _, disc)), Some((_, _, ring))) = (&self.disc, &self.ring) else { return };
        if front_is_mesh {
            let few = painted.counts_near(index, viewport.area(0.0))[Layer::Front as usize] <= style.mark_limit;
            let lift = if few { style.lift } else { 1.0 };
            let mesh = Mesh::with_texture(disc.texture());
            let mut stamp = Stamp::new(mesh, disc, lift * style.outline);
            let each_lifted = |with: &mut dyn FnMut(usize, Pos2)| {
                marked_in_view(index, viewport, disc.reach() * lift, |run| painted.front_in(run), with);
            };
            // All outlines first: a crowd of selected points gets one outline together and keeps its colours.
            if few {
                each_lifted(&mut |_, place| stamp.add(place, style.outline_colour));
            }
            stamp.resize(disc, lift);
            each_lifted(&mut |slot, place| stamp.add(place, painted.fills()[slot]));
            self.marks.push(Arc::new(stamp.finish()));
        }
        let mut stamp = Stamp::new(Mesh::with_texture(ring.texture()), ring, 1.0);
        marked_in_view(
            index,
            viewport,
            ring.reach(),
            |run| painted.rings_in(run),
            |_, place| {
                stamp.add(place, style.ring_colour);
            },
        );
        self.marks.push(Arc::new(stamp.finish()));
    }
}

fn refresh(kept: &mut Option<(Look, f32, Sprite)>, context: &Context, name: &str, look: Look) {
    let density = context.pixels_per_point();
    if kept.as_ref().is_none_or(|(of, at, _)| *of != look || *at != density) {
        *kept = Some((look, density, Sprite::new(context, name, look)));
    }
}

/// The mesh of the last frame emptied, with its memory where nobody else holds it any more.
fn reused(mesh: &mut Arc<Mesh>, texture: TextureId) -> Mesh {
    let mut mesh = Arc::try_unwrap(std::mem::take(mesh)).unwrap_or_default();
    mesh.clear();
    mesh.texture_id = texture;
    mesh
}

/// Calls `with` for every slot in view, with its place on the screen. `reach` points around the view still count as in view.
fn each_in_view(index: &MapIndex, viewport: Viewport, reach: f32, mut with: impl FnMut(usize, Pos2)) {
    let rect = viewport.rect.expand(reach);
    for slot in index.runs(viewport.area(reach)).flatten() {
        let place = viewport.to_screen(index.points()[slot].map(f64::from));
        if rect.contains(place) {
            with(slot, place);
        }
    }
}

fn marked_in_view<'a>(
    index: &MapIndex,
    viewport: Viewport,
    reach: f32,
    marked: impl Fn(std::ops::Range<usize>) -> &'a [u32],
    mut with: impl FnMut(usize, Pos2),
) {
    let rect = viewport.rect.expand(reach);
    for slot in index.runs(viewport.area(reach)).flat_map(|run| marked(run).iter()) {
        let place = viewport.to_screen(index.points()[*slot as usize].map(f64::from));
        if rect.contains(place) {
            with(*slot as usize, place);
        }
    }
}

/// Adds the same mark at many places to a mesh.
struct Stamp {
    mesh: Mesh,
    corners: [(Vec2, Vec2); 3],
}

impl Stamp {
    fn new(mesh: Mesh, sprite: &Sprite, zoom: f32) -> Self {
        Self { mesh, corners: sprite.triangle(zoom) }
    }

    fn resize(&mut self, sprite: &Sprite, zoom: f32) {
        self.corners = sprite.triangle(zoom);
    }

    fn add(&mut self, place: Pos2, color: Color32) {
        let corners = self.corners.map(|(offset, uv)| Vertex { pos: place + offset, uv: uv.to_pos2(), color });
        self.mesh.vertices.extend(corners);
    }

    fn finish(mut self) -> Mesh {
        self.mesh.indices.clear();
        self.mesh.indices.extend(0..self.mesh.vertices.len() as u32);
        self.mesh
    }
}

/// The points of a [`MapIndex`] in a plot.
pub(super) struct MapItem<'a> {
    base: PlotItemBase,
    index: &'a MapIndex,
    painted: &'a Painted,
    style: &'a MapStyle,
    canvas: RefCell<&'a mut Canvas>,
}

impl<'a> MapItem<'a> {
    pub(super) fn new(index: &'a MapIndex, painted: &'a Painted, style: &'a MapStyle, canvas: &'a mut Canvas) -> Self {
        Self { base: PlotItemBase::new("specimens".into()), index, painted, style, canvas: RefCell::new(canvas) }
    }
}

impl PlotItem for MapItem<'_> {
    fn shapes(&self, ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>) {
        let bounds = transform.bounds();
        let view = View { centre: [bounds.center().x, bounds.center().y], scale: transform.dpos_dvalue()[0] };
        let mut canvas = self.canvas.borrow_mut();
        canvas.draw(ui.ctx(), self.index, self.painted, view.on(*transform.frame()), self.style);
        shapes.push(Shape::Mesh(Arc::clone(&canvas.points)));
        shapes.extend(canvas.marks.iter().filter(|mesh| !mesh.is_empty()).cloned().map(Shape::Mesh));
    }

    fn initialize(&mut self, _x_range: RangeInclusive<f64>) {}

    fn color(&self) -> Color32 {
        Color32::TRANSPARENT
    }

    fn geometry(&self) -> PlotGeometry<'_> {
        PlotGeometry::None
    }

    fn bounds(&self) -> PlotBounds {
        self.index.bounds().map_or(PlotBounds::NOTHING, |area| PlotBounds::from_min_max(area.min, area.max))
    }

    fn base(&self) -> &PlotItemBase {
        &self.base
    }

    fn base_mut(&mut self) -> &mut PlotItemBase {
        &mut self.base
    }
}
