//! The Atlas as a person meets it: empty, running, failed and ready, with the pointer, the legend, filters and search.

use crate::desk::{Desk, GENERA, SPECIMENS, everything, genus_of, places};
use barcodescope::data::taxonomy::Field;
use barcodescope::jobs::Task;
use barcodescope::session::columns::ColumnKey;
use barcodescope::session::selection::Mode;
use barcodescope::session::{Command, Input, Step};
use egui::accesskit::Role;
use egui::{Event, Modifiers, PointerButton, Pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

type Window = Harness<'static, Desk>;

fn place(window: &Window, row: usize) -> Pos2 {
    let rect = window.get_by_role(Role::Image).rect();
    let view = window.state().atlas.map().view().expect("the map is shown");
    view.on(rect).to_screen(places()[row].map(f64::from))
}

fn click(window: &mut Window, place: Pos2, button: PointerButton) {
    window.hover_at(place);
    window.run();
    for pressed in [true, false] {
        window.event(Event::PointerButton { pos: place, button, pressed, modifiers: Modifiers::NONE });
        window.run_steps(1);
    }
    window.run();
    window.run_steps(30);
}

fn box_around(window: &mut Window, rows: [usize; 2]) {
    let [low, high] = rows.map(|row| place(window, row));
    let path = [low + vec2(-8.0, 8.0), low, high, high + vec2(8.0, -8.0)];
    window.event(Event::ModifiersChanged(Modifiers::SHIFT));
    window.hover_at(path[0]);
    window.run();
    let button = |pos, pressed| Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::SHIFT,
    };
    window.event(button(path[0], true));
    window.run_steps(1);
    for place in path {
        window.hover_at(place);
        window.run_steps(1);
    }
    window.event(button(path[3], false));
    window.run_steps(1);
    window.event(Event::ModifiersChanged(Modifiers::NONE));
    window.run();
}

fn selected(window: &Window) -> Vec<u32> {
    window.state().session.selection.rows().as_slice().to_vec()
}

fn rows_of(genus: usize) -> Vec<u32> {
    (0..SPECIMENS).filter(|&row| genus_of(row) == genus && row % 11 != 10).map(|row| row as u32).collect()
}

#[test]
fn before_there_is_a_map_it_says_what_is_being_made() {
    let window = Desk::new(|task| matches!(task, Task::OpenDemo { .. }).then_some(Ok(()))).open();
    assert!(window.query_by_role(Role::Image).is_none());
    window.get_by_label_contains("The map is being made");
}

#[test]
fn a_map_in_the_making_is_shown_as_it_grows() {
    let mut desk = Desk::new(|task| (!matches!(task, Task::Map { .. })).then_some(Ok(())));
    assert!(desk.job_of_map().is_some());
    desk.shows(places());
    let mut window = desk.open();
    window.get_by_label(&format!("Map of {SPECIMENS} specimens"));
    let before = window.state().atlas.map().index().bounds();
    let grown: Vec<[f32; 2]> = places().iter().map(|[x, y]| [2.0 * x, 2.0 * y]).collect();
    window.state_mut().shows(grown);
    window.step();
    let after = window.state().atlas.map().index().bounds();
    assert_ne!(before, after, "the next picture is shown at once");
    let last = window.state().atlas.map().view();
    click(&mut window, egui::pos2(3.0, 3.0), PointerButton::Primary);
    assert_eq!(window.state().atlas.map().view(), last);
}

#[test]
fn a_picture_of_other_specimens_is_not_shown() {
    let mut desk = Desk::new(|task| (!matches!(task, Task::Map { .. })).then_some(Ok(())));
    desk.shows(vec![[0.0, 0.0]; SPECIMENS - 1]);
    let window = desk.open();
    assert!(window.query_by_role(Role::Image).is_none());
}

#[test]
fn a_failed_map_says_why_and_can_be_made_again() {
    let failing = |task: &Task| match task {
        Task::Map { embedded: None, .. } => Some(Err("the 6-mers ran out")),
        Task::LoadModel { .. } => Some(Err("no such model")),
        task => everything(task),
    };
    let mut window = Desk::new(failing).open();
    assert!(window.query_by_role(Role::Image).is_none());
    window.get_by_label_contains("6-mers ran out");
    window.get_by_label("Try again").click();
    window.run();
    assert!(window.state().commands.contains(&Command::Retry(Step::KmerMap)), "{:?}", window.state().commands);
}

#[test]
fn the_first_map_stays_when_the_next_one_fails() {
    let failing = |task: &Task| match task {
        Task::Map { embedded: Some(_), .. } => Some(Err("it fell apart")),
        task => everything(task),
    };
    let mut window = Desk::new(failing).open();
    window.get_by_label(&format!("Map of {SPECIMENS} specimens"));
    window.get_by_label_contains("by 6-mer counts");
    window.get_by_label_contains("It fell apart");
    window.get_by_label("Try again").click();
    window.run();
    assert!(window.state().commands.contains(&Command::Retry(Step::ModelMap)));
}

