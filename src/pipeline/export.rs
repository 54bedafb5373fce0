//! Tables, FASTA, embeddings and pictures written to files.
