//! Plain science on plain arrays: neighbours, transforms, metrics, alignment, projection, clusters.

pub mod agreement;
pub mod alignment;
mod apart;
mod centred;
pub mod classify;
pub mod cluster;
pub mod concordance;
pub mod diagnostic;
pub mod discordance;
mod eigen;
pub mod gap;
pub mod grades;
pub mod kmer;
pub mod knn;
pub mod metrics;
pub mod novelty;
pub mod pca;
pub mod procrustes;
pub mod transform;
pub mod tree;
pub mod umap;
pub mod within;
