//! What each specimen is taken for.

use super::colour;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::jobs::Discovered;
use crate::pipeline::discover::{Decision, Finding};
use crate::session::columns::Sorting;
use crate::session::ordering::{SortKey, order_by};
use crate::session::selection::Rows;
use crate::ui::scope::Scope;
use crate::ui::widgets::bars::swatch;
use crate::ui::widgets::sorted::Sorted;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::words;
use egui::{Modifiers, Ui};
use std::sync::Arc;

const COLUMNS: [TableColumn; 9] = [
    TableColumn::text("specimen", 120.0, "The specimen; click to select it everywhere"),
    TableColumn::text("taken for", 120.0, "What its barcode says; what is listed as new may still be of unclear rank"),
    TableColumn::text("taxon", 130.0, "The species of a known one, the genus of a new species"),
    TableColumn::number(
        "q",
        60.0,
        "The false-discovery rate at which the list of what is new would hold it: small for what is surely new",
    ),
    TableColumn::number("p, species", 70.0, "How often a specimen of a known species looks that strange"),
    TableColumn::number(
        "p, genus",
        70.0,
        "How often a first specimen of a species in a known genus looks that strange",
    ),
    TableColumn::number("identity", 70.0, "With the most identical reference"),
    TableColumn::text("nearest reference", 140.0, "Species of the most identical reference"),
    TableColumn::text("own name", 140.0, "What its label says; it was not used"),
];

/// What the list remembers from frame to frame.
#[derive(Default)]
pub(super) struct Decisions {
    sorting: Option<Sorting>,
    only: Option<Decision>,
    /// How many were taken for what, in which discovery.
    counts: Option<(Arc<Discovered>, [usize; 4])>,
    /// Indices into the findings; what is taken for one thing only, and the window's filters.
    rows: Sorted<Discovered, Option<Sorting>, (Option<Decision>, u64)>,
}

impl Decisions {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, found: &Arc<Discovered>) {
        let Some(dataset) = scope.dataset() else { return };
        self.find(ui, scope, found);
        self.legend(ui, scope, found);
        let findings = &found.discovery.findings;
        let selection = &scope.session.selection;
        let focus = selection.focus();
        let current = self.rows.place_of(focus, |at| Some(findings[at as usize].row) == focus);
        let rows = self.rows.rows();
        let at = |position: usize| &findings[rows[position] as usize];
        let table = Table {
            id: "decisions",
            name: "specimens",
            columns: &COLUMNS,
            rows: rows.len(),
            sorting: self.sorting,
            height: None,
            current,
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |position| selection.rows().contains(at(position).row),
            |ui, position, column| {
                let finding = at(position);
                if column == 1 {
                    swatch(ui, colour(finding.decision));
                }
                ui.label(text(dataset, finding, column));
            },
        );
        if let Some((position, keys)) = answer.chosen {
            scope.select_row(at(position).row, keys);
        }
        if answer.sorting.is_some() {
            self.sorting = answer.sorting;
        }
    }

    fn find(&mut self, ui: &Ui, scope: &Scope<'_>, found: &Arc<Discovered>) {
        let Some(dataset) = scope.session.dataset().map(|opened| Arc::clone(&opened.dataset)) else { return };
        if self.counts.as_ref().is_none_or(|(of, _)| !Arc::ptr_eq(of, found)) {
            self.counts = Some((Arc::clone(found), Decision::ALL.map(|decision| found.discovery.count(decision))));
        }
        let (only, visible) = (self.only, scope.session.look.visible.clone());
        let key = (found, self.sorting, (only, scope.session.look.revision));
        let many = found.discovery.findings.len();
        let (sorted, shown) = (Arc::clone(found), Arc::clone(found));
        // What is most surely new stands first.
        let Sorting { column, ascending } = self.sorting.unwrap_or(Sorting { column: 3, ascending: true });
        let sort = move || {
            let findings = &sorted.discovery.findings;
            let all: Vec<u32> = (0..many as u32).collect();
            // Of those held at the same rate the strangest first, in either direction of any other column.
            let first = order_by(all, true, |at| SortKey::number(Some(findings[at as usize].p_species)));
            order_by(first, ascending, |at| sort_key(&dataset, &findings[at as usize], column))
        };
        let keep = move |at: &u32| {
            let finding = &shown.discovery.findings[*at as usize];
            only.is_none_or(|only| finding.decision == only)
                && visible.as_ref().is_none_or(|rows| rows.contains(finding.row))
        };
        let choose = move |all: &[u32]| all.iter().copied().filter(keep).collect();
        self.rows.ask(ui.ctx(), key, many, sort, choose);
    }

    /// What the colours mean; each narrows the list down, and its specimens can be selected.
    fn legend(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, found: &Discovered) {
        let Some(counts) = self.counts.as_ref().map(|(_, counts)| *counts) else { return };
        ui.horizontal_wrapped(|ui| {
            let all = format!("All ({})", words::count(found.discovery.findings.len()));
            ui.selectable_value(&mut self.only, None, all);
            for (decision, count) in Decision::ALL.into_iter().zip(counts) {
                // Laid out one by one: a row within a row would not wrap.
                swatch(ui, colour(decision));
                let name = format!("{} ({})", words::capitalised(decision.title()), words::count(count));
                ui.selectable_value(&mut self.only, Some(decision), name).on_hover_text(decision.because());
            }
            if let Some(only) = self.only
                && ui.link("Select them").clicked()
            {
                let findings = found.discovery.findings.iter().filter(|finding| finding.decision == only);
                scope.select(findings.map(|finding| finding.row).collect::<Rows>(), Modifiers::NONE);
            }
        });
    }
}

fn text(dataset: &Dataset, finding: &Finding, column: usize) -> String {
    match column {
        0 => dataset.id(finding.row).to_owned(),
        1 if finding.is_discovery && finding.decision == Decision::Unclear => "new, rank unclear".to_owned(),
        1 => finding.decision.title().to_owned(),
        2 => finding.taxon.clone().unwrap_or_else(|| "–".to_owned()),
        3 => format!("{:.3}", finding.rates.new),
        4 => format!("{:.3}", finding.p_species),
        5 => format!("{:.3}", finding.p_genus),
        6 => finding.identity.map_or_else(|| "–".to_owned(), |identity| words::percent(f64::from(identity))),
        7 => nearest(dataset, finding).unwrap_or("–").to_owned(),
        _ => own(dataset, finding).unwrap_or("–").to_owned(),
    }
}

fn nearest<'a>(dataset: &'a Dataset, finding: &Finding) -> Option<&'a str> {
    dataset.label(finding.nearest?, Field::Species)
}

fn own<'a>(dataset: &'a Dataset, finding: &Finding) -> Option<&'a str> {
    dataset.label(finding.row, Field::Species).or_else(|| dataset.label(finding.row, Field::Genus))
}

fn sort_key<'a>(dataset: &'a Dataset, finding: &'a Finding, column: usize) -> SortKey<'a> {
    match column {
        0 => SortKey::words(Some(dataset.id(finding.row))),
        1 => SortKey::number(Some(finding.decision as u8)),
        2 => SortKey::words(finding.taxon.as_deref()),
        3 => SortKey::number(Some(finding.rates.new)),
        4 => SortKey::number(Some(finding.p_species)),
        5 => SortKey::number(Some(finding.p_genus)),
        6 => SortKey::number(finding.identity),
        7 => SortKey::words(nearest(dataset, finding)),
        _ => SortKey::words(own(dataset, finding)),
    }
}
