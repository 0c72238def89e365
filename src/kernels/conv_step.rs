//! What all convolution kernels share.

use super::{DenseConv, DepthwiseConv, GroupedConv, Kernel, Operand, Pointwise, view_constants};
use crate::Result;
use crate::graph::{Conv2d, TensorId};
use crate::plan::{LANES, View, Views};
use crate::weights::{FoldedNorm, Parameters};
use std::ops::Range;

/// A convolution with everything fused behind it: `act(norm(conv(x)) + residual)`.
#[derive(Clone, Debug)]
pub struct ConvStep {
    /// The convolution.
    pub conv: Conv2d,
    /// Whether the named weight is that of the convolution that this one transposes (see [`Conv2d::transposed`]).
    pub transposed: bool,
    /// Bias and batch norm.
    pub norm: FoldedNorm,
    /// Whether negative results become zero.
    pub relu: bool,
    /// Added before the ReLU.
    pub residual: Option<TensorId>,
    /// x.
    pub input: TensorId,
    /// The result.
    pub output: TensorId,
}

impl ConvStep {
    /// Tensors read.
    pub(super) fn inputs(&self) -> Vec<TensorId> {
        std::iter::once(self.input).chain(self.residual).collect()
    }
    /// Reads `to` where it read `from`.
    pub(super) fn rewire(&mut self, from: TensorId, to: TensorId) {
        if self.input == from {
            self.input = to;
        }
        if self.residual == Some(from) {
            self.residual = Some(to);
        }
    }
    /// Names of the weights.
    pub(super) fn parameters(&self) -> Vec<String> {
        std::iter::once(self.conv.weight.clone()).chain(self.norm.parameters()).collect()
    }

    /// Multiply-adds for one picture.
    pub(super) fn macs(&self, views: &Views) -> u64 {
        let y = views.of(self.output);
        (y.positions() * y.channels() * self.conv.in_channels / self.conv.groups * self.conv.kernel.pow(2)) as u64
    }

    /// Weights with the batch norm folded in.
    pub(super) fn fold<'a>(&self, parameters: &'a Parameters) -> Result<Folded<'a>> {
        let (scale, shift) = self.norm.fold(parameters)?;
        let Conv2d { in_channels, out_channels, groups, kernel, .. } = self.conv;
        let (inputs, outputs) = (in_channels / groups, out_channels / groups);
        let weight = parameters.get(&self.conv.weight)?;
        Ok(Folded { weight, inputs, outputs, transposed: self.transposed, taps: kernel.pow(2), scale, shift })
    }

    /// Weights of a convolution without groups as `[tap][lane of x][lane of y]`, then the bias `[lane of y]`.
    pub(super) fn pack_matrix(&self, x: &View, y: &View, parameters: &Parameters) -> Result<Vec<f32>> {
        let folded = self.fold(parameters)?;
        let (rows, columns) = (x.quads() * LANES, y.quads() * LANES);
        let mut packed = folded.zeros_and_bias(folded.taps * rows * columns, y);
        for (o, &column) in y.lanes.iter().enumerate() {
            for (i, &row) in x.lanes.iter().enumerate() {
                for tap in 0..folded.taps {
                    packed[(tap * rows + row as usize) * columns + column as usize] = folded.at(o, i, tap);
                }
            }
        }
        Ok(packed)
    }

    /// `override` constants that every convolution shader declares.
    pub(super) fn constants(&self, views: &Views, x: &View) -> Vec<(&'static str, f64)> {
        let y = views.of(self.output);
        let mut constants = vec![
            ("X_QUADS", x.quads() as f64),
            ("Y_QUADS", y.quads() as f64),
            ("IN_WIDTH", x.width as f64),
            ("OUT_WIDTH", y.width as f64),
            ("POSITIONS", y.positions() as f64),
            ("STRIDE", self.conv.stride as f64),
            ("RELU", f64::from(self.relu)),
            ("RESIDUAL", f64::from(self.residual.is_some())),
        ];
        constants.extend(view_constants(["X_ITEM", "X_BASE", "X_STRIDE"], x));
        constants.extend(view_constants(["Y_ITEM", "Y_BASE", "Y_STRIDE"], y));
        if let Some(residual) = self.residual {
            constants.extend(view_constants(["R_ITEM", "R_BASE", "R_STRIDE"], views.of(residual)));
        }
        constants
    }

    /// `override` constants of the window, for kernels larger than 1×1.
    pub(super) fn window_constants(&self, x: &View) -> [(&'static str, f64); 4] {
        [
            ("KERNEL", self.conv.kernel as f64),
            ("PADDING", self.conv.padding as f64),
            ("DILATION", self.conv.dilation as f64),
            ("IN_HEIGHT", x.height as f64),
        ]
    }

    /// The binding of the residual.
    pub(super) fn residual_operand(&self, views: &Views) -> Operand {
        self.residual.map_or(Operand::Unused, |r| Operand::Read(views.of(r).storage))
    }
}

/// A convolution's weight `[out, in / groups, taps]` with scale and shift per output channel; of a transposed one, the
/// weight `[in, out / groups, taps]` of the convolution that it transposes.
pub(super) struct Folded<'a> {
    weight: &'a [f32],
    /// Input channels of a group.
    inputs: usize,
    /// Output channels of a group.
    outputs: usize,
    transposed: bool,
    /// Kernel elements.
    pub taps: usize,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Folded<'_> {
    /// The scaled weight of output channel `o` and the `i`th input channel of its group.
    pub fn at(&self, o: usize, i: usize, tap: usize) -> f32 {
        let at = if self.transposed {
            let input = o / self.outputs * self.inputs + i;
            (input * self.outputs + o % self.outputs + 1) * self.taps - 1 - tap
        } else {
            (o * self.inputs + i) * self.taps + tap
        };
        self.weight[at] * self.scale[o]
    }
    /// Zeros for `weights` values, and behind them the shift in the lanes of `y`, zero in padding. Reserved together: a vector
    /// that grows by its bias takes twice its size.
    pub fn zeros_and_bias(&self, weights: usize, y: &View) -> Vec<f32> {
        let mut packed = vec![0.0; weights + y.quads() * LANES];
        y.lanes.iter().zip(&self.shift).for_each(|(&lane, &shift)| packed[weights + lane as usize] = shift);
        packed
    }
}

/// Splits `0..len` into blocks of `size`, the last one smaller.
pub(super) fn blocks(len: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(size).map(move |start| start..(start + size).min(len))
}

/// The kernel family that computes `step`.
pub fn convolution(step: ConvStep) -> Box<dyn Kernel> {
    let conv = &step.conv;
    if Pointwise::supports(conv) {
        Box::new(Pointwise { step, select: None })
    } else if conv.groups == 1 {
        Box::new(DenseConv { step })
    } else if conv.groups == conv.in_channels && conv.groups == conv.out_channels {
        Box::new(DepthwiseConv { step })
    } else {
        Box::new(GroupedConv { step })
    }
}
