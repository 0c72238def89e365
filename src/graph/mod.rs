//! The unfused network: operators over named tensors.
//!
//! A tensor is `[C, H, W]`; the batch dimension is implicit, and no operator mixes batch items. Node order is a
//! topological order. Nothing here assumes a forward pass: a backward pass is a graph like any other.

mod backward;
mod builder;
mod cost;
mod receptive_field;

pub use backward::{AttentionGradient, InputGradient};
pub use builder::GraphBuilder;
pub use receptive_field::{FieldSizes, PixelBox, ReceptiveField};

use std::ops::Range;

/// Index of a tensor in [`Graph::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// A named tensor `[C, H, W]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tensor {
    /// Stable name: the module path of the layer that produces it, for example `layer1.0.conv2.paths.1.act`.
    pub name: String,
    /// `[C, H, W]` of one batch item.
    pub shape: [usize; 3],
}

/// A two-dimensional convolution with square kernel and symmetric zero padding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    /// Name of the weight, shape `[out, in / groups, kernel, kernel]`.
    pub weight: String,
    /// Name of the bias, shape `[out]`.
    pub bias: Option<String>,
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Kernel width and height.
    pub kernel: usize,
    /// Stride in both directions.
    pub stride: usize,
    /// Zero padding on every side.
    pub padding: usize,
    /// Dilation in both directions.
    pub dilation: usize,
    /// Groups; divides both channel counts.
    pub groups: usize,
}

impl Conv2d {
    /// Output width or height for an input of `size`.
    pub fn output_size(&self, size: usize) -> usize {
        (size + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) / self.stride + 1
    }
    /// Width of the input window that one output sees: `dilation · (kernel − 1) + 1`.
    pub fn effective_kernel(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }
    /// The convolution of stride 1 that equals the transpose of this one, on an input into which `stride − 1` zeros were
    /// put between neighbours; its weight is this one's with input and output exchanged and both directions turned
    /// round. None where its padding would be negative.
    pub fn transposed(&self) -> Option<Self> {
        let padding = (self.effective_kernel() - 1).checked_sub(self.padding)?;
        let (in_channels, out_channels) = (self.out_channels, self.in_channels);
        Some(Self { bias: None, in_channels, out_channels, stride: 1, padding, ..self.clone() })
    }
}

/// Inference-time batch normalisation: parameters `{prefix}.weight`, `.bias`, `.running_mean`, `.running_var`, each `[C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Prefix of the parameter names.
    pub prefix: String,
    /// Added to the variance.
    pub epsilon: f32,
}

/// What a pool makes of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// The largest value; padding counts as −∞.
    Max,
    /// The mean of the positions inside the input (PyTorch's `count_include_pad=False`).
    Average,
}

/// Pooling over square windows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// Maximum or mean.
    pub kind: PoolKind,
    /// Window width and height.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Padding on every side.
    pub padding: usize,
    /// Whether a last partial window counts (Caffe) or not (PyTorch's default).
    pub ceil_mode: bool,
}

impl Pool {
    /// Output width or height for an input of `size`, as PyTorch computes it: with `ceil_mode` a window that would start
    /// in the right padding is dropped.
    pub fn output_size(&self, size: usize) -> usize {
        let span = size + 2 * self.padding - self.kernel;
        if self.ceil_mode {
            let n = span.div_ceil(self.stride) + 1;
            if (n - 1) * self.stride >= size + self.padding { n - 1 } else { n }
        } else {
            span / self.stride + 1
        }
    }
    /// The part of output `o`'s window that lies in an input of `size`, in one direction.
    pub fn window(&self, o: usize, size: usize) -> Range<usize> {
        let start = o * self.stride;
        let end = (start + self.kernel).saturating_sub(self.padding).min(size);
        start.saturating_sub(self.padding)..end
    }
}

/// An operator. Inputs and output are tensors of the [`Node`].
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A tensor from outside: the normalised picture, or an attention override.
    Input,
    /// Convolution (no activation).
    Conv2d(Conv2d),
    /// Batch normalisation with running statistics.
    BatchNorm(BatchNorm),
    /// `max(x, 0)`.
    Relu,
    /// Sum of all inputs, same shapes.
    Add,
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// Max or average pooling.
    Pool(Pool),
    /// Mean over all positions: `[C, H, W]` → `[C, 1, 1]`.
    GlobalAveragePool,
    /// Fully connected layer on `[in, 1, 1]`.
    Linear(Linear),
    /// Softmax over branches per channel: logits `[M·C, 1, 1]`, branch-major (paper, section 3.1, Select).
    BranchSoftmax {
        /// M.
        branches: usize,
    },
    /// Inputs attention `[M·C, 1, 1]` and override `[2·M·C, 1, 1]` (values, then mask): where the mask is not zero
    /// the value replaces the attention.
    Override {
        /// M.
        branches: usize,
    },
    /// Inputs attention `[M·C, 1, 1]`, then U₀ … U_{M−1}: output `Σ aₘ·Uₘ` (paper, equation 6). With M = 1 it scales
    /// channels, as squeeze-and-excitation does.
    Select,
    /// Channels `start .. start + count`.
    Slice {
        /// First channel.
        start: usize,
        /// Number of channels.
        count: usize,
    },
    /// Inputs one after the other along channels.
    Concat,
    /// Channel shuffle (ShuffleNet): channel `g·k + i` goes to `i·groups + g`.
    ChannelShuffle {
        /// Groups.
        groups: usize,
    },
    /// Gradient of the convolution with respect to its input: the transposed convolution. The output has the size of the
    /// convolution's input.
    ConvTranspose2d(Conv2d),
    /// Gradient of batch normalisation with running statistics: a scale per channel.
    BatchNormBackward(BatchNorm),
    /// Inputs gradient and the ReLU's output: the gradient where the output is positive, else 0.
    ReluBackward,
    /// Inputs gradient g and the sigmoid's output s: `g·s·(1 − s)`.
    SigmoidBackward,
    /// Inputs gradient and the pool's input. Of equal maxima the first, row by row, gets the gradient, as in PyTorch.
    PoolBackward(Pool),
    /// `[C, 1, 1]` → `[C, H, W]`: every position gets `1 / (H·W)` of the gradient.
    GlobalAveragePoolBackward,
    /// Gradient of the fully connected layer with respect to its input: the product with the transposed weight.
    LinearTranspose(Linear),
    /// Inputs gradient g and the softmax's output a, both `[M·C, 1, 1]`: `aₘ·(gₘ − Σ aₖ·gₖ)`.
    BranchSoftmaxBackward {
        /// M.
        branches: usize,
    },
    /// Inputs gradient `[M·C, 1, 1]` and override `[2·M·C, 1, 1]`: 0 where the mask is not zero. A
    /// [`Op::BranchSoftmaxBackward`] follows.
    OverrideBackward {
        /// M.
        branches: usize,
    },
    /// Product of two tensors times the number of their positions, so that its mean is their scalar product.
    ScaledProduct,
    /// Gradient of [`Op::Slice`]: the input as channels from `start` on, 0 in the others.
    SliceBackward {
        /// First channel.
        start: usize,
    },
}

