//! The application state, without a toolkit: state, commands, and the one function that changes it.

pub mod columns;
pub mod log;
pub mod search;
pub mod selection;
pub mod settings;
pub mod stage;
