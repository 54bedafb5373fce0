//! What learns: weights with their moments, and the network through which they are moved. On the CPU the network is this
//! program's own, on a GPU it is candle's.

#[cfg(test)]
mod tests;

use super::TrainError;
use super::network::device::{DeviceLearner, HostState};
use super::network::{Batch, Drops, Layout, Network, Outcome};
use super::optimizer::{AdamW, clip_factor, norm_of};
use super::schedule::Rates;
use super::settings::CheckedSettings;
use crate::model::{DeviceChoice, ModelError, Precision, gpu};
use candle_core::{DType, Device};
use std::borrow::Cow;

/// Weights, moments and gradients, where they are.
#[derive(Debug)]
pub(super) enum Learner {
    /// In memory.
    Cpu(Box<CpuLearner>),
    /// On a GPU.
    Device(Box<DeviceLearner>),
}

/// Why a step was not taken.
#[derive(Debug)]
pub(super) enum Halt {
    /// The loss or the gradient is not a number.
    NotFinite(&'static str),
    /// The device refused.
    Device(candle_core::Error),
}

impl From<candle_core::Error> for Halt {
    fn from(error: candle_core::Error) -> Self {
        Self::Device(error)
    }
}

/// What the steps since the last reading gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Readings {
    /// Loss, added up over the steps, and accuracy.
    pub(super) outcome: Outcome,
    /// Length of the last step's gradient, before it was clipped.
    pub(super) gradient_norm: f64,
}

/// Weights and the moments of AdamW, as rows of numbers.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    pub(super) weights: Cow<'a, [f32]>,
    pub(super) first: Cow<'a, [f32]>,
    pub(super) second: Cow<'a, [f32]>,
}

impl Learner {
    /// A new model with random weights, on the device that the settings name.
    pub(super) fn new(settings: &CheckedSettings) -> Result<Self, TrainError> {
        let asked = settings.settings();
        let found = gpu(asked.device).map_err(|why| {
            ModelError::Device(format!("training cannot run on {}: {why}; take another device", asked.device))
        })?;
        match found {
            // views are compared by the network on the CPU alone
            Some(_) if settings.contrasts() && asked.device != DeviceChoice::Auto => {
                let what =
                    format!("views are compared on the CPU only, not on {}; train with --device cpu", asked.device);
                Err(ModelError::Device(what).into())
            }
            Some(_) if settings.contrasts() => Ok(Self::Cpu(Box::new(CpuLearner::new(settings)))),
            Some(device) => Self::on(&device, settings),
            None if asked.precision == Precision::F32 => Ok(Self::Cpu(Box::new(CpuLearner::new(settings)))),
            None => {
                let what = format!("{} is for GPUs, and there is none here; train with f32", asked.precision);
                Err(ModelError::Device(what).into())
            }
        }
    }

