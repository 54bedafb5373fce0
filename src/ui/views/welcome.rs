//! The welcome page, and what stands above the views while a file is being opened.

use crate::jobs::FirstRows;
use crate::session::Command;
use crate::ui::files::{Purpose, typed_paths};
use crate::ui::panels::columns;
use crate::ui::scope::Scope;
use crate::ui::widgets::state;
use crate::ui::{theme, topbar, words};
use egui::{Key, RichText, TextEdit, Ui};

/// What the page remembers from frame to frame.
#[derive(Default)]
pub struct Welcome {
    path: String,
}

impl Welcome {
    /// Draws the page.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let height = ui.available_height();
        ui.vertical_centered(|ui| {
            ui.set_max_width(theme::READING);
            ui.add_space(height / 8.0);
            ui.label(RichText::new("Barcodescope").size(1.6 * theme::HEADING).strong());
            ui.label("Open DNA barcodes and see what each specimen is, which labels look wrong, and which specimens belong together.");
            ui.add_space(theme::GROUP_GAP);
            opening(ui, scope);
            if scope.session.first_rows.is_some() {
                return;
            }
            self.choices(ui, scope);
            recoveries(ui, scope);
            if !scope.session.settings.recent.is_empty() {
                ui.add_space(theme::GROUP_GAP);
                ui.label(RichText::new("Recent files").strong());
                topbar::recent_files(ui, scope);
            }
            ui.add_space(theme::GROUP_GAP);
            let formats = "FASTA, BOLD, BCDM and BIOSCAN tables, and any other table with a column of sequences; plain, gzip or zstd. \
                           Several files open as one. You can also drop files anywhere in this window.";
            ui.label(RichText::new(formats).color(theme::tokens(ui).quiet));
        });
        // Over the whole width, for tables are wide.
        first_rows(ui, scope, FirstRows::MOST);
    }

    fn choices(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let size = [1.6 * theme::NAME_COLUMN, 1.4 * theme::CONTROL];
        if ui.add_sized(size, egui::Button::new(RichText::new("Open files…").strong())).clicked() {
            scope.choose(Purpose::Open);
        }
        let demo = ui.add_sized(size, egui::Button::new("Open the demo"));
        if demo.on_hover_text("1 500 simulated specimens with planted mistakes").clicked() {
            scope.ask(Command::OpenDemo);
        }
        ui.add_space(theme::GAP);
        let label = ui.label(RichText::new("or type a path").color(theme::tokens(ui).quiet));
        let field = TextEdit::singleline(&mut self.path).hint_text("survey.fasta").desired_width(theme::READING / 2.0);
        let field = ui.add(field).labelled_by(label.id);
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let paths = typed_paths(&self.path);
        let open = ui.add_enabled(!paths.is_empty(), egui::Button::new("Open this path"));
        if (open.clicked() || entered) && !paths.is_empty() {
            scope.ask(Command::Open(paths));
        }
    }
}

/// Decisions that were made and never saved under a name, after a crash too.
fn recoveries(ui: &mut Ui, scope: &mut Scope<'_>) {
    let found = scope.session.reviewing.recoveries.clone();
    if found.is_empty() {
        return;
    }
    ui.add_space(theme::GROUP_GAP);
    ui.label(RichText::new("Decisions not saved as a session").strong());
    for recovery in found {
        let text = format!("{}: {}", recovery.name, words::counted(recovery.decisions, "decision", "decisions"));
        let hint = format!("Go on with them; the last was made {} (UTC)", recovery.when);
        if ui.button(text).on_hover_text(hint).clicked() {
            scope.ask(Command::Open(vec![recovery.path]));
        }
    }
}

/// The beginning of the file that is being opened, at most `most` rows.
pub fn first_rows(ui: &mut Ui, scope: &Scope<'_>, most: usize) {
    if let Some(rows) = &scope.session.first_rows {
        columns::first_rows(ui, &rows.columns, &rows.rows[..rows.rows.len().min(most)]);
        ui.add_space(theme::GAP);
    }
}

/// While a file is being opened: how far that is. When it could not be opened: why.
pub fn opening(ui: &mut Ui, scope: &mut Scope<'_>) {
    if let Some(problem) = scope.session.data.problem() {
        state::problem_box(ui, problem, None);
        ui.add_space(theme::GAP);
    } else if scope.session.data.job().is_some()
        && let Some(live) = scope.live
    {
        ui.label(RichText::new(format!("{}…", live.job)).strong());
        state::progress(ui, live);
        ui.add_space(theme::GAP);
    }
}
