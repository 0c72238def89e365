//! Kernel families: one file each, beside the WGSL of the same name in `shaders/`.
//!
//! A kernel is a step of a plan. It knows its tensors and weights, packs the weights, lowers itself to GPU dispatches
//! (pure data) and has a plain-Rust twin that runs the same step on the CPU from the same packing.

use crate::Result;
use crate::cpu::CpuContext;
use crate::graph::TensorId;
use crate::plan::{StorageId, View, Views};
use crate::weights::Parameters;
use shader::shader;
use std::fmt::Debug;

mod branch_softmax;
mod branch_softmax_backward;
mod broadcast;
mod conv_step;
mod conv_transpose;
mod dense_conv;
mod depthwise_conv;
mod elementwise;
mod gate;
mod gather;
mod gemm_conv;
mod global_average_pool;
mod grouped_conv;
mod linear;
mod packed;
mod pointwise;
mod pool;
mod pool_backward;
mod resize;
mod select;
mod shader;
mod sk_attention;
mod sk_branches;
mod variant;

pub use branch_softmax::BranchSoftmax;
pub use branch_softmax_backward::BranchSoftmaxBackward;
pub use broadcast::Broadcast;
pub use conv_step::{ConvStep, convolution};
pub use conv_transpose::ConvTranspose;
pub use dense_conv::DenseConv;
pub use depthwise_conv::DepthwiseConv;
pub use elementwise::{Activation, Elementwise, MAX_TERMS};
pub use gate::{Gate, GateKind};
pub use gather::Gather;
pub use global_average_pool::GlobalAveragePool;
pub use grouped_conv::GroupedConv;
pub use linear::Linear;
pub use packed::Packed;
pub use pointwise::Pointwise;
pub use pool::Pool;
pub use pool_backward::PoolBackward;
pub use resize::Crops;
pub use select::Select;
pub use shader::Shader;
pub use sk_attention::SkAttention;
pub use sk_branches::SkBranches;
pub use variant::{AdapterFacts, Choices, Kind, Shape, Tiling, Variant};

/// Every shader that ships; the tests validate each with naga.
pub const SHADERS: &[&Shader] = &[
    branch_softmax::SHADER,
    branch_softmax_backward::SHADER,
    broadcast::SHADER,
    depthwise_conv::SHADER,
    elementwise::SHADER,
    gate::SHADER,
    gather::SHADER,
    global_average_pool::SHADER,
    grouped_conv::SHADER,
    linear::SHADER,
    pointwise::SHADER,
    pointwise::STAGED,
    pointwise::SPLIT,
    pool::SHADER,
    pool_backward::SHADER,
    resize::ROWS,
    resize::COLUMNS,
    select::SHADER,
    sk_attention::SHADER,
    sk_branches::SHADER,
];

/// What a binding of a dispatch refers to. Binding numbers are the positions in [`Dispatch::bindings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A storage that the shader reads.
    Read(StorageId),
    /// A storage that the shader writes.
    Write(StorageId),
    /// The step's packed constant of that index; for [`Crops::lower`] see there.
    Constant(usize),
    /// Declared in the shader, not used by this specialisation; a small buffer is bound.
    Unused,
}

/// One compute dispatch, as pure data.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// The shader.
    pub shader: &'static Shader,
    /// Values of its `override` constants; the executor adds `HALVES` where a bound constant holds [`Packed::Halves`].
    pub constants: Vec<(&'static str, f64)>,
    /// Bindings of group 0.
    pub bindings: Vec<Operand>,
    /// Workgroups in x, y, z.
    pub workgroups: [u32; 3],
}

/// What a lowering may depend on besides the step itself.
#[derive(Clone, Debug)]
pub struct Lowering<'a> {
    /// Where the tensors lie.
    pub views: &'a Views,
    /// Batch size; grids put it in z.
    pub batch: usize,
    /// Which variants of the convolutions are taken.
    pub choices: &'a Choices,
}

impl Lowering<'_> {
    /// Threads in a workgroup of a shader that runs on [`Lowering::grid`].
    const WORKGROUP: usize = 64;
    /// What WebGPU allows in each dimension of a grid, at least.
    pub(crate) const MAX_WORKGROUPS: usize = 65_535;

    /// The grid of a shader with one thread for each of `threads` values per batch item, numbered along x, then y.
    pub(crate) fn grid(&self, threads: usize) -> [u32; 3] {
        let groups = threads.div_ceil(Self::WORKGROUP);
        let rows = groups.div_ceil(Self::MAX_WORKGROUPS);
        [groups.div_ceil(rows.max(1)) as u32, rows as u32, self.batch as u32]
    }
}

/// How a kernel treats an input whose quads are not contiguous or whose lanes are permuted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputLayout {
    /// Must be plain: contiguous quads, channel `c` in lane `c`.
    Plain,
    /// Any view.
    Any,
    /// Any view, and the output takes over its lanes (depthwise operators).
    Propagates,
}

/// A step of a plan.
pub trait Kernel: Debug + Send + Sync {
    /// Name of the family, which is the file's name.
    fn family(&self) -> &'static str;
    /// Tensors read; one that is read in two roles may stand here twice.
    fn inputs(&self) -> Vec<TensorId>;
    /// Tensors written, each once.
    fn outputs(&self) -> Vec<TensorId>;
    /// What it accepts as the layout of `input`.
    fn input_layout(&self, input: TensorId) -> InputLayout {
        let _ = input;
        InputLayout::Plain
    }
    /// Whether its outputs may be placed in any view, not only plain ones.
    fn writes_views(&self) -> bool {
        false
    }
    /// Reads `to` where it read `from`.
    fn rewire(&mut self, from: TensorId, to: TensorId);
    /// Names of the weights that [`Kernel::pack`] reads.
    fn parameters(&self) -> Vec<String> {
        Vec::new()
    }
    /// Multiply-adds for one picture; Select counts one per element of every branch.
    fn macs(&self, views: &Views) -> u64 {
        let _ = views;
        0
    }
    /// The step's constants, batch norm folded, lanes in the order of the views.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>>;
    /// The product of matrices whose variants [`Lowering::choices`] chooses from; none where there is one way only.
    fn shape(&self, lowering: &Lowering) -> Option<Shape> {
        let _ = lowering;
        None
    }
    /// Puts what [`Kernel::pack`] returned, in whichever precision, into the order that the CPU twin reads.
    fn arrange(&self, views: &Views, constants: &mut [Packed]) {
        let _ = (views, constants);
    }
    /// The GPU dispatches, in order.
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch>;
    /// The same step on the CPU.
    fn run(&self, context: &mut CpuContext);
}

/// `override` constants that describe a view: `{prefix}_ITEM`, `_BASE` (first slot included), `_STRIDE`, in quads.
pub(crate) fn view_constants(names: [&'static str; 3], view: &View) -> [(&'static str, f64); 3] {
    let base = view.base + if view.is_contiguous() { view.slots[0] as usize } else { 0 };
    [(names[0], view.item as f64), (names[1], base as f64), (names[2], view.stride as f64)]
}
