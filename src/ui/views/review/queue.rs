//! The suspects, one after the other.

use super::actions::Actions;
use crate::data::dataset::Dataset;
use crate::pipeline::audit::{Audit, Cause, Suspect};
use crate::pipeline::review::Curated;
use crate::pipeline::scope::{Decision, Entry};
use crate::session::Command;
use crate::session::columns::Sorting;
use crate::session::ordering::{SortKey, order_by};
use crate::session::selection::Rows;
use crate::session::suspects::{SuspectFilter, Wanted};
use crate::ui::scope::Scope;
use crate::ui::widgets::sorted::Sorted;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::{theme, words};
use egui::{CentralPanel, ComboBox, Frame, Label, Margin, Modifiers, Panel, RichText, TextEdit, Ui};
use std::sync::Arc;

const COLUMNS: [TableColumn; 6] = [
    TableColumn::text("specimen", 105.0, "The specimen; click to look at it"),
    TableColumn::number("score", 50.0, "How strongly the evidence contradicts the label, from 0 to 1"),
    TableColumn::text("label", 125.0, "The name in force"),
    TableColumn::text("what is wrong", 130.0, "What the rules make of it; the evidence stands beside"),
    TableColumn::text("fits better", 125.0, "The name that fits the barcode better"),
    TableColumn::text("decided", 80.0, "What was decided about it"),
];
/// The columns that show what decisions lead to.
const LABEL: usize = 2;
const DECIDED: usize = 5;
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
    /// Specimens of each cause, in the order of [`Cause::ALL`], of which audit.
    counts: Option<(Arc<Audit>, [usize; Cause::ALL.len()])>,
    /// Indices into the suspects.
    rows: Sorted<Audit, Order, Filter>,
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
            counts: None,
            rows: Sorted::default(),
            scroll_to: None,
        }
    }
}

/// The decisions, known by themselves: another list of them is another one, whatever is in it.
#[derive(Clone)]
struct Decided(Arc<Vec<Entry<Decision>>>);

impl PartialEq for Decided {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What the order of the list depends on.
#[derive(Clone, PartialEq)]
struct Order {
    sorting: Option<Sorting>,
    /// Where the column shows what they lead to.
    decided: Option<Decided>,
}

impl Order {
    fn new(sorting: Option<Sorting>, decided: &Decided) -> Self {
        let shows = sorting.is_some_and(|sorting| [LABEL, DECIDED].contains(&sorting.column));
        Self { sorting, decided: shows.then(|| decided.clone()) }
    }
}

/// Which suspects are listed: what is wanted, the filters of the window, the decisions.
#[derive(PartialEq)]
struct Filter {
    wanted: Wanted,
    revision: u64,
    decided: Decided,
}

impl Queue {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let (Some(dataset), Some(audit)) = (scope.dataset(), scope.session.reviewing.audited.shown().cloned()) else {
            return;
        };
        self.find(ui, scope, &audit);
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
        let row = |at: u32| audit.suspects[at as usize].row;
        let place = self.rows.place_of(from, |at| Some(row(at)) == from);
        let next = place.map_or(0, |place| place + 1);
        if let Some(&at) = self.rows.rows().get(next) {
            self.scroll_to = Some(next);
            scope.select_row(row(at), Modifiers::NONE);
        }
    }

    fn find(&mut self, ui: &Ui, scope: &Scope<'_>, audit: &Arc<Audit>) {
        let Some(dataset) = scope.session.dataset().map(|opened| Arc::clone(&opened.dataset)) else { return };
        if self.counts.as_ref().is_none_or(|(of, _)| !Arc::ptr_eq(of, audit)) {
            self.counts = Some((Arc::clone(audit), Cause::ALL.map(|cause| audit.count(cause))));
        }
        let (entries, look) = (scope.session.reviewing.entries(), &scope.session.look);
        let focus = scope.session.selection.focus();
        let wanted = Wanted {
            cause: self.only,
            taxon: self.taxon.clone(),
            undecided: self.undecided,
            // Without a need it is left out: another one that is looked at changes no list.
            focus: focus.filter(|_| self.undecided),
        };
        let decided = Decided(Arc::clone(entries));
        let order = Order::new(self.sorting, &decided);
        let filter = Filter { wanted: wanted.clone(), revision: look.revision, decided };
        let (sorted, sorting, names, known) =
            (Arc::clone(audit), self.sorting, Arc::clone(&dataset), Arc::clone(entries));
        let many = audit.suspects.len();
        let sort = move || {
            let all: Vec<u32> = (0..many as u32).collect();
            match sorting {
                None => all,
                Some(Sorting { column, ascending }) => {
                    let curated = Curated::new(&names, &known);
                    order_by(all, ascending, |at| sort_key(&names, &curated, &sorted.suspects[at as usize], column))
                }
            }
        };
        let (shown, entries, visible) = (Arc::clone(audit), Arc::clone(entries), look.visible.clone());
        let choose = move |all: &[u32]| {
            let filter = SuspectFilter::new(wanted, dataset, &entries, visible);
            all.iter().copied().filter(|&at| filter.keeps(&shown.suspects[at as usize])).collect()
        };
        self.rows.ask(ui.ctx(), (audit, order, filter), many, sort, choose);
    }

