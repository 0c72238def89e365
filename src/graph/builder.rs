//! Building graphs: shape inference and checks.

use super::*;
use crate::{Error, Result};

/// Appends nodes, infers their shapes and refuses what does not fit.
#[derive(Debug)]
pub struct GraphBuilder {
    tensors: Vec<Tensor>,
    nodes: Vec<Node>,
    units: Vec<SkUnit>,
    input: TensorId,
    /// Whether a batch norm becomes the bias of the convolution or fully connected layer that it would read.
    pub folds_norms: bool,
}

impl GraphBuilder {
    /// A graph that reads a picture `[channels, height, width]`, named `input`.
    pub fn new(shape: [usize; 3]) -> Self {
        let mut builder =
            Self { tensors: Vec::new(), nodes: Vec::new(), units: Vec::new(), input: TensorId(0), folds_norms: false };
        builder.input = builder.input("input", shape);
        builder
    }

    /// The picture.
    pub fn picture(&self) -> TensorId {
        self.input
    }

    /// `[C, H, W]` of a tensor.
    pub fn shape(&self, id: TensorId) -> [usize; 3] {
        self.tensors[id.0].shape
    }

    fn push(&mut self, name: impl Into<String>, op: Op, inputs: Vec<TensorId>, shape: [usize; 3]) -> TensorId {
        let output = TensorId(self.tensors.len());
        self.tensors.push(Tensor { name: name.into(), shape });
        self.nodes.push(Node { op, inputs, output });
        output
    }

    /// A tensor from outside.
    pub fn input(&mut self, name: impl Into<String>, shape: [usize; 3]) -> TensorId {
        self.push(name, Op::Input, Vec::new(), shape)
    }

