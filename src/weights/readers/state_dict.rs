//! The sets of tensors in what `torch.save` was given.

use super::pickle::{Object, Pickle, STORAGES, Storage, Value};
use super::{Fault, refuse};
use crate::weights::{Dtype, Entry, TensorSet};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Keys under which training scripts put weights, those to prefer first: averages over training steps are what their
/// authors evaluate.
const NESTS: [&str; 8] =
    ["state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model", "net", "module"];
const MAX_DEPTH: usize = 3;
/// Longest name of a tensor.
const MAX_NAME: usize = 1024;

/// Where each storage is in the file: first byte and number of bytes, by key.
pub(super) type Storages = HashMap<String, (u64, u64)>;

/// The state dicts in `pickle`, the one to prefer first.
pub(super) fn sets(pickle: &Pickle, storages: &Storages) -> Result<Vec<TensorSet>, Fault> {
    let mut search = Search { pickle, storages, seen: HashSet::new(), sets: Vec::new() };
    search.collect(pickle.root, String::new())?;
    if search.sets.is_empty() {
        return refuse("it holds no state dict: no tensors by name, nor under state_dict, model or the like");
    }
    Ok(search.sets)
}

struct Search<'a> {
    pickle: &'a Pickle,
    storages: &'a Storages,
    /// Dicts that were looked at: a pickle may name one any number of times.
    seen: HashSet<Value>,
    sets: Vec<TensorSet>,
}

impl Search<'_> {
    fn collect(&mut self, value: Value, name: String) -> Result<(), Fault> {
        let pickle = self.pickle;
        let Some(Object::Dict(pairs)) = pickle.object(value) else { return Ok(()) };
        if !self.seen.insert(value) {
            return Ok(());
        }
        let tensors = self.tensors(pairs)?;
        if !tensors.is_empty() {
            self.sets.push(TensorSet { name, tensors });
            return Ok(());
        }
        let depth = if name.is_empty() { 0 } else { name.split('.').count() };
        for nest in NESTS.iter().filter(|_| depth < MAX_DEPTH) {
            // Of equal keys the last counts, as in Python.
            if let Some(&(_, inner)) = pairs.iter().rev().find(|(key, _)| pickle.text(*key) == Some(nest)) {
                let path = if name.is_empty() { nest.to_string() } else { format!("{name}.{nest}") };
                self.collect(inner, path)?;
            }
        }
        Ok(())
    }

    fn tensors(&self, pairs: &[(Value, Value)]) -> Result<BTreeMap<String, Entry>, Fault> {
        let pickle = self.pickle;
        let mut tensors = BTreeMap::new();
        for &(key, value) in pairs {
            let (Some(key), Some(Object::Tensor(tensor))) = (pickle.text(key), pickle.object(value)) else { continue };
            if key.len() > MAX_NAME {
                return refuse(format!("a tensor's name has {} bytes, more than {MAX_NAME}", key.len()));
            }
            let Some((Storage { kind, .. }, storage)) = pickle.storage(tensor.storage) else { continue };
            let Some(&place) = self.storages.get(storage) else {
                return refuse(format!("tensor {key} is in storage {storage}, which the file lacks"));
            };
            let entry = entry(kind, place, tensor.offset, &tensor.shape, &tensor.strides);
            let entry = entry.map_err(|why| Fault::Content(format!("tensor {key} {why}")))?;
            tensors.insert(key.to_string(), entry);
        }
        Ok(tensors)
    }
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
    let row_major = count == 0
        || shape.iter().zip(strides).rev().all(|(&extent, &stride)| {
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
        strides: (!row_major).then(|| strides.to_vec()),
        start: start + from,
        end: start + to,
        factor: 1.0,
    })
}
