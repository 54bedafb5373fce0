//! Overlapping k-mer counts.
