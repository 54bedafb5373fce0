//! HDBSCAN: clusters as what stays together over a range of densities (Campello, Moulavi & Sander 2013; McInnes & Healy 2017).
//!
//! Own code rather than a crate's, because it has to be cancelled at any moment, stand duplicates and take tens of thousands of
//! barcodes; the crate `hdbscan` is its twin in the tests.

use super::chain::squared_distance;
use super::sets::Sets;
use crate::analysis::umap::NeighbourGraph;
use crate::progress::{Cancelled, Observer, Progress};
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

/// Smallest distance that counts: the density at a heap of duplicates is huge but finite.
const SMALLEST: f64 = 1e-9;

/// A cluster for every vector, -1 for noise: at least `min_size` (2 or more) members, density by the `neighbourhood` nearest
/// points including the point itself, Euclidean, clusters chosen by excess of mass, never all points as one.
pub(super) fn hdbscan(
    vectors: ArrayView2<'_, f32>,
    min_size: usize,
    neighbourhood: usize,
    observer: &dyn Observer,
) -> Result<Vec<i32>, Cancelled> {
    let points = vectors.nrows();
    if points < min_size.max(2) {
        return Ok(vec![-1; points]);
    }
    let core = core_distances(vectors, neighbourhood, observer)?;
    let tree = spanning_tree(vectors, &core, observer)?;
    Ok(condense(&dendrogram(points, tree), points, min_size))
}

/// Distance to the last of the `neighbourhood` nearest points, the point itself among them, `[N]`.
fn core_distances(
    vectors: ArrayView2<'_, f32>,
    neighbourhood: usize,
    observer: &dyn Observer,
) -> Result<Vec<f32>, Cancelled> {
    let near = NeighbourGraph::euclidean(vectors, neighbourhood.saturating_sub(1), observer)?;
    let last = |row: ndarray::ArrayView1<'_, f32>| row.last().copied().unwrap_or(0.0);
    Ok(near.distance.axis_iter(Axis(0)).map(last).collect())
}

/// An edge of the spanning tree: its ends and the larger of their distance and their core distances.
struct Edge {
    a: usize,
    b: usize,
    reach: f32,
}

/// Prim's algorithm over all pairs, distances computed on the way.
fn spanning_tree(vectors: ArrayView2<'_, f32>, core: &[f32], observer: &dyn Observer) -> Result<Vec<Edge>, Cancelled> {
    const CHUNK: usize = 2048;
    struct Outside {
        point: usize,
        reach: f32,
        from: usize,
    }
    let vectors = vectors.as_standard_layout();
    let row = |point: usize| vectors.row(point).to_slice().expect("standard layout");
    let points = core.len();
    let mut outside: Vec<Outside> = (1..points).map(|point| Outside { point, reach: f32::INFINITY, from: 0 }).collect();
    let (mut newest, mut tree) = (0, Vec::with_capacity(points.saturating_sub(1)));
    while !outside.is_empty() {
        observer.progress(Progress::new("measuring density", tree.len(), points, "barcodes"))?;
        let update = |(first, part): (usize, &mut [Outside])| {
            let mut best = (f32::INFINITY, usize::MAX, usize::MAX);
            for (place, other) in part.iter_mut().enumerate() {
                let apart = squared_distance(row(newest), row(other.point)).sqrt();
                let reach = apart.max(core[newest]).max(core[other.point]);
                if reach < other.reach {
                    (other.reach, other.from) = (reach, newest);
                }
                if (other.reach, other.point) < (best.0, best.1) {
                    best = (other.reach, other.point, first * CHUNK + place);
                }
            }
            best
        };
        let nearer = |a: (f32, usize, usize), b: (f32, usize, usize)| if (a.0, a.1) < (b.0, b.1) { a } else { b };
        let nothing = || (f32::INFINITY, usize::MAX, usize::MAX);
        let (_, _, place) = outside.par_chunks_mut(CHUNK).enumerate().map(update).reduce(nothing, nearer);
        let joined = outside.swap_remove(place);
        tree.push(Edge { a: joined.from, b: joined.point, reach: joined.reach });
        newest = joined.point;
    }
    Ok(tree)
}

/// A merge of two nodes; nodes below the number of points are points, the others merges in order of height.
struct Node {
    left: usize,
    right: usize,
    density: f64,
    size: usize,
}

fn dendrogram(points: usize, mut tree: Vec<Edge>) -> Vec<Node> {
    tree.sort_by(|x, y| x.reach.total_cmp(&y.reach).then((x.a, x.b).cmp(&(y.a, y.b))));
    let mut sets = Sets::new(points);
    let mut node_of: Vec<usize> = (0..points).collect();
    let mut nodes: Vec<Node> = Vec::with_capacity(tree.len());
    for edge in tree {
        let (left, right) = (node_of[sets.find(edge.a)], node_of[sets.find(edge.b)]);
        let size = |node: usize| if node < points { 1 } else { nodes[node - points].size };
        let size = size(left) + size(right);
        nodes.push(Node { left, right, density: f64::from(edge.reach).max(SMALLEST).recip(), size });
        sets.join(edge.a, edge.b);
        node_of[sets.find(edge.a)] = points + nodes.len() - 1;
    }
    nodes
}

/// A cluster of the condensed tree.
struct Condensed {
    parent: usize,
    born: f64,
    stability: f64,
}

