//! Steps of backward passes.

use super::Fuser;
use crate::graph::{Conv2d, Node, Op, TensorId};
use crate::kernels::{self, BranchSoftmaxBackward, Broadcast, ConvTranspose, Gate, GateKind, Gather, PoolBackward};
use crate::weights::FoldedNorm;

impl Fuser<'_> {
    pub(super) fn claim_backward(&mut self, node: &Node) {
        let (inputs, output) = (&node.inputs, node.output);
        let gradient = inputs[0];
        match &node.op {
            Op::ConvTranspose2d(conv) => self.claim_conv_transpose(conv, gradient, output),
            Op::BatchNormBackward(bn) => {
                let channels = self.shapes[output.0][0];
                let norm = Some(FoldedNorm { channels, bias: None, norm: Some(bn.clone()) });
                self.emit(output, Gate { kind: GateKind::Open, norm, factor: 1.0, gradient, by: None, output });
            }
            Op::ReluBackward => self.claim_gate(GateKind::Relu, inputs, output),
            Op::SigmoidBackward => self.claim_gate(GateKind::Sigmoid, inputs, output),
            Op::ScaledProduct => self.claim_gate(GateKind::Product, inputs, output),
            Op::PoolBackward(pool) => {
                self.emit(output, PoolBackward { pool: pool.clone(), gradient, input: inputs[1], output });
            }
            Op::GlobalAveragePoolBackward => self.emit(output, Broadcast { input: gradient, output }),
            Op::LinearTranspose(linear) => {
                let norm = FoldedNorm { channels: linear.in_features, bias: None, norm: None };
                let (linear, input) = (linear.clone(), gradient);
                self.emit(output, kernels::Linear { linear, transposed: true, norm, relu: false, input, output });
            }
            Op::OverrideBackward { .. } => {
                let reader = self.sole_reader(output);
                let Some((index, &Node { op: Op::BranchSoftmaxBackward { branches }, ref inputs, output })) = reader
                else {
                    unreachable!("the gradient of an override goes to a softmax")
                };
                self.claimed[index] = true;
                let (softmax, overrides) = (inputs[1], Some(node.inputs[1]));
                self.emit(output, BranchSoftmaxBackward { branches, gradient, softmax, overrides, output });
            }
            &Op::BranchSoftmaxBackward { branches } => {
                let softmax = inputs[1];
                self.emit(output, BranchSoftmaxBackward { branches, gradient, softmax, overrides: None, output });
            }
            Op::SliceBackward { start } => {
                let channels = (0..self.shapes[gradient.0][0]).map(|c| (c, start + c)).collect();
                self.emit(output, Gather { input: gradient, channels, pads: true, clears: true, output });
            }
            op => unreachable!("{op:?} belongs to a forward pass"),
        }
    }

    /// As a convolution, with a sum behind it, where there is no stride.
    fn claim_conv_transpose(&mut self, conv: &Conv2d, gradient: TensorId, output: TensorId) {
        match conv.transposed() {
            Some(transposed) if conv.stride == 1 => {
                let step = self.claim_conv(&transposed, true, gradient, output);
                self.emit_conv(step);
            }
            _ => self.emit(output, ConvTranspose::new(conv.clone(), gradient, output)),
        }
    }

    /// A gate with the batch norm's gradient behind it.
    fn claim_gate(&mut self, kind: GateKind, inputs: &[TensorId], mut output: TensorId) {
        let [channels, height, width] = self.shapes[output.0];
        let factor = if kind == GateKind::Product { (height * width) as f32 } else { 1.0 };
        let mut norm = None;
        if let Some((index, Node { op: Op::BatchNormBackward(bn), output: scaled, .. })) = self.sole_reader(output) {
            self.claimed[index] = true;
            norm = Some(FoldedNorm { channels, bias: None, norm: Some(bn.clone()) });
            output = *scaled;
        }
        self.emit(output, Gate { kind, norm, factor, gradient: inputs[0], by: Some(inputs[1]), output });
    }
}
