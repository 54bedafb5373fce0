//! Groups of specimens that may be one new species each.

use super::colour;
use crate::data::dataset::Dataset;
use crate::jobs::Discovered;
use crate::pipeline::discover::{Candidate, told};
use crate::session::columns::{Sorting, order};
use crate::session::selection::Rows;
use crate::ui::scope::Scope;
use crate::ui::widgets::bars::swatch;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::{theme, words};
use egui::{RichText, ScrollArea, Ui, vec2};
use std::cmp::Ordering;
use std::sync::Arc;

const COLUMNS: [TableColumn; 8] = [
    TableColumn::text(
        "name for now",
        150.0,
        "Its genus, or that it is new, and a number; click to select its specimens everywhere",
    ),
    TableColumn::number("specimens", 70.0, "Specimens in the group"),
    TableColumn::text("nearest known", 150.0, "The most identical species of the reference"),
    TableColumn::number("identity", 70.0, "Of the most identical pair of a member and a reference"),
    TableColumn::number("within", 70.0, "Lowest identity of two members"),
    TableColumn::number("gap", 70.0, "Smallest distance to the reference less the largest within: the barcode gap"),
    TableColumn::number("diagnostic", 70.0, "Bases that all members have and no specimen of the nearest species"),
    TableColumn::text("against it", 220.0, "What speaks against members, and against how many"),
];
/// Lines of the description below the table, at most.
const LINES: f32 = 6.0;

/// What the list remembers from frame to frame.
#[derive(Default)]
pub(super) struct Candidates {
    sorting: Option<Sorting>,
    only_sound: bool,
    derived: Option<Derived>,
}

/// What is made of a discovery once.
struct Derived {
    of: Arc<Discovered>,
    key: (Option<Sorting>, bool),
    /// Indices into the candidates, in the order shown.
    rows: Vec<usize>,
}

impl Candidates {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, found: &Arc<Discovered>) {
        let Some(dataset) = scope.dataset() else { return };
        let candidates = &found.discovery.candidates;
        if candidates.is_empty() {
            ui.label("Nothing was listed as new, so there is nothing to group.");
            return;
        }
        ui.checkbox(&mut self.only_sound, "Only sound groups")
            .on_hover_text("Those against at least half of whose members nothing speaks: no stop codon, no broken frame, no other order");
        self.derive(found);
        let chosen = focused(scope, found);
        let below = if chosen.is_some() { LINES * theme::ROW } else { 0.0 };
        let room = vec2(ui.available_width(), (ui.available_height() - below).max(6.0 * theme::ROW));
        ui.allocate_ui(room, |ui| self.table(ui, scope, found, chosen));
        if let Some(at) = chosen {
            ui.separator();
            ScrollArea::vertical().id_salt("candidate").auto_shrink(false).show(ui, |ui| {
                describe(ui, dataset, &candidates[at], at);
            });
        }
    }

    fn derive(&mut self, found: &Arc<Discovered>) {
        let key = (self.sorting, self.only_sound);
        if self.derived.as_ref().is_some_and(|derived| Arc::ptr_eq(&derived.of, found) && derived.key == key) {
            return;
        }
        let all = &found.discovery.candidates;
        let shown = (0..all.len()).filter(|&at| !self.only_sound || all[at].is_sound());
        let rows = match self.sorting {
            None => shown.collect(),
            Some(Sorting { column, ascending }) => {
                order(shown, ascending, |&a, &b| compare((a, &all[a]), (b, &all[b]), column))
            }
        };
        self.derived = Some(Derived { of: Arc::clone(found), key, rows });
    }

    fn table(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, found: &Discovered, chosen: Option<usize>) {
        let Some(derived) = &self.derived else { return };
        let candidates = &found.discovery.candidates;
        let table = Table {
            id: "candidates",
            name: "candidates",
            columns: &COLUMNS,
            rows: derived.rows.len(),
            sorting: self.sorting,
            height: None,
            current: chosen.and_then(|chosen| derived.rows.iter().position(|&at| at == chosen)),
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |position| chosen == Some(derived.rows[position]),
            |ui, position, column| {
                let at = derived.rows[position];
                let candidate = &candidates[at];
                if column == 0 {
                    swatch(ui, colour(candidate.decision));
                }
                ui.label(text(candidate, at, column));
            },
        );
        if let Some((position, keys)) = answer.chosen {
            let members = &candidates[derived.rows[position]].members;
            scope.select(members.iter().copied().collect::<Rows>(), keys);
        }
        if answer.sorting.is_some() {
            self.sorting = answer.sorting;
        }
    }
}

