//! Arithmetic on plain rows of 32-bit floats, with the widest vectors that the processor has.

mod prefetch;
pub(crate) mod product;
pub(crate) mod vectors;

/// The first `count` values of a buffer, made longer where it is too short. What they hold is left from before.
pub(crate) fn fit(buffer: &mut Vec<f32>, count: usize) -> &mut [f32] {
    if buffer.len() < count {
        buffer.resize(count, 0.0);
    }
    &mut buffer[..count]
}
