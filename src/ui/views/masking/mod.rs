//! The Masking view: what models make of barcodes whose k-mers are masked, and of each other.

mod barcode;
mod compare;
mod legend;
mod maps;
mod models;
mod reading;
mod reconstruct;
mod start;

use crate::session::Command;
use crate::session::export::{Exported, LabExported};
use crate::session::masking::{LabCommand, LabTab};
use crate::ui::scope::Scope;
use crate::ui::shell::view_title;
use crate::ui::theme;
use egui::Ui;

/// What the view remembers from frame to frame.
#[derive(Default)]
pub struct MaskingView {
    reconstruct: reconstruct::ReconstructView,
    reading: reading::ReadingView,
    compare: compare::CompareView,
    maps: maps::MapsView,
}

impl MaskingView {
    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let tab = scope.session.lab.tab;
        let exports: &[LabExported] = match tab {
            LabTab::Reconstruct => &[LabExported::Guesses, LabExported::Positions, LabExported::PositionsFigure],
            LabTab::Read => &[LabExported::Readings, LabExported::ReadingsFigure],
            LabTab::Compare => &[LabExported::Comparison, LabExported::ComparisonFigure],
            LabTab::Maps => &[LabExported::Maps],
        };
        let exports: Vec<Exported> = exports.iter().copied().map(Exported::Lab).collect();
        view_title(ui, scope, "Masking", "what models make of barcodes with hidden k-mers", &exports);
        ui.horizontal_wrapped(|ui| {
            for known in LabTab::ALL {
                if ui.selectable_label(tab == known, known.title()).clicked() {
                    ask(scope, LabCommand::Show(known));
                }
            }
        });
        ui.add_space(theme::GRID);
        match tab {
            LabTab::Reconstruct => self.reconstruct.show(ui, scope),
            LabTab::Read => self.reading.show(ui, scope),
            LabTab::Compare => self.compare.show(ui, scope),
            LabTab::Maps => self.maps.show(ui, scope),
        }
    }
}

fn ask(scope: &mut Scope<'_>, command: LabCommand) {
    scope.ask(Command::Lab(command));
}
