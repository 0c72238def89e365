//! Where things are in the working copy.

use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};

/// The working copy, its build directory and Cargo's home.
pub struct Project {
    root: PathBuf,
    target: PathBuf,
    cargo_home: PathBuf,
}

impl Project {
    /// Finds the working copy from Cargo's environment, and the build directory from this program's own place in it.
    pub fn locate() -> Result<Self> {
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest_dir).parent().context("xtask has no parent folder")?.to_owned();
        let executable = env::current_exe().context("the path of xtask's executable is unknown")?;
        let target = executable.ancestors().nth(2).context("xtask is outside a build directory")?.to_owned();
        let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo_home = cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo")));
        Ok(Self { root, target, cargo_home: cargo_home.context("neither CARGO_HOME nor a home folder is known")? })
    }

    /// A copy of the sources at `root` that is built into `target` with the registry of `cargo_home`.
    pub fn copied(root: PathBuf, target: PathBuf, cargo_home: PathBuf) -> Self {
        Self { root, target, cargo_home }
    }

    /// The top folder of the working copy.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's build directory.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where Cargo keeps the sources of dependencies.
    pub fn cargo_home(&self) -> &Path {
        &self.cargo_home
    }

    /// The build directory of everything for wasm32, apart because its compiler may be another one.
    pub fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// The page's sources and `package.json`.
    pub fn www(&self) -> PathBuf {
        self.root.join("www")
    }

    /// The built JavaScript package.
    pub fn pkg(&self) -> PathBuf {
        self.root.join("pkg")
    }

    /// The built page.
    pub fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }
}
