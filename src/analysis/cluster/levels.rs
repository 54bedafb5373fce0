//! Ward's linkage in two levels, for more points than every pair can be compared of.
//!
//! The points are divided at medians into cells; in each, Ward's linkage is exact, and of all its merges in all cells the cheapest are
//! made until [`GROUPS`] groups are left. These, with their means and sizes, are all that Ward's linkage needs to know of them (Ward 1963;
//! the same idea as in BIRCH: Zhang, Ramakrishnan & Livny 1996, SIGMOD), and it goes on over them exactly. What is lost is merges across
//! the border of two cells before the second level.

use super::chain::{Between, Means, Merge, agglomerate};
use super::sets::Sets;
use crate::progress::{Cancelled, Observer, Progress};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Up to so many points Ward's linkage is exact, and to so many groups the first level goes down.
pub(super) const GROUPS: usize = 20_000;
/// Points of a cell, at most.
const CELL: usize = 2048;

/// Whether Ward's linkage of so many points down to so many clusters takes two levels.
pub(super) fn are_needed(points: usize, clusters: usize) -> bool {
    points > GROUPS && 2 * clusters <= GROUPS
}

/// The clusters, as sets of points.
pub(super) fn ward(
    vectors: ArrayView2<'_, f32>,
    clusters: usize,
    groups: usize,
    observer: &dyn Observer,
) -> Result<Sets, Cancelled> {
    let mut sets = within_cells(vectors, groups, observer)?;
    let members = sets.members();
    let sizes: Array1<f32> = members.iter().map(|members| members.len() as f32).collect();
    let mut means = Array2::zeros((members.len(), vectors.ncols()));
    for (mut mean, members) in means.rows_mut().into_iter().zip(&members) {
        members.iter().for_each(|&point| mean += &vectors.row(point));
        mean /= members.len() as f32;
    }
    let mut merges = agglomerate(&mut Means::weighted(means, sizes, Between::Ward), f32::INFINITY, observer)?;
    merges.sort_by(|a, b| a.height.total_cmp(&b.height));
    merges[..members.len().saturating_sub(clusters)].iter().for_each(|merge| {
        sets.join(members[merge.a][0], members[merge.b][0]);
    });
    Ok(sets)
}

/// The points joined within cells by the cheapest merges, down to `groups` groups.
fn within_cells(vectors: ArrayView2<'_, f32>, groups: usize, observer: &dyn Observer) -> Result<Sets, Cancelled> {
    let points = vectors.nrows();
    let cells = cells(vectors);
    let done = AtomicUsize::new(0);
    let merges: Vec<Vec<Merge>> = cells
        .par_iter()
        .map(|cell| {
            let within = Within { observer, done: &done, points };
            let members = vectors.select(Axis(0), cell);
            let found = agglomerate(&mut Means::new(members.view(), Between::Ward), f32::INFINITY, &within)?;
            done.fetch_add(cell.len(), Ordering::Relaxed);
            Ok(found.into_iter().map(|merge| Merge { a: cell[merge.a], b: cell[merge.b], ..merge }).collect())
        })
        .collect::<Result<_, Cancelled>>()?;
    let mut merges = merges.concat();
    merges.sort_by(|a, b| a.height.total_cmp(&b.height).then((a.a, a.b).cmp(&(b.a, b.b))));
    let mut sets = Sets::new(points);
    merges.iter().take(points.saturating_sub(groups)).for_each(|merge| {
        sets.join(merge.a, merge.b);
    });
    Ok(sets)
}

/// The points divided in halves along the dimension in which they reach farthest, until no part has more than [`CELL`].
fn cells(vectors: ArrayView2<'_, f32>) -> Vec<Vec<usize>> {
    let (mut parts, mut done): (Vec<Vec<usize>>, Vec<Vec<usize>>) = (vec![(0..vectors.nrows()).collect()], Vec::new());
    while let Some(mut part) = parts.pop() {
        if part.len() <= CELL {
            done.push(part);
            continue;
        }
        let reach = |column: usize| {
            let values = part.iter().map(|&point| vectors[[point, column]]);
            let (low, high) =
                values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
            high - low
        };
        let widest = (0..vectors.ncols()).map(|column| (reach(column), column));
        let (_, column) = widest.fold((-1.0, 0), |best, next| if next.0 > best.0 { next } else { best });
        let middle = part.len() / 2;
        part.select_nth_unstable_by(middle, |&a, &b| {
            vectors[[a, column]].total_cmp(&vectors[[b, column]]).then(a.cmp(&b))
        });
        let upper = part.split_off(middle);
        parts.extend([part, upper]);
    }
    // The order within a cell decides between equals, and must not hang on how the halves were found.
    done.iter_mut().for_each(|cell| cell.sort_unstable());
    done
}

