//! `sklens models`.

use super::{print, print_json};
use crate::Result;
use crate::session::models;
use clap::Args;

/// Lists the presets.
#[derive(Debug, Args)]
pub struct Models {
    /// One JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

impl Models {
    /// Prints the list; the number of failures is always 0.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn run(&self) -> Result<usize> {
        let models = models()?;
        if self.json {
            print_json(&models)?;
            return Ok(0);
        }
        print(format_args!(
            "{:<24} {:>12} {:>15} {:>10} {:>6}",
            "model", "parameters", "multiply-adds", "input", "units"
        ))?;
        for m in models {
            let input = format!("{}×{}", m.input_size[0], m.input_size[1]);
            print(format_args!("{:<24} {:>12} {:>15} {:>10} {:>6}", m.name, m.params, m.macs, input, m.units.len()))?;
        }
        Ok(0)
    }
}
