//! Sequences side by side, padded to the longest one: what a GPU wants, while the CPU packs them behind each other.

use crate::train::network::Places;
use candle_core::{Device, Result, Tensor};

/// Added to the score of what a token does not see; finite, so that a sequence of padding alone has weights too.
pub(super) const UNSEEN: f32 = -1e9;

/// The padded places of packed sequences.
#[derive(Debug)]
pub(super) struct Padded {
    lengths: Vec<usize>,
    /// Rows of every sequence with its padding, at least 1.
    longest: usize,
    /// The packed row that stands in each padded one.
    packed: Vec<Option<usize>>,
    /// The padded row of each packed one.
    rows: Vec<u32>,
}

impl Padded {
    pub(super) fn new(places: &Places) -> Self {
        let lengths: Vec<usize> = places.sequences.iter().map(ExactSizeIterator::len).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut packed = vec![None; lengths.len() * longest];
        let mut rows = vec![0; places.positions.len()];
        for (sequence, tokens) in places.sequences.iter().enumerate() {
            for (at, row) in tokens.clone().enumerate() {
                packed[sequence * longest + at] = Some(row);
                rows[row] = (sequence * longest + at) as u32;
            }
        }
        Self { lengths, longest, packed, rows }
    }

    /// Number of sequences and of rows of each, with padding.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.lengths.len(), self.longest)
    }

    /// Number of tokens of every sequence.
    pub(super) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The packed row that stands in each padded one.
    pub(super) fn packed(&self) -> &[Option<usize>] {
        &self.packed
    }

    /// The padded row of each packed one.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Values of packed rows in their padded places, 0 elsewhere.
    pub(super) fn spread(&self, values: &[u32], device: &Device) -> Result<Tensor> {
        let spread: Vec<u32> = self.packed.iter().map(|row| row.map_or(0, |row| values[row])).collect();
        Tensor::from_vec(spread, self.packed.len(), device)
    }

    /// For every sequence the share of each of its rows in their mean, and 0 for padding, `[B, 1, L]`.
    pub(super) fn means(&self, device: &Device) -> Result<Tensor> {
        let (sequences, longest) = self.shape();
        let share = |at: usize, length: usize| if at < length { 1.0 / length as f32 } else { 0.0 };
        let shares = self.lengths.iter().flat_map(|&length| (0..longest).map(move |at| share(at, length)));
        Tensor::from_vec(shares.collect(), (sequences, 1, longest), device)
    }

    /// What is added to the scores of the tokens, so that padding is not seen and, in a causal network, nor is what comes later.
    /// Shape `[B, 1, 1, L]`, or `[1, 1, L, L]` where what comes later includes all padding.
    pub(super) fn bias(&self, causal: bool, device: &Device) -> Result<Tensor> {
        let seen = |seen: bool| if seen { 0.0 } else { UNSEEN };
        let (sequences, longest) = self.shape();
        if causal {
            let table: Vec<f32> =
                (0..longest).flat_map(|at| (0..longest).map(move |other| seen(other <= at))).collect();
            return Tensor::from_vec(table, (1, 1, longest, longest), device);
        }
        let table: Vec<f32> =
            self.lengths.iter().flat_map(|&length| (0..longest).map(move |at| seen(at < length))).collect();
        Tensor::from_vec(table, (sequences, 1, 1, longest), device)
    }
}
