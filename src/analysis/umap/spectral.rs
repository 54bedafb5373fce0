//! Where the points start: the smoothest functions on the graph.
//!
//! The leading eigenvectors of `D^-1/2 W D^-1/2` (those of the normalised Laplacian with the smallest eigenvalues) by
//! Chebyshev-filtered subspace iteration (Zhou, Saad, Tiago & Chelikowsky 2006). A start needs no exact eigenvectors, so the
//! iteration stops early; it needs no factorisation and works at any size.

use super::graph::FuzzyGraph;
use crate::analysis::eigen::symmetric_eigen;
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};
use rand::Rng;
use rayon::prelude::*;

const ROUNDS: usize = 12;
const DEGREE: usize = 16;
/// More vectors than wanted make the wanted ones converge faster.
const SPARE: usize = 4;
const ROWS: usize = 4096;

/// `components` coordinates `[N,components]` from the graph, largest entry of each 1 in size. Points of different connected
/// parts start around the mean `anchors` `[N,components]` of their part (their principal components, for example).
pub(super) fn spectral(
    graph: &FuzzyGraph,
    anchors: ArrayView2<'_, f64>,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Array2<f64>, Cancelled> {
    let components = anchors.ncols();
    let (part, parts) = graph.parts();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); parts];
    part.iter().enumerate().for_each(|(point, &part)| members[part].push(point));
    let mut start = Array2::zeros((graph.points(), components));
    for (number, points) in members.iter().enumerate() {
        observer.progress(Progress::new("laying out the map", number, parts, "groups"))?;
        let inner = part_coordinates(graph, points, components, seed, number, observer)?;
        let centre = anchors.select(Axis(0), points).mean_axis(Axis(0)).expect("a part has a point");
        // A part gets area by its share of the points; alone, it gets all.
        let radius = if parts == 1 { 1.0 } else { 0.5 * (points.len() as f64 / graph.points() as f64).sqrt() };
        for (&point, row) in points.iter().zip(inner.rows()) {
            let mut at = &row * radius;
            if parts > 1 {
                at += &centre;
            }
            start.row_mut(point).assign(&at);
        }
    }
    Ok(start)
}

/// Coordinates within one connected part, `[points,components]`, each column at most 1 in size.
fn part_coordinates(
    graph: &FuzzyGraph,
    points: &[usize],
    components: usize,
    seed: Seed,
    number: usize,
    observer: &dyn Observer,
) -> Result<Array2<f64>, Cancelled> {
    let mut rng = seed.stream_at("umap/start", number as u64);
    let mut random = |columns| Array2::from_shape_fn((points.len(), columns), |_| rng.random_range(-1.0..1.0));
    if points.len() < 2 * components + SPARE {
        return Ok(random(components));
    }
    let operator = Walk::new(graph, points);
    let found = leading_vectors(&operator, random((components + 1 + SPARE).min(points.len() - 1)), observer)?;
    // The first is constant apart from the degrees: it holds no position. Columns that were not found start at random.
    let mut vectors = random(components);
    let useful = (found.ncols() - 1).min(components);
    vectors.slice_mut(s![.., ..useful]).assign(&found.slice(s![.., 1..=useful]));
    for mut column in vectors.columns_mut() {
        let largest = column.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        if largest > 0.0 {
            column /= largest;
        }
    }
    Ok(vectors)
}

/// `D^-1/2 W D^-1/2` of one connected part.
struct Walk {
    starts: Vec<usize>,
    targets: Vec<u32>,
    weights: Vec<f64>,
}

impl Walk {
    fn new(graph: &FuzzyGraph, points: &[usize]) -> Self {
        let mut local = std::collections::HashMap::with_capacity(points.len());
        points.iter().zip(0u32..).for_each(|(&point, number)| {
            local.insert(point, number);
        });
        let root = |point: usize| graph.edges(point).map(|edge| f64::from(edge.1)).sum::<f64>().sqrt();
        let roots: Vec<f64> = points.iter().map(|&point| root(point)).collect();
        let mut walk = Self { starts: vec![0], targets: Vec::new(), weights: Vec::new() };
        for (&point, own) in points.iter().zip(&roots) {
            for (other, weight) in graph.edges(point) {
                let target = local[&other];
                walk.targets.push(target);
                walk.weights.push(f64::from(weight) / (own * roots[target as usize]));
            }
            walk.starts.push(walk.targets.len());
        }
        walk
    }

    /// `scale · (W - shift) x - minus`, row by row.
    fn apply(&self, x: &Array2<f64>, scale: f64, shift: f64, minus: Option<&Array2<f64>>) -> Array2<f64> {
        let columns = x.ncols();
        let from = x.as_slice().expect("standard layout");
        let mut product = Array2::zeros(x.raw_dim());
        let to = product.as_slice_mut().expect("standard layout");
        to.par_chunks_mut(columns).enumerate().with_min_len(64).for_each(|(row, out)| {
            for edge in self.starts[row]..self.starts[row + 1] {
                let first = self.targets[edge] as usize * columns;
                let weight = self.weights[edge];
                out.iter_mut().zip(&from[first..first + columns]).for_each(|(sum, value)| *sum += weight * value);
            }
            let own = &from[row * columns..(row + 1) * columns];
            out.iter_mut().zip(own).for_each(|(sum, value)| *sum = scale * (*sum - shift * value));
            if let Some(minus) = minus {
                out.iter_mut().zip(minus.row(row)).for_each(|(sum, value)| *sum -= value);
            }
        });
        product
    }
}

