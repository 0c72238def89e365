//! What a release states about itself.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

use crate::project::Project;
use crate::steps::Outcome;

/// Writes the SHA-256 of every file of `pkg/` to `dist/pkg.sha256`, in the format of `sha256sum`, and prints that of the
/// list: two builds of the same sources with the same tools agree in it.
pub fn record_hash(project: &Project) -> Result<Outcome> {
    let list = hashes(&project.pkg())?;
    println!("  {}  the list of all files", hex(&Sha256::digest(&list)));
    let path = project.dist().join("pkg.sha256");
    fs::write(&path, list).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Outcome::Done)
}

/// A line for each file below `folder`, in order.
fn hashes(folder: &Path) -> Result<String> {
    let mut lines = Vec::new();
    for path in files(folder)? {
        let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let name = path.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
        lines.push(format!("{}  pkg/{name}\n", hex(&Sha256::digest(bytes))));
    }
    lines.sort_by(|a, b| a[64..].cmp(&b[64..]));
    Ok(lines.concat())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_names_what_changed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        fs::write(folder.path().join("models/a"), "").unwrap();
        fs::write(folder.path().join("b"), "b").unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let b = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";
        assert_eq!(hashes(folder.path()).unwrap(), format!("{b}  pkg/b\n{empty}  pkg/models/a\n"));
    }
}
