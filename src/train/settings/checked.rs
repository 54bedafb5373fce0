//! Settings that make sense together: what a run can be started with.

use super::{Ratios, TrainSettings};
use crate::data::reading::ReadSettings;
use crate::data::tokens::{SPECIAL_TOKENS, Tokenizer};
use crate::model::{DeviceChoice, EncoderShape, Precision};
use crate::seed::Seed;
use crate::train::network::{Architecture, Network};
use crate::train::objective::{Masking, Objective};
use crate::train::partners::Partner;
use crate::train::schedule::Schedule;

/// Sequences of the batch that [`TrainSettings::peak_rate`] is given for.
const RATE_BATCH: f64 = 64.0;

/// A setting that makes no run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{setting}: {what}")]
pub struct SettingsError {
    /// The setting, by its name in a file.
    pub setting: &'static str,
    /// What is wrong with it, and what would be right.
    pub what: String,
}

/// How long a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RunLength {
    /// Passes over the barcodes.
    Epochs(f64),
    /// Minutes of training.
    Minutes(f64),
    /// Steps.
    Steps(u64),
}

impl RunLength {
    /// Steps of `per_step` barcodes of a run whose passes have `barcodes`; `None` where it is measured in minutes.
    pub fn steps(self, barcodes: usize, per_step: usize) -> Option<u64> {
        match self {
            Self::Steps(steps) => Some(steps),
            Self::Epochs(epochs) => Some((epochs * barcodes as f64 / per_step as f64).ceil().max(1.0) as u64),
            Self::Minutes(_) => None,
        }
    }
}

/// Settings that make sense together, for one mask ratio: what a run can be started with.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedSettings {
    settings: TrainSettings,
    length: RunLength,
    pub(in crate::train) tokenizer: Tokenizer,
    pub(in crate::train) architecture: Architecture,
    pub(in crate::train) masking: Masking,
    pub(in crate::train) schedule: Schedule,
}

impl CheckedSettings {
    /// The settings as they were given, with the one mask ratio.
    pub fn settings(&self) -> &TrainSettings {
        &self.settings
    }

    /// Number of weights of the model.
    pub fn parameters(&self) -> usize {
        Network::new(self.architecture).layout().entries().iter().map(|entry| entry.span.len()).sum()
    }

    /// How long the run is.
    pub fn length(&self) -> RunLength {
        self.length
    }

    /// Cuts barcodes for the model.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Barcodes of one step.
    pub fn barcodes_per_step(&self) -> usize {
        self.settings.batch * self.settings.accumulation
    }

    /// Seed of every random draw.
    pub fn seed(&self) -> Seed {
        Seed(self.settings.seed)
    }

    /// Whether 0 to k-1 bases are cut off the front at random.
    pub fn offsets(&self) -> bool {
        self.settings.random_offset && !self.settings.register
    }

    /// Whether barcodes come in pairs of views that are compared.
    pub fn contrasts(&self) -> bool {
        self.settings.contrast > 0.0
    }

    /// Barcodes that are drawn for each one of a pass: the one, and its partner where views are compared.
    pub fn views(&self) -> usize {
        if self.contrasts() { 2 } else { 1 }
    }

    /// How the trained model reads.
    pub fn read(&self) -> ReadSettings {
        ReadSettings { register: self.settings.register, ..ReadSettings::default() }
    }

    /// The settings that a run cannot change when it goes on: everything that data, weights and draws depend on.
    pub(in crate::train) fn fixed(&self) -> TrainSettings {
        let free = TrainSettings::default();
        TrainSettings {
            epochs: free.epochs,
            minutes: free.minutes,
            steps: free.steps,
            peak_rate: free.peak_rate,
            weight_decay: free.weight_decay,
            schedule: free.schedule,
            clip: free.clip,
            dropout: free.dropout,
            validate_every: free.validate_every,
            patience: free.patience,
            report_every: free.report_every,
            checkpoint_minutes: free.checkpoint_minutes,
            device: free.device,
            precision: free.precision,
            ..self.settings.clone()
        }
    }
}

