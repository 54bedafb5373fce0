//! Grades of the species, with the counts behind them.

use crate::analysis::grades::{Grade, GradeRow};
use crate::data::taxonomy::Field;
use crate::pipeline::audit::Audit;
use crate::session::columns::{Sorting, order};
use crate::session::selection::Rows;
use crate::ui::scope::Scope;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::{theme, words};
use egui::{Label, RichText, Ui};
use std::cmp::Ordering;
use std::sync::Arc;

const COLUMNS: [TableColumn; 6] = [
    TableColumn::text("species", 170.0, "The species; click to select its specimens everywhere"),
    TableColumn::text("grade", 55.0, "Its grade; none where no specimen has a BIN"),
    TableColumn::number("specimens", 80.0, "Its specimens"),
    TableColumn::number("with a BIN", 80.0, "Those that count"),
    TableColumn::text("BINs", 180.0, "Its BINs with the number of its specimens in each"),
    TableColumn::text("shared with", 160.0, "Other species in its BINs"),
];

/// What the list remembers from frame to frame.
#[derive(Default)]
pub(super) struct Grades {
    sorting: Option<Sorting>,
    only: Option<Grade>,
    derived: Option<Derived>,
}

/// What is made of an audit once.
struct Derived {
    of: Arc<Audit>,
    key: (Option<Sorting>, Option<Grade>),
    /// Indices into the list, in the order shown.
    rows: Vec<usize>,
}

impl Grades {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let (Some(dataset), Some(audit)) = (scope.dataset(), scope.session.reviewing.audited.shown().cloned()) else {
            return;
        };
        if audit.grades.is_empty() {
            ui.label("No specimen has a species.");
            return;
        }
        ui.horizontal_wrapped(|ui| {
            ui.selectable_value(&mut self.only, None, format!("All ({})", words::count(audit.grades.len())));
            for grade in Grade::ALL {
                let count = audit.grades.iter().filter(|row| row.grade == Some(grade)).count();
                let name = format!("{} ({})", grade.key(), words::count(count));
                ui.selectable_value(&mut self.only, Some(grade), name).on_hover_text(grade.title());
            }
            let source = "grades of barcode libraries after Fontes et al. 2020 (BAGS)";
            ui.label(RichText::new(source).color(theme::tokens(ui).quiet));
        });
        self.derive(&audit);
        let Some(Derived { rows, .. }) = &self.derived else { return };
        let species = dataset.labels(Field::Species);
        let focus = scope.session.selection.focus().and_then(|row| species.code(row));
        let at = |position: usize| &audit.grades[rows[position]];
        let table = Table {
            id: "grades",
            name: "species",
            columns: &COLUMNS,
            rows: rows.len(),
            sorting: self.sorting,
            height: None,
            current: (0..rows.len()).find(|&position| Some(at(position).species) == focus),
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |position| Some(at(position).species) == focus,
            |ui, position, column| {
                ui.add(Label::new(text(at(position), column)).truncate());
            },
        );
        if let Some((position, keys)) = answer.chosen {
            let code = at(position).species;
            scope.select((0..dataset.len()).filter(|&row| species.code(row) == Some(code)).collect::<Rows>(), keys);
        }
        if answer.sorting.is_some() {
            self.sorting = answer.sorting;
        }
    }

    fn derive(&mut self, audit: &Arc<Audit>) {
        let key = (self.sorting, self.only);
        let is_known = self.derived.as_ref().is_some_and(|known| Arc::ptr_eq(&known.of, audit) && known.key == key);
        if is_known {
            return;
        }
        let all = &audit.grades;
        let shown = (0..all.len()).filter(|&at| self.only.is_none() || all[at].grade == self.only);
        let rows = match self.sorting {
            None => shown.collect(),
            Some(Sorting { column, ascending }) => order(shown, ascending, |&a, &b| compare(&all[a], &all[b], column)),
        };
        self.derived = Some(Derived { of: Arc::clone(audit), key, rows });
    }
}

fn text(row: &GradeRow, column: usize) -> String {
    match column {
        0 => row.name.clone(),
        1 => row.grade.map_or("–", Grade::key).to_owned(),
        2 => words::count(row.specimens),
        3 => words::count(row.with_bin()),
        4 => row.bins.iter().map(|(name, count)| format!("{name} ({count})")).collect::<Vec<_>>().join(", "),
        _ => row.shared_with.join(", "),
    }
}

fn compare(a: &GradeRow, b: &GradeRow, column: usize) -> Ordering {
    match column {
        0 => a.name.cmp(&b.name),
        1 => a.grade.cmp(&b.grade),
        2 => a.specimens.cmp(&b.specimens),
        3 => a.with_bin().cmp(&b.with_bin()),
        4 => a.bins.len().cmp(&b.bins.len()),
        _ => a.shared_with.len().cmp(&b.shared_with.len()),
    }
}
