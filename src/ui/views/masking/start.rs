//! Beginning, watching and stopping a piece of the lab's work.

use super::ask;
use crate::session::Command;
use crate::session::masking::{LabCommand, LabWork};
use crate::session::results::AnyStage;
use crate::ui::scope::Scope;
use crate::ui::theme;
use crate::ui::widgets::state;
use egui::{Button, RichText, Ui};

/// The button that begins the work, and whatever there is to say about it.
pub(super) fn controls(ui: &mut Ui, scope: &mut Scope<'_>, work: LabWork, verb: &str, stage: &dyn AnyStage) {
    button(ui, scope, work, verb, stage);
    news(ui, scope, work, stage);
}

/// The button alone: it begins the work, or stops it.
pub(super) fn button(ui: &mut Ui, scope: &mut Scope<'_>, work: LabWork, verb: &str, stage: &dyn AnyStage) {
    if let Some(job) = stage.job() {
        if ui.button(format!("Stop: {}", verb.to_lowercase())).on_hover_text("What was there before stays").clicked() {
            scope.ask(Command::Stop(job));
        }
        return;
    }
    let obstacle = scope.session.lab_obstacle(work);
    if ui.add_enabled(obstacle.is_none(), Button::new(RichText::new(verb).strong())).clicked() {
        ask(scope, LabCommand::Start(work));
    }
}

/// Why it cannot begin, how far it is, what went wrong, or that it was made from other choices.
pub(super) fn news(ui: &mut Ui, scope: &Scope<'_>, work: LabWork, stage: &dyn AnyStage) {
    let tokens = theme::tokens(ui);
    if let Some(job) = stage.job() {
        state::of_job(ui, scope, job);
        return;
    }
    if let Some(obstacle) = scope.session.lab_obstacle(work) {
        ui.label(RichText::new(obstacle).color(tokens.wrong));
    }
    if let Some(problem) = stage.problem() {
        state::problem_box(ui, problem, None);
    } else if scope.session.lab_is_outdated(work) {
        ui.label(RichText::new("What is shown was made from other choices.").color(tokens.warning));
    }
}

/// What stands where results will be.
pub(super) fn empty(ui: &mut Ui, scope: &mut Scope<'_>, work: LabWork, verb: &str, stage: &dyn AnyStage, about: &str) {
    ui.add_space(theme::GROUP_GAP);
    ui.vertical_centered(|ui| {
        ui.set_max_width(theme::READING);
        ui.label(about);
        if stage.job().is_none() {
            ui.add_space(theme::GAP);
            button(ui, scope, work, verb, stage);
        }
    });
}
