//! Reading and writing checkpoints of every published layout.
