//! Agglomerative clustering by the nearest-neighbour chain (Murtagh 1983; Müllner 2011, section 3.2): exact for linkages whose
//! distances never shrink by merging, such as average linkage and Ward's.

use crate::progress::{Cancelled, Observer, Progress};
use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;

/// Two clusters that become one, each named by one of its points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Merge {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) height: f32,
}

/// Distances between clusters, each known by the number of one of its points.
pub(super) trait Linkage {
    /// Number of points.
    fn points(&self) -> usize;
    /// The distance to the nearest of the `active` clusters other than `own`, and its number; the lowest number among equals.
    fn nearest(&self, own: usize, active: &[usize]) -> (f32, usize);
    /// The distance of two clusters, the same as `nearest` sees it.
    fn distance(&self, a: usize, b: usize) -> f32;
    /// Cluster `b` becomes part of cluster `a`; `active` no longer holds `b`.
    fn merge(&mut self, a: usize, b: usize, active: &[usize]);
}

/// All merges up to height `highest`, in the order in which they were found, which is not that of their heights.
pub(super) fn agglomerate(
    linkage: &mut impl Linkage,
    highest: f32,
    observer: &dyn Observer,
) -> Result<Vec<Merge>, Cancelled> {
    let points = linkage.points();
    let mut active = Active::new(points);
    let (mut chain, mut merges): (Vec<usize>, Vec<Merge>) = (Vec::new(), Vec::new());
    while active.list.len() > 1 {
        observer.progress(Progress::new("grouping", points - active.list.len(), points, "barcodes"))?;
        let tip = chain.last().copied().unwrap_or_else(|| active.list[0]);
        if chain.is_empty() {
            chain.push(tip);
        }
        let (mut height, mut next) = linkage.nearest(tip, &active.list);
        let before = chain.len().checked_sub(2).map(|place| chain[place]);
        // Among equals the cluster before wins, or the chain would never close.
        if let Some(before) = before.filter(|&before| linkage.distance(tip, before) <= height) {
            (height, next) = (linkage.distance(tip, before), before);
        }
        if height > highest {
            // Nothing ever comes nearer than its nearest is now: this cluster is finished.
            active.remove(tip);
            chain.pop();
        } else if before == Some(next) {
            chain.truncate(chain.len() - 2);
            let (a, b) = (tip.min(next), tip.max(next));
            active.remove(b);
            linkage.merge(a, b, &active.list);
            merges.push(Merge { a, b, height });
        } else if let Some(place) = chain.iter().position(|&link| link == next) {
            // Only rounding leads back into the chain.
            chain.truncate(place + 1);
            chain.push(tip);
        } else {
            chain.push(next);
        }
    }
    Ok(merges)
}

/// The clusters that may still merge.
struct Active {
    list: Vec<usize>,
    place: Vec<usize>,
}

impl Active {
    fn new(points: usize) -> Self {
        Self { list: (0..points).collect(), place: (0..points).collect() }
    }

    fn remove(&mut self, cluster: usize) {
        let place = self.place[cluster];
        self.list.swap_remove(place);
        if let Some(&moved) = self.list.get(place) {
            self.place[moved] = place;
        }
    }
}

fn nearer(a: (f32, usize), b: (f32, usize)) -> (f32, usize) {
    if a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).is_le() { a } else { b }
}

const NOTHING: (f32, usize) = (f32::INFINITY, usize::MAX);

/// Average linkage over a matrix of distances `[N,N]`.
pub(super) struct AverageOfMatrix {
    distances: Array2<f32>,
    sizes: Vec<f32>,
}

impl AverageOfMatrix {
    /// Of a symmetric matrix.
    pub(super) fn new(distances: Array2<f32>) -> Self {
        let sizes = vec![1.0; distances.nrows()];
        Self { distances, sizes }
    }
}

impl Linkage for AverageOfMatrix {
    fn points(&self) -> usize {
        self.sizes.len()
    }

