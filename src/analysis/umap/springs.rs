//! The edges of the fuzzy graph as the layout draws them.

use super::graph::FuzzyGraph;
use super::layout::BATCHES;
use std::ops::Range;

/// The edges that are ever drawn, of points in the order in which they are moved.
pub(super) struct Springs {
    /// Where a point's edges to each batch start and where its last one ends, `[N]`.
    bounds: Vec<[u32; BATCHES + 1]>,
    /// Ascending within a point.
    targets: Vec<u32>,
    /// How often an edge is drawn, in 2^-32 per epoch; the same seen from either end.
    rates: Vec<u32>,
    /// The same edge seen from its other end.
    reverse: Vec<u32>,
}

impl Springs {
    /// Point `order[i]` of the graph becomes point `i`; the points of batch `j` are `batches[j]..batches[j + 1]`. What would be
    /// drawn less than once in `epochs` is left out, as in umap-learn.
    pub(super) fn new(graph: &FuzzyGraph, order: &[usize], batches: [usize; BATCHES + 1], epochs: usize) -> Self {
        let largest = graph.weights.iter().copied().fold(0.0f32, f32::max);
        let mut place = vec![0u32; order.len()];
        order.iter().zip(0u32..).for_each(|(&point, number)| place[point] = number);
        let mut springs = Self { bounds: Vec::new(), targets: Vec::new(), rates: Vec::new(), reverse: Vec::new() };
        for &point in order {
            let edges = graph.edges(point).map(|(other, weight)| (place[other], weight / largest));
            let mut edges: Vec<(u32, f32)> = edges.filter(|edge| edge.1 * epochs as f32 >= 1.0).collect();
            edges.sort_unstable_by_key(|edge| edge.0);
            let before = |batch: usize| edges.partition_point(|edge| (edge.0 as usize) < batch);
            springs.bounds.push(batches.map(|batch| number(springs.targets.len() + before(batch))));
            springs.targets.extend(edges.iter().map(|edge| edge.0));
            // A whole draw per epoch, 2^32, becomes the largest number there is.
            springs.rates.extend(edges.iter().map(|edge| (f64::from(edge.1) * 2f64.powi(32)) as u32));
        }
        // The graph is symmetric and every point's targets ascend: the sources of a target come by in its own order.
        let mut next: Vec<u32> = springs.bounds.iter().map(|bounds| bounds[0]).collect();
        for &target in &springs.targets {
            let slot = &mut next[target as usize];
            springs.reverse.push(*slot);
            *slot += 1;
        }
        springs
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    /// The edges of a point.
    #[inline(always)]
    pub(super) fn of(&self, point: usize) -> Range<usize> {
        self.bounds[point][0] as usize..self.bounds[point][BATCHES] as usize
    }

    /// The edges of points that follow each other.
    pub(super) fn of_points(&self, points: Range<usize>) -> Range<usize> {
        if points.is_empty() { 0..0 } else { self.of(points.start).start..self.of(points.end - 1).end }
    }

    /// The edges of a point to the points of a batch.
    #[inline(always)]
    pub(super) fn towards_batch(&self, point: usize, batch: usize) -> Range<usize> {
        self.bounds[point][batch] as usize..self.bounds[point][batch + 1] as usize
    }

    /// The point at the other end of an edge.
    #[inline(always)]
    pub(super) fn target(&self, edge: usize) -> usize {
        self.targets[edge] as usize
    }

    /// The same edge, seen from there.
    #[inline(always)]
    pub(super) fn other_end(&self, edge: usize) -> usize {
        self.reverse[edge] as usize
    }

    /// Whether an edge is drawn in an epoch, from 1: whether the multiple of its rate passes a whole number until the next one.
    #[inline(always)]
    pub(super) fn drawn(&self, edge: usize, epoch: usize) -> bool {
        (epoch as u32 + 1).wrapping_mul(self.rates[edge]) < self.rates[edge]
    }
}

fn number(edges: usize) -> u32 {
    u32::try_from(edges).expect("fewer than four billion edges")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_knows_its_other_end_and_is_drawn_in_its_share_of_the_epochs() {
        // Edges 0-1, 0-2, 1-3 and one that is too weak, 2-3.
        let graph = FuzzyGraph {
            starts: vec![0, 2, 4, 6, 8],
            targets: vec![1, 2, 0, 3, 0, 3, 1, 2],
            weights: vec![0.8, 0.2, 0.8, 0.4, 0.2, 0.001, 0.4, 0.001],
        };
        let springs = Springs::new(&graph, &[2, 0, 3, 1], [0, 1, 2, 3, 4], 100);
        assert_eq!(springs.len(), 6);
        for point in 0..4 {
            for edge in springs.of(point) {
                let (target, back) = (springs.target(edge), springs.other_end(edge));
                assert!(springs.of(target).contains(&back));
                assert_eq!(springs.target(back), point);
                assert_eq!(springs.rates[back], springs.rates[edge]);
                // One point to a batch.
                assert_eq!(springs.towards_batch(point, target), edge..edge + 1);
                let drawn = (1..=100).filter(|&epoch| springs.drawn(edge, epoch)).count();
                assert!(
                    (drawn as f64 - 100.0 * f64::from(springs.rates[edge]) / 2f64.powi(32)).abs() <= 1.0,
                    "{drawn}"
                );
            }
            let batches: Vec<usize> = (0..4).flat_map(|batch| springs.towards_batch(point, batch)).collect();
            assert!(batches.into_iter().eq(springs.of(point)));
        }
        assert_eq!((springs.of_points(0..4), springs.of_points(4..4).len()), (0..6, 0));
        // The edge 0-1 of the graph has the largest weight, 0-2 and 1-3 a quarter and half of it.
        let share = |point: usize, target: usize| {
            let edge = springs.of(point).find(|&edge| springs.target(edge) == target).unwrap();
            (1..=1000).filter(|&epoch| springs.drawn(edge, epoch)).count()
        };
        assert_eq!((share(1, 3), share(1, 0), share(3, 2)), (1000, 250, 500));
    }
}
