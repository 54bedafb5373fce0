//! The settings of a run: one list for the file, the flags and the panel.

mod checked;
mod heads;
mod preset;
#[cfg(test)]
mod tests;

pub use checked::{CheckedSettings, RunLength, SettingsError};
pub use heads::{fitting_heads, possible_heads};
pub use preset::Preset;

use super::objective::Objective;
use super::partners::Partner;
use super::schedule::ScheduleKind;
use crate::model::{DeviceChoice, Precision};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::str::FromStr;

/// Declares all settings once: as they are ([`TrainSettings`]) and as changes to them ([`TrainChanges`]), which flags and files
/// are. The doc comment of a setting is its help text.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ [$($argument:tt)*] $name:ident: $kind:ty = $default:expr;)+) => {
        /// How a model is trained.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct TrainSettings {
            $($(#[doc = $doc])+ pub $name: $kind,)+
        }

        impl Default for TrainSettings {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        /// Settings that are changed, and no others.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, clap::Args)]
        #[serde(default, deny_unknown_fields)]
        pub struct TrainChanges {
            $($(#[doc = $doc])+ #[arg($($argument)*)] #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$kind>,)+
        }

        impl TrainChanges {
            /// These changes and others, which count where both change a setting.
            #[must_use]
            pub fn and(mut self, over: Self) -> Self {
                if over.names_a_length() {
                    (self.epochs, self.minutes, self.steps) = (None, None, None);
                }
                Self { $($name: over.$name.or(self.$name.take()),)+ }
            }
        }

        impl TrainSettings {
            /// These settings with some changed. Of the ways to say how long a run is, a new one takes the place of the old.
            #[must_use]
            pub fn with(mut self, changes: &TrainChanges) -> Self {
                if changes.names_a_length() {
                    (self.epochs, self.minutes, self.steps) = (0.0, 0.0, 0);
                }
                $(if let Some(value) = &changes.$name {
                    self.$name = value.clone();
                })+
                self
            }
        }
    };
}

settings! {
    /// What the model learns by: mae (masked autoencoder), mlm (masked language model) or causal
    [long, value_name = "mae|mlm|causal"] objective: Objective = Objective::Mae;
    /// Bases in a k-mer
    [long = "kmer", value_name = "K"] k: usize = 6;
    /// Bases that are read of a barcode
    [long, value_name = "N"] max_bases: usize = 660;
    /// Layers of the encoder
    [long, value_name = "N"] encoder_layers: usize = 4;
    /// Width of the encoder's hidden states
    [long, value_name = "N"] encoder_width: usize = 256;
    /// Width inside the encoder's feed-forward blocks
    [long, value_name = "N"] encoder_inner: usize = 1024;
    /// Attention heads of the encoder; they divide its width
    [long, value_name = "N"] encoder_heads: usize = 4;
    /// Layers of the decoder (mae)
    [long, value_name = "N"] decoder_layers: usize = 2;
    /// Width of the decoder's hidden states (mae)
    [long, value_name = "N"] decoder_width: usize = 256;
    /// Width inside the decoder's feed-forward blocks (mae)
    [long, value_name = "N"] decoder_inner: usize = 1024;
    /// Attention heads of the decoder; they divide its width (mae)
    [long, value_name = "N"] decoder_heads: usize = 4;
    /// Learned positions
    [long, value_name = "N"] positions: usize = 512;
    /// Share of a barcode's k-mers that is hidden; several, comma-separated, train one model each
    [long, value_name = "R,…"] mask_ratio: Ratios = Ratios(vec![0.5]);
    /// Share of the hidden k-mers that is shown as another k-mer instead
    [long, value_name = "S"] random_share: f64 = 0.0;
    /// Share of the hidden k-mers that is shown as it is
    [long, value_name = "S"] kept_share: f64 = 0.0;
    /// Share of the loss that the hidden k-mers make; the others make the rest
    [long, value_name = "W"] masked_weight: f64 = 1.0;
    /// Weight of the contrastive loss, which brings two views of a barcode together, beside that of naming k-mers (0: none)
    [long, value_name = "W"] contrast: f64 = 0.0;
    /// The other view of a barcode: same (with other k-mers hidden), relative (one of its nearest relatives, found by comparing
    /// barcodes, without labels) or genus (of its genus: this uses labels)
    [long, value_name = "same|relative|genus"] partner: Partner = Partner::Same;
    /// Cosines between views are divided by it: the lower, the more the nearest views count
    [long, value_name = "T"] temperature: f64 = 0.1;
    /// Share of the bases of every view that are replaced by those of other barcodes at the same place
    [long, value_name = "S"] noise: f64 = 0.0;
    /// Share of differing bases from which another barcode is a relative, and no copy
    [long, value_name = "S"] nearest_relative: f64 = 0.03;
    /// Share of differing bases up to which another barcode is a relative
    [long, value_name = "S"] farthest_relative: f64 = 0.15;
    /// Model whose weights the run begins with, a file (empty: random weights)
    [long, value_name = "MODEL"] begin_with: String = String::new();
    /// Keep the encoder's vector of the mask token as it began, as the published code does (mlm)
    [long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true"] frozen_mask: bool = false;
    /// Barcodes that pass through the network together
    [long, value_name = "N"] batch: usize = 64;
    /// Batches whose gradients are added up for one step
    [long, value_name = "N"] accumulation: usize = 1;
    /// Largest learning rate for a step of 64 barcodes; it grows with the number of barcodes of a step
    [long, value_name = "X"] peak_rate: f64 = 6e-4;
    /// Share of every weight that a step at learning rate 1 takes off
    [long, value_name = "X"] weight_decay: f64 = 1e-5;
    /// How the learning rate goes: one-cycle or warmup-cosine
    [long, value_name = "S"] schedule: ScheduleKind = ScheduleKind::OneCycle;
    /// Passes over the barcodes (0: another setting says how long the run is)
    [long, value_name = "N", group = "length"] epochs: f64 = 0.0;
    /// Minutes of training, pauses not counted (0: another setting says how long the run is)
    [long, value_name = "M", group = "length"] minutes: f64 = 20.0;
    /// Steps (0: another setting says how long the run is)
    [long, value_name = "N", group = "length"] steps: u64 = 0;
    /// Longest gradient; longer ones are shortened to it (0: none is)
    [long, value_name = "X"] clip: f64 = 1.0;
    /// Cut 0 to k-1 bases off the front of a barcode at random; registered models never do
    [long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true"] random_offset: bool = true;
    /// Shift barcodes to the COI-5P frame before they are cut into k-mers
    [skip] register: bool = false;
    /// Share of the values that is dropped at random in training
    [long, value_name = "S"] dropout: f64 = 0.0;
    /// Splits to train on, comma-separated (none named: all records)
    [long, value_name = "S,…"] splits: Names = Names(Vec::new());
    /// Split to validate on (empty: a share of the barcodes is set aside)
    [long, value_name = "S"] validation_split: String = String::new();
    /// Share of the barcodes that is set aside for validation, where no split is named
    [long, value_name = "S"] validation_share: f64 = 0.02;
    /// Most barcodes to validate on
    [long, value_name = "N"] validation_barcodes: usize = 1000;
    /// Steps between two validations
    [long, value_name = "N"] validate_every: u64 = 200;
    /// Stop after so many validations without improvement (0: never)
    [long, value_name = "N"] patience: u64 = 0;
    /// Steps between two reports of loss and accuracy
    [long, value_name = "N"] report_every: u64 = 10;
    /// Minutes between two checkpoints
    [long, value_name = "M"] checkpoint_minutes: f64 = 5.0;
    /// Seed of every random draw
    [skip] seed: u64 = 1;
    /// Where the model is trained: auto (a GPU where the program has one), cpu, cuda or metal
    [skip] device: DeviceChoice = DeviceChoice::Auto;
    /// Numbers of the matrix products: f32, or bf16 on a GPU, where the weights stay in f32
    [skip] precision: Precision = Precision::F32;
}

impl TrainSettings {
    /// Other settings with this seed, device and precision: what a preset says nothing of.
    #[must_use]
    pub fn keeping_place(&self, other: Self) -> Self {
        Self { seed: self.seed, device: self.device, precision: self.precision, ..other }
    }
}

impl TrainChanges {
    /// Whether a length of the run is among the changes.
    fn names_a_length(&self) -> bool {
        self.epochs.is_some() || self.minutes.is_some() || self.steps.is_some()
    }
}

/// One or several mask ratios. In a file, a number or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratios(pub Vec<f64>);

impl FromStr for Ratios {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        numbers.map(Self).map_err(|_| format!("'{text}' is no list of ratios such as 0.25,0.5"))
    }
}

impl Serialize for Ratios {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ratios {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(f64),
            Several(Vec<f64>),
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::One(ratio) => vec![ratio],
            Form::Several(ratios) => ratios,
        }))
    }
}

/// Names of splits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(pub Vec<String>);

impl FromStr for Names {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::of(text))
    }
}

impl Names {
    /// The names of a list with commas.
    pub fn of(text: &str) -> Self {
        Self(text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
    }
}
