//! Building blocks of the views.

pub mod map;
