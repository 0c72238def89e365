//! Every check and test, cheapest first.

use anyhow::Result;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::audit;
use crate::page;
use crate::process;
use crate::project::Project;
use crate::release;
use crate::serve;
use crate::setup::{self, Purpose, WasmToolchain, python};
use crate::steps::{Outcome, Steps};
use crate::wasm;

/// Long enough for every kernel test on a software adapter; a hang still ends.
const BROWSER_TEST_SECONDS: &str = "900";
/// The folder of the trainer.
const TRAINING: &str = "training";
const BUILD_TOOLS: [&str; 5] =
    ["--profile=xtask", "--package=xtask", "--package=wasm-test-runner", "--color=auto", "--quiet"];

/// One part of `cargo xtask test`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// rustfmt
    Format,
    /// Clippy, natively and for wasm32, without warnings
    Clippy,
    /// Licences and origins of dependencies; known weaknesses where the registries tell them
    Audit,
    /// Native tests
    Native,
    /// Documentation without warnings
    Docs,
    /// The wasm build, its dependencies and its size
    Wasm,
    /// Kernel tests in headless Chromium on WebGPU
    Browser,
    /// The JavaScript API and the page: build, types, unit tests
    Page,
    /// The page in headless Chromium (after a build: wasm and page)
    EndToEnd,
    /// The trainer's tests; they need PyTorch (5 GB), so they run when asked for or once it is installed
    Training,
}

/// Runs the checks in `only`, or all if it is empty; stops at the first failure.
pub fn run(project: &Project, steps: &mut Steps, only: &[Check]) -> Result<()> {
    let toolchain = setup::run(project, steps, Purpose::Test)?;
    for check in Check::value_variants().iter().filter(|check| only.is_empty() || only.contains(check)) {
        match check {
            Check::Format => steps.run("format", || cargo(project, &["fmt", "--all", "--check"]))?,
            Check::Clippy => clippy(project, steps, &toolchain)?,
            Check::Audit => audit::run(project, steps)?,
            Check::Native => native(project, steps)?,
            Check::Docs => steps.run("documentation", || documentation(project))?,
            Check::Wasm => wasm::build(project, steps, &toolchain)?,
            Check::Browser => steps.run("kernel tests in the browser", || browser(project, &toolchain))?,
            Check::Page => {
                page::build(project, steps)?;
                steps.run("recorded hashes of pkg/", || release::check_record(project, &toolchain))?;
                steps.run("page types", || page::script(project, "check", &[]))?;
                steps.run("page unit tests", || page::script(project, "test", &[]))?;
            }
            Check::EndToEnd => steps.run("page in the browser", || end_to_end(project))?,
            Check::Training if only.contains(check) || python::is_installed(project, TRAINING) => {
                let python = python::environment(project, steps, TRAINING)?;
                steps.run("trainer", || trainer(project, &python))?;
            }
            Check::Training => steps.run("trainer", || {
                Ok(Outcome::Skipped("it needs PyTorch: `cargo xtask test --only training` installs it, 5 GB".into()))
            })?,
        }
    }
    Ok(())
}

fn cargo(project: &Project, arguments: &[&str]) -> Result<Outcome> {
    process::run(Command::new("cargo").current_dir(project.root()).args(arguments))?;
    Ok(Outcome::Done)
}

fn clippy(project: &Project, steps: &mut Steps, toolchain: &WasmToolchain) -> Result<()> {
    steps
        .run("clippy", || cargo(project, &["clippy", "--package=sklens", "--all-targets", "--", "--deny=warnings"]))?;
    steps.run("clippy for build tools", || {
        cargo(project, &[&["clippy"], &BUILD_TOOLS[..], &["--all-targets", "--", "--deny=warnings"]].concat())
    })?;
    steps.run("clippy for wasm32", || {
        process::run(
            wasm::cargo(project, toolchain, "clippy")
                .args(["--package=sklens", "--lib", "--test=browser", "--no-default-features"])
                .args(["--", "--deny=warnings"]),
        )?;
        for features in ["--features=pictures", "--features=readers", "--features=measure", "--features=bench"] {
            process::run(
                wasm::cargo(project, toolchain, "clippy")
                    .args(["--package=sklens", "--lib", "--no-default-features", features])
                    .args(["--", "--deny=warnings"]),
            )?;
        }
        Ok(Outcome::Done)
    })
}