/// Tells how far all cells are, in place of one.
struct Within<'a> {
    observer: &'a dyn Observer,
    done: &'a AtomicUsize,
    points: usize,
}

impl Observer for Within<'_> {
    fn progress(&self, _: Progress) -> Result<(), Cancelled> {
        let done = self.done.load(Ordering::Relaxed);
        self.observer.progress(Progress::new("grouping what is near", done, self.points, "barcodes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::agreement::agreement;
    use crate::analysis::cluster::{Recipe, cluster};
    use crate::progress::Silent;
    use crate::seed::Seed;
    use rand::Rng;

    /// Groups of unlike size and width in ten dimensions, that overlap a little.
    fn grouped(points: usize, groups: usize) -> Array2<f32> {
        let mut rng = Seed(6).stream("levels");
        let centres = Array2::from_shape_simple_fn((groups, 10), || rng.random_range(-10.0f32..10.0));
        let mut vectors = Array2::zeros((points, 10));
        for mut vector in vectors.rows_mut() {
            let share: f32 = rng.random();
            let centre = centres.row((share * share * groups as f32) as usize);
            vector.iter_mut().zip(centre).for_each(|(value, &at)| *value = at + rng.random_range(-1.5..1.5));
        }
        vectors
    }

    #[test]
    fn two_levels_find_what_one_does() {
        let vectors = grouped(9000, 120);
        let exact = cluster(vectors.view(), &Recipe::Ward { clusters: 120 }, &Silent).unwrap();
        let two = ward(vectors.view(), 120, 1500, &Silent).unwrap().labels();
        let exact: Vec<u32> = exact.labels.into_iter().map(|label| label as u32).collect();
        let two: Vec<u32> = two.into_iter().map(|label| label as u32).collect();
        assert_eq!(two.iter().max(), Some(&119));
        let ami = agreement(&exact, &two).ami;
        assert!(ami > 0.99, "{ami}");
    }

    #[test]
    fn as_many_groups_as_points_is_the_exact_linkage() {
        let vectors = grouped(3000, 40);
        let exact = cluster(vectors.view(), &Recipe::Ward { clusters: 25 }, &Silent).unwrap();
        let labels: Vec<i32> =
            ward(vectors.view(), 25, 3000, &Silent).unwrap().labels().into_iter().map(|l| l as i32).collect();
        assert_eq!(labels, exact.labels);
    }

    /// Where the first level joins nothing but copies, the second must give what the exact linkage gives: it has to know how many each
    /// group stands for.
    #[test]
    fn groups_weigh_as_much_as_their_members() {
        let places = grouped(150, 150);
        let copies: Vec<usize> =
            (0..150).flat_map(|place| std::iter::repeat_n(place, 1 + place * place % 23)).collect();
        assert!(copies.len() < CELL, "one cell, so that no copies are parted");
        let vectors = places.select(Axis(0), &copies);
        let exact = cluster(vectors.view(), &Recipe::Ward { clusters: 12 }, &Silent).unwrap();
        let two = ward(vectors.view(), 12, 150, &Silent).unwrap().labels();
        assert_eq!(two.into_iter().map(|label| label as i32).collect::<Vec<_>>(), exact.labels);
    }

    #[test]
    fn cells_are_small_and_hold_every_point_once_however_alike_they_are() {
        for vectors in [grouped(10_000, 3), Array2::from_elem((5000, 2), 1.0)] {
            let cells = cells(vectors.view());
            assert!(cells.iter().all(|cell| cell.len() <= CELL));
            let mut all = cells.concat();
            all.sort_unstable();
            assert_eq!(all, (0..vectors.nrows()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn two_levels_are_taken_only_where_they_leave_a_choice() {
        assert!(!are_needed(GROUPS, 100) && are_needed(GROUPS + 1, 100));
        assert!(are_needed(100_000, GROUPS / 2) && !are_needed(100_000, GROUPS / 2 + 1));
    }
}
