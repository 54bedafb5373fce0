//! What stands beside and above the views.

pub mod columns;
pub mod log;
pub mod shortcuts;
pub mod specimen;
