//! The suspects, one after the other.

use super::actions::Actions;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::audit::{Audit, Cause, Suspect};
use crate::session::Command;
use crate::session::columns::{Sorting, order};
use crate::session::selection::Rows;
use crate::ui::scope::Scope;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::{theme, words};
use egui::{CentralPanel, ComboBox, Frame, Label, Margin, Modifiers, Panel, RichText, TextEdit, Ui};
use std::cmp::Ordering;
use std::sync::Arc;

const COLUMNS: [TableColumn; 6] = [
    TableColumn::text("specimen", 105.0, "The specimen; click to look at it"),
    TableColumn::number("score", 50.0, "How strongly the evidence contradicts the label, from 0 to 1"),
    TableColumn::text("label", 125.0, "The name in force"),
    TableColumn::text("what is wrong", 130.0, "What the rules make of it; the evidence stands beside"),
    TableColumn::text("fits better", 125.0, "The name that fits the barcode better"),
    TableColumn::text("decided", 80.0, "What was decided about it"),
];
/// Share of the width that the dossier takes at first.
const DOSSIER_SHARE: f32 = 0.56;
/// Share of the width that either side keeps.
const LEAST_SHARE: f32 = 0.3;

/// What the queue remembers from frame to frame.
pub(super) struct Queue {
    sorting: Option<Sorting>,
    only: Option<Cause>,
    taxon: String,
    undecided: bool,
    actions: Actions,
    derived: Option<Derived>,
    scroll_to: Option<usize>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            sorting: None,
            only: None,
            taxon: String::new(),
            undecided: true,
            actions: Actions::default(),
            derived: None,
            scroll_to: None,
        }
    }
}

/// What the list depends on: order, cause, taxon, whether decided ones are left out, the filters of the window, the decisions.
type Key = (Option<Sorting>, Option<Cause>, String, bool, u64, usize);

/// What is made of an audit once.
struct Derived {
    of: Arc<Audit>,
    key: Key,
    /// Specimens of each cause, in the order of [`Cause::ALL`].
    counts: [usize; Cause::ALL.len()],
    /// Indices into the suspects, in the order shown.
    rows: Vec<usize>,
    /// Label in force and what was decided, for each of `rows`.
    texts: Vec<[String; 2]>,
}

