//! The contrastive loss of `network/contrast`, by candle.

use super::gradients::{cross_entropy, with_gradient};
use super::padded::{Padded, UNSEEN};
use crate::train::network::Pairs;
use candle_core::{DType, Device, Result, Tensor};

/// Least length of a mean, by which it is divided: that of a sequence of which nothing was seen is 0.
const SHORTEST: f64 = 1e-20;

/// The loss of hidden states `[B L, D]`, and how many views had their partner as the nearest, as numbers on the device.
pub(super) fn compare(pairs: &Pairs, hidden: &Tensor, padded: &Padded) -> Result<(Tensor, Tensor)> {
    let device = hidden.device();
    let (views, longest) = padded.shape();
    let means = padded.means(device)?.matmul(&hidden.reshape((views, longest, ()))?)?.squeeze(1)?;
    let directions = unit(&means)?;
    let cosines = directions.matmul(&directions.t()?.contiguous()?)?;
    let scores = cosines.affine(1.0 / f64::from(pairs.temperature), 0.0)?.add(&uncounted(pairs, views, device)?)?;
    let partners: Vec<u32> = (0..views as u32).map(|view| view ^ 1).collect();
    let partners = Tensor::from_vec(partners, (views, 1), device)?;
    let found = scores.detach().argmax_keepdim(1)?.eq(&partners)?.to_dtype(DType::F32)?.sum_all()?;
    let weights = Tensor::full(pairs.weight / views as f32, (views, 1), device)?;
    Ok((cross_entropy(&scores, &partners, weights)?, found))
}

/// Rows `[B, D]`, scaled to unit length.
fn unit(rows: &Tensor) -> Result<Tensor> {
    let x = rows.detach();
    let lengths = x.sqr()?.sum_keepdim(1)?.sqrt()?.maximum(SHORTEST)?;
    let directions = x.broadcast_div(&lengths)?;
    with_gradient(rows, &directions.clone(), move |gradient| {
        let along = (gradient * &directions)?.sum_keepdim(1)?;
        (gradient - directions.broadcast_mul(&along)?)?.broadcast_div(&lengths)
    })
}

/// What is added to the scores, `[B, B]`, so that a view is not held against itself or against others of its group.
fn uncounted(pairs: &Pairs, views: usize, device: &Device) -> Result<Tensor> {
    let table = (0..views * views).map(|at| {
        let counts = pairs.counts(at / views, at % views);
        if counts { 0.0 } else { UNSEEN }
    });
    Tensor::from_vec(table.collect(), (views, views), device)
}
