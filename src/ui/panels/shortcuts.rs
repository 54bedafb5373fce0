//! The keyboard shortcuts.

use crate::ui::keys::SHORTCUTS;
use crate::ui::theme;
use egui::{Context, Grid, Modal, RichText};

/// Draws the help. Returns whether it should be closed.
pub fn show(ctx: &Context) -> bool {
    let modal = Modal::new(egui::Id::unique("shortcuts")).show(ctx, |ui| {
        ui.set_width(theme::DIALOG);
        ui.heading("Keyboard and mouse");
        Grid::new("shortcuts").num_columns(2).spacing([theme::GROUP_GAP, theme::GRID]).show(ui, |ui| {
            for shortcut in &SHORTCUTS {
                ui.label(RichText::new(shortcut.keys).strong());
                ui.label(shortcut.does);
                ui.end_row();
            }
        });
        ui.add_space(theme::GAP);
        if ui.button("Close").clicked() {
            ui.close();
        }
    });
    modal.should_close()
}
