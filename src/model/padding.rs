//! Packed sequences padded to one length, as GPUs like them. What depends on the batch alone is made once, not in every layer:
//! each of its tables has to travel to the device.

use candle_core::{DType, Device, Result, Tensor};
use std::ops::Range;

/// How the rows of a batch `[N, W]` and its padded places `[B, L, W]` belong together.
#[derive(Debug)]
pub(super) struct Padding {
    sequences: usize,
    /// Rows of each sequence, with padding.
    length: usize,
    /// The packed row in each padded place, `[B L]`; the sequence's first where there is padding.
    rows: Tensor,
    /// The padded place of each packed row, `[N]`.
    places: Tensor,
    /// What is added to the scores of attention, so that padding is not seen and, in a causal model, nor is what comes later:
    /// `[B, 1, 1, L]` or `[1, 1, L, L]`.
    bias: Tensor,
    /// What each row counts in the mean of its sequence, `[B, 1, L]` in 32 bits.
    shares: Tensor,
}

impl Padding {
    /// For sequences that stand behind each other. `pooled` says of each packed row whether it counts in the mean; of every sequence at
    /// least one does. Scores are numbers of `dtype`.
    pub(super) fn new(
        sequences: &[Range<usize>],
        pooled: &[bool],
        causal: bool,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        let length = sequences.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let row_at =
            |tokens: &Range<usize>, at: usize| if at < tokens.len() { tokens.start + at } else { tokens.start };
        let rows: Vec<u32> =
            sequences.iter().flat_map(|tokens| (0..length).map(move |at| row_at(tokens, at) as u32)).collect();
        let place = |sequence: usize, at: usize| (sequence * length + at) as u32;
        let places: Vec<u32> = (0..sequences.len())
            .flat_map(|sequence| (0..sequences[sequence].len()).map(move |at| place(sequence, at)))
            .collect();
        let unseen = |seen: bool| if seen { 0.0 } else { f32::NEG_INFINITY };
        // In a causal model padding comes later than all tokens that count, and is not seen with what comes later.
        let (bias, shape) = if causal {
            let later = (0..length).flat_map(|query| (0..length).map(move |at| unseen(at <= query)));
            (later.collect::<Vec<f32>>(), (1, 1, length, length))
        } else {
            let padding = sequences.iter().flat_map(|tokens| (0..length).map(move |at| unseen(at < tokens.len())));
            (padding.collect(), (sequences.len(), 1, 1, length))
        };
        let mut shares = vec![0.0f32; sequences.len() * length];
        for (tokens, shares) in sequences.iter().zip(shares.chunks_exact_mut(length.max(1))) {
            let counts = &pooled[tokens.clone()];
            let share = 1.0 / counts.iter().filter(|&&counts| counts).count() as f32;
            shares.iter_mut().zip(counts).filter(|(_, counts)| **counts).for_each(|(to, _)| *to = share);
        }
        Ok(Self {
            sequences: sequences.len(),
            length,
            rows: Tensor::from_vec(rows, sequences.len() * length, device)?,
            places: Tensor::from_iter(places, device)?,
            bias: Tensor::from_vec(bias, shape, device)?.to_dtype(dtype)?,
            shares: Tensor::from_vec(shares, (sequences.len(), 1, length), device)?,
        })
    }

    /// Number of sequences, and of the rows of each with padding.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.sequences, self.length)
    }

    pub(super) fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// Packed rows `[N, W]` in their padded places `[B, L, W]`. Padding holds other rows of its sequence.
    pub(super) fn pad(&self, rows: &Tensor) -> Result<Tensor> {
        rows.index_select(&self.rows, 0)?.reshape((self.sequences, self.length, rows.dim(1)?))
    }

    /// Padded rows `[B L, W]`, packed again, `[N, W]`.
    pub(super) fn pack(&self, padded: &Tensor) -> Result<Tensor> {
        padded.index_select(&self.places, 0)
    }

    /// The mean over each sequence's rows that count, `[B, W]` in 32 bits, of packed rows `[N, W]`.
    pub(super) fn means(&self, rows: &Tensor) -> Result<Tensor> {
        self.shares.matmul(&self.pad(rows)?.to_dtype(DType::F32)?)?.squeeze(1)
    }
}
