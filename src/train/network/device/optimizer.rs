//! AdamW and the norm of the gradient, on a device: the formulas of `train/optimizer`, on all weights as one row.

use crate::train::optimizer::{BETA2, CLIP_EPS, EPS};
use crate::train::schedule::Rates;
use candle_core::{DType, Device, Result, Tensor};

/// Numbers that are added up together, before their sums are.
const ROW: usize = 1024;

/// The moments of all weights, `[P]` each.
#[derive(Debug)]
pub(super) struct DeviceAdamW {
    pub(super) first: Tensor,
    pub(super) second: Tensor,
    pub(super) steps: u64,
    weight_decay: f64,
}

impl DeviceAdamW {
    pub(super) fn new(count: usize, weight_decay: f64, device: &Device) -> Result<Self> {
        let zeros = || Tensor::zeros(count, DType::F32, device);
        Ok(Self { first: zeros()?, second: zeros()?, steps: 0, weight_decay })
    }

    /// The weights, moved against the gradient.
    pub(super) fn step(&mut self, weights: &Tensor, gradient: &Tensor, rates: Rates) -> Result<Tensor> {
        self.steps += 1;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let correction_1 = 1.0 - rates.beta1.powi(steps);
        let correction_2 = (1.0 - BETA2.powi(steps)).sqrt();
        self.first = ((gradient - &self.first)?.affine(1.0 - rates.beta1, 0.0)? + &self.first)?;
        self.second = (self.second.affine(BETA2, 0.0)? + gradient.sqr()?.affine(1.0 - BETA2, 0.0)?)?;
        let spread = self.second.sqrt()?.affine(1.0 / correction_2, f64::from(EPS))?;
        let moved = (&self.first / spread)?.affine(rates.learning_rate / correction_1, 0.0)?;
        weights.affine(1.0 - rates.learning_rate * self.weight_decay, 0.0)? - moved
    }
}

/// The Euclidean length of a gradient `[P]`, as a number on the device.
pub(super) fn norm_of(gradient: &Tensor) -> Result<Tensor> {
    let squares = gradient.sqr()?;
    let whole = squares.elem_count() / ROW * ROW;
    let rest = squares.narrow(0, whole, squares.elem_count() - whole)?.sum_all()?;
    let rows = squares.narrow(0, 0, whole)?.reshape((whole / ROW, ROW))?;
    (rows.sum(1)?.sum_all()? + rest)?.sqrt()
}

/// A gradient of this length, shortened to `limit` where it is longer.
pub(super) fn clipped(gradient: &Tensor, norm: &Tensor, limit: f64) -> Result<Tensor> {
    let factor = (norm.affine(1.0, CLIP_EPS)?.recip()? * limit)?.minimum(1f64)?;
    gradient.broadcast_mul(&factor)
}
