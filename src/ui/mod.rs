//! The window.

pub mod theme;
pub mod widgets;
pub mod words;
