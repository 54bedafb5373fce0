//! Non-overlapping k-mer tokens.
