//! Opening the weights that the user names.

use super::download::{check, fetch, is_address};
use crate::network::Network;
use crate::weights::{Checkpoint, Index, Source, recognise};
use crate::{Error, Result};
use clap::Args;
use pollster::block_on;
use std::path::PathBuf;

/// Which weights of a file to take.
#[derive(Debug, Args)]
pub(super) struct WeightsArgs {
    /// Which of the file's sets of weights, see `sklens inspect`; averaged weights (EMA) unless given.
    #[arg(long = "set", value_name = "NAME", requires = "weights")]
    set: Option<String>,
    /// SHA-256 of the weights file; another is refused.
    #[arg(long, value_name = "HEX", value_parser = parse_sha256, requires = "weights")]
    sha256: Option<String>,
}

fn parse_sha256(text: &str) -> Result<String, String> {
    match text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(text.to_string()),
        false => Err("a SHA-256 has 64 hexadecimal digits".into()),
    }
}

/// Weights with the names of all sets that their file holds.
pub(super) struct Opened {
    pub checkpoint: Checkpoint,
    pub sets: Vec<String>,
}

impl WeightsArgs {
    /// Opens the weights in `file`, which may be an address.
    ///
    /// # Errors
    /// `bad-weights` if they cannot be fetched or read, `bad-option` if the set is not there.
    pub fn open(&self, file: &str) -> Result<Opened> {
        let source = Source::File(self.local(file)?);
        let mut index = block_on(Index::of(&source))?;
        let sets = index.sets.iter().map(|set| set.name.clone()).collect();
        if let Some(set) = &self.set {
            index = index.only(set)?;
        }
        Ok(Opened { checkpoint: Checkpoint::from_index(source, index)?, sets })
    }

    /// The file on this machine, its hash checked.
    fn local(&self, file: &str) -> Result<PathBuf> {
        let sha256 = self.sha256.as_deref();
        if is_address(file) {
            return fetch(file, sha256);
        }
        let path = PathBuf::from(file);
        let checked = sha256.map_or(Ok(()), |expected| check(&path, expected));
        checked.map(|()| path).map_err(|why| Error::bad_weights(format!("{file}: {why}")))
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