/// Walks from the root: a split into two large enough parts makes two clusters, anything else loses points.
fn condense(nodes: &[Node], points: usize, min_size: usize) -> Vec<i32> {
    let mut clusters = vec![Condensed { parent: 0, born: 0.0, stability: 0.0 }];
    let mut left_at = vec![0usize; points];
    let size = |node: usize| if node < points { 1 } else { nodes[node - points].size };
    let mut stack = vec![(points + nodes.len() - 1, 0usize)];
    while let Some((node, cluster)) = stack.pop() {
        let Some(at) = node.checked_sub(points).map(|place| &nodes[place]) else {
            left_at[node] = cluster;
            continue;
        };
        let born = clusters[cluster].born;
        let large = [at.left, at.right].map(|child| size(child) >= min_size);
        for (child, is_large) in [at.left, at.right].into_iter().zip(large) {
            let own = if large == [true, true] {
                clusters.push(Condensed { parent: cluster, born: at.density, stability: 0.0 });
                clusters.len() - 1
            } else {
                cluster
            };
            if large == [true, true] || !is_large {
                clusters[cluster].stability += (at.density - born) * size(child) as f64;
            }
            if is_large {
                stack.push((child, own));
            } else {
                leave(nodes, points, child, cluster, &mut left_at);
            }
        }
    }
    let chosen = by_excess_of_mass(&clusters);
    left_at.into_iter().map(|cluster| chosen[cluster]).collect()
}

/// All points below `node` leave `cluster`.
fn leave(nodes: &[Node], points: usize, node: usize, cluster: usize, left_at: &mut [usize]) {
    let mut stack = vec![node];
    while let Some(node) = stack.pop() {
        match node.checked_sub(points) {
            None => left_at[node] = cluster,
            Some(place) => stack.extend([nodes[place].left, nodes[place].right]),
        }
    }
}

/// For every cluster of the condensed tree the number of the chosen cluster that it lies in, or -1.
fn by_excess_of_mass(clusters: &[Condensed]) -> Vec<i32> {
    let mut below = vec![0.0f64; clusters.len()];
    let mut selected = vec![false; clusters.len()];
    // Children come after their parents.
    for cluster in (1..clusters.len()).rev() {
        let own = clusters[cluster].stability;
        selected[cluster] = below[cluster] <= own;
        below[clusters[cluster].parent] += own.max(below[cluster]);
    }
    let (mut chosen, mut count) = (vec![-1i32; clusters.len()], 0);
    for cluster in 1..clusters.len() {
        chosen[cluster] = match chosen[clusters[cluster].parent] {
            -1 if selected[cluster] => {
                count += 1;
                count - 1
            }
            above => above,
        };
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::seed::Seed;
    use ndarray::Array2;
    use rand::Rng;

    fn random(points: usize) -> Array2<f32> {
        let mut rng = Seed(8).stream("test");
        Array2::from_shape_fn((points, 3), |(row, _)| (row % 4) as f32 + rng.random_range(-0.5..0.5f32).powi(3))
    }

    #[test]
    fn the_tree_is_as_short_as_the_shortest() {
        let x = random(90);
        for neighbourhood in [1, 2, 5] {
            let core = core_distances(x.view(), neighbourhood, &Silent).unwrap();
            let apart =
                |a: usize, b: usize| x.row(a).iter().zip(x.row(b)).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
            for (point, &core) in core.iter().enumerate() {
                let mut all: Vec<f32> = (0..90).map(|other| apart(point, other)).collect();
                all.sort_by(f32::total_cmp);
                assert!((all[neighbourhood - 1] - core).abs() < 1e-5);
            }
            // Kruskal over all pairs; where lengths are equal the tree may differ, its length may not.
            let mut pairs: Vec<(f32, usize, usize)> = (0..90)
                .flat_map(|a| (0..a).map(move |b| (a, b)))
                .map(|(a, b)| (apart(a, b).max(core[a]).max(core[b]), a, b))
                .collect();
            pairs.sort_by(|x, y| x.0.total_cmp(&y.0));
            let mut sets = Sets::new(90);
            let shortest: f32 = pairs.into_iter().filter(|&(_, a, b)| sets.join(a, b)).map(|pair| pair.0).sum();
            let tree = spanning_tree(x.view(), &core, &Silent).unwrap();
            let found: f32 = tree.iter().map(|edge| edge.reach).sum();
            assert_eq!(tree.len(), 89);
            assert!((found / shortest - 1.0).abs() < 1e-5, "{found} for {shortest}");
        }
    }

    #[test]
    fn clusters_are_those_of_the_crate() {
        let x = random(160);
        let rows: Vec<Vec<f64>> = x.rows().into_iter().map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
        let together = |labels: &[i32], a: usize, b: usize| labels[a] >= 0 && labels[a] == labels[b];
        for min_size in [2, 3, 5, 10, 30] {
            for neighbourhood in [1, min_size] {
                let settings = hdbscan::HdbscanHyperParams::builder()
                    .min_cluster_size(min_size)
                    .min_samples(neighbourhood)
                    .nn_algorithm(hdbscan::NnAlgorithm::BruteForce)
                    .build();
                let expected = hdbscan::Hdbscan::new(&rows, settings).cluster().unwrap();
                let found = hdbscan(x.view(), min_size, neighbourhood, &Silent).unwrap();
                let pairs = (0..160).flat_map(|a| (0..a).map(move |b| (a, b)));
                let differ = pairs.filter(|&(a, b)| together(&found, a, b) != together(&expected, a, b)).count();
                let noise = |labels: &[i32]| labels.iter().filter(|&&label| label < 0).count();
                if neighbourhood == 1 {
                    assert_eq!((differ, noise(&found)), (0, noise(&expected)), "at least {min_size}");
                } else {
                    // Many reaches are equal, being the same core distance, and their order is nobody's.
                    assert!(differ < 12_720 / 20, "at least {min_size}: {differ} of 12 720 pairs");
                }
            }
        }
    }
}
