//! The transformer that is trained, by candle: for GPUs.
//!
//! | what | where |
//! |---|---|
//! | sequences side by side, padded to the longest one | `padded` |
//! | forward pass; candle finds the gradient | `pass`, `bert` |
//! | operations that get a gradient of their own | `gradients` |
//! | views compared with one another | `contrast` |
//! | dropout | `dropout` |
//! | AdamW | `optimizer` |
//!
//! It takes the same weights and batches as the network on the CPU and answers the same. Weights, moments and gradients stay on
//! the device in 32 bits and come back for checkpoints alone; loss and accuracy come back every few steps, so that the device
//! need not wait. Matrix products may be taken in bfloat16; layer norms, softmax and loss are always taken in 32 bits, as
//! PyTorch's autocast does.

mod bert;
mod contrast;
mod dropout;
mod gradients;
mod optimizer;
mod padded;
mod pass;
#[cfg(test)]
mod tests;

use super::parameters::{Entry, Layout, NetworkSpans};
use super::{Architecture, Batch, Drops, Matches, Outcome};
use crate::train::schedule::Rates;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};
use optimizer::DeviceAdamW;
use pass::Pass;

/// Passes whose loss and accuracy wait on the device at most.
const MOST_PENDING: usize = 64;

/// Weights, moments and gradients on a device, and the network through which they learn.
#[derive(Debug)]
pub(crate) struct DeviceLearner {
    architecture: Architecture,
    layout: Layout,
    device: Device,
    /// Numbers of the matrix products.
    products: DType,
    /// All weights, in the order of the layout, `[P]`.
    weights: Tensor,
    /// The same as one variable for each tensor.
    leaves: Vec<Var>,
    optimizer: DeviceAdamW,
    /// What was added up for the next step, `[P]`.
    gradient: Option<Tensor>,
    /// Length of the last step's gradient.
    norm: Option<Tensor>,
    /// What the passes since the last reading gave, `[4]` each: see [`pass::Measured`].
    pending: Vec<Tensor>,
    /// What was read of them, and what is known without the device.
    outcome: Outcome,
}

/// Weights and moments as rows of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HostState {
    pub(crate) weights: Vec<f32>,
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
}

impl DeviceLearner {
    /// A network with these weights.
    pub(crate) fn new(
        architecture: Architecture,
        weights: &[f32],
        weight_decay: f64,
        device: &Device,
        products: DType,
    ) -> Result<Self> {
        let (layout, _) = NetworkSpans::new(&architecture);
        let weights = Tensor::from_slice(weights, weights.len(), device)?;
        Ok(Self {
            leaves: leaves(&layout, &weights)?,
            optimizer: DeviceAdamW::new(weights.elem_count(), weight_decay, device)?,
            architecture,
            layout,
            device: device.clone(),
            products,
            weights,
            gradient: None,
            norm: None,
            pending: Vec::new(),
            outcome: Outcome::default(),
        })
    }

    /// The device and the numbers of its matrix products, in words.
    pub(crate) fn name(&self) -> String {
        let device = match &self.device {
            Device::Cpu => "the CPU, by candle",
            Device::Cuda(_) => "a CUDA GPU",
            Device::Metal(_) => "a Metal GPU",
        };
        format!("{device} in {}", self.products.as_str())
    }

    /// Where every tensor stands among the weights.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Number of weights.
    pub(crate) fn parameters(&self) -> usize {
        self.weights.elem_count()
    }

    /// Adds the gradient of a batch to that of the next step.
    pub(crate) fn learn(&mut self, batch: &Batch, drops: &Drops) -> Result<()> {
        if is_nothing(batch) {
            return Ok(());
        }
        dropout::seed(&self.device, drops)?;
        let leaves = self.leaves.iter().map(|leaf| leaf.as_tensor().clone());
        let measured = self.pass(leaves).run(batch, drops)?;
        let gradient = self.flat(&(&measured.loss + &measured.contrast)?.backward()?)?;
        self.gradient = Some(match self.gradient.take() {
            Some(before) => (before + gradient)?,
            None => gradient,
        });
        self.pending.push(measured.row()?);
        self.outcome.add(counts_of(batch));
        if self.pending.len() >= MOST_PENDING { self.settle() } else { Ok(()) }
    }

    /// Loss of a batch, without dropout.
    pub(crate) fn examine(&self, batch: &Batch) -> Result<Outcome> {
        if is_nothing(batch) {
            return Ok(Outcome::default());
        }
        let leaves = self.leaves.iter().map(Var::as_detached_tensor);
        let measured = self.pass(leaves).run(batch, &Drops::default())?;
        let mut outcome = counts_of(batch);
        outcome.add(outcome_of(&measured.row()?.to_vec1()?));
        Ok(outcome)
    }

