//! Graph → fused steps.

mod backward;

use super::PlanOptions;
use crate::graph::{BatchNorm, Conv2d, Graph, Node, Op, SkUnit, TensorId};
use crate::kernels::{self, Activation, BranchSoftmax, ConvStep, Elementwise, Kernel, Select, SkAttention, SkBranches};
use crate::order::sort_short;
use crate::weights::FoldedNorm;
use std::collections::HashSet;

/// Steps with tensors, not yet placed.
pub(super) struct Fused {
    pub steps: Vec<Box<dyn Kernel>>,
    /// `[C, H, W]` of every tensor: the graph's, then those that only the plan knows.
    pub shapes: Vec<[usize; 3]>,
    /// Groups of tensors that share one storage, one after the other; the first is what is always read back.
    pub stacks: Vec<Vec<TensorId>>,
    /// Further tensors to read back.
    pub outputs: Vec<TensorId>,
}

/// Fuses what may be fused: a tensor that is retained, or has several readers, is never hidden.
pub(super) fn fuse(graph: &Graph, retained: &[TensorId], options: &PlanOptions) -> Fused {
    let mut fuser = Fuser::new(graph, retained);
    for unit in &graph.units {
        fuser.claim_unit(unit, options);
    }
    for index in 0..graph.nodes.len() {
        if !fuser.claimed[index] {
            fuser.claim_chain(index);
        }
    }
    let Fuser { shapes, stacks, outputs, mut emissions, .. } = fuser;
    sort_short(&mut emissions, |a, b| a.0 < b.0);
    Fused { steps: emissions.into_iter().map(|(_, step)| step).collect(), shapes, stacks, outputs }
}

struct Fuser<'g> {
    graph: &'g Graph,
    retained: HashSet<TensorId>,
    readers: Vec<Vec<usize>>,
    producer: Vec<Option<usize>>,
    claimed: Vec<bool>,
    shapes: Vec<[usize; 3]>,
    stacks: Vec<Vec<TensorId>>,
    outputs: Vec<TensorId>,
    /// Steps with the index of the last node that they compute.
    emissions: Vec<(usize, Box<dyn Kernel>)>,
}

