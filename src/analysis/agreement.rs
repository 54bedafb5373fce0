//! Agreement of two labelings: AMI, ARI, homogeneity, completeness.
