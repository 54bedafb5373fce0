//! Arithmetic on plain rows of 32-bit floats, with the widest vectors that the processor has.

mod prefetch;
pub(crate) mod product;
pub(crate) mod vectors;
