//! Where the tensors of a network come from.

pub mod generated;
