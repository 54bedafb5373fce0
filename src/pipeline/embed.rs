//! Barcodes to embeddings.
