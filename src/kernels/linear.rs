//! `y = act(W·x + b)`: fully connected layers.

use super::*;
use crate::cpu::gemm::{Finish, Matrix, Output, affine};
use crate::graph;
use crate::plan::LANES;
use crate::weights::FoldedNorm;

pub(super) const SHADER: &Shader = shader!("linear");
/// Quads of y per workgroup.
const BLOCK: usize = 8;

/// A fully connected layer on `[C, 1, 1]`, then bias and batch norm, then an optional ReLU.
#[derive(Clone, Debug)]
pub struct Linear {
    /// The layer.
    pub linear: graph::Linear,
    /// Whether it multiplies with the transposed weight, from the layer's outputs to its inputs.
    pub transposed: bool,
    /// Bias and batch norm.
    pub norm: FoldedNorm,
    /// Whether negative results become zero.
    pub relu: bool,
    /// x.
    pub input: TensorId,
    /// The result.
    pub output: TensorId,
}

impl Kernel for Linear {
    fn family(&self) -> &'static str {
        "linear"
    }
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.output]
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        if self.input == from {
            self.input = to;
        }
    }
    fn parameters(&self) -> Vec<String> {
        std::iter::once(self.linear.weight.clone()).chain(self.norm.parameters()).collect()
    }
    fn macs(&self, _views: &Views) -> u64 {
        self.linear.macs()
    }
    /// `[lane of x][lane of y]` and the bias.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let (x, y) = (views.of(self.input), views.of(self.output));
        let (scale, shift) = self.norm.fold(parameters)?;
        let weight = parameters.get(&self.linear.weight)?;
        let (rows, columns) = (x.quads() * LANES, y.quads() * LANES);
        let mut packed = vec![0.0; (rows + 1) * columns];
        for (o, &column) in y.lanes.iter().enumerate() {
            for (i, &row) in x.lanes.iter().enumerate() {
                let (to, from) = if self.transposed { (i, o) } else { (o, i) };
                packed[row as usize * columns + column as usize] =
                    weight[to * self.linear.in_features + from] * scale[o];
            }
            packed[rows * columns + column as usize] = shift[o];
        }
        Ok(vec![Packed::Weights(packed)])
    }
    fn arrange(&self, views: &Views, constants: &mut [Packed]) {
        let [rows, columns] = [self.input, self.output].map(|id| views.of(id).quads() * LANES);
        constants[0].arrange(&vec![true; rows], columns);
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let (x, y) = (lowering.views.of(self.input), lowering.views.of(self.output));
        let mut constants =
            vec![("X_QUADS", x.quads() as f64), ("Y_QUADS", y.quads() as f64), ("RELU", f64::from(self.relu))];
        let [x_item, x_base, _] = view_constants(["X_ITEM", "X_BASE", ""], x);
        let [y_item, y_base, _] = view_constants(["Y_ITEM", "Y_BASE", ""], y);
        constants.extend([x_item, x_base, y_item, y_base]);
        let bindings = vec![Operand::Read(x.storage), Operand::Constant(0), Operand::Write(y.storage)];
        let workgroups = [y.quads().div_ceil(BLOCK) as u32, 1, lowering.batch as u32];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        let (x, y) = (context.view(self.input), context.view(self.output));
        let (rows, columns) = (x.quads() * LANES, y.quads() * LANES);
        context.write(self.output, |context, out| {
            let (weights, bias) = context.floats(0).split_at(rows * columns);
            let a = Matrix { values: &context.read(self.input)[x.offset(0, 0, 0)..], stride: x.item * LANES };
            let finish = Finish { bias, residual: None, relu: self.relu };
            let mut out = Output { values: &mut out[y.base * LANES..], stride: y.item * LANES, slots: &y.slots };
            affine([context.batch, rows, columns], a, weights, finish, &mut out);
        });
    }
}
