//! BINs and the names in them.

use crate::analysis::discordance::{Accord, BinRow};
use crate::data::taxonomy::Field;
use crate::pipeline::audit::Audit;
use crate::session::columns::{Sorting, order};
use crate::session::selection::Rows;
use crate::ui::scope::Scope;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::words;
use egui::{Label, Ui};
use std::cmp::Ordering;
use std::sync::Arc;

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

/// What the list remembers from frame to frame.
pub(super) struct Bins {
    sorting: Option<Sorting>,
    accord: Accord,
    derived: Option<Derived>,
}

/// What is made of an audit once.
struct Derived {
    of: Arc<Audit>,
    key: (Option<Sorting>, Accord),
    /// Indices into the list, in the order shown.
    rows: Vec<usize>,
}

impl Default for Bins {
    fn default() -> Self {
        Self { sorting: None, accord: Accord::Discordant, derived: None }
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
                ui.selectable_value(&mut self.accord, accord, name).on_hover_text(accord.meaning());
            }
        });
        self.derive(&audit);
        let Some(Derived { rows, .. }) = &self.derived else { return };
        let bins = dataset.labels(Field::Bin);
        let focus = scope.session.selection.focus().and_then(|row| bins.code(row));
        let at = |position: usize| &audit.bins[rows[position]];
        let table = Table {
            id: "bins",
            name: "BINs",
            columns: &COLUMNS,
            rows: rows.len(),
            sorting: self.sorting,
            height: None,
            current: (0..rows.len()).find(|&position| Some(at(position).bin) == focus),
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |position| Some(at(position).bin) == focus,
            |ui, position, column| {
                ui.add(Label::new(text(at(position), column)).truncate());
            },
        );
        if let Some((position, keys)) = answer.chosen {
            let bin = at(position).bin;
            scope.select((0..dataset.len()).filter(|&row| bins.code(row) == Some(bin)).collect::<Rows>(), keys);
        }
        if answer.sorting.is_some() {
            self.sorting = answer.sorting;
        }
    }

    fn derive(&mut self, audit: &Arc<Audit>) {
        let key = (self.sorting, self.accord);
        let is_known = self.derived.as_ref().is_some_and(|known| Arc::ptr_eq(&known.of, audit) && known.key == key);
        if is_known {
            return;
        }
        let all = &audit.bins;
        let shown = (0..all.len()).filter(|&at| all[at].accord == self.accord);
        let rows = match self.sorting {
            None => shown.collect(),
            Some(Sorting { column, ascending }) => order(shown, ascending, |&a, &b| compare(&all[a], &all[b], column)),
        };
        self.derived = Some(Derived { of: Arc::clone(audit), key, rows });
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
