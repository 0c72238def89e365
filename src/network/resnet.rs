//! SKNet (paper, table 1) as timm names it: bottlenecks with an SK unit in the middle.

use super::blocks::{SkConv, UnitPlace, conv_bn, kernel, sk_unit};
use crate::Result;
use crate::graph::{Graph, GraphBuilder, MaxPool};

/// The stem's 3×3 stride-2 max pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StemPool {
    /// Padding 1 (timm, PyTorch).
    Padded,
    /// No padding, last partial window counts (the authors' Caffe models).
    CeilMode,
}

/// A bottleneck ResNet with SK units.
#[derive(Clone, Debug, PartialEq)]
pub struct SkResNet {
    /// Bottlenecks per stage.
    pub depths: Vec<usize>,
    /// Channels of the first stage's SK units; doubles per stage.
    pub width: usize,
    /// Channels of the first stage's output; doubles per stage.
    pub out_width: usize,
    /// The SK convolution.
    pub sk: SkConv,
    /// The stem's pool.
    pub stem_pool: StemPool,
}

impl SkResNet {
    /// The graph for `[height, width]` pictures and `classes` logits.
    pub fn graph(&self, size: [usize; 2], classes: usize) -> Result<Graph> {
        let mut b = GraphBuilder::new([3, size[0], size[1]]);
        let picture = b.picture();
        let x = conv_bn(&mut b, "conv1", "bn1", picture, 64, kernel(7), 2)?;
        let x = b.relu("act1", x);
        let (padding, ceil_mode) = match self.stem_pool {
            StemPool::Padded => (1, false),
            StemPool::CeilMode => (0, true),
        };
        let mut x = b.max_pool("maxpool", x, MaxPool { kernel: 3, stride: 2, padding, ceil_mode })?;
        for (stage, &depth) in self.depths.iter().enumerate() {
            let (width, out) = (self.width << stage, self.out_width << stage);
            for i in 0..depth {
                let path = format!("layer{}.{i}", stage + 1);
                let stride = if i == 0 && stage > 0 { 2 } else { 1 };
                let shortcut = if i == 0 {
                    conv_bn(
                        &mut b,
                        &format!("{path}.downsample.0"),
                        &format!("{path}.downsample.1"),
                        x,
                        out,
                        kernel(1),
                        stride,
                    )?
                } else {
                    x
                };
                let conv_name = |n: usize| (format!("{path}.conv{n}.conv"), format!("{path}.conv{n}.bn"));
                let (conv, bn) = conv_name(1);
                let y = conv_bn(&mut b, &conv, &bn, x, width, kernel(1), 1)?;
                let y = b.relu(format!("{path}.conv1.act"), y);
                let place = UnitPlace { stage: stage + 2, index: i + 1, path: format!("{path}.conv2") };
                let y = sk_unit(&mut b, &place, y, width, stride, &self.sk)?;
                let (conv, bn) = conv_name(3);
                let y = conv_bn(&mut b, &conv, &bn, y, out, kernel(1), 1)?;
                let y = b.add(format!("{path}.add"), &[y, shortcut])?;
                x = b.relu(path, y);
            }
        }
        let pooled = b.global_average_pool("global_pool", x);
        let logits = b.linear("fc", pooled, classes, true, false)?;
        Ok(b.finish(logits))
    }
}
