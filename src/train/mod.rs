//! Pretraining: masked autoencoder, masked language model and causal language model on one transformer.
//!
//! | what | where |
//! |---|---|
//! | settings: one list for file, flags and panel | [`TrainSettings`], [`TrainChanges`], [`Preset`], checked: [`CheckedSettings`] |
//! | the barcodes of a run | [`Corpus`] |
//! | what is hidden, seen and to be named | `objective` |
//! | which barcodes are shown beside one another | [`Partner`], `partners`, `relatives` |
//! | the network, forward and backward: by hand on the CPU, by candle on a GPU | `network`, `network::device` |
//! | weights and moments, wherever they are | `learner` |
//! | AdamW, clipping, learning rates | `optimizer`, `schedule` |
//! | step by step | [`Trainer`] |
//! | a run on disk, and going on with it | `state` |
//!
//! A run follows from its barcodes, settings and seed alone: every draw comes from a numbered stream, and sums over rows are
//! taken in a fixed order. So a run on the CPU that was ended by force goes on from its last checkpoint to the same bits; a GPU
//! has its own order of sums and its own draws of dropout, which follow from the seed too.

mod corpus;
mod error;
mod history;
mod learner;
mod network;
mod objective;
mod optimizer;
mod partners;
mod relatives;
mod schedule;
mod settings;
mod state;
mod trainer;

pub use corpus::{Corpus, CorpusBuilder};
pub use error::TrainError;
pub use history::{History, Report, Validation};
pub use objective::{Objective, TokenCounts};
pub use partners::Partner;
pub use schedule::{Rates, ScheduleKind};
pub use settings::{
    CheckedSettings, Names, Preset, Ratios, RunLength, SettingsError, TrainChanges, TrainSettings, fitting_heads,
    possible_heads,
};
pub use state::SavedRun;
pub use trainer::{StepReport, Trainer};
