//! The export menu of a view.

use crate::session::export::Exported;
use crate::ui::files::Purpose;
use crate::ui::scope::Scope;
use egui::Ui;

/// A menu of what can be exported here; what is not there yet is grey. Every menu ends with the selected specimens and the
/// methods paragraph.
pub fn menu(ui: &mut Ui, scope: &mut Scope<'_>, offered: &[Exported]) {
    ui.menu_button("Export", |ui| {
        entries(ui, scope, offered);
        ui.separator();
        entries(ui, scope, &[Exported::SelectedFasta, Exported::SelectedTable, Exported::Embeddings]);
        ui.separator();
        entries(ui, scope, &[Exported::Methods]);
        let methods = scope.session.methods();
        if ui.add_enabled(methods.is_some(), egui::Button::new("Copy methods paragraph")).clicked()
            && let Some(text) = methods
        {
            ui.ctx().copy_text(text);
        }
    });
}

fn entries(ui: &mut Ui, scope: &mut Scope<'_>, offered: &[Exported]) {
    for &what in offered {
        if ui.add_enabled(scope.session.can_export(what), egui::Button::new(what.title())).clicked() {
            scope.choose(Purpose::Save(what));
        }
    }
}
