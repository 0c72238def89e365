//! `y = act(W∗x + b + residual)`: k×k convolutions without groups, as implicit products of matrices.

use super::conv_step::blocks;
use super::*;
use crate::cpu::window;
use crate::plan::LANES;

/// A convolution without groups, of any kernel, stride, padding and dilation.
#[derive(Clone, Debug)]
pub struct DenseConv {
    /// The convolution.
    pub step: ConvStep,
}

impl DenseConv {
    fn product(&self, lowering: &Lowering) -> Shape {
        let (x, y) = (lowering.views.of(self.step.input), lowering.views.of(self.step.output));
        Shape::new(grouped_conv::SHADER.name, x.quads() * self.step.conv.kernel.pow(2), y, lowering)
    }
}

impl Kernel for DenseConv {
    fn family(&self) -> &'static str {
        "dense_conv"
    }
    fn inputs(&self) -> Vec<TensorId> {
        self.step.inputs()
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.step.output]
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        self.step.rewire(from, to);
    }
    fn parameters(&self) -> Vec<String> {
        self.step.parameters()
    }
    fn macs(&self, views: &Views) -> u64 {
        self.step.macs(views)
    }
    /// `[tap][lane of x][lane of y]` and the bias.
    fn pack(&self, views: &Views, parameters: &Parameters) -> Result<Vec<Packed>> {
        let (x, y) = (views.of(self.step.input), views.of(self.step.output));
        Ok(vec![Packed::Weights(self.step.pack_matrix(x, y, parameters)?)])
    }
    fn shape(&self, lowering: &Lowering) -> Option<Shape> {
        Some(self.product(lowering))
    }
    fn arrange(&self, views: &Views, constants: &mut [Packed]) {
        let (rows, columns) = (
            self.step.conv.kernel.pow(2) * views.of(self.step.input).quads() * LANES,
            views.of(self.step.output).quads() * LANES,
        );
        constants[0].arrange(rows, columns);
    }
    /// The shader of grouped convolutions, with all of x as the one group.
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let (x, y) = (views.of(self.step.input), views.of(self.step.output));
        let tiling = lowering.choices.tiling(&self.product(lowering));
        let mut constants = self.step.constants(views, x);
        constants.extend(tiling.constants());
        constants.extend(self.step.window_constants(x));
        constants.extend([("COUNT", x.quads() as f64), ("W_QUAD", 1.0), ("W_LANE", y.quads() as f64)]);
        let bindings = vec![
            Operand::Read(x.storage),
            self.step.residual_operand(views),
            Operand::Constant(0),
            Operand::Unused,
            Operand::Write(y.storage),
        ];
        let workgroups = tiling.workgroups(y, lowering);
        vec![Dispatch { shader: grouped_conv::SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        let conv = &self.step.conv;
        let (x, y) = (context.view(self.step.input), context.view(self.step.output));
        let lanes = x.quads() * LANES;
        let width = conv.kernel * conv.kernel * lanes;
        // Taps of a row that follow each other in x as they do in the matrix.
        let run = if conv.dilation == 1 && x.stride == x.quads() { conv.kernel } else { 1 };
        gemm_conv::run(&self.step, context, width, None, |context, n, p, row| {
            let values = context.read(self.step.input);
            let (oy, ox) = (p / y.width, p % y.width);
            let (inside_y, inside_x) = (window::taps(conv, oy, x.height), window::taps(conv, ox, x.width));
            if inside_y.len() * inside_x.len() < conv.kernel * conv.kernel {
                row.fill(0.0);
            }
            for ky in inside_y {
                let line = window::input(conv, oy, ky) * x.width;
                for run in blocks(inside_x.len(), run) {
                    let kx = inside_x.start + run.start;
                    let start = x.offset(n, line + window::input(conv, ox, kx), 0);
                    let floats = run.len() * lanes;
                    row[(ky * conv.kernel + kx) * lanes..][..floats].copy_from_slice(&values[start..][..floats]);
                }
            }
        });
    }
}
