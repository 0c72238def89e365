//! Residual networks as timm builds and names them: SKNet (paper, table 1), skresnet, ResNeXt, SE-ResNeXt.

use super::blocks::{AttentionWidth, SkConv, UnitPlace, conv_bn, kernel, sk_unit, squeeze_excite};
use crate::Result;
use crate::graph::{Branch, Graph, GraphBuilder, Pool, PoolKind, TensorId};

/// What precedes the first stage; every convolution but the last is named `conv1.{i}`, the last one's batch norm `bn1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// One 7×7 convolution of stride 2.
    Conv7,
    /// Three 3×3 convolutions, the first of stride 2, the first two half as wide (timm's `deep`).
    Deep,
    /// One 3×3 convolution, for CIFAR.
    Conv3,
}

/// The stem's 3×3 stride-2 max pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StemPool {
    /// Padding 1 (timm, PyTorch).
    Padded,
    /// No padding, last partial window counts (the authors' Caffe models).
    CeilMode,
}

/// The residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// 1×1, spatial convolution, 1×1.
    Bottleneck,
    /// Spatial convolution, 3×3.
    Basic,
}

/// The convolution that looks at neighbours and carries the stride.
#[derive(Clone, Debug, PartialEq)]
pub enum Spatial {
    /// An SK convolution; timm's SK blocks name convolutions `conv{n}.conv` and batch norms `conv{n}.bn`.
    Sk(SkConv),
    /// A plain 3×3 convolution; timm's other blocks use `conv{n}` and `bn{n}`.
    Plain {
        /// Groups.
        groups: usize,
    },
}

/// The projection of the first block of a stage, where stride or width change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// A 1×1 convolution with the stride.
    Conv,
    /// A 2×2 average pool with the stride, in ceil mode, then a 1×1 convolution (timm's `avg_down`).
    AveragePool,
}

/// A residual network.
#[derive(Clone, Debug, PartialEq)]
pub struct ResNet {
    /// The stem.
    pub stem: Stem,
    /// The stem's pool, if any.
    pub stem_pool: Option<StemPool>,
    /// Channels of the stem.
    pub stem_width: usize,
    /// The block.
    pub block: Block,
    /// Blocks per stage.
    pub depths: Vec<usize>,
    /// Channels of the first stage's spatial convolutions; doubles per stage.
    pub width: usize,
    /// Channels of the first stage's output; doubles per stage.
    pub out_width: usize,
    /// The spatial convolution.
    pub spatial: Spatial,
    /// The projection.
    pub shortcut: Shortcut,
    /// Hidden width of a squeeze-and-excitation before the residual addition, if there is one.
    pub se: Option<AttentionWidth>,
}

impl ResNet {
    /// The smallest side of a picture, in pixels.
    pub fn min_side(&self) -> usize {
        if self.stem == Stem::Conv3 { 32 } else { 64 }
    }

    /// The graph of `classes` logits for the picture of `b`.
    pub fn graph(&self, mut b: GraphBuilder, classes: usize) -> Result<Graph> {
        let mut x = self.stem(&mut b)?;
        for (stage, &depth) in self.depths.iter().enumerate() {
            for i in 0..depth {
                x = self.block(&mut b, x, stage, i)?;
            }
        }
        let pooled = b.global_average_pool("global_pool", x);
        let logits = b.linear("fc", pooled, classes, true, false)?;
        Ok(b.finish(logits))
    }

    fn stem(&self, b: &mut GraphBuilder) -> Result<TensorId> {
        let (picture, width) = (b.picture(), self.stem_width);
        let x = match self.stem {
            Stem::Conv7 => conv_bn(b, "conv1", "bn1", picture, width, kernel(7), 2)?,
            Stem::Conv3 => conv_bn(b, "conv1", "bn1", picture, width, kernel(3), 1)?,
            Stem::Deep => {
                let x = conv_bn(b, "conv1.0", "conv1.1", picture, width / 2, kernel(3), 2)?;
                let x = b.relu("conv1.2", x);
                let x = conv_bn(b, "conv1.3", "conv1.4", x, width / 2, kernel(3), 1)?;
                let x = b.relu("conv1.5", x);
                conv_bn(b, "conv1.6", "bn1", x, width, kernel(3), 1)?
            }
        };
        let x = b.relu("act1", x);
        let Some(pool) = self.stem_pool else { return Ok(x) };
        let (padding, ceil_mode) = match pool {
            StemPool::Padded => (1, false),
            StemPool::CeilMode => (0, true),
        };
        b.pool("maxpool", x, Pool { kind: PoolKind::Max, kernel: 3, stride: 2, padding, ceil_mode })
    }

    fn block(&self, b: &mut GraphBuilder, x: TensorId, stage: usize, i: usize) -> Result<TensorId> {
        let (width, out) = (self.width << stage, self.out_width << stage);
        let path = format!("layer{}.{i}", stage + 1);
        let stride = if i == 0 && stage > 0 { 2 } else { 1 };
        let place = |path: String| UnitPlace { stage: stage + 2, index: i + 1, path };
        let shortcut = if b.shape(x)[0] != out || stride != 1 { self.project(b, &path, x, out, stride)? } else { x };
        let sk_names = matches!(self.spatial, Spatial::Sk(_));
        let names = |n: usize| {
            if sk_names {
                [format!("{path}.conv{n}.conv"), format!("{path}.conv{n}.bn"), format!("{path}.conv{n}.act")]
            } else {
                [format!("{path}.conv{n}"), format!("{path}.bn{n}"), format!("{path}.act{n}")]
            }
        };
        let spatial = |b: &mut GraphBuilder, x: TensorId, n: usize| match &self.spatial {
            Spatial::Sk(sk) => sk_unit(b, &place(format!("{path}.conv{n}")), x, width, stride, sk),
            Spatial::Plain { groups } => {
                let [conv, bn, act] = names(n);
                let y = conv_bn(b, &conv, &bn, x, width, Branch { groups: *groups, ..kernel(3) }, stride)?;
                Ok(b.relu(act, y))
            }
        };
        let mut y = match self.block {
            Block::Bottleneck => {
                let [conv, bn, act] = names(1);
                let y = conv_bn(b, &conv, &bn, x, width, kernel(1), 1)?;
                let y = b.relu(act, y);
                let y = spatial(b, y, 2)?;
                let [conv, bn, _] = names(3);
                conv_bn(b, &conv, &bn, y, out, kernel(1), 1)?
            }
            Block::Basic => {
                let y = spatial(b, x, 1)?;
                let [conv, bn, _] = names(2);
                conv_bn(b, &conv, &bn, y, out, kernel(3), 1)?
            }
        };
        if let Some(width) = &self.se {
            y = squeeze_excite(b, &place(format!("{path}.se")), y, width)?;
        }
        let y = b.add(format!("{path}.add"), &[y, shortcut])?;
        Ok(b.relu(path, y))
    }

    fn project(&self, b: &mut GraphBuilder, path: &str, x: TensorId, out: usize, stride: usize) -> Result<TensorId> {
        let name = |n: usize| format!("{path}.downsample.{n}");
        match self.shortcut {
            Shortcut::Conv => conv_bn(b, &name(0), &name(1), x, out, kernel(1), stride),
            Shortcut::AveragePool => {
                let pool = Pool { kind: PoolKind::Average, kernel: 2, stride, padding: 0, ceil_mode: true };
                let x = if stride == 1 { x } else { b.pool(name(0), x, pool)? };
                conv_bn(b, &name(1), &name(2), x, out, kernel(1), 1)
            }
        }
    }
}
