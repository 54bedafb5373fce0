//! The command line, run as a program on invented and simulated barcodes.

mod cache;
mod contract;
mod interrupt;
mod support;
