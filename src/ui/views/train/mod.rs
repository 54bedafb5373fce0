//! The Train view: settings of the next run at the left, the runs and their curves at the right.

mod curves;
mod discard;
mod estimate;
mod explained;
mod fields;
mod form;
mod runs;
mod sample;
mod two_views;

use crate::session::export::Exported;
use crate::ui::scope::Scope;
use crate::ui::shell::view_title;
use crate::ui::theme;
use egui::{Frame, Margin, Panel, ScrollArea, Ui};

/// What the view remembers from frame to frame.
#[derive(Default)]
pub struct TrainView {
    form: form::Form,
    question: discard::Question,
    maps: sample::Maps,
}

impl TrainView {
    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        const NOTHING: [Exported; 0] = [];
        view_title(ui, scope, "Train", "a model on the open barcodes, without their labels", &NOTHING);
        Panel::left("train settings").frame(Frame::NONE).resizable(false).exact_size(theme::FORM).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.form.show(ui, scope));
        });
        if scope.session.training.runs.is_empty() {
            ui.add_space(theme::GROUP_GAP);
            ui.vertical_centered(|ui| {
                ui.label("No model is being trained.");
                ui.label("Choose settings at the left, or take them as they are, and press Start. The window stays free meanwhile.");
            });
            return;
        }
        // away from the line beside the settings
        Frame::NONE.inner_margin(Margin { left: theme::GAP as i8, ..Margin::ZERO }).show(ui, |ui| {
            ScrollArea::vertical().id_salt("runs").auto_shrink(false).show(ui, |ui| {
                runs::show(ui, scope, &mut self.question);
                ui.add_space(theme::GAP);
                curves::show(ui, scope, &mut self.maps);
            });
        });
        self.question.show(&ui.ctx().clone(), scope);
    }
}