impl Queue {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let (Some(dataset), Some(audit)) = (scope.dataset(), scope.session.reviewing.audited.shown().cloned()) else {
            return;
        };
        self.derive(scope, &audit, dataset);
        self.filters(ui, scope, &audit);
        let width = ui.available_width();
        Panel::right("dossier")
            .frame(Frame::NONE.inner_margin(Margin { left: theme::PANEL_MARGIN, ..Margin::ZERO }))
            .resizable(true)
            .default_size(width * DOSSIER_SHARE)
            .size_range(width * LEAST_SHARE..=width * (1.0 - LEAST_SHARE))
            .show(ui, |ui| self.dossier(ui, scope, &audit));
        CentralPanel::default().frame(Frame::NONE).show(ui, |ui| self.table(ui, scope, &audit, dataset));
    }

    /// The specimen that is looked at, with what can be said of it.
    fn dossier(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, audit: &Audit) {
        // Without this the panel would be as narrow as what is in it at first.
        ui.set_min_width(ui.available_width());
        let focus = scope.session.selection.focus();
        let Some(row) = focus else {
            ui.label("Click a specimen of the list, or press N for the first.");
            if self.actions.wants_next(ui) {
                self.step(scope, audit, None);
            }
            return;
        };
        if self.actions.show(ui, scope, row) {
            self.step(scope, audit, focus);
        }
        ui.separator();
        super::dossier::show(ui, scope, row);
    }

    /// Turns to the next specimen of the list.
    fn step(&mut self, scope: &mut Scope<'_>, audit: &Audit, from: Option<usize>) {
        let Some(derived) = &self.derived else { return };
        let row = |place: usize| audit.suspects[derived.rows[place]].row;
        let place = from.and_then(|focus| (0..derived.rows.len()).find(|&place| row(place) == focus));
        let next = place.map_or(0, |place| place + 1);
        if next < derived.rows.len() {
            self.scroll_to = Some(next);
            scope.select_row(row(next), Modifiers::NONE);
        }
    }

    fn derive(&mut self, scope: &Scope<'_>, audit: &Arc<Audit>, dataset: &Dataset) {
        let look = &scope.session.look;
        let entries = scope.session.reviewing.entries();
        let key =
            (self.sorting, self.only, self.taxon.clone(), self.undecided, look.revision, Arc::as_ptr(entries) as usize);
        if self.derived.as_ref().is_some_and(|derived| Arc::ptr_eq(&derived.of, audit) && derived.key == key) {
            return;
        }
        let Some(curated) = scope.session.curated() else { return };
        let focus = scope.session.selection.focus();
        let taxon = self.taxon.trim().to_lowercase();
        let is_of_taxon = |row: usize| {
            taxon.is_empty()
                || Field::RANKS
                    .into_iter()
                    .filter_map(|rank| curated.label(row, rank))
                    .any(|name| name.to_lowercase().contains(&taxon))
        };
        let suspects = &audit.suspects;
        let shown = (0..suspects.len()).filter(|&at| {
            let Suspect { row, cause, .. } = suspects[at];
            let is_wanted = match self.only {
                Some(only) => cause == only,
                None => cause.is_suspicious(),
            };
            // The one that is looked at stays until another is, so that its decision can be seen.
            let is_open = !self.undecided || curated.decisions(row).is_empty() || focus == Some(row);
            is_wanted && is_open && look.shows(row) && is_of_taxon(row)
        });
        let rows: Vec<usize> = match self.sorting {
            None => shown.collect(),
            Some(Sorting { column, ascending }) => {
                order(shown, ascending, |&a, &b| compare(dataset, &suspects[a], &suspects[b], column))
            }
        };
        let texts = rows
            .iter()
            .map(|&at| {
                let row = suspects[at].row;
                let decided: Vec<&str> = curated.decisions(row).iter().map(|decision| decision.kind.title()).collect();
                [curated.name(row).unwrap_or("–").to_owned(), distinct(&decided)]
            })
            .collect();
        let counts = Cause::ALL.map(|cause| audit.count(cause));
        self.derived = Some(Derived { of: Arc::clone(audit), key, counts, rows, texts });
    }

    fn filters(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, audit: &Audit) {
        let Some(derived) = &self.derived else { return };
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Show");
            let chosen =
                self.only.map_or_else(|| "all that is suspicious".to_owned(), |cause| cause.title().to_owned());
            ComboBox::from_id_salt("cause")
                .width(1.7 * theme::NAME_COLUMN)
                .selected_text(chosen)
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut self.only, None, "all that is suspicious");
                    for (cause, count) in Cause::ALL.into_iter().zip(derived.counts) {
                        let name = format!("{} ({})", cause.title(), words::count(count));
                        ui.add_enabled_ui(count > 0, |ui| ui.selectable_value(&mut self.only, Some(cause), name));
                    }
                })
                .response
                .labelled_by(label.id);
            let label = ui.label("Taxon");
            let field = TextEdit::singleline(&mut self.taxon).hint_text("any").desired_width(theme::NAME_COLUMN);
            ui.add(field)
                .labelled_by(label.id)
                .on_hover_text("Only specimens whose order, family, genus or species has this in it");
            ui.checkbox(&mut self.undecided, "Only undecided")
                .on_hover_text("Leave out what something was decided about");
            let text = words::counted(derived.rows.len(), "specimen", "specimens");
            ui.label(RichText::new(text).color(theme::tokens(ui).quiet));
            if ui.link("Select them").on_hover_text("Select them everywhere, on the map too").clicked() {
                let rows: Rows = derived.rows.iter().map(|&at| audit.suspects[at].row).collect();
                scope.select(rows, Modifiers::NONE);
            }
        });
    }

    fn table(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, audit: &Audit, dataset: &Dataset) {
        let Some(derived) = &self.derived else { return };
        let selection = &scope.session.selection;
        let at = |position: usize| &audit.suspects[derived.rows[position]];
        let current = selection.focus().and_then(|row| (0..derived.rows.len()).find(|&place| at(place).row == row));
        let table = Table {
            id: "suspects",
            name: "suspects",
            columns: &COLUMNS,
            rows: derived.rows.len(),
            sorting: self.sorting,
            height: None,
            current,
            scroll_to: self.scroll_to.take(),
        };
        let answer = table.show(
            ui,
            |position| selection.focus() == Some(at(position).row),
            |ui, position, column| {
                let suspect = at(position);
                let text = match column {
                    0 => dataset.id(suspect.row),
                    1 => &format!("{:.2}", suspect.score),
                    2 => &derived.texts[position][0],
                    3 => suspect.cause.title(),
                    4 => suspect.proposed.as_deref().unwrap_or("–"),
                    _ => &derived.texts[position][1],
                };
                ui.add(Label::new(text).truncate());
            },
        );
        if let Some((position, _)) = answer.chosen {
            scope.ask(Command::FocusOn(at(position).row));
        }
        if answer.sorting.is_some() {
            self.sorting = answer.sorting;
        }
    }
}

/// Each word once, in the order in which they come first.
fn distinct(words: &[&str]) -> String {
    let mut seen: Vec<&str> = Vec::new();
    words.iter().for_each(|word| {
        if !seen.contains(word) {
            seen.push(word);
        }
    });
    seen.join(", ")
}

fn compare(dataset: &Dataset, a: &Suspect, b: &Suspect, column: usize) -> Ordering {
    let name = |suspect: &Suspect| {
        dataset.label(suspect.row, Field::Species).or_else(|| dataset.label(suspect.row, Field::Genus))
    };
    match column {
        0 => dataset.id(a.row).cmp(dataset.id(b.row)),
        1 => a.score.total_cmp(&b.score),
        2 => name(a).cmp(&name(b)),
        3 => a.cause.cmp(&b.cause),
        4 => a.proposed.cmp(&b.proposed),
        _ => Ordering::Equal,
    }
}
