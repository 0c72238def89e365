//! `sklens inspect`.

use super::weights::{Opened, WeightsArgs};
use super::{print, print_json};
use crate::Result;
use crate::weights::Inspection;
use clap::Args;
use serde::Serialize;

/// Longest value of metadata that the text shows.
const SHOWN: usize = 120;

/// Tells what a weights file holds and which networks it fits. Nothing in the file runs, and no values are read.
#[derive(Debug, Args)]
pub struct Inspect {
    /// safetensors, PyTorch .pth or .pt, or .caffemodel; or an address, fetched once into the user's cache folder.
    #[arg(value_name = "FILE|URL")]
    weights: String,
    #[command(flatten)]
    which: WeightsArgs,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    /// The names of all sets of weights in the file, the preferred one first; empty for a file that is one set.
    sets: Vec<String>,
    #[serde(flatten)]
    inspection: Inspection,
}

impl Inspect {
    /// Prints the report; the number of failures is always 0.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn run(&self) -> Result<usize> {
        let Opened { checkpoint, mut sets } = self.which.open(&self.weights)?;
        sets.retain(|set| !set.is_empty());
        let report = Report { sets, inspection: Inspection::of(&checkpoint)? };
        if self.json {
            print_json(&report)?
        } else {
            print(report.text(&self.weights).trim_end())?
        }
        Ok(0)
    }
}

impl Report {
    fn text(&self, file: &str) -> String {
        let Inspection { format, set, tensors, metadata, recognition } = &self.inspection;
        let mut out = format!("{file}: {format}\n");
        if !self.sets.is_empty() {
            out += &format!("sets: {}; this is {set}\n", self.sets.join(", "));
        }
        match (&recognition.network, recognition.candidates.as_slice()) {
            (Some(network), [_]) => out += &format!("network: {network}\n"),
            (Some(network), several) => {
                out += &format!("network: {network}, the most probable of {}\n", several.join(", "));
            }
            (None, _) => {
                let (closest, mismatches) = (&recognition.closest, &recognition.mismatches);
                out += &format!(
                    "network: none known here; {closest} is the closest, {} tensors differ:\n",
                    mismatches.len()
                );
                mismatches.iter().for_each(|line| out += &format!("  {line}\n"));
            }
        }
        let mut keys: Vec<_> = metadata.iter().collect();
        keys.sort();
        for (key, value) in keys {
            out += &format!("{key}: {}\n", shortened(value));
        }
        out += &format!("tensors: {}\n", tensors.len());
        for tensor in tensors {
            out += &format!("  {:<4} {:?} {}\n", tensor.dtype, tensor.shape, tensor.name);
        }
        out
    }
}

/// `value` on one line, not longer than [`SHOWN`].
fn shortened(value: &str) -> String {
    let mut line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if value.chars().nth(SHOWN).is_some() {
        line.push('…');
    }
    line
}
