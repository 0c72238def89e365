//! Python's virtual environments under the build directory, each with the packages that a folder pins.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::debian;
use crate::process;
use crate::project::Project;
use crate::stamp::Stamp;
use crate::steps::{Outcome, Steps};

/// The interpreter with the module that makes environments.
const DEBIAN_PACKAGES: [&str; 1] = ["python3-venv"];

/// Makes the virtual environment of the packages that `FOLDER/requirements.txt` pins; returns its interpreter.
pub fn environment(project: &Project, steps: &mut Steps, folder: &str) -> Result<PathBuf> {
    steps.run("Python packages", || install(project, folder))?;
    Ok(place(project, folder).1)
}

/// Whether `environment` was called for this folder before, perhaps with other pinned packages.
pub fn is_installed(project: &Project, folder: &str) -> bool {
    place(project, folder).1.is_file()
}

/// The program `name` of a folder's packages, which `install` puts there.
pub fn program(project: &Project, folder: &str, name: &str) -> PathBuf {
    place(project, folder).1.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// A folder's virtual environment and the interpreter in it.
fn place(project: &Project, folder: &str) -> (PathBuf, PathBuf) {
    let venv = project.target().join(format!("{folder}-venv"));
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    (venv, python)
}

/// Makes the virtual environment, if it is not that of the same packages.
pub fn install(project: &Project, folder: &str) -> Result<Outcome> {
    let (venv, python) = place(project, folder);
    let requirements = project.root().join(folder).join("requirements.txt");
    let pinned = fs::read(&requirements).with_context(|| format!("{} cannot be read", requirements.display()))?;
    let system_python = if cfg!(windows) { "python" } else { "python3" };
    if process::find_program(system_python).is_none() && debian::is_here() {
        debian::install(&DEBIAN_PACKAGES)?;
    }
    let version =
        process::output(Command::new(system_python).arg("--version")).context("Python 3.11 or newer is needed")?;
    let stamp = Stamp::new(project, &format!("{folder}-venv"), (&pinned, &version));
    if stamp.is_current() && python.is_file() {
        return Ok(Outcome::Skipped("the packages are installed".into()));
    }
    // Debian splits venv's bootstrap off into a package of its own.
    if process::output(Command::new(system_python).args(["-c", "import ensurepip"])).is_err() {
        if !debian::is_here() {
            bail!("{system_python} lacks the modules venv and ensurepip; please install them");
        }
        debian::install(&DEBIAN_PACKAGES)?;
    }
    process::run(Command::new(system_python).args(["-m", "venv", "--clear"]).arg(&venv))?;
    process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    stamp.write()?;
    Ok(Outcome::Done)
}
