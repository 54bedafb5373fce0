//! Colours of taxa, numbers and bases.
