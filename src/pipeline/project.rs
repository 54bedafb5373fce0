//! Barcodes to a map.
