//! The confusion matrix of a classification: its largest classes, and all others together.

use super::selection::Rows;
use crate::pipeline::classify::{Classification, SpecimenCall};

/// Which row or column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// A class, by its position among [`Confusion::classes`].
    Class(usize),
    /// Every other class, and no prediction at all.
    Rest,
}

/// Counts of true and predicted classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// Codes of the largest classes, the largest first.
    pub classes: Vec<u32>,
    /// Position of each class among the largest, by code.
    place: Vec<Option<u32>>,
    /// Counts `[K+1,K+1]` by true and predicted slot; the last row and column are the rest.
    counts: Vec<usize>,
    /// In the last cell: specimens of other classes that were named wrong.
    pub wrong_in_rest: usize,
}

impl Confusion {
    /// Counts the calls that have a label; shows the `shown` largest classes.
    pub fn of(names: &Classification, shown: usize) -> Self {
        let mut sizes = vec![0usize; names.names.len()];
        names.calls.iter().filter_map(|call| call.label).for_each(|label| sizes[label as usize] += 1);
        let mut classes: Vec<u32> = (0..names.names.len() as u32).filter(|&code| sizes[code as usize] > 0).collect();
        classes.sort_by_key(|&code| (std::cmp::Reverse(sizes[code as usize]), code));
        classes.truncate(shown);
        let mut place = vec![None; names.names.len()];
        classes.iter().enumerate().for_each(|(at, &code)| place[code as usize] = Some(at as u32));
        let side = classes.len() + 1;
        let mut confusion = Self { classes, place, counts: vec![0; side * side], wrong_in_rest: 0 };
        for call in &names.calls {
            let Some((truth, predicted)) = confusion.slots(call) else { continue };
            let at = confusion.index(truth, predicted);
            confusion.counts[at] += 1;
            if truth == Slot::Rest && predicted == Slot::Rest && call.correct() == Some(false) {
                confusion.wrong_in_rest += 1;
            }
        }
        confusion
    }

    /// Rows and columns in order: the classes, then the rest.
    pub fn order(&self) -> impl Iterator<Item = Slot> {
        (0..self.classes.len()).map(Slot::Class).chain([Slot::Rest])
    }

    /// How many specimens of `truth` were named `predicted`.
    pub fn count(&self, truth: Slot, predicted: Slot) -> usize {
        self.counts[self.index(truth, predicted)]
    }

    /// How many specimens of `truth` there are.
    pub fn total(&self, truth: Slot) -> usize {
        self.order().map(|predicted| self.count(truth, predicted)).sum()
    }

    /// The specimens of one cell.
    pub fn rows(&self, names: &Classification, truth: Slot, predicted: Slot) -> Rows {
        names.calls.iter().filter(|call| self.slots(call) == Some((truth, predicted))).map(|call| call.row).collect()
    }

    fn slots(&self, call: &SpecimenCall) -> Option<(Slot, Slot)> {
        let slot = |code: u32| self.place[code as usize].map_or(Slot::Rest, |at| Slot::Class(at as usize));
        Some((slot(call.label?), call.predicted.map_or(Slot::Rest, slot)))
    }

    fn index(&self, truth: Slot, predicted: Slot) -> usize {
        let place = |slot| match slot {
            Slot::Class(at) => at,
            Slot::Rest => self.classes.len(),
        };
        place(truth) * (self.classes.len() + 1) + place(predicted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::testing::classification;

    #[test]
    fn every_labelled_call_is_in_one_cell_and_the_cell_leads_to_its_specimens() {
        let calls = [
            (0, Some(0), Some(0)),
            (1, Some(0), Some(1)),
            (2, Some(1), Some(1)),
            (3, Some(2), None),
            (4, None, Some(0)),
            (5, Some(2), Some(2)),
            (6, Some(0), Some(2)),
        ];
        let names = classification(&["Apis", "Bombus", "Osmia"], &calls);
        let confusion = Confusion::of(&names, 2);
        assert_eq!(confusion.classes, [0, 2]);
        let [apis, osmia, rest] = [Slot::Class(0), Slot::Class(1), Slot::Rest];
        assert_eq!(confusion.count(apis, apis), 1);
        assert_eq!((confusion.count(apis, rest), confusion.count(apis, osmia), confusion.total(apis)), (1, 1, 3));
        assert_eq!((confusion.count(osmia, rest), confusion.count(rest, rest), confusion.wrong_in_rest), (1, 1, 0));
        assert_eq!(confusion.rows(&names, apis, rest).as_slice(), [1]);
        assert_eq!(confusion.rows(&names, osmia, rest).as_slice(), [3]);
        let all: usize = confusion.order().map(|truth| confusion.total(truth)).sum();
        assert_eq!(all, 6, "one has no label");
    }
}
