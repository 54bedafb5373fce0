//! Shapes and settings of a model.
