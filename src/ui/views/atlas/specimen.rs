//! One specimen on the map: what stands beside the pointer, and what a right click offers.

use crate::data::taxonomy::Field;
use crate::session::columns::ColumnKey;
use crate::session::search::Taxon;
use crate::session::selection::Mode;
use crate::session::{Command, Session};
use crate::ui::scope::Scope;
use crate::ui::widgets::map::{MapResponse, MapState};
use crate::ui::words;
use egui::{RichText, Ui};

/// Labels by which a right click selects, from the finest.
const SELECTED_BY: [Field; 5] = [Field::Species, Field::Bin, Field::Genus, Field::Family, Field::Order];

/// What stands beside the pointer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Card {
    id: String,
    /// Pairs of a name and a value.
    lines: Vec<(String, String)>,
    misnamed: bool,
}

/// Shows what is known of the specimen under the pointer.
pub(super) fn describe(answer: &MapResponse, scope: &Scope<'_>, map: &MapState) {
    let Some(row) = answer.hovered.map(|row| row as usize) else { return };
    let here = map.specimens_at(row);
    let Some(card) = card(scope.session, row, here) else { return };
    answer.response.clone().on_hover_ui_at_pointer(|ui| show(ui, &card));
}

fn show(ui: &mut Ui, card: &Card) {
    let tokens = crate::ui::theme::tokens(ui);
    ui.label(RichText::new(&card.id).strong());
    egui::Grid::new("specimen under the pointer").num_columns(2).show(ui, |ui| {
        for (name, value) in &card.lines {
            ui.label(RichText::new(name).color(tokens.quiet));
            ui.label(value);
            ui.end_row();
        }
    });
    if card.misnamed {
        ui.label(RichText::new("The model gives it another name than its label.").color(tokens.wrong));
    }
}

/// What is known of a specimen in a few lines. `here` is the number of specimens at its place.
fn card(session: &Session, row: usize, here: usize) -> Option<Card> {
    let dataset = &session.dataset()?.dataset;
    let mut lines = Vec::new();
    let call = session.results.call(row);
    let rank = call.map(|(names, _)| names.rank);
    let finest = [Field::Species, Field::Genus, Field::Family, Field::Order];
    let known = |field: &Field| dataset.label(row, *field).is_some();
    if let Some(field) = rank.filter(known).or_else(|| finest.into_iter().find(known)) {
        let label = dataset.label(row, field).unwrap_or_default();
        lines.push((format!("labelled {}", field.title()), label.to_owned()));
    } else {
        lines.push(("labelled".to_owned(), "no name".to_owned()));
    }
    if let Some((names, call)) = call {
        let predicted = call.predicted.map_or("nothing", |name| names.names[name as usize].as_str());
        lines.push((format!("looks like {}", names.rank.title()), predicted.to_owned()));
    }
    if let Some(values) = &session.look.colouring {
        let shown = matches!(values.column, ColumnKey::Field(field) if rank.is_none_or(|rank| rank == field) && known(&field))
            || values.column == ColumnKey::Predicted;
        if let Some(value) = values.labels.get(row).filter(|_| !shown) {
            lines.push((values.column.title(dataset), value.to_owned()));
        }
    }
    if here > 1 {
        lines.push(("at this place".to_owned(), words::counted(here, "specimen", "specimens")));
    }
    let misnamed = session.results.is_misnamed(row) == Some(true);
    Some(Card { id: dataset.id(row).to_owned(), lines, misnamed })
}

/// What can be done with the specimen that was clicked with the other button.
pub(super) fn menu(answer: &MapResponse, scope: &mut Scope<'_>) {
    answer.response.context_menu(|ui| {
        match answer.context.map(|row| row as usize) {
            Some(row) => of_specimen(ui, scope, row),
            None => {
                ui.label(RichText::new("No specimen here").weak());
            }
        }
        if !scope.session.selection.rows().is_empty() && ui.button("Select nothing").clicked() {
            scope.ask(Command::Clear);
        }
    });
}

fn of_specimen(ui: &mut Ui, scope: &mut Scope<'_>, row: usize) {
    let Some(dataset) = scope.dataset() else { return };
    let id = dataset.id(row);
    ui.label(RichText::new(id).strong());
    if ui.button("Look at it").on_hover_text("In the panel at the side").clicked() {
        scope.ask(Command::FocusOn(row));
    }
    if ui.button("Copy its id").clicked() {
        ui.ctx().copy_text(id.to_owned());
    }
    ui.separator();
    for field in SELECTED_BY {
        let labels = dataset.labels(field);
        let Some(code) = labels.code(row) else { continue };
        let name = labels.name(code).to_owned();
        ui.menu_button(format!("{}: {name}", words::capitalised(field.title())), |ui| {
            let taxon = Taxon { field, code, name: name.clone(), specimens: labels.counts()[code as usize] };
            let count = words::counted(taxon.specimens, "specimen", "specimens");
            if ui.button(format!("Select its {count}")).clicked() {
                scope.ask(Command::Select(taxon.rows(dataset), Mode::Replace));
            }
            if ui.button("Light up").clicked() {
                scope.ask(Command::Light(Some(taxon)));
            }
            if ui.button("Show only these").clicked() {
                let keep = std::iter::once(name.clone()).collect();
                scope.ask(Command::Filter(ColumnKey::Field(field), Some(keep)));
            }
        });
    }
}
