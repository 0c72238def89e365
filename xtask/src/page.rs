//! The JavaScript API and the page: npm scripts of `www/package.json`.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::project::Project;
use crate::steps::{Outcome, Steps};

/// npm, working in `folder`.
pub fn npm(project: &Project, folder: &Path) -> Command {
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.arg("--prefix").arg(folder).current_dir(project.root());
    command
}

/// Builds the JavaScript API into `pkg/` and the page into `dist/`.
pub fn build(project: &Project, steps: &mut Steps) -> Result<()> {
    build_api(project, steps)?;
    steps.run("page", || produce(project, "build", &project.dist().join("index.html")))
}

/// Builds the JavaScript API into `pkg/`.
pub fn build_api(project: &Project, steps: &mut Steps) -> Result<()> {
    steps.run("JavaScript API", || produce(project, "build:api", &project.pkg().join("sklens.js")))
}

/// Builds the page into `dist/` once more, for any static host: with a service worker, compressed copies, and `mirrors` as
/// further places of weights.
pub fn publish(project: &Project, mirrors: &[String]) -> Result<Outcome> {
    let mirrors = mirrors.join(" ");
    script(project, "build", &[("VITE_OFFLINE", Path::new("1")), ("SKLENS_MIRRORS", Path::new(&mirrors))])
}

/// Runs a script of `www/package.json` with extra environment variables.
pub fn script(project: &Project, name: &str, environment: &[(&str, &Path)]) -> Result<Outcome> {
    process::run(npm(project, &project.www()).args(["run", name]).envs(environment.iter().copied()))?;
    Ok(Outcome::Done)
}

/// Runs a script that must write `file`.
fn produce(project: &Project, name: &str, file: &Path) -> Result<Outcome> {
    let outcome = script(project, name, &[])?;
    if !file.is_file() {
        bail!("the npm script {name} succeeded without writing {}", file.display());
    }
    Ok(outcome)
}

/// Where npm put the program `name` of a package.
pub fn node_program(project: &Project, name: &str) -> Result<PathBuf> {
    let suffix = if cfg!(windows) { ".cmd" } else { "" };
    let path = project.www().join("node_modules/.bin").join(format!("{name}{suffix}"));
    path.is_file().then_some(path).with_context(|| format!("{name} is not among the packages of www/package.json"))
}
