//! Reading safetensors, tensor by tensor.

use super::{Parameters, Source};
use crate::graph::Parameter;
use crate::{Error, Result};
use safetensors::tensor::{Dtype, Metadata};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Longest header that is read.
const MAX_HEADER: u64 = 16 << 20;
/// Files up to this size are read in one go while loading; it saves hundreds of small reads.
const SMALL_FILE: u64 = 16 << 20;

#[derive(Clone, Debug)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    range: Range<u64>,
}

/// A safetensors file: its tensors by name, and its metadata.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    source: Source,
    entries: BTreeMap<String, Entry>,
    /// The file's `__metadata__`.
    pub metadata: HashMap<String, String>,
}

impl Checkpoint {
    /// Reads the header of `source`.
    ///
    /// # Errors
    /// `bad-weights` if it is not a whole, consistent safetensors file.
    pub async fn open(source: Source) -> Result<Self> {
        let name = source.name();
        let damaged = |why: String| Error::bad_weights(format!("{name} is not a safetensors file: {why}"));
        let length = source.length()?;
        if length < 8 {
            return Err(damaged(format!("it has only {length} bytes")));
        }
        let first = source.read(0..8).await?;
        let header = first.iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte));
        if header > MAX_HEADER.min(length - 8) {
            return Err(damaged(format!("its header would have {header} bytes of {length}")));
        }
        let start = 8 + header;
        let json = source.read(8..start).await?;
        let parsed: Metadata =
            serde_json::from_slice(&json).map_err(|e| damaged(format!("its header is damaged: {e}")))?;
        let mut entries = BTreeMap::new();
        for (tensor, info) in parsed.tensors() {
            let (from, to) = info.data_offsets;
            // That the offsets fit the shape and follow each other was checked by parsing.
            if to as u64 > length - start {
                return Err(Error::bad_weights(format!("{name} is truncated: tensor {tensor} ends behind the file")));
            }
            let range = start + from as u64..start + to as u64;
            entries.insert(tensor, Entry { dtype: info.dtype, shape: info.shape.clone(), range });
        }
        Ok(Self { source, entries, metadata: parsed.metadata().clone().unwrap_or_default() })
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|e| e.shape.as_slice())
    }

    /// Compares names, shapes and types with what a network reads.
    ///
    /// # Errors
    /// `bad-weights` listing every missing, surplus and misshapen tensor.
    pub fn check(&self, network: &str, parameters: &[Parameter]) -> Result<()> {
        let mut faults = Vec::new();
        for p in parameters {
            match self.entries.get(&p.name) {
                None => faults.push(format!("missing: {}, shape {:?}", p.name, p.shape)),
                Some(e) if e.shape != p.shape => {
                    faults.push(format!("wrong shape: {} is {:?} and should be {:?}", p.name, e.shape, p.shape));
                }
                Some(Entry { dtype: Dtype::F32 | Dtype::F16 | Dtype::BF16, .. }) => {}
                Some(e) => faults.push(format!("wrong type: {} is {:?}; use F32, F16 or BF16", p.name, e.dtype)),
            }
        }
        let known: std::collections::HashSet<_> = parameters.iter().map(|p| p.name.as_str()).collect();
        let surplus = self.entries.iter().filter(|(name, _)| !known.contains(name.as_str()));
        for (name, e) in surplus.filter(|(name, _)| !name.ends_with(".num_batches_tracked")) {
            faults.push(format!("surplus: {name}, shape {:?}", e.shape));
        }
        if faults.is_empty() {
            return Ok(());
        }
        let (file, count) = (self.source.name(), faults.len());
        Err(Error::bad_weights(format!(
            "{file} does not fit {network}, {count} tensors differ:\n{}",
            faults.join("\n")
        )))
    }

    /// A reader of tensors for one pass over the file.
    ///
    /// # Errors
    /// `bad-weights` if the file cannot be read.
    pub async fn reader(&self) -> Result<Reader<'_>> {
        let length = self.source.length()?;
        let whole = if length <= SMALL_FILE { Some(self.source.read(0..length).await?) } else { None };
        Ok(Reader { checkpoint: self, whole })
    }
}

/// Reads tensors; see [`Checkpoint::reader`].
#[derive(Debug)]
pub struct Reader<'a> {
    checkpoint: &'a Checkpoint,
    whole: Option<Vec<u8>>,
}

impl Reader<'_> {
    /// The named tensors as f32, and nothing else in memory.
    ///
    /// # Errors
    /// `bad-weights` if a tensor is missing, of another type, holds values that are not finite, or cannot be read.
    pub async fn read(&self, names: &[String]) -> Result<Parameters> {
        let mut parameters = Parameters::default();
        let file = self.checkpoint.source.name();
        for name in names {
            let entry = self.checkpoint.entries.get(name);
            let entry = entry.ok_or_else(|| Error::bad_weights(format!("{file} lacks tensor {name}")))?;
            let read;
            let bytes = match &self.whole {
                Some(whole) => whole
                    .get(entry.range.start as usize..entry.range.end as usize)
                    .ok_or_else(|| Error::bad_weights(format!("{file} became shorter: tensor {name} is gone")))?,
                None => {
                    read = self.checkpoint.source.read(entry.range.clone()).await?;
                    &read
                }
            };
            let values = decode(entry.dtype, bytes).ok_or_else(|| {
                Error::bad_weights(format!("{file}: tensor {name} is {:?}; use F32, F16 or BF16", entry.dtype))
            })?;
            if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
                return Err(Error::bad_weights(format!("{file}: tensor {name} holds {bad}; weights must be finite")));
            }
            parameters.insert(name.clone(), values);
        }
        Ok(parameters)
    }
}

fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let halves = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
    match dtype {
        Dtype::F32 => Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        Dtype::F16 => Some(halves().map(|b| half::f16::from_le_bytes(b).to_f32()).collect()),
        Dtype::BF16 => Some(halves().map(|b| half::bf16::from_le_bytes(b).to_f32()).collect()),
        _ => None,
    }
}
