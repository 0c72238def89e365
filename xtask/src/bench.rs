//! Speed against other engines: builds SK Lens and its peers and lets `bench/run.mjs` compare them.

use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::project::Project;
use crate::setup::{self, Purpose, python};
use crate::steps::{Outcome, Steps};
use crate::wasm;

/// The adapter of the machine without a GPU.
const SOFTWARE_ADAPTER: &str = "swiftshader";

#[derive(Args)]
pub struct Options {
    /// Run only this suite (may be repeated); the others keep their last results
    #[arg(long, value_parser = ["native", "wasm", "webgpu"])]
    only: Vec<String>,
    /// Python with the packages of bench/requirements.txt [default: a virtual environment under target/]
    #[arg(long)]
    python: Option<PathBuf>,
    /// Use the machine's own GPU instead of the software adapter
    #[arg(long)]
    hardware: bool,
}

/// Builds everything, exports the networks from PyTorch, runs the suites and writes `docs/benchmarks.md`.
pub fn run(project: &Project, steps: &mut Steps, options: &Options) -> Result<()> {
    let toolchain = setup::run(project, steps, Purpose::Test)?;
    let work = project.target().join("bench");
    let (cases, operator) = (work.join("cases"), work.join("operator"));
    wasm::build(project, steps, &toolchain)?;
    wasm::build_bench(project, steps, &toolchain, &operator)?;
    steps.run("packages of the peers", || setup::install_node_packages(project, "bench"))?;
    let native = project.target().join("bench-native");
    steps.run("native contestants", || {
        process::run(
            Command::new("cargo")
                .current_dir(project.root().join("bench/native"))
                .args(["build", "--release", "--locked", "--target-dir"])
                .arg(&native),
        )?;
        Ok(Outcome::Done)
    })?;
    let python = match &options.python {
        Some(python) => python.clone(),
        None => python::environment(project, steps, "bench")?,
    };
    steps.run("networks from PyTorch", || {
        process::run(Command::new(&python).arg("reference/export_onnx.py").arg(&cases).current_dir(project.root()))?;
        Ok(Outcome::Done)
    })?;
    let program = native.join("release").join(format!("bench-native{}", std::env::consts::EXE_SUFFIX));
    let paths: [(&str, &Path); 7] = [
        ("BENCH_CASES", &cases),
        ("BENCH_OPERATOR", &operator),
        ("BENCH_PKG", &project.pkg()),
        ("BENCH_NATIVE", &program),
        ("BENCH_PYTHON", &python),
        ("BENCH_CHROMIUM", &setup::chromium()?),
        ("BENCH_REPORT", &project.root().join("docs/benchmarks.md")),
    ];
    steps.run("comparison", || {
        let mut command = Command::new("node");
        command.current_dir(project.root().join("bench")).arg("run.mjs").args(&options.only).envs(paths);
        if !options.hardware {
            command.env("BENCH_ADAPTER", SOFTWARE_ADAPTER);
        }
        process::run(&mut command)?;
        Ok(Outcome::Done)
    })
}
