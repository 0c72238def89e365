//! One operator of a network, alone: what benchmarks compare with other engines.

use super::blocks::{AttentionWidth, Groups, SkBranch, SkConv, UnitPlace, sk_unit};
use crate::Result;
use crate::graph::{Branch, Graph, GraphBuilder};
use serde::Deserialize;

/// An operator of a square input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operator {
    /// A 1×1 convolution with the weight `conv.weight`.
    Pointwise {
        /// Channels of the input.
        in_channels: usize,
        /// Channels of the output.
        out_channels: usize,
        /// Stride.
        stride: usize,
        /// Height and width of the input.
        side: usize,
    },
    /// An SK unit at path `unit` with a 3×3 and a dilated 5×5 branch.
    SkUnit {
        /// Channels of input and output.
        channels: usize,
        /// Groups of both branches.
        groups: usize,
        /// Width of the attention's hidden layer.
        width: usize,
        /// Height and width of the input.
        side: usize,
    },
}

impl Operator {
    /// The operator as a graph.
    ///
    /// # Errors
    /// `bad-option` if the numbers do not fit each other.
    pub fn graph(self) -> Result<Graph> {
        match self {
            Self::Pointwise { in_channels, out_channels, stride, side } => {
                let mut b = GraphBuilder::new([in_channels, side, side]);
                let x = b.picture();
                let pointwise = Branch { kernel: 1, dilation: 1, groups: 1 };
                let y = b.conv("conv", x, out_channels, pointwise, stride, 0, false)?;
                Ok(b.finish(y))
            }
            Self::SkUnit { channels, groups, width, side } => {
                let mut b = GraphBuilder::new([channels, side, side]);
                let x = b.picture();
                let place = UnitPlace { stage: 2, index: 1, path: "unit".into() };
                let sk = SkConv {
                    branches: [3, 5].map(|size| SkBranch::dilated(size, Groups::Count(groups))).into(),
                    split_input: false,
                    attention: Some(AttentionWidth::PerStage(vec![width])),
                };
                let y = sk_unit(&mut b, &place, x, channels, 1, &sk)?;
                Ok(b.finish(y))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_have_the_shapes_and_weights_asked_for() {
        let conv = Operator::Pointwise { in_channels: 8, out_channels: 12, stride: 2, side: 7 }.graph().unwrap();
        assert_eq!(conv.tensor(conv.output).shape, [12, 4, 4]);
        assert_eq!(conv.parameters().iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["conv.weight"]);
        let unit = Operator::SkUnit { channels: 8, groups: 2, width: 5, side: 6 }.graph().unwrap();
        assert_eq!(unit.tensor(unit.output).shape, [8, 6, 6]);
        assert_eq!(unit.tensor(unit.units[0].reduced).shape, [5, 1, 1]);
        assert!(Operator::SkUnit { channels: 8, groups: 3, width: 5, side: 6 }.graph().is_err());
    }
}
