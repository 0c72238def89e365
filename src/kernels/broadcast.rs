//! The mean's gradient: every position gets its share.

use super::*;
use crate::plan::LANES;

pub(super) const SHADER: &Shader = shader!("broadcast");

/// `y[c, i, j] = x[c] / (H·W)`.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// x, `[C, 1, 1]`.
    pub input: TensorId,
    /// y, `[C, H, W]`.
    pub output: TensorId,
}

impl Kernel for Broadcast {
    fn family(&self) -> &'static str {
        "broadcast"
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
        let mut constants = vec![("QUADS", y.quads() as f64), ("POSITIONS", y.positions() as f64)];
        constants.extend(view_constants(["X_ITEM", "X_BASE", ""], x).into_iter().take(2));
        constants.extend(view_constants(["Y_ITEM", "Y_BASE", "Y_STRIDE"], y));
        let bindings = vec![Operand::Read(x.storage), Operand::Write(y.storage)];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups: lowering.grid(y.positions() * y.quads()) }]
    }
    fn run(&self, context: &mut CpuContext) {
        let (x, y) = (context.view(self.input), context.view(self.output));
        let width = y.quads() * LANES;
        context.write(self.output, |context, out| {
            for n in 0..context.batch {
                let share = 1.0 / y.positions() as f32;
                let values = context.read(self.input)[x.offset(n, 0, 0)..][..width].iter().map(|v| v * share);
                let values: Vec<f32> = values.collect();
                (0..y.positions()).for_each(|p| out[y.offset(n, p, 0)..][..width].copy_from_slice(&values));
            }
        });
    }
}
