//! All that a weights file tells, for people and programs.

use super::{Checkpoint, Format, Recognition, recognise};
use crate::Result;
use serde::Serialize;
use std::collections::HashMap;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// Its name, wrappers taken off.
    pub name: String,
    /// The type of its values, `F32` for example.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// What a file holds, and whose weights it is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The file's format.
    pub format: Format,
    /// Which of the file's sets of weights is read; empty where the file is the set.
    pub set: String,
    /// The tensors by name, those that no network reads included.
    pub tensors: Vec<TensorInfo>,
    /// What the file says of itself.
    pub metadata: HashMap<String, String>,
    /// Whose weights it is.
    #[serde(flatten)]
    pub recognition: Recognition,
}

impl Inspection {
    /// Reads no values.
    ///
    /// # Errors
    /// Those of [`recognise`].
    pub fn of(checkpoint: &Checkpoint) -> Result<Self> {
        let tensor = |(name, entry): (&String, &super::Entry)| TensorInfo {
            name: name.clone(),
            dtype: entry.dtype.to_string(),
            shape: entry.shape.clone(),
        };
        Ok(Self {
            format: checkpoint.format,
            set: checkpoint.set.clone(),
            tensors: checkpoint.tensors().iter().map(tensor).collect(),
            metadata: checkpoint.metadata.clone(),
            recognition: recognise(checkpoint)?,
        })
    }
}
