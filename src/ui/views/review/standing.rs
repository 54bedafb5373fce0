//! How well names, barcodes and BINs agree: as the file was read, and with the decisions in force.

use crate::analysis::discordance::Accord;
use crate::analysis::grades::Grade;
use crate::pipeline::review::{Share, Standing};
use crate::ui::scope::Scope;
use crate::ui::{theme, words};
use egui::{RichText, Ui};

/// Draws it.
pub(super) fn show(ui: &mut Ui, scope: &Scope<'_>) {
    let Some(standings) = scope.session.reviewing.standings.shown() else { return };
    let [before, now] = &**standings;
    line(ui, "As read", before);
    if before != now {
        line(ui, "After your decisions", now);
    }
}

fn line(ui: &mut Ui, name: &str, standing: &Standing) {
    let quiet = theme::tokens(ui).quiet;
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(format!("{name}:")).strong());
        ui.label(named(&standing.named)).on_hover_text(
            "Specimens whose most identical other specimen with a species bears the same one; 95 % interval by bootstrap over species",
        );
        ui.label(RichText::new("·").color(quiet));
        let bins = Accord::ALL.into_iter().zip(standing.bins);
        let bins: Vec<String> = bins.map(|(accord, count)| format!("{} {}", words::count(count), accord.title())).collect();
        ui.label(format!("BINs: {}", bins.join(", "))).on_hover_text("Discordant BINs hold specimens of different names");
        ui.label(RichText::new("·").color(quiet));
        ui.label("species of grade");
        for (grade, (_, species, _)) in Grade::ALL.into_iter().zip(standing.grades) {
            ui.label(format!("{}\u{a0}{}", grade.key(), words::count(species))).on_hover_text(grade.title());
        }
    });
}

/// `94.1 % of 1 402 have their species nearest (92.0 to 95.9 %)`
fn named(share: &Share) -> String {
    let Some(value) = share.value() else { return "no specimen has a species".to_owned() };
    let interval = share.interval.map_or_else(String::new, |ends| format!(" ({})", words::interval(ends)));
    format!("{} of {} have their species nearest{interval}", words::percent(value), words::count(share.whole))
}
