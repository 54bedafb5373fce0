//! What can be said of the specimen that is looked at: buttons with keys.

use super::ask;
use crate::data::taxonomy::Field;
use crate::pipeline::audit::Suspect;
use crate::pipeline::review::{TAGS, Verdict};
use crate::session::Command;
use crate::session::review::ReviewCommand;
use crate::ui::scope::Scope;
use crate::ui::theme;
use egui::{Button, ComboBox, Key, Popup, TextEdit, Ui};

/// The keys of the tags, in their order.
const TAG_KEYS: [Key; TAGS.len()] = [Key::M, Key::B, Key::K, Key::S];

/// The line of buttons, while it is being filled in.
pub(super) struct Actions {
    reason: String,
    rank: Field,
    name: String,
}

impl Default for Actions {
    fn default() -> Self {
        Self { reason: String::new(), rank: Field::Species, name: String::new() }
    }
}

impl Actions {
    /// Whether N was pressed.
    pub(super) fn wants_next(&self, ui: &Ui) -> bool {
        pressed(ui, Key::N)
    }

    /// Draws the buttons. Returns whether the next specimen is to be looked at.
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, row: usize) -> bool {
        let suspect = scope.session.reviewing.suspect(row);
        let mut verdict = None;
        let mut next = self.wants_next(ui);
        ui.horizontal_wrapped(|ui| {
            verdict = verdict_on(ui, scope, row, suspect);
            next |= ui.button("Next (N)").clicked();
            history(ui, scope);
        });
        ui.horizontal_wrapped(|ui| {
            let hint = "Kept with the next decision";
            let label = ui.label("Why (C)").on_hover_text(hint);
            let wants_reason = pressed(ui, Key::C);
            let field =
                TextEdit::singleline(&mut self.reason).hint_text("a reason, if you like").desired_width(theme::SEARCH);
            let field = ui.add(field).labelled_by(label.id).on_hover_text(hint);
            if wants_reason {
                field.request_focus();
            }
            let is_entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let can = !self.reason.trim().is_empty();
            let comment = ui.add_enabled(can, Button::new("Only comment"));
            if comment.on_hover_text("Keep the reason as a comment (Enter)").clicked() || (is_entered && can) {
                verdict = Some((Verdict::Comment, false));
            }
            if let Some(named) = self.other_name(ui) {
                verdict = Some((named, true));
            }
        });
        if let Some((verdict, moves_on)) = verdict {
            let reason = std::mem::take(&mut self.reason).trim().to_owned();
            ask(scope, ReviewCommand::Say(row, verdict, reason));
            next |= moves_on;
        }
        next
    }

    /// Another name at any rank.
    fn other_name(&mut self, ui: &mut Ui) -> Option<Verdict> {
        let label = ui.label("Another name");
        ComboBox::from_id_salt("rank of the name")
            .width(theme::NAME_COLUMN / 1.5)
            .selected_text(self.rank.title())
            .show_ui(ui, |ui| {
                for rank in Field::RANKS.into_iter().rev() {
                    ui.selectable_value(&mut self.rank, rank, rank.title());
                }
            })
            .response
            .labelled_by(label.id);
        let field = TextEdit::singleline(&mut self.name).hint_text("name").desired_width(theme::NAME_COLUMN);
        ui.add(field).labelled_by(label.id);
        let can = !self.name.trim().is_empty();
        let button =
            ui.add_enabled(can, Button::new("Relabel so")).on_hover_text("Names of finer ranks are taken away");
        button.clicked().then(|| Verdict::Name(self.rank, std::mem::take(&mut self.name)))
    }
}

/// The verdict that was given, and whether the specimen is done with it.
fn verdict_on(ui: &mut Ui, scope: &Scope<'_>, row: usize, suspect: Option<&Suspect>) -> Option<(Verdict, bool)> {
    let proposed = suspect.and_then(|suspect| suspect.proposed.as_ref());
    let other =
        suspect.and_then(|suspect| suspect.evidence.other).map(|other| other.row).filter(|_| proposed.is_some());
    let has = |rank: Field| scope.dataset().and_then(|dataset| dataset.label(row, rank)).is_some();
    let swap = suspect.and_then(|suspect| suspect.partner);
    let partner = swap.and_then(|partner| Some(scope.dataset()?.id(partner).to_owned()));
    let buttons = [
        ("Accept (A)", Key::A, Some(Verdict::Accept), "The label is right".to_owned()),
        (
            "Relabel (R)",
            Key::R,
            other.map(Verdict::NameAs),
            proposed.map_or_else(
                || "No other name fits better".to_owned(),
                |name| format!("Give it the names that fit its barcode: {name}"),
            ),
        ),
        (
            "Swap (W)",
            Key::W,
            swap.map(Verdict::SwapWith),
            partner.map_or_else(
                || "No specimen has its label and its barcode the other way round".to_owned(),
                |id| format!("Exchange its names with those of {id}, in one step"),
            ),
        ),
        (
            "Lift to genus (G)",
            Key::G,
            has(Field::Genus).then_some(Verdict::LiftTo(Field::Genus)),
            "Take the species away and keep the genus".to_owned(),
        ),
        (
            "to family (F)",
            Key::F,
            has(Field::Family).then_some(Verdict::LiftTo(Field::Family)),
            "Take genus and species away and keep the family".to_owned(),
        ),
        ("Exclude (X)", Key::X, Some(Verdict::Exclude), "Leave it out of the corrected copies".to_owned()),
        ("Re-sequence (Q)", Key::Q, Some(Verdict::Resequence), "Ask for it to be sequenced again".to_owned()),
    ];
    let mut given = None;
    for (name, key, verdict, hint) in buttons {
        let button =
            ui.add_enabled(verdict.is_some(), Button::new(name)).on_hover_text(&hint).on_disabled_hover_text(hint);
        if (button.clicked() || pressed(ui, key)) && verdict.is_some() {
            given = verdict.map(|verdict| (verdict, true));
        }
    }
    ui.menu_button("Tag", |ui| {
        for (tag, key) in TAGS.into_iter().zip(TAG_KEYS) {
            if ui.button(format!("{tag} ({})", key.name())).clicked() {
                given = Some((Verdict::Tag(tag.to_owned()), false));
            }
        }
    })
    .response
    .on_hover_text("Misidentified (M), ambiguous (B), a complex of species (K), or shared by species (S)");
    for (tag, key) in TAGS.into_iter().zip(TAG_KEYS) {
        if pressed(ui, key) {
            given = Some((Verdict::Tag(tag.to_owned()), false));
        }
    }
    given
}

/// Undo and redo.
pub(super) fn history(ui: &mut Ui, scope: &mut Scope<'_>) {
    let reviewing = &scope.session.reviewing;
    for (name, can, command) in [
        ("Undo (Ctrl Z)", reviewing.can_undo(), ReviewCommand::Undo),
        ("Redo (Ctrl Y)", reviewing.can_redo(), ReviewCommand::Redo),
    ] {
        if ui.add_enabled(can, Button::new(name)).clicked() {
            scope.ask(Command::Review(command));
        }
    }
}

/// Whether a key was pressed alone while nobody was typing and no menu was open.
fn pressed(ui: &Ui, key: Key) -> bool {
    let is_free = !ui.ctx().text_edit_focused() && !Popup::is_any_open(ui.ctx());
    is_free && ui.input(|input| input.modifiers.is_none() && input.key_pressed(key))
}
