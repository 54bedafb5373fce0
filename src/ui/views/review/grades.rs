//! Grades of the species, with the counts behind them.

use super::listing::{About, Listing};
use crate::analysis::grades::{Grade, GradeRow};
use crate::data::taxonomy::Field;
use crate::ui::scope::Scope;
use crate::ui::widgets::table::TableColumn;
use crate::ui::{theme, words};
use egui::{RichText, Ui};
use std::cmp::Ordering;

const COLUMNS: [TableColumn; 6] = [
    TableColumn::text("species", 170.0, "The species; click to select its specimens everywhere"),
    TableColumn::text("grade", 55.0, "Its grade; none where no specimen has a BIN"),
    TableColumn::number("specimens", 80.0, "Its specimens"),
    TableColumn::number("with a BIN", 80.0, "Those that count"),
    TableColumn::text("BINs", 180.0, "Its BINs with the number of its specimens in each"),
    TableColumn::text("shared with", 160.0, "Other species in its BINs"),
];

/// The list.
pub(super) struct Grades(Listing<Option<Grade>>);

impl Default for Grades {
    fn default() -> Self {
        Self(Listing::of(None))
    }
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
            ui.selectable_value(&mut self.0.only, None, format!("All ({})", words::count(audit.grades.len())));
            for grade in Grade::ALL {
                let count = audit.grades.iter().filter(|row| row.grade == Some(grade)).count();
                let name = format!("{} ({})", grade.key(), words::count(count));
                ui.selectable_value(&mut self.0.only, Some(grade), name).on_hover_text(grade.title());
            }
            let source = "grades of barcode libraries after Fontes et al. 2020 (BAGS)";
            ui.label(RichText::new(source).color(theme::tokens(ui).quiet));
        });
        let about = About {
            name: "graded species",
            columns: &COLUMNS,
            all: &audit.grades,
            labels: dataset.labels(Field::Species),
            code: |row| row.species,
            text,
            compare,
        };
        self.0.show(ui, scope, &audit, &about, |row, only| only.is_none() || row.grade == only);
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
