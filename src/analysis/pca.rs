//! Principal components through linfa, guarded.
