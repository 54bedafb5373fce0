//! What each specimen is taken for.

use super::colour;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::jobs::Discovered;
use crate::pipeline::discover::{Decision, Finding};
use crate::session::columns::{Sorting, order};
use crate::session::selection::Rows;
use crate::ui::scope::Scope;
use crate::ui::widgets::bars::swatch;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::words;
use egui::{Modifiers, Ui};
use std::cmp::Ordering;
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
    derived: Option<Derived>,
}

/// What is made of a discovery once.
struct Derived {
    of: Arc<Discovered>,
    key: (Option<Sorting>, Option<Decision>, u64),
    /// How many were taken for what.
    counts: [usize; 4],
    /// Indices into the findings, in the order shown.
    rows: Vec<usize>,
}

impl Decisions {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, found: &Arc<Discovered>) {
        let Some(dataset) = scope.dataset() else { return };
        self.derive(scope, found, dataset);
        self.legend(ui, scope, found);
        let Some(derived) = &self.derived else { return };
        let findings = &found.discovery.findings;
        let selection = &scope.session.selection;
        let at = |position: usize| &findings[derived.rows[position]];
        let current = selection.focus().and_then(|row| (0..derived.rows.len()).find(|&place| at(place).row == row));
        let table = Table {
            id: "decisions",
            name: "specimens",
            columns: &COLUMNS,
            rows: derived.rows.len(),
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

    fn derive(&mut self, scope: &Scope<'_>, found: &Arc<Discovered>, dataset: &Dataset) {
        let look = &scope.session.look;
        let key = (self.sorting, self.only, look.revision);
        if self.derived.as_ref().is_some_and(|derived| Arc::ptr_eq(&derived.of, found) && derived.key == key) {
            return;
        }
        let findings = &found.discovery.findings;
        let shown = (0..findings.len())
            .filter(|&at| look.shows(findings[at].row) && self.only.is_none_or(|only| findings[at].decision == only));
        // What is most surely new stands first.
        let Sorting { column, ascending } = self.sorting.unwrap_or(Sorting { column: 3, ascending: true });
        let rows = order(shown, ascending, |&a, &b| compare(dataset, &findings[a], &findings[b], column));
        let counts = Decision::ALL.map(|decision| found.discovery.count(decision));
        self.derived = Some(Derived { of: Arc::clone(found), key, counts, rows });
    }

    /// What the colours mean; each narrows the list down, and its specimens can be selected.
    fn legend(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, found: &Discovered) {
        let Some(derived) = &self.derived else { return };
        ui.horizontal_wrapped(|ui| {
            let all = format!("All ({})", words::count(found.discovery.findings.len()));
            ui.selectable_value(&mut self.only, None, all);
            for (decision, count) in Decision::ALL.into_iter().zip(derived.counts) {
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

fn compare(dataset: &Dataset, a: &Finding, b: &Finding, column: usize) -> Ordering {
    let identity = |finding: &Finding| finding.identity.unwrap_or(0.0);
    match column {
        0 => dataset.id(a.row).cmp(dataset.id(b.row)),
        1 => a.decision.cmp(&b.decision),
        2 => a.taxon.cmp(&b.taxon),
        3 => a.rates.new.total_cmp(&b.rates.new).then(a.p_species.total_cmp(&b.p_species)),
        4 => a.p_species.total_cmp(&b.p_species),
        5 => a.p_genus.total_cmp(&b.p_genus),
        6 => identity(a).total_cmp(&identity(b)),
        7 => nearest(dataset, a).cmp(&nearest(dataset, b)),
        _ => own(dataset, a).cmp(&own(dataset, b)),
    }
}
