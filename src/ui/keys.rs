//! Keyboard shortcuts: one table that both the keyboard and the help read.

use super::files::Purpose;
use super::scope::{Asked, Overlay, Scope};
use crate::session::review::ReviewCommand;
use crate::session::{Command, Page};
use egui::{Context, Key, KeyboardShortcut, Modifiers, Popup};

/// One shortcut.
pub struct Shortcut {
    /// The keys, as the help shows them.
    pub keys: &'static str,
    /// What happens.
    pub does: &'static str,
    press: Option<(KeyboardShortcut, fn() -> Asked)>,
}

const fn key(modifiers: Modifiers, key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(modifiers, key)
}

const PLAIN: Modifiers = Modifiers::NONE;

/// Every shortcut, in the order of the help. Those without a key press are what the mouse and the tables do.
pub const SHORTCUTS: [Shortcut; 27] = [
    Shortcut {
        keys: "1",
        does: "Dataset",
        press: Some((key(PLAIN, Key::Num1), || Asked::Command(Command::Show(Page::Dataset)))),
    },
    Shortcut {
        keys: "2",
        does: "Atlas",
        press: Some((key(PLAIN, Key::Num2), || Asked::Command(Command::Show(Page::Atlas)))),
    },
    Shortcut {
        keys: "3",
        does: "Classify",
        press: Some((key(PLAIN, Key::Num3), || Asked::Command(Command::Show(Page::Classify)))),
    },
    Shortcut {
        keys: "4",
        does: "Clusters",
        press: Some((key(PLAIN, Key::Num4), || Asked::Command(Command::Show(Page::Clusters)))),
    },
    Shortcut {
        keys: "5",
        does: "Review",
        press: Some((key(PLAIN, Key::Num5), || Asked::Command(Command::Show(Page::Review)))),
    },
    Shortcut {
        keys: "6",
        does: "Discover",
        press: Some((key(PLAIN, Key::Num6), || Asked::Command(Command::Show(Page::Discover)))),
    },
    Shortcut {
        keys: "7",
        does: "Masking",
        press: Some((key(PLAIN, Key::Num7), || Asked::Command(Command::Show(Page::Masking)))),
    },
    Shortcut {
        keys: "8",
        does: "Train",
        press: Some((key(PLAIN, Key::Num8), || Asked::Command(Command::Show(Page::Train)))),
    },
    Shortcut {
        keys: "Ctrl O",
        does: "Open files",
        press: Some((key(Modifiers::COMMAND, Key::O), || Asked::File(Purpose::Open))),
    },
    Shortcut { keys: "/", does: "Find a specimen or taxon", press: Some((key(PLAIN, Key::Slash), || Asked::Search)) },
    Shortcut {
        keys: "Ctrl F",
        does: "Find a specimen or taxon",
        press: Some((key(Modifiers::COMMAND, Key::F), || Asked::Search)),
    },
    Shortcut {
        keys: "Escape",
        does: "Select nothing",
        press: Some((key(PLAIN, Key::Escape), || Asked::Command(Command::Clear))),
    },
    Shortcut {
        keys: "Alt left",
        does: "The selection before",
        press: Some((key(Modifiers::ALT, Key::ArrowLeft), || Asked::Command(Command::Back))),
    },
    Shortcut {
        keys: "Alt right",
        does: "The selection after",
        press: Some((key(Modifiers::ALT, Key::ArrowRight), || Asked::Command(Command::Forward))),
    },
    Shortcut {
        keys: "Ctrl L",
        does: "The log of all messages",
        press: Some((key(Modifiers::COMMAND, Key::L), || Asked::Overlay(Overlay::Log))),
    },
    Shortcut {
        keys: "? or F1",
        does: "This help",
        press: Some((key(PLAIN, Key::Questionmark), || Asked::Overlay(Overlay::Shortcuts))),
    },
    Shortcut {
        keys: "Ctrl S",
        does: "Save everything as a session",
        press: Some((key(Modifiers::COMMAND, Key::S), || Asked::File(Purpose::Session))),
    },
    Shortcut {
        keys: "Ctrl Z",
        does: "Take the latest decision back",
        press: Some((key(Modifiers::COMMAND, Key::Z), || Asked::Command(Command::Review(ReviewCommand::Undo)))),
    },
    Shortcut {
        keys: "Ctrl Y",
        does: "Put it back",
        press: Some((key(Modifiers::COMMAND, Key::Y), || Asked::Command(Command::Review(ReviewCommand::Redo)))),
    },
    Shortcut { keys: "N; A, R, W", does: "Review: next; accept, relabel, swap", press: None },
    Shortcut { keys: "G, F, X, Q", does: "Review: lift to genus or family, exclude, sequence again", press: None },
    Shortcut { keys: "M, B, K, S; C", does: "Review: the four tags; write a reason or comment", press: None },
    Shortcut { keys: "Up, down", does: "Walk through a table", press: None },
    Shortcut { keys: "Shift, Ctrl click", does: "Add to the selection, take one away", press: None },
    Shortcut { keys: "Drag, wheel", does: "Move and zoom the map", press: None },
    Shortcut { keys: "Shift drag", does: "Select a box on the map; with Alt, a free outline", press: None },
    Shortcut { keys: "Double click", does: "Show the whole map", press: None },
];

/// Answers the keys pressed in this frame, unless somebody is typing, or a dialog or menu that is open has the keyboard.
pub fn answer(ctx: &Context, scope: &mut Scope<'_>, dialog_open: bool) {
    if dialog_open || Popup::is_any_open(ctx) {
        return;
    }
    let typing = ctx.text_edit_focused();
    ctx.input_mut(|input| {
        for (shortcut, ask) in SHORTCUTS.iter().filter_map(|shortcut| shortcut.press.as_ref()) {
            let with_command = shortcut.modifiers.command;
            if (with_command || !typing) && input.consume_shortcut(shortcut) {
                scope.asked.push(ask());
            }
        }
        if input.consume_key(PLAIN, Key::F1) || (!typing && input.consume_key(Modifiers::SHIFT, Key::Questionmark)) {
            scope.asked.push(Asked::Overlay(Overlay::Shortcuts));
        }
    });
}
