//! The runs of this session.

use super::discard::Question;
use crate::session::Command;
use crate::session::training::{Run, RunState, TrainCommand};
use crate::train::Objective;
use crate::ui::scope::Scope;
use crate::ui::widgets::bars::swatch;
use crate::ui::widgets::state;
use crate::ui::{theme, words};
use egui::{RichText, Ui};

pub(super) fn show(ui: &mut Ui, scope: &mut Scope<'_>, question: &mut Question) {
    let session = scope.session;
    let mut asked = Vec::new();
    for (index, run) in session.training.runs.iter().enumerate() {
        let is_used = session.model_file().is_some_and(|file| file == run.model());
        ui.horizontal_wrapped(|ui| {
            head(ui, index, run, &mut asked);
            buttons(ui, index, run, is_used, &mut asked);
            discard(ui, run, question);
        });
        ui.label(RichText::new(course(run)).color(theme::tokens(ui).quiet)).on_hover_text(
            "Loss of the hidden k-mers and share of them that is named right, of barcodes that are trained on and of those set \
             aside; share of the sample whose nearest specimen is of their genus; speed",
        );
        remarks(ui, run);
    }
    asked.into_iter().for_each(|command| scope.ask(Command::Train(command)));
}

/// Name and state of a run, and whether its curves are shown.
fn head(ui: &mut Ui, index: usize, run: &Run, asked: &mut Vec<TrainCommand>) {
    let mut shown = run.shown;
    let label = ui.checkbox(&mut shown, "").on_hover_text("Show its curves");
    label.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::CheckBox, true, shown, format!("Curves of {}", run.name))
    });
    if shown != run.shown {
        asked.push(TrainCommand::ShowCurves(index, shown));
    }
    swatch(ui, colour(ui, index));
    ui.label(RichText::new(&run.name).strong()).on_hover_text(about(run));
    ui.label(doing(run));
}

/// `step 160 · loss 4.004 · 11.0 % named right, 9.8 % set aside · 69.1 % genus nearest · 79 barcodes/s`
fn course(run: &Run) -> String {
    let Some(last) = run.reports.last() else { return about(run).lines().next().unwrap_or_default().to_owned() };
    let aside = run.validations.last().map(|known| format!(", {} set aside", words::percent(known.accuracy)));
    let genus = run.genus.last().map(|(_, genus)| format!("{} genus nearest", words::percent(genus.accuracy)));
    let facts = [
        Some(format!("step {}", words::count(last.step as usize))),
        Some(format!("loss {:.3}", last.loss)),
        Some(format!("{} named right{}", words::percent(last.accuracy), aside.unwrap_or_default())),
        genus,
        Some(format!("{:.0} barcodes/s", last.sequences_per_second)),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
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

fn doing(run: &Run) -> String {
    match &run.state {
        RunState::Going(_) if run.facts.is_none() => "waiting…".to_owned(),
        RunState::Going(_) => run.seconds_left().map_or_else(
            || "learning".to_owned(),
            |seconds| format!("learning, {} left", words::duration(seconds as f32)),
        ),
        RunState::Stopping { .. } => "writing…".to_owned(),
        RunState::Discarding(_) => "discarding…".to_owned(),
        RunState::Paused => "paused".to_owned(),
        RunState::Done => "done".to_owned(),
        RunState::Failed(problem) if problem.cancelled => "stopped".to_owned(),
        RunState::Failed(_) => "failed".to_owned(),
    }
}

fn buttons(ui: &mut Ui, index: usize, run: &Run, is_used: bool, asked: &mut Vec<TrainCommand>) {
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
            if !is_used {
                offer("Use this model", "Read the open barcodes with it", TrainCommand::Use(index));
            }
        }
        RunState::Failed(_) => offer("Go on", "From the last checkpoint", TrainCommand::GoOn(index)),
        RunState::Done if has_model && !is_used => {
            offer("Use this model", "Read the open barcodes with it", TrainCommand::Use(index));
        }
        RunState::Done => {}
    }
    if is_used {
        ui.label("in use").on_hover_text("The open barcodes are read with it");
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
