//! The contrastive loss: of all views in a batch, the one whose embedding is nearest should be the other view of the same
//! barcode, or of its relative.
//!
//! The normalised, temperature-scaled cross-entropy of SimCLR (Chen et al. 2020, section 2.1), without a projection head: what is
//! compared is the embedding itself, the mean of the encoder's last layer over the tokens that it saw.

use super::products::{add_rows, product};
use crate::arithmetic::product::{Right, Table};
use std::ops::Range;

/// What the views of a batch are compared for. Sequences `2i` and `2i + 1` of the batch are views of one another.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pairs {
    /// What the mean over the views counts in the loss.
    pub(crate) weight: f32,
    /// Cosines are divided by it.
    pub(crate) temperature: f32,
    /// The group of every sequence: others of a sequence's own group are not held against it. `None` belongs to no group.
    pub(crate) groups: Vec<Option<u32>>,
}

/// How well the views of a batch were told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Matches {
    /// Sum of the weighted cross-entropies.
    pub(crate) loss: f64,
    /// Views whose nearest other view in the batch was their partner.
    pub(crate) found: usize,
    /// Views.
    pub(crate) views: usize,
}

impl Matches {
    /// Adds another batch.
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.found += other.found;
        self.views += other.views;
    }
}

impl Pairs {
    /// Whether `other` is its partner or held against `view`.
    pub(super) fn counts(&self, view: usize, other: usize) -> bool {
        let group = self.groups[view];
        other == view ^ 1 || (other != view && (group.is_none() || self.groups[other] != group))
    }

    /// The loss of hidden states `[N, width]`, whose rows belong to `sequences`. With `gradient`, that at the hidden states is
    /// added to it.
    pub(super) fn run(
        &self,
        hidden: &[f32],
        width: usize,
        sequences: &[Range<usize>],
        gradient: Option<&mut [f32]>,
    ) -> Matches {
        let (directions, lengths) = directions_of(hidden, width, sequences);
        let count = sequences.len();
        let mut scores = vec![0.0; count * count];
        let others = Right::of_columns(Table::new(&directions, width));
        product(&directions, &others, &mut scores);
        let mut matches = Matches { views: count, ..Matches::default() };
        for (view, row) in scores.chunks_exact_mut(count).enumerate() {
            self.score(view, row, &mut matches);
        }
        if let Some(gradient) = gradient {
            let at_directions = both_ways(&scores, &directions, width);
            for (view, rows) in sequences.iter().enumerate() {
                let part = view * width..(view + 1) * width;
                let (direction, at_direction) = (&directions[part.clone()], &at_directions[part]);
                let along: f32 = direction.iter().zip(at_direction).map(|(a, b)| a * b).sum();
                let factor = 1.0 / (lengths[view] * rows.len().max(1) as f32);
                for row in gradient[rows.start * width..rows.end * width].chunks_exact_mut(width) {
                    for ((value, at), direction) in row.iter_mut().zip(at_direction).zip(direction) {
                        *value += factor * (at - along * direction);
                    }
                }
            }
        }
        matches
    }

    /// Cross-entropy of one view with its partner; its row of cosines becomes the loss's gradient at them.
    fn score(&self, view: usize, row: &mut [f32], matches: &mut Matches) {
        let partner = view ^ 1;
        let counts = |other: usize| self.counts(view, other);
        let nearest = (0..row.len()).filter(|&other| counts(other)).max_by(|&a, &b| row[a].total_cmp(&row[b]));
        matches.found += usize::from(nearest == Some(partner));
        let largest = nearest.map_or(0.0, |nearest| row[nearest]);
        let share = |cosine: f32| ((cosine - largest) / self.temperature).exp();
        let total: f32 = (0..row.len()).filter(|&other| counts(other)).map(|other| share(row[other])).sum();
        let weight = self.weight / row.len() as f32;
        let cross_entropy = total.ln() - (row[partner] - largest) / self.temperature;
        matches.loss += f64::from(weight) * f64::from(cross_entropy);
        for (other, cosine) in row.iter_mut().enumerate() {
            let of_other = if counts(other) { share(*cosine) / total } else { 0.0 };
            let wanted = if other == partner { 1.0 } else { 0.0 };
            *cosine = weight * (of_other - wanted) / self.temperature;
        }
    }
}

