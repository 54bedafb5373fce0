//! Building blocks of the views.

pub mod bars;
pub mod curves;
pub mod export;
pub mod float;
pub mod map;
pub mod sequence;
pub mod site;
pub mod sorted;
pub mod stack;
pub mod state;
pub mod table;