/// `aᵀ b`, added up in a fixed order.
fn cross(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let blocks: Vec<_> = a.axis_chunks_iter(Axis(0), ROWS).zip(b.axis_chunks_iter(Axis(0), ROWS)).collect();
    let parts: Vec<Array2<f64>> = blocks.into_par_iter().map(|(a, b)| a.t().dot(&b)).collect();
    parts.into_iter().fold(Array2::zeros((a.ncols(), b.ncols())), |sum, part| sum + part)
}

/// Approximate leading eigenvectors, `[points,block]`, largest eigenvalue first.
fn leading_vectors(walk: &Walk, block: Array2<f64>, observer: &dyn Observer) -> Result<Array2<f64>, Cancelled> {
    let (mut x, mut values) = rotate(walk, block);
    for round in 0..ROUNDS {
        let last = values[values.len() - 1].min(0.999);
        x = filtered(walk, x, last, round, observer)?;
        let before = values;
        (x, values) = rotate(walk, x);
        let wanted = values.len().saturating_sub(SPARE).max(1);
        let moved = |i: usize| (values[i] - before.get(i).copied().unwrap_or(0.0)).abs();
        if (0..wanted).all(|i| moved(i) < 1e-6) {
            break;
        }
    }
    Ok(x)
}

/// The Chebyshev polynomial that is small on `[-1, last]` and grows fast above it, applied to the block.
fn filtered(
    walk: &Walk,
    x: Array2<f64>,
    last: f64,
    round: usize,
    observer: &dyn Observer,
) -> Result<Array2<f64>, Cancelled> {
    let (centre, half) = ((last - 1.0) / 2.0, ((last + 1.0) / 2.0).max(1e-3));
    let mut before = x;
    let mut now = walk.apply(&before, half.recip(), centre, None);
    for degree in 1..DEGREE {
        observer.progress(Progress::new("laying out the map", round * DEGREE + degree, ROUNDS * DEGREE, "steps"))?;
        let next = walk.apply(&now, 2.0 / half, centre, Some(&before));
        before = std::mem::replace(&mut now, next);
    }
    Ok(now)
}

/// Rayleigh-Ritz: an orthonormal basis of the block's span in which the operator is diagonal, largest first. Directions that
/// the block spans only by rounding are dropped.
fn rotate(walk: &Walk, mut x: Array2<f64>) -> (Array2<f64>, Vec<f64>) {
    // Columns of very different length would lose digits in the inner products.
    for mut column in x.columns_mut() {
        let length = column.dot(&column).sqrt();
        if length > 0.0 {
            column /= length;
        }
    }
    let (lengths, axes) = symmetric_eigen(cross(&x, &x).view()).expect("inner products of finite vectors");
    let kept = lengths.iter().take_while(|&&length| length > 1e-12 * lengths[0]).count().max(1);
    let scale = |row: ArrayView1<'_, f64>, length: f64| &row / length.max(f64::MIN_POSITIVE).sqrt();
    let mut basis = Array2::zeros((kept, axes.ncols()));
    for i in 0..kept {
        basis.row_mut(i).assign(&scale(axes.row(i), lengths[i]));
    }
    let x = x.dot(&basis.t());
    let (values, turn) =
        symmetric_eigen(cross(&x, &walk.apply(&x, 1.0, 0.0, None)).view()).expect("inner products of finite vectors");
    (x.dot(&turn.t()), values.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    /// A path of `n` points, and `n` is small enough for the exact eigenvectors.
    fn path(points: usize) -> FuzzyGraph {
        let mut graph = FuzzyGraph { starts: vec![0], targets: Vec::new(), weights: Vec::new() };
        for point in 0..points {
            for other in [point.checked_sub(1), Some(point + 1).filter(|&next| next < points)].into_iter().flatten() {
                graph.targets.push(other as u32);
                graph.weights.push(1.0);
            }
            graph.starts.push(graph.targets.len());
        }
        graph
    }

    #[test]
    fn the_filtered_iteration_finds_the_exact_eigenvectors() {
        let graph = path(60);
        let points: Vec<usize> = (0..60).collect();
        let walk = Walk::new(&graph, &points);
        let dense = walk.apply(&Array2::eye(60), 1.0, 0.0, None);
        let (values, vectors) = symmetric_eigen(dense.view()).unwrap();
        let mut rng = Seed(1).stream("test");
        let found =
            leading_vectors(&walk, Array2::from_shape_fn((60, 7), |_| rng.random_range(-1.0..1.0)), &Silent).unwrap();
        for i in 0..3 {
            let overlap = found.column(i).dot(&vectors.row(i)).abs();
            assert!(overlap > 0.999, "vector {i} of eigenvalue {}: overlap {overlap}", values[i]);
        }
    }

    #[test]
    fn a_path_is_laid_out_in_its_order() {
        let graph = path(200);
        let start = spectral(&graph, Array2::zeros((200, 2)).view(), Seed(1), &Silent).unwrap();
        let first: Vec<f64> = start.column(0).to_vec();
        let rising = first.windows(2).filter(|pair| pair[1] > pair[0]).count();
        assert!(!(8..=190).contains(&rising), "{rising} of 199 steps rise");
    }

    #[test]
    fn separate_parts_start_around_their_anchors() {
        let mut graph = path(40);
        let second = path(40);
        let offset = graph.targets.len();
        graph.starts.extend(second.starts[1..].iter().map(|start| start + offset));
        graph.targets.extend(second.targets.iter().map(|target| target + 40));
        graph.weights.extend(&second.weights);
        assert_eq!(graph.parts().1, 2);
        let anchors = Array2::from_shape_fn((80, 2), |(point, _)| if point < 40 { -10.0 } else { 10.0 });
        let start = spectral(&graph, anchors.view(), Seed(1), &Silent).unwrap();
        assert!((0..80).all(|point| (start[[point, 0]] - anchors[[point, 0]]).abs() <= 1.0));
    }
}
