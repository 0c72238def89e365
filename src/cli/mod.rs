//! The command line: results on standard output, everything else on standard error.

mod analyze;
mod bench;
mod convert;
mod download;
mod eval;
mod inspect;
mod labels;
mod merge;
mod model;
mod models;
mod network;
mod photos;
mod progress;
mod receptive_field;
mod sweep;
mod tunings;
mod weights;

use crate::{Error, Result};
use clap::{Parser, Subcommand};
use serde::Serialize;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// Exit status where some inputs failed.
const SOME_FAILED: u8 = 1;
/// Exit status where nothing could be tried: wrong options, unknown model, unusable weights.
const USAGE: u8 = 2;

/// Watch a Selective Kernel network choose its receptive field.
#[derive(Debug, Parser)]
#[command(name = "sklens", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Attention and predictions for photos.
    Analyze(Box<analyze::Analyze>),
    /// Times of the layers against what the device can do.
    Bench(bench::Bench),
    /// Top-1 and top-5 accuracy on photos of known classes.
    Eval(eval::Eval),
    /// Attention of every SK unit for the photos of a folder, as a Parquet file.
    Sweep(Box<sweep::Sweep>),
    /// The files of a sweep in shards as one, and its summary.
    Merge(merge::Merge),
    /// The networks with parameters, multiply-adds and SK units.
    Models(models::Models),
    /// What a weights file holds, and whose weights it is.
    Inspect(inspect::Inspect),
    /// Weights of any format as safetensors, with batch norms folded or not.
    Convert(convert::Convert),
    /// Which pixels act on an SK unit's output at one place.
    ReceptiveField(Box<receptive_field::ReceptiveField>),
}

/// Runs the tool; the status is 0, 1 if some inputs failed, 2 if the call was wrong.
pub fn run(cli: &Cli) -> ExitCode {
    let outcome = match &cli.command {
        Command::Analyze(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Sweep(command) => command.run(),
        Command::Merge(command) => command.run(),
        Command::Models(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Convert(command) => command.run(),
        Command::ReceptiveField(command) => command.run(),
    };
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(SOME_FAILED),
        Err(error) => {
            eprintln!("sklens: {error}");
            ExitCode::from(USAGE)
        }
    }
}

/// Writes a line of results; fails where standard output does, for example into a closed pipe.
fn print(line: impl Display) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").map_err(|e| Error::bad_option(format!("cannot write the results: {e}")))
}

fn print_json(value: &impl Serialize) -> Result<()> {
    print(serde_json::to_string(value).map_err(|e| Error::bad_option(format!("cannot write JSON: {e}")))?)
}
