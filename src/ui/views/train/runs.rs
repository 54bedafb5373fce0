//! The runs of this session.

use super::discard::Question;
use crate::session::Command;
use crate::session::training::{Run, RunState, TrainCommand};
use crate::train::Objective;
use crate::ui::scope::Scope;
use crate::ui::widgets::bars::swatch;
use crate::ui::widgets::state;
use crate::ui::{theme, words};
use egui::{Grid, RichText, Ui};

pub(super) fn show(ui: &mut Ui, scope: &mut Scope<'_>, question: &mut Question) {
    let runs = &scope.session.training.runs;
    let mut asked = Vec::new();
    Grid::new("runs").num_columns(9).spacing([theme::GAP, theme::GRID]).show(ui, |ui| {
        for title in ["", "Run", "Step", "Loss", "Named right", "Set aside", "Barcodes/s", "", ""] {
            ui.label(RichText::new(title).color(theme::tokens(ui).quiet));
        }
        ui.end_row();
        for (index, run) in runs.iter().enumerate() {
            row(ui, index, run, &mut asked, question);
            ui.end_row();
        }
    });
    for run in runs {
        remarks(ui, run);
    }
    asked.into_iter().for_each(|command| scope.ask(Command::Train(command)));
}

fn row(ui: &mut Ui, index: usize, run: &Run, asked: &mut Vec<TrainCommand>, question: &mut Question) {
    let mut shown = run.shown;
    ui.horizontal(|ui| {
        let label = ui.checkbox(&mut shown, "").on_hover_text("Show its curves");
        label.widget_info(|| {
            egui::WidgetInfo::selected(egui::Role::CheckBox, true, shown, format!("Curves of {}", run.name))
        });
        swatch(ui, colour(ui, index));
    });
    if shown != run.shown {
        asked.push(TrainCommand::ShowCurves(index, shown));
    }
    ui.label(RichText::new(&run.name).strong()).on_hover_text(about(run));
    let last = run.reports.last();
    let shown = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    ui.label(shown(last.map(|report| words::count(report.step as usize))));
    ui.label(shown(last.map(|report| format!("{:.3}", report.loss))));
    ui.label(shown(last.map(|report| words::percent(report.accuracy))));
    ui.label(shown(run.validations.last().map(|validation| words::percent(validation.accuracy))))
        .on_hover_text("Share named right of the hidden k-mers of barcodes that are not trained on");
    ui.label(shown(last.map(|report| format!("{:.0}", report.sequences_per_second)))).on_hover_text(shown(last.map(
        |report| {
            let [encoder, decoder] = [report.encoder_tokens_per_second, report.decoder_tokens_per_second];
            format!("{encoder:.0} tokens per second in the encoder, {decoder:.0} in the decoder")
        },
    )));
    ui.label(doing(run));
    ui.horizontal(|ui| {
        buttons(ui, index, run, asked);
        discard(ui, run, question);
    });
}

fn about(run: &Run) -> String {
    let settings = &run.settings;
    let ratio =
        settings.mask_ratio.0.first().map_or_else(String::new, |ratio| format!(", {} hidden", words::percent(*ratio)));
    let objective = match settings.objective {
        Objective::Mae => format!("masked autoencoder{ratio}"),
        Objective::Mlm => format!("masked language model{ratio}"),
        Objective::Causal => "next k-mer".to_owned(),
    };
    let facts = run.facts.as_ref().map_or_else(String::new, |facts| {
        let [weights, barcodes] = [facts.parameters, facts.barcodes].map(words::count);
        format!("\n{weights} weights, {barcodes} barcodes, {} set aside", words::count(facts.validation_barcodes))
    });
    format!("{objective}, k = {}{facts}\n{}", settings.k, run.folder.display())
}

fn doing(run: &Run) -> &'static str {
    match &run.state {
        RunState::Going(_) if run.facts.is_none() => "waiting…",
        RunState::Going(_) => "learning",
        RunState::Stopping { .. } => "writing…",
        RunState::Discarding(_) => "discarding…",
        RunState::Paused => "paused",
        RunState::Done => "done",
        RunState::Failed(problem) if problem.cancelled => "stopped",
        RunState::Failed(_) => "failed",
    }
}

fn buttons(ui: &mut Ui, index: usize, run: &Run, asked: &mut Vec<TrainCommand>) {
    let mut offer = |name: &str, hint: &str, command: TrainCommand| {
        let button = ui.small_button(name).on_hover_text(hint);
        button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("{name} {}", run.name)));
        if button.clicked() {
            asked.push(command);
        }
    };
    let has_model = run.best.is_some() || !run.reports.is_empty();
    match &run.state {
        RunState::Going(_) => {
            offer("Pause", "Write a checkpoint and wait", TrainCommand::Pause(index));
            offer("Stop and keep", "Write a checkpoint; the model stays as it is", TrainCommand::StopAndKeep(index));
        }
        RunState::Stopping { .. } | RunState::Discarding(_) => {}
        RunState::Paused => {
            offer("Go on", "From the checkpoint, as if there had been no pause", TrainCommand::GoOn(index));
            offer("Keep", "The model stays as it is", TrainCommand::StopAndKeep(index));
            offer("Use this model", "Read the open barcodes with it", TrainCommand::Use(index));
        }
        RunState::Failed(_) => offer("Go on", "From the last checkpoint", TrainCommand::GoOn(index)),
        RunState::Done if has_model => {
            offer("Use this model", "Read the open barcodes with it", TrainCommand::Use(index));
        }
        RunState::Done => {}
    }
}

/// Offers to discard a run; a question comes first.
fn discard(ui: &mut Ui, run: &Run, question: &mut Question) {
    if matches!(run.state, RunState::Stopping { .. } | RunState::Discarding(_)) {
        return;
    }
    let button = ui.small_button("Discard…").on_hover_text("Stop it and remove what it wrote");
    button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Discard {}", run.name)));
    if button.clicked() {
        question.ask(run);
    }
}

/// Why a run failed, and what somebody should know about its course.
fn remarks(ui: &mut Ui, run: &Run) {
    if let RunState::Failed(problem) = &run.state
        && !problem.cancelled
    {
        state::problem_box(ui, problem, None);
    }
    for warning in run.warnings() {
        ui.label(RichText::new(format!("{}: {}", run.name, warning.text())).color(theme::tokens(ui).warning));
    }
}

/// The colour of a run's curves.
pub(super) fn colour(ui: &Ui, index: usize) -> egui::Color32 {
    let colours = theme::tokens(ui).series;
    colours[index % colours.len()]
}
