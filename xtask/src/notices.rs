//! The licences of the crates that are compiled into what is given away; most ask to be given away with it.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::project::Project;

/// How the names of files begin that hold a licence.
const LICENCE_FILES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];

struct Crate {
    name: String,
    version: String,
    /// As its manifest puts it.
    licence: String,
    repository: String,
}

/// Crates and their licences. `build` holds the options of Cargo that choose features and target; without any they are those
/// of the command line tool on this machine.
pub fn text(project: &Project, build: &[&str]) -> Result<String> {
    let registries = registries(project)?;
    // Many crates share a text to the letter.
    let mut crates_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in crates(project, build)? {
        let name = format!("{}-{}", one.name, one.version);
        let folder = registries.iter().map(|registry| registry.join(&name)).find(|folder| folder.is_dir());
        let folder = folder.with_context(|| format!("the sources of {name} are not where Cargo unpacks them"))?;
        let title = format!("{} {} ({})", one.name, one.version, one.licence);
        let texts = licences(&folder)?;
        if texts.is_empty() {
            crates_of.entry(format!("No text is part of the crate; see {}\n", one.repository)).or_default().push(title);
        } else {
            crates_of.entry(texts.join("\n")).or_default().push(title);
        }
    }
    let mut parts: Vec<String> =
        crates_of.into_iter().map(|(text, crates)| format!("{}\n\n{}\n", crates.join("\n"), text.trim_end())).collect();
    parts.sort();
    Ok(parts.join(&format!("\n{}\n\n", "-".repeat(80))))
}

/// Writes [`text`] to `path`.
pub fn write(project: &Project, build: &[&str], path: &Path) -> Result<()> {
    fs::write(path, text(project, build)?).with_context(|| format!("{} cannot be written", path.display()))
}

fn crates(project: &Project, build: &[&str]) -> Result<Vec<Crate>> {
    let mut tree = Command::new("cargo");
    tree.current_dir(project.root())
        .args(["tree", "--package=sklens", "--edges=normal,no-proc-macro", "--prefix=none", "--no-dedupe"])
        .arg("--format={p}|{l}|{r}")
        .args(build);
    let mut lines: Vec<String> = process::output(&mut tree)?.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    Ok(lines.iter().filter_map(|line| read(line)).collect())
}

/// A line of the tree, but for a crate of this project, which has a path.
fn read(line: &str) -> Option<Crate> {
    let mut fields = line.split('|');
    let (package, licence, repository) = (fields.next()?, fields.next()?, fields.next()?);
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let owned = str::to_owned;
    words.next().is_none().then(|| Crate {
        name: owned(name),
        version: owned(version),
        licence: owned(licence),
        repository: owned(repository),
    })
}

/// Where Cargo unpacks crates, a folder for each registry.
fn registries(project: &Project) -> Result<Vec<PathBuf>> {
    let folder = project.cargo_home().join("registry/src");
    let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// The texts of a crate's licence: the MIT one where it may be chosen, or all.
fn licences(folder: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && LICENCE_FILES.iter().any(|start| name.starts_with(start)) {
            paths.push((name, path));
        }
    }
    paths.sort();
    if paths.iter().any(|(name, _)| name.contains("MIT")) {
        paths.retain(|(name, _)| name.contains("MIT") || name.starts_with("NOTICE"));
    }
    paths
        .iter()
        .map(|(_, path)| fs::read(path).with_context(|| format!("{} cannot be read", path.display())))
        .map(|bytes| Ok(String::from_utf8_lossy(&bytes?).replace("\r\n", "\n")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_of_the_registry_are_read_and_the_project_is_left_out() {
        let found = read("half v2.7.1|MIT OR Apache-2.0|https://example.org/half").unwrap();
        assert_eq!([&*found.name, &*found.version, &*found.licence], ["half", "2.7.1", "MIT OR Apache-2.0"]);
        assert!(read("sklens v0.1.0 (/here)|MIT OR Apache-2.0|").is_none());
    }

    #[test]
    fn one_of_two_licences_is_enough_but_notices_stay() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("LICENSE-MIT", "mit"), ("LICENSE-APACHE", "apache"), ("NOTICE", "notice"), ("lib.rs", "")]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        assert_eq!(licences(folder.path()).unwrap(), ["mit", "notice"]);
        fs::remove_file(folder.path().join("LICENSE-MIT")).unwrap();
        assert_eq!(licences(folder.path()).unwrap(), ["apache", "notice"]);
    }

    #[test]
    fn every_crate_of_the_modules_is_named() {
        let project = Project::locate().unwrap();
        let text = text(&project, &["--no-default-features", "--features=pictures,readers"]).unwrap();
        for name in ["wgpu ", "safetensors ", "zune-jpeg ", "prost "] {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name}is missing");
        }
        assert!(text.contains("Permission is hereby granted"));
        assert!(!text.contains("sklens "));
    }
}
