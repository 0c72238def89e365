//! The `sklens` command line tool.

use clap::Parser;
use sklens::cli::{Cli, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(&Cli::parse())
}
