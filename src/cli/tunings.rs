//! Which kernels are fastest on this machine's adapters, kept in the user's cache folder.

use super::download::cache_folder;
use crate::session::Tuning;
use crate::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What was kept; nothing if it cannot be read, for results do not depend on it.
pub(super) fn stored() -> Vec<Tuning> {
    file().map(|file| read(&file)).unwrap_or_default()
}

/// Keeps `tuning` beside what was kept for its adapter and version, in place of what was kept for another version; returns the
/// file.
///
/// # Errors
/// `bad-option` if the file cannot be written.
pub(super) fn store(tuning: &Tuning) -> Result<PathBuf> {
    let file = file().map_err(|e| Error::bad_option(format!("the tuning cannot be kept: {e}")))?;
    write(&file, tuning).map_err(|e| Error::bad_option(format!("{} cannot be written: {e}", file.display())))?;
    Ok(file)
}

fn file() -> Result<PathBuf, String> {
    Ok(cache_folder()?.join("tunings.json"))
}

fn read(file: &Path) -> Vec<Tuning> {
    let text = fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn write(file: &Path, tuning: &Tuning) -> std::io::Result<()> {
    let mut all = read(file);
    let mut tuning = tuning.clone();
    for kept in all.extract_if(.., |kept| kept.adapter == tuning.adapter).filter(|kept| kept.version == tuning.version)
    {
        for (shape, variant) in kept.choices {
            tuning.choices.entry(shape).or_insert(variant);
        }
    }
    all.push(tuning);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    // A command that reads meanwhile sees the old file or the new one.
    let part = file.with_extension("part");
    fs::write(&part, serde_json::to_string_pretty(&all)?)?;
    fs::rename(&part, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_last_tuning_of_each_adapter_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sklens").join("tunings.json");
        assert!(read(&file).is_empty());
        let tuning = |adapter: &str, variant: &str| Tuning {
            adapter: adapter.into(),
            version: "1".into(),
            choices: BTreeMap::from([("pointwise 1 1 1 1".into(), variant.into())]),
        };
        for (adapter, variant) in [("a", "8x8"), ("b", "4x8"), ("a", "staged")] {
            write(&file, &tuning(adapter, variant)).unwrap();
        }
        assert_eq!(read(&file), [tuning("b", "4x8"), tuning("a", "staged")]);
        fs::write(&file, "no JSON").unwrap();
        assert!(read(&file).is_empty());
    }
}
