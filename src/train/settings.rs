//! The settings of a run: one list for the file, the flags and the panel.

use super::network::Architecture;
use super::objective::{Masking, Objective};
use super::schedule::{Schedule, ScheduleKind};
use crate::data::reading::ReadSettings;
use crate::data::tokens::{SPECIAL_TOKENS, Tokenizer};
use crate::model::{DeviceChoice, EncoderShape, Precision};
use crate::seed::Seed;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Sequences of the batch that [`TrainSettings::peak_rate`] is given for.
const RATE_BATCH: f64 = 64.0;

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
    /// Whether the encoder's vector of [MASK] stays as it began, as in the published code (mlm)
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
    /// Where the model is trained
    [skip] device: DeviceChoice = DeviceChoice::Auto;
    /// Numbers that it is trained with
    [skip] precision: Precision = Precision::F32;
}

impl TrainChanges {
    /// Whether a length of the run is among the changes.
    fn names_a_length(&self) -> bool {
        self.epochs.is_some() || self.minutes.is_some() || self.steps.is_some()
    }
}

/// Settings to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// The size of the starter model: a few hours on a laptop.
    #[default]
    Laptop,
    /// A model that learns something within minutes.
    Tiny,
    /// The published BarcodeMAE: 6 encoder layers, 6 decoder layers, 6 heads, width 768. For GPUs.
    BarcodeMae666,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 3] = [Self::Laptop, Self::Tiny, Self::BarcodeMae666];

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Laptop => "Laptop",
            Self::Tiny => "Tiny",
            Self::BarcodeMae666 => "BarcodeMAE 6-6-6",
        }
    }

    /// Its settings.
    pub fn settings(self) -> TrainSettings {
        let base = TrainSettings::default();
        match self {
            Self::Laptop => base,
            Self::Tiny => TrainSettings {
                k: 4,
                encoder_layers: 2,
                encoder_width: 64,
                encoder_inner: 256,
                encoder_heads: 4,
                decoder_layers: 1,
                decoder_width: 64,
                decoder_inner: 256,
                decoder_heads: 4,
                peak_rate: 2e-3,
                minutes: 5.0,
                ..base
            },
            Self::BarcodeMae666 => TrainSettings {
                encoder_layers: 6,
                encoder_width: 768,
                encoder_inner: 3072,
                encoder_heads: 6,
                decoder_layers: 6,
                decoder_width: 768,
                decoder_inner: 3072,
                decoder_heads: 6,
                batch: 128,
                peak_rate: 1e-4,
                epochs: 35.0,
                minutes: 0.0,
                clip: 0.0,
                dropout: 0.1,
                ..base
            },
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Laptop => "laptop",
            Self::Tiny => "tiny",
            Self::BarcodeMae666 => "barcodemae-6-6-6",
        })
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.to_ascii_lowercase().replace(' ', "-");
        let known = Self::ALL.into_iter().find(|preset| preset.to_string() == wanted);
        known.ok_or_else(|| format!("'{text}' is no preset; known are laptop, tiny, barcodemae-6-6-6"))
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
        Ok(Self(text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()))
    }
}

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

/// Settings that make sense together, for one mask ratio: what a run can be started with.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedSettings {
    settings: TrainSettings,
    length: RunLength,
    pub(super) tokenizer: Tokenizer,
    pub(super) architecture: Architecture,
    pub(super) masking: Masking,
    pub(super) schedule: Schedule,
}

