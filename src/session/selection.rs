//! The one selection that every view shows, and its history.

use std::sync::Arc;

/// Steps that back and forward remember.
const HISTORY: usize = 100;

/// Rows of the dataset: sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows(Arc<[u32]>);

impl Rows {
    /// No rows.
    pub fn none() -> Self {
        Self::default()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `row` is among them.
    pub fn contains(&self, row: usize) -> bool {
        u32::try_from(row).is_ok_and(|row| self.0.binary_search(&row).is_ok())
    }

    /// Whether each of `many` rows is among them, `[many]`: for whoever asks about all.
    pub fn mask(&self, many: usize) -> Vec<bool> {
        let mut mask = vec![false; many];
        self.iter().take_while(|&row| row < many).for_each(|row| mask[row] = true);
        mask
    }

    /// The rows, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.0.iter().map(|&row| row as usize)
    }

    /// The rows, ascending.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// The row at `position` of the ascending order.
    pub fn get(&self, position: usize) -> Option<usize> {
        self.0.get(position).map(|&row| row as usize)
    }
}

impl FromIterator<u32> for Rows {
    fn from_iter<I: IntoIterator<Item = u32>>(rows: I) -> Self {
        let mut rows: Vec<u32> = rows.into_iter().collect();
        rows.sort_unstable();
        rows.dedup();
        Self(rows.into())
    }
}

impl FromIterator<usize> for Rows {
    fn from_iter<I: IntoIterator<Item = usize>>(rows: I) -> Self {
        rows.into_iter().map(|row| u32::try_from(row).expect("a dataset has fewer than four billion rows")).collect()
    }
}

/// How new rows meet the selected ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only the new rows (a plain click).
    Replace,
    /// The new rows as well (shift).
    Add,
    /// The new rows that were not selected as well, the others no longer (ctrl).
    Toggle,
}

/// Selected specimens, and the one of them that the specimen panel is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Step {
    rows: Rows,
    focus: Option<u32>,
}

/// The selection with the way that led to it.
#[derive(Debug, Clone)]
pub struct Selection {
    steps: Vec<Step>,
    at: usize,
    revision: u64,
}

impl Default for Selection {
    fn default() -> Self {
        Self { steps: vec![Step::default()], at: 0, revision: 0 }
    }
}

impl Selection {
    /// The selected rows.
    pub fn rows(&self) -> &Rows {
        &self.steps[self.at].rows
    }

    /// The specimen that the panel at the side shows.
    pub fn focus(&self) -> Option<usize> {
        self.steps[self.at].focus.map(|row| row as usize)
    }

    /// Changes whenever the rows or the focus change, for whoever keeps something derived from them.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Selects `rows`. The focus goes to the first of them, unless it is still selected.
    pub fn select(&mut self, rows: &Rows, mode: Mode) {
        let now = self.rows();
        let chosen: Rows = match mode {
            Mode::Replace => rows.clone(),
            Mode::Add => now.as_slice().iter().chain(rows.as_slice()).copied().collect(),
            Mode::Toggle => {
                let added = rows.as_slice().iter().filter(|&&row| !now.contains(row as usize));
                let kept = now.as_slice().iter().filter(|&&row| !rows.contains(row as usize));
                added.chain(kept).copied().collect()
            }
        };
        let first_new = rows.as_slice().iter().copied().find(|&row| chosen.contains(row as usize));
        let focus = match mode {
            Mode::Replace => self.steps[self.at].focus.filter(|&row| chosen.contains(row as usize)).or(first_new),
            Mode::Add | Mode::Toggle => first_new.or_else(|| chosen.as_slice().first().copied()),
        };
        self.push(Step { rows: chosen, focus });
    }

    /// Turns the panel to `row`; a row that is not selected becomes the selection.
    pub fn focus_on(&mut self, row: usize) {
        let focus = u32::try_from(row).ok();
        if self.rows().contains(row) {
            // Looking at another of the selected specimens is no step of its own.
            if self.steps[self.at].focus != focus {
                self.steps[self.at].focus = focus;
                self.revision += 1;
            }
        } else {
            self.push(Step { rows: std::iter::once(row).collect(), focus });
        }
    }