fn native(project: &Project, steps: &mut Steps) -> Result<()> {
    steps.run("tests", || cargo(project, &["test", "--package=sklens"]))?;
    steps.run("tests of build tools", || cargo(project, &[&["test"], &BUILD_TOOLS[..]].concat()))
}

/// Runs a test that goes on for as long as it is told, with optimisation, for `minutes`.
pub fn for_minutes(project: &Project, test: &str, minutes: u64) -> Result<Outcome> {
    process::run(
        Command::new("cargo")
            .current_dir(project.root())
            .args(["test", "--release", "--package=sklens", "--test", test, "--", "--nocapture"])
            .env(format!("SKLENS_{}_SECONDS", test.to_uppercase()), (minutes * 60).to_string()),
    )?;
    Ok(Outcome::Done)
}

/// Runs the tests that reach `unsafe` code, and are small enough, under Miri.
pub fn miri(project: &Project) -> Result<Outcome> {
    process::run(
        Command::new("cargo")
            .current_dir(project.root())
            .args(["+nightly", "miri", "test", "--package=sklens", "--lib", "--no-default-features", "--target-dir"])
            .arg(project.target().join("miri"))
            .arg("small_products"),
    )?;
    Ok(Outcome::Done)
}

fn documentation(project: &Project) -> Result<Outcome> {
    process::run(Command::new("cargo").current_dir(project.root()).env("RUSTDOCFLAGS", "--deny=warnings").args([
        "doc",
        "--package=sklens",
        "--no-deps",
    ]))?;
    Ok(Outcome::Done)
}

/// Builds `tests/browser.rs` for wasm32 and runs it in headless Chromium with the flags of `webdriver.json`.
fn browser(project: &Project, toolchain: &WasmToolchain) -> Result<Outcome> {
    cargo(project, &["build", "--profile=xtask", "--package=wasm-test-runner"])?;
    process::run(
        wasm::cargo(project, toolchain, "test")
            .args(["--package=sklens", "--test=browser", "--no-default-features"])
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", program(project, "xtask", "wasm-test-runner"))
            .env("CHROMEDRIVER", setup::chromedriver()?)
            .env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TEST_SECONDS)
            .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", project.root().join("webdriver.json")),
    )?;
    Ok(Outcome::Done)
}

/// Runs the tests in `training/`, on one thread: PyTorch's own pool loses most of its time on shared cores.
fn trainer(project: &Project, python: &Path) -> Result<Outcome> {
    process::run(
        Command::new(python)
            .args(["-m", "pytest", "--quiet", "tests"])
            .current_dir(project.root().join(TRAINING))
            .env("OMP_NUM_THREADS", "1"),
    )?;
    Ok(Outcome::Done)
}

/// Serves the built page and runs the npm script `e2e` with the page's address in `SKLENS_URL`, the command line tool
/// to compare with in `SKLENS_CLI`, the folder of the authors' weights files in `SKLENS_WEIGHTS`, and the browsers
/// in `SKLENS_CHROMIUM` and `SKLENS_FIREFOX`.
fn end_to_end(project: &Project) -> Result<Outcome> {
    cargo(project, &["build", "--package=sklens", "--bin=sklens"])?;
    cargo(project, &["test", "--package=sklens", "--test=weight_formats", "the_authors_files"])?;
    let (url, _thread) = serve::start(serve::bind(Some(0))?, &project.dist())?;
    page::script(
        project,
        "e2e",
        &[
            ("SKLENS_URL", Path::new(&url)),
            ("SKLENS_CLI", &program(project, "debug", "sklens")),
            ("SKLENS_WEIGHTS", &project.target().join("tmp")),
            ("SKLENS_CHROMIUM", &setup::chromium()?),
            ("SKLENS_FIREFOX", &setup::firefox()?),
        ],
    )
}

fn program(project: &Project, profile: &str, name: &str) -> PathBuf {
    project.target().join(profile).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
