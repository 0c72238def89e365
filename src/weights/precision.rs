//! The precision in which weights stay in memory.

use serde::{Deserialize, Serialize};

/// How a network's weights are kept while it is open; all computing is in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightPrecision {
    /// As they are computed with.
    #[default]
    F32,
    /// In half the memory, rounded to eleven bits, biases of convolutions included. Depthwise kernels and the layers of
    /// attention, which are small, stay f32.
    F16,
}
