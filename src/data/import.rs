//! Reading FASTA files and tables of any layout into a dataset.
