//! Where things are in the working copy.

use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};

/// The working copy and its build directory.
pub struct Project {
    root: PathBuf,
    target: PathBuf,
}

impl Project {
    /// Finds the working copy from Cargo's environment, and the build directory from this program's own place in it.
    pub fn locate() -> Result<Self> {
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest_dir).parent().context("xtask has no parent folder")?.to_owned();
        let executable = env::current_exe().context("the path of xtask's executable is unknown")?;
        let target = executable.ancestors().nth(2).context("xtask is outside a build directory")?.to_owned();
        Ok(Self { root, target })
    }

    /// A copy of the sources at `root` that is built into `target`.
    pub fn copied(root: PathBuf, target: PathBuf) -> Self {
        Self { root, target }
    }

    /// The top folder of the working copy.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's build directory.
    pub fn target(&self) -> &Path {
        &self.target
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
