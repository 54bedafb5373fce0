//! What drawing code is given: the state to show, and a place to say what was asked for.

use super::files::Purpose;
use crate::data::dataset::Dataset;
use crate::jobs::Live;
use crate::session::selection::{Mode, Rows};
use crate::session::{Command, Session};
use egui::Modifiers;

/// Something that is shown above the views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    /// The keyboard shortcuts.
    Shortcuts,
    /// The log.
    Log,
}

/// Something that was asked for while drawing. It happens after the frame was drawn.
#[derive(Debug)]
pub enum Asked {
    /// Of the session.
    Command(Command),
    /// A file, by a dialog.
    File(Purpose),
    /// Show an overlay.
    Overlay(Overlay),
    /// Put the keyboard into the search box.
    Search,
}

/// The state to show and what was asked for meanwhile.
#[derive(Debug)]
pub struct Scope<'a> {
    /// Everything there is to show.
    pub session: &'a Session,
    /// The latest news of the running job.
    pub live: Option<&'a Live>,
    /// What was asked for.
    pub asked: Vec<Asked>,
}

impl<'a> Scope<'a> {
    /// A scope in which nothing was asked for yet.
    pub fn new(session: &'a Session, live: Option<&'a Live>) -> Self {
        Self { session, live, asked: Vec::new() }
    }

    /// Asks the session.
    pub fn ask(&mut self, command: Command) {
        self.asked.push(Asked::Command(command));
    }

    /// Asks for a file.
    pub fn choose(&mut self, purpose: Purpose) {
        self.asked.push(Asked::File(purpose));
    }

    /// The open specimens.
    pub fn dataset(&self) -> Option<&'a Dataset> {
        self.session.dataset().map(|opened| &*opened.dataset)
    }

    /// Selects rows as a click with these keys held does.
    pub fn select(&mut self, rows: Rows, keys: Modifiers) {
        self.ask(Command::Select(rows, mode(keys)));
    }

    /// Selects one row as a click with these keys held does.
    pub fn select_row(&mut self, row: usize, keys: Modifiers) {
        self.select(std::iter::once(row).collect(), keys);
    }
}

/// Shift adds, ctrl (or cmd) toggles.
fn mode(keys: Modifiers) -> Mode {
    if keys.command {
        Mode::Toggle
    } else if keys.shift {
        Mode::Add
    } else {
        Mode::Replace
    }
}
