//! Dropout. A GPU draws with its own generator, which is seeded for each pass with a draw of the run. candle's generator on the
//! CPU cannot be seeded: there the draws are those of the network on the CPU, by the same positions.

use super::gradients::scaled;
use super::padded::Padded;
use crate::train::network::Drops;
use crate::train::network::attention::APART;
use crate::train::network::rows::Dropout;
use candle_core::{DType, Device, Result, Tensor};

/// Seeds the device's generator for a pass.
pub(super) fn seed(device: &Device, drops: &Drops) -> Result<()> {
    match drops.head {
        Some(dropout) if !device.is_cpu() => device.set_seed(u64::from(dropout.key())),
        _ => Ok(()),
    }
}

/// Drops from rows `[n, D]`; `packed` says for each row which one of the packed rows it is, if any.
pub(super) fn drop_rows(rows: &Tensor, dropout: Option<Dropout>, packed: &[Option<usize>]) -> Result<Tensor> {
    let width = rows.dim(1)?;
    drop_from(rows, dropout, |dropout| {
        let of_row = |row: &Option<usize>| {
            let start = row.map_or(0, |row| row * width);
            (start..start + width).map(move |at| dropout.at(at as u32))
        };
        packed.iter().flat_map(of_row).collect()
    })
}

/// Drops from attention weights `[B, H, L, L]`.
pub(super) fn drop_pairs(weights: &Tensor, dropout: Option<Dropout>, padded: &Padded) -> Result<Tensor> {
    let (sequences, heads, longest, _) = weights.dims4()?;
    drop_from(weights, dropout, |dropout| {
        let mut factors = vec![1.0; sequences * heads * longest * longest];
        for (table, factors) in factors.chunks_exact_mut(longest * longest).enumerate() {
            let length = padded.lengths()[table / heads];
            for at in 0..length * length {
                factors[at / length * longest + at % length] = dropout.at((table * APART + at) as u32);
            }
        }
        factors
    })
}

fn drop_from(x: &Tensor, dropout: Option<Dropout>, on_host: impl Fn(Dropout) -> Vec<f32>) -> Result<Tensor> {
    let Some(dropout) = dropout else { return Ok(x.clone()) };
    let factors = if x.device().is_cpu() {
        Tensor::from_vec(on_host(dropout), x.dims(), x.device())?
    } else {
        let draws = Tensor::rand(0f32, 1f32, x.dims(), x.device())?;
        draws.ge(dropout.rate())?.to_dtype(DType::F32)?.affine(f64::from(dropout.factor()), 0.0)?
    };
    scaled(x, factors.to_dtype(x.dtype())?)
}
