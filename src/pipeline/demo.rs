//! The demo, with and without a window.
