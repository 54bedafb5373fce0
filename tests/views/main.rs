//! The views as a person meets them, on invented specimens, with jobs that the test answers.

#![allow(clippy::unwrap_used, reason = "a test that lacks what it needs fails there and then")]
#![cfg(feature = "gui")]

mod atlas;
mod desk;
mod discover;
mod discover_results;
mod lab;
mod lab_results;
mod pictures;
mod results;
mod review;
mod review_results;
mod states;
mod train;
