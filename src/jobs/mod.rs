//! Long work off the window's thread: one heavy slot, progress, cancellation, panics as errors.
