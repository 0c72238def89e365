//! The backward pass as a graph: gradient of one tensor with respect to the picture.
//!
//! One rule per operator gives the gradient of each input from that of the output. The result is ordinary nodes behind
//! those of the forward pass, and nothing that neither the gradient nor a unit's attention needs.

use super::{Graph, Node, Op, Tensor, TensorId};
use crate::order::sort_short;
use crate::{Error, Result};

/// Whether attention counts as a function of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AttentionGradient {
    /// As a constant: its gradient is not followed (a stop-gradient).
    #[default]
    Fixed,
    /// As a function: its gradient is followed through softmax, layers and pooling to the picture.
    Differentiated,
}

/// A forward pass up to a tensor and the backward pass from there to the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct InputGradient {
    /// The graph; its output is the gradient with respect to the picture, its units are those of the forward part.
    pub graph: Graph,
    /// The gradient with respect to the tensor, to be written from outside: for the sum over some of its values 1 at
    /// these and 0 elsewhere.
    pub seed: TensorId,
}

impl Graph {
    /// The gradient with respect to the picture of `Σ seed·target`; tensors of this graph keep their ids.
    ///
    /// # Errors
    /// `bad-option` if `target` does not depend on the picture.
    pub fn input_gradient(&self, target: TensorId, attention: AttentionGradient) -> Result<InputGradient> {
        let mut backward = Backward::new(self, target);
        let seed = backward.seed;
        backward.contributions[target.0].push(Contribution::Whole(seed));
        let forward: Vec<Node> = self.nodes.iter().filter(|n| n.output <= target).cloned().collect();
        for node in forward.iter().rev() {
            if node.op != Op::Input
                && let Some(gradient) = backward.total(node.output)
            {
                backward.node(node, gradient, attention);
            }
        }
        let Some(output) = backward.total(self.input) else {
            let name = &self.tensor(target).name;
            return Err(Error::bad_option(format!("tensor {name} does not depend on the picture")));
        };
        backward.graph.output = output;
        backward.graph.prune();
        Ok(InputGradient { graph: backward.graph, seed })
    }

    /// Drops nodes other than the picture that neither the output nor a unit's attention needs.
    fn prune(&mut self) {
        let mut needed = vec![false; self.tensors.len()];
        needed[self.output.0] = true;
        needed[self.input.0] = true;
        self.units.iter().for_each(|unit| needed[unit.attention.0] = true);
        for node in self.nodes.iter().rev().filter(|n| n.op != Op::Input) {
            if needed[node.output.0] {
                node.inputs.iter().for_each(|x| needed[x.0] = true);
            }
        }
        self.nodes.retain(|node| needed[node.output.0]);
    }
}

/// Part of a tensor's gradient, from one reader.
#[derive(Clone, Copy)]
enum Contribution {
    /// Of all channels.
    Whole(TensorId),
    /// Of the channels from `start` on.
    Slice { start: usize, gradient: TensorId },
}

struct Backward {
    graph: Graph,
    seed: TensorId,
    contributions: Vec<Vec<Contribution>>,
}

impl Backward {
    /// The forward pass up to `target`, and the seed.
    fn new(graph: &Graph, target: TensorId) -> Self {
        let mut forward = graph.clone();
        forward.nodes.retain(|node| node.output <= target);
        forward.units.retain(|unit| unit.attention <= target);
        let contributions = vec![Vec::new(); forward.tensors.len()];
        let mut backward = Self { graph: forward, seed: target, contributions };
        backward.seed = backward.push("seed".into(), Op::Input, vec![], graph.tensor(target).shape);
        backward
    }

    fn push(&mut self, name: String, op: Op, inputs: Vec<TensorId>, shape: [usize; 3]) -> TensorId {
        let output = TensorId(self.graph.tensors.len());
        self.graph.tensors.push(Tensor { name, shape });
        self.graph.nodes.push(Node { op, inputs, output });
        output
    }

    /// A node that makes `shape`, named after its number.
    fn emit(&mut self, op: Op, inputs: Vec<TensorId>, shape: [usize; 3]) -> TensorId {
        let name = format!("gradient.{}", self.graph.tensors.len());
        self.push(name, op, inputs, shape)
    }

    fn shape(&self, id: TensorId) -> [usize; 3] {
        self.graph.tensor(id).shape
    }

