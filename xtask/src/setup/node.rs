//! Node and the packages that a folder's `package.json` names.

use anyhow::{Context, Result, bail};
use std::fs;
use std::process::Command;

use crate::page;
use crate::process;
use crate::project::Project;
use crate::stamp::Stamp;
use crate::steps::Outcome;

/// The oldest Node that Vite 8 runs on.
const MIN_NODE: (u32, u32) = (20, 19);

/// Checks Node, and installs the locked packages of `folder` if they are not those last installed.
pub fn ensure(project: &Project, folder: &str) -> Result<Outcome> {
    let need = format!("Node {}.{} or newer with npm is needed (https://nodejs.org)", MIN_NODE.0, MIN_NODE.1);
    let version = process::output(Command::new("node").arg("--version")).with_context(|| need.clone())?;
    if parse_version(&version).is_none_or(|version| version < MIN_NODE) {
        bail!("{need}, but this is {}", version.trim());
    }
    let root = project.root().join(folder);
    let lock_path = root.join("package-lock.json");
    let lock = fs::read(&lock_path).with_context(|| format!("{} cannot be read", lock_path.display()))?;
    let stamp = Stamp::new(project, &format!("npm-{folder}"), (&lock, &version));
    if stamp.is_current() && root.join("node_modules").is_dir() {
        return Ok(Outcome::Skipped("the packages are installed".into()));
    }
    process::run(page::npm(project, &root).args(["ci", "--no-audit", "--no-fund"]))?;
    stamp.write()?;
    Ok(Outcome::Done)
}

/// Major and minor version of `v20.19.1`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(parse_version("v20.9.0\n"), Some((20, 9)));
        assert!(parse_version("v20.9.0").unwrap() < MIN_NODE);
        assert!(parse_version("v22.0.1").unwrap() > MIN_NODE);
        assert_eq!(parse_version("20.9.0"), None);
    }
}
