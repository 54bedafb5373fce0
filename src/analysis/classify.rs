//! Classification by nearest neighbours.
