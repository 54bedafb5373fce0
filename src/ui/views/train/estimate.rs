//! What the next run will take.

use crate::pipeline::train::Estimate;
use crate::session::stage::Stage;
use crate::session::training::TrainCommand;
use crate::session::{Command, Session};
use crate::ui::scope::Scope;
use crate::ui::widgets::state;
use crate::ui::{theme, words};
use egui::{Button, RichText, Ui};

/// The button that times a few steps, and what came of it.
pub(super) fn show(ui: &mut Ui, scope: &mut Scope<'_>) {
    let session = scope.session;
    let training = &session.training;
    ui.horizontal(|ui| {
        let can = training.settings.checked().is_ok();
        let button = ui.add_enabled(can, Button::new("Estimate size and time"));
        if button.on_hover_text("Times a few steps on the open barcodes; takes seconds and changes nothing").clicked() {
            scope.ask(Command::Train(TrainCommand::Estimate));
        }
        if let Some(job) = training.estimate.job()
            && ui.button("Stop").on_hover_text("Stop estimating").clicked()
        {
            scope.ask(Command::Stop(job));
        }
    });
    let tokens = theme::tokens(ui);
    match &training.estimate {
        Stage::Empty => {}
        Stage::Running { .. } => {
            ui.label(RichText::new("Timing a few steps on the open barcodes…").color(tokens.quiet));
        }
        Stage::Failed { problem, .. } => {
            state::problem_box(ui, problem, None);
        }
        Stage::Ready(made) => ready(ui, session, &made.value),
    }
}

fn ready(ui: &mut Ui, session: &Session, estimates: &[Estimate]) {
    let tokens = theme::tokens(ui);
    let is_current = session.estimate_is_current();
    if !is_current {
        ui.label(
            RichText::new("The settings changed; this was for those before. Estimate again.").color(tokens.warning),
        );
    }
    let colour = if is_current { tokens.text } else { tokens.quiet };
    for estimate in estimates {
        if estimates.len() > 1 {
            ui.label(RichText::new(format!("{} hidden", words::percent(estimate.mask_ratio))).color(colour).strong());
        }
        for line in lines(estimate) {
            ui.label(RichText::new(line).color(colour));
        }
    }
    if estimates.len() > 1 {
        let seconds: f64 = estimates.iter().map(Estimate::seconds).sum();
        let text = format!("{} runs, one after another: {}", estimates.len(), words::duration(seconds as f32));
        ui.label(RichText::new(text).color(colour).strong());
    }
    if let Some(first) = estimates.first() {
        let timed = format!(
            "From {} of {}, timed a moment ago. Other work at the same time makes it slower.",
            words::counted(first.timed_steps, "step", "steps"),
            words::counted(first.timed_barcodes, "barcode", "barcodes")
        );
        ui.label(RichText::new(timed).small().color(tokens.quiet));
    }
}

fn lines(estimate: &Estimate) -> [String; 4] {
    let barcodes = words::counted(estimate.barcodes, "barcode", "barcodes");
    let validations = match estimate.validation_seconds {
        0.0 => "no validations".to_owned(),
        seconds => format!("{} of validations", words::duration(seconds as f32)),
    };
    [
        format!("{} weights, a file of {}", words::count(estimate.parameters), words::bytes(estimate.model_bytes)),
        match estimate.memory_bytes {
            Some(bytes) => format!("About {} of memory, on {}", words::bytes(bytes), estimate.device),
            None => format!("On {}; how much of its memory is not known before", estimate.device),
        },
        format!(
            "{} steps of {}, {} each",
            words::count(estimate.steps as usize),
            words::counted(estimate.barcodes_per_step, "barcode", "barcodes"),
            seconds(estimate.seconds_per_step)
        ),
        format!(
            "{} of training and {validations}: {} over {barcodes}",
            words::duration(estimate.training_seconds as f32),
            passes(estimate.epochs)
        ),
    ]
}

/// Short times with as many digits as they need.
fn seconds(seconds: f64) -> String {
    match seconds {
        ..0.1 => format!("{:.0} ms", 1000.0 * seconds),
        ..10.0 => format!("{seconds:.2} s"),
        _ => words::duration(seconds as f32),
    }
}

fn passes(epochs: f64) -> String {
    if epochs < 10.0 {
        format!("{epochs:.2} passes")
    } else {
        format!("{} passes", words::count(epochs.round() as usize))
    }
}