impl TrainSettings {
    /// One run for each mask ratio; a causal model has no masks and is one run.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting that makes no sense.
    pub fn checked(&self) -> Result<Vec<CheckedSettings>, SettingsError> {
        let ratios = if self.objective == Objective::Causal {
            &self.mask_ratio.0[..1.min(self.mask_ratio.0.len())]
        } else {
            &self.mask_ratio.0
        };
        require(!ratios.is_empty(), "mask_ratio", "at least one ratio is needed")?;
        ratios.iter().map(|&ratio| self.checked_for(ratio)).collect()
    }

    fn checked_for(&self, ratio: f64) -> Result<CheckedSettings, SettingsError> {
        require(ratio > 0.0 && ratio < 1.0, "mask_ratio", format!("{ratio} is not between 0 and 1"))?;
        self.check_numbers()?;
        let tokenizer = Tokenizer::new(self.k, self.max_bases, &SPECIAL_TOKENS)
            .map_err(|error| SettingsError { setting: "k", what: error.to_string() })?;
        let enough = tokenizer.max_tokens() <= self.positions;
        require(
            enough,
            "positions",
            format!("a window has {} tokens, more than there are positions", tokenizer.max_tokens()),
        )?;
        let encoder = self.shape(self.encoder_layers, self.encoder_width, self.encoder_inner, self.encoder_heads);
        check_shape(encoder, ["encoder_layers", "encoder_width", "encoder_inner", "encoder_heads"])?;
        let decoder = self.shape(self.decoder_layers, self.decoder_width, self.decoder_inner, self.decoder_heads);
        let decoder = (self.objective == Objective::Mae).then_some(decoder);
        if let Some(decoder) = decoder {
            check_shape(decoder, ["decoder_layers", "decoder_width", "decoder_inner", "decoder_heads"])?;
        }
        let barcodes = (self.batch * self.accumulation) as f64;
        Ok(CheckedSettings {
            settings: Self { mask_ratio: Ratios(vec![ratio]), ..self.clone() },
            length: self.length()?,
            architecture: Architecture {
                encoder,
                decoder,
                vocabulary: tokenizer.vocabulary(),
                classes: tokenizer.vocabulary() - tokenizer.special_tokens().len(),
                mask: tokenizer.mask(),
                causal: self.objective == Objective::Causal,
                frozen_mask: self.frozen_mask,
            },
            tokenizer,
            masking: Masking {
                objective: self.objective,
                ratio,
                random_share: self.random_share,
                kept_share: self.kept_share,
                masked_weight: self.masked_weight,
            },
            schedule: Schedule { kind: self.schedule, peak: self.peak_rate * barcodes / RATE_BATCH },
        })
    }

    fn shape(&self, layers: usize, width: usize, inner: usize, heads: usize) -> EncoderShape {
        EncoderShape { layers, width, inner, heads, positions: self.positions }
    }

    fn check_numbers(&self) -> Result<(), SettingsError> {
        let is_share = |value: f64| (0.0..=1.0).contains(&value);
        require(is_share(self.random_share), "random_share", "a share from 0 to 1 is needed")?;
        require(is_share(self.kept_share), "kept_share", "a share from 0 to 1 is needed")?;
        let both = is_share(self.random_share + self.kept_share);
        require(both, "kept_share", "it is more than 1 together with random_share")?;
        require(
            self.masked_weight > 0.0 && self.masked_weight <= 1.0,
            "masked_weight",
            "a share above 0, at most 1 is needed",
        )?;
        require(self.batch > 0, "batch", "at least one barcode is needed")?;
        self.check_contrast()?;
        require(self.accumulation > 0, "accumulation", "at least one batch is needed")?;
        require(self.peak_rate > 0.0 && self.peak_rate.is_finite(), "peak_rate", "a number above 0 is needed")?;
        require((0.0..1.0).contains(&self.weight_decay), "weight_decay", "a number from 0, below 1 is needed")?;
        require(self.clip >= 0.0, "clip", "a number from 0 is needed")?;
        require((0.0..0.95).contains(&self.dropout), "dropout", "a share from 0, below 0.95 is needed")?;
        require((0.0..=0.5).contains(&self.validation_share), "validation_share", "a share from 0 to 0.5 is needed")?;
        require(self.validate_every > 0, "validate_every", "at least one step is needed")?;
        require(self.report_every > 0, "report_every", "at least one step is needed")?;
        require(self.checkpoint_minutes >= 0.0, "checkpoint_minutes", "a number from 0 is needed")?;
        self.check_device()
    }

