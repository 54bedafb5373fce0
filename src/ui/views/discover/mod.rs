//! The Discover view: which specimens belong to species or genera that the reference lacks, and which of these belong together.

mod candidates;
mod decisions;
mod form;
mod trust;

use crate::jobs::Discovered;
use crate::pipeline::discover::{Decision, Discovery};
use crate::session::columns::ColumnKey;
use crate::session::discover::{DiscoverCommand, DiscoverTab};
use crate::session::export::{DiscoveryFile, Exported};
use crate::session::{Command, Page};
use crate::ui::scope::Scope;
use crate::ui::shell::view_title;
use crate::ui::widgets::bars::swatch;
use crate::ui::{theme, words};
use egui::{Color32, Label, RichText, Ui};
use std::sync::Arc;

const ABOUT: &str = "Specimens are compared with named ones, the reference. Each is taken for a known species, a new species in a known \
                     genus, a new genus, or for neither where the barcode cannot tell. How strange a known species looks is learned \
                     from specimens of the reference, so that the list of what is new holds no more false entries than you allow.";

/// What the view remembers from frame to frame.
#[derive(Default)]
pub struct DiscoverView {
    form: form::Form,
    decisions: decisions::Decisions,
    candidates: candidates::Candidates,
    trust: trust::Trust,
}

impl DiscoverView {
    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let exports = DiscoveryFile::ALL.map(Exported::Discovery);
        view_title(ui, scope, "Discover", "species and genera that the reference lacks", &exports);
        self.form.show(ui, scope);
        let Some(found) = scope.session.discovering.found.shown().cloned() else { return empty(ui, scope) };
        ui.separator();
        summary(ui, scope, &found);
        tabs(ui, scope, &found);
        match scope.session.discovering.tab {
            DiscoverTab::Decisions => self.decisions.show(ui, scope, &found),
            DiscoverTab::Candidates => self.candidates.show(ui, scope, &found),
            DiscoverTab::Trust => self.trust.show(ui, &found),
        }
    }
}

fn ask(scope: &mut Scope<'_>, command: DiscoverCommand) {
    scope.ask(Command::Discover(command));
}

/// The colour of a decision in swatches.
fn colour(decision: Decision) -> Color32 {
    let [red, green, blue] = decision.colour();
    Color32::from_rgb(red, green, blue)
}

/// What stands where results will be: the setting in words and colours.
fn empty(ui: &mut Ui, scope: &Scope<'_>) {
    ui.add_space(theme::GROUP_GAP);
    ui.vertical_centered(|ui| {
        ui.set_max_width(theme::READING.min(ui.available_width()));
        ui.label(ABOUT);
        if scope.session.discovering.found.job().is_none() {
            ui.label("Choose above what is compared with what, then press Discover.");
        }
        ui.add_space(theme::GAP);
        key(ui);
    });
}

/// What the colours mean.
fn key(ui: &mut Ui) {
    for decision in Decision::ALL {
        ui.horizontal(|ui| {
            swatch(ui, colour(decision));
            let meaning = format!("{}: {}.", words::capitalised(decision.title()), decision.because());
            ui.add(Label::new(meaning).wrap());
        });
    }
}

/// What was found, in three lines.
fn summary(ui: &mut Ui, scope: &mut Scope<'_>, found: &Discovered) {
    let tokens = theme::tokens(ui);
    let discovery = &found.discovery;
    let text = if discovery.discoveries() == 0 { nothing(discovery) } else { what(discovery) };
    ui.label(RichText::new(text).strong());
    let compared =
        format!("Compared with {}.", words::counted(discovery.references, "named specimen", "named specimens"));
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(compared).color(tokens.quiet)).on_hover_text(learned_from(found));
        for (name, column, hint) in [
            ("Show decisions on the map", ColumnKey::Decision, "Colours the Atlas by what each specimen is taken for"),
            (
                "Show darkness on the map",
                ColumnKey::Darkness,
                "Colours the Atlas by how few of the nearest barcodes are named",
            ),
        ] {
            if ui.link(name).on_hover_text(hint).clicked() {
                scope.ask(Command::ColourBy(Some(column)));
                scope.ask(Command::Show(Page::Atlas));
            }
        }
    });
    if !found.divided.genera.is_empty() || !found.divided.species.is_empty() {
        held_out(ui, found);
    }
    if let Some(trained_on) = discovery.trained_on.filter(|&count| count > 0) {
        let text = format!(
            "The model was trained on the barcodes of {} of these specimens, which makes them look more familiar than new ones would.",
            words::count(trained_on)
        );
        ui.label(RichText::new(text).color(tokens.warning));
    }
}

fn what(discovery: &Discovery) -> String {
    let sound = discovery.candidates.iter().filter(|candidate| candidate.is_sound()).count();
    format!(
        "{} of {} belong to no species of the reference, in {}, {} sound; {} of the list may be false. Of {} the rank is unclear.",
        words::count(discovery.discoveries()),
        words::counted(discovery.findings.len(), "specimen", "specimens"),
        words::counted(discovery.candidates.len(), "group", "groups"),
        words::count(sound),
        words::percent(discovery.settings.fdr),
        words::count(discovery.new_of_unclear_rank()),
    )
}

fn nothing(discovery: &Discovery) -> String {
    let least = discovery.findings.iter().map(|finding| finding.rates.new).fold(1.0, f64::min);
    format!(
        "None of {} can be listed as new if only {} of the list may be false; {}.",
        words::counted(discovery.findings.len(), "specimen", "specimens"),
        words::percent(discovery.settings.fdr),
        if least < 1.0 {
            format!("the strangest could if {} might", words::percent(least))
        } else {
            "none is strange".to_owned()
        },
    )
}

/// What was taken out, with the names one hover away.
fn held_out(ui: &mut Ui, found: &Discovered) {
    let text = format!(
        "Held out: {} and {} of other genera.",
        words::counted(found.divided.genera.len(), "genus", "genera"),
        words::counted(found.divided.species.len(), "species", "species"),
    );
    let names: Vec<&str> = found.divided.genera.iter().chain(&found.divided.species).map(String::as_str).collect();
    ui.label(RichText::new(text).color(theme::tokens(ui).quiet)).on_hover_text(names.join(", "));
}

fn learned_from(found: &Discovered) -> String {
    let [fellows, firsts, alone] = found.discovery.held_out;
    format!(
        "What known looks like was learned from {}, each compared with all others; what new looks like from {} that were compared as \
         if they were the first of their species, {} of them of their genus, too",
        words::counted(fellows, "reference specimen", "reference specimens"),
        words::count(firsts + alone),
        words::count(alone),
    )
}

fn tabs(ui: &mut Ui, scope: &mut Scope<'_>, found: &Arc<Discovered>) {
    ui.horizontal_wrapped(|ui| {
        for tab in DiscoverTab::ALL {
            let name = match tab {
                DiscoverTab::Candidates => {
                    format!("{} ({})", tab.title(), words::count(found.discovery.candidates.len()))
                }
                DiscoverTab::Decisions | DiscoverTab::Trust => tab.title().to_owned(),
            };
            if ui.selectable_label(scope.session.discovering.tab == tab, name).clicked() {
                ask(scope, DiscoverCommand::Show(tab));
            }
        }
    });
}
