//! The atlas: every specimen a point on the map, coloured by a column, with a legend that lights up groups.

mod filter;
mod layout;
pub(super) mod palette;
mod scene;
mod specimen;

use super::super::legend::{Asked, Legend};
use super::super::scope::Scope;
use super::super::widgets::map::{Combine, Drawing, MapResponse, MapState, MapStyle, Mark, PointMap, Tool};
use super::super::widgets::{export, float, state};
use super::super::{theme, words};
use crate::pipeline::project::Source;
use crate::session::columns::ColumnKey;
use crate::session::export::Exported;
use crate::session::look::Look;
use crate::session::search::Taxon;
use crate::session::selection::{Mode, Rows};
use crate::session::{Command, Session, Step};
use egui::{ComboBox, Rect, RichText, Role, Ui, WidgetInfo, pos2, vec2};
use filter::FilterMenu;
use layout::LayoutMenu;
pub(super) use scene::{Colouring, number};
use scene::{Derived, Shown, ShownMap, pending};

/// Steps of the buttons that zoom.
const ZOOM_STEP: f64 = 1.5;
/// Width of the legend, and of the note about a map in the making.
const LEGEND: f32 = 232.0;
const NOTE: f32 = 340.0;
/// Height of that note: what it may cover of the map.
const NOTE_HEIGHT: f32 = 150.0;

/// What the atlas keeps from frame to frame.
#[derive(Default)]
pub struct Atlas {
    map: MapState,
    derived: Derived,
    legend: Legend,
    tool: Tool,
    shown: Shown,
    filters: FilterMenu,
    layout: LayoutMenu,
}

impl Atlas {
    /// Draws the view.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let tokens = theme::tokens(ui);
        let dark = ui.visuals().dark_mode;
        let there = self.derived.update(scope.session, scope.live, tokens, dark, self.shown, &self.legend.search);
        if !there {
            let steps = [Step::KmerMap, Step::Model, Step::Embedding, Step::ModelMap];
            state::waiting(ui, scope, "the map", &steps);
            return;
        }
        self.tools(ui, scope);
        let style = MapStyle::themed(tokens, scope.session.settings.still);
        let covered = if self.legend.open { LEGEND + theme::GAP } else { 0.0 };
        let map = PointMap::new(self.derived.scene(), &mut self.map, style).tool(self.tool).covered(covered);
        let answer = map.show(ui);
        let room = answer.response.rect;
        select(scope, &answer);
        specimen::describe(&answer, scope, &self.map);
        specimen::menu(&answer, scope);
        self.show_legend(ui, scope, room);
        note(ui, scope, room, self.derived.shown().is_some_and(|shown| shown.growing));
    }

    /// The map itself.
    pub fn map(&self) -> &MapState {
        &self.map
    }

    /// The rows that stand out in their colours, ascending.
    pub fn shown_in_colour(&self) -> Vec<u32> {
        let marks = self.derived.scene().marks.iter().zip(0..);
        marks.filter(|(mark, _)| **mark >= Mark::Shown).map(|(_, row)| row).collect()
    }

    /// The rows that have a ring, ascending.
    pub fn ringed(&self) -> Vec<u32> {
        self.derived.scene().rings.to_vec()
    }

    /// What can be done with the map, in a row above it.
    fn tools(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        ui.horizontal_wrapped(|ui| {
            for tool in Tool::ALL {
                ui.selectable_value(&mut self.tool, tool, tool.title()).on_hover_text(tool.hint());
            }
            ui.separator();
            for (sign, name, factor) in [("+", "Zoom in", ZOOM_STEP), ("−", "Zoom out", 1.0 / ZOOM_STEP)] {
                let button = ui.button(sign).on_hover_text(name);
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
                if button.clicked() {
                    self.map.zoom(factor);
                }
            }
            if ui.button("Fit").on_hover_text("Show the whole map (double click)").clicked() {
                self.map.fit();
            }
            ui.separator();
            self.layout.show(ui, scope);
            self.filters.show(ui, scope, &mut self.shown.ghosts);
            ui.menu_button("Show", |ui| {
                ui.checkbox(&mut self.shown.names, "Names of groups").on_hover_text("More of them appear closer by");
                ui.checkbox(&mut self.shown.rings, "Rings around misclassified specimens")
                    .on_hover_text("Specimens that are given another name than their label");
            });
            export::menu(ui, scope, &[Exported::Map, Exported::Places]);
            ui.label(
                RichText::new(caption(scope.session, self.derived.shown(), self.map.drawing()))
                    .color(theme::tokens(ui).quiet),
            );
        });
    }

    fn show_legend(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, map: Rect) {
        let margin = theme::GAP;
        let width = LEGEND.min(map.width() - 2.0 * margin);
        let room = Rect::from_min_max(
            pos2(map.right() - margin - width, map.top() + margin),
            map.right_bottom() - vec2(margin, margin),
        );
        let lit = lit_code(&scope.session.look);
        let session = scope.session;
        let mut chosen = None;
        let (groups, range) = (self.derived.groups(), self.derived.range());
        let asked = self.legend.show(ui, room, groups, range, lit, |ui| chosen = colour_menu(ui, session));
        if let Some(column) = chosen {
            self.legend.search.clear();
            scope.ask(Command::ColourBy(column));
        }
        if let Some(asked) = asked {
            answer_legend(scope, asked, lit);
        }
    }
}

