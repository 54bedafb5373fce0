//! Where tensors come from, whatever the container.

use super::tensors::{Number, StoredTensor};
use std::collections::BTreeMap;

/// What a container says about one tensor before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Described {
    /// A tensor that can be read.
    Tensor { shape: Vec<usize>, number: Number },
    /// Something else under a tensor's name.
    Other(String),
}

/// Why one tensor was not read.
#[derive(Debug, thiserror::Error)]
#[error("tensor {name}: {what}")]
pub(super) struct TensorError {
    pub(super) name: String,
    pub(super) what: String,
}

/// A container of named tensors.
pub(super) trait TensorSource {
    /// All tensors by name.
    fn described(&self) -> &BTreeMap<String, Described>;

    /// Reads one of them.
    fn read(&mut self, name: &str) -> Result<StoredTensor, TensorError>;
}
