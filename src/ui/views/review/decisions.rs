//! Every decision: who, when, what, why.

use super::actions::history;
use super::ask;
use crate::data::taxonomy::Field;
use crate::pipeline::scope::{Decision, Entry};
use crate::session::Command;
use crate::session::review::{ReviewCommand, ReviewTab};
use crate::ui::scope::Scope;
use crate::ui::theme;
use crate::ui::widgets::table::{Table, TableColumn};
use egui::{Label, RichText, Ui};

const COLUMNS: [TableColumn; 8] = [
    TableColumn::text("specimen", 120.0, "The specimen; click to look at it"),
    TableColumn::text("decision", 100.0, "What was decided"),
    TableColumn::text("rank", 70.0, "The label that it is about"),
    TableColumn::text("from", 150.0, "What the label was"),
    TableColumn::text("to", 150.0, "What it became, or the tag"),
    TableColumn::text("who", 90.0, "Who decided"),
    TableColumn::text("when", 150.0, "Date and time in UTC"),
    TableColumn::text("why", 160.0, "The reason; decisions that were taken back are struck out"),
];

/// Draws the list, the latest decision first.
pub(super) fn show(ui: &mut Ui, scope: &mut Scope<'_>) {
    let entries = scope.session.reviewing.entries().clone();
    ui.horizontal_wrapped(|ui| history(ui, scope));
    if entries.is_empty() {
        ui.label("Nothing was decided yet.");
        return;
    }
    let at = |position: usize| &entries[entries.len() - 1 - position];
    let table = Table {
        id: "decided",
        name: "decisions",
        columns: &COLUMNS,
        rows: entries.len(),
        sorting: None,
        height: None,
        current: None,
        scroll_to: None,
    };
    let answer = table.show(
        ui,
        |_| false,
        |ui, position, column| {
            let entry = at(position);
            let text = RichText::new(text(entry, column));
            let text = if entry.undone { text.strikethrough().color(theme::tokens(ui).quiet) } else { text };
            ui.add(Label::new(text).truncate());
        },
    );
    if let (Some((position, _)), Some(dataset)) = (answer.chosen, scope.dataset())
        && let Some(row) = dataset.row_of(&at(position).value.specimen)
    {
        scope.ask(Command::FocusOn(row));
        ask(scope, ReviewCommand::Show(ReviewTab::Queue));
    }
}

fn text(entry: &Entry<Decision>, column: usize) -> String {
    let Decision { kind, specimen, field, old, new, who, reason, .. } = &entry.value;
    match column {
        0 => specimen.clone(),
        1 => kind.title().to_owned(),
        2 => field.map_or("", Field::title).to_owned(),
        3 => old.clone().unwrap_or_default(),
        4 => new.clone().unwrap_or_else(|| if field.is_some() { "none".to_owned() } else { String::new() }),
        5 => who.clone(),
        6 if entry.time_secs == 0 => "being kept".to_owned(),
        6 => entry.time(),
        _ => reason.clone(),
    }
}
