//! The map hits what it shows: picking, boxes, lassos and drawing against their brute-force twins, and hands on the widget.
#![cfg(feature = "gui")]

use barcodescope::ui::theme::LIGHT;
use barcodescope::ui::widgets::map::density::Raster;
use barcodescope::ui::widgets::map::index::MapIndex;
use barcodescope::ui::widgets::map::lasso::Lasso;
use barcodescope::ui::widgets::map::paint::{Greys, Layer, Painted};
use barcodescope::ui::widgets::map::view::{Area, View, Viewport};
use barcodescope::ui::widgets::map::{Combine, Drawing, MapScene, MapState, MapStyle, Mark, PointMap, Tool};
use egui::{Color32, Event, Modifiers, PointerButton, Pos2, Rect, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use proptest::prelude::*;
use std::sync::Arc;

const GREYS: Greys = Greys { ghost: Color32::LIGHT_GRAY, muted: Color32::GRAY };
const RECT: Rect = Rect { min: pos2(20.0, 10.0), max: pos2(420.0, 310.0) };

/// Clusters, coinciding points, far outliers and points without a place.
fn positions() -> impl Strategy<Value = Vec<[f32; 2]>> {
    let cluster = (-3_i8..3, -3_i8..3, -0.4_f32..0.4, -0.4_f32..0.4)
        .prop_map(|(x, y, dx, dy)| [f32::from(x) + dx, f32::from(y) + dy]);
    let grid = (-4_i8..4, -4_i8..4).prop_map(|(x, y)| [f32::from(x), f32::from(y)]);
    let odd = prop_oneof![
        Just([f32::NAN, 0.0]),
        Just([1.0, f32::NEG_INFINITY]),
        Just([1e8, -1e8]),
        Just([-30.0, 2.0]),
        Just([f32::MAX, f32::MIN]),
    ];
    prop::collection::vec(prop_oneof![12 => cluster, 6 => grid, 1 => odd], 0..400)
}

fn mark() -> impl Strategy<Value = Mark> {
    prop_oneof![Just(Mark::Hidden), Just(Mark::Ghost), Just(Mark::Muted), Just(Mark::Shown), Just(Mark::Lifted)]
}

fn specimens() -> impl Strategy<Value = (Vec<[f32; 2]>, Vec<Mark>)> {
    positions().prop_flat_map(|positions| {
        let marks = prop::collection::vec(mark(), positions.len());
        (Just(positions), marks)
    })
}

fn viewport() -> impl Strategy<Value = Viewport> {
    (-5.0_f64..5.0, -5.0_f64..5.0, -1.0_f64..5.0)
        .prop_map(|(x, y, zoom)| View { centre: [x, y], scale: 10_f64.powf(zoom) }.on(RECT))
}

fn wide(point: [f32; 2]) -> [f64; 2] {
    point.map(f64::from)
}

fn pickable_rows<'a>(positions: &'a [[f32; 2]], marks: &'a [Mark]) -> impl Iterator<Item = u32> + 'a {
    let placed = |row: &u32| positions[*row as usize].iter().all(|value| value.is_finite());
    (0..positions.len() as u32).filter(|&row| marks[row as usize].is_pickable()).filter(placed)
}

proptest! {
    #[test]
    fn the_pointer_hits_the_nearest_specimen_that_is_not_filtered_out(
        (positions, marks) in specimens(), viewport in viewport(), x in 20.0_f32..420.0, y in 10.0_f32..310.0,
    ) {
        let (at, radius) = (viewport.to_map(pos2(x, y)), viewport.units(7.0));
        let distance = |row: u32| {
            let [px, py] = wide(positions[row as usize]);
            (px - at[0]).powi(2) + (py - at[1]).powi(2)
        };
        let expected = pickable_rows(&positions, &marks)
            .filter(|&row| distance(row) <= radius * radius)
            .min_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(b.cmp(&a)));
        let index = MapIndex::build(&positions);
        prop_assert_eq!(index.nearest(at, radius, |row| marks[row as usize].is_pickable()), expected);
    }

    #[test]
    fn a_box_holds_exactly_what_lies_in_it(
        (positions, marks) in specimens(), viewport in viewport(),
        from in (0.0_f32..440.0, 0.0_f32..330.0), to in (0.0_f32..440.0, 0.0_f32..330.0),
    ) {
        let area = Area::spanned(viewport.to_map(from.into()), viewport.to_map(to.into()));
        let inside = |row: &u32| area.contains(wide(positions[*row as usize]));
        let expected: Vec<u32> = pickable_rows(&positions, &marks).filter(inside).collect();
        let index = MapIndex::build(&positions);
        prop_assert_eq!(index.rows_in(area, |row| marks[row as usize].is_pickable()), expected);
    }

    #[test]
    fn a_lasso_holds_exactly_what_it_encloses(
        (positions, marks) in specimens(),
        corners in prop::collection::vec(
            prop_oneof![(-5.0_f64..5.0, -5.0_f64..5.0), (-4_i8..4, -4_i8..4).prop_map(|(x, y)| (f64::from(x), f64::from(y)))],
            0..12,
        ),
    ) {
        let lasso = Lasso::new(corners.into_iter().map(|(x, y)| [x, y]));
        let inside = |row: &u32| lasso.contains(wide(positions[*row as usize]));
        let expected: Vec<u32> = pickable_rows(&positions, &marks).filter(inside).collect();
        let index = MapIndex::build(&positions);
        prop_assert_eq!(lasso.rows_in(&index, |row| marks[row as usize].is_pickable()), expected);
    }

    #[test]
    fn every_specimen_in_view_is_counted_in_the_picture((positions, marks) in specimens(), viewport in viewport()) {
        let index = MapIndex::build(&positions);
        let painted = Painted::new(&index, &vec![Color32::WHITE; positions.len()], &marks, &[], GREYS);
        for (layer, wanted) in [(Layer::Back, vec![Mark::Ghost, Mark::Muted]), (Layer::Middle, vec![Mark::Shown]),
                                (Layer::Front, vec![Mark::Lifted])] {
            let mut raster = Raster::default();
            raster.draw(&index, &painted, &[layer], viewport, 1.5, 0.5);
            prop_assert_eq!(raster.size, [600, 450]);
            let mut expected = vec![0; 600 * 450];
            for (point, _) in positions.iter().zip(&marks).filter(|(_, mark)| wanted.contains(mark)) {
                let place = [0, 1].map(|axis| {
                    let area = viewport.area(0.0);
                    let from_edge = [f64::from(point[0]) - area.min[0], area.max[1] - f64::from(point[1])][axis];
                    from_edge * ([600.0, 450.0][axis] / area.size()[axis])
                });
                if place[0] >= 0.0 && place[1] >= 0.0 && place[0] < 600.0 && place[1] < 450.0 {
                    expected[place[1] as usize * 600 + place[0] as usize] += 1;
                }
            }
            let counted: Vec<u32> = raster.counts().collect();
            prop_assert!(counted == expected, "layer {:?}: {} of {} points", layer, counted.iter().sum::<u32>(), expected.iter().sum::<u32>());
        }
    }
}

