//! Networks that users describe, in JSON or TOML.

use super::blocks::{AttentionWidth, Groups, SkBranch, SkConv};
use super::resnet::{Block, ResNet, Shortcut, Spatial, Stem, StemPool};
use super::shufflenet::ShuffleNetV2;
use super::{Architecture, Network};
use crate::image::Preprocessing;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// A network as its user writes it; what is left out is as in the paper's SKNet-50 or SK-ShuffleNetV2 1.0×.
///
/// ```toml
/// [sknet]
/// depths = [3, 4, 6, 3]
/// width = 128
/// groups = 32
/// r = 16
/// l = 32
/// branches = [{ kernel = 3 }, { kernel = 3, dilation = 2 }, { kernel = 5, groups = 64 }]
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkFile {
    /// A residual network of bottlenecks with timm's names.
    Sknet(SkNetFile),
    /// A ShuffleNetV2 with torchvision's names and depthwise branches.
    SkShufflenetV2(SkShuffleNetFile),
}

/// One of the M branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BranchFile {
    /// Kernel width, odd.
    pub kernel: usize,
    /// Dilation.
    #[serde(default = "one")]
    pub dilation: usize,
    /// Groups, where they differ from the network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
}

/// What a residual network is made of.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SkNetFile {
    /// Name, for people.
    pub name: String,
    /// Blocks per stage.
    pub depths: Vec<usize>,
    /// Channels of the first stage's branches; doubles per stage.
    pub width: usize,
    /// Channels of the first stage's output; doubles per stage.
    pub out_width: usize,
    /// The branches.
    pub branches: Vec<BranchFile>,
    /// Groups G of every branch that gives none.
    pub groups: usize,
    /// Reduction ratio r of the attention.
    pub r: usize,
    /// Least width L of the attention's hidden layer.
    pub l: usize,
    /// Whether branches are weighted by attention (else added up).
    pub attention: bool,
    /// Whether each branch reads only its part of the channels.
    pub split_input: bool,
    /// Whether the stem's pool is the authors' (no padding, ceil mode).
    pub ceil_mode: bool,
    /// Whether it is for small pictures from 32 px on: a 3×3 stem without stride and pool, as for CIFAR.
    pub small_input: bool,
    /// Input `[height, width]`.
    pub input_size: [usize; 2],
    /// Number of classes.
    pub classes: usize,
}

impl Default for SkNetFile {
    fn default() -> Self {
        Self {
            name: "sknet".into(),
            depths: vec![3, 4, 6, 3],
            width: 128,
            out_width: 256,
            branches: k3_k5(),
            groups: 32,
            r: 16,
            l: 32,
            attention: true,
            split_input: false,
            ceil_mode: false,
            small_input: false,
            input_size: [224, 224],
            classes: 1000,
        }
    }
}

/// What a ShuffleNetV2 is made of.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SkShuffleNetFile {
    /// Name, for people.
    pub name: String,
    /// Units per stage.
    pub depths: Vec<usize>,
    /// Channels after each stage, even.
    pub widths: Vec<usize>,
    /// Channels of the last 1×1 convolution.
    pub head: usize,
    /// The branches, depthwise unless they give groups.
    pub branches: Vec<BranchFile>,
    /// Reduction ratio r of the attention.
    pub r: usize,
    /// Least width L of the attention's hidden layer.
    pub l: usize,
    /// Whether branches are weighted by attention (else added up).
    pub attention: bool,
    /// Input `[height, width]`.
    pub input_size: [usize; 2],
    /// Number of classes.
    pub classes: usize,
}

impl Default for SkShuffleNetFile {
    fn default() -> Self {
        Self {
            name: "sk_shufflenet_v2".into(),
            depths: vec![4, 8, 4],
            widths: vec![116, 232, 464],
            head: 1024,
            branches: k3_k5(),
            r: 16,
            l: 32,
            attention: true,
            input_size: [224, 224],
            classes: 1000,
        }
    }
}

fn one() -> usize {
    1
}

fn k3_k5() -> Vec<BranchFile> {
    [1, 2].map(|dilation| BranchFile { kernel: 3, dilation, groups: None }).into()
}

