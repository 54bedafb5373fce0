//! Asking the memory for values before they are needed.
//!
//! The only `unsafe` of this package. The weights of a large model are read once per barcode and lie outside of the caches; where the
//! processor waits for them, a product runs at two thirds of its speed (`benches/README.md`), and no safe function asks for them ahead.

/// Values that share a cache line, on most processors.
pub(super) const LINE: usize = 16;

/// Asks that the first of `values` be brought into the second-level cache, with what shares its line. Changes nothing that a program
/// can see but its speed; on other processors than x86-64 it does nothing.
#[inline(always)]
pub(super) fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        #[allow(
            unsafe_code,
            reason = "a hint that reads nothing and is valid for any address; this one is a slice's own"
        )]
        // SAFETY: prefetching needs SSE, which every x86-64 has, and never faults, even where a slice is empty and its pointer dangles.
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(values.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_slice_can_be_asked_for_and_is_left_as_it_is() {
        let values = [1.0, 2.0, 3.0];
        (0..=3).for_each(|start| prefetch(&values[start..]));
        prefetch(&[]);
        assert_eq!(values, [1.0, 2.0, 3.0]);
    }
}
