//! From the fuzzy graph to the map: stochastic gradient descent with negative samples.
//!
//! The steps are those of McInnes et al. 2018, algorithm 5, with umap-learn's schedule (an edge of weight `w` is drawn in a share
//! `w / max` of the epochs, five negative samples each) and constants. The order of the steps is this program's own, so that the
//! result does not depend on the number of threads. The points are dealt into [`BATCHES`] batches. All points of a batch move at
//! the same time, each through its own sequence of steps, against the places where the batch before left the others; then every
//! point takes over the counter-movements of the edges that were drawn from their other end. (Letting each end find its
//! counter-movement by itself, without the record, costs a hundredth of trustworthiness.) An edge and its negative samples act
//! in one step, from one place. Random numbers come from a counter over seed, epoch and point.

use super::forces::{Curve, LANES};
use super::graph::FuzzyGraph;
use super::springs::Springs;
use crate::arithmetic::vectors::wide;
use crate::progress::{Cancelled, Observer, Progress};
use ndarray::Array2;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many batches an epoch has: the more, the nearer to moving one point at a time; the fewer, the less waiting.
pub(super) const BATCHES: usize = 4;
/// Points that one thread moves at a time.
const TASK: usize = 128;
/// Tasks between two looks at the observer.
const TASKS_AT_ONCE: usize = 512;
const NEGATIVE_SAMPLES: usize = 5;
const LEARNING_RATE: f32 = 1.0;
/// The largest number of components.
pub(super) const MAX_COMPONENTS: usize = 50;
/// Time between two live pictures.
const PICTURE_EVERY: Duration = Duration::from_millis(100);

/// What shapes a layout, besides graph and start.
pub(super) struct Descent {
    pub(super) curve: Curve,
    pub(super) epochs: usize,
    pub(super) key: u64,
}

/// Moves `start` `[N,C]` for `descent.epochs` epochs.
pub(super) fn optimise(
    graph: &FuzzyGraph,
    start: &Array2<f32>,
    descent: &Descent,
    observer: &dyn Observer,
) -> Result<Array2<f32>, Cancelled> {
    let (points, dim) = start.dim();
    // Batch after batch, every fourth point of the file: neighbours in a sorted file then fall into different batches.
    let order: Vec<usize> = (0..BATCHES).flat_map(|batch| (batch..points).step_by(BATCHES)).collect();
    let mut bounds = [0; BATCHES + 1];
    (0..BATCHES).for_each(|batch| bounds[batch + 1] = bounds[batch] + (batch..points).step_by(BATCHES).len());
    let springs = Springs::new(graph, &order, bounds, descent.epochs);
    let mut at: Vec<f32> = order.iter().flat_map(|&point| start.row(point).to_vec()).collect();
    let mut moved = at.clone();
    let mut given = vec![0.0f32; springs.len() * dim];
    let mut shown = Instant::now();
    // As in umap-learn, which counts from 0, no edge is drawn in the first epoch.
    for epoch in 1..descent.epochs {
        let step = Step { springs: &springs, descent, epoch, dim };
        let tell = || observer.progress(Progress::new("laying out the map", epoch, descent.epochs, "epochs"));
        for batch in 0..BATCHES {
            let points = bounds[batch]..bounds[batch + 1];
            for tasks in tasks_of(&springs, points.clone(), dim, &mut moved, &mut given).chunks_mut(TASKS_AT_ONCE) {
                tell()?;
                tasks.par_iter_mut().for_each(|task| wide(MovePoints { step: &step, task, at: &at }));
            }
            let own = points.start * dim..points.end * dim;
            at[own.clone()].copy_from_slice(&moved[own]);
            for (group, part) in at.chunks_mut(TASKS_AT_ONCE * TASK * dim).enumerate() {
                tell()?;
                part.par_chunks_mut(TASK * dim).enumerate().for_each(|(task, part)| {
                    let first = (group * TASKS_AT_ONCE + task) * TASK;
                    part.chunks_exact_mut(dim)
                        .zip(first..)
                        .for_each(|(own, point)| step.give_way(point, own, batch, &given));
                });
            }
        }
        if shown.elapsed() >= PICTURE_EVERY {
            observer.picture(&picture(&at, &order, dim));
            shown = Instant::now();
        }
    }
    let mut map = Array2::zeros((points, dim));
    for (place, &point) in at.chunks_exact(dim).zip(&order) {
        map.row_mut(point).iter_mut().zip(place).for_each(|(to, from)| *to = *from);
    }
    Ok(map)
}

