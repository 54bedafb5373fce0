//! Barcodescope: DNA barcodes read by a pretrained masked autoencoder.
//!
//! # Layers
//!
//! Each layer may use the ones before it, never the ones after it; `tests/layering.rs` holds this.
//!
//! | layer | modules | knows |
//! |---|---|---|
//! | 0 | [`progress`], [`seed`], [`key`], [`files`], `arithmetic` | nothing of barcodes |
//! | 1 | [`data`] | files, specimens, taxa, sequences, tokens |
//! | 2 | [`model`] (uses `data`), [`train`] (uses `model`), [`analysis`] (uses `data`, never `model`) | candle; plain arrays |
//! | 3 | [`pipeline`] | the use cases, shared by window and command line |
//! | 4 | [`session`], [`jobs`] | application state, long work |
//! | 5 | [`cli`], `ui` | two readers of the same events |

pub mod analysis;
mod arithmetic;
pub mod cli;
pub mod data;
pub mod files;
pub mod jobs;
pub mod key;
pub mod model;
pub mod pipeline;
pub mod progress;
pub mod seed;
pub mod session;
pub mod train;
#[cfg(feature = "gui")]
pub mod ui;
