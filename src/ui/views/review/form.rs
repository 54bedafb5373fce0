//! How labels are judged, and by whom decisions are made: the lines above the results.

use super::ask;
use crate::pipeline::audit::AuditSettings;
use crate::session::Command;
use crate::session::review::ReviewCommand;
use crate::ui::files::Purpose;
use crate::ui::scope::Scope;
use crate::ui::widgets::state;
use crate::ui::{theme, words};
use egui::{Button, DragValue, RichText, TextEdit, Ui};

/// The lines, while they are being filled in.
#[derive(Default)]
pub(super) struct Form {
    /// The curator's name as it is being typed.
    name: Option<String>,
}

impl Form {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        ui.horizontal_wrapped(|ui| {
            button(ui, scope);
            ui.menu_button("Rules", |ui| rules(ui, scope))
                .response
                .on_hover_text("From where on the rules doubt a label");
            self.curator(ui, scope);
            save(ui, scope);
        });
        news(ui, scope);
    }

    fn curator(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let hint = "Your name or initials; they are kept with every decision";
        let label = ui.label("Curator").on_hover_text(hint);
        let mut text = self.name.clone().unwrap_or_else(|| scope.session.settings.curator.clone());
        let field = TextEdit::singleline(&mut text).hint_text("your name").desired_width(theme::NAME_COLUMN);
        let field = ui.add(field).labelled_by(label.id).on_hover_text(hint);
        if field.changed() {
            self.name = Some(text.clone());
        }
        if field.lost_focus()
            && let Some(name) = self.name.take()
        {
            ask(scope, ReviewCommand::CallMe(name.trim().to_owned()));
        }
    }
}

/// Begins, or stops what was begun.
fn button(ui: &mut Ui, scope: &mut Scope<'_>) {
    if let Some(job) = scope.session.reviewing.audited.job() {
        if ui.button("Stop").on_hover_text("What was there before stays").clicked() {
            scope.ask(Command::Stop(job));
        }
        return;
    }
    let can = scope.session.results.embedding.ready().is_some();
    if ui.add_enabled(can, Button::new(RichText::new("Judge labels").strong())).clicked() {
        ask(scope, ReviewCommand::Start);
    }
}

/// The thresholds of the rules.
fn rules(ui: &mut Ui, scope: &mut Scope<'_>) {
    let before = scope.session.reviewing.settings;
    let mut now = before;
    for (name, hint, value) in [
        ("Same species from", "Identity from which on two barcodes may be of one species", &mut now.same_species),
        (
            "Contamination from",
            "Identity from which on a barcode under the name of another family or order is no relative but the same animal",
            &mut now.contamination,
        ),
        (
            "Contaminant from",
            "Identity from which on a barcode is taken for one of the contaminants that it is compared with",
            &mut now.contaminant,
        ),
        (
            "Related from",
            "Identity below which a barcode outside of the COI frame is another stretch of DNA rather than a pseudogene",
            &mut now.related,
        ),
        (
            "Doubt from",
            "By how much the nearest of another name must be more identical than the nearest of its own before a label is doubted",
            &mut now.margin,
        ),
    ] {
        ui.horizontal(|ui| percentage(ui, name, hint, value));
    }
    if now != before {
        ask(scope, ReviewCommand::Set(now));
    }
    contaminants(ui, scope);
    if before != AuditSettings::default()
        && ui.small_button("Reset").on_hover_text("Back to the usual thresholds").clicked()
    {
        ask(scope, ReviewCommand::Set(AuditSettings::default()));
    }
}

/// Which contaminants barcodes are compared with.
fn contaminants(ui: &mut Ui, scope: &mut Scope<'_>) {
    let hint = "Sequences of people, Wolbachia, bacteria or whatever else gets into your tubes: barcodes that are like one of them are called \
                contaminations";
    match &scope.session.reviewing.contaminants {
        None => {
            if ui.button("Compare with contaminants…").on_hover_text(hint).clicked() {
                scope.choose(Purpose::Contaminants);
            }
        }
        Some(path) => {
            ui.label(format!("Contaminants: {}", words::file_in_folder(path))).on_hover_text(hint);
            if ui.small_button("Compare with none").clicked() {
                ask(scope, ReviewCommand::Screen(None));
            }
        }
    }
}

fn percentage(ui: &mut Ui, name: &str, hint: &str, share: &mut f32) {
    let label = ui.label(name).on_hover_text(hint);
    let mut percent = 100.0 * *share;
    let drag = DragValue::new(&mut percent).range(0.0..=100.0).speed(0.05).max_decimals(2).suffix(" %");
    if ui.add(drag).labelled_by(label.id).on_hover_text(hint).changed() {
        *share = percent / 100.0;
    }
}

fn save(ui: &mut Ui, scope: &mut Scope<'_>) {
    let file = scope.session.reviewing.session_file();
    let hint = match file {
        Some(file) => format!("Every decision is kept in {}; save a copy under another name", file.display()),
        None => {
            "Decisions are kept by themselves; save them with the specimens and results as one file (Ctrl S)".to_owned()
        }
    };
    let name = if file.is_some() { "Save session as…" } else { "Save session…" };
    if ui.button(name).on_hover_text(hint).clicked() {
        scope.choose(Purpose::Session);
    }
}

/// Why it cannot begin, how far it is, what went wrong, or that it was made from other choices.
fn news(ui: &mut Ui, scope: &Scope<'_>) {
    let tokens = theme::tokens(ui);
    let session = scope.session;
    let stage = &session.reviewing.audited;
    if let Some(job) = stage.job() {
        state::of_job(ui, scope, job);
    } else if let Some(problem) = stage.problem() {
        state::problem_box(ui, problem, None);
    } else if session.results.embedding.ready().is_none() {
        ui.label(RichText::new("The embeddings are not there yet.").color(tokens.warning));
    } else if session.audit_is_outdated() {
        ui.label(RichText::new("What is shown was made from other choices.").color(tokens.warning));
    }
}