    fn filters(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, audit: &Audit) {
        let Some(counts) = self.counts.as_ref().map(|(_, counts)| *counts) else { return };
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Show");
            let chosen =
                self.only.map_or_else(|| "all that is suspicious".to_owned(), |cause| cause.title().to_owned());
            ComboBox::from_id_salt("cause")
                .width(1.7 * theme::NAME_COLUMN)
                .selected_text(chosen)
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut self.only, None, "all that is suspicious");
                    for (cause, count) in Cause::ALL.into_iter().zip(counts) {
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
            let text = words::counted(self.rows.rows().len(), "specimen", "specimens");
            ui.label(RichText::new(text).color(theme::tokens(ui).quiet));
            if ui.link("Select them").on_hover_text("Select them everywhere, on the map too").clicked() {
                let rows: Rows = self.rows.rows().iter().map(|&at| audit.suspects[at as usize].row).collect();
                scope.select(rows, Modifiers::NONE);
            }
        });
    }

    fn table(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, audit: &Audit, dataset: &Dataset) {
        let Some(curated) = scope.session.curated() else { return };
        let focus = scope.session.selection.focus();
        let current = self.rows.place_of(focus, |at| Some(audit.suspects[at as usize].row) == focus);
        let rows = self.rows.rows();
        let at = |position: usize| &audit.suspects[rows[position] as usize];
        let table = Table {
            id: "suspects",
            name: "suspects",
            columns: &COLUMNS,
            rows: rows.len(),
            sorting: self.sorting,
            height: None,
            current,
            scroll_to: self.scroll_to.take(),
        };
        let answer = table.show(
            ui,
            |position| focus == Some(at(position).row),
            |ui, position, column| {
                let suspect = at(position);
                let text = match column {
                    0 => dataset.id(suspect.row),
                    1 => &format!("{:.2}", suspect.score),
                    LABEL => curated.name(suspect.row).unwrap_or("–"),
                    3 => suspect.cause.title(),
                    4 => suspect.proposed.as_deref().unwrap_or("–"),
                    _ => &decisions(&curated, suspect.row),
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

/// What was decided about a specimen, each kind once, in the order in which they come first.
fn decisions(curated: &Curated<'_>, row: usize) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for title in curated.decisions(row).iter().map(|decision| decision.kind.title()) {
        if !seen.contains(&title) {
            seen.push(title);
        }
    }
    seen.join(", ")
}

fn sort_key<'a>(dataset: &'a Dataset, curated: &'a Curated<'_>, suspect: &'a Suspect, column: usize) -> SortKey<'a> {
    match column {
        0 => SortKey::words(Some(dataset.id(suspect.row))),
        1 => SortKey::number(Some(suspect.score)),
        LABEL => SortKey::words(curated.name(suspect.row)),
        3 => SortKey::number(Cause::ALL.iter().position(|&cause| cause == suspect.cause).map(|place| place as u32)),
        4 => SortKey::words(suspect.proposed.as_deref()),
        _ => SortKey::words(Some(decisions(curated, suspect.row))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};
    use crate::data::taxonomy::Field;
    use crate::pipeline::audit::Evidence;
    use crate::pipeline::scope::DecisionKind;

    #[test]
    fn another_decision_sorts_anew_only_what_shows_it() {
        let lists = [(); 2].map(|()| Decided(Arc::new(Vec::new())));
        let by = |column, decided| Order::new(Some(Sorting { column, ascending: true }), decided);
        for (column, shown) in COLUMNS.iter().enumerate() {
            let same = by(column, &lists[0]) == by(column, &lists[1]);
            assert_eq!(same, ![LABEL, DECIDED].contains(&column), "{}", shown.title);
            assert!(by(column, &lists[0]) == by(column, &lists[0]));
        }
        assert!(Order::new(None, &lists[0]) == Order::new(None, &lists[1]));
    }

    #[test]
    fn names_and_decisions_are_sorted_as_they_are_shown() {
        let mut builder = DatasetBuilder::new("test", Vec::new());
        for (row, species) in ["Apis mellifera", "Bombus ater", "Carabus auratus"].iter().enumerate() {
            let labels = [(Field::Species, (*species).to_owned())].into();
            let sequence = b"ACGT".repeat(row + 1);
            builder.push(Record { id: format!("s{row}"), sequence, labels, ..Record::default() });
        }
        let dataset = builder.finish();
        let decision = |row: usize, kind, new: Option<&str>| {
            let (field, old) = (Some(Field::Species), dataset.label(row, Field::Species).map(str::to_owned));
            let (who, reason) = (String::new(), String::new());
            let new = new.map(str::to_owned);
            let value = Decision { kind, specimen: format!("s{row}"), field, old, new, who, reason, continues: false };
            Entry { id: row as i64, time_secs: 0, kind: String::new(), value, undone: false }
        };
        let entries =
            [decision(0, DecisionKind::Relabel, Some("Xylocopa violacea")), decision(2, DecisionKind::Accept, None)];
        let suspect = |row| Suspect {
            row,
            cause: Cause::ALL[0],
            proposed: None,
            partner: None,
            score: 0.5,
            because: String::new(),
            evidence: Evidence::default(),
        };
        let suspects = [0, 1, 2].map(suspect);
        let order = |entries: &[Entry<Decision>], column| {
            let curated = Curated::new(&dataset, entries);
            order_by(vec![0, 1, 2], true, |at| sort_key(&dataset, &curated, &suspects[at as usize], column))
        };
        assert_eq!(order(&[], LABEL), [0, 1, 2]);
        assert_eq!(order(&entries, LABEL), [1, 2, 0], "by the name in force");
        assert_eq!(order(&entries, DECIDED), [2, 0, 1], "accepted, relabelled, undecided");
    }
}
