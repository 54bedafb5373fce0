//! Embeddings kept on disk by content.
