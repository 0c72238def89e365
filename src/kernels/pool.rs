//! Max and average pooling.

use super::*;
use crate::graph::{self, PoolKind};
use crate::plan::LANES;
use pulp::Arch;

pub(super) const SHADER: &Shader = shader!("pool");

/// `y[c, i, j]` = the maximum or the mean over the part of the window that lies inside x.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Kind, window, stride, padding and rounding of the output size.
    pub pool: graph::Pool,
    /// x.
    pub input: TensorId,
    /// y.
    pub output: TensorId,
}

impl Kernel for Pool {
    fn family(&self) -> &'static str {
        "pool"
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
            ("AVERAGE", f64::from(self.pool.kind == PoolKind::Average)),
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
        let workgroups = lowering.grid(y.positions() * y.quads());
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
                            let out = &mut out[y.offset(n, p, 0)..][..width];
                            let (rows, columns) =
                                (self.pool.window(p / y.width, x.height), self.pool.window(p % y.width, x.width));
                            let window = rows.clone().flat_map(|row| columns.clone().map(move |c| row * x.width + c));
                            let pixels = window.map(|position| &values[x.offset(n, position, 0)..][..width]);
                            match self.pool.kind {
                                PoolKind::Max => maximum(pixels, out),
                                PoolKind::Average => mean(pixels, rows.len() * columns.len(), out),
                            }
                        }
                    }
                },
            );
        });
    }
}

#[inline(always)]
fn maximum<'a>(pixels: impl Iterator<Item = &'a [f32]>, best: &mut [f32]) {
    best.fill(f32::NEG_INFINITY);
    for pixel in pixels {
        for (b, &v) in best.iter_mut().zip(pixel) {
            // Not a number wins, as in PyTorch, so that it reaches the check of the results.
            *b = if v > *b || v.is_nan() { v } else { *b };
        }
    }
}

#[inline(always)]
fn mean<'a>(pixels: impl Iterator<Item = &'a [f32]>, count: usize, mean: &mut [f32]) {
    mean.fill(0.0);
    for pixel in pixels {
        mean.iter_mut().zip(pixel).for_each(|(m, v)| *m += v);
    }
    mean.iter_mut().for_each(|m| *m /= count as f32);
}
