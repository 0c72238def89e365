//! torchvision's ShuffleNetV2, plain, with squeeze-and-excitation, or with SK units.

use super::blocks::{AttentionWidth, SkConv, UnitPlace, conv_bn, kernel, sk_unit, squeeze_excite};
use crate::Result;
use crate::graph::{Branch, Graph, GraphBuilder, Pool, PoolKind, TensorId};

/// A ShuffleNetV2.
#[derive(Clone, Debug, PartialEq)]
pub struct ShuffleNetV2 {
    /// Units per stage.
    pub depths: Vec<usize>,
    /// Channels after each stage, even.
    pub widths: Vec<usize>,
    /// Channels of the last 1×1 convolution.
    pub head: usize,
    /// What stands in place of every main branch's depthwise convolution and the batch norm behind it (`branch2.3` and
    /// `branch2.4`), if anything does.
    pub sk: Option<SkConv>,
    /// Hidden width of a squeeze-and-excitation at the end of every main branch, behind its last ReLU (`branch2.8`). The
    /// paper does not say where its SE units stand; this is SENet's place, before the branches join.
    pub se: Option<AttentionWidth>,
}

impl ShuffleNetV2 {
    /// The smallest side of a picture, in pixels.
    pub fn min_side(&self) -> usize {
        64
    }

    /// The graph of `classes` logits for the picture of `b`.
    pub fn graph(&self, mut b: GraphBuilder, classes: usize) -> Result<Graph> {
        let picture = b.picture();
        let x = conv_bn(&mut b, "conv1.0", "conv1.1", picture, 24, kernel(3), 2)?;
        let x = b.relu("conv1.2", x);
        let pool = Pool { kind: PoolKind::Max, kernel: 3, stride: 2, padding: 1, ceil_mode: false };
        let mut x = b.pool("maxpool", x, pool)?;
        for (stage, (&depth, &width)) in self.depths.iter().zip(&self.widths).enumerate() {
            for i in 0..depth {
                let path = format!("stage{}.{i}", stage + 2);
                x = self.block(&mut b, x, width / 2, UnitPlace { stage: stage + 2, index: i + 1, path })?;
            }
        }
        let x = conv_bn(&mut b, "conv5.0", "conv5.1", x, self.head, kernel(1), 1)?;
        let x = b.relu("conv5.2", x);
        let pooled = b.global_average_pool("global_pool", x);
        let logits = b.linear("fc", pooled, classes, true, false)?;
        Ok(b.finish(logits))
    }

    fn block(&self, b: &mut GraphBuilder, x: TensorId, half: usize, place: UnitPlace) -> Result<TensorId> {
        let path = &place.path;
        let depthwise = |channels: usize| Branch { groups: channels, ..kernel(3) };
        let (stride, side, main) = if place.index == 1 {
            let channels = b.shape(x)[0];
            let branch1 = |n: usize| format!("{path}.branch1.{n}");
            let y = conv_bn(b, &branch1(0), &branch1(1), x, channels, depthwise(channels), 2)?;
            let y = conv_bn(b, &branch1(2), &branch1(3), y, half, kernel(1), 1)?;
            (2, b.relu(branch1(4), y), x)
        } else {
            (1, b.slice(format!("{path}.left"), x, 0, half)?, b.slice(format!("{path}.right"), x, half, half)?)
        };
        let branch2 = |n: usize| format!("{path}.branch2.{n}");
        let unit = |n: usize| UnitPlace { path: branch2(n), ..place.clone() };
        let y = conv_bn(b, &branch2(0), &branch2(1), main, half, kernel(1), 1)?;
        let y = b.relu(branch2(2), y);
        let y = match &self.sk {
            Some(sk) => sk_unit(b, &unit(3), y, half, stride, sk)?,
            None => conv_bn(b, &branch2(3), &branch2(4), y, half, depthwise(half), stride)?,
        };
        let y = conv_bn(b, &branch2(5), &branch2(6), y, half, kernel(1), 1)?;
        let mut y = b.relu(branch2(7), y);
        if let Some(width) = &self.se {
            y = squeeze_excite(b, &unit(8), y, width)?;
        }
        let both = b.concat(format!("{path}.concat"), &[side, y])?;
        b.channel_shuffle(path.clone(), both, 2)
    }
}
