//! `y = act(W∗x + b + residual)`: k×k convolutions without groups, as implicit products of matrices.

use super::*;
use crate::cpu::window;
use crate::graph::Conv2d;
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
        Shape::new(Kind::Dense, grouped_conv::SHADER, x.quads() * self.step.conv.kernel.pow(2), y, lowering)
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
        let used = views.of(self.step.input).used_lanes().repeat(self.step.conv.kernel.pow(2));
        constants[0].arrange(&used, views.of(self.step.output).quads() * LANES);
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
        let Conv2d { kernel, stride, padding, dilation, .. } = self.step.conv;
        let (x, y) = (context.view(self.step.input), context.view(self.step.output));
        let taps = |out: usize, size: usize| Vec::from_iter((0..out).map(|at| window::taps(&self.step.conv, at, size)));
        let (rows, columns) = (taps(y.height, x.height), taps(y.width, x.width));
        let pixel = |row: usize, column: usize| (row * x.width + column) * x.stride * LANES;
        // Where each tap's quads lie from that of the first tap on, and where they go.
        let quads = x.moves();
        let moves = (0..kernel.pow(2)).flat_map(|tap| {
            let (from, to) = (pixel(tap / kernel * dilation, tap % kernel * dilation), tap * x.channels());
            quads.iter().map(move |quad| (from + quad.0, to + quad.1))
        });
        let moves = Vec::from_iter(moves);
        gemm_conv::run(&self.step, context, kernel.pow(2) * x.channels(), None, |context, n, p, row| {
            let values = &context.read(self.step.input)[(n * x.item + x.base) * LANES..];
            let (oy, ox) = (p / y.width, p % y.width);
            let (rows, columns) = (&rows[oy], &columns[ox]);
            let (start, before) = (pixel(oy * stride, ox * stride), pixel(padding, padding));
            if rows.len() == kernel && columns.len() == kernel {
                return gemm_conv::copy(&moves, &values[start - before..], row);
            }
            row.fill(0.0);
            for (tap, moves) in moves.chunks(quads.len()).enumerate() {
                if rows.contains(&(tap / kernel)) && columns.contains(&(tap % kernel)) {
                    let (from, to) = moves[0];
                    gemm_conv::copy(&quads, &values[start + from - quads[0].0 - before..], &mut row[to..]);
                }
            }
        });
    }
}
