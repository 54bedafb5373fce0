//! Naming queries by a labelled reference, or each specimen by the others.
