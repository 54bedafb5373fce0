//! The benchmark table: model and baselines side by side.
