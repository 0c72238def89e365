//! Regenerates the reference data with Python, and makes virtual environments for it.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::project::Project;
use crate::setup;
use crate::stamp::Stamp;
use crate::steps::{Outcome, Steps};

const SCRIPTS: [&str; 5] = [
    "reference/generate.py",
    "reference/images.py",
    "reference/labels.py",
    "reference/weights.py",
    "reference/caffe_model.py",
];

/// Makes a virtual environment with the pinned packages and runs the generators in it.
pub fn run(project: &Project, steps: &mut Steps) -> Result<()> {
    let python = environment(project, steps, "reference")?;
    for script in SCRIPTS.iter().filter(|script| project.root().join(script).is_file()) {
        steps.run(script, || {
            process::run(Command::new(&python).arg(script).current_dir(project.root()))?;
            Ok(Outcome::Done)
        })?;
    }
    Ok(())
}

/// Makes the virtual environment of the packages that `FOLDER/requirements.txt` pins; returns its interpreter.
pub fn environment(project: &Project, steps: &mut Steps, folder: &str) -> Result<PathBuf> {
    let (venv, python) = place(project, folder);
    steps.run("Python packages", || install(project, folder, &venv, &python))?;
    Ok(python)
}

/// Whether `environment` was called for this folder before, perhaps with other pinned packages.
pub fn is_installed(project: &Project, folder: &str) -> bool {
    place(project, folder).1.is_file()
}

/// A folder's virtual environment and the interpreter in it.
fn place(project: &Project, folder: &str) -> (PathBuf, PathBuf) {
    let venv = project.target().join(format!("{folder}-venv"));
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    (venv, python)
}

fn install(project: &Project, folder: &str, venv: &Path, python: &Path) -> Result<Outcome> {
    let requirements = project.root().join(folder).join("requirements.txt");
    let pinned = fs::read(&requirements).with_context(|| format!("{} cannot be read", requirements.display()))?;
    let system_python = if cfg!(windows) { "python" } else { "python3" };
    let version =
        process::output(Command::new(system_python).arg("--version")).context("Python 3.11 or newer is needed")?;
    let stamp = Stamp::new(project, &format!("{folder}-venv"), (&pinned, &version));
    if stamp.is_current() && python.is_file() {
        return Ok(Outcome::Skipped("the packages are installed".into()));
    }
    // Debian splits venv's bootstrap off into a package of its own.
    if process::output(Command::new(system_python).args(["-c", "import ensurepip"])).is_err() {
        if process::find_program("apt-get").is_none() {
            bail!("{system_python} lacks the modules venv and ensurepip; please install them");
        }
        setup::install_packages(&["python3-venv"])?;
    }
    process::run(Command::new(system_python).args(["-m", "venv", "--clear"]).arg(venv))?;
    process::run(Command::new(python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    stamp.write()?;
    Ok(Outcome::Done)
}