/// A window with nothing but the map.
struct Bench {
    scene: MapScene,
    state: MapState,
    style: MapStyle,
    tool: Tool,
    hovered: Option<u32>,
    clicked: Vec<(Option<u32>, Combine)>,
    enclosed: Vec<(Vec<u32>, Combine)>,
    context: Option<u32>,
}

impl Bench {
    fn new(positions: Vec<[f32; 2]>, marks: Vec<Mark>) -> Self {
        let colours = Arc::new(vec![Color32::from_rgb(0, 100, 200); positions.len()]);
        Self {
            scene: MapScene { positions: Arc::new(positions), marks: Arc::new(marks), colours, ..MapScene::default() },
            state: MapState::default(),
            style: MapStyle::themed(&LIGHT, false),
            tool: Tool::Pan,
            hovered: None,
            clicked: Vec::new(),
            enclosed: Vec::new(),
            context: None,
        }
    }

    fn open(self) -> Harness<'static, Self> {
        let show = |ui: &mut egui::Ui, bench: &mut Self| {
            let Self { scene, state, style, tool, .. } = bench;
            let map = PointMap::new(scene, state, *style).tool(*tool).show(ui);
            bench.hovered = map.hovered;
            bench.clicked.extend(map.clicked);
            bench.enclosed.extend(map.enclosed);
            bench.context = map.context;
        };
        let mut harness = Harness::builder()
            .with_size(vec2(600.0, 400.0))
            .with_step_dt(1.0 / 60.0)
            .with_max_steps(90)
            .build_ui_state(show, self);
        harness.run();
        harness
    }
}

