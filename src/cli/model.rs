//! Options that choose the network, its weights and where it runs.

use super::download::hex;
use super::network::network;
use super::tunings;
use super::weights::{WeightsArgs, recognised};
use crate::bundled;
use crate::network::Network;
use crate::session::{BackendChoice, OpenOptions, Session};
use crate::weights::{Checkpoint, Source, WeightPrecision, random_file};
use crate::{Error, ErrorCode, Result};
use clap::{Args, ValueEnum};
use pollster::block_on;
use sha2::{Digest, Sha256};

/// Bytes of a weights file that are read at once for its fingerprint.
const FINGERPRINT_PART: u64 = 1 << 24;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BackendArg {
    Gpu,
    Cpu,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PrecisionArg {
    F32,
    F16,
}

/// The network that a command runs.
#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// Preset name, see `sklens models`; or a network described in a .toml or .json file. Unless given, it is recognised
    /// from the weights; without weights it is the bundled one.
    #[arg(long)]
    model: Option<String>,
    /// Weights: safetensors, PyTorch .pth or .pt, or .caffemodel; an address is fetched once, into the user's cache
    /// folder. Not needed for bundled models.
    #[arg(long, value_name = "FILE|URL")]
    weights: Option<String>,
    #[command(flatten)]
    which: WeightsArgs,
    /// Where to run; a real GPU if there is one, else the CPU.
    #[arg(long)]
    backend: Option<BackendArg>,
    /// How weights are kept in memory: f16 takes half as much, for slightly other results; all computing is in f32.
    #[arg(long, default_value = "f32")]
    weight_precision: PrecisionArg,
    /// Ignore which kernels `sklens bench --tune` found fastest on this GPU.
    #[arg(long)]
    untuned: bool,
}

/// A network and its weights, not yet brought to a backend.
pub(super) struct Chosen {
    pub network: Network,
    checkpoint: Checkpoint,
}

impl Chosen {
    /// SHA-256 of the weights file, in hexadecimal.
    ///
    /// # Errors
    /// `bad-weights` if it cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let source = self.checkpoint.source();
        let (length, mut hasher) = (source.length()?, Sha256::new());
        for start in (0..length).step_by(FINGERPRINT_PART as usize) {
            hasher.update(block_on(source.read(start..length.min(start + FINGERPRINT_PART)))?);
        }
        Ok(hex(&hasher.finalize()))
    }
}

impl ModelArgs {
    /// The network with its weights, as far as their names and shapes.
    ///
    /// # Errors
    /// `no-weights` if none are given or bundled; those of opening them; `bad-weights` if they are to tell the network and
    /// fit none.
    pub fn choose(&self) -> Result<Chosen> {
        let given = self.model.as_deref().map(network).transpose()?;
        let Some(file) = &self.weights else {
            let network = given.map_or_else(|| network(bundled::DEFAULT_MODEL), Ok)?;
            let Some(bytes) = bundled::weights(&network.name) else {
                let message = format!("{} is not bundled; give its weights with --weights FILE|URL", network.name);
                return Err(Error::new(ErrorCode::NoWeights, message));
            };
            return Ok(Chosen { network, checkpoint: block_on(Checkpoint::open(Source::Static(bytes)))? });
        };
        let checkpoint = self.which.open(file)?.checkpoint;
        let network = given.map_or_else(|| recognised(&checkpoint), Ok)?;
        Ok(Chosen { network, checkpoint })
    }

    /// [`ModelArgs::choose`], with random weights where none are given or bundled: speed does not depend on them.
    ///
    /// # Errors
    /// As there, but for `no-weights`.
    pub fn choose_for_speed(&self) -> Result<Chosen> {
        match (self.choose(), &self.model) {
            (Err(error), Some(model)) if error.code == ErrorCode::NoWeights => {
                let network = network(model)?;
                let graph = network.graph(network.preprocessing.input_size, network.classes)?;
                let file = random_file(&graph)?.collect::<Vec<_>>().concat();
                Ok(Chosen { network, checkpoint: block_on(Checkpoint::open(Source::Bytes(file.into())))? })
            }
            (chosen, _) => chosen,
        }
    }

    /// Opens what was chosen and says on standard error what runs where.
    ///
    /// # Errors
    /// Those of [`Session::open_checkpoint`].
    pub fn open(&self, chosen: Chosen) -> Result<Session> {
        let options = OpenOptions {
            backend: match self.backend {
                None => BackendChoice::Auto,
                Some(BackendArg::Gpu) => BackendChoice::Gpu,
                Some(BackendArg::Cpu) => BackendChoice::Cpu,
            },
            precision: match self.weight_precision {
                PrecisionArg::F32 => WeightPrecision::F32,
                PrecisionArg::F16 => WeightPrecision::F16,
            },
            tunings: if self.untuned { Vec::new() } else { tunings::stored() },
            ..OpenOptions::default()
        };
        let mut session = block_on(Session::open_checkpoint(chosen.network, chosen.checkpoint, options, |_| ()))?;
        session.name_classes(bundled::imagenet_labels()?);
        let info = session.info()?;
        let tuned = if info.tuned > 0 { " With tuned kernels." } else { "" };
        eprintln!("{} on {} ({}): {}{tuned}", info.model, info.backend, info.adapter, info.reason);
        Ok(session)
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
