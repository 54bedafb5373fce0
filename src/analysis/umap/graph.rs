//! From nearest neighbours to the fuzzy graph.

use crate::analysis::knn::{Neighbours, VectorSource, nearest_others};
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

/// The nearest other points of every point, with their distances.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighbourGraph {
    /// `[N,K]`, the point itself not among them; `u32::MAX` where there are fewer.
    pub index: Array2<u32>,
    /// `[N,K]`, ascending, not negative; infinite where there are fewer.
    pub distance: Array2<f32>,
}

/// Cosine distances below this are rounding: the vectors are the same.
const SAME: f32 = 1e-6;

impl NeighbourGraph {
    /// Cosine distances `1 - cos` of neighbours found among the points themselves, each point excluded from its own.
    pub fn from_cosines(neighbours: &Neighbours) -> Self {
        let distance = neighbours.similarity.mapv(|similarity| match 1.0 - similarity {
            distance if distance < SAME => 0.0,
            distance => distance,
        });
        Self { index: neighbours.index.clone(), distance }
    }

    /// The `k` nearest other points by cosine distance; nearly all of them among many points, see [`nearest_others`].
    pub(super) fn cosine(
        source: &dyn VectorSource,
        k: usize,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Self, Cancelled> {
        nearest_others(source, k, seed, observer).map(|found| Self::from_cosines(&found))
    }

    /// The `k` nearest other points by Euclidean distance, exact.
    pub(crate) fn euclidean(
        vectors: ArrayView2<'_, f32>,
        k: usize,
        observer: &dyn Observer,
    ) -> Result<Self, Cancelled> {
        const ROWS: usize = 64;
        // Distances do not change by shifting, and small norms lose fewer digits below.
        let mean = vectors.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(vectors.ncols()));
        let centred = &vectors - &mean;
        let squares: Array1<f32> = centred.rows().into_iter().map(|row| row.dot(&row)).collect();
        let (rows, k) = (vectors.nrows(), k.min(vectors.nrows().saturating_sub(1)));
        let mut graph = Self { index: Array2::zeros((rows, k)), distance: Array2::zeros((rows, k)) };
        let blocks: Vec<usize> = (0..rows).step_by(ROWS).collect();
        for group in blocks.chunks(rayon::current_num_threads()) {
            observer.progress(Progress::new("finding neighbours", group[0], rows, "vectors"))?;
            let found: Vec<Vec<(f32, u32)>> = group
                .par_iter()
                .flat_map_iter(|&start| {
                    let block = start..(start + ROWS).min(rows);
                    let products = centred.slice(s![block.clone(), ..]).dot(&centred.t());
                    let (centred, squares) = (&centred, &squares);
                    block.map(move |row| nearest_of(centred.view(), squares, products.row(row - start), row, k))
                })
                .collect();
            for (row, best) in (group[0]..).zip(found) {
                for (column, (distance, other)) in best.into_iter().enumerate() {
                    (graph.index[[row, column]], graph.distance[[row, column]]) = (other, distance);
                }
            }
        }
        Ok(graph)
    }
}

/// The `k` nearest of `row`: the fast formula chooses a few more than needed, their exact distances decide.
fn nearest_of(
    vectors: ArrayView2<'_, f32>,
    squares: &Array1<f32>,
    products: ArrayView1<'_, f32>,
    row: usize,
    k: usize,
) -> Vec<(f32, u32)> {
    const SPARE: usize = 16;
    let by_distance = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    let mut candidates: Vec<(f32, u32)> = (0..vectors.nrows())
        .filter(|&other| other != row)
        .map(|other| (squares[other] - 2.0 * products[other], other as u32))
        .collect();
    if candidates.len() > k + SPARE {
        candidates.select_nth_unstable_by(k + SPARE, by_distance);
        candidates.truncate(k + SPARE);
    }
    let own = vectors.row(row);
    for (distance, other) in &mut candidates {
        let squared: f32 = own.iter().zip(vectors.row(*other as usize)).map(|(a, b)| (a - b) * (a - b)).sum();
        *distance = squared.sqrt();
    }
    candidates.sort_unstable_by(by_distance);
    candidates.truncate(k);
    candidates
}

/// `sigma` and `rho` of every point, `[N]` each: `rho` is the distance of the nearest neighbour that is not at distance 0, and
/// `sigma` makes `Σ exp(-(d - rho) / sigma)` equal `log2(K + 1)`, where the `+ 1` counts the point itself as umap-learn does
/// (McInnes et al. 2018, algorithm 3).
pub fn smooth_distances(distance: ArrayView2<'_, f32>) -> (Vec<f32>, Vec<f32>) {
    let finite = || distance.iter().filter(|d| d.is_finite());
    let count = finite().count() + distance.nrows(); // with every point's distance of 0 to itself
    let mean = finite().map(|&d| f64::from(d)).sum::<f64>() / count.max(1) as f64;
    let rows: Vec<ArrayView1<'_, f32>> = distance.rows().into_iter().collect();
    rows.into_par_iter().map(|row| smooth_row(row, mean)).unzip()
}