    /// The gradient of `id`, once all its readers contributed; none if none did.
    fn total(&mut self, id: TensorId) -> Option<TensorId> {
        let mut contributions = std::mem::take(&mut self.contributions[id.0]);
        let shape = self.shape(id);
        let start = |c: &Contribution| match c {
            Contribution::Slice { start, .. } => *start,
            Contribution::Whole(_) => 0,
        };
        sort_short(&mut contributions, |a, b| start(a) < start(b));
        let mut next = 0;
        let mut parts = Vec::new();
        for contribution in &contributions {
            if let Contribution::Slice { start, gradient } = *contribution
                && start == next
            {
                parts.push(gradient);
                next += self.shape(gradient)[0];
            }
        }
        if next == shape[0] && parts.len() == contributions.len() {
            return Some(if let [only] = parts[..] { only } else { self.emit(Op::Concat, parts, shape) });
        }
        let mut terms = Vec::new();
        for contribution in contributions {
            terms.push(match contribution {
                Contribution::Whole(gradient) => gradient,
                Contribution::Slice { start, gradient } => {
                    self.emit(Op::SliceBackward { start }, vec![gradient], shape)
                }
            });
        }
        match terms[..] {
            [] => None,
            [only] => Some(only),
            _ => Some(self.emit(Op::Add, terms, shape)),
        }
    }

    fn give(&mut self, to: TensorId, gradient: TensorId) {
        self.contributions[to.0].push(Contribution::Whole(gradient));
    }

    /// The rule of one operator: gradients of `node`'s inputs from that of its output.
    fn node(&mut self, node: &Node, gradient: TensorId, attention: AttentionGradient) {
        let (inputs, output) = (&node.inputs, node.output);
        // Of operators with one input, the input's gradient.
        let (op, operands) = match &node.op {
            Op::Input => return,
            Op::Conv2d(conv) => (Op::ConvTranspose2d(conv.clone()), vec![gradient]),
            Op::BatchNorm(bn) => (Op::BatchNormBackward(bn.clone()), vec![gradient]),
            Op::Relu => (Op::ReluBackward, vec![gradient, output]),
            Op::Sigmoid => (Op::SigmoidBackward, vec![gradient, output]),
            Op::Pool(pool) => (Op::PoolBackward(pool.clone()), vec![gradient, inputs[0]]),
            Op::GlobalAveragePool => (Op::GlobalAveragePoolBackward, vec![gradient]),
            Op::Linear(linear) => (Op::LinearTranspose(linear.clone()), vec![gradient]),
            &Op::BranchSoftmax { branches } => (Op::BranchSoftmaxBackward { branches }, vec![gradient, output]),
            &Op::Override { branches } => (Op::OverrideBackward { branches }, vec![gradient, inputs[1]]),
            Op::ChannelShuffle { groups } => {
                (Op::ChannelShuffle { groups: self.shape(output)[0] / groups }, vec![gradient])
            }
            &Op::Slice { start, .. } => {
                return self.contributions[inputs[0].0].push(Contribution::Slice { start, gradient });
            }
            Op::Add => return inputs.iter().for_each(|&x| self.give(x, gradient)),
            Op::Concat => return self.concat(inputs, gradient),
            Op::Select => return self.select(inputs, gradient, attention),
            Op::ConvTranspose2d(_)
            | Op::BatchNormBackward(_)
            | Op::ReluBackward
            | Op::SigmoidBackward
            | Op::PoolBackward(_)
            | Op::GlobalAveragePoolBackward
            | Op::LinearTranspose(_)
            | Op::BranchSoftmaxBackward { .. }
            | Op::OverrideBackward { .. }
            | Op::ScaledProduct
            | Op::SliceBackward { .. } => unreachable!("{:?} belongs to a backward pass", node.op),
        };
        let of_input = self.emit(op, operands, self.shape(inputs[0]));
        self.give(inputs[0], of_input);
    }

    fn concat(&mut self, inputs: &[TensorId], gradient: TensorId) {
        let mut start = 0;
        for &x in inputs {
            let shape = self.shape(x);
            let count = shape[0];
            let part = self.emit(Op::Slice { start, count }, vec![gradient], shape);
            self.give(x, part);
            start += count;
        }
    }

    /// `V = Σ aₘ·Uₘ`: each branch gets the gradient times its attention, attention the scalar products with the branches.
    fn select(&mut self, inputs: &[TensorId], gradient: TensorId, attention: AttentionGradient) {
        let (weights, branches) = (inputs[0], &inputs[1..]);
        let shape = self.shape(gradient);
        let channels = shape[0];
        let mut products = Vec::new();
        for (m, &branch) in branches.iter().enumerate() {
            let mut weight = weights;
            if branches.len() > 1 {
                let slice = Op::Slice { start: m * channels, count: channels };
                weight = self.emit(slice, vec![weights], [channels, 1, 1]);
            }
            let of_branch = self.emit(Op::Select, vec![weight, gradient], shape);
            self.give(branch, of_branch);
            if attention == AttentionGradient::Differentiated {
                let product = self.emit(Op::ScaledProduct, vec![gradient, branch], shape);
                products.push(self.emit(Op::GlobalAveragePool, vec![product], [channels, 1, 1]));
            }
        }
        match products[..] {
            [] => {}
            [only] => self.give(weights, only),
            _ => {
                let all = self.emit(Op::Concat, products, self.shape(weights));
                self.give(weights, all);
            }
        }
    }
}
