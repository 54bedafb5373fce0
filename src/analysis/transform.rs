//! Centring and whitening of embeddings.
