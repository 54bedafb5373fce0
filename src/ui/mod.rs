//! The window.
//!
//! | module | what it does |
//! |---|---|
//! | [`start`] | opens the window, or says in one line why there is none |
//! | [`app`] | takes in what jobs tell, draws, passes on what was asked for |
//! | [`shell`] | bars, navigation, panels; [`views`] in the middle |
//! | [`scope`] | what drawing code is given: the state to show, a place to say what was asked for |
//! | [`theme`], [`words`] | every colour and size; numbers and times as people read them |
//!
//! Drawing code computes nothing and changes nothing: it reads a [`scope::Scope`] and leaves wishes in it.

pub mod app;
pub mod files;
mod frames;
pub mod keys;
pub mod legend;
pub mod panels;
pub mod scope;
pub mod shell;
pub mod start;
pub mod statusbar;
pub mod theme;
pub mod topbar;
pub mod views;
pub mod widgets;
pub mod words;

pub use start::{UiError, UiOptions, run};
