//! Mean over all positions.

use super::*;
use crate::plan::LANES;

pub(super) const SHADER: &Shader = shader!("global_average_pool");
/// Quads that one workgroup reduces.
const WORKGROUP_QUADS: usize = 8;

/// `y[c] = mean over positions of x[c, ·, ·]`.
#[derive(Clone, Debug)]
pub struct GlobalAveragePool {
    /// x, `[C, H, W]`.
    pub input: TensorId,
    /// y, `[C, 1, 1]`.
    pub output: TensorId,
}

impl Kernel for GlobalAveragePool {
    fn family(&self) -> &'static str {
        "global_average_pool"
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
        let mut constants = vec![("QUADS", x.quads() as f64), ("POSITIONS", x.positions() as f64)];
        constants.extend(view_constants(["X_ITEM", "X_BASE", "X_STRIDE"], x));
        constants.extend(view_constants(["Y_ITEM", "Y_BASE", "Y_STRIDE"], y));
        let bindings = vec![Operand::Read(x.storage), Operand::Write(y.storage)];
        let workgroups = [x.quads().div_ceil(WORKGROUP_QUADS) as u32, 1, lowering.batch as u32];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        let (x, y) = (context.view(self.input), context.view(self.output));
        let width = x.quads() * LANES;
        context.write(self.output, |context, out| {
            let values = context.read(self.input);
            let mut row_sum = vec![0.0_f32; width];
            for n in 0..context.batch {
                let sum = &mut out[y.offset(n, 0, 0)..][..width];
                sum.fill(0.0);
                // Row by row, so that rounding errors grow with H + W and not with H · W.
                for row in 0..x.height {
                    row_sum.fill(0.0);
                    for column in 0..x.width {
                        let pixel = &values[x.offset(n, row * x.width + column, 0)..][..width];
                        row_sum.iter_mut().zip(pixel).for_each(|(s, v)| *s += v);
                    }
                    sum.iter_mut().zip(&row_sum).for_each(|(s, v)| *s += v);
                }
                let scale = 1.0 / x.positions() as f32;
                sum.iter_mut().for_each(|s| *s *= scale);
            }
        });
    }
}
