//! A list of what an audit found about labels, one line for each name of a column: BINs, species.

use crate::data::taxonomy::LabelColumn;
use crate::pipeline::audit::Audit;
use crate::session::columns::{Sorting, order};
use crate::session::selection::Rows;
use crate::ui::scope::Scope;
use crate::ui::widgets::table::{Table, TableColumn};
use egui::{Label, Ui};
use std::cmp::Ordering;
use std::sync::Arc;

/// What a list is about.
pub(super) struct About<'a, T> {
    /// Its name, for those who cannot see it.
    pub(super) name: &'static str,
    /// Its columns.
    pub(super) columns: &'a [TableColumn],
    /// Everything that may be listed.
    pub(super) all: &'a [T],
    /// The labels of the specimens that the lines are about.
    pub(super) labels: &'a LabelColumn,
    /// The label of a line.
    pub(super) code: fn(&T) -> u32,
    /// The text of a line and column.
    pub(super) text: fn(&T, usize) -> String,
    /// The order of two lines by a column.
    pub(super) compare: fn(&T, &T, usize) -> Ordering,
}

/// What a list remembers from frame to frame: its order, and the kind of lines that is shown.
pub(super) struct Listing<K> {
    sorting: Option<Sorting>,
    /// The kind that is shown.
    pub(super) only: K,
    derived: Option<Derived<K>>,
}

/// What is made of an audit once.
struct Derived<K> {
    of: Arc<Audit>,
    key: (Option<Sorting>, K),
    /// Indices into all lines, in the order shown.
    rows: Vec<usize>,
}

impl<K: Copy + PartialEq> Listing<K> {
    /// A list in the order of the audit, of lines of one kind.
    pub(super) fn of(only: K) -> Self {
        Self { sorting: None, only, derived: None }
    }

    /// Draws the lines for which `is_shown` holds; a click selects their specimens everywhere.
    pub(super) fn show<T>(
        &mut self,
        ui: &mut Ui,
        scope: &mut Scope<'_>,
        audit: &Arc<Audit>,
        about: &About<'_, T>,
        is_shown: impl Fn(&T, K) -> bool,
    ) {
        self.derive(audit, about, is_shown);
        let Some(Derived { rows, .. }) = &self.derived else { return };
        let code = |position: usize| (about.code)(&about.all[rows[position]]);
        let focus = scope.session.selection.focus().and_then(|row| about.labels.code(row));
        let table = Table {
            id: about.name,
            name: about.name,
            columns: about.columns,
            rows: rows.len(),
            sorting: self.sorting,
            height: None,
            current: (0..rows.len()).find(|&position| Some(code(position)) == focus),
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |position| Some(code(position)) == focus,
            |ui, position, column| {
                ui.add(Label::new((about.text)(&about.all[rows[position]], column)).truncate());
            },
        );
        if let Some((position, keys)) = answer.chosen {
            let wanted = Some(code(position));
            let specimens = (0..about.labels.len()).filter(|&row| about.labels.code(row) == wanted);
            scope.select(specimens.collect::<Rows>(), keys);
        }
        if answer.sorting.is_some() {
            self.sorting = answer.sorting;
        }
    }

    fn derive<T>(&mut self, audit: &Arc<Audit>, about: &About<'_, T>, is_shown: impl Fn(&T, K) -> bool) {
        let key = (self.sorting, self.only);
        if self.derived.as_ref().is_some_and(|known| Arc::ptr_eq(&known.of, audit) && known.key == key) {
            return;
        }
        let all = about.all;
        let shown = (0..all.len()).filter(|&at| is_shown(&all[at], self.only));
        let rows = match self.sorting {
            None => shown.collect(),
            Some(Sorting { column, ascending }) => {
                order(shown, ascending, |&a, &b| (about.compare)(&all[a], &all[b], column))
            }
        };
        self.derived = Some(Derived { of: Arc::clone(audit), key, rows });
    }
}
