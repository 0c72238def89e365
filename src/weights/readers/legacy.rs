//! What `torch.save` wrote before PyTorch 1.6: five pickles in a row, then the storages.

use super::bytes::Bytes;
use super::pickle::{self, Object, Pickle, STORAGES, Value};
use super::state_dict::{Storages, sets};
use super::{Fault, refuse};
use crate::weights::{Format, Index};
use std::collections::HashMap;

/// Longest row of pickles that is read.
const MAX_PICKLES: u64 = 8 << 20;
/// The lowest 64 bits of the number that the first pickle holds.
const MAGIC: i64 = 0xA86A_20F9_469C_FC6C_u64.cast_signed();

/// What `bytes` holds.
pub(super) fn index(bytes: &Bytes) -> Result<Index, Fault> {
    let head = bytes.read(0, bytes.length().min(MAX_PICKLES))?;
    let mut at = 0;
    let mut next = || -> Result<Pickle, Fault> {
        let pickle = pickle::run(&head[at..]).map_err(Fault::Content)?;
        at += pickle.length;
        Ok(pickle)
    };
    if next()?.root != Value::Int(MAGIC) {
        return refuse("it is a pickle that torch.save did not write");
    }
    let (_version, _machine) = (next()?, next()?);
    let (content, keys) = (next()?, next()?);
    let storages = storages(bytes, at as u64, &content, &keys)?;
    Ok(Index { format: Format::PyTorch, sets: sets(&content, &storages)?, metadata: HashMap::new() })
}

/// Behind the pickles, each storage that `keys` lists: its number of values in 8 bytes, and the values.
fn storages(bytes: &Bytes, start: u64, content: &Pickle, keys: &Pickle) -> Result<Storages, Fault> {
    let storages = (0..content.objects.len()).filter_map(|at| content.storage(at));
    let declared: HashMap<&str, (u64, u64)> =
        storages.map(|(storage, key)| (key, (STORAGES[storage.kind].2, storage.count))).collect();
    let Some(Object::List(order)) = keys.object(keys.root) else {
        return refuse("its list of storages is damaged");
    };
    let mut at = start;
    let mut storages = Storages::new();
    for &key in order {
        let key = keys.text(key).unwrap_or_default();
        let Some(&(size, count)) = declared.get(key) else {
            return refuse(format!("its list of storages names {key:?}, which no tensor uses"));
        };
        let stored = bytes.read(at, 8)?.iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte));
        let length = stored.checked_mul(size).filter(|&length| length <= bytes.length() - at - 8);
        let Some(length) = length.filter(|_| stored == count) else {
            return refuse(format!(
                "storage {key} should have {count} values and has {stored}, or ends behind the file"
            ));
        };
        storages.insert(key.to_string(), (at + 8, length));
        at += 8 + length;
    }
    Ok(storages)
}
