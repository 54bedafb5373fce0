//! Asks before a run is discarded.

use crate::session::Command;
use crate::session::training::{Run, TrainCommand};
use crate::ui::scope::Scope;
use crate::ui::theme;
use egui::{Button, Context, Id, Modal, RichText, Ui};
use std::path::PathBuf;

/// The question, while it is open.
#[derive(Default)]
pub(super) struct Question {
    /// The run, by its folder: its place in the list may change meanwhile.
    about: Option<PathBuf>,
}

impl Question {
    pub(super) fn ask(&mut self, run: &Run) {
        self.about = Some(run.folder.clone());
    }

    pub(super) fn show(&mut self, ctx: &Context, scope: &mut Scope<'_>) {
        let runs = &scope.session.training.runs;
        let Some(index) = self.about.as_ref().and_then(|folder| runs.iter().position(|run| run.folder == *folder))
        else {
            self.about = None;
            return;
        };
        let run = &runs[index];
        let mut discarded = false;
        let modal = Modal::new(Id::unique("discard a run")).show(ctx, |ui| {
            ui.set_max_width(theme::DIALOG);
            discarded = question(ui, run, scope.session.model_file().is_some_and(|file| file.starts_with(&run.folder)));
        });
        if discarded {
            scope.ask(Command::Train(TrainCommand::Discard(index)));
        }
        if discarded || modal.should_close() {
            self.about = None;
        }
    }
}

/// Answers whether the run is to be discarded.
fn question(ui: &mut Ui, run: &Run, is_used: bool) -> bool {
    ui.heading(format!("Discard {}?", run.name));
    let folder = run.folder.display();
    ui.label(if run.owns_folder() {
        format!("It stops, and its models, its checkpoint and its settings in {folder} are removed. They cannot be brought back.")
    } else {
        format!("It stops and leaves the list. Its folder {folder} was there before the run and stays as it is.")
    });
    if is_used && run.owns_folder() {
        let text = "The open specimens are read with its model; the bundled one takes its place.";
        ui.label(RichText::new(text).color(theme::tokens(ui).warning));
    }
    ui.add_space(theme::GAP);
    let mut discarded = false;
    ui.horizontal(|ui| {
        let text = RichText::new("Discard it").color(theme::tokens(ui).wrong);
        discarded = ui.add(Button::new(text)).clicked();
        if ui.button("Let it be").clicked() {
            ui.close();
        }
    });
    discarded
}
