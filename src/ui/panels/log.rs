//! Everything that was said since the program started.

use crate::session::Session;
use crate::session::log::{Entry, Level};
use crate::ui::{theme, words};
use egui::{CollapsingHeader, Context, Grid, Modal, RichText, ScrollArea, Ui};
use std::time::SystemTime;

/// Draws the log. Returns whether it should be closed.
pub fn show(ctx: &Context, session: &Session) -> bool {
    let modal = Modal::new(egui::Id::unique("log")).show(ctx, |ui| {
        ui.set_width(theme::READING);
        ui.heading("Log");
        if session.log.entries().is_empty() {
            ui.label("Nothing had to be said yet.");
        }
        ScrollArea::vertical().max_height(ui.ctx().content_rect().height() * 0.6).auto_shrink([false, true]).show(
            ui,
            |ui| {
                // The latest first: that is what one looks for.
                for (index, entry) in session.log.entries().iter().enumerate().rev() {
                    show_entry(ui, index, entry);
                }
            },
        );
        ui.horizontal(|ui| {
            if ui.button("Close").clicked() {
                ui.close();
            }
            if ui.button("Copy all").clicked() {
                ui.ctx().copy_text(as_text(session.log.entries()));
            }
        });
    });
    modal.should_close()
}

fn show_entry(ui: &mut Ui, index: usize, entry: &Entry) {
    let tokens = theme::tokens(ui);
    let (sign, colour) = match entry.level {
        Level::Note => ("Note", tokens.quiet),
        Level::Warning => ("Warning", tokens.warning),
        Level::Error => ("Error", tokens.wrong),
    };
    Grid::new(("log entry", index)).num_columns(2).min_col_width(theme::NAME_COLUMN / 2.0).show(ui, |ui| {
        ui.label(RichText::new(sign).color(colour));
        ui.vertical(|ui| {
            ui.label(words::capitalised(&entry.message));
            ui.label(RichText::new(format!("{}, {}", entry.from, ago(entry.at))).small().color(tokens.quiet));
            if !entry.causes.is_empty() {
                CollapsingHeader::new("Technical cause").id_salt(index).show(ui, |ui| {
                    entry.causes.iter().for_each(|cause| {
                        ui.label(RichText::new(cause).monospace());
                    });
                });
            }
        });
    });
}

fn ago(at: SystemTime) -> String {
    let secs = at.elapsed().map_or(0.0, |elapsed| elapsed.as_secs_f32());
    if secs < 5.0 { "just now".to_owned() } else { format!("{} ago", words::duration(secs)) }
}

fn as_text(entries: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let causes: String = entry.causes.iter().map(|cause| format!("\n    {cause}")).collect();
        format!("{:?}: {}: {}{causes}\n", entry.level, entry.from, entry.message)
    };
    entries.iter().map(line).collect()
}
