//! Gradients of max and average pooling.

use super::*;
use crate::graph::{self, PoolKind};
use crate::plan::LANES;

pub(super) const SHADER: &Shader =
    &Shader { name: "pool_backward", wgsl: include_str!("../../shaders/pool_backward.wgsl"), entry: "main" };

/// Each window gives its gradient to its first maximum, row by row, or in equal shares to its positions inside x.
#[derive(Clone, Debug)]
pub struct PoolBackward {
    /// The pool.
    pub pool: graph::Pool,
    /// g, of the pool's output.
    pub gradient: TensorId,
    /// x, the pool's input.
    pub input: TensorId,
    /// The gradient of x.
    pub output: TensorId,
}

impl Kernel for PoolBackward {
    fn family(&self) -> &'static str {
        "pool_backward"
    }
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.gradient, self.input]
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.output]
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        for tensor in [&mut self.gradient, &mut self.input].into_iter().filter(|t| **t == from) {
            *tensor = to;
        }
    }
    fn pack(&self, _views: &Views, _parameters: &Parameters) -> Result<Vec<Packed>> {
        Ok(Vec::new())
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let views = lowering.views;
        let (g, x, y) = (views.of(self.gradient), views.of(self.input), views.of(self.output));
        let mut constants = vec![
            ("AVERAGE", f64::from(self.pool.kind == PoolKind::Average)),
            ("KERNEL", self.pool.kernel as f64),
            ("STRIDE", self.pool.stride as f64),
            ("PADDING", self.pool.padding as f64),
            ("QUADS", y.quads() as f64),
            ("HEIGHT", x.height as f64),
            ("WIDTH", x.width as f64),
            ("OUT_HEIGHT", g.height as f64),
            ("OUT_WIDTH", g.width as f64),
        ];
        constants.extend(view_constants(["G_ITEM", "G_BASE", "G_STRIDE"], g));
        constants.extend(view_constants(["X_ITEM", "X_BASE", "X_STRIDE"], x));
        constants.extend(view_constants(["Y_ITEM", "Y_BASE", "Y_STRIDE"], y));
        let bindings = vec![Operand::Read(g.storage), Operand::Read(x.storage), Operand::Write(y.storage)];
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups: lowering.grid(y.positions() * y.quads()) }]
    }
    fn run(&self, context: &mut CpuContext) {
        let (g, x, y) = (context.view(self.gradient), context.view(self.input), context.view(self.output));
        let width = y.quads() * LANES;
        context.write(self.output, |context, out| {
            let (gradient, values) = (context.read(self.gradient), context.read(self.input));
            let mut best = vec![(f32::NEG_INFINITY, 0); width];
            for n in 0..context.batch {
                (0..y.positions()).for_each(|p| out[y.offset(n, p, 0)..][..width].fill(0.0));
                for p in 0..g.positions() {
                    let gradient = &gradient[g.offset(n, p, 0)..][..width];
                    let (rows, columns) =
                        (self.pool.window(p / g.width, x.height), self.pool.window(p % g.width, x.width));
                    let share = 1.0 / (rows.len() * columns.len()) as f32;
                    best.fill((f32::NEG_INFINITY, y.offset(n, rows.start * x.width + columns.start, 0)));
                    for position in rows.flat_map(|row| columns.clone().map(move |c| row * x.width + c)) {
                        if self.pool.kind == PoolKind::Average {
                            let out = &mut out[y.offset(n, position, 0)..][..width];
                            out.iter_mut().zip(gradient).for_each(|(out, g)| *out += g * share);
                            continue;
                        }
                        let pixel = &values[x.offset(n, position, 0)..][..width];
                        let start = y.offset(n, position, 0);
                        for (best, &v) in best.iter_mut().zip(pixel).filter(|(best, v)| **v > best.0) {
                            *best = (v, start);
                        }
                    }
                    if self.pool.kind == PoolKind::Max {
                        best.iter()
                            .zip(gradient)
                            .enumerate()
                            .for_each(|(lane, ((_, start), g))| out[start + lane] += g);
                    }
                }
            }
        });
    }
}
