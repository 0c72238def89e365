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

/// The hashes of the last build that was compared with a second one, in the format of `sha256sum`.
const RECORD: &str = "docs/pkg.sha256";
/// What decides about the bytes of `pkg/`, beside the compiler.
const INPUTS: [&str; 15] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "models/*.json",
    "models/*.safetensors",
    "shaders",
    "src",
    "www/api",
    "www/build/README.md",
    "www/build/pkg.mjs",
    "www/package-lock.json",
    "xtask/src/notices.rs",
    "xtask/src/wasm.rs",
];

/// Writes the SHA-256 of every file of `pkg/` to `dist/pkg.sha256`, in the format of `sha256sum`, and prints that of the
/// list: two builds of the same sources with the same tools agree in it.
pub fn record_hash(project: &Project) -> Result<Outcome> {
    let list = hashes(&project.pkg())?;
    println!("  {}  the list of all files", hex(&Sha256::digest(&list)));
    write(&project.dist().join("pkg.sha256"), &list)?;
    Ok(Outcome::Done)
}

/// Keeps the hashes of `pkg/` in [`RECORD`], with what they are the hashes of.
pub fn keep_record(project: &Project, toolchain: &WasmToolchain) -> Result<Outcome> {
    write(&project.root().join(RECORD), &(inputs(project, toolchain)? + &hashes(&project.pkg())?))?;
    Ok(Outcome::Done)
}

/// Compares `pkg/` with [`RECORD`], which was made by another build, often on another machine.
pub fn check_record(project: &Project, toolchain: &WasmToolchain) -> Result<Outcome> {
    let path = project.root().join(RECORD);
    if !path.is_file() {
        return Ok(Outcome::Skipped(format!("`cargo xtask reproduce --record` has not written {RECORD}")));
    }
    let record = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    match inputs(project, toolchain) {
        Ok(inputs) => judge(&record, &inputs, &hashes(&project.pkg())?),
        // Sources without git, for example.
        Err(error) => Ok(Outcome::Skipped(format!("what decides about the bytes is not known here: {error:#}"))),
    }
}

fn judge(record: &str, inputs: &str, found: &str) -> Result<Outcome> {
    let Some(recorded) = record.strip_prefix(inputs) else {
        return Ok(Outcome::Skipped(format!("{RECORD} is of other sources, another compiler or standard library")));
    };
    let differing = differing(recorded, found);
    if !differing.is_empty() {
        bail!("the same sources and compiler gave other bytes than in {RECORD}:\n{}", differing.join("\n"));
    }
    Ok(Outcome::Done)
}

/// The head of the record: what decides about the bytes of `pkg/`.
pub fn inputs(project: &Project, toolchain: &WasmToolchain) -> Result<String> {
    let mut sources = list(project, &INPUTS)?.into_iter().map(|name| project.root().join(name));
    let digest = sources.try_fold(Sha256::new(), |digest, path| -> Result<Sha256> {
        let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(digest
            .chain_update(path.strip_prefix(project.root())?.to_string_lossy().as_bytes())
            .chain_update(Sha256::digest(bytes)))
    })?;
    let library = Sha256::digest(format!("{:?}", toolchain.standard_library()?));
    Ok(format!(
        "# Every file of pkg/, as `cargo xtask reproduce --record` built it twice.\n# sources: {}\n# compiler: {}\n\
         # standard library: {}\n",
        hex(&digest.finalize()),
        toolchain.version()?,
        hex(&library)
    ))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Builds `pkg/` once more, from a copy of the sources at another path, with another home of Cargo's and nothing compiled
/// before, and compares it with the one that is there.
pub fn reproduce(project: &Project, steps: &mut Steps, toolchain: &WasmToolchain) -> Result<()> {
    let folder = project.target().join(format!("reproduce-{}", std::process::id()));
    let copy = Project::copied(folder.join("sources"), folder.join("build"), folder.join("cargo"));
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
    steps.run("copy of the sources", || {
        link_cargo_home(project.cargo_home(), copy.cargo_home())?;
        copy_sources(project, copy.root())
    })?;
    steps.run("Node packages of the copy", || setup::install_node_packages(copy, "www"))?;
    wasm::build(copy, steps, toolchain)?;
    page::build_api(copy, steps)
}

/// Makes `copy` a home of Cargo's with the same registry, so that nothing is fetched again.
fn link_cargo_home(home: &Path, copy: &Path) -> Result<()> {
    let (from, to) = (home.join("registry"), copy.join("registry"));
    fs::create_dir_all(copy)?;
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(&from, &to);
    #[cfg(windows)]
    let linked = std::os::windows::fs::symlink_dir(&from, &to);
    linked.with_context(|| format!("{} cannot be linked to {}", to.display(), from.display()))?;
    let config = home.join("config.toml");
    if config.is_file() {
        fs::copy(&config, copy.join("config.toml"))?;
    }
    Ok(())
}

/// Copies what git knows of, or would, to `root`.
fn copy_sources(project: &Project, root: &Path) -> Result<Outcome> {
    for name in list(project, &[])? {
        let (from, to) = (project.root().join(&name), root.join(&name));
        let folder = to.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::copy(&from, &to).map(drop))
            .with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
    }
    Ok(Outcome::Done)
}

/// Files below `paths`, or all, that git knows of, or would, in order.
fn list(project: &Project, paths: &[&str]) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(project.root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"])
        .args(paths);
    let mut names: Vec<String> = process::output(&mut git)?.split_terminator('\0').map(str::to_owned).collect();
    // Some are deleted, but not yet for git.
    names.retain(|name| project.root().join(name).is_file());
    names.sort();
    Ok(names)
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
    fn a_record_binds_the_same_sources_and_compiler_only() {
        let (inputs, list) = ("# sources: 1\n# compiler: 2\n", "aa  pkg/a\n");
        let record = format!("{inputs}{list}");
        assert!(matches!(judge(&record, inputs, list), Ok(Outcome::Done)));
        assert!(matches!(judge(&record, "# sources: 3\n", "bb  pkg/a\n"), Ok(Outcome::Skipped(_))));
        assert!(judge(&record, inputs, "bb  pkg/a\n").err().unwrap().to_string().contains("bb  pkg/a"));
    }

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
