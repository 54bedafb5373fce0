//! Settings to begin with.

use super::TrainSettings;
use std::fmt;
use std::str::FromStr;

/// Settings to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// Width 256, 4 + 2 layers: a few hours on a laptop.
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
