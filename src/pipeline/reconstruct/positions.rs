//! How often guesses are right, by position along the barcode.

use super::Reconstructions;
use crate::pipeline::colour::Shade;
use crate::pipeline::figure::{Curve, CurvePanel, CurvePoint, CurvesFigure, Figure, Series, curves};
use serde::Serialize;
use std::collections::BTreeMap;

/// The guesses at one position of the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PositionScore {
    /// Position of the token.
    pub position: u32,
    /// Masked k-mers at it.
    pub masked: usize,
    /// Those whose best guess is right.
    pub right: usize,
    /// Mean probability of the k-mer that stands there.
    pub mean_probability: f64,
    /// How many would be right if the k-mer that is most frequent there, among these very barcodes, were always guessed: what
    /// needs no model.
    pub most_frequent: usize,
}

impl PositionScore {
    /// Share of right guesses, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.masked as f64
    }

    /// Share that the most frequent k-mer would get, 0 to 1.
    pub fn bar(&self) -> f64 {
        self.most_frequent as f64 / self.masked as f64
    }
}

#[derive(Debug, Default)]
struct Tally<'a> {
    right: usize,
    probability: f64,
    kmers: BTreeMap<&'a str, usize>,
}

/// One score for every position at which something was masked, in order.
pub fn by_position(found: &Reconstructions) -> Vec<PositionScore> {
    let mut tallies: BTreeMap<u32, Tally<'_>> = BTreeMap::new();
    for token in found.barcodes.iter().flat_map(|barcode| &barcode.tokens) {
        if let (Some(right), Some(probability)) = (token.is_right(), token.probability) {
            let tally = tallies.entry(token.position).or_default();
            tally.right += usize::from(right);
            tally.probability += probability;
            *tally.kmers.entry(&token.kmer).or_default() += 1;
        }
    }
    let score = |(position, tally): (u32, Tally<'_>)| {
        let masked = tally.kmers.values().sum();
        PositionScore {
            position,
            masked,
            right: tally.right,
            mean_probability: tally.probability / masked as f64,
            most_frequent: tally.kmers.values().copied().max().unwrap_or(0),
        }
    };
    tallies.into_iter().map(score).collect()
}

/// Accuracy along the barcode beside that of the most frequent k-mer.
pub fn position_figure(found: &Reconstructions, model: &str) -> Figure {
    let scores = by_position(found);
    let base = |score: &PositionScore| f64::from(score.position) * found.k as f64;
    let curve = |series, y: &dyn Fn(&PositionScore) -> f64| Curve {
        series,
        points: scores.iter().map(|score| CurvePoint { x: base(score), y: y(score), interval: None }).collect(),
    };
    let (masked, right) = found.score();
    let share = 100.0 * right as f64 / masked.max(1) as f64;
    let series = |name: &str, colour, dashed| Series { name: name.to_owned(), colour, dashed };
    curves(&CurvesFigure {
        title: "Guesses of masked k-mers".to_owned(),
        subtitle: format!("{} barcodes, {masked} masked {}-mers, {share:.1} % right", found.barcodes.len(), found.k),
        x_title: "first base of the k-mer".to_owned(),
        x_range: [0.0, scores.last().map_or(1.0, base).max(1.0)],
        columns: 1,
        panels: vec![CurvePanel {
            title: "share of right guesses".to_owned(),
            range: [0.0, 1.0],
            curves: vec![curve(1, &PositionScore::bar), curve(0, &PositionScore::accuracy)],
        }],
        series: vec![
            series(model, Shade::Light.few()[0], false),
            series("most frequent k-mer", Shade::Light.unlabelled(), true),
        ],
    })
}
