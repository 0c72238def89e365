//! Opening the weights that the user names.

use crate::Result;
use crate::network::Network;
use crate::weights::{Checkpoint, Index, Source, recognise};
use clap::Args;
use pollster::block_on;
use std::path::PathBuf;

/// Which weights of a file to take.
#[derive(Debug, Args)]
pub(super) struct WeightsArgs {
    /// Which of the file's sets of weights, see `sklens inspect`; averaged weights (EMA) unless given.
    #[arg(long = "set", value_name = "NAME", requires = "weights")]
    set: Option<String>,
}

/// Weights with the names of all sets that their file holds.
pub(super) struct Opened {
    pub checkpoint: Checkpoint,
    pub sets: Vec<String>,
}

impl WeightsArgs {
    /// Opens the weights in `file`.
    ///
    /// # Errors
    /// `bad-weights` if they cannot be read, `bad-option` if the set is not there.
    pub fn open(&self, file: &str) -> Result<Opened> {
        let source = Source::File(PathBuf::from(file));
        let mut index = block_on(Index::of(&source))?;
        let sets = index.sets.iter().map(|set| set.name.clone()).collect();
        if let Some(set) = &self.set {
            index = index.only(set)?;
        }
        Ok(Opened { checkpoint: Checkpoint::from_index(source, index)?, sets })
    }
}

/// The network that `checkpoint` is recognised as; says on standard error which others it could be.
///
/// # Errors
/// `bad-weights` if none fits, with every difference from the closest.
pub(super) fn recognised(checkpoint: &Checkpoint) -> Result<Network> {
    let found = recognise(checkpoint)?;
    let network = found.chosen()?;
    let others: Vec<_> = found.candidates.iter().filter(|name| **name != network.name).map(String::as_str).collect();
    if !others.is_empty() {
        eprintln!(
            "The weights fit {}, which is taken, and as well {}; they differ in what weights do not show. --model chooses.",
            network.name,
            others.join(", ")
        );
    }
    Ok(network)
}
