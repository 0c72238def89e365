//! The WebAssembly modules in `pkg/`, with their bindings and types: the engine and its measurements, plain and with relaxed
//! SIMD, and the decoders and readers that it seldom needs.

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

use crate::notices;
use crate::page;
use crate::process;
use crate::project::Project;
use crate::release;
use crate::setup::{WASM_TARGET, WasmToolchain};
use crate::stamp::Stamp;
use crate::steps::{Outcome, Steps};

/// The largest first module, gzipped.
const MAX_GZIPPED: usize = 450 * 1024;
/// Crates of wgpu's native side, which the browser brings itself.
const FORBIDDEN_CRATES: [&str; 3] = ["naga", "wgpu-core", "wgpu-hal"];
const OPTIMIZATION: &str = "-O3";

/// A module: the library with some of its features.
struct Module {
    name: &'static str,
    features: &'static str,
    /// Of the processor, beside those of `.cargo/config.toml`.
    target_feature: Option<&'static str>,
    /// Whether pages load it at once.
    first: bool,
}

impl Module {
    const fn new(name: &'static str, features: &'static str) -> Self {
        Self { name, features, target_feature: None, first: false }
    }

    /// The engine.
    const fn engine(name: &'static str) -> Self {
        Self { first: true, ..Self::new(name, "") }
    }

    /// The same, for browsers that know relaxed SIMD.
    const fn relaxed(self, name: &'static str) -> Self {
        Self { name, target_feature: Some("relaxed-simd"), ..self }
    }

    /// Its own build directory: one directory would compile everything again whenever the flags change.
    fn target(&self, project: &Project) -> PathBuf {
        let base = project.wasm_target();
        self.target_feature.map_or(base.clone(), |feature| base.join(feature))
    }
}

const ENGINE: Module = Module::engine("engine");
const MEASURE: Module = Module::new("measure", "measure");
const MODULES: [Module; 6] = [
    ENGINE,
    ENGINE.relaxed("engine_relaxed"),
    MEASURE,
    MEASURE.relaxed("measure_relaxed"),
    Module::new("pictures", "pictures"),
    Module::new("readers", "readers"),
];

const BENCH: Module = Module::new("operator", "bench");

/// Compiles the library once for each module, generates the bindings, optimises and checks the size.
pub fn build(project: &Project, steps: &mut Steps, toolchain: &WasmToolchain) -> Result<()> {
    steps.run("wasm dependencies", || check_dependencies(project))?;
    MODULES.iter().try_for_each(|module| build_module(project, steps, toolchain, module, &project.pkg()))?;
    steps.run("licences of crates", || {
        let features = MODULES.map(|module| module.features).join(",");
        let build = ["--no-default-features", "--target", WASM_TARGET, "--features", &features];
        notices::write(project, &build, &project.pkg().join("THIRD-PARTY.txt"))?;
        Ok(Outcome::Done)
    })
}

/// Builds the module of single operators into `folder`.
pub fn build_bench(project: &Project, steps: &mut Steps, toolchain: &WasmToolchain, folder: &Path) -> Result<()> {
    build_module(project, steps, toolchain, &BENCH, folder)
}

fn build_module(
    project: &Project,
    steps: &mut Steps,
    toolchain: &WasmToolchain,
    module: &Module,
    folder: &Path,
) -> Result<()> {
    let name = module.name;
    // All modules are the same file for Cargo, which compiles each anew once it has compiled another.
    let sources = release::inputs(project, toolchain).ok();
    let stamp = || {
        let inputs = (sources.as_ref()?, module.features, module.target_feature, built(folder, name)?);
        Some(Stamp::new(project, &format!("module-{name}"), inputs))
    };
    if stamp().is_some_and(|stamp| stamp.is_current()) {
        return steps.run(&format!("{name}: compilation"), || Ok(Outcome::Skipped("the sources are unchanged".into())));
    }
    steps.run(&format!("{name}: compilation"), || {
        let mut command = cargo_without_folder(project, toolchain, "build");
        if let Some(feature) = module.target_feature {
            command.args(["--config", &rustflags(&format!("-Ctarget-feature=+{feature}"))]);
        }
        command.arg("--target-dir").arg(module.target(project));
        process::run(command.args([
            "--package=sklens",
            "--lib",
            "--profile=wasm",
            "--no-default-features",
            "--features",
            module.features,
        ]))?;
        Ok(Outcome::Done)
    })?;
    steps.run(&format!("{name}: bindings"), || bind(project, module, folder))?;
    if module.first {
        steps.run(&format!("{name}: size"), || check_size(&folder.join(format!("{name}_bg.wasm"))))?;
    }
    stamp().map_or(Ok(()), |stamp| stamp.write())
}