    /// Whether the program has the device at all, and what it can't do. Whether a GPU is there is found out when a run begins.
    fn check_device(&self) -> Result<(), SettingsError> {
        let may_be_cpu = matches!(self.device, DeviceChoice::Auto | DeviceChoice::Cpu);
        let may_be_gpu = self.device.may_be_gpu();
        let absent = format!("this program was built without {}; take auto or cpu", self.device);
        require(may_be_cpu || may_be_gpu, "device", absent)?;
        require(
            self.precision != Precision::F16,
            "precision",
            "small gradients are lost in f16; take f32, or bf16 on a GPU",
        )?;
        require(may_be_gpu || self.precision == Precision::F32, "precision", "bf16 is for GPUs; the CPU trains in f32")
    }

    fn check_contrast(&self) -> Result<(), SettingsError> {
        let (from, to) = (self.nearest_relative, self.farthest_relative);
        require(self.contrast >= 0.0 && self.contrast.is_finite(), "contrast", "a number from 0 is needed")?;
        require((0.0..1.0).contains(&self.noise), "noise", "a share from 0, below 1 is needed")?;
        require(self.temperature >= 0.01, "temperature", "a number from 0.01 is needed")?;
        require((0.0..1.0).contains(&from), "nearest_relative", "a share from 0, below 1 is needed")?;
        require(to > from && to <= 1.0, "farthest_relative", "a share above nearest_relative, at most 1 is needed")?;
        let in_frame = self.register || self.contrast == 0.0;
        require(
            in_frame || self.noise == 0.0,
            "noise",
            "bases have their places in registered barcodes only: switch registration on",
        )?;
        let placed = in_frame || self.partner != Partner::Relative;
        require(placed, "partner", "relatives are found in registered barcodes only: switch registration on")?;
        let even = self.contrast == 0.0 || (self.batch.is_multiple_of(2) && self.batch >= 4);
        require(even, "batch", "views come in pairs: where they are compared, an even number from 4 is needed")
    }

    fn length(&self) -> Result<RunLength, SettingsError> {
        let given = [self.epochs != 0.0, self.minutes != 0.0, self.steps != 0];
        let one = given.iter().filter(|&&given| given).count() == 1;
        require(one, "minutes", "exactly one of minutes, epochs and steps must say how long the run is")?;
        let sensible = |value: f64| value >= 0.0 && value.is_finite();
        require(sensible(self.epochs), "epochs", "a number above 0 is needed")?;
        require(sensible(self.minutes), "minutes", "a number above 0 is needed")?;
        Ok(match given {
            [true, ..] => RunLength::Epochs(self.epochs),
            [_, true, _] => RunLength::Minutes(self.minutes),
            _ => RunLength::Steps(self.steps),
        })
    }
}

fn check_shape(shape: EncoderShape, names: [&'static str; 4]) -> Result<(), SettingsError> {
    let [layers, width, inner, heads] = names;
    require((1..=64).contains(&shape.layers), layers, "1 to 64 layers are possible")?;
    require((1..=8192).contains(&shape.width), width, "a width from 1 to 8192 is possible")?;
    require((1..=65_536).contains(&shape.inner), inner, "a width from 1 to 65536 is possible")?;
    let divides = shape.heads > 0 && shape.width.is_multiple_of(shape.heads);
    require(divides, heads, format!("{} heads do not divide a width of {}", shape.heads, shape.width))
}

fn require(holds: bool, setting: &'static str, what: impl Into<String>) -> Result<(), SettingsError> {
    if holds { Ok(()) } else { Err(SettingsError { setting, what: what.into() }) }
}
