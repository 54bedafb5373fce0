//! The `barcodescope` program.

fn main() {}
