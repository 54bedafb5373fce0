//! Choosing models.

use super::ask;
use crate::jobs::ModelSource;
use crate::session::Command;
use crate::session::Page;
use crate::session::masking::{LabCommand, Offered};
use crate::ui::files::Purpose;
use crate::ui::scope::Scope;
use crate::ui::theme;
use egui::{ComboBox, RichText, Ui};

/// The models of readings and comparison, several at once.
pub(super) fn several(ui: &mut Ui, scope: &mut Scope<'_>) {
    ui.label(RichText::new("Models").strong());
    let chosen = scope.session.lab_chosen();
    for Offered { source, title, about, .. } in scope.session.lab_models() {
        let mut is_chosen = chosen.contains(&source);
        if ui.checkbox(&mut is_chosen, title).on_hover_text(about).changed() {
            ask(scope, LabCommand::Choose(source, is_chosen));
        }
    }
    more(ui, scope);
}

/// Ways to more models.
pub(super) fn more(ui: &mut Ui, scope: &mut Scope<'_>) {
    ui.horizontal(|ui| {
        if ui.button("Open a model…").on_hover_text("A .safetensors, .pt or .pth file, or a model folder").clicked() {
            scope.choose(Purpose::LabModel);
        }
        if ui.button("Train one").on_hover_text("On the open barcodes, on the page Train").clicked() {
            scope.ask(Command::Show(Page::Train));
        }
    });
}

/// One model of those offered. Answers the one that was chosen instead.
pub(super) fn one(ui: &mut Ui, name: &str, now: &ModelSource, offered: &[Offered]) -> Option<ModelSource> {
    let label = ui.label(name);
    let title = offered.iter().find(|known| known.source == *now).map_or("another model", |known| known.title.as_str());
    let mut chosen = None;
    ComboBox::from_id_salt(name)
        .selected_text(title)
        .truncate()
        .width(1.4 * theme::NAME_COLUMN)
        .show_ui(ui, |ui| {
            for Offered { source, title, about, guesses } in offered {
                let without = if *guesses == Some(false) { ", guesses no k-mers" } else { "" };
                let entry = ui.selectable_label(source == now, title).on_hover_text(format!("{about}{without}"));
                if entry.clicked() {
                    chosen = Some(source.clone());
                }
            }
        })
        .response
        .labelled_by(label.id);
    chosen
}
