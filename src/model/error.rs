//! What can go wrong with a model, in words that say what to do.

use std::fmt;
use std::path::PathBuf;

/// A model that can't be read or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file system refused.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no checkpoint that this program knows.
    #[error("{path} is no checkpoint that can be read: {what}", path = .path.display())]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// What it looks like instead.
        what: String,
    },
    /// The file is a checkpoint, cut short or altered.
    #[error("{path} is damaged: {what}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        what: String,
    },
    /// A checkpoint whose model would be read wrongly, and is therefore not read at all.
    #[error("{path} is not supported: {what}", path = .path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The variant, by its name.
        what: String,
    },
    /// Settings that contradict themselves or the weights.
    #[error("{path}: {what}", path = .path.display())]
    Settings {
        /// The settings file, or the checkpoint that holds them.
        path: PathBuf,
        /// The contradiction.
        what: String,
    },
    /// The file beside the weights describes other weights.
    #[error(
        "{weights} and its settings {settings} do not belong together: the settings were written for a file with SHA-256 \
         {expected}, this one has {found}; fetch both again from one place",
        weights = .weights.display(), settings = .settings.display()
    )]
    OtherWeights {
        /// The weights.
        weights: PathBuf,
        /// The settings beside them.
        settings: PathBuf,
        /// Hash that the settings name.
        expected: String,
        /// Hash of the weights.
        found: String,
    },
    /// Weights that the encoder needs and the file does not hold.
    #[error("{path} lacks {} of the model's tensors: {}", .names.len(), Shortened(.names), path = .path.display())]
    MissingTensors {
        /// The file.
        path: PathBuf,
        /// Their names in the file.
        names: Vec<String>,
    },
    /// Weights of another shape or kind than the encoder needs.
    #[error("{path} holds tensors of the wrong shape: {}", Shortened(.tensors), path = .path.display())]
    MisshapenTensors {
        /// The file.
        path: PathBuf,
        /// Which, and how.
        tensors: Vec<Misshapen>,
    },
    /// A barcode too short for one token.
    #[error("barcode {row} of the batch has fewer bases than one k-mer: nothing of it can be read")]
    NoTokens {
        /// Index in the batch.
        row: usize,
    },
    /// A token that the model has no row or position for.
    #[error(
        "barcode {row} of the batch has a token that this model does not know: it was cut into tokens for another model"
    )]
    ForeignTokens {
        /// Index in the batch.
        row: usize,
    },
    /// A barcode whose embedding is not a number.
    #[error(
        "the model gives no finite numbers for barcode {row} of the batch: its weights are damaged, or too large for the numbers \
         that it is run with; take another model, or run this one in 32 bits"
    )]
    NotFinite {
        /// Index in the batch.
        row: usize,
    },
    /// A mask that does not fit its barcode, or the way of reading.
    #[error("barcode {row} of the batch can't be read masked: {what}")]
    Mask {
        /// Index in the batch.
        row: usize,
        /// What is wrong.
        what: String,
    },
    /// A model that can't guess masked k-mers.
    #[error(
        "the model '{model}' holds its encoder alone, as published BarcodeMAE files do, and can't guess masked k-mers; take one \
         with a decoder or an output layer: the bundled model, one trained with this program, or an encoder-only baseline (MLM)"
    )]
    NoGuesses {
        /// The model's name.
        model: String,
    },
    /// A device that was asked for by name and can't be had.
    #[error("{0}")]
    Device(String),
    /// The numerics library refused.
    #[error("the model could not be run")]
    Run(#[from] candle_core::Error),
}

/// One tensor of the wrong shape or kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misshapen {
    /// Its name in the file.
    pub name: String,
    /// The shape that the model needs.
    pub expected: Vec<usize>,
    /// What the file holds.
    pub found: String,
}

impl fmt::Display for Misshapen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} should be {:?} and is {}", self.name, self.expected, self.found)
    }
}

/// A list for a message: the first few, and how many more.
struct Shortened<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Shortened<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let shown: Vec<String> = self.0.iter().take(SHOWN).map(T::to_string).collect();
        write!(f, "{}", shown.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
