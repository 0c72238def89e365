//! Known weaknesses, licences and origins of what the lock files name.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

use crate::page;
use crate::process;
use crate::project::Project;
use crate::steps::{Outcome, Steps};

/// Folders with a `package-lock.json`.
const NODE_FOLDERS: [&str; 2] = ["www", "bench"];

/// Runs `cargo deny` and `npm audit`. What cannot be asked here is skipped, with the reason.
pub fn run(project: &Project, steps: &mut Steps) -> Result<()> {
    steps.run("crates: licences and origins", || deny(project, &["bans", "licenses", "sources"]))?;
    steps.run("crates: known weaknesses", || {
        if process::find_program("cargo-deny").is_some()
            && process::output(cargo_deny(project).args(["fetch", "db"])).is_err()
        {
            return Ok(Outcome::Skipped("the database of weaknesses cannot be reached".into()));
        }
        deny(project, &["advisories"])
    })?;
    NODE_FOLDERS
        .iter()
        .try_for_each(|folder| steps.run(&format!("npm packages of {folder}/"), || npm_audit(project, folder)))
}

fn cargo_deny(project: &Project) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(project.root()).args(["deny", "--locked"]);
    command
}

fn deny(project: &Project, checks: &[&str]) -> Result<Outcome> {
    if process::find_program("cargo-deny").is_none() {
        return Ok(Outcome::Skipped("cargo-deny is missing; `cargo install --locked cargo-deny` installs it".into()));
    }
    process::run(cargo_deny(project).arg("check").args(checks))?;
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
