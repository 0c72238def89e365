//! Options that choose the network, its weights and where it runs.

use super::network::network;
use crate::bundled;
use crate::network::Network;
use crate::session::{BackendChoice, Session};
use crate::weights::Source;
use crate::{Error, ErrorCode, Result};
use clap::{Args, ValueEnum};
use pollster::block_on;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BackendArg {
    Gpu,
    Cpu,
}

/// The network that a command runs.
#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// Preset name, see `sklens models`; or a network described in a .toml or .json file.
    #[arg(long, default_value = bundled::DEFAULT_MODEL)]
    model: String,
    /// Weights: safetensors, PyTorch .pth or .pt, or .caffemodel; not needed for bundled models.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Where to run; a real GPU if there is one, else the CPU.
    #[arg(long)]
    backend: Option<BackendArg>,
}

impl ModelArgs {
    /// The network, not yet opened.
    pub fn network(&self) -> Result<Network> {
        network(&self.model)
    }

    /// Opens `network` with the chosen weights and says on standard error what runs where.
    ///
    /// # Errors
    /// `no-weights` if none are given or bundled, and those of [`Session::open_network`].
    pub fn open(&self, network: Network) -> Result<Session> {
        let choice = match self.backend {
            None => BackendChoice::Auto,
            Some(BackendArg::Gpu) => BackendChoice::Gpu,
            Some(BackendArg::Cpu) => BackendChoice::Cpu,
        };
        let source = self.source(&network)?;
        let mut session = block_on(Session::open_network(network, source, choice, |_| ()))?;
        session.name_classes(bundled::imagenet_labels()?);
        let info = session.info()?;
        eprintln!("{} on {} ({}): {}", info.model, info.backend, info.adapter, info.reason);
        Ok(session)
    }

    fn source(&self, network: &Network) -> Result<Source> {
        match (&self.weights, bundled::weights(&network.name)) {
            (Some(path), _) => Ok(Source::File(path.clone())),
            (None, Some(bytes)) => Ok(Source::Static(bytes)),
            (None, None) => {
                let message = format!("{} is not bundled; give its weights with --weights FILE", network.name);
                Err(Error::new(ErrorCode::NoWeights, message))
            }
        }
    }
}

/// `112` or `96x160`, height first.
pub(super) fn parse_size(text: &str) -> Result<[usize; 2], String> {
    let sides: Option<Vec<usize>> = text.split('x').map(|v| v.trim().parse().ok()).collect();
    match sides.as_deref() {
        Some([side]) => Ok([*side, *side]),
        Some([height, width]) => Ok([*height, *width]),
        _ => Err(format!("{text:?} is not a side or HEIGHTxWIDTH")),
    }
}
