//! How clusters and labels match, split, merge and mix.