/// The candidate of the specimen in the panel.
fn focused(scope: &Scope<'_>, found: &Discovered) -> Option<usize> {
    let row = scope.session.selection.focus()?;
    let at = (*found.finding_of_row.get(row)?)?;
    found.discovery.findings[at as usize].candidate
}

/// Everything about one candidate, in sentences.
fn describe(ui: &mut Ui, dataset: &Dataset, candidate: &Candidate, at: usize) {
    let tokens = theme::tokens(ui);
    let title = format!(
        "{}: {}, {}",
        candidate.name(at),
        words::counted(candidate.members.len(), "specimen", "specimens"),
        words::counted(candidate.barcodes, "barcode", "barcodes"),
    );
    ui.label(RichText::new(title).strong());
    let relatives: Vec<String> = candidate
        .relatives
        .iter()
        .map(|relative| {
            let identity = words::percent(f64::from(relative.identity));
            format!("{} ({identity} identical, {})", relative.species, dataset.id(relative.row))
        })
        .collect();
    ui.label(format!("Nearest known relatives: {}.", relatives.join("; ")));
    let bases: Vec<String> = candidate.diagnostic.iter().map(told).collect();
    ui.label(if bases.is_empty() {
        "No base tells all members from the nearest species.".to_owned()
    } else {
        format!("Told from the nearest species by these bases, by position in the COI-5P frame: {}.", bases.join(", "))
    });
    for (doubt, members) in &candidate.doubts {
        let text =
            format!("{}: {}", words::capitalised(doubt.title()), words::counted(*members, "specimen", "specimens"));
        ui.label(RichText::new(text).color(tokens.warning));
    }
}

fn text(candidate: &Candidate, at: usize, column: usize) -> String {
    let share = |value: Option<f32>| value.map_or_else(|| "–".to_owned(), |value| words::percent(f64::from(value)));
    let nearest = candidate.relatives.first();
    match column {
        0 => candidate.name(at),
        1 => words::count(candidate.members.len()),
        2 => nearest.map_or_else(|| "–".to_owned(), |relative| relative.species.clone()),
        3 => share(nearest.map(|relative| relative.identity)),
        4 => share(candidate.within),
        // A negative share is no percentage of anything, but a gap may well be less than nothing.
        5 => candidate.gap.map_or_else(|| "–".to_owned(), |gap| format!("{:.1} %", 100.0 * gap)),
        6 => words::count(candidate.diagnostic.len()),
        _ => {
            let doubts = candidate.doubts.iter().map(|(doubt, members)| format!("{} ({members})", doubt.title()));
            doubts.collect::<Vec<_>>().join("; ")
        }
    }
}

fn compare((at_a, a): (usize, &Candidate), (at_b, b): (usize, &Candidate), column: usize) -> Ordering {
    let identity = |candidate: &Candidate| candidate.relatives.first().map_or(0.0, |relative| relative.identity);
    let species = |candidate: &Candidate| candidate.relatives.first().map(|relative| relative.species.clone());
    match column {
        0 => a.name(at_a).cmp(&b.name(at_b)),
        1 => a.members.len().cmp(&b.members.len()),
        2 => species(a).cmp(&species(b)),
        3 => identity(a).total_cmp(&identity(b)),
        4 => a.within.unwrap_or(1.0).total_cmp(&b.within.unwrap_or(1.0)),
        5 => a.gap.unwrap_or(f32::NEG_INFINITY).total_cmp(&b.gap.unwrap_or(f32::NEG_INFINITY)),
        6 => a.diagnostic.len().cmp(&b.diagnostic.len()),
        _ => a.doubts.cmp(&b.doubts),
    }
}