trait Hands {
    fn place(&self, row: usize) -> Pos2;
    fn map_rect(&self) -> Rect;
    fn press_at(&mut self, place: Pos2, button: PointerButton, modifiers: Modifiers);
    fn drag_through(&mut self, path: &[Pos2], modifiers: Modifiers);
}

impl Hands for Harness<'_, Bench> {
    fn place(&self, row: usize) -> Pos2 {
        let bench = self.state();
        let view = bench.state.view().expect("the map was shown");
        view.on(self.map_rect()).to_screen(wide(bench.scene.positions[row]))
    }

    fn map_rect(&self) -> Rect {
        self.get_by_role(egui::accesskit::Role::Image).rect()
    }

    fn press_at(&mut self, place: Pos2, button: PointerButton, modifiers: Modifiers) {
        self.hover_at(place);
        self.event(Event::ModifiersChanged(modifiers));
        self.run();
        for pressed in [true, false] {
            self.event(Event::PointerButton { pos: place, button, pressed, modifiers });
            self.run_steps(1);
        }
        self.event(Event::ModifiersChanged(Modifiers::NONE));
        self.run();
        // A second click within the double-click time would count as one.
        self.run_steps(40);
    }

    fn drag_through(&mut self, path: &[Pos2], modifiers: Modifiers) {
        self.hover_at(path[0]);
        self.event(Event::ModifiersChanged(modifiers));
        self.run();
        let button = |pos, pressed| Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers };
        self.event(button(path[0], true));
        self.run_steps(1);
        for &place in &path[1..] {
            self.event(Event::PointerMoved(place));
            self.run_steps(1);
        }
        self.event(button(path[path.len() - 1], false));
        self.run_steps(1);
        self.event(Event::ModifiersChanged(Modifiers::NONE));
        self.run();
    }
}

fn lattice() -> Vec<[f32; 2]> {
    (0..100).map(|row| [(row % 10) as f32, (row / 10) as f32]).collect()
}

#[test]
fn clicks_reach_the_specimen_that_is_shown_and_never_one_that_is_filtered_out() {
    let mut marks = vec![Mark::Shown; 100];
    (marks[11], marks[12], marks[13]) = (Mark::Hidden, Mark::Ghost, Mark::Muted);
    let mut harness = Bench::new(lattice(), marks).open();
    for row in [0, 11, 12, 13, 99] {
        let place = harness.place(row);
        harness.press_at(place, PointerButton::Primary, Modifiers::NONE);
    }
    let clicked: Vec<Option<u32>> = harness.state().clicked.iter().map(|(row, _)| *row).collect();
    assert_eq!(clicked, [Some(0), None, None, Some(13), Some(99)]);

    let place = harness.place(42);
    harness.hover_at(place + vec2(2.0, -1.0));
    harness.run();
    assert_eq!(harness.state().hovered, Some(42));
    harness.press_at(place, PointerButton::Secondary, Modifiers::NONE);
    assert_eq!(harness.state().context, Some(42));
    harness.press_at(place, PointerButton::Primary, Modifiers::COMMAND);
    assert_eq!(harness.state().clicked.last(), Some(&(Some(42), Combine::Toggle)));
}

