//! What stands where a result will be: why it is not there yet, how far it is, what went wrong.

use crate::jobs::{JobId, Live};
use crate::session::stage::Problem;
use crate::session::{Command, Step};
use crate::ui::scope::Scope;
use crate::ui::{theme, words};
use egui::{CollapsingHeader, Frame, Margin, ProgressBar, RichText, Ui};
use std::time::Instant;

/// Says in one line how far a result is, or what went wrong with it, above what there was before. Draws nothing for a result
/// that is there.
pub fn of_step(ui: &mut Ui, scope: &mut Scope<'_>, step: Step) {
    let stage = scope.session.results.stage(step);
    if let Some(problem) = stage.problem() {
        let problem = problem.clone();
        if problem_box(ui, &problem, Some("Try again")) {
            scope.ask(Command::Retry(step));
        }
    } else if stage.job().is_some()
        && let Some(live) = scope.live
    {
        progress(ui, live);
    }
}

/// What a view says whose results are not there: which step it waits for, and how far that is.
pub fn waiting(ui: &mut Ui, scope: &mut Scope<'_>, wanted: &str, steps: &[Step]) {
    ui.add_space(theme::GROUP_GAP);
    ui.vertical_centered(|ui| {
        ui.set_max_width(theme::READING);
        if let Some(&failed) = steps.iter().find(|&&step| scope.session.results.stage(step).problem().is_some()) {
            ui.label(RichText::new(format!("{} needs {}.", words::capitalised(wanted), failed.title())).heading());
            of_step(ui, scope, failed);
        } else {
            ui.label(RichText::new(format!("{} is being made", words::capitalised(wanted))).heading());
            let running = scope.session.running().map_or("another step", what_runs);
            ui.label(format!("It appears here by itself. Running now: {running}."));
            if let Some(live) = scope.live {
                progress(ui, live);
            }
        }
    });
}

fn what_runs(step: Step) -> &'static str {
    match step {
        Step::Frames => "checking reading frames",
        Step::KmerMap => "the first map, from 6-mer counts",
        Step::Model => "loading the model",
        Step::Embedding => "embedding the barcodes",
        Step::ModelMap => "the map of the embeddings",
        Step::Names(_) => "naming the specimens",
        Step::Recommendation => "comparing methods on the reference",
        Step::Clusters => "clustering",
    }
}

/// How far a job is that somebody asked for, where the window has news of it.
pub fn of_job(ui: &mut Ui, scope: &Scope<'_>, job: JobId) {
    match scope.live.filter(|_| scope.session.job() == Some(job)) {
        Some(live) => progress(ui, live),
        None => {
            ui.label(RichText::new("waiting for its turn…").color(theme::tokens(ui).quiet));
        }
    }
}

/// A bar with what is being done and the time left.
pub fn progress(ui: &mut Ui, live: &Live) {
    let text = progress_text(live, Instant::now());
    let share = live.progress.as_ref().and_then(|progress| progress.share());
    ui.label(RichText::new(&text).color(theme::tokens(ui).quiet));
    if let Some(share) = share {
        let bar = ProgressBar::new(share).desired_height(theme::GRID).desired_width(theme::READING / 2.0);
        ui.add(bar).on_hover_text(text);
    }
}

/// `embedding 3 412 of 12 000 barcodes · 41 s left`
pub fn progress_text(live: &Live, now: Instant) -> String {
    let Some(progress) = &live.progress else {
        return if live.started.is_some() { "starting…" } else { "waiting for its turn…" }.to_owned();
    };
    let done = words::count(progress.done as usize);
    let amount = match progress.total {
        Some(total) => format!(" {done} of {} {}", words::count(total as usize), progress.unit),
        None if progress.done == 0 => "…".to_owned(),
        None => format!(" {done} {}", progress.unit),
    };
    let left = live.seconds_left(now).map_or_else(String::new, |left| format!(" · {} left", words::duration(left)));
    format!("{}{amount}{left}", progress.stage)
}

/// What went wrong, in a sentence, with the technical cause one click away. Returns whether the button was clicked.
pub fn problem_box(ui: &mut Ui, problem: &Problem, button: Option<&str>) -> bool {
    let tokens = theme::tokens(ui);
    let mut clicked = false;
    Frame::NONE.fill(tokens.banner).inner_margin(Margin::same(theme::PANEL_MARGIN)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let colour = if problem.cancelled { tokens.text } else { tokens.wrong };
        ui.label(RichText::new(words::capitalised(&problem.message)).color(colour));
        if !problem.causes.is_empty() {
            CollapsingHeader::new("Technical cause").id_salt(&problem.message).show(ui, |ui| {
                for cause in &problem.causes {
                    ui.label(RichText::new(cause).monospace());
                }
            });
        }
        if let Some(button) = button {
            clicked = ui.button(button).clicked();
        }
    });
    clicked
}

/// A line that should not be overlooked.
pub fn banner(ui: &mut Ui, text: &str) {
    let tokens = theme::tokens(ui);
    Frame::NONE.fill(tokens.banner).inner_margin(Margin::same(theme::BAR_MARGIN)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(text).color(tokens.warning));
    });
}
