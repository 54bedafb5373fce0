//! The encoder, its checkpoints and its devices. The only place, with training, that knows candle.
//!
//! ```no_run
//! use barcodescope::data::reading::Layers;
//! use barcodescope::model::{DeviceChoice, Model};
//!
//! let model = Model::bundled(&DeviceChoice::Auto)?;
//! let tokens = model.tokenizer().read(b"ACTTTATATTTTATTTTTGGAATTTGAGCAGGAATAGTAGGAACTTCTTTAAG");
//! let vectors = model.embed(&[&tokens], Layers::All)?;
//! assert_eq!(vectors.dim(), (1, model.width(Layers::All)));
//! # Ok::<(), barcodescope::model::ModelError>(())
//! ```

mod checkpoint;
mod config;
mod decoder;
mod device;
mod encoder;
mod error;
mod kernels;
mod layers;
mod masked;
mod padding;
mod places;
mod random;

pub use checkpoint::{Checkpoint, Repack, RunFile, Trained};
pub use config::{CheckpointLayout, EncoderShape, ModelInfo, Objective, WeightKind};
pub(crate) use device::gpu;
pub use device::{DeviceChoice, Precision, device_note};
pub use error::{Misshapen, ModelError};
pub use masked::MaskedTokens;
pub use places::find_models;

use crate::data::reading::Layers;
use crate::data::seen::SeenBarcodes;
use crate::data::tokens::{Tokenizer, Tokens};
use crate::seed::Seed;
use decoder::Guesser;
use device::ChosenDevice;
use encoder::{Encoder, Given};
use layers::Weights;
use ndarray::Array2;
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// Barcodes that one thread of the CPU takes at a time: a few blocks of rows, and still enough tasks for every thread. Fixed, so
/// that the number of threads changes nothing.
const BARCODES_PER_TASK: usize = 2;

/// How a model is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// Attention heads, where nothing in or beside the file says it.
    pub heads: Option<usize>,
    /// Where it runs.
    pub device: DeviceChoice,
    /// With which numbers it runs.
    pub precision: Precision,
}

/// A model that is ready to read barcodes. May be used from several threads at once.
#[derive(Debug, Clone)]
pub struct Model {
    info: ModelInfo,
    tokenizer: Tokenizer,
    encoder: Encoder,
    guesser: Option<Guesser>,
    device: ChosenDevice,
    seen: Option<Arc<SeenBarcodes>>,
}

impl Model {
    /// The model that is compiled into the program.
    ///
    /// # Errors
    /// [`ModelError::Run`] where the device refuses.
    pub fn bundled(device: &DeviceChoice) -> Result<Self, ModelError> {
        Self::from_checkpoint(&Checkpoint::bundled(), *device, Precision::default())
    }

    /// Reads a checkpoint of any supported layout.
    ///
    /// # Errors
    /// As [`Checkpoint::open`], and [`ModelError::Run`] where the device refuses.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, ModelError> {
        Self::from_checkpoint(&Checkpoint::open(path, options.heads)?, options.device, options.precision)
    }

    /// Moves a checkpoint to a device.
    ///
    /// # Errors
    /// [`ModelError::Run`] where the device refuses.
    pub fn from_checkpoint(
        checkpoint: &Checkpoint,
        device: DeviceChoice,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        Self::on(checkpoint, device::choose(device, precision))
    }

    fn on(checkpoint: &Checkpoint, device: ChosenDevice) -> Result<Self, ModelError> {
        let info = checkpoint.info().clone();
        let weights = Weights { tensors: checkpoint.encoder(), root: "", device: &device.device, dtype: device.dtype };
        let encoder = Encoder::new(&weights, info.encoder, info.layer_norm_eps, info.causal)?;
        let guesser = Guesser::new(checkpoint, &device)?;
        let seen = checkpoint.seen().cloned();
        Ok(Self { tokenizer: info.tokenizer(), info, encoder, guesser, device, seen })
    }

    /// A model of the same shape, tokens and way of reading, with random weights, on the same device: the baseline that shows
    /// what of a result comes from pretraining.
    ///
    /// # Errors
    /// [`ModelError::Run`] where the device refuses.
    pub fn random_like(&self, seed: Seed) -> Result<Self, ModelError> {
        Self::on(&random::checkpoint_like(&self.info, seed), self.device.clone())
    }

    /// What is known about the model.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The record of the barcodes that the model was trained on, where its file has one.
    pub fn seen(&self) -> Option<&SeenBarcodes> {
        self.seen.as_deref()
    }

    /// Cuts barcodes for this model.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Which device it runs on and why, in one line.
    pub fn device_note(&self) -> &str {
        &self.device.note
    }

    /// Whether it runs on a GPU.
    pub fn is_on_gpu(&self) -> bool {
        !self.encoder.device().is_cpu()
    }

    /// Length of an embedding.
    pub fn width(&self, layers: Layers) -> usize {
        match layers {
            Layers::Last => self.info.encoder.width,
            Layers::All => self.info.encoder.width * (self.info.encoder.layers + 1),
        }
    }

    /// The embeddings of some barcodes, `[B, width]`, untransformed. Each depends on its own barcode alone.
    ///
    /// On the CPU the batch is spread over the threads of the current rayon pool.
    ///
    /// # Errors
    /// [`ModelError::NoTokens`] for a barcode without a token, [`ModelError::ForeignTokens`] for tokens that this model does not
    /// have, [`ModelError::NotFinite`] where numbers grow beyond all bounds, [`ModelError::Run`] where the device refuses.
    pub fn embed(&self, batch: &[&Tokens], layers: Layers) -> Result<Array2<f32>, ModelError> {
        self.check(batch.iter().copied())?;
        let given: Vec<Given> = batch.iter().map(|tokens| Given::whole(tokens)).collect();
        self.embed_given(&given, layers)
    }

    fn embed_given(&self, batch: &[Given], layers: Layers) -> Result<Array2<f32>, ModelError> {
        let width = self.width(layers);
        let mut vectors = vec![0.0; batch.len() * width];
        if !self.is_on_gpu() {
            vectors
                .par_chunks_mut(BARCODES_PER_TASK * width)
                .zip(batch.par_chunks(BARCODES_PER_TASK))
                .try_for_each(|(rows, barcodes)| self.encoder.embed(barcodes, layers, rows))?;
        } else if !batch.is_empty() {
            self.encoder.embed(batch, layers, &mut vectors)?;
        }
        if let Some(at) = vectors.iter().position(|value| !value.is_finite()) {
            return Err(ModelError::NotFinite { row: at / width });
        }
        Ok(Array2::from_shape_vec((batch.len(), width), vectors).expect("one row per barcode was written"))
    }

    fn check<'a>(&self, batch: impl Iterator<Item = &'a Tokens>) -> Result<(), ModelError> {
        let vocabulary = self.tokenizer.vocabulary() as u32;
        for (row, tokens) in batch.enumerate() {
            if tokens.ids.is_empty() {
                return Err(ModelError::NoTokens { row });
            }
            let last = tokens.first_position as usize + tokens.ids.len();
            if last > self.info.encoder.positions || tokens.ids.iter().any(|&id| id >= vocabulary) {
                return Err(ModelError::ForeignTokens { row });
            }
        }
        Ok(())
    }
}
