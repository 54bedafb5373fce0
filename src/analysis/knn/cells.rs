//! The nearest other points of every point among many, nearly exactly.
//!
//! Comparing every pair costs the square of the number of points. Beyond [`EXACT_POINTS`] points are divided into cells around centroids
//! (k-means on a sample; an inverted file as of Jégou, Douze & Schmid 2011, IEEE TPAMI 33), every point is compared with those of the
//! cells nearest to it, and then every point with the neighbours of its neighbours, who are often neighbours too (Dong, Charikar & Li 2011,
//! WWW). Cells number about the root of the points, so that the work grows with their power of 1.5. The answer depends on the seed and on
//! nothing else, neither threads nor the order of work.

use super::block::dot;
use super::{Neighbours, Rows, VectorSource, nearest};
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::seq::index::sample;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Up to so many points every pair is compared.
pub const EXACT_POINTS: usize = 8192;
/// Vectors are held in memory up to so many numbers (2 GB); beyond, every pair is compared block by block.
const MOST_NUMBERS: usize = 1 << 29;
/// Beyond so many neighbours of each point every pair is compared.
const MOST_NEIGHBOURS: usize = 128;
/// Cells whose points a point is compared with: those whose centroids are nearest to it.
const PROBED: usize = 8;
/// Cells by the root of the number of points. With this and [`PROBED`] 98.2 % of the neighbours among 100 000 points are found, in about the
/// least time in which that many are (`benches/README.md`).
const CELLS_BY_ROOT: f64 = 2.0;
/// Points per centroid that k-means learns from, and how often it goes over them.
const SAMPLE: usize = 32;
const ROUNDS: usize = 6;
/// Points and candidates per matrix product.
const TILE: usize = 512;

/// The `k` other points of every point that are nearest by cosine, best first; equally near ones in the order of the points.
///
/// Exact for up to [`EXACT_POINTS`] points. Beyond, some of the `k` may be missed in favour of others a little further away: on 100 000
/// vectors in groups of unlike size 98 % are found (`benches/README.md`). Similarities are those of [`nearest`], computed in f64.
///
/// # Errors
/// [`Cancelled`] when the observer says so.
pub fn nearest_others(
    source: &dyn VectorSource,
    k: usize,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Neighbours, Cancelled> {
    let points = source.len();
    if points <= EXACT_POINTS || k > MOST_NEIGHBOURS || points.saturating_mul(source.dim()) > MOST_NUMBERS {
        return nearest(source, source, k, &|query, reference| query == reference, observer);
    }
    approximate(source, k, seed, observer)
}

fn approximate(
    source: &dyn VectorSource,
    k: usize,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Neighbours, Cancelled> {
    // The source is gone over twice, so that the vectors are held only once, cell by cell.
    let centroids = centroids(source, seed, observer)?;
    let cells = Cells::of(source, &centroids, observer)?;
    let unit = Unit::load(&Rows::new(source, &cells.order), observer)?;
    let lists = cells.compare(&unit, k, observer)?;
    let lists = neighbours_of_neighbours(&unit, &lists, observer)?;
    let mut found = cells.finish(&unit, &lists, k);
    complete(source, &mut found, k, observer)?;
    Ok(found)
}

/// Compares the points whose cells held too few others with all.
fn complete(
    source: &dyn VectorSource,
    found: &mut Neighbours,
    k: usize,
    observer: &dyn Observer,
) -> Result<(), Cancelled> {
    let short: Vec<u32> = (0..source.len() as u32).filter(|&point| found.of(point as usize).count() < k).collect();
    let own = |query: usize, reference: usize| short[query] as usize == reference;
    let exact = nearest(&Rows::new(source, &short), source, k, &own, observer)?;
    for (at, &point) in short.iter().enumerate() {
        found.index.row_mut(point as usize).assign(&exact.index.row(at));
        found.similarity.row_mut(point as usize).assign(&exact.similarity.row(at));
    }
    Ok(())
}

/// Vectors of length 1 (zeros where a vector has none or is not finite), `[N,D]`.
struct Unit {
    dim: usize,
    values: Vec<f32>,
}

impl Unit {
    fn load(source: &dyn VectorSource, observer: &dyn Observer) -> Result<Self, Cancelled> {
        let (points, dim) = (source.len(), source.dim());
        let mut values = vec![0.0; points * dim];
        values.par_chunks_mut((TILE * dim).max(1)).enumerate().try_for_each(|(block, values)| {
            let start = block * TILE;
            Self::fill(source, start..start + values.len() / dim, values);
            observer.progress(Progress::new("dividing the points into cells", start, points, "points"))
        })?;
        Ok(Self { dim, values })
    }

    /// Writes vectors of a source, made 1 long.
    fn fill(source: &dyn VectorSource, rows: Range<usize>, out: &mut [f32]) {
        source.fill(rows, out);
        for vector in out.chunks_exact_mut(source.dim().max(1)) {
            let length = dot(vector, vector).sqrt();
            let factor = if length > 0.0 && length.is_finite() { length.recip() } else { 0.0 };
            vector.iter_mut().for_each(|value| {
                *value = if factor == 0.0 { 0.0 } else { (f64::from(*value) * factor) as f32 };
            });
        }
    }

    fn rows(&self, rows: Range<usize>) -> &[f32] {
        &self.values[rows.start * self.dim..rows.end * self.dim]
    }

    fn row(&self, row: usize) -> &[f32] {
        self.rows(row..row + 1)
    }
}

impl VectorSource for Unit {
    fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f32]) {
        out.copy_from_slice(self.rows(rows));
    }
}

