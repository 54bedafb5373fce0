//! What a curator's decisions make of a file: labels in force, what they change in its figures, and the corrected copies.
//!
//! The file that was opened is never changed. Decisions are kept in a session file ([`super::scope`]); everything here is a function
//! of the specimens and of that list.

mod curated;
mod export;
mod standing;
#[cfg(test)]
mod tests;
mod verdict;

pub use curated::Curated;
pub use export::{write_changes, write_corrected_fasta, write_corrected_table};
pub use standing::{Share, Standing, standing};
pub use verdict::{Curator, TAGS, Verdict};
