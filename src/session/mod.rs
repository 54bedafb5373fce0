//! The application state, without a toolkit: state, commands, and the one function that changes it.