    /// Convolution of `x`, named `name`, with weight `{name}.weight`; `conv.weight` and `conv.bias` are filled in here
    /// (`bias` says whether there is one), as are the input channels.
    #[expect(clippy::too_many_arguments, reason = "the parameters of a convolution")]
    pub fn conv(
        &mut self,
        name: &str,
        x: TensorId,
        out_channels: usize,
        branch: Branch,
        stride: usize,
        padding: usize,
        bias: bool,
    ) -> Result<TensorId> {
        let [in_channels, height, width] = self.shape(x);
        let Branch { kernel, dilation, groups } = branch;
        let refuse = |why: String| Err(Error::bad_option(format!("convolution {name}: {why}")));
        if out_channels == 0 || kernel == 0 || stride == 0 || dilation == 0 || groups == 0 {
            return refuse("channels, kernel, stride, dilation and groups must be at least 1".into());
        }
        if !in_channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
            return refuse(format!(
                "{in_channels} input and {out_channels} output channels are not divisible by {groups} groups"
            ));
        }
        let conv = Conv2d {
            weight: format!("{name}.weight"),
            bias: bias.then(|| format!("{name}.bias")),
            in_channels,
            out_channels,
            kernel,
            stride,
            padding,
            dilation,
            groups,
        };
        if height.min(width) + 2 * padding < conv.effective_kernel() {
            return refuse(format!("the input {height}×{width} is smaller than the kernel"));
        }
        let shape = [out_channels, conv.output_size(height), conv.output_size(width)];
        Ok(self.push(name, Op::Conv2d(conv), vec![x], shape))
    }

    /// Batch norm with parameters `{name}.…`; where norms are folded, a bias of the layer that makes `x`, which then has
    /// this name.
    pub fn batch_norm(&mut self, name: &str, x: TensorId) -> TensorId {
        let layer = match &mut self.nodes[x.0].op {
            Op::Conv2d(Conv2d { weight, bias, .. }) | Op::Linear(Linear { weight, bias, .. }) => Some((weight, bias)),
            _ => None,
        };
        if let (true, Some((weight, bias))) = (self.folds_norms, layer) {
            *bias = weight.strip_suffix("weight").map(|path| format!("{path}bias"));
            self.tensors[x.0].name = name.to_string();
            return x;
        }
        let bn = BatchNorm { prefix: name.to_string(), epsilon: 1e-5 };
        self.push(name, Op::BatchNorm(bn), vec![x], self.shape(x))
    }

    /// `max(x, 0)`.
    pub fn relu(&mut self, name: impl Into<String>, x: TensorId) -> TensorId {
        self.push(name, Op::Relu, vec![x], self.shape(x))
    }

    /// `1 / (1 + exp(−x))`.
    pub fn sigmoid(&mut self, name: impl Into<String>, x: TensorId) -> TensorId {
        self.push(name, Op::Sigmoid, vec![x], self.shape(x))
    }

    /// Sum of tensors of one shape.
    pub fn add(&mut self, name: impl Into<String>, xs: &[TensorId]) -> Result<TensorId> {
        let name = name.into();
        let shape = self.same_shape(&name, xs)?;
        Ok(self.push(name, Op::Add, xs.to_vec(), shape))
    }

    /// Pooling.
    pub fn pool(&mut self, name: impl Into<String>, x: TensorId, pool: Pool) -> Result<TensorId> {
        let name = name.into();
        let [c, h, w] = self.shape(x);
        if pool.kernel == 0 || pool.stride == 0 || 2 * pool.padding > pool.kernel {
            return Err(Error::bad_option(format!(
                "pool {name}: padding may be at most half the kernel, stride at least 1"
            )));
        }
        if h.min(w) + 2 * pool.padding < pool.kernel {
            return Err(Error::bad_option(format!("pool {name}: the input {h}×{w} is smaller than the window")));
        }
        let shape = [c, pool.output_size(h), pool.output_size(w)];
        Ok(self.push(name, Op::Pool(pool), vec![x], shape))
    }

    /// Mean over positions.
    pub fn global_average_pool(&mut self, name: impl Into<String>, x: TensorId) -> TensorId {
        let c = self.shape(x)[0];
        self.push(name, Op::GlobalAveragePool, vec![x], [c, 1, 1])
    }

    /// Fully connected layer on `[C, 1, 1]` with weight `{name}.weight`.
    pub fn linear(
        &mut self,
        name: &str,
        x: TensorId,
        out_features: usize,
        bias: bool,
        as_conv: bool,
    ) -> Result<TensorId> {
        let [in_features, h, w] = self.shape(x);
        if out_features == 0 || h * w != 1 {
            return Err(Error::bad_option(format!(
                "layer {name}: needs one position and at least one output, found {h}×{w} and {out_features}"
            )));
        }
        let linear = Linear {
            weight: format!("{name}.weight"),
            as_conv,
            bias: bias.then(|| format!("{name}.bias")),
            in_features,
            out_features,
        };
        Ok(self.push(name, Op::Linear(linear), vec![x], [out_features, 1, 1]))
    }

    /// Softmax over `branches` per channel.
    pub fn branch_softmax(&mut self, name: impl Into<String>, x: TensorId, branches: usize) -> Result<TensorId> {
        let name = name.into();
        let shape = self.shape(x);
        if branches == 0 || !shape[0].is_multiple_of(branches) || shape[1] * shape[2] != 1 {
            return Err(Error::bad_option(format!(
                "softmax {name}: {} logits do not divide into {branches} branches",
                shape[0]
            )));
        }
        Ok(self.push(name, Op::BranchSoftmax { branches }, vec![x], shape))
    }

    /// Attention with the values of `overrides` where its mask is set.
    pub fn override_attention(
        &mut self,
        name: impl Into<String>,
        attention: TensorId,
        overrides: TensorId,
        branches: usize,
    ) -> Result<TensorId> {
        let name = name.into();
        let shape = self.shape(attention);
        if self.shape(overrides)[0] != 2 * shape[0] {
            return Err(Error::bad_option(format!(
                "override {name}: needs {} values and as many mask entries",
                shape[0]
            )));
        }
        let taken = |n: &Node| matches!(n.op, Op::Override { .. }) && n.inputs.first() == Some(&attention);
        if self.nodes[attention.0].op != (Op::BranchSoftmax { branches }) || self.nodes.iter().any(taken) {
            return Err(Error::bad_option(format!(
                "override {name}: needs a softmax over {branches} branches that has no override yet"
            )));
        }
        Ok(self.push(name, Op::Override { branches }, vec![attention, overrides], shape))
    }

    /// `Σ aₘ·Uₘ`.
    pub fn select(&mut self, name: impl Into<String>, attention: TensorId, branches: &[TensorId]) -> Result<TensorId> {
        let name = name.into();
        let shape = self.same_shape(&name, branches)?;
        if self.shape(attention) != [shape[0] * branches.len(), 1, 1] {
            return Err(Error::bad_option(format!(
                "select {name}: attention does not have branches × channels values"
            )));
        }
        let inputs = std::iter::once(attention).chain(branches.iter().copied()).collect();
        Ok(self.push(name, Op::Select, inputs, shape))
    }

    /// Channels `start .. start + count`.
    pub fn slice(&mut self, name: impl Into<String>, x: TensorId, start: usize, count: usize) -> Result<TensorId> {
        let name = name.into();
        let [c, h, w] = self.shape(x);
        if count == 0 || start.checked_add(count).is_none_or(|end| end > c) {
            return Err(Error::bad_option(format!("slice {name}: {count} channels from {start} on, of {c}")));
        }
        Ok(self.push(name, Op::Slice { start, count }, vec![x], [count, h, w]))
    }

    /// Concatenation along channels.
    pub fn concat(&mut self, name: impl Into<String>, xs: &[TensorId]) -> Result<TensorId> {
        let name = name.into();
        let first = xs.first().ok_or_else(|| Error::bad_option(format!("concat {name}: needs at least one input")))?;
        let [_, h, w] = self.shape(*first);
        if xs.iter().any(|&x| self.shape(x)[1..] != [h, w]) {
            return Err(Error::bad_option(format!("concat {name}: the inputs differ in height or width")));
        }
        let channels = xs.iter().map(|&x| self.shape(x)[0]).sum();
        Ok(self.push(name, Op::Concat, xs.to_vec(), [channels, h, w]))
    }

    /// Channel shuffle.
    pub fn channel_shuffle(&mut self, name: impl Into<String>, x: TensorId, groups: usize) -> Result<TensorId> {
        let name = name.into();
        let shape = self.shape(x);
        if groups == 0 || !shape[0].is_multiple_of(groups) {
            return Err(Error::bad_option(format!(
                "shuffle {name}: {} channels do not divide into {groups} groups",
                shape[0]
            )));
        }
        Ok(self.push(name, Op::ChannelShuffle { groups }, vec![x], shape))
    }

    /// Records an SK unit.
    pub fn unit(&mut self, unit: SkUnit) {
        self.units.push(unit);
    }

    /// The graph whose result is `output`.
    pub fn finish(self, output: TensorId) -> Graph {
        Graph { tensors: self.tensors, nodes: self.nodes, input: self.input, output, units: self.units }
    }

    fn same_shape(&self, name: &str, xs: &[TensorId]) -> Result<[usize; 3]> {
        let first = xs.first().ok_or_else(|| Error::bad_option(format!("{name}: needs at least one input")))?;
        let shape = self.shape(*first);
        match xs.iter().find(|&&x| self.shape(x) != shape) {
            Some(&x) => Err(Error::bad_option(format!("{name}: shapes {shape:?} and {:?} differ", self.shape(x)))),
            None => Ok(shape),
        }
    }
}