/// Selects what was clicked or enclosed on a map.
pub(super) fn select(scope: &mut Scope<'_>, answer: &MapResponse) {
    if let Some((rows, combine)) = &answer.enclosed {
        scope.ask(Command::Select(rows.iter().copied().collect(), mode(*combine)));
    }
    match answer.clicked {
        Some((Some(row), combine)) => scope.ask(Command::Select(std::iter::once(row).collect(), mode(combine))),
        Some((None, Combine::Replace)) if !scope.session.selection.rows().is_empty() => scope.ask(Command::Clear),
        _ => {}
    }
}

fn mode(combine: Combine) -> Mode {
    match combine {
        Combine::Replace => Mode::Replace,
        Combine::Add => Mode::Add,
        Combine::Toggle => Mode::Toggle,
    }
}

/// What the map shows, in a line.
fn caption(session: &Session, shown: Option<ShownMap>, drawing: Drawing) -> String {
    let count = session.dataset().map_or(0, |opened| opened.dataset.len());
    let specimens = match &session.look.visible {
        Some(rows) => format!("{} of {}", words::count(rows.len()), words::counted(count, "specimen", "specimens")),
        None => words::counted(count, "specimen", "specimens"),
    };
    let source = shown.map_or("", |shown| match shown.source {
        Source::Kmers => " by 6-mer counts",
        Source::Model => " by the model's embeddings",
    });
    let selected = match session.selection.rows().len() {
        0 => String::new(),
        selected => format!(" · {} selected", words::count(selected)),
    };
    let drawn = if drawing == Drawing::Density { " · drawn as densities" } else { "" };
    format!("{specimens}{source}{drawn}{selected}")
}

/// The code of the lit taxon in the column that the map is coloured by.
fn lit_code(look: &Look) -> Option<u32> {
    let (values, lit) = (look.colouring.as_ref()?, look.lit.as_ref()?);
    (values.column == ColumnKey::Field(lit.taxon.field)).then_some(lit.taxon.code)
}

/// Chooses the column that the map is coloured by. `Some(None)` colours all alike.
fn colour_menu(ui: &mut Ui, session: &Session) -> Option<Option<ColumnKey>> {
    let dataset = &session.dataset()?.dataset;
    let now = session.look.colouring.as_ref().map(|values| values.column);
    let title = |column: Option<ColumnKey>| {
        column.map_or_else(|| "one colour".to_owned(), |column| words::capitalised(&column.title(dataset)))
    };
    let mut chosen = None;
    let menu = ComboBox::from_id_salt("colour by").selected_text(title(now)).width(LEGEND - 70.0);
    let menu = menu.truncate().height(420.0).show_ui(ui, |ui| {
        for column in std::iter::once(None).chain(session.columns().into_iter().map(Some)) {
            if ui.selectable_label(now == column, title(column)).clicked() {
                chosen = Some(column);
            }
        }
    });
    let name = format!("Colour by: {}", title(now));
    menu.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &name));
    menu.response.on_hover_text("The column that the map is coloured by");
    chosen
}

fn answer_legend(scope: &mut Scope<'_>, asked: Asked, lit: Option<u32>) {
    let Some(values) = &scope.session.look.colouring else { return };
    let (column, labels) = (values.column, &values.labels);
    let rows = |code: u32| -> Rows { (0..labels.len()).filter(|&row| labels.code(row) == Some(code)).collect() };
    match (asked, column) {
        (Asked::Light(code), ColumnKey::Field(_)) if lit == Some(code) => scope.ask(Command::Light(None)),
        (Asked::Light(code), ColumnKey::Field(field)) => {
            let name = labels.name(code).to_owned();
            let taxon = Taxon { field, code, name, specimens: rows(code).len() };
            scope.ask(Command::Light(Some(taxon)));
        }
        (Asked::Light(code) | Asked::Select(code), _) => scope.ask(Command::Select(rows(code), Mode::Replace)),
        (Asked::Only(code), _) => {
            let keep = std::iter::once(labels.name(code).to_owned()).collect();
            scope.ask(Command::Filter(column, Some(keep)));
        }
    }
}

/// Says in a corner of the map that another one is being made, or why there is none.
fn note(ui: &mut Ui, scope: &mut Scope<'_>, map: Rect, growing: bool) {
    let Some(step) = pending(scope.session) else { return };
    let width = NOTE.min(map.width() - LEGEND - 4.0 * theme::GAP).max(180.0);
    let room = Rect::from_min_size(map.left_top() + vec2(theme::GAP, theme::GAP), vec2(width, NOTE_HEIGHT));
    float::over(ui, "note about the map", room, |ui| {
        let failed = scope.session.results.stage(step).problem().is_some();
        ui.label(match (failed, step, growing) {
            (true, Step::ModelMap, _) => "The map stays as it was.".to_owned(),
            (true, _, _) => format!("The map stays as it was, without {}.", step.title()),
            (false, _, true) => "This map is still being laid out.".to_owned(),
            (false, _, false) => "The map of the model's embeddings replaces this one when it is ready.".to_owned(),
        });
        state::of_step(ui, scope, step);
    });
}