#[test]
fn a_click_selects_the_specimen_under_the_pointer_and_one_on_nothing_selects_none() {
    let mut window = Desk::new(everything).open();
    for row in [0, 77, SPECIMENS - 1] {
        let at = place(&window, row);
        click(&mut window, at, PointerButton::Primary);
        assert_eq!(selected(&window), [row as u32]);
        assert_eq!(window.state().session.selection.focus(), Some(row));
    }
    let nowhere = place(&window, 0) + vec2(-20.0, 20.0);
    click(&mut window, nowhere, PointerButton::Primary);
    assert!(selected(&window).is_empty());
}

#[test]
fn the_pointer_tells_id_label_and_what_the_model_says() {
    let mut window = Desk::new(everything).open();
    let row = 24;
    let at = place(&window, row);
    window.hover_at(at);
    window.run_steps(60);
    window.get_by_label(window.state().dataset().id(row));
    window.get_by_label("labelled genus");
    window.get_by_label("looks like genus");
    window.get_by_label_contains("another name than its label");
}

#[test]
fn a_box_never_takes_a_specimen_that_is_filtered_out() {
    let mut window = Desk::new(everything).open();
    let keep = ["malaise".to_owned()].into();
    window.state_mut().tell(Input::Command(Command::Filter(ColumnKey::Other(0), Some(keep))));
    window.run();
    box_around(&mut window, [0, 3]);
    let inside = |row: &usize| {
        let ([x, y], [low, high]) = (places()[*row], [places()[0], places()[3]]);
        low[0] <= x && x <= high[0] && low[1] <= y && y <= high[1]
    };
    let expected: Vec<u32> = (0..SPECIMENS / 2).filter(inside).map(|row| row as u32).collect();
    assert!(!expected.is_empty());
    assert_eq!(selected(&window), expected);
}

#[test]
fn the_legend_lists_the_groups_and_lights_one_up() {
    let mut window = Desk::new(everything).open();
    window.state_mut().tell(Input::Command(Command::ColourBy(Some(ColumnKey::Field(Field::Genus)))));
    window.run();
    for (genus, name) in GENERA.iter().enumerate() {
        window.get_by_label(&format!("{name}: {} specimens", rows_of(genus).len()));
    }
    window.get_by_label_contains("without a value");
    window.get_by_label_contains("Morpho: ").click();
    window.run();
    let lit = window.state().session.look.lit.clone().expect("a taxon is lit");
    assert_eq!((lit.taxon.name.as_str(), lit.rows.as_slice()), ("Morpho", rows_of(3).as_slice()));
    window.get_by_label_contains("Morpho: ").click();
    window.run();
    assert!(window.state().session.look.lit.is_none(), "clicking it again puts it out");
}

#[test]
fn a_click_on_the_legend_is_not_one_on_the_map() {
    let mut window = Desk::new(everything).open();
    let at = place(&window, 5);
    click(&mut window, at, PointerButton::Primary);
    let before = selected(&window);
    let title = window.get_by_label_contains("Colour by").rect();
    click(&mut window, title.left_bottom() + vec2(-3.0, 3.0), PointerButton::Primary);
    assert_eq!(selected(&window), before);
}

#[test]
fn searching_the_legend_lights_up_what_it_finds() {
    let mut window = Desk::new(everything).open();
    window.state_mut().tell(Input::Command(Command::ColourBy(Some(ColumnKey::Field(Field::Genus)))));
    window.run();
    window.get_by_label("Search the legend").focus();
    window.run();
    window.get_by_label("Search the legend").type_text("mo");
    window.run();
    window.get_by_label_contains("Morpho: ");
    assert!(window.query_by_label_contains("Apis: ").is_none());
    window.get_by_label_contains("1 group lit up");
    let shown = window.state().atlas.shown_in_colour();
    assert_eq!(shown, rows_of(3));
}

#[test]
fn misclassified_specimens_have_rings() {
    let window = Desk::new(everything).open();
    let session = &window.state().session;
    let wrong: Vec<u32> =
        (0..SPECIMENS).filter(|&row| session.results.is_misnamed(row) == Some(true)).map(|row| row as u32).collect();
    assert!(wrong.len() > 10 && wrong.len() < SPECIMENS / 2);
    assert_eq!(window.state().atlas.ringed(), wrong);
}

#[test]
fn the_other_button_offers_to_select_the_genus() {
    let mut window = Desk::new(everything).open();
    let at = place(&window, 4);
    click(&mut window, at, PointerButton::Secondary);
    let id = window.state().dataset().id(4).to_owned();
    window.get_by_label(&id);
    window.get_by_label_contains("Genus: Culex").hover();
    window.run_steps(40);
    window.get_by_label_contains("Select its").click();
    window.run();
    let expected = Command::Select(rows_of(4).into_iter().collect(), Mode::Replace);
    assert!(window.state().commands.contains(&expected), "{:?}", window.state().commands);
}

#[test]
fn the_filter_menu_hides_a_value() {
    let mut window = Desk::new(everything).open();
    window.get_by_label("Filter").click();
    window.run();
    window.get_by_label("Trap").click();
    window.run();
    window.get_by_label("light").click();
    window.run();
    let visible = window.state().session.look.visible.clone().expect("a filter is set");
    assert_eq!(visible.as_slice(), (0..SPECIMENS as u32 / 2).collect::<Vec<_>>());
    window.get_by_label_contains("120 of 240 specimens");
}