/// The mean of every sequence's rows, scaled to unit length `[B, width]`, and its length before `[B]`.
fn directions_of(hidden: &[f32], width: usize, sequences: &[Range<usize>]) -> (Vec<f32>, Vec<f32>) {
    let mut directions = vec![0.0; sequences.len() * width];
    let mut lengths = Vec::with_capacity(sequences.len());
    for (mean, rows) in directions.chunks_exact_mut(width).zip(sequences) {
        add_rows(&hidden[rows.start * width..rows.end * width], mean);
        let count = rows.len().max(1) as f32;
        mean.iter_mut().for_each(|value| *value /= count);
        let length = mean.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        mean.iter_mut().for_each(|value| *value /= length);
        lengths.push(length);
    }
    (directions, lengths)
}

/// The gradient at the directions `[B, width]`, of which every one stands in a row and in a column of the cosines.
fn both_ways(at_cosines: &[f32], directions: &[f32], width: usize) -> Vec<f32> {
    let count = directions.len() / width;
    let both: Vec<f32> =
        (0..count * count).map(|at| at_cosines[at] + at_cosines[at % count * count + at / count]).collect();
    let mut gradient = vec![0.0; directions.len()];
    let mut factor = Right::default();
    factor.pack_rows(Table::new(directions, width));
    product(&both, &factor, &mut gradient);
    gradient
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::Rng;

    const WIDTH: usize = 5;

    fn hidden(rows: usize) -> Vec<f32> {
        let mut rng = Seed(4).stream("hidden");
        (0..rows * WIDTH).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn pairs(groups: &[Option<u32>]) -> Pairs {
        Pairs { weight: 0.7, temperature: 0.2, groups: groups.to_vec() }
    }

    /// The loss by its definition, in 64 bits.
    fn by_definition(pairs: &Pairs, hidden: &[f32], sequences: &[Range<usize>]) -> f64 {
        let mean = |rows: &Range<usize>| -> Vec<f64> {
            let column = |d: usize| rows.clone().map(|row| f64::from(hidden[row * WIDTH + d])).sum::<f64>();
            (0..WIDTH).map(|d| column(d) / rows.len() as f64).collect()
        };
        let means: Vec<Vec<f64>> = sequences.iter().map(mean).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |i: usize, j: usize| {
            dot(&means[i], &means[j]) / (dot(&means[i], &means[i]) * dot(&means[j], &means[j])).sqrt()
        };
        let temperature = f64::from(pairs.temperature);
        let loss = |i: usize| {
            let partner = if i.is_multiple_of(2) { i + 1 } else { i - 1 };
            let same = |j: usize| pairs.groups[i].is_some() && pairs.groups[i] == pairs.groups[j];
            let held = (0..means.len()).filter(|&j| j != i && (j == partner || !same(j)));
            let total: f64 = held.map(|j| (cosine(i, j) / temperature).exp()).sum();
            total.ln() - cosine(i, partner) / temperature
        };
        f64::from(pairs.weight) * (0..means.len()).map(loss).sum::<f64>() / means.len() as f64
    }

    #[test]
    fn the_loss_is_that_of_its_definition_and_the_gradient_that_of_the_loss() {
        let sequences = [0..2, 2..5, 5..6, 6..8, 8..11, 11..12];
        let hidden = hidden(12);
        for groups in [[None; 6], [Some(1), Some(1), Some(2), Some(2), Some(1), None]] {
            let pairs = pairs(&groups);
            let mut gradient = vec![0.25; hidden.len()];
            let matches = pairs.run(&hidden, WIDTH, &sequences, Some(&mut gradient));
            assert!((matches.loss - by_definition(&pairs, &hidden, &sequences)).abs() < 1e-6);
            assert_eq!(matches.views, 6);
            for at in 0..hidden.len() {
                let shifted = |by: f32| {
                    let mut moved = hidden.clone();
                    moved[at] += by;
                    by_definition(&pairs, &moved, &sequences)
                };
                let slope = (shifted(1e-3) - shifted(-1e-3)) / 2e-3;
                let found = f64::from(gradient[at] - 0.25);
                assert!((found - slope).abs() < 2e-4, "{at}: {found} where the loss has {slope}");
            }
        }
    }

    #[test]
    fn a_partner_is_found_where_it_is_nearest_and_a_group_is_not_held_against_its_members() {
        let rows = [[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.1, 0.9]].concat();
        let sequences = [0..1, 1..2, 2..3, 3..4];
        let apart = Pairs { weight: 1.0, temperature: 0.1, groups: vec![None; 4] };
        assert_eq!(apart.run(&rows, 2, &sequences, None).found, 0, "each is nearer to a view of the other pair");
        let together = Pairs { groups: vec![Some(7); 4], ..apart };
        let matches = together.run(&rows, 2, &sequences, None);
        assert_eq!((matches.found, matches.views), (4, 4));
        assert!(matches.loss.abs() < 1e-6, "nobody is left to be mistaken for");
    }
}
