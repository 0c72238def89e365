//! Architectures as descriptions of a few lines, and the presets.

pub mod blocks;
mod file;
mod operator;
mod presets;
mod published;
pub mod resnet;
pub mod shufflenet;

pub use file::{BranchFile, NetworkFile, SkNetFile, SkShuffleNetFile};
pub use operator::Operator;
pub use presets::{ablations, preset, presets};
pub use published::{Accuracy, Paper};

use crate::Result;
use crate::graph::{Graph, GraphBuilder};
use crate::image::{MAX_SIDE, Preprocessing, check_size};
use resnet::ResNet;
use shufflenet::ShuffleNetV2;
use std::ops::RangeInclusive;

/// An architecture without its input size and class count.
#[derive(Clone, Debug, PartialEq)]
pub enum Architecture {
    /// SKNet, skresnet, ResNeXt and their relatives.
    ResNet(ResNet),
    /// ShuffleNetV2, with or without SK units.
    ShuffleNetV2(ShuffleNetV2),
}

/// A named network with the defaults of its published weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Preset name.
    pub name: String,
    /// Other names of the same network.
    pub aliases: Vec<String>,
    /// What it is made of.
    pub architecture: Architecture,
    /// Input conventions, unless the weights file says otherwise.
    pub preprocessing: Preprocessing,
    /// Number of classes of its data set.
    pub classes: usize,
    /// What the paper reports of it.
    pub paper: Option<Paper>,
    /// How well published weights do.
    pub accuracy: Option<Accuracy>,
    /// Whether the weights hold a bias per convolution in place of the batch norm behind it.
    pub folded: bool,
}

impl Network {
    /// The input sides that the network accepts, in pixels.
    pub fn sides(&self) -> RangeInclusive<usize> {
        let min = match &self.architecture {
            Architecture::ResNet(net) => net.min_side(),
            Architecture::ShuffleNetV2(net) => net.min_side(),
        };
        min..=MAX_SIDE
    }

    /// The graph for `[height, width]` pictures, each side one of [`Network::sides`].
    ///
    /// # Errors
    /// `bad-option` if a side is out of range, or with the layer at fault if the description is inconsistent.
    pub fn graph(&self, size: [usize; 2], classes: usize) -> Result<Graph> {
        check_size(size, self.sides())?;
        let mut b = GraphBuilder::new([3, size[0], size[1]]);
        b.folds_norms = self.folded;
        match &self.architecture {
            Architecture::ResNet(net) => net.graph(b, classes),
            Architecture::ShuffleNetV2(net) => net.graph(b, classes),
        }
    }
}
