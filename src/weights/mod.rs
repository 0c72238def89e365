//! Where the tensors of a network come from: checkpoints, their checks, and what is folded before packing.

mod checkpoint;
mod convert;
mod fold;
mod format;
pub mod generated;
mod index;
mod inspection;
mod names;
mod open;
mod precision;
mod random;
#[cfg(feature = "readers")]
pub mod readers;
mod recognise;
mod safetensors;
mod source;

pub use checkpoint::{Checkpoint, Reader};
pub use convert::Conversion;
pub use fold::FoldedNorm;
pub use format::Format;
pub use index::{Dtype, Entry, Index, TensorSet};
pub use inspection::{Inspection, TensorInfo};
pub use precision::WeightPrecision;
pub use random::{RANDOM, random_file};
pub use recognise::{Recognition, compare, recognise, recognised};
pub use source::Source;

use crate::{Error, Result};
use std::collections::HashMap;

/// Weights by name, each flattened in the checkpoint's order, as f32.
#[derive(Clone, Debug, Default)]
pub struct Parameters(HashMap<String, Vec<f32>>);

impl Parameters {
    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, values: Vec<f32>) {
        self.0.insert(name.into(), values);
    }
    /// The values of `name`.
    ///
    /// # Errors
    /// If there is no such tensor.
    pub fn get(&self, name: &str) -> Result<&[f32]> {
        self.0.get(name).map(Vec::as_slice).ok_or_else(|| Error::bad_weights(format!("the weights lack tensor {name}")))
    }
}
