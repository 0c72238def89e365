//! The zip archives of `torch.save`: a pickle that names storages, and each storage as a file, stored uncompressed.

use super::bytes::Bytes;
use super::state_dict::{Storages, sets};
use super::{Fault, pickle, refuse};
use crate::weights::{Format, Index};
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipLocator};
use std::collections::HashMap;

/// Longest pickle that is read.
const MAX_PICKLE: u64 = 8 << 20;
const MAX_FILES: usize = 16_384;
/// Longest path in an archive.
const MAX_PATH: usize = 512;

/// What `bytes` holds.
pub(super) fn index(bytes: &Bytes) -> Result<Index, Fault> {
    let files = directory(bytes)?;
    let Some(&(start, length)) = files.get("data.pkl") else {
        return refuse("it is a zip archive without data.pkl, so torch.save did not write it");
    };
    if let Some(&(start, length)) = files.get("byteorder")
        && bytes.read(start, length.min(16))? != b"little"
    {
        return refuse("its values are big-endian; save it again on a little-endian machine");
    }
    if length > MAX_PICKLE {
        return refuse(format!("its pickle has {length} bytes, more than {MAX_PICKLE}"));
    }
    let pickle = pickle::run(&bytes.read(start, length)?).map_err(Fault::Content)?;
    let storages = files.iter().filter_map(|(name, place)| Some((name.strip_prefix("data/")?.to_string(), *place)));
    let storages: Storages = storages.collect();
    Ok(Index { format: Format::PyTorch, sets: sets(&pickle, &storages)?, metadata: HashMap::new() })
}

/// First byte and length of every file, by its path in the archive's folder.
fn directory(bytes: &Bytes) -> Result<HashMap<String, (u64, u64)>, Fault> {
    let damaged = |e: rawzip::Error| Fault::Content(format!("its zip directory is damaged: {e}"));
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive =
        ZipLocator::new().locate_in_reader(bytes, &mut buffer, bytes.length()).map_err(|(_, e)| damaged(e))?;
    let mut found = Vec::new();
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry().map_err(damaged)? {
        let path = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
        if entry.is_dir() {
            continue;
        }
        if path.len() > MAX_PATH {
            return refuse(format!("a path in it has {} bytes, more than {MAX_PATH}", path.len()));
        }
        let folderless = path.split_once('/').map_or(path.as_str(), |(_, rest)| rest).to_string();
        if folderless.starts_with("code/") || folderless == "constants.pkl" {
            return refuse(format!(
                "it is TorchScript, a program ({path}); save the model's state_dict() with torch.save in its place"
            ));
        }
        if entry.flags().is_encrypted() {
            return refuse(format!("{path} in it is encrypted; save it again without a password"));
        }
        if entry.compression_method() != CompressionMethod::STORE {
            return refuse(format!(
                "{path} in it is compressed; save it again with torch.save, which does not compress"
            ));
        }
        if found.len() == MAX_FILES {
            return refuse(format!("it is an archive of more than {MAX_FILES} files"));
        }
        found.push((folderless, entry.wayfinder()));
    }
    let mut files = HashMap::new();
    for (name, wayfinder) in found {
        let (start, end) = archive.get_entry(wayfinder).map_err(damaged)?.compressed_data_range();
        if start > end || end > bytes.length() {
            return refuse(format!("it is truncated: {name} in it ends at byte {end} of {}", bytes.length()));
        }
        files.insert(name, (start, end - start));
    }
    Ok(files)
}