/// Products of the rows of `left` `[L,D]` with those of `right` `[R,D]`: for each row of `right` those with all of `left`, `[R,L]`.
fn products(left: &[f32], right: &[f32], dim: usize, out: &mut Vec<f32>) {
    let (rows, columns) = (left.len() / dim, right.len() / dim);
    out.resize(rows * columns, 0.0);
    matmul(
        MatMut::from_column_major_slice_mut(out, rows, columns),
        Accum::Replace,
        MatRef::from_row_major_slice(left, rows, dim),
        MatRef::from_column_major_slice(right, dim, columns),
        1.0,
        Par::Seq,
    );
}

/// For each vector of `source` the `probed` centroids that are most alike, the nearest first, `[N, probed]`.
fn nearest_cells(
    source: &dyn VectorSource,
    centroids: &Unit,
    probed: usize,
    at: &(dyn Fn(usize) -> Result<(), Cancelled> + Sync),
) -> Result<Vec<u32>, Cancelled> {
    let blocks: Vec<Vec<u32>> = tiles(0..source.len())
        .collect::<Vec<_>>()
        .into_par_iter()
        .map_init(Default::default, |(vectors, buffer): &mut (Vec<f32>, Vec<f32>), rows| {
            at(rows.start)?;
            vectors.resize(rows.len() * source.dim(), 0.0);
            Unit::fill(source, rows, vectors);
            products(&centroids.values, vectors, centroids.dim, buffer);
            let cells = buffer.chunks_exact(centroids.len()).flat_map(|products| {
                let mut best = Best::new(probed);
                best.sift(usize::MAX, 0, products);
                best.in_order()
            });
            Ok(cells.collect())
        })
        .collect::<Result<_, Cancelled>>()?;
    Ok(blocks.concat())
}

