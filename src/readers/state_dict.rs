//! The sets of tensors in what `torch.save` was given.

use super::pickle::{Object, Pickle, STORAGES, Value};
use super::{Fault, refuse};
use crate::weights::{Dtype, Entry, TensorSet};
use std::collections::HashMap;

/// Keys under which training scripts put weights, those to prefer first: averages over training steps are what their
/// authors evaluate.
const NESTS: [&str; 8] =
    ["state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model", "net", "module"];
const MAX_DEPTH: usize = 3;

/// Where each storage is in the file: first byte and number of bytes, by key.
pub(super) type Storages = HashMap<String, (u64, u64)>;

/// The state dicts in `pickle`, the one to prefer first.
pub(super) fn sets(pickle: &Pickle, storages: &Storages) -> Result<Vec<TensorSet>, Fault> {
    let mut sets = Vec::new();
    collect(pickle, storages, pickle.root, String::new(), &mut sets)?;
    if sets.is_empty() {
        return refuse("it holds no state dict: no tensors by name, nor under state_dict, model or the like");
    }
    Ok(sets)
}

fn collect(
    pickle: &Pickle,
    storages: &Storages,
    value: Value,
    name: String,
    sets: &mut Vec<TensorSet>,
) -> Result<(), Fault> {
    let Some(Object::Dict(pairs)) = pickle.object(value) else { return Ok(()) };
    let mut set = TensorSet { name: name.clone(), ..TensorSet::default() };
    for &(key, value) in pairs {
        if let (Some(key), Some(Object::Tensor(tensor))) = (pickle.text(key), pickle.object(value)) {
            let Some(Object::Storage(kind, storage, _)) = pickle.objects.get(tensor.storage) else { continue };
            let Some(&place) = storages.get(storage) else {
                return refuse(format!("tensor {key} is in storage {storage}, which the file lacks"));
            };
            let entry = entry(*kind, place, tensor.offset, &tensor.shape, &tensor.strides);
            let entry = entry.map_err(|why| Fault::Content(format!("tensor {key} {why}")))?;
            set.tensors.insert(key.to_string(), entry);
        }
    }
    if !set.tensors.is_empty() {
        sets.push(set);
        return Ok(());
    }
    let depth = if name.is_empty() { 0 } else { name.split('.').count() };
    for nest in NESTS.iter().filter(|_| depth < MAX_DEPTH) {
        // Of equal keys the last counts, as in Python.
        if let Some(&(_, inner)) = pairs.iter().rev().find(|(key, _)| pickle.text(*key) == Some(nest)) {
            let path = if name.is_empty() { nest.to_string() } else { format!("{name}.{nest}") };
            collect(pickle, storages, inner, path, sets)?;
        }
    }
    Ok(())
}

/// The view of `place` that starts at value `offset`.
fn entry(
    kind: usize,
    (start, bytes): (u64, u64),
    offset: u64,
    shape: &[usize],
    strides: &[usize],
) -> Result<Entry, String> {
    let (_, dtype, size) = STORAGES[kind];
    let overflow = || format!("has shape {shape:?}, more than the file holds");
    if shape.len() != strides.len() {
        return Err(format!("has {} dimensions and {} strides", shape.len(), strides.len()));
    }
    let count = shape.iter().try_fold(1_u64, |n, &extent| n.checked_mul(extent as u64)).ok_or_else(overflow)?;
    let last = shape.iter().zip(strides).try_fold(0_u64, |at, (&extent, &stride)| {
        at.checked_add((extent as u64).saturating_sub(1).checked_mul(stride as u64)?)
    });
    let span = if count == 0 { 0 } else { last.and_then(|last| last.checked_add(1)).ok_or_else(overflow)? };
    if count > span {
        return Err(format!("repeats values by its strides {strides:?}; save it after .contiguous()"));
    }
    let place = |values: u64| offset.checked_add(values)?.checked_mul(size);
    let (from, to) = place(0).zip(place(span)).ok_or_else(overflow)?;
    if to > bytes {
        return Err(format!("needs {to} bytes of a storage that has {bytes}"));
    }
    let mut expected = 1;
    let row_major = shape.iter().zip(strides).rev().all(|(&extent, &stride)| {
        let fits = extent == 1 || stride == expected;
        expected *= extent;
        fits
    });
    Ok(Entry {
        dtype: match dtype {
            "F64" => Dtype::F64,
            "F32" => Dtype::F32,
            "F16" => Dtype::F16,
            "BF16" => Dtype::BF16,
            other => Dtype::Other(other.into()),
        },
        shape: shape.to_vec(),
        strides: (!row_major && count > 0).then(|| strides.to_vec()),
        start: start + from,
        end: start + to,
        factor: 1.0,
    })
}