    /// Moves the weights against the gradient, which is shortened to `clip` where it is longer; 0: it never is.
    pub(crate) fn step(&mut self, clip: f64, rates: Rates) -> Result<()> {
        let gradient = match self.gradient.take() {
            Some(gradient) => gradient,
            None => self.weights.zeros_like()?,
        };
        let norm = optimizer::norm_of(&gradient)?;
        let gradient = if clip > 0.0 { optimizer::clipped(&gradient, &norm, clip)? } else { gradient };
        self.norm = Some(norm);
        self.weights = self.optimizer.step(&self.weights, &gradient, rates)?;
        self.leaves = leaves(&self.layout, &self.weights)?;
        Ok(())
    }

    /// Loss and accuracy since the last reading, and the length of the last step's gradient.
    pub(crate) fn read(&mut self) -> Result<(Outcome, f64)> {
        self.settle()?;
        let norm = match &self.norm {
            Some(norm) => f64::from(norm.to_scalar::<f32>()?),
            None => 0.0,
        };
        Ok((std::mem::take(&mut self.outcome), norm))
    }

    /// Brings back what waits on the device.
    fn settle(&mut self) -> Result<()> {
        if !self.pending.is_empty() {
            for pass in Tensor::stack(&self.pending, 0)?.to_vec2::<f32>()? {
                self.outcome.add(outcome_of(&pass));
            }
            self.pending.clear();
        }
        Ok(())
    }

    /// Weights and moments as they are now.
    pub(crate) fn host_state(&self) -> Result<HostState> {
        Ok(HostState {
            weights: self.weights.to_vec1()?,
            first: self.optimizer.first.to_vec1()?,
            second: self.optimizer.second.to_vec1()?,
        })
    }

    /// Weights and moments after so many steps.
    pub(crate) fn restore(&mut self, state: &HostState, steps: u64) -> Result<()> {
        let row = |values: &[f32]| Tensor::from_slice(values, values.len(), &self.device);
        self.weights = row(&state.weights)?;
        self.leaves = leaves(&self.layout, &self.weights)?;
        self.optimizer.first = row(&state.first)?;
        self.optimizer.second = row(&state.second)?;
        self.optimizer.steps = steps;
        Ok(())
    }

    fn pass(&self, leaves: impl Iterator<Item = Tensor>) -> Pass<'_> {
        let names = self.layout.entries().iter().map(|entry| entry.name.as_str());
        Pass {
            architecture: &self.architecture,
            leaves: names.zip(leaves).collect(),
            device: &self.device,
            products: self.products,
        }
    }

    /// The gradients of all tensors in the order of the layout, `[P]`.
    fn flat(&self, gradients: &GradStore) -> Result<Tensor> {
        let of = |(entry, leaf): (&Entry, &Var)| match gradients.get(leaf) {
            Some(gradient) if self.architecture.frozen_mask && entry.name == pass::WORDS_OF_ENCODER => {
                gradient.broadcast_mul(&self.all_but_mask()?)?.flatten_all()
            }
            Some(gradient) => gradient.flatten_all(),
            None => leaf.zeros_like()?.flatten_all(),
        };
        let rows = self.layout.entries().iter().zip(&self.leaves).map(of).collect::<Result<Vec<_>>>()?;
        Tensor::cat(&rows, 0)
    }

    /// 0 for `[MASK]` and 1 for every other token, `[V, 1]`.
    fn all_but_mask(&self) -> Result<Tensor> {
        let mut keep = vec![1f32; self.architecture.vocabulary];
        keep[self.architecture.mask as usize] = 0.0;
        Tensor::from_vec(keep, (self.architecture.vocabulary, 1), &self.device)
    }
}

/// Whether a batch has nothing to learn from.
fn is_nothing(batch: &Batch) -> bool {
    batch.targets.is_empty() && batch.pairs.is_none()
}

/// What is known of a batch without the device.
fn counts_of(batch: &Batch) -> Outcome {
    let views = batch.pairs.as_ref().map_or(0, |pairs| pairs.groups.len());
    Outcome {
        scored: batch.targets.iter().filter(|target| target.scored).count(),
        matches: Matches { views, ..Matches::default() },
        ..Outcome::default()
    }
}

/// What the device has of a pass: see [`pass::Measured`].
fn outcome_of(row: &[f32]) -> Outcome {
    Outcome {
        loss: f64::from(row[0]),
        right: row[1] as usize,
        matches: Matches { loss: f64::from(row[2]), found: row[3] as usize, views: 0 },
        scored: 0,
    }
}

/// A variable for each tensor of a layout.
fn leaves(layout: &Layout, weights: &Tensor) -> Result<Vec<Var>> {
    let leaf = |entry: &Entry| {
        let values = weights.narrow(0, entry.span.start, entry.span.len())?;
        Var::from_tensor(&values.reshape(entry.shape.as_slice())?)
    };
    layout.entries().iter().map(leaf).collect()
}
