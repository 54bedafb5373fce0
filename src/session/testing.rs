//! Results made up for tests.
