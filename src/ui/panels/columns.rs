//! Naming the columns of a table whose layout is unknown: guessed, shown, editable.

use crate::data::import::{ColumnMapping, Role};
use crate::jobs::ColumnQuestion;
use crate::session::Command;
use crate::ui::scope::Scope;
use crate::ui::{theme, words};
use egui::{ComboBox, Context, Grid, Modal, RichText, ScrollArea, Ui};

/// What stands for no column.
const NONE: &str = "none";

/// The form, while it is being filled in.
#[derive(Default)]
pub struct ColumnForm {
    /// The question that the form is about, and its answer so far.
    filled: Option<(ColumnQuestion, ColumnMapping)>,
}

impl ColumnForm {
    /// Draws the form while there is a question.
    pub fn show(&mut self, ctx: &Context, scope: &mut Scope<'_>) {
        let Some(question) = &scope.session.question else {
            self.filled = None;
            return;
        };
        if self.filled.as_ref().is_none_or(|(filled, _)| filled != question) {
            self.filled = Some((question.clone(), question.guess.clone()));
        }
        let Some((_, mapping)) = &mut self.filled else { return };
        let modal = Modal::new(egui::Id::unique("columns")).show(ctx, |ui| {
            ui.set_width(theme::READING);
            let name = question.table.file_name().unwrap_or_default().to_string_lossy().into_owned();
            ui.heading("What do the columns hold?");
            ui.label(format!(
                "{name} has a layout that Barcodescope does not know. This is a guess; correct it where it is wrong. It is \
                 remembered for tables with the same columns."
            ));
            ScrollArea::vertical().max_height(ui.ctx().content_rect().height() * 0.5).show(ui, |ui| {
                roles(ui, question, mapping);
            });
            first_rows(ui, &question.header, &question.sample);
            let missing = mapping.column(Role::Sequence).is_none();
            if missing {
                let text = "No column holds the sequence: the table gives labels to the records of other files.";
                ui.label(RichText::new(text).color(theme::tokens(ui).warning));
            }
            ui.horizontal(|ui| {
                if ui.button("Open with these columns").clicked() {
                    scope.ask(Command::NameColumns(Some(mapping.clone())));
                }
                if ui.button("Cancel").clicked() {
                    ui.close();
                }
            });
        });
        if modal.should_close() {
            scope.ask(Command::NameColumns(None));
        }
    }
}

fn roles(ui: &mut Ui, question: &ColumnQuestion, mapping: &mut ColumnMapping) {
    Grid::new("roles").num_columns(2).spacing([theme::GROUP_GAP, theme::GRID]).show(ui, |ui| {
        for role in Role::all() {
            let label = ui.label(words::capitalised(&role.key().replace('_', " ")));
            let mut chosen = mapping.column(role).unwrap_or(NONE).to_owned();
            let before = chosen.clone();
            ComboBox::from_id_salt(role.key())
                .selected_text(&chosen)
                .width(2.0 * theme::NAME_COLUMN)
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut chosen, NONE.to_owned(), NONE);
                    for column in question.header.iter().filter(|column| *column != NONE) {
                        ui.selectable_value(&mut chosen, column.clone(), column);
                    }
                })
                .response
                .labelled_by(label.id);
            if chosen != before {
                mapping.set(role, Some(chosen.as_str()).filter(|column| *column != NONE));
            }
            ui.end_row();
        }
    });
}

/// The first rows of a table, under the names of its columns.
pub fn first_rows(ui: &mut Ui, columns: &[String], rows: &[Vec<String>]) {
    ui.label(RichText::new("The first rows").color(theme::tokens(ui).quiet));
    ScrollArea::horizontal().id_salt("sample").show(ui, |ui| {
        Grid::new("sample rows").striped(true).spacing([theme::GAP, theme::GRID]).show(ui, |ui| {
            for column in columns {
                ui.label(RichText::new(column).strong().small());
            }
            ui.end_row();
            for row in rows {
                for cell in row.iter().take(columns.len()) {
                    ui.label(RichText::new(first_letters(cell)).small());
                }
                ui.end_row();
            }
        });
    });
}

fn first_letters(cell: &str) -> String {
    const LETTERS: usize = 24;
    if cell.chars().count() <= LETTERS {
        cell.to_owned()
    } else {
        cell.chars().take(LETTERS - 1).chain(['…']).collect()
    }
}
