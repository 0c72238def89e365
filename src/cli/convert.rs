//! `sklens convert`.

use super::network::network;
use super::weights::{WeightsArgs, recognised};
use crate::weights::Conversion;
use crate::{Error, Result};
use clap::Args;
use pollster::block_on;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Writes weights of any format as safetensors. The file appears only once it is complete.
#[derive(Debug, Args)]
pub struct Convert {
    /// safetensors, PyTorch .pth or .pt, or .caffemodel; or an address, fetched once into the user's cache folder.
    #[arg(value_name = "IN")]
    weights: String,
    /// The file to write, replaced if it is there.
    #[arg(value_name = "OUT.safetensors")]
    out: PathBuf,
    #[command(flatten)]
    which: WeightsArgs,
    /// Preset name, or a network described in a .toml or .json file; recognised from the weights unless given.
    #[arg(long)]
    model: Option<String>,
    /// Values as f32, the default.
    #[arg(long, conflicts_with = "f16")]
    f32: bool,
    /// Values as f16, in half the space.
    #[arg(long)]
    f16: bool,
    /// A bias per layer in place of the batch norm behind it.
    #[arg(long)]
    fold: bool,
}

impl Convert {
    /// Writes the file; the number of failures is always 0.
    ///
    /// # Errors
    /// If the weights cannot be read, do not fit or cannot be written; then no file is left behind.
    pub fn run(&self) -> Result<usize> {
        let checkpoint = self.which.open(&self.weights)?.checkpoint;
        let network = match &self.model {
            Some(model) => Some(network(model)?),
            None => match recognised(&checkpoint) {
                Ok(network) => Some(network),
                Err(error) if self.fold => return Err(error),
                Err(_) => None,
            },
        };
        let name = network.as_ref().map_or("weights of no network known here", |n| &n.name).to_string();
        let conversion = Conversion { half: self.f16, fold: self.fold, network };
        let failed = |e: std::io::Error| Error::bad_option(format!("cannot write {}: {e}", self.out.display()));
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = BufWriter::new(temporary(folder).map_err(failed)?);
        block_on(conversion.run(&checkpoint, |part| file.write_all(part).map_err(failed)))?;
        let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.out).map_err(|e| failed(e.error))?;
        eprintln!("{}: {name}", self.out.display());
        Ok(0)
    }
}

/// A file in `folder` that goes away unless it is given a name.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // Temporary files are otherwise for their owner alone, also under the name that they get.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
