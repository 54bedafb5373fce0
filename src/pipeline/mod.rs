//! The use cases. The window and the command line are two readers of what these functions do.

pub mod audit;
pub mod cache;
pub mod check;
pub mod classify;
pub mod cluster;
pub mod colour;
pub mod demo;
pub mod discover;
pub mod dossier;
pub mod embed;
pub mod error;
pub mod evaluate;
pub mod export;
pub mod figure;
pub mod gap;
pub mod likeness;
pub mod masking;
pub mod methods;
pub mod opened;
pub mod overlay;
mod page;
pub mod project;
pub mod provenance;
pub mod recommend;
pub mod reconstruct;
pub mod review;
pub mod scope;
pub mod side;
pub mod subset;
pub mod threads;
pub mod train;
pub mod tree;

pub use error::PipelineError;
pub use provenance::Provenance;
pub use side::{Method, Side};
