//! The encoder, its checkpoints and its devices. The only place, with training, that knows candle.

pub mod checkpoint;
pub mod config;
pub mod device;
pub mod encoder;
