//! A compiler with the standard library of wasm32: the toolchain in use, else the one of Debian.

use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Purpose, debian};
use crate::process;

/// The target triple of the browser build.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];
const DEBIAN_CLIPPY: &str = "rust-web-clippy";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKER: &str = "/usr/bin/rust-lld";
/// The name under which rustup offers Debian's toolchain, for builds by hand: `cargo +web`.
const LINKED_NAME: &str = "web";

/// The toolchain that compiles for wasm32.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum WasmToolchain {
    /// The one that also compiles for this machine.
    Current,
    /// Debian's, in `/usr`.
    Debian,
}

impl WasmToolchain {
    /// This toolchain's Cargo.
    pub fn cargo(self) -> Command {
        let mut command = match self {
            Self::Current => Command::new("cargo"),
            Self::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                command.env("RUSTC", DEBIAN_RUSTC).env("RUSTDOC", "/usr/bin/rustdoc").env_remove("RUSTUP_TOOLCHAIN");
                command.env("PATH", path_with_usr_bin_first());
                command
            }
        };
        // Cargo sets the first for its subcommands; the others would replace the flags of .cargo/config.toml.
        command.env_remove("CARGO").env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command
    }

    /// The compiler's name with its version and commit.
    pub fn version(self) -> Result<String> {
        Ok(process::output(self.rustc().arg("--version"))?.trim().to_owned())
    }

    /// Name and bytes of each file of the standard library for wasm32, in order; the names hold a hash of how it was built.
    pub fn standard_library(self) -> Result<Vec<(String, u64)>> {
        let folder = process::output(self.rustc().args(["--print", "target-libdir", "--target", WASM_TARGET]))?;
        let folder = Path::new(folder.trim());
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
            let entry = entry?;
            files.push((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.len()));
        }
        files.sort();
        Ok(files)
    }

    fn rustc(self) -> Command {
        match self {
            Self::Current => Command::new("rustc"),
            Self::Debian => {
                let mut command = Command::new(DEBIAN_RUSTC);
                command.env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        }
    }

    /// Whether this toolchain compiles and links an empty module for wasm32, with link-time optimisation.
    fn works(self) -> bool {
        let folder = env::temp_dir().join(format!("sklens-probe-{}", std::process::id()));
        let source = folder.join("probe.rs");
        let prepared = fs::create_dir_all(&folder).and_then(|()| fs::write(&source, ""));
        let works = prepared.is_ok()
            && process::output(
                self.rustc()
                    .args(["--target", WASM_TARGET, "--crate-type=cdylib", "-Cpanic=abort", "-Clto=fat", "--out-dir"])
                    .arg(&folder)
                    .arg(&source),
            )
            .is_ok();
        // Left-overs in the temporary folder harm nobody.
        let _ = fs::remove_dir_all(&folder);
        works
    }
}

/// Finds or makes a toolchain for wasm32: installed target, `rustup target add`, Debian's packages.
pub fn ensure(purpose: Purpose) -> Result<WasmToolchain> {
    if WasmToolchain::Current.works() {
        return Ok(WasmToolchain::Current);
    }
    // Where this was needed once, rustup could not add the target; asking it again each time only costs seconds.
    let prepared = debian::is_here() && WasmToolchain::Debian.works();
    if !prepared && process::find_program("rustup").is_some() {
        let added = process::run(Command::new("rustup").args(["target", "add", WASM_TARGET]));
        if added.is_ok() && WasmToolchain::Current.works() {
            return Ok(WasmToolchain::Current);
        }
        println!("  rustup cannot add the target here; Debian's Rust is the next choice");
    }
    ensure_distribution(purpose)?;
    link_toolchain();
    Ok(WasmToolchain::Debian)
}

/// Installs Debian's Rust and builds its standard library for wasm32.
pub fn ensure_distribution(purpose: Purpose) -> Result<()> {
    if !debian::is_here() {
        bail!(
            "the standard library for {WASM_TARGET} is missing; run `rustup target add {WASM_TARGET}` \
             (or install your distribution's package of it) and try again"
        );
    }
    debian::install(&DEBIAN_PACKAGES)?;
    if purpose == Purpose::Test {
        debian::install(&[DEBIAN_CLIPPY])?;
    }
    if let Some(package) = missing_linker_package() {
        debian::install(&[&package])?;
    }
    if WasmToolchain::Debian.works() {
        return Ok(());
    }
    if !debian::is_root() {
        let executable = env::current_exe().unwrap_or_else(|_| "xtask".into());
        bail!("the standard library must be built into /usr once; run `sudo {} setup --system`", executable.display());
    }
    build_standard_library()?;
    if !WasmToolchain::Debian.works() {
        bail!("{DEBIAN_RUSTC} cannot compile for {WASM_TARGET} although its standard library was just built");
    }
    Ok(())
}

/// The package of the linker, which Debian's Rust links to by name but does not depend on.
fn missing_linker_package() -> Option<String> {
    if Path::new(DEBIAN_LINKER).exists() {
        return None;
    }
    // A dangling link such as `lld-22`, which is also the package's name.
    let target = fs::read_link(DEBIAN_LINKER).ok();
    let name = target.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    Some(name.unwrap_or("lld").to_owned())
}

/// Compiles std from Debian's source package and puts it where Debian's rustc looks for it.
fn build_standard_library() -> Result<()> {
    let folder = env::temp_dir().join(format!("sklens-std-{}", std::process::id()));
    let result = build_standard_library_in(&folder);
    let _ = fs::remove_dir_all(&folder);
    result.context("Debian's standard library could not be built for wasm32")
}

fn build_standard_library_in(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "#![no_std]\n")?;
    fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"carrier\"\nedition = \"2024\"\n[profile.release]\npanic = \"abort\"\n[workspace]\n",
    )?;
    process::run(
        WasmToolchain::Debian
            .cargo()
            .current_dir(folder)
            .args([
                "build",
                "--release",
                "-Zbuild-std=std,panic_abort,test",
                "--target",
                WASM_TARGET,
                "--target-dir",
                "out",
            ])
            .env("RUSTC_BOOTSTRAP", "1")
            // Fat LTO needs the bitcode of every crate.
            .env("RUSTFLAGS", "-Cembed-bitcode=yes"),
    )?;
    let sysroot = process::output(WasmToolchain::Debian.rustc().args(["--print", "sysroot"]))?;
    let installed = Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).join("lib");
    if installed.exists() {
        fs::remove_dir_all(&installed)?;
    }
    fs::create_dir_all(&installed)?;
    for entry in fs::read_dir(folder.join("out").join(WASM_TARGET).join("release/deps"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".rlib") && !name.starts_with("libcarrier") {
            fs::copy(&path, installed.join(name))?;
        }
    }
    Ok(())
}

/// Lets people use Debian's toolchain through rustup; the build itself does not need it.
fn link_toolchain() {
    let known = process::output(Command::new("rustup").args(["toolchain", "list"]));
    if known.is_ok_and(|list| !list.lines().any(|line| line.split_whitespace().next() == Some(LINKED_NAME)))
        && let Err(error) = process::run(Command::new("rustup").args(["toolchain", "link", LINKED_NAME, "/usr"]))
    {
        println!("  {error:#}; `cargo +{LINKED_NAME}` will not work");
    }
}

fn path_with_usr_bin_first() -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::from("/usr/bin")).chain(env::split_paths(&path));
    env::join_paths(folders).expect("the folders come from PATH")
}