/// `cargo SUBCOMMAND` for wasm32, with the toolchain that can compile it and a build directory of its own.
pub fn cargo(project: &Project, toolchain: &WasmToolchain, subcommand: &str) -> Command {
    let mut command = cargo_without_folder(project, toolchain, subcommand);
    command.arg("--target-dir").arg(project.wasm_target());
    command
}

fn cargo_without_folder(project: &Project, toolchain: &WasmToolchain, subcommand: &str) -> Command {
    let mut command = toolchain.cargo();
    command.current_dir(project.root()).env("CARGO_HOME", project.cargo_home()).args([
        subcommand,
        "--target",
        WASM_TARGET,
        "--config",
        &without_home_folder(project),
    ]);
    command
}

/// Keeps the folder of Cargo's registry out of the messages of panics, where it would differ between machines.
fn without_home_folder(project: &Project) -> String {
    rustflags(&format!("--remap-path-prefix={}=cargo", project.cargo_home().display()))
}

/// A setting that adds a flag to those of `.cargo/config.toml`.
fn rustflags(flag: &str) -> String {
    // TOML escapes strings as Rust does.
    format!("target.{WASM_TARGET}.rustflags=[{flag:?}]")
}

fn check_dependencies(project: &Project) -> Result<Outcome> {
    let tree = process::output(Command::new("cargo").current_dir(project.root()).args([
        "tree",
        "--package=sklens",
        "--no-default-features",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
        "--target",
        WASM_TARGET,
    ]))?;
    let crates: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    if !crates.contains(&"wgpu") {
        bail!("the wasm build does not depend on wgpu; has `cargo tree` changed its output?");
    }
    if let Some(forbidden) = FORBIDDEN_CRATES.iter().find(|name| crates.contains(name)) {
        bail!(
            "the wasm build depends on {forbidden}; `cargo tree --target {WASM_TARGET} --invert {forbidden}` tells why"
        );
    }
    Ok(Outcome::Done)
}

/// The files of a module that are in `folder`, if all are.
fn built(folder: &Path, module: &str) -> Option<Vec<Vec<u8>>> {
    [".js", ".d.ts", "_bg.wasm"].iter().map(|end| fs::read(folder.join(format!("{module}{end}"))).ok()).collect()
}

fn bind(project: &Project, module: &Module, folder: &Path) -> Result<Outcome> {
    let name = module.name;
    let input = module.target(project).join(WASM_TARGET).join("wasm/sklens.wasm");
    let wasm = fs::read(&input).with_context(|| format!("{} cannot be read", input.display()))?;
    let output = folder.join(format!("{name}_bg.wasm"));
    let wasm_opt = page::node_program(project, "wasm-opt")?;
    let lock = fs::read(project.www().join("package-lock.json")).unwrap_or_default();
    let stamp = || {
        let inputs = (&wasm, &lock, OPTIMIZATION, built(folder, name)?);
        Some(Stamp::new(project, &format!("bindings-of-{name}"), inputs))
    };
    if stamp().is_some_and(|stamp| stamp.is_current()) {
        return Ok(Outcome::Skipped("the module is unchanged".into()));
    }
    Bindgen::new()
        .input_bytes(name, wasm.clone())
        .web(true)?
        .out_name(name)
        // Otherwise `await init()` needs a URL.
        .omit_default_module_path(false)
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .context("wasm-bindgen failed")?;
    let optimized = output.with_extension("wasm.optimized");
    process::run(Command::new(wasm_opt).arg(OPTIMIZATION).arg(&output).arg("-o").arg(&optimized))?;
    fs::rename(&optimized, &output)?;
    stamp().map_or(Ok(()), |stamp| stamp.write())?;
    Ok(Outcome::Done)
}

fn check_size(module: &Path) -> Result<Outcome> {
    let wasm = fs::read(module)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&wasm)?;
    let gzipped = encoder.finish()?.len();
    println!(
        "  {}: {:.1} KiB, gzipped {:.1} of at most {} KiB",
        module.display(),
        wasm.len() as f64 / 1024.0,
        gzipped as f64 / 1024.0,
        MAX_GZIPPED / 1024
    );
    if gzipped > MAX_GZIPPED {
        bail!("{} is {gzipped} bytes gzipped, more than {MAX_GZIPPED}", module.display());
    }
    Ok(Outcome::Done)
}
