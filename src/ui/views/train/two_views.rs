//! Settings of the loss that brings two views of a barcode together.

use super::fields::{row, small};
use crate::train::{Partner, TrainSettings};
use crate::ui::theme;
use egui::{ComboBox, Grid, RichText, Ui};

pub(super) fn show(ui: &mut Ui, settings: &mut TrainSettings) {
    let quiet = theme::tokens(ui).quiet;
    let text =
        "Beside naming k-mers, the model can learn that two views of a barcode belong together and all others do not.";
    ui.label(RichText::new(text).small().color(quiet));
    Grid::new("train views").num_columns(2).show(ui, |ui| {
        small(ui, "contrast", &mut settings.contrast, 0.0..=100.0);
        if settings.contrast == 0.0 {
            return;
        }
        partner(ui, settings);
        small(ui, "temperature", &mut settings.temperature, 0.01..=10.0);
        if settings.register {
            small(ui, "noise", &mut settings.noise, 0.0..=0.9);
        }
        if settings.partner == Partner::Relative {
            let [from, to] = [settings.nearest_relative, settings.farthest_relative];
            small(ui, "nearest_relative", &mut settings.nearest_relative, 0.0..=to);
            small(ui, "farthest_relative", &mut settings.farthest_relative, from..=1.0);
        }
    });
    if settings.contrast > 0.0 && settings.partner == Partner::Genus {
        let text = "The model learns from the names of the genera: accuracies at naming are then no test of it.";
        ui.label(RichText::new(text).small().color(theme::tokens(ui).warning));
    }
}

fn partner(ui: &mut Ui, settings: &mut TrainSettings) {
    row(ui, "partner", |ui| {
        let list = ComboBox::from_id_salt("partner").selected_text(name(settings.partner));
        let list = list.show_ui(ui, |ui| {
            for partner in [Partner::Same, Partner::Relative, Partner::Genus] {
                ui.selectable_value(&mut settings.partner, partner, name(partner)).on_hover_text(hint(partner));
            }
        });
        list.response.on_hover_text(hint(settings.partner))
    });
}

fn name(partner: Partner) -> &'static str {
    match partner {
        Partner::Same => "The same barcode",
        Partner::Relative => "A near relative",
        Partner::Genus => "One of its genus",
    }
}

fn hint(partner: Partner) -> &'static str {
    match partner {
        Partner::Same => "With other k-mers hidden",
        Partner::Relative => {
            "One of the nearest barcodes, found by comparing them, without labels; for registered models"
        }
        Partner::Genus => "Of another species where there is one; this uses the labels",
    }
}
