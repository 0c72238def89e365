//! The project's own build steps: `cargo xtask demo`, `cargo xtask test` and their parts.

mod audit;
mod bench;
mod notices;
mod page;
mod process;
mod project;
mod reference;
mod release;
mod serve;
mod setup;
mod stamp;
mod steps;
mod test;
mod wasm;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::project::Project;
use crate::setup::Purpose;
use crate::steps::Steps;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, serve and test SK Lens", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and serve the page until stopped
    Demo {
        /// Port to serve on [default: 8080, or the next free one]
        #[arg(long)]
        port: Option<u16>,
    },
    /// Run every check and test
    Test {
        /// Run only this step (may be repeated)
        #[arg(long, value_enum)]
        only: Vec<test::Check>,
    },
    /// Build the wasm engine, the JavaScript API (pkg/) and the page (dist/)
    Build,
    /// Build dist/ for publishing: offline use, compressed copies, and the hash of pkg/
    Dist {
        /// An https address that weights may also come from (may be repeated)
        #[arg(long, value_name = "URL")]
        mirror: Vec<String>,
    },
    /// Build pkg/ twice, the second time from a copy elsewhere, and compare the bytes
    Reproduce {
        /// Keep the hashes in docs/pkg.sha256, with which later builds of the same sources are compared
        #[arg(long)]
        record: bool,
    },
    /// Analyse, reopen and inject faults for some minutes, then print what was done and what was lost
    Soak {
        /// How long
        #[arg(long, default_value_t = 4)]
        minutes: u64,
    },
    /// Mutate weights files for some minutes and read them, then print how many
    Fuzz {
        /// How long
        #[arg(long, default_value_t = 60)]
        minutes: u64,
    },
    /// Run the code around `unsafe` under Miri; needs the nightly toolchain with its component miri
    Miri,
    /// Serve dist/ as it is until stopped
    Serve {
        /// Port to serve on; 0 takes any free one [default: 8080, or the next free one]
        #[arg(long)]
        port: Option<u16>,
    },
    /// Write the licences of the crates in the command line tool, which are given away with it
    Notices {
        /// Where to
        file: PathBuf,
    },
    /// Regenerate the reference data with Python, in a virtual environment under target/
    Reference,
    /// Compare speed with other engines, natively and in headless Chromium; writes docs/benchmarks.md
    Bench(bench::Options),
    /// Check what building and testing need, and install what can be installed
    Setup {
        /// Only what needs the system's package manager (the part that wants root)
        #[arg(long)]
        system: bool,
    },
}

fn main() -> ExitCode {
    let mut steps = Steps::default();
    match run(Cli::parse().task, &mut steps) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task, steps: &mut Steps) -> Result<()> {
    let project = Project::locate()?;
    match task {
        Task::Demo { port } => {
            // A taken port should be reported before the build, not after it.
            let listener = serve::bind(port)?;
            build(&project, steps)?;
            serve::run(listener, &project.dist())
        }
        Task::Test { only } => {
            let outcome = test::run(&project, steps, &only);
            steps.print_table();
            outcome
        }
        Task::Build => build(&project, steps),
        Task::Dist { mirror } => {
            build(&project, steps)?;
            steps.run("site", || page::publish(&project, &mirror))?;
            steps.run("hash of pkg/", || release::record_hash(&project))
        }
        Task::Reproduce { record } => {
            let toolchain = setup::run(&project, steps, Purpose::Build)?;
            wasm::build(&project, steps, &toolchain)?;
            page::build_api(&project, steps)?;
            release::reproduce(&project, steps, &toolchain)?;
            let settle = if record { release::keep_record } else { release::check_record };
            steps.run("recorded hashes", || settle(&project, &toolchain))
        }
        Task::Soak { minutes } => steps.run("soak", || test::for_minutes(&project, "soak", minutes)),
        Task::Fuzz { minutes } => steps.run("fuzz", || test::for_minutes(&project, "fuzz", minutes)),
        Task::Miri => steps.run("unsafe code under Miri", || test::miri(&project)),
        Task::Serve { port } => serve::run(serve::bind(port)?, &project.dist()),
        Task::Notices { file } => notices::write(&project, &[], &file),
        Task::Reference => reference::run(&project, steps),
        Task::Bench(options) => bench::run(&project, steps, &options),
        Task::Setup { system: true } => setup::system(),
        Task::Setup { system: false } => setup::run(&project, steps, Purpose::Test).map(drop),
    }
}

fn build(project: &Project, steps: &mut Steps) -> Result<()> {
    let toolchain = setup::run(project, steps, Purpose::Build)?;
    wasm::build(project, steps, &toolchain)?;
    page::build(project, steps)
}
