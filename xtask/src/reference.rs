//! Regenerates the reference data with Python.

use anyhow::Result;
use std::process::Command;

use crate::process;
use crate::project::Project;
use crate::setup::python;
use crate::steps::{Outcome, Steps};

const SCRIPTS: [&str; 8] = [
    "reference/generate.py",
    "reference/receptive_field.py",
    "reference/figure3.py",
    "reference/check_program.py",
    "reference/images.py",
    "reference/labels.py",
    "reference/weights.py",
    "reference/caffe_model.py",
];

/// Makes a virtual environment with the pinned packages and runs the generators in it.
pub fn run(project: &Project, steps: &mut Steps) -> Result<()> {
    let python = python::environment(project, steps, "reference")?;
    for script in SCRIPTS {
        steps.run(script, || {
            process::run(Command::new(&python).arg(script).current_dir(project.root()))?;
            Ok(Outcome::Done)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// `cargo xtask bench` runs this one.
    const ELSEWHERE: &str = "reference/export_onnx.py";

    #[test]
    fn every_program_in_the_folder_is_run() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut programs = 0;
        for entry in fs::read_dir(root.join("reference")).unwrap() {
            let path = entry.unwrap().path();
            let is_program = || fs::read_to_string(&path).unwrap().contains("__name__ == \"__main__\"");
            if path.extension().is_none_or(|e| e != "py") || !is_program() {
                continue;
            }
            programs += 1;
            let name = format!("reference/{}", path.file_name().unwrap().to_string_lossy());
            assert!(SCRIPTS.contains(&name.as_str()) || name == ELSEWHERE, "{name} is not run");
        }
        assert!(programs > 4);
        assert!(SCRIPTS.iter().all(|script| root.join(script).is_file()));
    }
}
