//! The methods paragraph of a result.