fn smooth_row(row: ArrayView1<'_, f32>, mean_of_all: f64) -> (f32, f32) {
    const TOLERANCE: f64 = 1e-5;
    const SMALLEST_SHARE: f64 = 1e-3;
    let finite: Vec<f64> = row.iter().filter(|d| d.is_finite()).map(|&d| f64::from(d)).collect();
    let rho = finite.iter().copied().find(|&d| d > 0.0).unwrap_or(0.0);
    let target = ((row.len() + 1) as f64).log2();
    let (mut low, mut high, mut sigma) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..64 {
        let sum: f64 = finite.iter().map(|&d| if d > rho { (-(d - rho) / sigma).exp() } else { 1.0 }).sum();
        if (sum - target).abs() < TOLERANCE {
            break;
        }
        if sum > target {
            high = sigma;
        } else {
            low = sigma;
        }
        sigma = if high.is_finite() { (low + high) / 2.0 } else { sigma * 2.0 };
    }
    let mean_of_row = finite.iter().sum::<f64>() / (finite.len() + 1) as f64;
    let floor = SMALLEST_SHARE * if rho > 0.0 { mean_of_row } else { mean_of_all };
    (sigma.max(floor) as f32, rho as f32)
}

/// A symmetric weighted graph, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct FuzzyGraph {
    /// Where the neighbours of a point start, `[N+1]`.
    pub starts: Vec<usize>,
    /// Neighbours, ascending within a point.
    pub targets: Vec<u32>,
    /// Membership of each edge, above 0 up to 1.
    pub weights: Vec<f32>,
}

impl FuzzyGraph {
    /// The fuzzy union of the points' own views: `w = p + q - p q` (McInnes et al. 2018, section 3.1).
    pub fn from_neighbours(neighbours: &NeighbourGraph) -> Self {
        let points = neighbours.index.nrows();
        let (sigma, rho) = smooth_distances(neighbours.distance.view());
        let own: Vec<Vec<(u32, f32)>> = (0..points)
            .into_par_iter()
            .map(|row| memberships(neighbours, row, f64::from(sigma[row]), f64::from(rho[row])))
            .collect();
        let mut seen_by: Vec<Vec<(u32, f32)>> = vec![Vec::new(); points];
        for (row, edges) in (0u32..).zip(&own) {
            edges.iter().for_each(|&(other, weight)| seen_by[other as usize].push((row, weight)));
        }
        let rows: Vec<Vec<(u32, f32)>> = own.into_par_iter().zip(seen_by).map(|(own, seen)| union(own, seen)).collect();
        let mut graph = Self { starts: vec![0], targets: Vec::new(), weights: Vec::new() };
        for row in rows {
            graph.targets.extend(row.iter().map(|edge| edge.0));
            graph.weights.extend(row.iter().map(|edge| edge.1));
            graph.starts.push(graph.targets.len());
        }
        graph
    }

    /// Number of points.
    pub fn points(&self) -> usize {
        self.starts.len() - 1
    }

    /// Neighbours of a point and the weights of the edges to them.
    pub fn edges(&self, point: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let range = self.starts[point]..self.starts[point + 1];
        self.targets[range.clone()].iter().map(|&target| target as usize).zip(self.weights[range].iter().copied())
    }

    /// The connected part that each point belongs to, `[N]`, numbered by first appearance; and how many there are.
    pub fn parts(&self) -> (Vec<usize>, usize) {
        let mut part = vec![usize::MAX; self.points()];
        let (mut count, mut stack) = (0, Vec::new());
        for start in 0..self.points() {
            if part[start] != usize::MAX {
                continue;
            }
            part[start] = count;
            stack.push(start);
            while let Some(point) = stack.pop() {
                for (other, _) in self.edges(point) {
                    if part[other] == usize::MAX {
                        part[other] = count;
                        stack.push(other);
                    }
                }
            }
            count += 1;
        }
        (part, count)
    }
}

fn memberships(neighbours: &NeighbourGraph, row: usize, sigma: f64, rho: f64) -> Vec<(u32, f32)> {
    let pairs = neighbours.index.row(row).into_iter().zip(neighbours.distance.row(row));
    let mut edges: Vec<(u32, f32)> = pairs
        .filter(|&(&other, distance)| other != u32::MAX && distance.is_finite() && other as usize != row)
        .map(|(&other, &distance)| {
            let beyond = f64::from(distance) - rho;
            (other, if beyond <= 0.0 || sigma == 0.0 { 1.0 } else { (-beyond / sigma).exp() as f32 })
        })
        .filter(|edge| edge.1 > 0.0)
        .collect();
    edges.sort_unstable_by_key(|edge| edge.0);
    edges
}

/// Merges two edge lists, both ascending.
fn union(own: Vec<(u32, f32)>, seen: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
    let mut merged: Vec<(u32, f32)> = Vec::with_capacity(own.len() + seen.len());
    let (mut own, mut seen) = (own.into_iter().peekable(), seen.into_iter().peekable());
    loop {
        let edge = match (own.peek().copied(), seen.peek().copied()) {
            (Some(a), Some(b)) if a.0 == b.0 => {
                own.next();
                seen.next();
                (a.0, a.1 + b.1 - a.1 * b.1)
            }
            (Some(a), b) if b.is_none_or(|b| a.0 < b.0) => {
                own.next();
                a
            }
            (_, Some(b)) => {
                seen.next();
                b
            }
            _ => return merged,
        };
        merged.push(edge);
    }
}
