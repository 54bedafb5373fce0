//! The BERT encoder and its pooled embeddings.
