//! The bar at the bottom: what is running, how long it still takes, and what was said.

use super::scope::{Asked, Overlay, Scope};
use super::widgets::state;
use super::{theme, words};
use crate::session::{Command, Step};
use egui::{Align, Layout, ProgressBar, RichText, Ui};
use std::time::Instant;

/// Draws it.
pub fn show(ui: &mut Ui, scope: &mut Scope<'_>) {
    ui.horizontal(|ui| {
        running(ui, scope);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| facts(ui, scope));
    });
}

fn running(ui: &mut Ui, scope: &mut Scope<'_>) {
    let Some(job) = scope.session.job() else {
        ui.label(RichText::new(idle_text(scope)).color(theme::tokens(ui).quiet));
        return;
    };
    if ui.button("Stop").on_hover_text("Stop this; what was there before stays").clicked() {
        scope.ask(Command::Stop(job));
    }
    let Some(live) = scope.live else { return };
    if let Some(share) = live.progress.as_ref().and_then(|progress| progress.share()) {
        ui.add(ProgressBar::new(share).desired_width(theme::NAME_COLUMN).desired_height(theme::GRID));
    }
    ui.label(format!("{} · {}", live.job, state::progress_text(live, Instant::now())));
}

fn idle_text(scope: &Scope<'_>) -> String {
    if scope.session.dataset().is_none() {
        return "Nothing is open".to_owned();
    }
    let failed = Step::ALL.iter().filter(|&&step| scope.session.results.stage(step).problem().is_some()).count();
    if failed > 0 {
        format!("{} could not be finished", words::counted(failed, "step", "steps"))
    } else {
        match scope.session.training.learning() {
            Some(run) => format!("Ready; {} is learning", run.name),
            None => "Ready".to_owned(),
        }
    }
}

fn facts(ui: &mut Ui, scope: &mut Scope<'_>) {
    let session = scope.session;
    let warnings = session.log.warnings();
    let log = match warnings {
        0 => "Log".to_owned(),
        _ => words::counted(warnings, "warning", "warnings"),
    };
    let colour = if warnings == 0 { theme::tokens(ui).quiet } else { theme::tokens(ui).warning };
    if ui.button(RichText::new(log).color(colour)).on_hover_text("Everything that was said (Ctrl L)").clicked() {
        scope.asked.push(Asked::Overlay(Overlay::Log));
    }
    let Some(dataset) = scope.dataset() else { return };
    let simulated = session.dataset().is_some_and(|opened| opened.is_simulated()).then(|| "simulated".to_owned());
    let mut facts: Vec<String> = simulated.into_iter().collect();
    facts.push(words::counted(dataset.len(), "specimen", "specimens"));
    if let Some(visible) = &session.look.visible {
        facts.push(format!("{} shown", words::count(visible.len())));
    }
    if !session.selection.rows().is_empty() {
        facts.push(format!("{} selected", words::count(session.selection.rows().len())));
    }
    facts.push(format!("seed {}", session.choices.seed.0));
    ui.label(RichText::new(facts.join(" · ")).color(theme::tokens(ui).quiet));
}
