//! Parameters and multiply-adds, as PyTorch and the paper count them.

use super::{Graph, Linear, Op, Parameter, TensorId};
use std::collections::HashSet;

impl Linear {
    /// Multiply-adds for one picture.
    pub fn macs(&self) -> u64 {
        self.in_features as u64 * self.out_features as u64
    }
}

impl Graph {
    /// Every weight of the layers that the graph computes or differentiates, each once, in node order.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut all = Vec::new();
        for node in &self.nodes {
            let mut push = |name: String, shape: Vec<usize>, learned| all.push(Parameter { name, shape, learned });
            match &node.op {
                Op::Conv2d(c) | Op::ConvTranspose2d(c) => {
                    push(c.weight.clone(), vec![c.out_channels, c.in_channels / c.groups, c.kernel, c.kernel], true);
                    if let Some(bias) = &c.bias {
                        push(bias.clone(), vec![c.out_channels], true);
                    }
                }
                Op::BatchNorm(bn) | Op::BatchNormBackward(bn) => {
                    let channels = self.tensor(node.output).shape[0];
                    for (suffix, learned) in
                        [("weight", true), ("bias", true), ("running_mean", false), ("running_var", false)]
                    {
                        push(format!("{}.{suffix}", bn.prefix), vec![channels], learned);
                    }
                }
                Op::Linear(l) | Op::LinearTranspose(l) => {
                    let mut shape = vec![l.out_features, l.in_features];
                    if l.as_conv {
                        shape.extend([1, 1]);
                    }
                    push(l.weight.clone(), shape, true);
                    if let Some(bias) = &l.bias {
                        push(bias.clone(), vec![l.out_features], true);
                    }
                }
                _ => {}
            }
        }
        let mut seen = HashSet::new();
        all.retain(|p: &Parameter| seen.insert(p.name.clone()));
        all
    }

    /// Number of learned parameters (batch norm's running statistics do not count).
    pub fn parameter_count(&self) -> u64 {
        self.parameters().iter().filter(|p| p.learned).map(|p| p.shape.iter().map(|&n| n as u64).product::<u64>()).sum()
    }

    /// Bytes of the learned parameters as f32.
    pub fn weight_bytes(&self) -> u64 {
        self.parameter_count() * size_of::<f32>() as u64
    }

    /// Multiply-adds of convolutions and fully connected layers for one picture, without Select.
    pub fn macs(&self) -> u64 {
        self.nodes
            .iter()
            .map(|node| match &node.op {
                Op::Conv2d(c) => self.elements(node.output) * (c.in_channels / c.groups * c.kernel * c.kernel) as u64,
                Op::Linear(l) => l.macs(),
                _ => 0,
            })
            .sum()
    }

    /// Multiply-adds of Select for one picture, one for every element of every branch; the paper's GFLOPs include them.
    pub fn select_macs(&self) -> u64 {
        let selects = self.nodes.iter().filter(|node| node.op == Op::Select);
        selects.flat_map(|node| &node.inputs[1..]).map(|&branch| self.elements(branch)).sum()
    }

    fn elements(&self, id: TensorId) -> u64 {
        self.tensor(id).shape.iter().map(|&n| n as u64).product()
    }
}
