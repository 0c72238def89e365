//! Stamps: proof that a step already ran on the same inputs.

use anyhow::{Context, Result};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use crate::project::Project;

/// A file under the build directory that holds the hash of a step's inputs.
pub struct Stamp {
    path: PathBuf,
    hash: String,
}

impl Stamp {
    /// The stamp of step `name` for these inputs.
    pub fn new(project: &Project, name: &str, inputs: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        inputs.hash(&mut hasher);
        Self { path: project.target().join("stamps").join(name), hash: format!("{:016x}", hasher.finish()) }
    }

    /// Whether the step last succeeded on the same inputs.
    pub fn is_current(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|hash| hash == self.hash)
    }

    /// Records that the step succeeded.
    pub fn write(&self) -> Result<()> {
        let folder = self.path.parent().expect("a stamp lies in the stamps folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&self.path, &self.hash))
            .with_context(|| format!("{} cannot be written", self.path.display()))
    }
}
