//! The presets: names are timm's or torchvision's where those exist.

use super::blocks::{AttentionWidth, Groups, SkBranch, SkConv};
use super::resnet::{Block, ResNet, Shortcut, Spatial, Stem, StemPool};
use super::shufflenet::ShuffleNetV2;
use super::{Accuracy, Architecture, Network, Paper};
use crate::image::{Interpolation, Preprocessing};
use crate::{Error, ErrorCode, Result};

/// SKNet's attention: r = 16, L = 32.
const REDUCTION: AttentionWidth = AttentionWidth::Reduction { r: 16, l: 32 };
const G32: Groups = Groups::Count(32);
/// Squeeze-and-excitation as timm builds it by default: C / 16, a multiple of 8.
const SE: AttentionWidth = AttentionWidth::Divisible { r: 16, divisor: 8, may_shrink: true };
const DEPTHS_50: [usize; 4] = [3, 4, 6, 3];

/// Branches that act as kernels of the given sizes by dilation.
fn dilated(sizes: &[usize], groups: Groups) -> Vec<SkBranch> {
    sizes.iter().map(|&size| SkBranch::dilated(size, groups)).collect()
}

/// SKNet-50 (paper, table 1) with the given branches; the base of its relatives.
fn sknet50(branches: Vec<SkBranch>) -> ResNet {
    resnext50(Spatial::Sk(SkConv { branches, split_input: false, attention: Some(REDUCTION) }))
}

fn resnext50(spatial: Spatial) -> ResNet {
    ResNet {
        stem: Stem::Conv7,
        stem_pool: Some(StemPool::Padded),
        stem_width: 64,
        block: Block::Bottleneck,
        depths: DEPTHS_50.into(),
        width: 128,
        out_width: 256,
        spatial,
        shortcut: Shortcut::Conv,
        se: None,
    }
}

fn sknet(depths: [usize; 4]) -> ResNet {
    ResNet { depths: depths.into(), ..sknet50(dilated(&[3, 5], G32)) }
}

/// The attention widths of the authors' prototxt of SKNet-101.
fn sknet101_caffe() -> ResNet {
    let attention = Some(AttentionWidth::PerStage(vec![32, 16, 32, 64]));
    let spatial = Spatial::Sk(SkConv { branches: dilated(&[3, 5], G32), split_input: false, attention });
    ResNet { stem_pool: Some(StemPool::CeilMode), spatial, ..sknet([3, 4, 23, 3]) }
}

/// Table 5's SKNet-29 on ResNeXt-29 16×32d, in a provisional reading: the paper does not give its branches. Kernels 1×1 and
/// 3×3, G = 16, r = 32, L = 32 come nearest to its 27.7 million parameters.
fn sknet29_cifar() -> ResNet {
    let groups = Groups::Count(16);
    let branches = [1, 3].map(|kernel| SkBranch { kernel, dilation: 1, groups }).into();
    let attention = Some(AttentionWidth::Reduction { r: 32, l: 32 });
    ResNet {
        stem: Stem::Conv3,
        stem_pool: None,
        depths: vec![3, 3, 3],
        width: 512,
        spatial: Spatial::Sk(SkConv { branches, split_input: false, attention }),
        ..sknet(DEPTHS_50)
    }
}

/// timm's skresnet: each branch reads its half of the channels, without groups.
fn skresnet(block: Block, depths: [usize; 4]) -> ResNet {
    let (r, divisor, out_width) = match block {
        Block::Basic => (8, 16, 64),
        Block::Bottleneck => (16, 8, 256),
    };
    let attention = Some(AttentionWidth::Divisible { r, divisor, may_shrink: false });
    let branches = dilated(&[3, 5], Groups::Count(1));
    let spatial = Spatial::Sk(SkConv { branches, split_input: true, attention });
    ResNet { block, depths: depths.into(), width: 64, out_width, ..resnext50(spatial) }
}

fn skresnet50d() -> ResNet {
    ResNet { stem: Stem::Deep, shortcut: Shortcut::AveragePool, ..skresnet(Block::Bottleneck, DEPTHS_50) }
}

fn shufflenet_v2(widths: [usize; 3]) -> ShuffleNetV2 {
    ShuffleNetV2 { depths: vec![4, 8, 4], widths: widths.into(), head: 1024, sk: None, se: None }
}

