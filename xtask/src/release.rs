//! What a release states about itself, and whether it is so.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::page;
use crate::process;
use crate::project::Project;
use crate::setup::{self, WasmToolchain};
use crate::steps::{Outcome, Steps};
use crate::wasm;

/// Writes the SHA-256 of every file of `pkg/` to `dist/pkg.sha256`, in the format of `sha256sum`, and prints that of the
/// list: two builds of the same sources with the same tools agree in it.
pub fn record_hash(project: &Project) -> Result<Outcome> {
    let list = hashes(&project.pkg())?;
    println!("  {}  the list of all files", hex(&Sha256::digest(&list)));
    let path = project.dist().join("pkg.sha256");
    fs::write(&path, list).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Outcome::Done)
}

/// Builds `pkg/` once more, from a copy of the sources at another path and with nothing compiled before, and compares it
/// with the one that is there.
pub fn reproduce(project: &Project, steps: &mut Steps, toolchain: &WasmToolchain) -> Result<()> {
    let folder = project.target().join(format!("reproduce-{}", std::process::id()));
    let copy = Project::copied(folder.join("sources"), folder.join("build"));
    let outcome = build_copy(project, steps, toolchain, &copy).and_then(|()| {
        steps.run("same bytes", || {
            let (first, second) = (hashes(&project.pkg())?, hashes(&copy.pkg())?);
            let differing = differing(&first, &second);
            if !differing.is_empty() {
                bail!("a second build differs in:\n{}", differing.join("\n"));
            }
            Ok(Outcome::Done)
        })
    });
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    outcome
}

fn build_copy(project: &Project, steps: &mut Steps, toolchain: &WasmToolchain, copy: &Project) -> Result<()> {
    steps.run("copy of the sources", || copy_sources(project, copy.root()))?;
    steps.run("Node packages of the copy", || setup::install_node_packages(copy, "www"))?;
    wasm::build(copy, steps, toolchain)?;
    page::build_api(copy, steps)
}

/// Copies what git knows of, or would, to `root`.
fn copy_sources(project: &Project, root: &Path) -> Result<Outcome> {
    let mut list = Command::new("git");
    list.current_dir(project.root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    for name in process::output(&mut list)?.split_terminator('\0') {
        let (from, to) = (project.root().join(name), root.join(name));
        // Deleted, but not yet for git.
        if !from.is_file() {
            continue;
        }
        let folder = to.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::copy(&from, &to).map(drop))
            .with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
    }
    Ok(Outcome::Done)
}

/// Lines of either list that the other has not.
fn differing<'a>(first: &'a str, second: &'a str) -> Vec<&'a str> {
    let missing = |from: &'a str, of: &'a str| of.lines().filter(move |line| !from.lines().any(|other| other == *line));
    missing(second, first).chain(missing(first, second)).collect()
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
        let before = hashes(folder.path()).unwrap();
        assert_eq!(before, format!("{b}  pkg/b\n{empty}  pkg/models/a\n"));
        assert!(differing(&before, &before).is_empty());

        fs::write(folder.path().join("models/a"), "b").unwrap();
        let after = hashes(folder.path()).unwrap();
        let [earlier, later] = [empty, b].map(|hash| format!("{hash}  pkg/models/a"));
        assert_eq!(differing(&before, &after), [&earlier, &later]);
    }
}
