//! What building and testing need: checked each time, installed where possible, otherwise named exactly.

mod browser;
mod debian;
mod node;
pub mod python;
mod wasm_target;

use anyhow::Result;

use crate::project::Project;
use crate::steps::{Outcome, Steps};

pub use browser::{chromedriver, chromium, firefox};
pub use node::ensure as install_node_packages;
pub use wasm_target::{WASM_TARGET, WasmToolchain};

/// What the environment is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Compiling the engine and the page.
    Build,
    /// Also linting for wasm32 and running the tests, natively and in a browser.
    Test,
}

/// Checks and installs everything for `purpose`; returns the toolchain that compiles for wasm32.
pub fn run(project: &Project, steps: &mut Steps, purpose: Purpose) -> Result<WasmToolchain> {
    let mut toolchain = WasmToolchain::Current;
    steps.run("set-up: wasm32 standard library", || {
        toolchain = wasm_target::ensure(purpose)?;
        Ok(Outcome::Done)
    })?;
    if purpose == Purpose::Test {
        steps.run("set-up: browser and Vulkan", || browser::ensure().map(|()| Outcome::Done))?;
    }
    steps.run("set-up: Node packages", || node::ensure(project, "www"))?;
    Ok(toolchain)
}

/// The part of the set-up that installs into the system, for building and testing.
pub fn system() -> Result<()> {
    wasm_target::ensure_distribution(Purpose::Test)?;
    browser::ensure()
}
