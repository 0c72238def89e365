//! The header of safetensors, read and written.

use super::{Dtype, Entry, Format, Index, Source, TensorSet};
use crate::{Error, Result};
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::HashMap;

/// Longest header that is read; a thousand tensors take a tenth of a megabyte.
const MAX_HEADER: u64 = 4 << 20;

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

/// The first bytes of a file with `tensors`, names and shapes, of one type, whose values follow in this order.
///
/// # Errors
/// `bad-weights` if they cannot be written.
pub(super) fn header(
    dtype: safetensors::Dtype,
    tensors: impl Iterator<Item = (String, Vec<usize>)>,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
    let mut end = 0;
    let info = |(name, shape): (String, Vec<usize>)| {
        let start = end;
        end += dtype.bitsize() / 8 * shape.iter().product::<usize>();
        (name, TensorInfo { dtype, shape, data_offsets: (start, end) })
    };
    let failed = |e: &dyn std::fmt::Display| Error::bad_weights(format!("the weights cannot be written: {e}"));
    let metadata = Metadata::new(Some(metadata), tensors.map(info).collect()).map_err(|e| failed(&e))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|e| failed(&e))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok([(header.len() as u64).to_le_bytes().to_vec(), header].concat())
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