const X0_5: [usize; 3] = [48, 96, 192];
const X1_0: [usize; 3] = [116, 232, 464];
const X1_5: [usize; 3] = [176, 352, 704];

fn sk_shufflenet_v2(widths: [usize; 3]) -> ShuffleNetV2 {
    let branches = dilated(&[3, 5], Groups::Depthwise);
    let sk = SkConv { branches, split_input: false, attention: Some(REDUCTION) };
    ShuffleNetV2 { sk: Some(sk), ..shufflenet_v2(widths) }
}

fn se_shufflenet_v2(widths: [usize; 3]) -> ShuffleNetV2 {
    ShuffleNetV2 { se: Some(SE), ..shufflenet_v2(widths) }
}

impl From<ResNet> for Architecture {
    fn from(net: ResNet) -> Self {
        Self::ResNet(net)
    }
}

impl From<ShuffleNetV2> for Architecture {
    fn from(net: ShuffleNetV2) -> Self {
        Self::ShuffleNetV2(net)
    }
}

impl Network {
    /// A network for ImageNet at 224 px, prepared as timm does by default.
    fn imagenet(name: &str, architecture: impl Into<Architecture>) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            architecture: architecture.into(),
            preprocessing: Preprocessing::imagenet([224, 224], 0.875),
            classes: 1000,
            paper: None,
            accuracy: None,
            folded: false,
        }
    }
    fn prepared(self, preprocessing: Preprocessing) -> Self {
        Self { preprocessing, ..self }
    }
    fn alias(mut self, name: &str) -> Self {
        self.aliases.push(name.into());
        self
    }
    /// Top-1 error in percent, millions of parameters, thousand millions of multiply-adds; 0 where the paper has none.
    fn paper(self, top1_error: f64, params: f64, gflops: f64) -> Self {
        let known = |value: f64| (value > 0.0).then_some(value);
        let paper = Paper { top1_error: known(top1_error), params: known(params), gflops: known(gflops) };
        Self { paper: Some(paper), ..self }
    }
    fn accuracy(self, weights: &'static str, top1: f64, top5: f64) -> Self {
        Self { accuracy: Some(Accuracy { weights, top1, top5 }), ..self }
    }
}

/// All presets.
pub fn presets() -> Vec<Network> {
    let caffe = || Preprocessing::caffe([224, 224], 0.875);
    let ceil = |net: ResNet| ResNet { stem_pool: Some(StemPool::CeilMode), ..net };
    let torchvision =
        || Preprocessing { interpolation: Interpolation::Bilinear, ..Preprocessing::imagenet([224, 224], 0.875) };
    let plain = resnext50(Spatial::Plain { groups: 32 });
    let (skresnet18, skresnet34) = (skresnet(Block::Basic, [2, 2, 2, 2]), skresnet(Block::Basic, DEPTHS_50));
    vec![
        Network::imagenet("sknet50", sknet(DEPTHS_50)).alias("skresnext50_32x4d").paper(20.79, 27.5, 4.47).accuracy(
            "timm skresnext50_32x4d.ra_in1k",
            80.168,
            94.644,
        ),
        Network::imagenet("sknet50_caffe", ceil(sknet(DEPTHS_50))).prepared(caffe()).paper(20.79, 27.5, 4.47),
        Network::imagenet("sknet26", sknet([2, 2, 2, 2])),
        Network::imagenet("sknet101", sknet([3, 4, 23, 3])).paper(20.19, 48.9, 8.46),
        Network::imagenet("sknet101_caffe", sknet101_caffe()).prepared(caffe()).paper(20.19, 48.9, 8.46),
        Network { classes: 10, ..Network::imagenet("sknet29_cifar10", sknet29_cifar()) }
            .prepared(Preprocessing::cifar10())
            .paper(3.47, 27.7, 0.0),
        Network::imagenet("sk_shufflenet_v2_x1_0", sk_shufflenet_v2(X1_0)).paper(28.36, 2.63, 0.14566),
        Network::imagenet("sk_shufflenet_v2_x0_5", sk_shufflenet_v2(X0_5)).paper(35.35, 1.48, 0.04258),
        Network::imagenet("sk_shufflenet_v2_x1_5", sk_shufflenet_v2(X1_5)),
        Network::imagenet("skresnet18", skresnet18).accuracy("timm skresnet18.ra_in1k", 73.020, 91.172),
        Network::imagenet("skresnet34", skresnet34).accuracy("timm skresnet34.ra_in1k", 76.956, 93.320),
        Network::imagenet("skresnet50", skresnet(Block::Bottleneck, DEPTHS_50)),
        Network::imagenet("skresnet50d", skresnet50d()),
        Network::imagenet("resnext50_32x4d", plain.clone())
            .prepared(Preprocessing::imagenet([224, 224], 0.95))
            .paper(22.23, 25.0, 4.24),
        Network::imagenet("seresnext50_32x4d", ResNet { se: Some(SE), ..plain }).paper(21.12, 27.7, 4.25),
        Network::imagenet("shufflenet_v2_x0_5", shufflenet_v2(X0_5))
            .prepared(torchvision())
            .paper(38.41, 1.40, 0.04039)
            .accuracy("torchvision IMAGENET1K_V1", 60.552, 81.746),
        Network::imagenet("shufflenet_v2_x1_0", shufflenet_v2(X1_0))
            .prepared(torchvision())
            .paper(30.57, 2.45, 0.14035)
            .accuracy("torchvision IMAGENET1K_V1", 69.362, 88.316),
        Network::imagenet("se_shufflenet_v2_x0_5", se_shufflenet_v2(X0_5)).paper(36.34, 1.56, 0.04085),
        Network::imagenet("se_shufflenet_v2_x1_0", se_shufflenet_v2(X1_0)).paper(29.47, 2.66, 0.14173),
    ]
}