/// Spherical k-means on a sample of the points.
fn centroids(source: &dyn VectorSource, seed: Seed, observer: &dyn Observer) -> Result<Unit, Cancelled> {
    let (points, dim) = (source.len(), source.dim());
    let number = (CELLS_BY_ROOT * (points as f64).sqrt()) as usize;
    let drawn = sample(&mut seed.stream("knn/cells"), points, (SAMPLE * number).min(points)).into_iter();
    let drawn: Vec<u32> = drawn.map(|row| row as u32).collect();
    let sampled = Unit::load(&Rows::new(source, &drawn), observer)?;
    let mut centroids = Unit { dim, values: sampled.rows(0..number).to_vec() };
    for round in 0..ROUNDS {
        let at = |_: usize| observer.progress(Progress::new("finding the centres of cells", round, ROUNDS, "rounds"));
        let nearest = nearest_cells(&sampled, &centroids, 1, &at)?;
        let mut sums = vec![0.0f64; number * dim];
        for (vector, &cell) in sampled.values.chunks_exact(dim).zip(&nearest) {
            let sum = &mut sums[cell as usize * dim..][..dim];
            sum.iter_mut().zip(vector).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        for (centroid, sum) in centroids.values.chunks_exact_mut(dim).zip(sums.chunks_exact(dim)) {
            let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
            // A cell that nobody is nearest to stays where it is.
            if length > 0.0 {
                centroid.iter_mut().zip(sum).for_each(|(value, sum)| *value = (sum / length) as f32);
            }
        }
    }
    Ok(centroids)
}

/// Points by cell.
struct Cells {
    /// Points, cell by cell, ascending within each.
    order: Vec<u32>,
    /// Places in `order` of each cell.
    ranges: Vec<Range<usize>>,
    /// Cells that each point is compared with, its own first, `[N, probed]`.
    probed: Vec<u32>,
    width: usize,
}

impl Cells {
    fn of(source: &dyn VectorSource, centroids: &Unit, observer: &dyn Observer) -> Result<Self, Cancelled> {
        let points = source.len();
        let at = |row| observer.progress(Progress::new("dividing the points into cells", row, points, "points"));
        let width = PROBED.min(centroids.len());
        let probed = nearest_cells(source, centroids, width, &at)?;
        let mut members = vec![Vec::new(); centroids.len()];
        for (point, cells) in (0u32..).zip(probed.chunks_exact(width)) {
            members[cells[0] as usize].push(point);
        }
        let mut start = 0;
        let ranges = members.iter().map(|members| {
            start += members.len();
            start - members.len()..start
        });
        Ok(Self { ranges: ranges.collect(), order: members.concat(), probed, width })
    }

    /// The cells that points at `places` of the order are compared with, each with the places of those points.
    fn asked(&self, places: Range<usize>) -> BTreeMap<u32, Vec<usize>> {
        let mut asked: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for place in places {
            let point = self.order[place] as usize;
            for &cell in &self.probed[point * self.width..][..self.width] {
                asked.entry(cell).or_default().push(place);
            }
        }
        asked
    }

    /// The best of every point, in the order of the cells, as places in that order.
    fn compare(&self, unit: &Unit, k: usize, observer: &dyn Observer) -> Result<Vec<Best>, Cancelled> {
        let done = AtomicUsize::new(0);
        let lists: Vec<Vec<Best>> = (0..self.ranges.len())
            .into_par_iter()
            .map_init(Default::default, |(gathered, buffer): &mut (Vec<f32>, Vec<f32>), cell| {
                let members = self.ranges[cell].clone();
                let mut best: Vec<Best> = members.clone().map(|_| Best::new(kept(k))).collect();
                for tile in tiles(members.clone()) {
                    for (other, places) in self.asked(tile.clone()) {
                        gathered.clear();
                        places.iter().for_each(|&place| gathered.extend_from_slice(unit.row(place)));
                        for candidates in tiles(self.ranges[other as usize].clone()) {
                            products(unit.rows(candidates.clone()), gathered, unit.dim, buffer);
                            for (&place, products) in places.iter().zip(buffer.chunks_exact(candidates.len())) {
                                best[place - members.start].sift(place, candidates.start, products);
                            }
                        }
                    }
                    let at = done.fetch_add(tile.len(), Ordering::Relaxed);
                    observer.progress(Progress::new("finding neighbours", at, unit.len(), "points"))?;
                }
                Ok(best)
            })
            .collect::<Result<_, Cancelled>>()?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// Lists of the points as they came, with exact similarities.
    fn finish(&self, unit: &Unit, lists: &[Best], k: usize) -> Neighbours {
        let mut found = Neighbours::nothing(unit.len(), k);
        let exact: Vec<Vec<(f32, u32)>> = lists
            .par_iter()
            .enumerate()
            .map(|(place, best)| {
                let own = unit.row(place);
                let square = dot(own, own);
                let cosine = |other: u32| {
                    let other = unit.row(other as usize);
                    let squares = square * dot(other, other);
                    if squares == 0.0 { 0.0 } else { (dot(own, other) / squares.sqrt()).clamp(-1.0, 1.0) as f32 }
                };
                let mut exact: Vec<(f32, u32)> =
                    best.rows.iter().map(|&other| (cosine(other), self.order[other as usize])).collect();
                exact.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                exact.truncate(k);
                exact
            })
            .collect();
        for (&point, exact) in self.order.iter().zip(&exact) {
            for (column, &(similarity, other)) in exact.iter().enumerate() {
                found.index[[point as usize, column]] = other;
                found.similarity[[point as usize, column]] = similarity;
            }
        }
        found
    }
}

fn tiles(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(TILE).map(move |start| start..(start + TILE).min(end))
}

/// A few more than wanted are kept, for products in f32 are rounded.
fn kept(k: usize) -> usize {
    k + 2
}

/// The most alike so far.
#[derive(Clone)]
struct Best {
    rows: Vec<u32>,
    products: Vec<f32>,
    limit: usize,
    /// Place of the least of a full list.
    least: usize,
}

impl Best {
    fn new(limit: usize) -> Self {
        Self { rows: Vec::with_capacity(limit), products: Vec::with_capacity(limit), limit, least: 0 }
    }

    /// The rows, the most alike first, equal ones in their order.
    fn in_order(&self) -> Vec<u32> {
        let mut places: Vec<usize> = (0..self.rows.len()).collect();
        places.sort_unstable_by(|&a, &b| {
            self.products[b].total_cmp(&self.products[a]).then(self.rows[a].cmp(&self.rows[b]))
        });
        places.into_iter().map(|place| self.rows[place]).collect()
    }

    fn threshold(&self) -> f32 {
        if self.rows.len() < self.limit { f32::NEG_INFINITY } else { self.products[self.least] }
    }

    /// Takes what is better among the products with the rows from `start`; `own` is passed over.
    fn sift(&mut self, own: usize, start: usize, products: &[f32]) {
        const STEP: usize = 16;
        for (step, part) in products.chunks(STEP).enumerate() {
            let threshold = self.threshold();
            if !part.iter().fold(false, |any, &product| any | (product > threshold)) {
                continue;
            }
            for (at, &product) in part.iter().enumerate() {
                let row = start + step * STEP + at;
                if product > self.threshold() && row != own {
                    self.push(row as u32, product);
                }
            }
        }
    }

    fn push(&mut self, row: u32, product: f32) {
        if self.rows.len() < self.limit {
            self.rows.push(row);
            self.products.push(product);
        } else {
            self.rows[self.least] = row;
            self.products[self.least] = product;
        }
        if self.rows.len() == self.limit {
            let least = |least: usize, at: usize| if self.products[at] < self.products[least] { at } else { least };
            self.least = (1..self.limit).fold(0, least);
        }
    }
}

/// Every point's list with what its neighbours' lists hold and is nearer.
fn neighbours_of_neighbours(unit: &Unit, lists: &[Best], observer: &dyn Observer) -> Result<Vec<Best>, Cancelled> {
    let done = AtomicUsize::new(0);
    lists
        .par_iter()
        .enumerate()
        .map_init(Vec::new, |candidates, (place, best)| {
            let at = done.fetch_add(1, Ordering::Relaxed);
            if at.is_multiple_of(TILE) {
                observer.progress(Progress::new("asking neighbours for theirs", at, unit.len(), "points"))?;
            }
            candidates.clear();
            candidates.extend(best.rows.iter().flat_map(|&near| &lists[near as usize].rows).copied());
            candidates.sort_unstable();
            candidates.dedup();
            let (own, mut best) = (unit.row(place), best.clone());
            let known = best.rows.clone();
            for &candidate in candidates.iter().filter(|&&other| other as usize != place && !known.contains(&other)) {
                let product = short_dot(own, unit.row(candidate as usize));
                if product > best.threshold() {
                    best.push(candidate, product);
                }
            }
            Ok(best)
        })
        .collect()
}

/// Dot product in f32, in one fixed order.
fn short_dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut sums = [0.0f32; LANES];
    let (a_steps, b_steps) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_steps.remainder().iter().zip(b_steps.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_steps.zip(b_steps) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Silent, StopAt};
    use ndarray::Array2;
    use rand::Rng;

    /// Points in groups of unlike size.
    fn grouped(points: usize, dim: usize) -> Array2<f32> {
        let mut rng = Seed(11).stream("cells");
        let centres = Array2::from_shape_simple_fn((points / 40, dim), || rng.random_range(-1.0f32..1.0));
        let mut vectors = Array2::zeros((points, dim));
        for mut vector in vectors.rows_mut() {
            let share: f32 = rng.random();
            let centre = centres.row((share * share * centres.nrows() as f32) as usize);
            vector.iter_mut().zip(centre).for_each(|(value, &centre)| *value = centre + rng.random_range(-0.8..0.8));
        }
        vectors
    }

    fn recall(found: &Neighbours, exact: &Neighbours) -> f64 {
        let hits = |query: usize| {
            let exact: Vec<u32> = exact.of(query).map(|(other, _)| other).collect();
            found.of(query).filter(|(other, _)| exact.contains(other)).count()
        };
        (0..exact.index.nrows()).map(hits).sum::<usize>() as f64 / exact.index.len() as f64
    }

    fn exactly(vectors: &Array2<f32>, k: usize) -> Neighbours {
        nearest(vectors, vectors, k, &|a, b| a == b, &Silent).unwrap()
    }

    #[test]
    fn nearly_all_neighbours_are_found_with_their_exact_similarities() {
        let vectors = grouped(EXACT_POINTS + 4000, 24);
        let (found, exact) = (nearest_others(&vectors, 14, Seed(1), &Silent).unwrap(), exactly(&vectors, 14));
        let recall = recall(&found, &exact);
        assert!(recall > 0.95, "{recall}");
        for query in 0..vectors.nrows() {
            let similar: Vec<(u32, f32)> = found.of(query).collect();
            assert_eq!(similar.len(), 14);
            assert!(similar.is_sorted_by(|a, b| a.1 > b.1 || a.1 == b.1 && a.0 < b.0), "best first: {similar:?}");
            assert!(similar.iter().all(|&(other, _)| other as usize != query), "nobody neighbours itself");
            for (other, similarity) in similar {
                let known = exact.of(query).find(|&(known, _)| known == other);
                assert!(known.is_none_or(|(_, known)| (known - similarity).abs() < 1e-6), "{query} {other}");
            }
        }
    }

    #[test]
    fn a_point_hears_of_others_through_its_neighbours() {
        // On a line of directions 0, 1, 2 and 3: point 0 knows of 2 and 3, and 2 of 1, which is nearer.
        let directions = Array2::from_shape_fn((4, 2), |(row, axis)| {
            let angle = row as f32 / 10.0;
            if axis == 0 { angle.cos() } else { angle.sin() }
        });
        let unit = Unit::load(&directions, &Silent).unwrap();
        let list = |known: &[u32], own: usize| {
            let mut best = Best::new(2);
            known.iter().for_each(|&other| best.push(other, short_dot(unit.row(own), unit.row(other as usize))));
            best
        };
        let lists = [list(&[2, 3], 0), list(&[2, 3], 1), list(&[1, 3], 2), list(&[2, 1], 3)];
        let found = neighbours_of_neighbours(&unit, &lists, &Silent).unwrap();
        assert_eq!(found[0].in_order(), [1, 2], "1 is nearer than 2, and 3 is farther than both");
        assert_eq!(found[2].in_order(), lists[2].in_order(), "what is known is not put in twice");
    }

    #[test]
    fn points_whose_cells_held_too_few_are_compared_with_all() {
        let vectors = grouped(400, 5);
        let exact = exactly(&vectors, 6);
        let mut found = exact.clone();
        for (point, kept) in [(3, 0), (77, 5), (399, 2)] {
            (kept..6).for_each(|column| {
                found.index[[point, column]] = Neighbours::NONE;
                found.similarity[[point, column]] = f32::NEG_INFINITY;
            });
        }
        complete(&vectors, &mut found, 6, &Silent).unwrap();
        assert_eq!(found, exact);
    }

    #[test]
    fn few_points_and_many_neighbours_are_compared_exactly() {
        let vectors = grouped(600, 8);
        assert_eq!(nearest_others(&vectors, 5, Seed(1), &Silent).unwrap(), exactly(&vectors, 5));
        assert_eq!(nearest_others(&vectors, 0, Seed(1), &Silent).unwrap().index.len(), 0);
    }

    #[test]
    fn the_answer_is_that_of_the_seed_on_any_number_of_threads() {
        let vectors = grouped(EXACT_POINTS + 1000, 10);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| nearest_others(&vectors, 6, Seed(3), &Silent).unwrap())
        };
        assert_eq!(with(1), with(3));
    }

    #[test]
    fn copies_zeros_and_numbers_that_are_none_do_no_harm() {
        let mut vectors = grouped(EXACT_POINTS + 500, 6);
        let copy = vectors.row(7).to_owned();
        (20..60).for_each(|row| vectors.row_mut(row).assign(&copy));
        vectors.row_mut(3).fill(0.0);
        vectors[[4, 2]] = f32::NAN;
        let found = nearest_others(&vectors, 10, Seed(2), &Silent).unwrap();
        assert!(found.of(7).all(|(other, similarity)| (20..60).contains(&other) && similarity == 1.0));
        assert!(found.of(3).all(|(_, similarity)| similarity == 0.0));
        assert!(found.similarity.iter().all(|value| !value.is_nan()));
        let same = Array2::from_elem((EXACT_POINTS + 1, 3), 0.5f32);
        let found = nearest_others(&same, 4, Seed(2), &Silent).unwrap();
        assert!(found.similarity.iter().all(|&value| value == 1.0));
    }

    #[test]
    fn stops_when_told_to_at_any_stage() {
        let vectors = grouped(EXACT_POINTS + 100, 4);
        for stage in ["dividing", "centres", "finding neighbours", "asking"] {
            assert_eq!(nearest_others(&vectors, 4, Seed(1), &StopAt(stage)), Err(Cancelled), "{stage}");
        }
    }
}
