//! Pretraining: masked autoencoder, masked language model and causal language model on one transformer.

mod network;
mod optimizer;
mod schedule;

pub use schedule::{Rates, ScheduleKind};