/// A fully connected layer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Linear {
    /// Name of the weight, `[out, in]`, or `[out, in, 1, 1]` where the framework writes it as a convolution.
    pub weight: String,
    /// Whether the file stores the weight with four dimensions.
    pub as_conv: bool,
    /// Name of the bias `[out]`.
    pub bias: Option<String>,
    /// Input features.
    pub in_features: usize,
    /// Output features.
    pub out_features: usize,
}

/// One operator applied to tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// Operands in the operator's order.
    pub inputs: Vec<TensorId>,
    /// The tensor it defines; its name is the node's name.
    pub output: TensorId,
}

/// One branch of an SK unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Branch {
    /// Kernel width.
    pub kernel: usize,
    /// Dilation.
    pub dilation: usize,
    /// Groups.
    pub groups: usize,
}

impl Branch {
    /// Effective kernel width: 3×3 with dilation 2 acts as 5×5.
    pub fn size(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }
}

/// An SK unit (paper, section 3.1), by the tensors of its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct SkUnit {
    /// The paper's name: `SK_{stage}_{unit}`; the first stage is 2 for every family.
    pub name: String,
    /// Module path, for example `layer1.2.conv2`.
    pub path: String,
    /// Channels C of each branch.
    pub channels: usize,
    /// The branches, in weight order.
    pub branches: Vec<Branch>,
    /// The unit's input to each branch (the same tensor M times, or M slices with `split_input`).
    pub branch_inputs: Vec<TensorId>,
    /// U₀ … U_{M−1}, after batch norm and ReLU.
    pub branch_outputs: Vec<TensorId>,
    /// U = Σ Uₘ.
    pub sum: TensorId,
    /// s, `[C, 1, 1]`.
    pub pooled: TensorId,
    /// z, `[d, 1, 1]`.
    pub reduced: TensorId,
    /// V·z, `[M·C, 1, 1]`, branch-major.
    pub logits: TensorId,
    /// Softmax of the logits.
    pub softmax: TensorId,
    /// The override that may replace it.
    pub override_input: TensorId,
    /// The attention that Select uses.
    pub attention: TensorId,
    /// V.
    pub output: TensorId,
}

impl SkUnit {
    /// Index of the branch with the smallest effective kernel, the first of several.
    pub fn smallest(&self) -> usize {
        (0..self.branches.len()).min_by_key(|&m| self.branches[m].size()).unwrap_or(0)
    }
    /// Index of the branch with the largest effective kernel, the last of several.
    pub fn largest(&self) -> usize {
        (0..self.branches.len()).max_by_key(|&m| self.branches[m].size()).unwrap_or(0)
    }
}

/// A weight that the graph reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name in the checkpoint.
    pub name: String,
    /// Expected shape.
    pub shape: Vec<usize>,
    /// Whether PyTorch counts it as a parameter (running statistics are buffers).
    pub learned: bool,
}

/// A network for one input size.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// All tensors.
    pub tensors: Vec<Tensor>,
    /// All nodes, in topological order.
    pub nodes: Vec<Node>,
    /// The normalised picture `[3, H, W]`.
    pub input: TensorId,
    /// The result, for classifiers the logits `[classes, 1, 1]`.
    pub output: TensorId,
    /// SK units in order of depth.
    pub units: Vec<SkUnit>,
}

impl Graph {
    /// The tensor behind `id`.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0]
    }
    /// The tensor called `name`.
    pub fn find(&self, name: &str) -> Option<TensorId> {
        self.tensors.iter().position(|t| t.name == name).map(TensorId)
    }
    /// The node that defines `id`.
    pub fn producer(&self, id: TensorId) -> Option<&Node> {
        self.nodes.iter().find(|n| n.output == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_stay_inside() {
        let pool = Pool { kind: PoolKind::Max, kernel: 3, stride: 2, padding: 1, ceil_mode: false };
        assert_eq!([pool.window(0, 6), pool.window(1, 6), pool.window(3, 6)], [0..2, 1..4, 5..6]);
    }
}
