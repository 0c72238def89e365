//! Architectures as descriptions of a few lines, and the presets.

pub mod blocks;
pub mod resnet;
pub mod shufflenet;

use crate::graph::Graph;
use crate::image::Preprocessing;
use crate::{Error, ErrorCode, Result};
use blocks::{AttentionWidth, SkConv};
use resnet::{SkResNet, StemPool};
use shufflenet::SkShuffleNetV2;

/// An architecture without its input size and class count.
#[derive(Clone, Debug, PartialEq)]
pub enum Architecture {
    /// SKNet-50 and its relatives.
    SkResNet(SkResNet),
    /// SK-ShuffleNetV2.
    SkShuffleNetV2(SkShuffleNetV2),
}

/// A named network with the defaults of its published weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Preset name.
    pub name: String,
    /// What it is made of.
    pub architecture: Architecture,
    /// Input conventions, unless the weights file says otherwise.
    pub preprocessing: Preprocessing,
}

impl Network {
    /// The graph for `[height, width]` pictures. Sizes from 64 to 512 are accepted.
    pub fn graph(&self, size: [usize; 2], classes: usize) -> Result<Graph> {
        if let Some(side) = size.iter().find(|side| !(64..=512).contains(*side)) {
            return Err(Error::bad_option(format!("input size {side}: use 64 to 512 pixels per side")));
        }
        match &self.architecture {
            Architecture::SkResNet(net) => net.graph(size, classes),
            Architecture::SkShuffleNetV2(net) => net.graph(size, classes),
        }
    }
}

/// The paper's second branch: 3×3 with dilation 2, which acts as 5×5.
const K3_K5: [(usize, usize); 2] = [(3, 1), (3, 2)];

fn sknet(name: &str, depths: [usize; 4], stem_pool: StemPool, preprocessing: Preprocessing) -> Network {
    let sk = SkConv { kernels: K3_K5.into(), groups: Some(32), width: AttentionWidth::Reduction { r: 16, l: 32 } };
    let net = SkResNet { depths: depths.into(), width: 128, out_width: 256, sk, stem_pool };
    Network { name: name.into(), architecture: Architecture::SkResNet(net), preprocessing }
}

fn sk_shufflenet_v2(name: &str, widths: [usize; 3]) -> Network {
    let sk = SkConv { kernels: K3_K5.into(), groups: None, width: AttentionWidth::Reduction { r: 16, l: 32 } };
    let net = SkShuffleNetV2 { depths: vec![4, 8, 4], widths: widths.into(), head: 1024, sk };
    Network {
        name: name.into(),
        architecture: Architecture::SkShuffleNetV2(net),
        preprocessing: Preprocessing::imagenet([224, 224], 0.875),
    }
}

/// All presets.
pub fn presets() -> Vec<Network> {
    vec![
        sknet("sknet50", [3, 4, 6, 3], StemPool::Padded, Preprocessing::imagenet([224, 224], 0.875)),
        sknet("sknet50_caffe", [3, 4, 6, 3], StemPool::CeilMode, Preprocessing::caffe([224, 224], 0.875)),
        sk_shufflenet_v2("sk_shufflenet_v2_x1_0", [116, 232, 464]),
        sk_shufflenet_v2("sk_shufflenet_v2_x0_5", [48, 96, 192]),
    ]
}

/// The preset called `name`.
pub fn preset(name: &str) -> Result<Network> {
    let all = presets();
    let names: Vec<_> = all.iter().map(|n| n.name.clone()).collect();
    all.into_iter().find(|n| n.name == name).ok_or_else(|| {
        Error::new(ErrorCode::UnknownModel, format!("unknown model {name:?}; known are {}", names.join(", ")))
    })
}
