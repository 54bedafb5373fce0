//! From the fuzzy graph to the map: stochastic gradient descent with negative samples.
//!
//! The steps are those of McInnes et al. 2018, algorithm 5, with umap-learn's schedule (an edge of weight `w` is drawn in a share
//! `w / max` of the epochs, five negative samples each) and constants. The order of the steps is this program's own, so that the
//! result does not depend on the number of threads. The points are dealt into [`BATCHES`] batches. All points of a batch move at
//! the same time, each through its own sequence of steps, against the places where the batch before left the others; then every
//! point takes over the counter-movements of the edges that were drawn from their other end. (Letting each end find its
//! counter-movement by itself, without the record, costs a hundredth of trustworthiness.) Random numbers come from a counter
//! over seed, epoch and point.

use super::graph::FuzzyGraph;
use crate::progress::{Cancelled, Observer, Progress};
use ndarray::Array2;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many batches an epoch has: the more, the nearer to moving one point at a time; the fewer, the less waiting.
const BATCHES: usize = 4;
/// Points that one thread moves at a time.
const TASK: usize = 128;
/// Tasks between two looks at the observer.
const TASKS_AT_ONCE: usize = 512;
const NEGATIVE_SAMPLES: usize = 5;
const REPULSION: f32 = 1.0;
const LEARNING_RATE: f32 = 1.0;
/// No single step goes farther than this (times the learning rate) along any axis.
const LONGEST_STEP: f32 = 4.0;
/// The largest number of components.
pub(super) const MAX_COMPONENTS: usize = 50;
/// Time between two live pictures.
const PICTURE_EVERY: Duration = Duration::from_millis(100);

