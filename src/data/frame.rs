//! Registration of barcodes to the 658-base COI-5P frame, and reading-frame checks.
