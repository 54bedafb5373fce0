//! How the map is laid out: the settings of the projection.

use crate::analysis::umap::Metric;
use crate::pipeline::project::{ProjectMethod, ProjectSettings};
use crate::session::Command;
use crate::ui::scope::Scope;
use egui::{DragValue, Slider, Ui};

/// The settings while they are being changed.
#[derive(Debug, Default)]
pub(super) struct LayoutMenu {
    draft: Option<ProjectSettings>,
}

impl LayoutMenu {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let now = scope.session.choices.map;
        let menu = ui.menu_button("Layout", |ui| {
            let draft = self.draft.get_or_insert(now);
            choose(ui, draft);
            let changed = *draft != now;
            if ui.add_enabled(changed, egui::Button::new("Lay out again")).clicked() {
                scope.ask(Command::MapWith(*draft));
                ui.close();
            }
        });
        if menu.inner.is_none() {
            self.draft = None;
        }
        menu.response.on_hover_text("How the specimens are laid out on the map");
    }
}

fn choose(ui: &mut Ui, draft: &mut ProjectSettings) {
    ui.radio_value(&mut draft.method, ProjectMethod::Umap, "UMAP")
        .on_hover_text("Keeps neighbours together; distances between groups mean little");
    ui.radio_value(&mut draft.method, ProjectMethod::Pca, "Principal components")
        .on_hover_text("The two directions in which the specimens differ most");
    ui.add_enabled_ui(draft.method == ProjectMethod::Umap, |ui| {
        ui.separator();
        ui.horizontal(|ui| {
            let label = ui.label("Neighbours").on_hover_text("More show the large picture, fewer the details");
            ui.add(DragValue::new(&mut draft.neighbours).range(2..=200)).labelled_by(label.id);
        });
        ui.horizontal(|ui| {
            let label = ui.label("Least distance").on_hover_text("How close together points may lie (min_dist)");
            ui.add(Slider::new(&mut draft.min_dist, 0.0..=0.99).max_decimals(2)).labelled_by(label.id);
        });
        for (metric, name) in [(Metric::Cosine, "Cosine distance"), (Metric::Euclidean, "Euclidean distance")] {
            ui.radio_value(&mut draft.metric, metric, name);
        }
    });
    ui.separator();
}
