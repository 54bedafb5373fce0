//! Rows of the last layer: where only some must name a k-mer, what follows its attention is run on those alone.

use super::head::Target;
use super::rows::{Dropout, add, drop_from};

/// The rows of a layer's output that are wanted, in ascending order; all where none are named.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chosen<'a>(Option<&'a [u32]>);

impl<'a> Chosen<'a> {
    /// The rows of `rows`, which are in ascending order.
    pub(super) fn of(rows: &'a [u32]) -> Self {
        Self(Some(rows))
    }

    /// How many of `all` rows they are.
    pub(super) fn count(self, all: usize) -> usize {
        self.0.map_or(all, <[u32]>::len)
    }

    /// Where `row` stands among them.
    pub(super) fn place(self, row: u32) -> usize {
        self.0.map_or(row as usize, |chosen| chosen.partition_point(|&before| before < row))
    }

    /// Adds those of `all` `[N, width]` from the `first`-th on to `rows`.
    pub(super) fn add(self, rows: &mut [f32], all: &[f32], first: usize, width: usize) {
        match self.0 {
            None => add(rows, &all[first * width..][..rows.len()]),
            Some(chosen) => {
                for (row, &at) in rows.chunks_exact_mut(width).zip(&chosen[first..]) {
                    add(row, &all[at as usize * width..][..width]);
                }
            }
        }
    }

    /// Drops from `rows`, the first of which is the `first`-th of them: what is dropped of a row depends on where it stands among all.
    pub(super) fn drop_from(self, dropout: Option<Dropout>, rows: &mut [f32], first: usize, width: usize) {
        match self.0 {
            None => drop_from(dropout, rows, first * width),
            Some(chosen) => {
                for (row, &at) in rows.chunks_exact_mut(width).zip(&chosen[first..]) {
                    drop_from(dropout, row, at as usize * width);
                }
            }
        }
    }

    /// Moves them to the front of `all` `[N, width]`, in its place.
    pub(super) fn gather(self, all: &mut [f32], width: usize) {
        for (to, &from) in self.0.unwrap_or_default().iter().enumerate() {
            let start = from as usize * width;
            all.copy_within(start..start + width, to * width);
        }
    }

    /// Moves them from the front of `all` `[N, width]` to where they stand; the other rows become 0.
    pub(super) fn scatter(self, all: &mut [f32], width: usize) {
        let Some(chosen) = self.0 else { return };
        let mut end = all.len();
        for (from, &to) in chosen.iter().enumerate().rev() {
            let start = to as usize * width;
            all.copy_within(from * width..(from + 1) * width, start);
            all[start + width..end].fill(0.0);
            end = start;
        }
        all[..end].fill(0.0);
    }
}

/// The rows that `targets` name, in ascending order.
pub(super) fn rows_of(targets: &[Target]) -> Vec<u32> {
    let mut rows: Vec<u32> = targets.iter().map(|target| target.row).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_come_back_to_where_they_stood(kept in proptest::collection::vec(any::<bool>(), 0..40), width in 1usize..4) {
            let all: Vec<f32> = (0..kept.len() * width).map(|at| at as f32 + 1.0).collect();
            let rows: Vec<u32> = (0..kept.len() as u32).filter(|&row| kept[row as usize]).collect();
            let chosen = Chosen::of(&rows);
            prop_assert_eq!(chosen.count(kept.len()), rows.len());
            let mut moved = all.clone();
            chosen.gather(&mut moved, width);
            let mut sum = vec![0.5; rows.len() * width];
            for (place, &row) in rows.iter().enumerate() {
                let there = &all[row as usize * width..][..width];
                prop_assert_eq!(&moved[place * width..][..width], there);
                prop_assert_eq!(chosen.place(row), place);
                chosen.add(&mut sum[place * width..][..width], &all, place, width);
                prop_assert!(sum[place * width..][..width].iter().zip(there).all(|(sum, value)| *sum == value + 0.5));
            }
            chosen.scatter(&mut moved, width);
            for (row, &kept) in kept.iter().enumerate() {
                let expected: Vec<f32> = all[row * width..][..width].iter().map(|&value| if kept { value } else { 0.0 }).collect();
                prop_assert_eq!(&moved[row * width..][..width], expected);
            }
        }
    }

    #[test]
    fn all_rows_stay_where_they_are() {
        let mut all = [1.0, 2.0, 3.0];
        Chosen::default().gather(&mut all, 1);
        Chosen::default().scatter(&mut all, 1);
        let mut sum = [0.0; 2];
        Chosen::default().add(&mut sum, &all, 1, 1);
        assert_eq!((all, sum), ([1.0, 2.0, 3.0], [2.0, 3.0]));
        assert_eq!((Chosen::default().count(3), Chosen::default().place(2)), (3, 2));
    }

    #[test]
    fn the_rows_of_targets_are_in_order_and_once_each() {
        let target = |row| Target { row, class: 0, weight: 1.0, scored: true };
        assert_eq!(rows_of(&[4, 1, 4, 0].map(target)), [0, 1, 4]);
        assert!(rows_of(&[]).is_empty());
    }
}
