//! A threshold from the data: where most specimens have their barcode gap.

use crate::analysis::knn::{Neighbours, nearest};
use crate::progress::{Cancelled, Observer};
use crate::seed::Seed;
use ndarray::ArrayView2;
use rand::Rng;

/// How many neighbours of every specimen are looked at.
const NEIGHBOURS: usize = 64;
/// Distances are compared by ratio where they are well above this share of the distance between strangers, and by difference
/// below it: a hundredth of a percent beside a tenth of one is no gap.
const SOFT_SHARE: f32 = 0.01;
/// A step by less than this ratio is no gap.
const LEAST_RATIO: f32 = 2.0;
/// How many pairs of strangers are measured.
const PAIRS: usize = 4096;

/// The cosine distance that falls into the barcode gaps of most specimens, `vectors` `[N,D]`, or `None` where there are no gaps:
/// all are alike, or none is nearer to its neighbours than these are to each other's.
///
/// The distances of a specimen to its nearest 64 neighbours, in order, have a largest step `lower` to `upper`, measured as
/// `(upper + s) / (lower + s)` with `s` 1 % of the median distance of random pairs. If it is at least 2, it is the specimen's own
/// barcode gap (Meyer & Paulay 2005: the largest distance within a species against the smallest to another one), and the
/// logarithm of the ratio is its weight. The suggestion is the middle, on the same scale, of the range of thresholds that lie in
/// gaps of the largest total weight (95 % of the largest). No label is read, and a species with one specimen needs no gap.
///
/// # Errors
/// [`Cancelled`].
pub fn suggest_threshold(vectors: ArrayView2<'_, f32>, observer: &dyn Observer) -> Result<Option<f32>, Cancelled> {
    if vectors.nrows() < 3 {
        return Ok(None);
    }
    let soft = SOFT_SHARE * between_strangers(vectors);
    if soft <= 0.0 {
        return Ok(None);
    }
    let found = nearest(&vectors, &vectors, NEIGHBOURS, &|query, reference| query == reference, observer)?;
    let gaps: Vec<Gap> = (0..vectors.nrows()).filter_map(|row| Gap::around(&found, row, soft)).collect();
    Ok(most_covered(&gaps).map(|(low, high)| ((low + soft) * (high + soft)).sqrt() - soft))
}

/// Median cosine distance of random pairs, of those that differ.
fn between_strangers(vectors: ArrayView2<'_, f32>) -> f32 {
    let mut rng = Seed(0).stream("cluster/strangers");
    let length = |row: usize| vectors.row(row).dot(&vectors.row(row)).sqrt();
    let mut distances: Vec<f32> = (0..PAIRS)
        .map(|_| (rng.random_range(0..vectors.nrows()), rng.random_range(0..vectors.nrows())))
        .map(|(a, b)| 1.0 - vectors.row(a).dot(&vectors.row(b)) / (length(a) * length(b)))
        .filter(|&distance| distance > 1e-6)
        .collect();
    distances.sort_by(f32::total_cmp);
    distances.get(distances.len() / 2).copied().unwrap_or(0.0)
}

/// The barcode gap of one specimen.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Gap {
    lower: f32,
    upper: f32,
    weight: f64,
}

impl Gap {
    fn around(neighbours: &Neighbours, row: usize, soft: f32) -> Option<Self> {
        let distances: Vec<f32> = neighbours.of(row).map(|(_, similarity)| (1.0 - similarity).max(0.0)).collect();
        let ratio = |step: &[f32]| (step[1] + soft) / (step[0] + soft);
        let widest = distances.windows(2).max_by(|a, b| ratio(a).total_cmp(&ratio(b)))?;
        let ratio = ratio(widest);
        (ratio >= LEAST_RATIO).then(|| Self { lower: widest[0], upper: widest[1], weight: f64::from(ratio).ln() })
    }
}

/// The ends of the range around the best threshold that lies in gaps of nearly the largest total weight.
fn most_covered(gaps: &[Gap]) -> Option<(f32, f32)> {
    const NEARLY: f64 = 0.95;
    let mut ends: Vec<(f32, f64)> =
        gaps.iter().flat_map(|gap| [(gap.lower, gap.weight), (gap.upper, -gap.weight)]).collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    // The weight of the gaps that are open from each end to the next.
    let open: Vec<f64> = ends
        .iter()
        .scan(0.0, |open, end| {
            *open += end.1;
            Some(*open)
        })
        .collect();
    let best = (0..open.len()).max_by(|&a, &b| open[a].total_cmp(&open[b]).then(b.cmp(&a)))?;
    let enough = |&place: &usize| open[place] >= NEARLY * open[best];
    let first = (0..=best).rev().take_while(enough).last()?;
    let last = (best..open.len()).take_while(enough).last()?;
    Some((ends[first].0, ends.get(last + 1)?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_heaviest_overlap_is_found() {
        let gap = |lower, upper, weight| Gap { lower, upper, weight };
        assert_eq!(most_covered(&[]), None);
        assert_eq!(most_covered(&[gap(0.1, 0.4, 1.0)]), Some((0.1, 0.4)));
        assert_eq!(most_covered(&[gap(0.1, 0.4, 1.0), gap(0.2, 0.6, 1.0), gap(0.7, 0.9, 1.5)]), Some((0.2, 0.4)));
        assert_eq!(most_covered(&[gap(0.1, 0.4, 1.0), gap(0.2, 0.6, 1.0), gap(0.7, 0.9, 2.5)]), Some((0.7, 0.9)));
    }
}
