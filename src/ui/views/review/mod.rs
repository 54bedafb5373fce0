//! The page Review: which labels their barcodes contradict, why, and what a curator makes of them.

mod actions;
mod bins;
mod decisions;
mod distances;
mod dossier;
mod form;
mod grades;
mod listing;
mod queue;
mod standing;
mod tree;

use crate::session::Command;
use crate::session::export::{Exported, ReviewFile};
use crate::session::review::{ReviewCommand, ReviewTab};
use crate::ui::scope::Scope;
use crate::ui::shell::view_title;
use crate::ui::widgets::state;
use crate::ui::{theme, words};
use egui::{RichText, Ui};

const ABOUT: &str = "Every named specimen is compared with all others: with its nearest, with those of its own name, and with those of \
                     its BIN. Written rules say what is probably wrong, and the specimens whose labels are contradicted most come \
                     first. You accept, relabel, swap or exclude; the file that you opened is never changed, and every decision can be \
                     taken back.";

/// What the view remembers from frame to frame.
#[derive(Default)]
pub struct ReviewView {
    form: form::Form,
    queue: queue::Queue,
    bins: bins::Bins,
    grades: grades::Grades,
    distances: distances::Distances,
    tree: tree::TreeTab,
}

impl ReviewView {
    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let exports = ReviewFile::ALL.map(Exported::Review);
        view_title(ui, scope, "Review", "labels that their barcodes contradict", &exports);
        self.form.show(ui, scope);
        unkept(ui, scope);
        if scope.session.reviewing.audited.shown().is_none() && scope.session.reviewing.tab != ReviewTab::Decisions {
            return empty(ui, scope);
        }
        ui.separator();
        standing::show(ui, scope);
        tabs(ui, scope);
        match scope.session.reviewing.tab {
            ReviewTab::Queue => self.queue.show(ui, scope),
            ReviewTab::Bins => self.bins.show(ui, scope),
            ReviewTab::Grades => self.grades.show(ui, scope),
            ReviewTab::Distances => self.distances.show(ui, scope),
            ReviewTab::Tree => self.tree.show(ui, scope),
            ReviewTab::Decisions => decisions::show(ui, scope),
        }
    }
}

fn ask(scope: &mut Scope<'_>, command: ReviewCommand) {
    scope.ask(Command::Review(command));
}

/// What stands where results will be.
fn empty(ui: &mut Ui, scope: &mut Scope<'_>) {
    ui.add_space(theme::GROUP_GAP);
    ui.vertical_centered(|ui| {
        ui.set_max_width(theme::READING.min(ui.available_width()));
        ui.label(ABOUT);
        if scope.session.reviewing.audited.job().is_none() {
            ui.label("Press Judge labels to begin.");
        }
        let decided = scope.session.reviewing.entries().iter().filter(|entry| !entry.undone).count();
        if decided > 0 {
            let text = format!(
                "{} made on these specimens before {} here.",
                words::counted(decided, "decision", "decisions"),
                if decided == 1 { "is" } else { "are" }
            );
            ui.label(RichText::new(text).strong());
            if ui.link("Show them").clicked() {
                ask(scope, ReviewCommand::Show(ReviewTab::Decisions));
            }
        }
    });
}

/// Decisions that could not be kept must not be overlooked.
fn unkept(ui: &mut Ui, scope: &mut Scope<'_>) {
    let reviewing = &scope.session.reviewing;
    let Some(problem) = &reviewing.problem else { return };
    if state::problem_box(ui, problem, Some("Keep them now")) {
        ask(scope, ReviewCommand::KeepAgain);
    }
    let text = format!("{} not kept yet.", words::counted(scope.session.reviewing.unkept(), "step is", "steps are"));
    state::banner(ui, &text);
}

fn tabs(ui: &mut Ui, scope: &mut Scope<'_>) {
    let reviewing = &scope.session.reviewing;
    let suspicious = reviewing.audited.shown().map_or(0, |audit| audit.suspicious());
    let decided = reviewing.entries().iter().filter(|entry| !entry.undone).count();
    ui.horizontal_wrapped(|ui| {
        for tab in ReviewTab::ALL {
            let name = match tab {
                ReviewTab::Queue => format!("{} ({})", tab.title(), words::count(suspicious)),
                ReviewTab::Decisions => format!("{} ({})", tab.title(), words::count(decided)),
                ReviewTab::Bins | ReviewTab::Grades | ReviewTab::Distances | ReviewTab::Tree => tab.title().to_owned(),
            };
            if ui.selectable_label(scope.session.reviewing.tab == tab, name).clicked() {
                ask(scope, ReviewCommand::Show(tab));
            }
        }
    });
}
