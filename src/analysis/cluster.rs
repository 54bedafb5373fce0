//! Clusters of embeddings: linkage with a threshold, HDBSCAN, Ward.
