//! BINs and the names in them.

use super::listing::{About, Listing};
use crate::analysis::discordance::{Accord, BinRow};
use crate::data::taxonomy::Field;
use crate::ui::scope::Scope;
use crate::ui::widgets::table::TableColumn;
use crate::ui::words;
use egui::Ui;
use std::cmp::Ordering;

const COLUMNS: [TableColumn; 4] = [
    TableColumn::text("BIN", 130.0, "The BIN; click to select its specimens everywhere"),
    TableColumn::text("differ in", 90.0, "The broadest rank at which two of its specimens differ"),
    TableColumn::number("specimens", 80.0, "Its specimens"),
    TableColumn::text(
        "names",
        300.0,
        "The names at that rank with their specimens; without a conflict those at the finest rank",
    ),
];

/// The list.
pub(super) struct Bins(Listing<Accord>);

impl Default for Bins {
    fn default() -> Self {
        Self(Listing::of(Accord::Discordant))
    }
}

impl Bins {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let (Some(dataset), Some(audit)) = (scope.dataset(), scope.session.reviewing.audited.shown().cloned()) else {
            return;
        };
        if audit.bins.is_empty() {
            ui.label("No specimen has a BIN.");
            return;
        }
        ui.horizontal_wrapped(|ui| {
            for accord in Accord::ALL {
                let count = audit.bins.iter().filter(|row| row.accord == accord).count();
                let name = format!("{} ({})", words::capitalised(accord.title()), words::count(count));
                ui.selectable_value(&mut self.0.only, accord, name).on_hover_text(accord.meaning());
            }
        });
        let about = About {
            name: "BINs",
            columns: &COLUMNS,
            all: &audit.bins,
            labels: dataset.labels(Field::Bin),
            code: |row| row.bin,
            text,
            compare,
        };
        self.0.show(ui, scope, &audit, &about, |row, accord| row.accord == accord);
    }
}

fn text(row: &BinRow, column: usize) -> String {
    match column {
        0 => row.name.clone(),
        1 => row.conflict.map_or("–", Field::title).to_owned(),
        2 => words::count(row.specimens),
        _ => {
            let names = row.taxa.iter().map(|(name, count)| format!("{name} ({count})"));
            names.collect::<Vec<_>>().join(", ")
        }
    }
}

fn compare(a: &BinRow, b: &BinRow, column: usize) -> Ordering {
    match column {
        0 => a.name.cmp(&b.name),
        1 => a.conflict.cmp(&b.conflict),
        2 => a.specimens.cmp(&b.specimens),
        _ => a.taxa.len().cmp(&b.taxa.len()),
    }
}
