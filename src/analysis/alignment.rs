//! Percent identity by global alignment with free end gaps.
