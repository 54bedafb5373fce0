//! Files, specimens, taxa, sequences: everything that exists before a model is asked.

pub mod dataset;
pub mod frame;
pub mod genetic_code;
pub mod import;
pub mod iupac;
pub mod masking;
pub mod reading;
pub mod seen;
pub mod simulate;
pub mod taxonomy;
pub mod tokens;
pub mod world;
