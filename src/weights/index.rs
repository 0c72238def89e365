//! Where the tensors of a file are: what a reader of any format finds, and all that loading needs beside the file.

use super::Format;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// The type of a tensor's values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Dtype {
    /// 64-bit floating point.
    F64,
    /// 32-bit floating point.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    BF16,
    /// Anything that is no weight, by its name in the file's format.
    Other(String),
}

impl Dtype {
    /// Bytes of a value, if it is floating point.
    pub fn size(&self) -> Option<usize> {
        match self {
            Self::F64 => Some(8),
            Self::F32 => Some(4),
            Self::F16 | Self::BF16 => Some(2),
            Self::Other(_) => None,
        }
    }

    /// Adds the values of little-endian `bytes` to `values`, as f32; none if they are not floating point.
    pub fn decode(&self, bytes: &[u8], values: &mut Vec<f32>) -> Option<()> {
        fn decode<const N: usize>(bytes: &[u8], values: &mut Vec<f32>, value: impl Fn([u8; N]) -> f32) {
            values.extend(bytes.as_chunks().0.iter().map(|&b| value(b)));
        }
        match self {
            Self::F64 => decode(bytes, values, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => decode(bytes, values, f32::from_le_bytes),
            Self::F16 => decode(bytes, values, |b| half::f16::from_le_bytes(b).to_f32()),
            Self::BF16 => decode(bytes, values, |b| half::bf16::from_le_bytes(b).to_f32()),
            Self::Other(_) => return None,
        }
        Some(())
    }
}

impl fmt::Display for Dtype {
    /// The name as safetensors writes it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Other(name) => f.write_str(name),
            known => write!(f, "{known:?}"),
        }
    }
}

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Entry {
    /// The type of its values.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Distance between neighbours along each dimension, in values; absent where the values are in row-major order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strides: Option<Vec<usize>>,
    /// Its first byte in the file.
    pub start: u64,
    /// The byte behind its last.
    pub end: u64,
    /// What its values are to be multiplied with.
    #[serde(default = "one")]
    pub factor: f32,
}

fn one() -> f32 {
    1.0
}

impl Entry {
    /// A tensor in row-major order whose values start at byte `start`; none if its size overflows.
    pub fn contiguous(dtype: Dtype, shape: Vec<usize>, start: u64) -> Option<Self> {
        let values = shape.iter().try_fold(1_usize, |n, &extent| n.checked_mul(extent))?;
        let bytes = (values as u64).checked_mul(dtype.size()? as u64)?;
        Some(Self { dtype, shape, strides: None, start, end: start.checked_add(bytes)?, factor: 1.0 })
    }

    /// The values in row-major order from the bytes `start .. end`; none if they are not floating point or too few.
    pub fn values(&self, bytes: &[u8]) -> Option<Vec<f32>> {
        let mut values = Vec::with_capacity(bytes.len() / self.dtype.size()?);
        self.dtype.decode(bytes, &mut values)?;
        self.arrange(values)
    }

    /// The values in row-major order from those that the file has at `start .. end`; none if they are too few.
    pub fn arrange(&self, mut values: Vec<f32>) -> Option<Vec<f32>> {
        if let Some(strides) = &self.strides {
            values = gather(&values, &self.shape, strides)?;
        }
        if self.factor != 1.0 {
            values.iter_mut().for_each(|value| *value *= self.factor);
        }
        (values.len() == self.shape.iter().product::<usize>()).then_some(values)
    }
}

/// `values` in row-major order of `shape`; none if the strides lead out of them or name a value twice.
fn gather(values: &[f32], shape: &[usize], strides: &[usize]) -> Option<Vec<f32>> {
    let count = shape.iter().try_fold(1_usize, |n, &extent| n.checked_mul(extent))?;
    if count > values.len() || shape.len() != strides.len() {
        return None;
    }
    let position = |mut index: usize| {
        let dimensions = shape.iter().zip(strides).rev();
        dimensions.fold(0_usize, |at, (&extent, &stride)| {
            let along = index % extent;
            index /= extent;
            at.saturating_add(along.saturating_mul(stride))
        })
    };
    (0..count).map(|index| values.get(position(index)).copied()).collect()
}

/// Tensors by name that belong together.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct TensorSet {
    /// Where in the file they were, `state_dict_ema` for example; empty where the file is the set.
    pub name: String,
    /// The tensors.
    pub tensors: BTreeMap<String, Entry>,
}

/// What is in a weights file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Index {
    /// The file's format.
    pub format: Format,
    /// Sets of weights, the one to prefer first: averaged weights (EMA) before those of the last step.
    pub sets: Vec<TensorSet>,
    /// What the file says of itself.
    pub metadata: HashMap<String, String>,
}

impl Index {
    /// Only the set called `name`.
    ///
    /// # Errors
    /// `bad-option` with the names of all sets if there is none of that name.
    pub fn only(mut self, name: &str) -> Result<Self> {
        let names: Vec<String> = self.sets.iter().map(|set| set.name.clone()).collect();
        self.sets.retain(|set| set.name == name);
        match (self.sets.is_empty(), names.as_slice()) {
            (false, _) => Ok(self),
            (true, [only]) if only.is_empty() => {
                Err(Error::bad_option(format!("there is no set {name:?}: the file holds one set, without a name")))
            }
            (true, names) => {
                Err(Error::bad_option(format!("there is no set {name:?}; there are {}", names.join(", "))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_are_followed() {
        let entry =
            Entry { strides: Some(vec![1, 3]), factor: 2.0, ..Entry::contiguous(Dtype::F32, vec![3, 2], 0).unwrap() };
        let bytes: Vec<u8> = (0..6).flat_map(|v| (v as f32).to_le_bytes()).collect();
        assert_eq!(entry.values(&bytes).unwrap(), [0.0, 6.0, 2.0, 8.0, 4.0, 10.0]);
        let outside = Entry { strides: Some(vec![2, 3]), ..entry.clone() };
        assert_eq!(outside.values(&bytes), None);
        assert_eq!(entry.values(&bytes[..20]), None);
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        assert_eq!(Entry::contiguous(Dtype::F64, vec![usize::MAX, 2], 0), None);
        assert_eq!(Entry::contiguous(Dtype::F64, vec![usize::MAX], 0), None);
        assert_eq!(Entry::contiguous(Dtype::F32, vec![1], u64::MAX), None);
    }

    #[test]
    fn every_floating_point_type_is_converted() {
        let entry = |dtype| Entry::contiguous(dtype, vec![1], 0).unwrap();
        assert_eq!(entry(Dtype::F64).values(&0.1_f64.to_le_bytes()).unwrap(), [0.1]);
        assert_eq!(entry(Dtype::F16).values(&half::f16::from_f32(0.5).to_le_bytes()).unwrap(), [0.5]);
        assert_eq!(entry(Dtype::BF16).values(&half::bf16::from_f32(-3.0).to_le_bytes()).unwrap(), [-3.0]);
    }
}