impl CheckedSettings {
    /// The settings as they were given, with the one mask ratio.
    pub fn settings(&self) -> &TrainSettings {
        &self.settings
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

    /// How the trained model reads.
    pub fn read(&self) -> ReadSettings {
        ReadSettings { register: self.settings.register, ..ReadSettings::default() }
    }

    /// The settings that a run cannot change when it goes on: everything that data, weights and draws depend on.
    pub(super) fn fixed(&self) -> TrainSettings {
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
        require(self.accumulation > 0, "accumulation", "at least one batch is needed")?;
        require(self.peak_rate > 0.0 && self.peak_rate.is_finite(), "peak_rate", "a number above 0 is needed")?;
        require((0.0..1.0).contains(&self.weight_decay), "weight_decay", "a number from 0, below 1 is needed")?;
        require(self.clip >= 0.0, "clip", "a number from 0 is needed")?;
        require((0.0..0.95).contains(&self.dropout), "dropout", "a share from 0, below 0.95 is needed")?;
        require((0.0..=0.5).contains(&self.validation_share), "validation_share", "a share from 0 to 0.5 is needed")?;
        require(self.validate_every > 0, "validate_every", "at least one step is needed")?;
        require(self.report_every > 0, "report_every", "at least one step is needed")?;
        require(self.checkpoint_minutes >= 0.0, "checkpoint_minutes", "a number from 0 is needed")?;
        let here = matches!(self.device, DeviceChoice::Auto | DeviceChoice::Cpu);
        require(here, "device", "training runs on the CPU; GPUs are used for reading only")?;
        require(self.precision == Precision::F32, "precision", "the CPU trains in f32")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_make_runs_and_the_published_one_has_the_papers_values() {
        for preset in Preset::ALL {
            let checked = preset.settings().checked().unwrap();
            assert_eq!(checked.len(), 1, "{preset}");
            assert_eq!(preset.to_string().parse(), Ok(preset));
        }
        assert_eq!("BarcodeMAE 6-6-6".parse(), Ok(Preset::BarcodeMae666));
        let paper = Preset::BarcodeMae666.settings().checked().unwrap().remove(0);
        let shape = EncoderShape { layers: 6, width: 768, inner: 3072, heads: 6, positions: 512 };
        assert_eq!((paper.architecture.encoder, paper.architecture.decoder), (shape, Some(shape)));
        assert_eq!(
            (paper.masking.ratio, paper.schedule.kind, paper.length()),
            (0.5, ScheduleKind::OneCycle, RunLength::Epochs(35.0))
        );
        assert!((paper.schedule.peak - 2e-4).abs() < 1e-18, "1e-4 for every 64 barcodes of the batch");
    }

    #[test]
    fn files_say_what_differs_from_the_defaults_and_come_back_to_the_last_bit() {
        let changes: TrainChanges =
            toml::from_str("k = 4\nmask_ratio = 0.25\nsteps = 100\nsplits = [\"train\"]\nobjective = \"mlm\"").unwrap();
        let settings = Preset::Laptop.settings().with(&changes);
        assert_eq!((settings.k, settings.objective, settings.minutes), (4, Objective::Mlm, 0.0));
        let odd = TrainSettings { peak_rate: 0.1 + 0.2, weight_decay: 1.0 / 3.0 * 1e-7, ..settings };
        assert_eq!(toml::from_str::<TrainSettings>(&toml::to_string(&odd).unwrap()).unwrap(), odd);
        assert!(toml::from_str::<TrainChanges>("leyers = 3").unwrap_err().to_string().contains("leyers"));
        let several: TrainChanges = toml::from_str("mask_ratio = [0.25, 0.75]").unwrap();
        assert_eq!(TrainSettings::default().with(&several).checked().unwrap().len(), 2);
    }

    #[test]
    fn what_makes_no_run_is_refused_by_name() {
        let base = TrainSettings::default;
        let cases = [
            ("encoder_heads", TrainSettings { encoder_heads: 3, ..base() }),
            ("decoder_heads", TrainSettings { decoder_heads: 0, ..base() }),
            ("mask_ratio", TrainSettings { mask_ratio: Ratios(vec![1.0]), ..base() }),
            ("mask_ratio", TrainSettings { mask_ratio: Ratios(Vec::new()), ..base() }),
            ("kept_share", TrainSettings { random_share: 0.6, kept_share: 0.6, ..base() }),
            ("masked_weight", TrainSettings { masked_weight: 0.0, ..base() }),
            ("batch", TrainSettings { batch: 0, ..base() }),
            ("peak_rate", TrainSettings { peak_rate: f64::NAN, ..base() }),
            ("dropout", TrainSettings { dropout: 1.0, ..base() }),
            ("minutes", TrainSettings { steps: 5, ..base() }),
            ("minutes", TrainSettings { minutes: 0.0, ..base() }),
            ("minutes", TrainSettings { minutes: -1.0, ..base() }),
            ("positions", TrainSettings { positions: 100, ..base() }),
            ("k", TrainSettings { k: 11, ..base() }),
            ("device", TrainSettings { device: DeviceChoice::Cuda, ..base() }),
            ("precision", TrainSettings { precision: Precision::Bf16, ..base() }),
        ];
        for (setting, settings) in cases {
            assert_eq!(settings.checked().unwrap_err().setting, setting);
        }
        let mlm = TrainSettings { objective: Objective::Mlm, decoder_heads: 0, ..base() };
        assert!(mlm.checked().is_ok(), "a masked language model has no decoder");
    }

    #[test]
    fn a_new_length_takes_the_place_of_the_old() {
        let changes = TrainChanges { epochs: Some(2.0), ..TrainChanges::default() };
        let settings = TrainSettings::default().with(&changes);
        assert_eq!((settings.epochs, settings.minutes, settings.steps), (2.0, 0.0, 0));
        assert_eq!(TrainSettings::default().with(&TrainChanges::default()), TrainSettings::default());
    }
}