    fn nearest(&self, own: usize, active: &[usize]) -> (f32, usize) {
        let row = self.distances.row(own);
        active.iter().filter(|&&other| other != own).fold(NOTHING, |best, &other| nearer(best, (row[other], other)))
    }

    fn distance(&self, a: usize, b: usize) -> f32 {
        self.distances[[a, b]]
    }

    fn merge(&mut self, a: usize, b: usize, active: &[usize]) {
        let (of_a, of_b) = (self.sizes[a], self.sizes[b]);
        for &other in active.iter().filter(|&&other| other != a) {
            let mean = (of_a * self.distances[[a, other]] + of_b * self.distances[[b, other]]) / (of_a + of_b);
            self.distances[[a, other]] = mean;
            self.distances[[other, a]] = mean;
        }
        self.sizes[a] = of_a + of_b;
    }
}

/// Which distance [`Means`] measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// The mean of `1 - cos` over all pairs: of vectors of unit length this is `1 - a · b` of their means.
    AverageCosine,
    /// The growth of the sum of squares, `|A||B| / (|A| + |B|) · |a - b|²` of their means (Ward 1963).
    Ward,
}

/// Linkages that follow from the clusters' means `[N,D]`: no matrix of distances, so any number of points fits into memory.
pub(super) struct Means {
    means: Array2<f32>,
    sizes: Array1<f32>,
    between: Between,
}

/// Numbers below which another thread is not worth waking.
const PARALLEL_NUMBERS: usize = 1 << 17;
const CHUNK: usize = 512;

impl Means {
    pub(super) fn new(vectors: ArrayView2<'_, f32>, between: Between) -> Self {
        Self::weighted(vectors.as_standard_layout().into_owned(), Array1::ones(vectors.nrows()), between)
    }

    /// Of clusters that were made before, by their means `[N,D]`, in standard layout, and sizes `[N]`.
    pub(super) fn weighted(means: Array2<f32>, sizes: Array1<f32>, between: Between) -> Self {
        Self { means, sizes, between }
    }
}

impl Linkage for Means {
    fn points(&self) -> usize {
        self.sizes.len()
    }

    fn nearest(&self, own: usize, active: &[usize]) -> (f32, usize) {
        let scan = |part: &[usize]| {
            let others = part.iter().filter(|&&other| other != own);
            others.fold(NOTHING, |best, &other| nearer(best, (self.distance(own, other), other)))
        };
        if active.len() * self.means.ncols() < PARALLEL_NUMBERS {
            scan(active)
        } else {
            active.par_chunks(CHUNK).map(scan).reduce(|| NOTHING, nearer)
        }
    }

    fn distance(&self, a: usize, b: usize) -> f32 {
        let (of_a, of_b) = (self.means.row(a), self.means.row(b));
        match self.between {
            Between::AverageCosine => (1.0 - of_a.dot(&of_b)).max(0.0),
            Between::Ward => {
                let (x, y) = (of_a.to_slice().expect("standard layout"), of_b.to_slice().expect("standard layout"));
                let (size_a, size_b) = (self.sizes[a], self.sizes[b]);
                size_a * size_b / (size_a + size_b) * squared_distance(x, y)
            }
        }
    }

    fn merge(&mut self, a: usize, b: usize, _active: &[usize]) {
        let share = self.sizes[b] / (self.sizes[a] + self.sizes[b]);
        let other = self.means.row(b).to_owned();
        self.means.row_mut(a).zip_mut_with(&other, |mean, value| *mean += share * (value - *mean));
        self.sizes[a] += self.sizes[b];
    }
}

/// `|a - b|²`, in eight sums at a time.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| (x - y) * (x - y)).sum::<f32>();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            let difference = x[lane] - y[lane];
            sums[lane] += difference * difference;
        }
    }
    sums.iter().sum::<f32>() + rest
}
