//! Simulated barcodes with known truth.
