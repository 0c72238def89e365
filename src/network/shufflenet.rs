//! SK-ShuffleNetV2: torchvision's ShuffleNetV2 with an SK unit in place of every main branch's depthwise convolution.

use super::blocks::{SkConv, UnitPlace, conv_bn, kernel, sk_unit};
use crate::Result;
use crate::graph::{Branch, Graph, GraphBuilder, MaxPool};

/// A ShuffleNetV2 with SK units.
#[derive(Clone, Debug, PartialEq)]
pub struct SkShuffleNetV2 {
    /// Units per stage.
    pub depths: Vec<usize>,
    /// Channels after each stage.
    pub widths: Vec<usize>,
    /// Channels of the last 1×1 convolution.
    pub head: usize,
    /// The SK convolution, depthwise.
    pub sk: SkConv,
}

impl SkShuffleNetV2 {
    /// The graph for `[height, width]` pictures and `classes` logits.
    pub fn graph(&self, size: [usize; 2], classes: usize) -> Result<Graph> {
        let mut b = GraphBuilder::new([3, size[0], size[1]]);
        let picture = b.picture();
        let x = conv_bn(&mut b, "conv1.0", "conv1.1", picture, 24, kernel(3), 2)?;
        let x = b.relu("conv1.2", x);
        let mut x = b.max_pool("maxpool", x, MaxPool { kernel: 3, stride: 2, padding: 1, ceil_mode: false })?;
        for (stage, (&depth, &width)) in self.depths.iter().zip(&self.widths).enumerate() {
            let half = width / 2;
            for i in 0..depth {
                let path = format!("stage{}.{i}", stage + 2);
                let stride = if i == 0 { 2 } else { 1 };
                let (side, main) = if i == 0 {
                    let channels = b.shape(x)[0];
                    let depthwise = Branch { kernel: 3, dilation: 1, groups: channels };
                    let branch1 = |n: usize| format!("{path}.branch1.{n}");
                    let y = conv_bn(&mut b, &branch1(0), &branch1(1), x, channels, depthwise, 2)?;
                    let y = conv_bn(&mut b, &branch1(2), &branch1(3), y, half, kernel(1), 1)?;
                    (b.relu(branch1(4), y), x)
                } else {
                    (b.slice(format!("{path}.left"), x, 0, half)?, b.slice(format!("{path}.right"), x, half, half)?)
                };
                let branch2 = |n: usize| format!("{path}.branch2.{n}");
                let y = conv_bn(&mut b, &branch2(0), &branch2(1), main, half, kernel(1), 1)?;
                let y = b.relu(branch2(2), y);
                let place = UnitPlace { stage: stage + 2, index: i + 1, path: branch2(3) };
                let y = sk_unit(&mut b, &place, y, half, stride, &self.sk)?;
                let y = conv_bn(&mut b, &branch2(5), &branch2(6), y, half, kernel(1), 1)?;
                let y = b.relu(branch2(7), y);
                let both = b.concat(format!("{path}.concat"), &[side, y])?;
                x = b.channel_shuffle(path, both, 2)?;
            }
        }
        let x = conv_bn(&mut b, "conv5.0", "conv5.1", x, self.head, kernel(1), 1)?;
        let x = b.relu("conv5.2", x);
        let pooled = b.global_average_pool("global_pool", x);
        let logits = b.linear("fc", pooled, classes, true, false)?;
        Ok(b.finish(logits))
    }
}