impl<'g> Fuser<'g> {
    fn new(graph: &'g Graph, retained: &[TensorId]) -> Self {
        let mut readers = vec![Vec::new(); graph.tensors.len()];
        let mut producer = vec![None; graph.tensors.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|input| readers[input.0].push(index));
            producer[node.output.0] = Some(index);
        }
        let mut outputs = retained.to_vec();
        let mut results = Vec::new();
        // The last fully connected layer writes straight to the results; any other output stays where it is.
        match producer[graph.output.0].map(|i: usize| &graph.nodes[i].op) {
            Some(Op::Linear(_)) => results.push(graph.output),
            _ => outputs.push(graph.output),
        }
        let retained = retained.iter().copied().chain([graph.output]).collect();
        let overrides: Vec<_> = graph.units.iter().map(|u| u.override_input).collect();
        let mut stacks = vec![results, overrides];
        stacks.extend(graph.units.iter().map(|u| u.branch_outputs.clone()));
        Self {
            graph,
            retained,
            readers,
            producer,
            claimed: vec![false; graph.nodes.len()],
            shapes: graph.tensors.iter().map(|t| t.shape).collect(),
            stacks,
            outputs,
            emissions: Vec::new(),
        }
    }

    fn synthetic(&mut self, shape: [usize; 3]) -> TensorId {
        self.shapes.push(shape);
        TensorId(self.shapes.len() - 1)
    }

    fn node_of(&self, tensor: TensorId) -> Option<(usize, &'g Node)> {
        self.producer[tensor.0].map(|index| (index, &self.graph.nodes[index]))
    }

    /// The one reader of `tensor`, if the tensor may be hidden inside a step and the reader is still free.
    fn sole_reader(&self, tensor: TensorId) -> Option<(usize, &'g Node)> {
        match self.readers[tensor.0][..] {
            [index] if !self.retained.contains(&tensor) && !self.claimed[index] => {
                Some((index, &self.graph.nodes[index]))
            }
            _ => None,
        }
    }

    /// Follows BatchNorm and ReLU behind `tensor` as far as they can be fused: claims them and returns the batch norm,
    /// whether there is a ReLU, and the last tensor.
    fn claim_norm_act(&mut self, mut tensor: TensorId, norm: &mut FoldedNorm) -> (bool, TensorId) {
        if let Some((index, Node { op: Op::BatchNorm(bn), output, .. })) = self.sole_reader(tensor) {
            self.claimed[index] = true;
            norm.norm = Some(bn.clone());
            tensor = *output;
        }
        self.claim_relu(tensor)
    }

    /// The layer in front of the ReLU that makes `tensor`, and the batch norm between them where there is one, with the
    /// nodes of all; none if anything in between is asked for.
    fn layer_of(&self, tensor: TensorId) -> Option<(Vec<usize>, &'g Op, Option<BatchNorm>)> {
        let (relu_index, relu) = self.node_of(tensor)?;
        let Op::Relu = relu.op else { return None };
        self.sole_reader(relu.inputs[0])?;
        let (index, node) = self.node_of(relu.inputs[0])?;
        let Op::BatchNorm(norm) = &node.op else { return Some((vec![index, relu_index], &node.op, None)) };
        self.sole_reader(node.inputs[0])?;
        let (layer_index, layer) = self.node_of(node.inputs[0])?;
        Some((vec![layer_index, index, relu_index], &layer.op, Some(norm.clone())))
    }

    fn claim_relu(&mut self, tensor: TensorId) -> (bool, TensorId) {
        match self.sole_reader(tensor) {
            Some((index, Node { op: Op::Relu, output, .. })) => {
                self.claimed[index] = true;
                (true, *output)
            }
            _ => (false, tensor),
        }
    }

    fn emit(&mut self, tail: TensorId, step: impl Kernel + 'static) {
        let at = self.producer[tail.0].unwrap_or(usize::MAX);
        self.emissions.push((at, Box::new(step)));
    }

    fn claim_chain(&mut self, index: usize) {
        let node = &self.graph.nodes[index];
        self.claimed[index] = true;
        let (inputs, output) = (&node.inputs, node.output);
        let channels = self.shapes[output.0][0];
        match &node.op {
            Op::Input | Op::Slice { .. } | Op::Concat | Op::ChannelShuffle { .. } => {}
            Op::Conv2d(conv) => {
                let step = self.claim_conv(conv, false, inputs[0], output);
                self.emit_conv(step);
            }
            Op::Linear(linear) => {
                let mut norm = FoldedNorm { channels, bias: linear.bias.clone(), norm: None };
                let (relu, output) = self.claim_norm_act(output, &mut norm);
                let (linear, input) = (linear.clone(), inputs[0]);
                self.emit(output, kernels::Linear { linear, transposed: false, norm, relu, input, output });
            }
            Op::BatchNorm(bn) => {
                let norm = FoldedNorm { channels, bias: None, norm: Some(bn.clone()) };
                let (relu, output) = self.claim_relu(output);
                self.emit(
                    output,
                    Elementwise {
                        terms: inputs.clone(),
                        norm: Some(norm),
                        activation: Activation::relu_if(relu),
                        output,
                    },
                );
            }
            Op::Relu | Op::Sigmoid => {
                let activation = if node.op == Op::Sigmoid { Activation::Sigmoid } else { Activation::Relu };
                self.emit(output, Elementwise { terms: inputs.clone(), norm: None, activation, output });
            }
            Op::Add => self.claim_add(inputs, output),
            Op::Pool(pool) => self.emit(output, kernels::Pool { pool: pool.clone(), input: inputs[0], output }),
            Op::GlobalAveragePool => self.emit(output, kernels::GlobalAveragePool { input: inputs[0], output }),
            Op::BranchSoftmax { branches } => {
                let (mut override_input, mut attention) = (None, None);
                // The softmax keeps its own result, so a retained softmax does not prevent this.
                let is_override = |&reader: &usize| matches!(self.graph.nodes[reader].op, Op::Override { .. });
                if let Some(reader) = self.readers[output.0].iter().copied().find(is_override) {
                    let Node { inputs, output, .. } = &self.graph.nodes[reader];
                    self.claimed[reader] = true;
                    (override_input, attention) = (Some(inputs[1]), Some(*output));
                }
                let step = BranchSoftmax {
                    branches: *branches,
                    logits: inputs[0],
                    softmax: output,
                    override_input,
                    attention,
                };
                self.emit(attention.unwrap_or(output), step);
            }
            Op::Override { branches } => {
                unreachable!("an override of {branches} branches follows its softmax")
            }
            Op::Select => self.emit(output, Select { attention: inputs[0], branches: inputs[1..].to_vec(), output }),
            _ => self.claim_backward(node),
        }
    }

    /// A sum of any number of terms, a few at a time, with the ReLU behind it.
    fn claim_add(&mut self, terms: &[TensorId], output: TensorId) {
        let (relu, output) = self.claim_relu(output);
        let mut terms = terms.to_vec();
        while terms.len() > kernels::MAX_TERMS {
            let partial = self.synthetic(self.shapes[output.0]);
            let rest = terms.split_off(kernels::MAX_TERMS);
            self.emit(output, Elementwise { terms, norm: None, activation: Activation::Identity, output: partial });
            terms = std::iter::once(partial).chain(rest).collect();
        }
        self.emit(output, Elementwise { terms, norm: None, activation: Activation::relu_if(relu), output });
    }

    fn emit_conv(&mut self, step: ConvStep) {
        let at = self.producer[step.output.0].unwrap_or(usize::MAX);
        self.emissions.push((at, kernels::convolution(step)));
    }

    /// A convolution with the batch norm, residual addition and ReLU behind it.
    fn claim_conv(&mut self, conv: &Conv2d, transposed: bool, input: TensorId, output: TensorId) -> ConvStep {
        let mut norm = FoldedNorm { channels: conv.out_channels, bias: conv.bias.clone(), norm: None };
        let (mut relu, mut output) = self.claim_norm_act(output, &mut norm);
        let mut residual = None;
        if !relu
            && let Some((index, Node { op: Op::Add, inputs, output: sum })) = self.sole_reader(output)
            && let [a, b] = inputs[..]
            && a != b
        {
            self.claimed[index] = true;
            residual = Some(if a == output { b } else { a });
            (relu, output) = self.claim_relu(*sum);
        }
        ConvStep { conv: conv.clone(), transposed, norm, relu, residual, input, output }
    }

    fn claim_unit(&mut self, unit: &SkUnit, options: &PlanOptions) {
        let partial_sums = self.claim_branches(unit);
        let results = [unit.pooled, unit.reduced, unit.logits, unit.softmax, unit.attention];
        match self.claim_attention(unit, partial_sums, options) {
            Some(()) => self.stacks[0].extend(results),
            None => self.outputs.extend(results),
        }
        if options.fold_select {
            self.fold_select(unit);
        }
    }

    /// All branches in one step, if nothing inside them is asked for and they differ in dilation only. Returns the
    /// partial pooling sums.
    fn claim_branches(&mut self, unit: &SkUnit) -> Option<TensorId> {
        let mut convs = Vec::new();
        let mut norms = Vec::new();
        let mut nodes = Vec::new();
        for &output in &unit.branch_outputs {
            let (indices, Op::Conv2d(conv), norm) = self.layer_of(output)? else { return None };
            norms.push(FoldedNorm { channels: conv.out_channels, bias: conv.bias.clone(), norm });
            convs.push(conv.clone());
            nodes.extend(indices);
        }
        let same_input = unit.branch_inputs.windows(2).all(|w| w[0] == w[1]);
        if !same_input || !SkBranches::supports(&convs) {
            return None;
        }
        nodes.into_iter().for_each(|n| self.claimed[n] = true);
        let [channels, height, width] = self.shapes[unit.branch_outputs[0].0];
        let partial_sums = self.synthetic([channels, SkBranches::partial_sums(height, width), 1]);
        let last = *unit.branch_outputs.last()?;
        let outputs = unit.branch_outputs.clone();
        self.emit(last, SkBranches { convs, norms, input: unit.branch_inputs[0], outputs, partial_sums });
        Some(partial_sums)
    }

    /// Everything from the pooled vector to the attention in one step, if nothing but s, z, logits and softmax is asked
    /// for; with the Select behind it where that is not folded elsewhere.
    fn claim_attention(&mut self, unit: &SkUnit, partial_sums: Option<TensorId>, options: &PlanOptions) -> Option<()> {
        let (indices, Op::Linear(reduce), norm) = self.layer_of(unit.reduced)? else { return None };
        let (select_index, select) = self.node_of(unit.logits)?;
        let (softmax_index, _) = self.node_of(unit.softmax)?;
        let (override_index, _) = self.node_of(unit.attention)?;
        let Op::Linear(select) = &select.op else { return None };
        if !SkAttention::supports(unit.channels, reduce.out_features, unit.branches.len()) {
            return None;
        }
        let (pool_index, _) = self.node_of(unit.pooled)?;
        let (sum_index, _) = self.node_of(unit.sum)?;
        let [_, height, width] = self.shapes[unit.sum.0];
        let (source, divisor) = match partial_sums {
            Some(partial_sums) => {
                if self.sole_reader(unit.sum).is_some() {
                    self.claimed[sum_index] = true;
                }
                (partial_sums, height * width)
            }
            None => {
                let mean = self.synthetic(self.shapes[unit.pooled.0]);
                self.emit(unit.pooled, kernels::GlobalAveragePool { input: unit.sum, output: mean });
                (mean, 1)
            }
        };
        for index in indices.into_iter().chain([pool_index, select_index, softmax_index, override_index]) {
            self.claimed[index] = true;
        }
        let output = if options.fold_select { None } else { self.claim_select(unit) };
        let tail = output.as_ref().map_or(unit.attention, |select| select.output);
        let step = SkAttention {
            reduce: reduce.clone(),
            reduce_norm: FoldedNorm { channels: reduce.out_features, bias: reduce.bias.clone(), norm },
            select: select.clone(),
            branches: unit.branches.len(),
            partial_sums: source,
            divisor,
            override_input: unit.override_input,
            pooled: unit.pooled,
            reduced: unit.reduced,
            logits: unit.logits,
            softmax: unit.softmax,
            attention: unit.attention,
            output,
        };
        self.emit(tail, step);
        Some(())
    }

    /// The Select of a unit, if nothing else reads the attention.
    fn claim_select(&mut self, unit: &SkUnit) -> Option<Select> {
        let (index, _) = self.node_of(unit.output)?;
        if self.readers[unit.attention.0] != [index] {
            return None;
        }
        self.claimed[index] = true;
        Some(Select { attention: unit.attention, branches: unit.branch_outputs.clone(), output: unit.output })
    }

    /// Folds Select into the plain 1×1 convolution behind it.
    fn fold_select(&mut self, unit: &SkUnit) -> Option<()> {
        let (reader, node) = self.sole_reader(unit.output)?;
        let (select_index, _) = self.node_of(unit.output)?;
        let Op::Conv2d(conv) = &node.op else { return None };
        if !kernels::Pointwise::supports(conv) || conv.stride != 1 {
            return None;
        }
        self.claimed[select_index] = true;
        self.claimed[reader] = true;
        let step = self.claim_conv(conv, false, unit.output, node.output);
        let select = Select { attention: unit.attention, branches: unit.branch_outputs.clone(), output: unit.output };
        self.emit(step.output, kernels::Pointwise { step, select: Some(select) });
        Some(())
    }
}