#[test]
fn shift_drags_a_box_and_the_lasso_tool_an_outline() {
    let mut marks = vec![Mark::Shown; 100];
    marks[1] = Mark::Hidden;
    let mut harness = Bench::new(lattice(), marks).open();
    let before = harness.state().state.view();
    let (low, high) = (harness.place(0) + vec2(-9.0, 9.0), harness.place(12) + vec2(9.0, -9.0));
    harness.drag_through(&[low, low + vec2(10.0, -10.0), high], Modifiers::SHIFT);
    assert_eq!(harness.state().enclosed, [(vec![0, 2, 10, 11, 12], Combine::Replace)]);
    assert_eq!(harness.state().state.view(), before, "selecting does not move the map");

    harness.state_mut().enclosed.clear();
    harness.state_mut().tool = Tool::Lasso;
    let around = |row: usize, x: f32, y: f32, harness: &Harness<'_, Bench>| harness.place(row) + vec2(x, y);
    let triangle = [around(0, -9.0, 9.0, &harness), around(3, 19.0, 9.0, &harness), around(30, -9.0, -19.0, &harness)];
    harness.drag_through(&triangle, Modifiers::COMMAND);
    assert_eq!(harness.state().enclosed, [(vec![0, 2, 3, 10, 11, 12, 20, 21, 30], Combine::Add)]);
}

#[test]
fn dragging_moves_the_wheel_zooms_and_a_double_click_shows_all_again() {
    let mut harness = Bench::new(lattice(), vec![Mark::Shown; 100]).open();
    let whole = harness.state().state.view().expect("shown");
    let start = harness.place(55);
    harness.drag_through(&[start, start + vec2(20.0, 0.0), start + vec2(40.0, -30.0)], Modifiers::NONE);
    assert!(harness.place(55).distance(start + vec2(40.0, -30.0)) < 8.0, "the map follows the hand");
    assert!(harness.state().enclosed.is_empty() && harness.state().clicked.is_empty());

    let under = harness.place(55);
    harness.hover_at(under);
    harness.run();
    harness.event(Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, 120.0),
        source: egui::MouseWheelSource::Unknown,
        phase: egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(30);
    let closer = harness.state().state.view().expect("shown");
    assert!(closer.scale > 1.3 * whole.scale, "{} -> {}", whole.scale, closer.scale);
    assert!(harness.place(55).distance(under) < 0.5, "what is under the pointer stays there");

    for pressed in [true, false, true, false] {
        let event =
            Event::PointerButton { pos: under, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE };
        harness.event(event);
        harness.run_steps(1);
    }
    harness.run();
    assert_eq!(harness.state().state.view(), Some(whole));
}

#[test]
fn keys_move_and_zoom_the_map_that_has_the_focus() {
    let mut harness = Bench::new(lattice(), vec![Mark::Shown; 100]).open();
    let whole = harness.state().state.view().expect("shown");
    harness.key_press(egui::Key::ArrowRight);
    harness.run();
    assert_eq!(harness.state().state.view(), Some(whole), "the keys are not the map's before it has the focus");
    harness.get_by_role(egui::accesskit::Role::Image).focus();
    harness.run();
    harness.key_press(egui::Key::ArrowRight);
    harness.key_press(egui::Key::Plus);
    harness.run();
    let moved = harness.state().state.view().expect("shown");
    assert!(moved.centre[0] > whole.centre[0] && moved.scale > whole.scale, "{moved:?}");
    harness.key_press(egui::Key::Home);
    harness.run();
    assert_eq!(harness.state().state.view(), Some(whole));
}

