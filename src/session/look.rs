//! How the specimens are looked at: colours, filters, what was searched for. Changes no result.

use super::columns::{ColumnKey, Filter, Values, visible};
use super::search::{Hit, Taxon, search};
use super::selection::Rows;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use std::collections::BTreeSet;

/// A taxon that is lit up: everything else turns grey, but stays visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lit {
    /// The taxon.
    pub taxon: Taxon,
    /// Its specimens.
    pub rows: Rows,
}

/// How the specimens are looked at.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// The column that the map is coloured by, with its values; `None` colours all alike.
    pub colouring: Option<Values>,
    /// Filters, at most one per column.
    pub filters: Vec<Filter>,
    /// The rows that pass all filters; `None` without filters.
    pub visible: Option<Rows>,
    /// What stands in the search box.
    pub search: String,
    /// What it matches.
    pub hits: Vec<Hit>,
    /// The taxon that is lit up.
    pub lit: Option<Lit>,
    /// Changes whenever the colouring, the visible rows or the lit taxon change.
    pub revision: u64,
}

impl Look {
    /// Whether the specimens are coloured or filtered by a column.
    pub(super) fn uses(&self, column: ColumnKey) -> bool {
        let mut used = self.colouring.iter().chain(self.filters.iter().map(|filter| &filter.values));
        used.any(|values| values.column == column)
    }

    /// The first look at a dataset: coloured by the broadest rank that tells specimens apart.
    pub(super) fn first(dataset: &Dataset, revision: u64) -> Self {
        let distinct = |field: &Field| dataset.labels(*field).distinct() > 1;
        let column =
            Field::RANKS.into_iter().find(distinct).or(Some(Field::Bin).filter(distinct)).map(ColumnKey::Field);
        let colouring = column.and_then(|column| Values::of_dataset(dataset, column));
        Self { colouring, revision: revision + 1, ..Self::default() }
    }

    pub(super) fn colour_by(&mut self, values: Option<Values>) {
        if self.colouring != values {
            self.colouring = values;
            self.revision += 1;
        }
    }

    /// Sets the filter on one column; `None` takes it away.
    pub(super) fn filter(&mut self, rows: usize, column: ColumnKey, filter: Option<(Values, BTreeSet<String>)>) {
        self.filters.retain(|known| known.values.column != column);
        self.filters.extend(filter.map(|(values, keep)| Filter { values, keep }));
        self.refilter(rows);
    }

    pub(super) fn clear_filters(&mut self) {
        self.filters.clear();
        self.refilter(0);
    }

    fn refilter(&mut self, rows: usize) {
        self.visible = visible(rows, &self.filters);
        self.revision += 1;
    }

    /// A column of results has new values: whatever looks at it looks again.
    pub(super) fn renew(&mut self, rows: usize, values: &Values) {
        if self.colouring.as_ref().is_some_and(|known| known.column == values.column) {
            self.colour_by(Some(values.clone()));
        }
        let mut changed = false;
        for filter in self.filters.iter_mut().filter(|filter| filter.values.column == values.column) {
            filter.values = values.clone();
            changed = true;
        }
        if changed {
            self.refilter(rows);
        }
    }

    pub(super) fn search(&mut self, dataset: &Dataset, text: String) {
        self.hits = search(dataset, &text);
        self.search = text;
    }

    pub(super) fn light(&mut self, dataset: &Dataset, taxon: Option<Taxon>) {
        let lit = taxon.map(|taxon| Lit { rows: taxon.rows(dataset), taxon });
        if self.lit != lit {
            self.lit = lit;
            self.revision += 1;
        }
    }
}
