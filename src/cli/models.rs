//! `sklens models`.

use crate::session::models;
use crate::{Error, Result};
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
    pub fn run(&self) -> Result<usize> {
        let models = models()?;
        if self.json {
            let json =
                serde_json::to_string(&models).map_err(|e| Error::bad_option(format!("cannot write JSON: {e}")))?;
            println!("{json}");
            return Ok(0);
        }
        println!("{:<24} {:>12} {:>15} {:>10} {:>6}", "model", "parameters", "multiply-adds", "input", "units");
        for m in models {
            let input = format!("{}×{}", m.input_size[0], m.input_size[1]);
            println!("{:<24} {:>12} {:>15} {:>10} {:>6}", m.name, m.params, m.macs, input, m.units.len());
        }
        Ok(0)
    }
}