/// The rows of the paper's tables 6 and 7 that are not presets: SKNet-50 with other branches, with their plain sum in place
/// of attention (`_sum`), or with a single one. K3, K5 and K7 are 3×3 kernels with dilation 1, 2 and 3; `5x5g64` is a true 5×5
/// kernel with 64 groups. K3 + K5 with attention is `sknet50`, K3 alone `resnext50_32x4d`.
pub fn ablations() -> Vec<Network> {
    let row = |name: &str, branches: Vec<SkBranch>| Network::imagenet(name, sknet50(branches));
    let by_dilation = |name: &str, sizes: &[usize]| row(name, dilated(sizes, G32));
    let with_true = |name: &str, kernel: usize, groups: usize| {
        let second = SkBranch { kernel, dilation: 1, groups: Groups::Count(groups) };
        row(name, vec![SkBranch::dilated(3, G32), second])
    };
    let sum = |name: &str, sizes: &[usize]| {
        let spatial = SkConv { branches: dilated(sizes, G32), split_input: false, attention: None };
        Network::imagenet(name, resnext50(Spatial::Sk(spatial)))
    };
    vec![
        by_dilation("sknet50_k3_k3", &[3, 3]).paper(20.91, 0.0, 4.47),
        by_dilation("sknet50_k3_k7", &[3, 7]).paper(20.97, 0.0, 4.47),
        with_true("sknet50_k3_5x5g64", 5, 64).paper(20.80, 0.0, 4.56),
        with_true("sknet50_k3_7x7g128", 7, 128).paper(21.18, 0.0, 4.55),
        sum("sknet50_k5", &[5]),
        sum("sknet50_k7", &[7]),
        sum("sknet50_k3_k5_sum", &[3, 5]).paper(21.76, 0.0, 0.0),
        sum("sknet50_k3_k7_sum", &[3, 7]).paper(21.82, 0.0, 0.0),
        sum("sknet50_k5_k7_sum", &[5, 7]).paper(23.64, 0.0, 0.0),
        by_dilation("sknet50_k5_k7", &[5, 7]).paper(23.09, 0.0, 0.0),
        sum("sknet50_k3_k5_k7_sum", &[3, 5, 7]).paper(21.47, 0.0, 4.69),
        by_dilation("sknet50_k3_k5_k7", &[3, 5, 7]).paper(20.76, 0.0, 4.70),
    ]
}

/// The preset or ablation called `name`, by its own name or an alias.
///
/// # Errors
/// `unknown-model` with the names that there are.
pub fn preset(name: &str) -> Result<Network> {
    let all: Vec<_> = presets().into_iter().chain(ablations()).collect();
    let names: Vec<_> = all.iter().flat_map(|n| std::iter::once(&n.name).chain(&n.aliases)).cloned().collect();
    all.into_iter().find(|n| n.name == name || n.aliases.iter().any(|a| a == name)).ok_or_else(|| {
        Error::new(ErrorCode::UnknownModel, format!("unknown model {name:?}; known are {}", names.join(", ")))
    })
}