/// The first two coordinates of every point, in the order of the file.
fn picture(at: &[f32], order: &[usize], dim: usize) -> Arc<Vec<[f32; 2]>> {
    let mut points = vec![[0.0; 2]; order.len()];
    for (place, &point) in at.chunks_exact(dim).zip(order) {
        points[point] = [place[0], place.get(1).copied().unwrap_or(0.0)];
    }
    Arc::new(points)
}

/// Some points in a row, with where to write their new places and the movements along their edges.
struct Task<'a> {
    first: usize,
    places: &'a mut [f32],
    given: &'a mut [f32],
}

fn tasks_of<'a>(
    springs: &Springs,
    batch: Range<usize>,
    dim: usize,
    moved: &'a mut [f32],
    given: &'a mut [f32],
) -> Vec<Task<'a>> {
    let edges = springs.of_points(batch.clone());
    let mut given = &mut given[edges.start * dim..edges.end * dim];
    let places = moved[batch.start * dim..batch.end * dim].chunks_mut(TASK * dim);
    places
        .zip(batch.step_by(TASK))
        .map(|(places, first)| {
            let edges = springs.of_points(first..first + places.len() / dim).len();
            let (own, rest) = std::mem::take(&mut given).split_at_mut(edges * dim);
            given = rest;
            Task { first, places, given: own }
        })
        .collect()
}

/// One epoch, seen by any of its points.
struct Step<'a> {
    springs: &'a Springs,
    descent: &'a Descent,
    epoch: usize,
    dim: usize,
}

/// Writes the new places of a task's points and the movements along their drawn edges.
struct MovePoints<'a, 'b> {
    step: &'a Step<'a>,
    task: &'a mut Task<'b>,
    at: &'a [f32],
}

impl WithSimd for MovePoints<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { step, task, at } = self;
        let mut edges = 0;
        for (own, point) in task.places.chunks_exact_mut(step.dim).zip(task.first..) {
            let count = step.springs.of(point).len();
            let given = &mut task.given[edges * step.dim..(edges + count) * step.dim];
            // With the number known, the compiler unrolls the loops over the axes.
            match step.dim {
                2 => step.move_point::<2>(point, at, own, given),
                3 => step.move_point::<3>(point, at, own, given),
                _ => step.move_point::<MAX_COMPONENTS>(point, at, own, given),
            }
            edges += count;
        }
    }
}

impl Step<'_> {
    #[inline(always)]
    fn move_point<const MAX: usize>(&self, point: usize, at: &[f32], out: &mut [f32], given: &mut [f32]) {
        let dim = if MAX == MAX_COMPONENTS { self.dim } else { MAX };
        let rate = LEARNING_RATE * (1.0 - self.epoch as f32 / self.descent.epochs as f32);
        let points = at.len() / dim;
        let mut random = Counter::new(self.descent.key, self.epoch, point);
        let mut own = [0.0f32; MAX];
        own[..dim].copy_from_slice(&at[point * dim..(point + 1) * dim]);
        let Range { start: first, end } = self.springs.of(point);
        // From another edge in every epoch: the last edges have the last word.
        let turn = first + if first < end { random.below(end - first) } else { 0 };
        for edge in (turn..end).chain(first..turn) {
            if !self.springs.drawn(edge, self.epoch) {
                continue;
            }
            let mut away = [[0.0f32; LANES]; MAX];
            let mut look_at = |lane: usize, other: usize| {
                let other = &at[other * dim..(other + 1) * dim];
                away[..dim]
                    .iter_mut()
                    .zip(own.iter().zip(other))
                    .for_each(|(away, (own, other))| away[lane] = own - other);
            };
            look_at(0, self.springs.target(edge));
            // Never itself: in this epoch it may have moved away from its place, and would be pushed on from there.
            (1..=NEGATIVE_SAMPLES).for_each(|lane| {
                let stranger = random.below(points - 1);
                look_at(lane, stranger + usize::from(stranger >= point));
            });
            let given = &mut given[(edge - first) * dim..(edge - first + 1) * dim];
            for (axis, steps) in self.descent.curve.steps(&away[..dim], rate) {
                given[axis] = steps[0];
                own[axis] += steps.iter().sum::<f32>();
            }
        }
        out.copy_from_slice(&own[..dim]);
    }

    /// Moves a point towards the points of `batch` that have moved towards it, each as far as it came.
    fn give_way(&self, point: usize, own: &mut [f32], batch: usize, given: &[f32]) {
        for edge in self.springs.towards_batch(point, batch).filter(|&edge| self.springs.drawn(edge, self.epoch)) {
            let movement = self.springs.other_end(edge) * self.dim;
            own.iter_mut().zip(&given[movement..]).for_each(|(own, given)| *own -= given);
        }
    }
}

