//! Which network the user means.

use crate::network::{Network, NetworkFile, preset};
use crate::{Error, Result};
use std::path::Path;

/// The preset called `model`, or the network described in the file of that name, which ends in `.toml` or `.json`.
pub(super) fn network(model: &str) -> Result<Network> {
    let path = Path::new(model);
    if path.extension().is_some_and(|e| e == "toml" || e == "json") { described(path) } else { preset(model) }
}

/// The network described in `path`.
pub(super) fn described(path: &Path) -> Result<Network> {
    let in_file = |e: Error| Error::new(e.code, format!("{}: {}", path.display(), e.message));
    let text = std::fs::read_to_string(path).map_err(|e| in_file(Error::bad_option(format!("cannot be read: {e}"))))?;
    let file = match path.extension().and_then(|e| e.to_str()) {
        Some("toml") => NetworkFile::from_toml(&text),
        Some("json") => NetworkFile::from_json(&text),
        _ => Err(Error::bad_option("a network is described in a .toml or .json file")),
    };
    file.and_then(|file| file.network()).map_err(in_file)
}