/// What shapes a layout, besides graph and start.
pub(super) struct Descent {
    pub(super) a: f32,
    pub(super) b: f32,
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
    let mut batches: Vec<Range<usize>> = Vec::new();
    for batch in 0..BATCHES {
        let first = batches.last().map_or(0, |before| before.end);
        batches.push(first..first + (batch..points).step_by(BATCHES).len());
    }
    let springs = Springs::new(graph, &order, descent.epochs);
    let mut at: Vec<f32> = order.iter().flat_map(|&point| start.row(point).to_vec()).collect();
    let mut moved = at.clone();
    let mut given = vec![0.0f32; springs.targets.len() * dim];
    let mut shown = Instant::now();
    // As in umap-learn, no edge is drawn in the first epoch.
    for epoch in 1..descent.epochs {
        let step = Step { springs: &springs, descent, epoch, dim };
        let tell = || observer.progress(Progress::new("laying out the map", epoch, descent.epochs, "epochs"));
        for batch in &batches {
            for tasks in tasks_of(&springs, batch.clone(), dim, &mut moved, &mut given).chunks_mut(TASKS_AT_ONCE) {
                tell()?;
                tasks.par_iter_mut().for_each(|task| step.move_points(task, &at));
            }
            let own = batch.start * dim..batch.end * dim;
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

/// The edges that are ever drawn, of points in the order in which they are moved.
struct Springs {
    /// `[N+1]`.
    starts: Vec<usize>,
    targets: Vec<u32>,
    /// How often an edge is drawn, per epoch; the same seen from either end.
    rates: Vec<f32>,
    /// The same edge seen from its other end.
    reverse: Vec<u32>,
}

impl Springs {
    /// Point `order[i]` of the graph becomes point `i`. What would be drawn less than once is left out, as in umap-learn.
    fn new(graph: &FuzzyGraph, order: &[usize], epochs: usize) -> Self {
        let largest = graph.weights.iter().copied().fold(0.0f32, f32::max);
        let mut place = vec![0u32; order.len()];
        order.iter().zip(0u32..).for_each(|(&point, number)| place[point] = number);
        let mut springs = Self { starts: vec![0], targets: Vec::new(), rates: Vec::new(), reverse: Vec::new() };
        for &point in order {
            let edges = graph.edges(point).map(|(other, weight)| (place[other], weight / largest));
            let mut edges: Vec<(u32, f32)> = edges.filter(|edge| edge.1 * epochs as f32 >= 1.0).collect();
            edges.sort_unstable_by_key(|edge| edge.0);
            springs.targets.extend(edges.iter().map(|edge| edge.0));
            springs.rates.extend(edges.iter().map(|edge| edge.1));
            springs.starts.push(springs.targets.len());
        }
        // The graph is symmetric and every point's targets ascend: the sources of a target come by in its own order.
        let mut next = springs.starts.clone();
        for &target in &springs.targets {
            let slot = &mut next[target as usize];
            springs.reverse.push(u32::try_from(*slot).expect("fewer than four billion edges"));
            *slot += 1;
        }
        springs
    }

    /// Whether an edge is drawn in an epoch.
    fn drawn(&self, edge: usize, epoch: usize) -> bool {
        let rate = self.rates[edge];
        (epoch as f32 * rate).floor() > ((epoch as f32 - 1.0) * rate).floor()
    }
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
    let edges = springs.starts[batch.start]..springs.starts[batch.end];
    let mut given = &mut given[edges.start * dim..edges.end * dim];
    let places = moved[batch.start * dim..batch.end * dim].chunks_mut(TASK * dim);
    places
        .zip(batch.step_by(TASK))
        .map(|(places, first)| {
            let edges = springs.starts[first + places.len() / dim] - springs.starts[first];
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

impl Step<'_> {
    /// Writes the new places of a task's points and the movements along their drawn edges.
    fn move_points(&self, task: &mut Task<'_>, at: &[f32]) {
        let mut edges = 0;
        for (own, point) in task.places.chunks_exact_mut(self.dim).zip(task.first..) {
            let count = self.springs.starts[point + 1] - self.springs.starts[point];
            let given = &mut task.given[edges * self.dim..(edges + count) * self.dim];
            // With the number known, the compiler unrolls the loops over the axes.
            match self.dim {
                2 => self.move_point::<2>(point, at, own, given),
                3 => self.move_point::<3>(point, at, own, given),
                _ => self.move_point::<MAX_COMPONENTS>(point, at, own, given),
            }
            edges += count;
        }
    }

    #[inline(always)]
    fn move_point<const MAX: usize>(&self, point: usize, at: &[f32], out: &mut [f32], given: &mut [f32]) {
        let dim = if MAX == MAX_COMPONENTS { self.dim } else { MAX };
        let place = |other: usize| &at[other * dim..(other + 1) * dim];
        let rate = LEARNING_RATE * (1.0 - self.epoch as f32 / self.descent.epochs as f32);
        let points = at.len() / dim;
        let mut random = Counter::new(self.descent.key, self.epoch, point);
        let mut own = [0.0f32; MAX];
        own[..dim].copy_from_slice(place(point));
        let (first, end) = (self.springs.starts[point], self.springs.starts[point + 1]);
        // From another edge in every epoch: the last edges have the last word.
        let turn = first + if first < end { random.below(end - first) } else { 0 };
        for edge in (turn..end).chain(first..turn) {
            if !self.springs.drawn(edge, self.epoch) {
                continue;
            }
            let other = place(self.springs.targets[edge] as usize);
            let before = own;
            let pull = self.pull(squared(&own[..dim], other));
            shift(&mut own[..dim], other, pull, rate);
            let given = &mut given[(edge - first) * dim..(edge - first + 1) * dim];
            given.iter_mut().zip(own.iter().zip(&before)).for_each(|(given, (now, before))| *given = now - before);
            for _ in 0..NEGATIVE_SAMPLES {
                let stranger = random.below(points);
                if stranger != point {
                    let other = place(stranger);
                    let push = self.push(squared(&own[..dim], other));
                    shift(&mut own[..dim], other, push, rate);
                }
            }
        }
        out.copy_from_slice(&own[..dim]);
    }

    /// Moves a point towards the points of `batch` that have moved towards it, each as far as it came.
    fn give_way(&self, point: usize, own: &mut [f32], batch: &Range<usize>, given: &[f32]) {
        let edges = self.springs.starts[point]..self.springs.starts[point + 1];
        let targets = &self.springs.targets[edges.clone()];
        let from = edges.start + targets.partition_point(|&target| (target as usize) < batch.start);
        let upto = edges.start + targets.partition_point(|&target| (target as usize) < batch.end);
        for edge in (from..upto).filter(|&edge| self.springs.drawn(edge, self.epoch)) {
            let movement = self.springs.reverse[edge] as usize * self.dim;
            own.iter_mut().zip(&given[movement..]).for_each(|(own, given)| *own -= given);
        }
    }

    /// Gradient of `log(1 / (1 + a d^2b))` over the difference vector.
    fn pull(&self, squared: f32) -> f32 {
        if squared <= 0.0 {
            return 0.0;
        }
        let (a, b) = (self.descent.a, self.descent.b);
        let power = squared.powf(b);
        -2.0 * a * b * (power / squared) / (1.0 + a * power)
    }

    /// Gradient of `log(1 - 1 / (1 + a d^2b))` over the difference vector, kept finite near 0.
    fn push(&self, squared: f32) -> f32 {
        if squared <= 0.0 {
            return 0.0;
        }
        let (a, b) = (self.descent.a, self.descent.b);
        2.0 * REPULSION * b / ((0.001 + squared) * (1.0 + a * squared.powf(b)))
    }
}

#[inline(always)]
fn squared(own: &[f32], other: &[f32]) -> f32 {
    own.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[inline(always)]
fn shift(own: &mut [f32], other: &[f32], gradient: f32, rate: f32) {
    for (a, b) in own.iter_mut().zip(other) {
        *a += rate * (gradient * (*a - b)).clamp(-LONGEST_STEP, LONGEST_STEP);
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
    fn every_edge_knows_its_other_end_and_is_drawn_in_its_share_of_the_epochs() {
        // Edges 0-1, 0-2, 1-3 and one that is too weak, 2-3.
        let graph = FuzzyGraph {
            starts: vec![0, 2, 4, 6, 8],
            targets: vec![1, 2, 0, 3, 0, 3, 1, 2],
            weights: vec![0.8, 0.2, 0.8, 0.4, 0.2, 0.001, 0.4, 0.001],
        };
        let order = [2, 0, 3, 1];
        let springs = Springs::new(&graph, &order, 100);
        assert_eq!(springs.targets.len(), 6);
        for point in 0..4 {
            for edge in springs.starts[point]..springs.starts[point + 1] {
                let (target, back) = (springs.targets[edge] as usize, springs.reverse[edge] as usize);
                assert!((springs.starts[target]..springs.starts[target + 1]).contains(&back));
                assert_eq!(springs.targets[back] as usize, point);
                assert_eq!(springs.rates[back], springs.rates[edge]);
                let drawn = (1..=100).filter(|&epoch| springs.drawn(edge, epoch)).count();
                assert!((drawn as f32 - 100.0 * springs.rates[edge]).abs() <= 1.0, "{drawn}");
            }
        }
    }

    #[test]
    fn gradients_are_those_of_the_membership() {
        let descent = Descent { a: 1.577, b: 0.895, epochs: 1, key: 0 };
        let springs = Springs { starts: vec![0], targets: vec![], rates: vec![], reverse: vec![] };
        let step = Step { springs: &springs, descent: &descent, epoch: 0, dim: 2 };
        let log_near = |d: f64| -(1.577 * d.powf(2.0 * 0.895)).ln_1p();
        let log_far = |d: f64| (1.0 - log_near(d).exp()).ln();
        for d in [0.3f64, 1.0, 4.0] {
            let slope = |f: &dyn Fn(f64) -> f64| (f(d + 1e-6) - f(d - 1e-6)) / 2e-6;
            let squared = (d * d) as f32;
            assert!((f64::from(step.pull(squared)) * d - slope(&log_near)).abs() < 1e-3);
            // The 0.001 that keeps it finite changes it by less than a hundredth here.
            assert!((f64::from(step.push(squared)) * d / slope(&log_far) - 1.0).abs() < 0.02);
        }
        assert_eq!((step.pull(0.0), step.push(0.0)), (0.0, 0.0));
    }
}
