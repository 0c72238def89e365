//! Debian's package manager.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

use crate::process;

/// Whether this is Debian or a relative of it.
pub fn is_here() -> bool {
    Path::new("/etc/debian_version").exists() && process::find_program("apt-get").is_some()
}

/// Installs those of `packages` that are missing. Without root it fails and says what to run.
pub fn install(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_root() {
        bail!("packages are missing; run `sudo apt-get install --no-install-recommends {list}` and try again");
    }
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
        command
    };
    process::run(apt_get().arg("update"))?;
    process::run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(&missing))
        .with_context(|| format!("Debian's packages {list} could not be installed"))
}

/// Whether this process may install packages.
pub fn is_root() -> bool {
    process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn is_installed(package: &str) -> bool {
    process::output(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}