#[test]
fn a_specimen_found_elsewhere_comes_into_view() {
    let mut harness = Bench::new(lattice(), vec![Mark::Shown; 100]).open();
    let whole = harness.state().state.view();
    harness.state_mut().scene.focus = Some(99);
    harness.run();
    assert_eq!(harness.state().state.view(), whole, "it is in view already");
    let rect = harness.map_rect();
    harness.state_mut().state.look_at(Area { min: [0.0, 0.0], max: [1.0, 1.0] }, rect);
    harness.state_mut().scene.focus = Some(77);
    harness.run();
    assert!(harness.place(77).distance(rect.center()) < 1.0);
    harness.state_mut().state.look_at(Area { min: [0.0, 0.0], max: [1.0, 1.0] }, rect);
    harness.run();
    assert!(!rect.contains(harness.place(77)), "and only once: the user may look away");
}

#[test]
fn rings_and_the_selection_are_drawn_above_the_mesh() {
    let mut marks = vec![Mark::Muted; 100];
    (marks[7], marks[8]) = (Mark::Lifted, Mark::Hidden);
    let mut bench = Bench::new(lattice(), marks);
    bench.scene.rings = Arc::new(vec![7, 8, 9]);
    let harness = bench.open();
    let state = &harness.state().state;
    assert_eq!(state.mesh().indices.len() / 3, 98, "the selected and the hidden one are not in it");
    let above: Vec<usize> = state.marks().iter().map(|mesh| mesh.indices.len() / 3).collect();
    assert_eq!(above, [2, 2], "the selected one with its outline; rings of the two that are not filtered out");
}

#[test]
fn the_mesh_holds_every_point_in_view_and_no_other() {
    let mut marks = vec![Mark::Shown; 100];
    (marks[0], marks[1], marks[2]) = (Mark::Hidden, Mark::Ghost, Mark::Muted);
    let mut harness = Bench::new(lattice(), marks).open();
    let triangles = |harness: &Harness<'_, Bench>| harness.state().state.mesh().indices.len() / 3;
    assert_eq!(triangles(&harness), 99);
    assert_eq!(harness.state().state.drawing(), Drawing::Mesh);
    let rect = harness.map_rect();
    harness.state_mut().state.look_at(Area { min: [4.6, 4.6], max: [5.4, 5.4] }, rect);
    harness.run();
    assert_eq!(triangles(&harness), 1, "only the specimen in the middle is in view");
}

#[test]
fn too_many_points_are_drawn_as_a_picture() {
    let mut bench = Bench::new(lattice(), vec![Mark::Shown; 100]);
    bench.style.mesh_limit = 99;
    let harness = bench.open();
    assert_eq!(harness.state().state.drawing(), Drawing::Density);
    assert_eq!(harness.state().state.mesh().indices.len(), 6, "one rectangle");
}

#[test]
fn a_new_projection_moves_the_points_there_and_a_live_one_shows_them_at_once() {
    let mut harness = Bench::new(lattice(), vec![Mark::Shown; 100]).open();
    let first_at = |harness: &Harness<'_, Bench>| {
        let index = harness.state().state.index();
        let slot = index.rows().iter().position(|&row| row == 0).expect("row 0 is on the map");
        index.points()[slot]
    };
    let moved: Vec<[f32; 2]> = lattice().iter().map(|[x, y]| [x + 100.0, *y]).collect();
    let scene = &mut harness.state_mut().scene;
    (scene.positions, scene.space) = (Arc::new(moved), 1);
    harness.run_steps(2);
    assert!(harness.state().state.is_moving());
    let between = first_at(&harness)[0];
    assert!(0.0 < between && between < 100.0, "{between}");
    harness.run_steps(60);
    assert!(!harness.state().state.is_moving());
    assert_eq!(first_at(&harness), [100.0, 0.0]);

    harness.state_mut().scene.positions = Arc::new(lattice());
    harness.step();
    assert!(!harness.state().state.is_moving());
    assert_eq!(first_at(&harness), [0.0, 0.0]);

    harness.state_mut().style.motion_secs = 0.0;
    let scene = &mut harness.state_mut().scene;
    (scene.positions, scene.space) = (Arc::new(vec![[7.0, 7.0]; 100]), 2);
    harness.step();
    assert_eq!(first_at(&harness), [7.0, 7.0], "motion can be turned off");
}

