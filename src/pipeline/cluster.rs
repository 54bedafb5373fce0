//! Grouping specimens and comparing the groups with labels.
