//! What is compared with what, and how: the lines above the results.

use super::ask;
use crate::pipeline::discover::{DiscoverSettings, Division, HeldRank, HoldOutSettings, NoveltyScore};
use crate::session::Command;
use crate::session::discover::DiscoverCommand;
use crate::ui::scope::Scope;
use crate::ui::theme;
use crate::ui::widgets::state;
use egui::{Button, ComboBox, DragValue, RichText, TextEdit, Ui};

/// The lines, while they are being filled in.
#[derive(Default)]
pub(super) struct Form {
    /// The names of taxa as they are being typed.
    names: Option<String>,
}

impl Form {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        if let Some(division) = scope.session.division() {
            let mut chosen = division.clone();
            ui.horizontal_wrapped(|ui| {
                kinds(ui, scope, &mut chosen);
                match &mut chosen {
                    Division::Unnamed => {}
                    Division::Splits { queries, .. } => splits(ui, scope, queries),
                    Division::HeldOut(settings) => self.held_out(ui, settings),
                }
            });
            if chosen != division {
                ask(scope, DiscoverCommand::Divide(chosen));
            }
        }
        ui.horizontal_wrapped(|ui| {
            settings(ui, scope);
            button(ui, scope);
        });
        news(ui, scope);
    }

    fn held_out(&mut self, ui: &mut Ui, settings: &mut HoldOutSettings) {
        let by_name = "Genera and species to hold out, with commas; empty draws them at random";
        let label = ui.label("Taxa");
        let mut text = self.names.clone().unwrap_or_else(|| settings.names.join(", "));
        let field = TextEdit::singleline(&mut text).hint_text("at random").desired_width(theme::NAME_COLUMN);
        let field = ui.add(field).labelled_by(label.id).on_hover_text(by_name);
        if field.changed() {
            settings.names =
                text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            self.names = Some(text);
        }
        if field.lost_focus() {
            self.names = None;
        }
        if settings.names.is_empty() {
            drawn(ui, settings);
        }
    }
}

/// Of which ranks taxa are drawn, how many, and by which seed.
fn drawn(ui: &mut Ui, settings: &mut HoldOutSettings) {
    for (rank, name, hint) in [
        (HeldRank::Genus, "genera", "Hold whole genera out: they are to be found as new genera"),
        (HeldRank::Species, "species", "Hold species out whose genus stays: they are to be found as new species"),
    ] {
        let mut is_drawn = settings.ranks.contains(&rank);
        // One of them stays: without any there would be nothing new.
        let is_last = is_drawn && settings.ranks.len() == 1;
        let checkbox = ui.add_enabled(!is_last, egui::Checkbox::new(&mut is_drawn, name));
        if checkbox.on_hover_text(hint).changed() {
            settings.ranks = HeldRank::ALL
                .into_iter()
                .filter(|&known| if known == rank { is_drawn } else { settings.ranks.contains(&known) })
                .collect();
        }
    }
    percentage(ui, "Share", "Share of the taxa that is held out", &mut settings.share, 1.0..=90.0);
    let label = ui.label("Seed").on_hover_text("Which taxa are drawn: the same seed draws the same ones");
    ui.add(DragValue::new(&mut settings.seed.0).range(0..=u64::MAX).speed(0.05)).labelled_by(label.id);
}

fn percentage(ui: &mut Ui, name: &str, hint: &str, share: &mut f64, range: std::ops::RangeInclusive<f64>) {
    let label = ui.label(name).on_hover_text(hint);
    let mut percent = 100.0 * *share;
    let drag = DragValue::new(&mut percent).range(range).speed(0.2).max_decimals(1).suffix(" %");
    if ui.add(drag).labelled_by(label.id).on_hover_text(hint).changed() {
        *share = percent / 100.0;
    }
}

fn title(division: &Division) -> &'static str {
    match division {
        Division::Unnamed => "Specimens without a species",
        Division::Splits { .. } => "Splits of the file",
        Division::HeldOut(_) => "Demo: taxa held out",
    }
}

fn hint(division: &Division) -> &'static str {
    match division {
        Division::Unnamed => "Those without a species are compared with those that have one",
        Division::Splits { .. } => "The split train is the reference, the others are looked through",
        Division::HeldOut(_) => {
            "Named taxa are taken out of the file and looked for again, so that it shows what is found and missed"
        }
    }
}

fn kinds(ui: &mut Ui, scope: &Scope<'_>, chosen: &mut Division) {
    let label = ui.label("Look through");
    ComboBox::from_id_salt("division")
        .width(1.5 * theme::NAME_COLUMN)
        .selected_text(title(chosen))
        .show_ui(ui, |ui| {
            for division in scope.session.divisions() {
                let is_chosen = std::mem::discriminant(&division) == std::mem::discriminant(&*chosen);
                let entry = ui.selectable_label(is_chosen, title(&division)).on_hover_text(hint(&division));
                if entry.clicked() && !is_chosen {
                    *chosen = division;
                }
            }
        })
        .response
        .labelled_by(label.id)
        .on_hover_text(hint(chosen));
}

fn splits(ui: &mut Ui, scope: &Scope<'_>, queries: &mut Vec<String>) {
    for split in scope.session.query_splits() {
        let mut is_chosen = queries.contains(&split);
        if ui.checkbox(&mut is_chosen, &split).changed() {
            queries.retain(|known| *known != split);
            if is_chosen {
                queries.push(split);
            }
        }
    }
}

fn settings(ui: &mut Ui, scope: &mut Scope<'_>) {
    let before = scope.session.discovering.settings;
    let mut now = before;
    let hint = "Share of the list of what is new that may be false, on average over such lists (false-discovery rate)";
    percentage(ui, "False entries", hint, &mut now.fdr, 0.1..=50.0);
    score(ui, &mut now);
    if now != before {
        ask(scope, DiscoverCommand::Set(now));
    }
}

fn score(ui: &mut Ui, settings: &mut DiscoverSettings) {
    let label = ui.label("Strangeness").on_hover_text("The measure that decides");
    ComboBox::from_id_salt("novelty score")
        .width(2.0 * theme::NAME_COLUMN)
        .selected_text(settings.score.title())
        .show_ui(ui, |ui| {
            for score in NoveltyScore::ALL {
                ui.selectable_value(&mut settings.score, score, score.title());
            }
        })
        .response
        .labelled_by(label.id);
}

/// Begins, or stops what was begun.
fn button(ui: &mut Ui, scope: &mut Scope<'_>) {
    if let Some(job) = scope.session.discovering.found.job() {
        if ui.button("Stop").on_hover_text("What was there before stays").clicked() {
            scope.ask(Command::Stop(job));
        }
        return;
    }
    let can = scope.session.discovery_obstacle().is_none();
    if ui.add_enabled(can, Button::new(RichText::new("Discover").strong())).clicked() {
        ask(scope, DiscoverCommand::Start);
    }
}

/// Why it cannot begin, how far it is, what went wrong, or that it was made from other choices.
fn news(ui: &mut Ui, scope: &Scope<'_>) {
    let tokens = theme::tokens(ui);
    let session = scope.session;
    let stage = &session.discovering.found;
    if let Some(job) = stage.job() {
        state::of_job(ui, scope, job);
    } else if let Some(problem) = stage.problem() {
        state::problem_box(ui, problem, None);
    } else if let Some(obstacle) = session.discovery_obstacle() {
        ui.label(RichText::new(obstacle).color(tokens.warning));
    } else if session.discovery_is_outdated() {
        ui.label(RichText::new("What is shown was made from other choices.").color(tokens.warning));
    }
}