#[test]
fn very_many_points_are_ordered_beside_the_window() {
    let mut bench = Bench::new(lattice(), vec![Mark::Shown; 100]);
    bench.style.wait_limit = 99;
    let mut harness = bench.open();
    let until = |harness: &mut Harness<'_, Bench>, there: &dyn Fn(&MapState) -> bool| {
        let start = std::time::Instant::now();
        while !there(&harness.state().state) {
            assert!(start.elapsed().as_secs() < 60, "the points never came");
            std::thread::sleep(std::time::Duration::from_millis(1));
            harness.step();
        }
    };
    until(&mut harness, &|state| state.index().len() == 100);
    let whole = harness.state().state.view();
    // Another part of the map is looked at while the places in it change.
    let rect = harness.map_rect();
    harness.state_mut().state.look_at(Area { min: [4.6, 4.6], max: [5.4, 5.4] }, rect);
    harness.step();
    let near = harness.state().state.view();
    assert_ne!(near, whole);
    let moved = |by: f32| -> Vec<[f32; 2]> { lattice().iter().map(|[x, y]| [x + by, *y]).collect() };
    harness.state_mut().scene.positions = Arc::new(moved(10.0));
    until(&mut harness, &|state| state.index().points().iter().all(|point| point[0] >= 10.0));
    assert_eq!(harness.state().state.view(), near, "the same space");
    let scene = &mut harness.state_mut().scene;
    (scene.positions, scene.space) = (Arc::new(moved(20.0)), 1);
    until(&mut harness, &|state| state.index().points().iter().all(|point| point[0] >= 20.0));
    assert!(!harness.state().state.is_moving(), "nothing travels");
    let shown = harness.state().state.view().expect("the map is shown");
    assert!((shown.centre[0] - 24.5).abs() < 1.0, "another space is shown as a whole");

    // A map that is given up while it is ordered never comes, and the view stays.
    harness.state_mut().state.look_at(Area { min: [24.6, 4.6], max: [25.4, 5.4] }, rect);
    harness.step();
    let near = harness.state().state.view();
    let kept = Arc::clone(&harness.state().scene.positions);
    let scene = &mut harness.state_mut().scene;
    (scene.positions, scene.space) = (Arc::new(moved(90.0)), 2);
    harness.step();
    let scene = &mut harness.state_mut().scene;
    (scene.positions, scene.space) = (kept, 1);
    for _ in 0..50 {
        harness.step();
        std::thread::sleep(std::time::Duration::from_millis(1));
        let state = &harness.state().state;
        assert_eq!(state.view(), near);
        assert!(state.index().points().iter().all(|point| point[0] < 30.0));
    }

    // Other specimens, fewer, more or as many: the old ones are gone at once.
    for (specimens, count) in [(0u8, 150), (0, 20), (1, 20)] {
        let place = [f32::from(specimens), 2.0];
        let scene = &mut harness.state_mut().scene;
        (scene.positions, scene.specimens) = (Arc::new(vec![place; count]), u64::from(specimens));
        harness.step();
        assert!(harness.state().state.index().points().iter().all(|&point| point == place));
        until(&mut harness, &|state| state.index().len() == count);
    }
    harness.run_steps(3);
    let delay = harness.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay > std::time::Duration::from_secs(1), "{delay:?}");
}

#[test]
fn an_idle_map_asks_for_no_repaint_and_an_empty_one_is_whole() {
    for positions in [lattice(), Vec::new(), vec![[f32::NAN; 2]; 3], vec![[1.0, 1.0]; 3]] {
        let count = positions.len();
        let mut harness = Bench::new(positions, vec![Mark::Shown; count]).open();
        harness.run_steps(3);
        let delay = harness.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
        assert!(delay > std::time::Duration::from_secs(1), "{delay:?} for {count} points");
        let place = harness.map_rect().center();
        harness.press_at(place, PointerButton::Primary, Modifiers::NONE);
        assert_eq!(harness.state().clicked.len(), 1);
    }
}