    /// Selects nothing.
    pub fn clear(&mut self) {
        self.push(Step::default());
    }

    /// Whether there is a selection to go back to.
    pub fn can_go_back(&self) -> bool {
        self.at > 0
    }

    /// Whether there is a selection to go forward to.
    pub fn can_go_forward(&self) -> bool {
        self.at + 1 < self.steps.len()
    }

    /// The selection before this one.
    pub fn back(&mut self) {
        if self.can_go_back() {
            self.at -= 1;
            self.revision += 1;
        }
    }

    /// The selection after this one.
    pub fn forward(&mut self) {
        if self.can_go_forward() {
            self.at += 1;
            self.revision += 1;
        }
    }

    /// Forgets everything: other rows mean other specimens.
    pub fn reset(&mut self) {
        *self = Self { revision: self.revision + 1, ..Self::default() };
    }

    fn push(&mut self, step: Step) {
        if self.steps[self.at] == step {
            return;
        }
        self.steps.truncate(self.at + 1);
        self.steps.push(step);
        if self.steps.len() > HISTORY {
            self.steps.remove(0);
        }
        self.at = self.steps.len() - 1;
        self.revision += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &[u32]) -> Rows {
        list.iter().copied().collect()
    }

    #[test]
    fn selecting_replaces_adds_and_toggles() {
        let mut selection = Selection::default();
        selection.select(&rows(&[5, 2, 5]), Mode::Replace);
        assert_eq!((selection.rows().as_slice(), selection.focus()), (&[2, 5][..], Some(2)));
        selection.select(&rows(&[7]), Mode::Add);
        assert_eq!((selection.rows().as_slice(), selection.focus()), (&[2, 5, 7][..], Some(7)));
        selection.select(&rows(&[5, 9]), Mode::Toggle);
        assert_eq!((selection.rows().as_slice(), selection.focus()), (&[2, 7, 9][..], Some(9)));
        selection.select(&rows(&[9]), Mode::Toggle);
        assert_eq!((selection.rows().as_slice(), selection.focus()), (&[2, 7][..], Some(2)));
    }

    #[test]
    fn a_mask_says_of_every_row_whether_it_is_among_them() {
        assert_eq!(rows(&[1, 3, 9]).mask(5), [false, true, false, true, false]);
        assert_eq!(rows(&[0]).mask(0), [false; 0]);
        assert_eq!(Rows::none().mask(2), [false; 2]);
    }

    #[test]
    fn back_and_forward_walk_through_selections() {
        let mut selection = Selection::default();
        for row in [3, 4] {
            selection.select(&rows(&[row]), Mode::Replace);
        }
        selection.clear();
        selection.clear();
        assert_eq!(selection.focus(), None);
        selection.back();
        assert_eq!(selection.focus(), Some(4), "clearing twice is one step");
        selection.back();
        assert!(selection.rows().contains(3) && selection.can_go_forward());
        selection.forward();
        assert!(selection.rows().contains(4));
        selection.select(&rows(&[8]), Mode::Replace);
        assert!(!selection.can_go_forward(), "a new step forgets the way forward");
        for _ in 0..10 {
            selection.back();
        }
        assert!(selection.rows().is_empty() && !selection.can_go_back());
    }

    #[test]
    fn the_history_is_bounded() {
        let mut selection = Selection::default();
        for row in 0..1000 {
            selection.select(&rows(&[row]), Mode::Replace);
        }
        let mut steps = 0;
        while selection.can_go_back() {
            selection.back();
            steps += 1;
        }
        assert_eq!(steps, HISTORY - 1);
    }

    #[test]
    fn looking_at_another_selected_specimen_keeps_the_selection() {
        let mut selection = Selection::default();
        selection.select(&rows(&[1, 2, 3]), Mode::Replace);
        let before = selection.revision();
        selection.focus_on(3);
        assert_eq!((selection.rows().len(), selection.focus()), (3, Some(3)));
        assert_ne!(selection.revision(), before);
        selection.focus_on(9);
        assert_eq!((selection.rows().as_slice(), selection.focus()), (&[9][..], Some(9)));
    }
}
