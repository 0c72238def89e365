//! Gradients of max and average pooling.

use super::*;
use crate::graph::{self, PoolKind};
use crate::plan::LANES;
use pulp::Arch;

pub(super) const SHADER: &Shader = shader!("pool_backward");

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
            let (mut best, mut first) = (vec![0.0; width], vec![0; width]);
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for n in 0..context.batch {
                        (0..y.positions()).for_each(|p| out[y.offset(n, p, 0)..][..width].fill(0.0));
                        for p in 0..g.positions() {
                            let gradient = &gradient[g.offset(n, p, 0)..][..width];
                            let (rows, columns) =
                                (self.pool.window(p / g.width, x.height), self.pool.window(p % g.width, x.width));
                            let share = 1.0 / (rows.len() * columns.len()) as f32;
                            let window = rows.flat_map(|row| columns.clone().map(move |c| row * x.width + c));
                            let targets = window.clone().map(|position| y.offset(n, position, 0));
                            if self.pool.kind == PoolKind::Max {
                                let pixels = window.map(|position| &values[x.offset(n, position, 0)..][..width]);
                                first_maximum(pixels, &mut best, &mut first);
                                targets.enumerate().for_each(|(i, start)| {
                                    give_where(i as u32, &first, gradient, &mut out[start..][..width]);
                                });
                            } else {
                                targets.for_each(|start| {
                                    let out = &mut out[start..][..width];
                                    out.iter_mut().zip(gradient).for_each(|(out, g)| *out += g * share);
                                });
                            }
                        }
                    }
                },
            );
        });
    }
}

/// By lane the largest of the pixels, and which of them is the first to have it.
#[inline(always)]
fn first_maximum<'a>(pixels: impl Iterator<Item = &'a [f32]>, best: &mut [f32], first: &mut [u32]) {
    best.fill(f32::NEG_INFINITY);
    first.fill(0);
    for (i, pixel) in (0_u32..).zip(pixels) {
        for ((best, first), &v) in best.iter_mut().zip(first.iter_mut()).zip(pixel) {
            let larger = v > *best;
            *best = if larger { v } else { *best };
            *first = if larger { i } else { *first };
        }
    }
}

/// Adds the gradient in the lanes whose maximum is pixel `i`.
#[inline(always)]
fn give_where(i: u32, first: &[u32], gradient: &[f32], out: &mut [f32]) {
    for ((out, first), g) in out.iter_mut().zip(first).zip(gradient) {
        *out += if *first == i { *g } else { 0.0 };
    }
}