impl NetworkFile {
    /// Reads JSON.
    ///
    /// # Errors
    /// `bad-option` with the line and field at fault.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| Error::bad_option(format!("the network is not understood: {e}")))
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// `bad-option` with the line and field at fault.
    #[cfg(feature = "cli")]
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| {
            let message = e.to_string();
            Error::bad_option(format!("the network is not understood: {}", message.trim_end()))
        })
    }

    /// The network, once its graph has been built at its input size.
    ///
    /// # Errors
    /// `bad-option` with the value at fault and why it cannot be.
    pub fn network(&self) -> Result<Network> {
        let (name, architecture, input_size, classes): (_, Architecture, _, _) = match self {
            Self::Sknet(file) => (&file.name, file.resnet()?.into(), file.input_size, file.classes),
            Self::SkShufflenetV2(file) => (&file.name, file.shufflenet()?.into(), file.input_size, file.classes),
        };
        within("classes", classes, 1..=100_000)?;
        let network = Network {
            name: name.clone(),
            aliases: Vec::new(),
            architecture,
            preprocessing: Preprocessing::imagenet(input_size, 0.875),
            classes,
            paper: None,
            accuracy: None,
            folded: false,
        };
        network.graph(input_size, classes)?;
        Ok(network)
    }
}

impl SkNetFile {
    fn resnet(&self) -> Result<ResNet> {
        check_depths(&self.depths)?;
        // The last of six stages is 32 times as wide.
        within("width", self.width, 1..=1024)?;
        within("out_width", self.out_width, 1..=2048)?;
        let branches = branches(&self.branches, Groups::Count(self.groups))?;
        let attention = attention(self.attention, self.r, self.l)?;
        let pool = if self.ceil_mode { StemPool::CeilMode } else { StemPool::Padded };
        if self.small_input && self.ceil_mode {
            return Err(Error::bad_option(
                "ceil_mode is the stem's pool, which a network with small_input does not have",
            ));
        }
        Ok(ResNet {
            stem: if self.small_input { Stem::Conv3 } else { Stem::Conv7 },
            stem_pool: (!self.small_input).then_some(pool),
            stem_width: 64,
            block: Block::Bottleneck,
            depths: self.depths.clone(),
            width: self.width,
            out_width: self.out_width,
            spatial: Spatial::Sk(SkConv { branches, split_input: self.split_input, attention }),
            shortcut: Shortcut::Conv,
            se: None,
        })
    }
}

impl SkShuffleNetFile {
    fn shufflenet(&self) -> Result<ShuffleNetV2> {
        check_depths(&self.depths)?;
        if self.depths.len() != self.widths.len() {
            return Err(Error::bad_option(format!(
                "depths gives {} stages and widths {}; they must be as many",
                self.depths.len(),
                self.widths.len()
            )));
        }
        for &width in &self.widths {
            within("widths", width, 2..=8192)?;
            if width % 2 != 0 {
                return Err(Error::bad_option(format!(
                    "widths: {width} is odd; each half is a branch, so use an even number"
                )));
            }
        }
        within("head", self.head, 1..=16_384)?;
        let branches = branches(&self.branches, Groups::Depthwise)?;
        let attention = attention(self.attention, self.r, self.l)?;
        Ok(ShuffleNetV2 {
            depths: self.depths.clone(),
            widths: self.widths.clone(),
            head: self.head,
            sk: Some(SkConv { branches, split_input: false, attention }),
            se: None,
        })
    }
}

/// Refuses sizes that no device holds, before they are multiplied.
fn within(field: &str, value: usize, range: RangeInclusive<usize>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::bad_option(format!("{field} is {value}; it must be from {} to {}", range.start(), range.end())))
}

fn check_depths(depths: &[usize]) -> Result<()> {
    within("the number of stages in depths", depths.len(), 1..=6)?;
    depths.iter().try_for_each(|&depth| within("depths", depth, 1..=100))
}

fn branches(files: &[BranchFile], groups: Groups) -> Result<Vec<SkBranch>> {
    within("M, the number of branches,", files.len(), 1..=8)?;
    let branch = |file: &BranchFile| {
        within("kernel", file.kernel, 1..=15)?;
        within("dilation", file.dilation, 1..=15)?;
        if file.kernel.is_multiple_of(2) {
            return Err(Error::bad_option(format!("kernel {} is even; use an odd width", file.kernel)));
        }
        Ok(SkBranch { kernel: file.kernel, dilation: file.dilation, groups: file.groups.map_or(groups, Groups::Count) })
    };
    files.iter().map(branch).collect()
}

fn attention(wanted: bool, r: usize, l: usize) -> Result<Option<AttentionWidth>> {
    within("r", r, 1..=1024)?;
    within("l", l, 1..=4096)?;
    Ok(wanted.then_some(AttentionWidth::Reduction { r, l }))
}
