//! Node and the packages that a folder's `package.json` names.

use anyhow::{Context, Result, bail};
use std::fs;
use std::process::Command;

use crate::page;
use crate::process;
use crate::project::Project;
use crate::stamp::Stamp;
use crate::steps::Outcome;

/// Whether Vite 8 runs on this major and minor version of Node; the same as `engines` in `www/package.json`.
fn is_supported((major, minor): (u32, u32)) -> bool {
    match major {
        20 => minor >= 19,
        22 => minor >= 12,
        _ => major > 22,
    }
}

/// Checks Node, and installs the locked packages of `folder` if they are not those last installed.
pub fn ensure(project: &Project, folder: &str) -> Result<Outcome> {
    let need = "Node 20.19, 22.12 or newer with npm is needed (https://nodejs.org)";
    let version = process::output(Command::new("node").arg("--version")).context(need)?;
    if !parse_version(&version).is_some_and(is_supported) {
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
        assert_eq!(parse_version("20.9.0"), None);
        let supported = |text| parse_version(text).is_some_and(is_supported);
        assert!(["v20.19.0", "v22.12.0", "v24.0.0"].into_iter().all(supported));
        assert!(!["v18.20.0", "v20.9.0", "v21.7.0", "v22.0.1"].into_iter().any(supported));
    }
}
