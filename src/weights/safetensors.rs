//! Reading the header of safetensors.

use super::{Dtype, Entry, Format, Index, Source, TensorSet};
use crate::{Error, Result};
use safetensors::tensor::Metadata;

/// Longest header that is read.
const MAX_HEADER: u64 = 16 << 20;

/// What `source` holds.
///
/// # Errors
/// `bad-weights` if it is not a whole, consistent safetensors file.
pub(super) async fn index(source: &Source) -> Result<Index> {
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
    let parsed: Metadata = serde_json::from_slice(&json).map_err(|e| damaged(format!("its header is damaged: {e}")))?;
    let mut set = TensorSet::default();
    for (tensor, info) in parsed.tensors() {
        let (from, to) = info.data_offsets;
        // That the offsets fit the shape and follow each other was checked by parsing.
        if to as u64 > length - start {
            return Err(Error::bad_weights(format!("{name} is truncated: tensor {tensor} ends behind the file")));
        }
        let entry = Entry {
            dtype: dtype(info.dtype),
            shape: info.shape.clone(),
            strides: None,
            start: start + from as u64,
            end: start + to as u64,
            factor: 1.0,
        };
        set.tensors.insert(tensor, entry);
    }
    let metadata = parsed.metadata().clone().unwrap_or_default();
    Ok(Index { format: Format::Safetensors, sets: vec![set], metadata })
}

fn dtype(dtype: safetensors::Dtype) -> Dtype {
    match dtype {
        safetensors::Dtype::F64 => Dtype::F64,
        safetensors::Dtype::F32 => Dtype::F32,
        safetensors::Dtype::F16 => Dtype::F16,
        safetensors::Dtype::BF16 => Dtype::BF16,
        other => Dtype::Other(format!("{other:?}")),
    }
}