    /// A new model with random weights, on a device of candle.
    pub(super) fn on(device: &Device, settings: &CheckedSettings) -> Result<Self, TrainError> {
        let products = match settings.settings().precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::F16 => DType::F16,
        };
        let weights = Network::new(settings.architecture).layout().initial(settings.seed());
        let decay = settings.settings().weight_decay;
        let learner = DeviceLearner::new(settings.architecture, &weights, decay, device, products);
        Ok(Self::Device(Box::new(learner.map_err(TrainError::Device)?)))
    }

    /// What it runs on, in words.
    pub(super) fn device(&self) -> String {
        match self {
            Self::Cpu(_) => "the CPU".to_owned(),
            Self::Device(device) => device.name(),
        }
    }

    /// Where every tensor stands among the weights.
    pub(super) fn layout(&self) -> &Layout {
        match self {
            Self::Cpu(cpu) => cpu.network.layout(),
            Self::Device(device) => device.layout(),
        }
    }

    /// Number of weights.
    pub(super) fn parameters(&self) -> usize {
        match self {
            Self::Cpu(cpu) => cpu.weights.len(),
            Self::Device(device) => device.parameters(),
        }
    }

    /// Bytes of working memory for batches `times` as large as the largest so far; `None` on a GPU.
    pub(super) fn working_bytes(&self, times: f64) -> Option<u64> {
        match self {
            Self::Cpu(cpu) => Some(cpu.network.working_bytes(times)),
            Self::Device(_) => None,
        }
    }

    /// Adds the gradient of a batch to that of the next step.
    pub(super) fn learn(&mut self, batch: &Batch, drops: &Drops) -> Result<(), Halt> {
        match self {
            Self::Cpu(cpu) => cpu.learn(batch, drops),
            Self::Device(device) => device.learn(batch, drops)?,
        }
        Ok(())
    }

    /// Moves the weights against the gradient, which is shortened to `clip` where it is longer; 0: it never is.
    ///
    /// On the CPU nothing moves where loss or gradient is not a number. A GPU is asked at the next reading only.
    pub(super) fn step(&mut self, clip: f64, rates: Rates) -> Result<(), Halt> {
        match self {
            Self::Cpu(cpu) => cpu.step(clip, rates),
            Self::Device(device) => Ok(device.step(clip, rates)?),
        }
    }

    /// What the steps since the last reading gave.
    pub(super) fn read(&mut self) -> Result<Readings, Halt> {
        match self {
            Self::Cpu(cpu) => Ok(Readings { outcome: std::mem::take(&mut cpu.done), gradient_norm: cpu.gradient_norm }),
            Self::Device(device) => {
                let (outcome, gradient_norm) = device.read()?;
                check_finite(outcome.loss, gradient_norm)?;
                Ok(Readings { outcome, gradient_norm })
            }
        }
    }

    /// Loss of a batch, without dropout.
    pub(super) fn examine(&mut self, batch: &Batch) -> Result<Outcome, Halt> {
        match self {
            Self::Cpu(cpu) => Ok(cpu.network.run(&cpu.weights, batch, &Drops::default(), None)),
            Self::Device(device) => Ok(device.examine(batch)?),
        }
    }

    /// Weights and moments as they are now.
    pub(super) fn numbers(&self) -> Result<Numbers<'_>, Halt> {
        match self {
            Self::Cpu(cpu) => Ok(Numbers {
                weights: Cow::Borrowed(&cpu.weights),
                first: Cow::Borrowed(&cpu.optimizer.first),
                second: Cow::Borrowed(&cpu.optimizer.second),
            }),
            Self::Device(device) => {
                let HostState { weights, first, second } = device.host_state()?;
                if !weights.iter().all(|weight| weight.is_finite()) {
                    return Err(Halt::NotFinite("weights"));
                }
                Ok(Numbers { weights: weights.into(), first: first.into(), second: second.into() })
            }
        }
    }

    /// Goes on with these weights and moments after so many steps.
    pub(super) fn restore(&mut self, state: HostState, steps: u64) -> Result<(), Halt> {
        match self {
            Self::Cpu(cpu) => {
                let HostState { weights, first, second } = state;
                cpu.weights = weights;
                (cpu.optimizer.first, cpu.optimizer.second, cpu.optimizer.steps) = (first, second, steps);
                Ok(())
            }
            Self::Device(device) => Ok(device.restore(&state, steps)?),
        }
    }
}

/// Weights, moments and gradients in memory.
#[derive(Debug)]
pub(super) struct CpuLearner {
    network: Network,
    weights: Vec<f32>,
    optimizer: AdamW,
    /// What was added up for the next step.
    gradients: Vec<f32>,
    going: Outcome,
    /// Of the steps since the last reading.
    done: Outcome,
    /// Length of the last step's gradient.
    gradient_norm: f64,
}

impl CpuLearner {
    fn new(settings: &CheckedSettings) -> Self {
        let network = Network::new(settings.architecture);
        let weights = network.layout().initial(settings.seed());
        Self {
            optimizer: AdamW::new(weights.len(), settings.settings().weight_decay),
            gradients: vec![0.0; weights.len()],
            network,
            weights,
            going: Outcome::default(),
            done: Outcome::default(),
            gradient_norm: 0.0,
        }
    }

    fn learn(&mut self, batch: &Batch, drops: &Drops) {
        self.going.add(self.network.run(&self.weights, batch, drops, Some(&mut self.gradients)));
    }

    fn step(&mut self, clip: f64, rates: Rates) -> Result<(), Halt> {
        let outcome = std::mem::take(&mut self.going);
        let norm = norm_of(&self.gradients);
        let fine = check_finite(outcome.loss + outcome.matches.loss, norm);
        if fine.is_ok() {
            let factor = if clip > 0.0 { clip_factor(norm, clip) } else { 1.0 };
            self.optimizer.step(&mut self.weights, &self.gradients, factor, rates);
            self.done.add(outcome);
            self.gradient_norm = norm;
        }
        self.gradients.fill(0.0);
        fine
    }
}

fn check_finite(loss: f64, gradient_norm: f64) -> Result<(), Halt> {
    for (value, what) in [(loss, "loss"), (gradient_norm, "gradient")] {
        if !value.is_finite() {
            return Err(Halt::NotFinite(what));
        }
    }
    Ok(())
}
