//! The command line, run as a program on invented and simulated barcodes.

#![allow(clippy::unwrap_used, reason = "a test that lacks what it needs fails there and then")]

mod audit;
mod cache;
mod contract;
mod discover;
mod interrupt;
mod lab;
mod session;
mod shards;
mod support;
#[cfg(unix)]
mod train;
