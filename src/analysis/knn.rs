//! Nearest neighbours.

use std::ops::Range;

/// Vectors `[N,D]` that are handed out block by block, stored or computed on the way.
pub trait VectorSource: Sync {
    /// Number of vectors, `N`.
    fn len(&self) -> usize;

    /// Number of dimensions, `D`.
    fn dim(&self) -> usize;

    /// Writes the vectors `rows`, one after the other, into `out` `[rows.len() * D]`, overwriting what is there.
    fn fill(&self, rows: Range<usize>, out: &mut [f32]);

    /// Whether there are no vectors.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