/// Random numbers by counting: SplitMix64 (Steele, Lea & Flood 2014) over a state made of seed, epoch and point.
struct Counter(u64);

impl Counter {
    fn new(key: u64, epoch: usize, point: usize) -> Self {
        let place = ((epoch as u64) << 40) ^ point as u64;
        Self(mix(key ^ mix(place)))
    }

    /// A number from 0 to `bound - 1`; `bound` is below four billion.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (((mix(self.0) >> 32) * bound as u64) >> 32) as usize
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_numbers_are_even_and_differ_by_epoch_and_point() {
        let mut counts = [0usize; 10];
        for point in 0..1000 {
            let mut random = Counter::new(7, 3, point);
            (0..10).for_each(|_| counts[random.below(10)] += 1);
        }
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
        let first = |epoch, point| Counter::new(7, epoch, point).below(1 << 30);
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(0, 1), first(0, 2));
    }

    #[test]
    fn a_point_goes_its_way_by_the_definition_and_is_never_pushed_by_itself() {
        // A triangle all of whose edges are drawn in every epoch.
        let graph = FuzzyGraph { starts: vec![0, 2, 4, 6], targets: vec![1, 2, 0, 2, 0, 1], weights: vec![1.0; 6] };
        let springs = Springs::new(&graph, &[0, 1, 2], [0, 1, 2, 3, 3], 10);
        let descent = Descent { curve: Curve { a: 1.6, b: 0.9 }, epochs: 10, key: 1 };
        let at = [0.0f32, 0.0, 1.0, 0.5, -0.7, 0.8];
        let place = |point: usize| [f64::from(at[2 * point]), f64::from(at[2 * point + 1])];
        for (epoch, point) in (1..10).flat_map(|epoch| (0..3).map(move |point| (epoch, point))) {
            let (mut moved, mut given) = ([0.0f32; 2], [0.0f32; 4]);
            Step { springs: &springs, descent: &descent, epoch, dim: 2 }
                .move_point::<2>(point, &at, &mut moved, &mut given);

            let rate = 1.0 - epoch as f64 / 10.0;
            let mut random = Counter::new(1, epoch, point);
            let edges = springs.of(point);
            let turn = edges.start + random.below(edges.len());
            let mut own = place(point);
            for edge in (turn..edges.end).chain(edges.start..turn) {
                let act = |other: usize, pulls: bool| {
                    let away = [0, 1].map(|axis| own[axis] - place(other)[axis]);
                    let square = away[0] * away[0] + away[1] * away[1];
                    let bent = 1.0 + 1.6 * square.powf(0.9);
                    let factor =
                        if pulls { -2.0 * 1.6 * 0.9 * square.powf(-0.1) } else { 2.0 * 0.9 / (0.001 + square) };
                    away.map(|away| rate * (factor / bent * away).clamp(-4.0, 4.0))
                };
                let pull = act(springs.target(edge), true);
                let strangers: Vec<usize> = (0..3).filter(|&other| other != point).collect();
                let pushes = (0..NEGATIVE_SAMPLES).map(|_| act(strangers[random.below(2)], false));
                let sum = pushes.fold(pull, |sum, push| [sum[0] + push[0], sum[1] + push[1]]);
                for axis in 0..2 {
                    let told = f64::from(given[2 * (edge - edges.start) + axis]);
                    assert!(
                        (told - pull[axis]).abs() < 1e-3,
                        "epoch {epoch}, point {point}: {told}, not {}",
                        pull[axis]
                    );
                }
                own = [own[0] + sum[0], own[1] + sum[1]];
            }
            let off = (f64::from(moved[0]) - own[0]).abs().max((f64::from(moved[1]) - own[1]).abs());
            assert!(off < 1e-3, "epoch {epoch}, point {point}: {moved:?}, not {own:?}");
        }
    }

    #[test]
    fn both_ends_of_an_edge_move_along_it_each_time_it_is_drawn() {
        let graph = FuzzyGraph { starts: vec![0, 1, 2], targets: vec![1, 0], weights: vec![1.0; 2] };
        let descent = Descent { curve: Curve { a: 1.6, b: 0.9 }, epochs: 2, key: 1 };
        let start = ndarray::array![[0.0f32, 0.0], [10.0, 0.0]];
        let map = optimise(&graph, &start, &descent, &crate::progress::Silent).unwrap();

        // One epoch at half the rate. Each point in its turn is pulled by the other and pushed by it five times; then the other
        // comes as far as it was pulled.
        let bent = |distance: f64| 1.0 + 1.6 * distance.powf(1.8);
        let pull = |distance: f64| 0.5 * 2.0 * 1.6 * 0.9 * distance.powf(0.8) / bent(distance);
        let push = |distance: f64| 0.5 * 5.0 * 2.0 * 0.9 * distance / ((0.001 + distance * distance) * bent(distance));
        let (mut first, mut second) = (0.0, 10.0);
        let distance: f64 = second - first;
        first += pull(distance) - push(distance);
        second -= pull(distance);
        let distance = second - first;
        second += push(distance) - pull(distance);
        first += pull(distance);
        let off = |found: f32, expected: f64| (f64::from(found) - expected).abs();
        assert!(off(map[[0, 0]], first) < 1e-4 && off(map[[1, 0]], second) < 1e-4, "{map}, not {first} and {second}");
        assert_eq!((map[[0, 1]], map[[1, 1]]), (0.0, 0.0));
    }

    #[test]
    fn a_point_gives_way_to_those_of_the_batch_that_were_drawn_to_it() {
        // Edges 0-1, 0-2 and 0-3; the first in every epoch, the others in every second one.
        let graph = FuzzyGraph {
            starts: vec![0, 3, 4, 5, 6],
            targets: vec![1, 2, 3, 0, 0, 0],
            weights: vec![1.0, 0.5, 0.5, 1.0, 0.5, 0.5],
        };
        let springs = Springs::new(&graph, &[0, 1, 2, 3], [0, 1, 2, 3, 4], 10);
        let descent = Descent { curve: Curve { a: 1.6, b: 0.9 }, epochs: 10, key: 1 };
        // The movement of each point along its edge to point 0 is its number.
        let given: Vec<f32> = [0.0, 0.0, 0.0, 1.0, 2.0, 3.0].iter().flat_map(|&along| [along, -along]).collect();
        let place_after = |epoch, batch| {
            let mut place = [5.0f32, 5.0];
            Step { springs: &springs, descent: &descent, epoch, dim: 2 }.give_way(0, &mut place, batch, &given);
            place
        };
        let drawn_in_both = [place_after(3, 1), place_after(3, 2), place_after(3, 3)];
        assert_eq!(drawn_in_both, [[4.0, 6.0], [3.0, 7.0], [2.0, 8.0]]);
        assert_eq!([place_after(2, 1), place_after(2, 2), place_after(3, 0)], [[4.0, 6.0], [5.0, 5.0], [5.0, 5.0]]);
    }
}
