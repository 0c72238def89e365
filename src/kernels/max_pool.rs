//! Max pooling.

use super::*;
use crate::graph;
use crate::plan::LANES;
use pulp::Arch;
use std::ops::Range;

pub(super) const SHADER: &Shader =
    &Shader { name: "max_pool", wgsl: include_str!("../../shaders/max_pool.wgsl"), entry: "main" };
const WORKGROUP: usize = 64;

/// `y[c, i, j] = max over the window of x`; padding counts as −∞.
#[derive(Clone, Debug)]
pub struct MaxPool {
    /// Window, stride, padding and rounding of the output size.
    pub pool: graph::MaxPool,
    /// x.
    pub input: TensorId,
    /// y.
    pub output: TensorId,
}

impl MaxPool {
    /// The part of output `o`'s window that lies in an input of `size`.
    fn window(&self, o: usize, size: usize) -> Range<usize> {
        let start = o * self.pool.stride;
        let end = (start + self.pool.kernel).saturating_sub(self.pool.padding).min(size);
        start.saturating_sub(self.pool.padding)..end
    }
}

impl Kernel for MaxPool {
    fn family(&self) -> &'static str {
        "max_pool"
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
    fn pack(&self, _views: &Views, _parameters: &Parameters) -> Result<Vec<Packed>> {
        Ok(Vec::new())
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let (x, y) = (lowering.views.of(self.input), lowering.views.of(self.output));
        let mut constants = vec![
            ("KERNEL", self.pool.kernel as f64),
            ("STRIDE", self.pool.stride as f64),
            ("PADDING", self.pool.padding as f64),
            ("QUADS", y.quads() as f64),
            ("HEIGHT", x.height as f64),
            ("WIDTH", x.width as f64),
            ("OUT_WIDTH", y.width as f64),
            ("POSITIONS", y.positions() as f64),
        ];
        constants.extend(view_constants(["X_ITEM", "X_BASE", "X_STRIDE"], x));
        constants.extend(view_constants(["Y_ITEM", "Y_BASE", "Y_STRIDE"], y));
        let bindings = vec![Operand::Read(x.storage), Operand::Write(y.storage)];
        let workgroups = [(y.positions() * y.quads()).div_ceil(WORKGROUP) as u32, 1, lowering.batch as u32];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        let (x, y) = (context.view(self.input), context.view(self.output));
        let width = y.quads() * LANES;
        context.write(self.output, |context, out| {
            let values = context.read(self.input);
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for n in 0..context.batch {
                        for p in 0..y.positions() {
                            let best = &mut out[y.offset(n, p, 0)..][..width];
                            best.fill(f32::NEG_INFINITY);
                            for row in self.window(p / y.width, x.height) {
                                for column in self.window(p % y.width, x.width) {
                                    let pixel = &values[x.offset(n, row * x.width + column, 0)..][..width];
                                    for (b, &v) in best.iter_mut().zip(pixel) {
                                        *b = if v > *b { v } else { *b };
                                    }
                                }
                            }
                        }
                    }
                },
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_stay_inside() {
        let pool = graph::MaxPool { kernel: 3, stride: 2, padding: 1, ceil_mode: false };
        let step = MaxPool { pool, input: TensorId(0), output: TensorId(1) };
        assert_eq!([step.window(0, 6), step.window(1, 6), step.window(3, 6)], [0..2, 1..4, 5..6]);
    }
}
