//! UMAP: uniform manifold approximation and projection.
