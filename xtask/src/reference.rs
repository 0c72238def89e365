//! Regenerates the reference data with Python.

use anyhow::Result;
use std::process::Command;

use crate::process;
use crate::project::Project;
use crate::setup::python;
use crate::steps::{Outcome, Steps};

const SCRIPTS: [&str; 6] = [
    "reference/generate.py",
    "reference/receptive_field.py",
    "reference/images.py",
    "reference/labels.py",
    "reference/weights.py",
    "reference/caffe_model.py",
];

/// Makes a virtual environment with the pinned packages and runs the generators in it.
pub fn run(project: &Project, steps: &mut Steps) -> Result<()> {
    let python = python::environment(project, steps, "reference")?;
    for script in SCRIPTS.iter().filter(|script| project.root().join(script).is_file()) {
        steps.run(script, || {
            process::run(Command::new(&python).arg(script).current_dir(project.root()))?;
            Ok(Outcome::Done)
        })?;
    }
    Ok(())
}
